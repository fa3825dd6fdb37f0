"""The incidents service over real Postgres: what it finds becomes commands, once, whatever is repeated (N18, D6, Q11)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

import services.incidents.app
from services.database import Pool
from services.health import Health
from services.incidents.app import Watch
from services.pipelines.registry import publish
from services.settings import Settings
from services.teams.publishing import publish as publish_team
from tests.eventlog_builders import until
from tests.integration.leads_case import HEAD
from tests.integration.robots_case import HandClock

NOW = datetime(2026, 4, 2, 8, 0, tzinfo=UTC)
"""Thursday, 11:00 in Moscow."""
TEAM = """
team: sales
titles: {ru: "Продажи", en: "Sales"}
head: olga
members: [{name: anna}, {name: boris}]
"""
PIPELINE = """
pipeline: watched
titles: {ru: "Под присмотром", en: "Watched"}
conversion_point: deal
fields: [{id: budget, titles: {ru: "Бюджет", en: "Budget"}, type: money}]
stages:
  - {id: new, titles: {ru: "Новый", en: "New"}, kind: open}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
"""


async def received(pool: Pool, at: datetime, outcome: str = "accepted", channel: str = "form") -> None:
    await pool.execute(
        """INSERT INTO leadline.inbound_outcomes (inbound_id, attempt, outcome, channel, account, received_at, at)
           VALUES ($1, 1, $2, $3, 'site', $4, $4)""",
        uuid4(),
        outcome,
        channel,
        at,
    )


async def told(pool: Pool) -> list[dict[str, Any]]:
    rows = await pool.fetch("SELECT value FROM leadline.outbox WHERE topic = 'leads.commands' ORDER BY n")
    return [orjson.loads(row[0]) for row in rows]


@pytest.fixture
async def head(settings: Settings, pool: Pool) -> None:
    await publish_team(pool, HandClock(NOW), TEAM, HEAD)


async def test_N18_a_channel_that_fell_silent_is_an_incident_of_the_head_once(
    settings: Settings, pool: Pool, head: None
) -> None:
    for hours in range(24 * 25):
        await received(pool, NOW - timedelta(days=2, hours=hours))
    watch = Watch(pool, HandClock(NOW), settings)
    assert await watch.look() == 1
    (command,) = await told(pool)
    body = command["body"]
    assert (body["type"], body["kind"], body["employee"]) == ("raise", "silent_channel", "olga")
    assert body["rule"] == "form:site"
    assert command["actor"] == {"id": "incidents", "kind": "system"}
    assert await Watch(pool, HandClock(NOW + timedelta(hours=3)), settings).look() == 0, "told once"
    await received(pool, NOW + timedelta(hours=3))
    assert await Watch(pool, HandClock(NOW + timedelta(days=10)), settings).look() == 1, "the next silence is another"


async def test_N18_what_could_not_be_read_is_one_incident_a_day_and_channel(
    settings: Settings, pool: Pool, head: None
) -> None:
    for minutes in (1, 2, 3):
        await received(pool, NOW - timedelta(minutes=minutes), "quarantined", "mail")
    await received(pool, NOW - timedelta(days=1), "quarantined", "call")
    watch = Watch(pool, HandClock(NOW), settings)
    assert await watch.look() == 1
    (command,) = await told(pool)
    assert command["body"]["rule"] == "quarantine:mail"
    assert "3" in command["body"]["text"]
    await received(pool, NOW, "quarantined", "mail")
    assert await watch.look() == 0
    later = NOW + timedelta(days=1)
    await received(pool, later, "quarantined", "mail")
    assert await Watch(pool, HandClock(later), settings).look() == 1


async def test_Q11_the_head_is_asked_to_look_a_card_over_once_a_quarter(
    settings: Settings, pool: Pool, head: None
) -> None:
    await publish(pool, HandClock(NOW), PIPELINE, HEAD)
    await pool.execute(
        "INSERT INTO leadline.person_leads (lead, contact, pipeline, captured_at) VALUES ($1, $2, 'watched', $3)",
        uuid4(),
        uuid4(),
        NOW - timedelta(days=30),
    )
    watch = Watch(pool, HandClock(NOW), settings)
    assert await watch.look() == 1
    (command,) = await told(pool)
    body = command["body"]
    assert (body["type"], body["pipeline"], body["head"]) == ("ask_card_review", "watched", "olga")
    assert (body["period_start"], body["period_end"]) == ("2026-01-01", "2026-03-31")
    assert await watch.look() == 0


async def test_D6_before_the_projections_are_built_the_digest_waits(settings: Settings, pool: Pool, head: None) -> None:
    assert await Watch(pool, HandClock(NOW), settings).look() == 0
    assert await told(pool) == []


async def test_N18_two_processes_tell_once_and_end_when_told_to(settings: Settings, pool: Pool, head: None) -> None:
    for hours in range(24 * 25):
        await received(pool, NOW - timedelta(days=2, hours=hours))
    stop, parts = asyncio.Event(), [Health("one"), Health("two")]
    runs = [
        asyncio.create_task(services.incidents.app.run(settings, health, stop, clock=HandClock(NOW)))
        for health in parts
    ]

    async def ready() -> bool:
        return all(part.is_ready() for part in parts)

    await until(ready, "both have looked")
    stop.set()
    await asyncio.wait_for(asyncio.gather(*runs), 15)
    assert len(await told(pool)) == 1
