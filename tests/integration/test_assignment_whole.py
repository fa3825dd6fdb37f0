"""Assignment with the real aggregate service, relay and robots service, on a practice clock and real Kafka: the pool, its
incident, the idle (C4, N25)."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from services.clock import SystemClock
from services.database import Pool
from services.ops.verify.run import verify
from services.pipelines.registry import publish
from services.settings import Settings
from services.teams.publishing import publish as publish_team
from tests.eventlog_builders import until
from tests.integration.leads_case import HEAD
from tests.integration.test_robots_whole import PIPELINE, START, post, system

pytestmark = pytest.mark.kafka

GIVEN = PIPELINE.replace(
    "conversion_point: deal\n",
    "conversion_point: deal\nassignment: {idle: {stages: [new], within: {hours: 4, working: true}}}\n",
)
TEAM = 'team: sales\ntitles: {ru: "Продажи", en: "Sales"}\nhead: olga\nmembers:\n'


async def reasons(pool: Pool) -> Counter[str]:
    """What became of leads: reasons of assignments, `pooled`, `missed`, `met`."""
    rows = await pool.fetch(
        """SELECT CASE WHEN topic LIKE '%.assigned' THEN convert_from(state, 'UTF8')::jsonb -> 'data' ->> 'reason'
                       ELSE substring(topic FROM '(pooled|missed|met)$') END
           FROM leadline.events
           WHERE topic IN ('leadline.lead.assigned', 'leadline.lead.pooled', 'leadline.lead.deadline_missed',
                           'leadline.lead.deadline_met')"""
    )
    return Counter(row[0] for row in rows)


async def test_C4_from_the_pool_to_somebody_and_from_the_idle_to_somebody_else(settings: Settings, pool: Pool) -> None:
    async def reach(**wanted: int) -> None:
        async def there() -> bool:
            return await reasons(pool) == wanted

        try:
            await until(there, f"{wanted}", 60.0)
        except AssertionError as error:
            raise AssertionError(f"{error}: {dict(await reasons(pool))}") from None

    async def clock_at(hours: float) -> None:
        moment = START + timedelta(hours=hours)
        await pool.execute("UPDATE leadline.clock SET practice_now = $1", moment)

    async with system(settings, pool) as running:
        await publish(pool, SystemClock(), GIVEN, HEAD)
        await publish_team(pool, SystemClock(), TEAM + "  - {name: anna, quota: {open: 2}}\n", HEAD)
        await post(running, 3)
        await reach(in_turn=2, pooled=1)
        await clock_at(1.1)
        await reach(in_turn=2, pooled=1, missed=1)
        await publish_team(pool, SystemClock(), TEAM + "  - {name: anna}\n  - {name: boris}\n", HEAD)
        await clock_at(1.7)
        await reach(in_turn=3, pooled=1, missed=1)
        await clock_at(4.1)
        await reach(in_turn=3, pooled=1, missed=1, idle=2)
        whose = await pool.fetch("SELECT responsible, count(*) FROM leadline.lead_places GROUP BY 1 ORDER BY 1")
        assert [tuple(row) for row in whose] == [("boris", 3)], (
            "his turn from the pool, then both that she did not touch"
        )
        report = await verify(running)
        assert [str(d) for d in report.differences if d.place != "projection"] == []
