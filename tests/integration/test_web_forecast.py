"""The forecast over real Kafka and Postgres: from stage visits of the last eleven weeks to API and page (Q10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.events.lead import LeadAssigned, LeadCaptured, StageEntered
from services.database import Pool
from services.settings import Settings
from tests.builders import Keys, Stream, contact, send
from tests.integration.test_projections import projections, seen
from tests.integration.web_case import Web, door_over

pytestmark = pytest.mark.kafka

DAYS = 75
STAGES = ("new", "processing", "proposal")
KINDS = {"converted": "won", "price": "lost"}


def lead(keys: Keys, person: Any, number: int, now: datetime) -> Stream:
    """A lead of `number` days ago: a stage every other day, then a deal (each third) or none; open where that is yet to come."""
    stream = Stream(keys, person.id)
    begun = now - timedelta(days=number)
    steps = [*((stage, "open") for stage in STAGES), ("converted", "won") if number % 3 == 0 else ("price", "lost")]
    at = begun
    stream.add(
        LeadCaptured(pipeline="classic", contact=person.id, channel="form", source="site", received_at=at, name="Анна"),
        happened_at=at,
        recorded_at=at,
    )
    before: str | None = None
    for n, (stage, kind) in enumerate(steps, start=1):
        at = begun + timedelta(days=2 * (n - 1))
        if at > now:
            break
        entered: dict[str, Any] = {"stage": stage, "kind": kind, "visit": n, "from_stage": before}
        entered |= {"from_visit": n - 1 or None, "cause": "captured" if n == 1 else "moved"}
        entered["direction"] = "in" if n == 1 else "forward"
        stream.add(StageEntered(**entered), happened_at=at, recorded_at=at)
        if n == 1:
            to = "anna" if number % 2 else "boris"
            stream.add(LeadAssigned(to=to, reason="in_turn"), happened_at=at, recorded_at=at)
        before = stage
    return stream


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    """The door over eleven weeks of one lead a day."""
    keys, now = Keys(), datetime.now(UTC)
    person = contact(keys)
    streams = [lead(keys, person, number, now) for number in range(1, DAYS)]
    await keys.store(pool, settings)
    async with projections(settings):
        await send(settings, [*person.made, *(event for stream in streams for event in stream.made)])
        await seen(pool, person, *streams)
    async with door_over(settings, pool) as running:
        yield running


async def test_Q10_what_comes_is_told_by_stage_and_person_with_how_it_did(web: Web) -> None:
    async with web.api("head") as client:
        answer = await client.get("/api/reports/forecast/classic", params={"days": 28})
        assert answer.status_code == 200, answer.text
        seen = answer.json()
        assert (await client.get("/api/reports/forecast/nothing")).status_code == 404
        assert (await client.get("/api/reports/forecast/classic", params={"days": 500})).status_code == 422
    by_stage = {row["stage"]["id"]: row for row in seen["stages"]}
    assert not seen["few"]
    assert [by_stage[stage]["now"] for stage in STAGES] == [1, 2, 2]
    for stage in STAGES:
        row = by_stage[stage]
        assert len(row["weeks"]) == 4
        assert len(row["past"]) == 8
        week = row["weeks"][0]
        assert week["low"] <= week["expected"] <= week["high"]
        assert 4 <= week["expected"] <= 10, (stage, week)  # one a day came so far
        assert sum(look["within"] for look in row["past"]) >= 6
    assert seen["won"]["low"] <= seen["won"]["expected"] <= seen["won"]["high"]
    people = {person["person"]: person for person in seen["people"]}
    assert people.keys() == {"anna", "boris"}
    for n in range(4):
        coming = sum(person["weeks"][n] for person in people.values())
        assert coming == pytest.approx(
            sum(by_stage[stage]["weeks"][n]["expected"] for stage in (*STAGES, "closing")), abs=0.5
        )
    assert all(person["busiest"] >= person["usual"] > 0 for person in people.values())


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_Q10_the_page_says_the_same_in_words(web: Web, language: str) -> None:
    browser = await web.signed_in("head")
    assert (await browser.get("/forecast")).headers["location"] == "/forecast/classic"
    page = await browser.get("/forecast/classic", params={"lang": language, "days": 7})
    await browser.aclose()
    assert page.status_code == 200
    for words in {"ru": ("Прогноз", "Кому сколько придёт", "Как сбывались"), "en": ("Forecast", "What comes to whom")}[
        language
    ]:
        assert words in page.text
    assert page.text.count("<rect") == 5
    assert "anna" in page.text
