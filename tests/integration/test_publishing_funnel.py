"""14 stages with 1,000 live leads published onto 7: last month's funnel is what it was, the board follows (M3, M9, N13, N14)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.clock import SystemClock
from services.database import Pool
from services.health import Health
from services.ops.imports.mapping import Mapping
from services.ops.verify.run import verify
from services.pipelines import registry
from services.privacy.store import KeyRing
from services.settings import Settings
from services.web.app import create_app
from tests.integration.import_case import run_import
from tests.integration.leads_case import HEAD
from tests.integration.publishing_case import (
    MAPPING,
    History,
    fourteen,
    run_publish,
    seven,
    typed_mapping,
    unique,
)
from tests.integration.tokens import make_token
from tests.integration.web_case import until, whole_system

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

BEHIND = """
SELECT count(*) FROM (SELECT originator_id, max(originator_version) AS last FROM leadline.events
                      WHERE kind IN ('lead', 'contact') GROUP BY 1) AS e
LEFT JOIN leadline.seen AS s ON s.stream = e.originator_id AND s.consumer = 'projections'
WHERE s.version IS DISTINCT FROM e.last
"""


async def all_seen(pool: Pool) -> None:
    """Wait until the projections have everything."""

    async def behind() -> bool:
        return not await pool.fetchval(BEHIND)

    await until(behind, "the projections are at the end")


def figures(funnel: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a funnel, by stage, without what only the form of the answer changes: links, versions, titles."""

    def counts(value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {"count", "leads"}:
                return value["count"]
            return {name: counts(inner) for name, inner in value.items() if name not in ("stage", "stages")}
        return [counts(inner) for inner in value] if isinstance(value, list) else value

    total = funnel["total"]
    stages = {row["stage"]["id"]: counts(row) for row in total["stages"]}
    return {"total": counts(total), "stages": {stage: row for stage, row in stages.items() if any(_numbers(row))}}


def _numbers(row: Any) -> list[float]:
    if isinstance(row, dict):
        return [number for inner in row.values() for number in _numbers(inner)]
    return [row] if isinstance(row, int | float) and not isinstance(row, bool) else []


async def test_M3_N13_N14_fourteen_stages_with_1000_live_leads_onto_seven_and_last_months_funnel_unchanged(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    pipeline = unique("fourteen")
    mine = settings.model_copy(update={"default_pipeline": pipeline})
    await registry.publish(pool, SystemClock(), fourteen(pipeline), HEAD)
    history = History(live=1_000, closed=60)
    log, file = tmp_path / "history.csv", tmp_path / "seven.yaml"
    log.write_text(history.csv(), "utf-8")
    file.write_text(seven(pipeline), "utf-8")
    summary = await run_import(mine, pool, log, pipeline=pipeline, mapping=Mapping())
    assert (summary.leads, summary.refused, summary.bad) == (1_060, 0, 0)
    month = {
        "from": history.month.date().isoformat(),
        "to": ((history.month + timedelta(days=32)).replace(day=1) - timedelta(days=1)).date().isoformat(),
        "view": "activity",
    }
    async with whole_system(mine, pool) as running:
        await all_seen(pool)
        app = create_app(running, pool, KeyRing(running.master_key_bytes), Health("door"))
        headers = {"Authorization": f"Bearer {await make_token(pool, 'helen', 'head')}", "Accept-Language": "en"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://door", headers=headers, timeout=60
        ) as client:

            async def funnel(**query: str) -> dict[str, Any]:
                answer = await client.get(f"/api/funnels/{pipeline}", params=query)
                assert answer.status_code == 200, answer.text
                return dict(answer.json())

            cohort = {**month, "view": "cohort", "until": month["to"]}
            before = {by: figures(await funnel(**month, **by_of(by))) for by in ("", "source")}
            cohort_before = figures(await funnel(**cohort))
            lists = await behind(client, await funnel(**month))
            assert len(before[""]["stages"]) == 14
            rehearsed = await run_publish(mine, file, mapping=typed_mapping(), adopt=True, dry_run=True)
            assert rehearsed == 0
            began = asyncio.get_running_loop().time()
            assert await run_publish(mine, file, mapping=typed_mapping(), adopt=True) == 0
            seconds = asyncio.get_running_loop().time() - began
            print(f"1,040 leads moved over in {seconds:.1f} s")
            await all_seen(pool)

            after = {by: figures(await funnel(**month, **by_of(by))) for by in ("", "source")}
            assert after == before, "last month is over: its numbers stay"
            assert figures(await funnel(**cohort)) == cohort_before, "and so does its cohort, by the month's end"
            assert await behind(client, await funnel(**month)) == lists, "and so do the leads behind each of them"

            board = (await client.get(f"/api/boards/{pipeline}?limit=1")).json()
            columns = {column["stage"]["id"]: column["count"] for column in board["columns"] if column["count"]}
            expected: dict[str, int] = {}
            for stage, count in history.stands.items():
                expected[MAPPING.get(stage, stage)] = expected.get(MAPPING.get(stage, stage), 0) + count
            assert columns == expected
            assert [column["stage"]["id"] for column in board["columns"]] == [
                "s01", "contact", "offer", "closing", "deal", "lost_all", "later",
            ]  # fmt: skip
            now = await funnel(view="activity")
            for row in now["total"]["stages"]:
                came = row["entries"]["count"] + row["there_before"]["count"]
                ways = ("went_on", "skipped_on", "won", "lost", "moved_back", "postponed", "merged_away", "handed_over")
                assert came == sum(row[way]["count"] for way in (*ways, "still_there")), row["stage"]["id"]
            titled = {row["stage"]["id"]: row["stage"]["titles"]["ru"] for row in now["total"]["stages"]}
            assert titled["contact"] == "Контакт"
        report = await verify(running)
        assert report.ok, report.differences[:10]


def by_of(by: str) -> dict[str, str]:
    return {"by": by} if by else {}


async def behind(client: httpx.AsyncClient, funnel: dict[str, Any]) -> dict[str, set[str]]:
    """The leads behind some of a funnel's numbers."""
    found: dict[str, set[str]] = {}
    for row in funnel["total"]["stages"]:
        for name in ("entries", "went_on", "won", "postponed"):
            if row[name]["count"]:
                page = (await client.get(f"{row[name]['leads']}&limit=200")).json()
                found[f"{row['stage']['id']}/{name}"] = {item["lead"] for item in page["items"]}
    return found
