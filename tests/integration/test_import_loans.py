"""The loan log in full: 13,087 real applications through the one batcher, and the published counts come out to the unit.

Data: van Dongen, B.F. (2012), BPI Challenge 2012, 4TU.ResearchData (its A_ events). The file is not in the repository: where
it is absent, these tests are skipped and say so.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from projections.board import store as board
from services.clock import SystemClock
from services.database import Pool
from services.ops.verify.run import verify
from services.pipelines.registry import publish_bundled
from services.settings import Settings
from tests.eventlog_builders import until
from tests.integration.import_case import events, loan_log, published, reached, run_command, run_import, written

PUBLISHED = {
    "submitted": 13_087, "partlysubmitted": 13_087, "preaccepted": 7_367, "accepted": 5_113, "finalized": 5_015,
    "approved": 2_246, "registered": 2_246, "activated": 2_246, "declined": 7_635, "cancelled": 2_807,
}  # fmt: skip
ROWS, REPEATS, LEADS = 73_022, 12_173, 13_087
LOG = loan_log()

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.skipif(
        LOG is None, reason="the loan log is not here (shared/data/loan-applications.csv.gz beside the repository)"
    ),
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A copy in a folder that may be written to."""
    assert LOG is not None
    return Path(shutil.copy(LOG, tmp_path / LOG.name))


async def test_I_the_loan_log_gives_the_published_counts_and_verify_agrees(
    settings: Settings, pool: Pool, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await publish_bundled(pool, SystemClock())
    summary = await run_import(settings, pool, log, source="bpi2012")
    assert (summary.rows, summary.done, summary.repeats) == (ROWS, ROWS - REPEATS, REPEATS)
    assert (summary.bad, summary.refused, summary.leads) == (0, 0, LEADS)
    assert dict(await reached(pool)) == PUBLISHED

    recorded = await events(pool)
    entered = [event["data"] for event in recorded if event["meta"]["type"] == "leadline.lead.stage_entered"]
    wins = [event for event in recorded if event["meta"]["type"] == "leadline.lead.converted"]
    assert len(wins) == len({event["meta"]["stream"] for event in wins}) == 2_246, "a lead is won once"
    assert len(entered) == sum(PUBLISHED.values()), "each state once a lead: a repeated row is no second visit"
    assert await pool.fetchval("SELECT count(*) FROM leadline.open_leads WHERE pipeline = 'loans'") == 399
    orders: dict[str, tuple[str, ...]] = {}
    for event in recorded:
        if event["data"].get("kind") == "won":
            orders[event["meta"]["stream"]] = (*orders.get(event["meta"]["stream"], ()), event["data"]["stage"])
    assert len(set(orders.values())) == 6, "the won stages come in all six orders"
    assert {event["meta"]["actor"]["kind"] for event in recorded} == {"import"}

    before = await written(pool)
    assert await run_command(settings, log, source="bpi2012") == 0
    assert f"{ROWS:,} were repeats" in capsys.readouterr().out
    assert await written(pool) == before, "a second run changes nothing"

    async with published(settings, pool):

        async def shown() -> bool:
            # cheap first: what is asked again and again must not slow down what is waited for
            seen = await pool.fetchval("SELECT sum(version) FROM leadline.seen WHERE consumer = 'projections'")
            return bool(seen == len(recorded))

        await until(shown, "all is on the board", limit=300)
    report = await verify(settings)
    assert report.ok, report.differences[:5]
    async with pool.acquire() as database:
        counts = {column.stage: column.count for column in await board.columns(database, "loans")}
    assert sum(counts.values()) == LEADS
    assert (counts["declined"], counts["cancelled"]) == (7_635, 2_807)
    assert sum(counts.get(stage, 0) for stage in ("approved", "registered", "activated")) == 2_246


async def test_I_a_dry_run_of_the_loan_log_tells_the_same_and_writes_nothing(
    settings: Settings, pool: Pool, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await publish_bundled(pool, SystemClock())
    assert await run_command(settings, log, dry_run=True) == 0
    out = capsys.readouterr().out
    assert f"{ROWS - REPEATS:,} would be imported; {REPEATS:,} were repeats" in out
    assert f"{LEADS:,} new leads" in out
    assert await written(pool) == 0
    assert await pool.fetchval("SELECT count(*) FROM leadline.imports") == 0
