"""`leadline publish` on real Postgres: versions, refusals, live leads over a mapping, kill and again (M3, N13, N14, N26)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts import events as e
from services.clock import SystemClock
from services.database import Pool
from services.leads.publishing import store as places
from services.ops.imports.mapping import Mapping
from services.ops.verify.run import verify
from services.pipelines import registry
from services.settings import Settings
from tests.integration.import_case import run_import
from tests.integration.leads_case import HEAD, Leads, running
from tests.integration.publishing_case import (
    MAPPING,
    History,
    fourteen,
    run_publish,
    seven,
    typed_mapping,
    unique,
)

pytestmark = pytest.mark.kafka


@pytest.fixture
def pipeline() -> str:
    return unique("fourteen")


@pytest.fixture
async def leads(settings: Settings, pool: Pool, pipeline: str) -> AsyncIterator[Leads]:
    """The aggregate service, new leads coming to the pipeline of 14 stages."""
    mine = settings.model_copy(update={"default_pipeline": pipeline})
    await registry.publish(pool, SystemClock(), fourteen(pipeline), HEAD)
    async with running(mine, pool) as it:
        yield it


@pytest.fixture
def file(tmp_path: Path, pipeline: str) -> Path:
    """The text of 7 stages."""
    made = tmp_path / "seven.yaml"
    made.write_text(seven(pipeline), "utf-8")
    return made


async def fill(settings: Settings, pool: Pool, tmp_path: Path, pipeline: str, **history: Any) -> History:
    """Leads in every stage, by an import of their history."""
    made = History(**history)
    log = tmp_path / "history.csv"
    log.write_text(made.csv(), "utf-8")
    summary = await run_import(settings, pool, log, pipeline=pipeline, mapping=Mapping())
    assert (summary.refused, summary.bad) == (0, 0), summary
    return made


async def standing(pool: Pool, pipeline: str) -> Counter[tuple[int, str]]:
    """Leads by version and stage."""
    async with pool.acquire() as database:
        found = await places.standing(database, pipeline)
    counts: Counter[tuple[int, str]] = Counter()
    for row in found:
        counts[row.number, row.stage] += row.leads
    return counts


async def recorded(pool: Pool, topic: str) -> list[dict[str, Any]]:
    rows = await pool.fetch(
        "SELECT state FROM leadline.events WHERE topic = $1 ORDER BY originator_id, originator_version", topic
    )
    return [orjson.loads(row[0]) for row in rows]


async def test_M3_fourteen_stages_with_leads_in_each_are_published_onto_seven(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path, pipeline: str, file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    history = await fill(settings, pool, tmp_path, pipeline, live=200, closed=30)
    status = await run_publish(settings, file, mapping=typed_mapping(), adopt=True)
    out = capsys.readouterr().out
    assert status == 0, out
    expected: Counter[tuple[int, str]] = Counter()
    for stage, count in history.stands.items():
        expected[(1, "deal") if stage == "deal" else (2, MAPPING.get(stage, stage))] += count
    assert await standing(pool, pipeline) == expected
    adopted = await recorded(pool, e.LeadAdopted.TOPIC)
    assert Counter(event["data"]["number"] for event in adopted) == {2: 220}, "each once; won ones not at all"
    entered = [event for event in await recorded(pool, e.StageEntered.TOPIC) if event["data"]["cause"] == "adopted"]
    assert {(event["data"]["direction"], event["data"]["basis"]) for event in entered} == {("across", "adoption")}
    assert {event["meta"]["pipeline"] for event in entered} == {f"{pipeline}@2"}
    assert {(a["meta"]["actor"]["id"], a["meta"]["actor"]["kind"]) for a in adopted} == {("publishing", "system")}
    (started,) = await recorded(pool, e.AdoptionStarted.TOPIC)
    assert started["data"]["mapping"] == MAPPING
    assert (await verify(settings)).ok

    async with pool.acquire() as database:
        paused = await database.fetchrow("SELECT lead, returns_to FROM leadline.lead_places WHERE kind = 'postponed'")
    assert paused["returns_to"] in ("s01", "contact", "offer", "closing")
    result = await leads.send(paused["lead"], "reopen", by=HEAD)
    assert result.outcome == "done"
    assert (await leads.history(paused["lead"]))[-1].data.stage == paused["returns_to"], "back to what its stage became"
    again = await run_publish(settings, file, mapping=typed_mapping(), adopt=True)
    assert again == 0
    assert len(await recorded(pool, e.LeadAdopted.TOPIC)) == 220, "a second call moves nobody"
    assert len(await recorded(pool, e.AdoptionStarted.TOPIC)) == 1
    assert len(await recorded(pool, e.PipelinePublished.TOPIC)) >= 2
