"""`leadline lint --history`: short, skipped and to-and-fro stages, told from the visits of a running system (S5).

The loan log: van Dongen, B.F. (2012), BPI Challenge 2012, 4TU.ResearchData. It is not in the repository: where it is absent, the
test that reads it is skipped and says so.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import contracts
from contracts.meta import Actor
from projections.reading import NotBuiltError
from services.clock import SystemClock
from services.database import Pool
from services.ops.lint import store
from services.ops.lint.command import lint
from services.ops.place import OpsError
from services.pipelines.language import read_pipeline
from services.pipelines.linting.history import Passing, Swing
from services.pipelines.registry import publish, publish_bundled
from services.settings import Settings
from tests.eventlog_builders import until
from tests.integration.import_case import Given, loan_log, published, run_import

pytestmark = pytest.mark.kafka
LOG = loan_log()
LOANS = Path(contracts.__file__).parent / "pipelines" / "loans.yaml"
SCALE = """\
pipeline: swing
titles: {ru: "Качели", en: "Swing"}
conversion_point: won
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    moves: [{to: work}, {to: offer}]
  - {id: work, titles: {ru: "В обработке", en: "Processing"}, kind: open}
  - {id: offer, titles: {ru: "Предложение", en: "Offer"}, kind: open}
  - {id: won, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: lost, titles: {ru: "Отказ", en: "Lost"}, kind: lost}
"""
THROUGH = ("new", "work", "offer", "won")
PAST = ("new", "offer", "lost")
TO_AND_FRO = ("new", "work", "offer", "work", "offer", "won")


def history(tmp_path: Path, *ways: tuple[str, ...]) -> Path:
    """A history in which each lead goes such a way: five minutes in New, a day everywhere else."""
    lines, start = ["case,activity,at"], datetime(2026, 3, 2, 9, tzinfo=UTC)
    for case, way in enumerate(ways):
        at = start + timedelta(hours=case)
        for stage in way:
            lines.append(f"{case},{stage},{at.isoformat()}")
            at += timedelta(minutes=5) if stage == "new" else timedelta(days=1)
    file = tmp_path / "history.csv"
    file.write_text("\n".join(lines), "utf-8")
    return file


async def shown(pool: Pool, settings: Settings) -> None:
    """Everything recorded is in the projections."""
    async with published(settings, pool):
        recorded = await pool.fetchval("SELECT count(*) FROM leadline.events WHERE kind <> 'pipeline'")

        async def there() -> bool:
            seen = await pool.fetchval("SELECT sum(version) FROM leadline.seen WHERE consumer = 'projections'")
            return bool(seen == recorded)

        await until(there, "all is in the projections", limit=300)


async def test_S5_past_visits_are_counted_and_told(
    settings: Settings, pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ways = [THROUGH] * 8 + [PAST] * 14 + [TO_AND_FRO] * 12
    await publish_bundled(pool, SystemClock())
    await publish(pool, SystemClock(), SCALE, Actor(id="head", kind="person", role="head"))
    summary = await run_import(settings, pool, history(tmp_path, *ways), pipeline="swing")
    assert (summary.refused, summary.bad) == (0, 0)
    await shown(pool, settings)

    async with pool.acquire() as database:
        found = await store.history_of(database, read_pipeline(SCALE))
    assert found.stays["new"] == (34, 300.0)
    assert found.stays["work"] == (8 + 2 * 12, 86_400.0)
    assert "won" not in found.stays, "a visit that has not ended has no length"
    assert found.passings["work"] == Passing(34, 14)
    assert found.passings["new"] == Passing(34, 0)
    assert found.swings == {("work", "offer"): Swing(20, 12)}

    file = tmp_path / "swing.yaml"
    file.write_text(SCALE, "utf-8")
    capsys.readouterr()
    assert await lint(file, Given(settings), as_json=True, language="en") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["visits"] == sum(stay.ended for stay in found.stays.values())
    by_rule = {finding["rule"]: finding for finding in told["findings"]}
    assert by_rule["S5.short_lived"]["stages"] == ["new"]
    assert by_rule["S5.ping_pong"]["stages"] == ["work", "offer"]
    assert "60%" in by_rule["S5.ping_pong"]["said"]["en"]
    assert "S5.skipped" not in by_rule, "14 of 34 are fewer than half"
    assert "C4.unknown_team" not in by_rule
    file.write_text(f"{SCALE}assignment: {{team: north}}\n", "utf-8")
    assert await lint(file, Given(settings), as_json=True, language="en") == 1
    [unknown] = [f for f in json.loads(capsys.readouterr().out)["findings"] if f["rule"] == "C4.unknown_team"]
    assert (unknown["path"], unknown["line"]) == (["assignment", "team"], SCALE.count("\n") + 1)


async def test_S5_without_a_funnel_it_says_what_to_do(settings: Settings, pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "swing.yaml"
    file.write_text(SCALE, "utf-8")
    async with pool.acquire() as database:
        with pytest.raises(NotBuiltError):
            await store.history_of(database, read_pipeline(SCALE))
    with pytest.raises(OpsError, match="leadline up"):
        await lint(file, Given(settings), as_json=False, language="en")


@pytest.mark.slow
@pytest.mark.skipif(LOG is None, reason="the loan log is not here (shared/data/loan-applications.csv.gz)")
async def test_S5_the_loan_log_shows_what_its_states_are_worth(
    settings: Settings, pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert LOG is not None
    await publish_bundled(pool, SystemClock())
    await run_import(settings, pool, Path(shutil.copy(LOG, tmp_path / LOG.name)), source="bpi2012")
    await shown(pool, settings)
    capsys.readouterr()
    await lint(LOANS, Given(settings), as_json=True, language="en")
    told = json.loads(capsys.readouterr().out)
    assert told["visits"] > 40_000
    for finding in told["findings"]:
        if finding["rule"] in ("S5.short_lived", "S5.skipped", "S5.ping_pong"):
            print(finding["rule"], finding["stages"], finding["said"]["en"])
    short = {finding["stages"][0] for finding in told["findings"] if finding["rule"] == "S5.short_lived"}
    assert "submitted" in short
