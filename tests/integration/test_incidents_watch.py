"""The incidents service over real Postgres: what it finds becomes commands, once, whatever is repeated (N18, D6, Q11)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

import services.incidents.app
from contracts import events as e
from contracts.meta import Actor
from services.database import Pool
from services.health import Health
from services.incidents.app import Watch
from services.pipelines.registry import publish
from services.settings import Settings
from services.teams.publishing import publish as publish_team
from tests.eventlog_builders import until
from tests.integration.leads_case import HEAD
from tests.integration.robots_case import HandClock
from tests.integration.web_case import door_over, project

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


async def test_D6_overdue_tasks_are_told_to_the_head_once_a_day(settings: Settings, pool: Pool, head: None) -> None:
    """From a task that nobody did to the notice in the head's journal: the aggregate service, the projections, the service."""
    await publish(pool, HandClock(NOW), PIPELINE, HEAD)
    async with door_over(settings, pool) as web:
        async with web.api("seller") as api:
            answer = await api.post("/api/leads", json={"pipeline": "watched", "name": "Пётр", "phone": "+79161234567"})
            lead = answer.json()["lead"]
            due = datetime.now(UTC) + timedelta(hours=1)
            for name, body in (("assign", {"to": "anna"}), ("plan", {"kind": "call", "due_at": due.isoformat()})):
                done = await api.post(f"/api/leads/{lead}/commands/{name}", json=body)
                assert done.status_code == 200, done.text
        await project(web)
        monday = datetime.now(UTC) + timedelta(days=7 - datetime.now(UTC).weekday())
        morning = HandClock(monday.replace(hour=7, minute=0))
        watch = Watch(pool, morning, settings.model_copy(update={"public_url": "https://leads.example.org"}))
        first = [command for command in await told_by(pool, watch) if command["body"]["type"] == "make_digest"]
        assert [command["body"]["people"] for command in first] == [{"anna": 1}]
        assert f"https://leads.example.org/leads/{lead}" in first[0]["body"]["text"]
        assert "Пётр" not in orjson.dumps(first).decode()
        morning.move(timedelta(hours=3))
        assert await told_by(pool, watch) == [], "one digest a day"
        morning.move(timedelta(days=1))
        assert [command["body"]["type"] for command in await told_by(pool, watch)] == ["make_digest"]
        for command in first:
            answered = await web.leads.send(
                UUID(command["lead"]), "make_digest", by=Actor(**command["actor"]), **without_type(command["body"])
            )
            assert answered.outcome == "done", answered
        asked = [r.data for r in await web.leads.history(UUID(first[0]["lead"]))]
        assert [type(event) for event in asked] == [e.DigestMade, e.NoticeRequested]
        assert asked[0].overdue == 1
        assert (asked[1].to, asked[1].about) == ("olga", "digest")


async def told_by(pool: Pool, watch: Watch) -> list[dict[str, Any]]:
    """The commands that a look sends; they are taken out of the outbox."""
    await pool.execute("DELETE FROM leadline.outbox WHERE topic = 'leads.commands'")
    await watch.look()
    return await told(pool)


def without_type(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "type"}
