"""One lead and its history as of a past moment, from the events alone, by both clocks (M1, K6, N24)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from contracts.events.lead import AnswerReceived, LeadSeen
from services.database import Pool
from services.settings import Settings
from tests.builders import Keys, Stream, contact, enter, lead
from tests.integration.test_rebuild import keep
from tests.integration.web_case import Web, door_over

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
async def one(settings: Settings, pool: Pool) -> Stream:
    """A lead: captured on Monday, moved on Tuesday, and on Thursday it was entered that it had been seen on Monday."""
    keys = Keys()
    person = contact(keys)
    stream = lead(keys, person.id)
    stream.at = MONDAY + timedelta(days=1)
    enter(stream, "processing", 2, "new")
    late = MONDAY + timedelta(hours=2)
    stream.add(LeadSeen(), happened_at=late, recorded_at=MONDAY + timedelta(days=3))
    stream.at = MONDAY + timedelta(days=5)
    stream.add(AnswerReceived(answer="consent"))
    await keys.store(pool, settings)
    await keep(pool, [*person.made, *stream.made])
    return stream


@pytest.fixture
async def web(settings: Settings, pool: Pool, one: Stream) -> AsyncIterator[Web]:
    async with door_over(settings, pool) as running:
        yield running


CASES = [
    # moment, by, stage, seen, versions
    (MONDAY + timedelta(hours=6), "recorded", "new", False, [1, 2, 3]),
    (MONDAY + timedelta(hours=6), "happened", "new", True, [1, 2, 3, 5]),
    (MONDAY + timedelta(days=2), "recorded", "processing", False, [1, 2, 3, 4]),
    (MONDAY + timedelta(days=2), "happened", "processing", True, [1, 2, 3, 4, 5]),
    (MONDAY + timedelta(days=4), "recorded", "processing", True, [1, 2, 3, 4, 5]),
    (MONDAY + timedelta(days=9), "recorded", "processing", True, [1, 2, 3, 4, 5, 6]),
]


@pytest.mark.parametrize(("at", "by", "stage", "seen", "versions"), CASES)
async def test_M1_a_lead_as_of_a_moment(
    web: Web, one: Stream, at: datetime, by: str, stage: str, seen: bool, versions: list[int]
) -> None:
    async with web.api("auditor") as client:
        asked = {"as_of": at.isoformat(), "by": by}
        shown = (await client.get(f"/api/leads/{one.id}", params=asked)).json()
        assert (shown["stage"]["id"], shown["seen"]) == (stage, seen)
        assert shown["answer"] == ("consent" if 6 in versions else None)
        told = (await client.get(f"/api/leads/{one.id}/history", params=asked)).json()["items"]
        assert [event["version"] for event in told] == versions


async def test_M1_before_the_lead_there_is_none_and_a_moment_needs_a_zone(web: Web, one: Stream) -> None:
    async with web.api("auditor") as client:
        for path in (f"/api/leads/{one.id}", f"/api/leads/{one.id}/history"):
            before = await client.get(path, params={"as_of": "2026-03-01T00:00:00Z"})
            assert before.status_code == 404
            assert "at that moment" in before.json()["detail"]
            for bad in (
                {"as_of": "2026-03-03T00:00:00"},
                {"as_of": "then"},
                {"as_of": "2026-03-03T00:00:00Z", "by": "x"},
            ):
                assert (await client.get(path, params=bad)).status_code == 422, bad
        now = (await client.get(f"/api/leads/{one.id}")).json()
        assert now["answer"] == "consent"


async def test_M1_the_page_shows_the_past_and_lets_nothing_be_done_there(web: Web, one: Stream) -> None:
    browser = await web.signed_in("seller")
    now = (await browser.get(f"/leads/{one.id}?lang=en")).text
    assert f'action="/leads/{one.id}/commands/' in now
    assert 'name="as_of"' in now
    then = await browser.get(f"/leads/{one.id}?lang=en&as_of=2026-03-02T18:00&by=happened")
    assert then.status_code == 200
    assert f'action="/leads/{one.id}/commands/' not in then.text
    assert "Shown as of 2 Mar 2026 18:00" in then.text
    assert 'id="v5"' in then.text
    assert 'id="v4"' not in then.text
    assert 'id="v5"' not in (await browser.get(f"/leads/{one.id}?as_of=2026-03-02T18:00")).text
    assert (await browser.get(f"/leads/{one.id}?as_of=2026-03-01T18:00")).status_code == 404
    assert (await browser.get(f"/leads/{one.id}?as_of=yesterday")).status_code == 422


def command(settings: Settings, *arguments: str) -> tuple[int, Any, str]:
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "LEADLINE_MASTER_KEY": settings.master_key.get_secret_value(),
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.ops.main", *arguments], env=environment, capture_output=True, timeout=60
    )
    return done.returncode, orjson.loads(done.stdout) if done.stdout else None, done.stderr.decode()


async def test_M1_the_command_tells_the_history_as_of_a_moment_by_both_clocks(settings: Settings, one: Stream) -> None:
    for extra, versions in (((), [1, 2, 3, 4]), (("--happened",), [1, 2, 3, 4, 5])):
        status, told, _ = command(settings, "history", str(one.id), "--as-of", "2026-03-04T09:00:00Z", *extra, "--json")
        assert (status, [event["version"] for event in told]) == (0, versions)
    status, _, said = command(settings, "history", str(one.id), "--happened")
    assert status == 2
    assert "--as-of" in said
