"""A provider's outage, limit or missing settings hold up nothing but that provider; audiences go together (R3, R4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer

from contracts.commands import Report
from services.database import Pool
from services.delivery.adapters import Way
from services.delivery.telling.store import told_of, told_of_streams
from services.settings import Settings
from tests.integration.delivery_case import OUTSIDE, House, Outside, delivering, until

pytestmark = pytest.mark.kafka


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    made = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, enable_idempotence=True)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def house(settings: Settings, pool: Pool, producer: AIOKafkaProducer) -> House:
    await pool.execute(OUTSIDE)
    return House(settings, pool, producer)


def outside(settings: Settings, provider: str = "email", *, most: int = 1, script: Any = None, **more: Any) -> Way:
    """A way to the other side."""
    return Way(provider, Outside(settings.database_url.get_secret_value(), provider, most, script), **more)


class Practice:
    """A practice clock, from a little while ago on, so that what the tests request is due."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self.pool, self.at = pool, datetime.now(UTC)
        self.settings = settings.model_copy(update={"clock": self.at})

    async def begin(self) -> None:
        await self.pool.execute("INSERT INTO leadline.clock (practice_now) VALUES ($1)", self.at)

    async def move(self, **by: float) -> None:
        self.at += timedelta(**by)
        await self.pool.execute("UPDATE leadline.clock SET practice_now = $1", self.at)


async def test_R3_mail_down_for_two_hours_waits_and_the_rest_does_not(
    settings: Settings, pool: Pool, house: House
) -> None:
    practice, up = Practice(settings, pool), False
    await practice.begin()
    began = practice.at
    email = outside(settings, script=lambda o, n: "done" if up else "whole")
    async with delivering(practice.settings, email, outside(settings, "sms")):
        letters = [await house.ask("email") for _ in range(5)]
        down = await until(lambda: _paused(pool, "email"), "the pause is known")
        assert began < down <= began + timedelta(seconds=5)
        tries = 0
        while practice.at < began + timedelta(hours=2):
            tried = await _calls(pool, "email")
            tries += 1
            message = await house.ask("sms")
            await house.settled(message)
            assert await _calls(pool, "email") == tried, "it is left alone"
            await practice.move(minutes=15)
            await until(lambda t=tried: _more(pool, t), "one looks whether it is up")  # type: ignore[misc]
        async with pool.acquire() as connection:
            told = await told_of(connection, letters[0], practice.at)
        assert told is not None
        assert told.state == "waiting"
        assert told.paused_until is not None
        assert told.paused_until > practice.at - timedelta(minutes=15)
        assert told.pause_reason == "no_connection"
        assert await _calls(pool, "email") <= 2 * tries + 2, "one letter at a time finds out"
        up = True
        await practice.move(minutes=15)
        await house.settled(*letters, states=["done"])
    assert await pool.fetchval("SELECT paused_until FROM leadline.effect_providers WHERE provider = 'email'") is None
    assert {r.body.outcome for r in house.reports if isinstance(r.body, Report)} == {"done"}


async def _paused(pool: Pool, provider: str) -> Any:
    return await pool.fetchval("SELECT paused_until FROM leadline.effect_providers WHERE provider = $1", provider)


async def _calls(pool: Pool, provider: str) -> int:
    found: int = await pool.fetchval("SELECT count(DISTINCT call) FROM outside WHERE provider = $1", provider)
    return found


async def _more(pool: Pool, than: int) -> bool:
    return await _calls(pool, "email") > than


async def test_R3_given_up_after_three_days_with_the_last_reason(settings: Settings, pool: Pool, house: House) -> None:
    practice = Practice(settings, pool)
    await practice.begin()
    async with delivering(practice.settings, outside(settings, script=lambda o, n: "later")):
        effect = await house.ask()
        await until(lambda: _reason(house, effect), "it was tried")
        await practice.move(hours=71)
        await until(lambda: _attempts(house, effect, 2), "it was tried again")
        assert await house.state(effect) == "waiting"
        await practice.move(hours=1)
        await house.settled(effect, states=["failed"])
    row = await house.row(effect)
    assert (row["attempts"], row["last_reason"], row["in_doubt"]) == (3, "gave_up: busy: 450", False)


async def _reason(house: House, effect: Any) -> Any:
    row = await house.row(effect)
    return row and row["last_reason"]


async def _attempts(house: House, effect: Any, count: int) -> bool:
    row = await house.row(effect)
    return bool(row["attempts"] == count and row["state"] == "waiting")


async def test_R3_what_is_not_configured_waits_without_attempts_and_goes_when_it_is(
    settings: Settings, pool: Pool, house: House
) -> None:
    practice = Practice(settings, pool)
    await practice.begin()
    async with delivering(practice.settings, outside(settings, "sms")):
        letter, message = await house.ask("email"), await house.ask("sms")
        await house.settled(message)
        async with pool.acquire() as connection:
            told = await told_of(connection, letter, practice.at)
        assert told is not None
        assert (told.state, told.attempts, told.last_reason) == ("waiting", 0, "not_configured")
    await practice.move(days=10)
    said = iter(["later", "done"])
    async with delivering(practice.settings, outside(settings, script=lambda o, n: next(said))):
        await until(lambda: _reason(house, letter), "it was tried, and not given up at the first failure")
        await practice.move(minutes=1)
        await house.settled(letter, states=["done"])


async def test_R3_sent_as_the_limit_allows_by_all_processes_together(settings: Settings, house: House) -> None:
    first, second = [(outside(settings, per_minute=120), outside(settings, "sms")) for _ in range(2)]
    async with delivering(settings, *first), delivering(settings, *second):
        asked = [house.requested("email") for _ in range(10)]
        letters = [effect for effect, _ in asked]
        await house.publish([made for _, made in asked])
        waits = await until(lambda: _expected(house, letters), "some of them wait for the limit")
        message = await house.ask("sms")
        await house.settled(message, limit=5)
        await house.settled(*letters)
        at = [row[0] for row in await house.pool.fetch("SELECT at FROM outside WHERE provider = 'email' ORDER BY n")]
    assert len(at) == len(letters)
    # two a second, whoever sends: ten are spread over four and a half
    assert (at[-1] - at[0]).total_seconds() > 4.0
    steps = {(later - earlier).total_seconds() for earlier, later in pairwise(waits)}
    assert steps == {0.5}, "the card says when"


async def _expected(house: House, letters: list[UUID]) -> list[datetime]:
    async with house.pool.acquire() as connection:
        now = datetime.now(UTC)
        told = await told_of_streams(connection, [house.of[letter][0].id for letter in letters], now)  # one moment
    waits = sorted(each.expected_at for each in told if each.expected_at is not None)
    return waits if len(waits) > 2 else []


async def test_R4_changes_of_one_audience_go_together_and_wait_until_they_are_enough(
    settings: Settings, house: House
) -> None:
    adapter = Outside(settings.database_url.get_secret_value(), "audiences.vk", 100, lambda o, n: "small:5")
    async with delivering(settings, Way("audiences.vk", adapter)):
        first = [await house.ask("audience") for _ in range(3)]
        await until(lambda: _reason(house, first[-1]), "they wait for more")
        row = await house.row(first[0])
        assert (row["state"], row["attempts"]) == ("waiting", 0), "such a try counts for nothing"
        other = await house.ask("audience", action="remove")
        await until(lambda: _reason(house, other), "a removal is no company for them")
        more = [house.requested("audience") for _ in range(2)]
        await house.publish([made for _, made in more])
        everybody = [*first, *(effect for effect, _ in more)]
        await house.settled(*everybody, states=["done"])
        assert await house.state(other) == "waiting"
    sizes = await house.pool.fetch("SELECT DISTINCT call, size FROM outside WHERE size >= 5")
    assert [row[1] for row in sizes] == [5]
    assert {r.body.matched for r in house.reports if isinstance(r.body, Report)} == {1}


async def test_C7_a_removal_never_overtakes_the_addition_it_undoes(
    settings: Settings, pool: Pool, house: House
) -> None:
    practice = Practice(settings, pool)
    await practice.begin()
    said = iter(["later", "done", "done", "done"])
    url = settings.database_url.get_secret_value()
    adapter = Outside(url, "audiences.vk", 1, lambda o, n: "done" if o.audience == "cold" else next(said))
    async with delivering(practice.settings, Way("audiences.vk", adapter)):
        stream = house.stream()
        add = await house.ask("audience", stream)
        await until(lambda: _reason(house, add), "the addition has to wait")
        remove = await house.ask("audience", stream, action="remove")
        elsewhere = await house.ask("audience", stream, action="remove", audience="cold")
        await house.settled(elsewhere)
        assert await house.state(remove) == "waiting"
        await practice.move(minutes=1)
        await house.settled(add, remove, states=["done"])
    of_warm = [(order.effect, order.action) for order in adapter.seen if order.audience == "warm"]
    assert of_warm == [(add, "add"), (add, "add"), (remove, "remove")]


class Jumping:
    """The world's clock, put forward and back."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    async def now(self) -> datetime:
        return datetime.now(UTC) + self.by


async def test_N1_a_clock_that_jumps_a_day_forward_and_back_doubles_nothing_and_holds_nothing_up(
    settings: Settings, house: House
) -> None:
    clock, said = Jumping(), iter(["later", "whole", "done", "done", "done", "done"])
    way = outside(settings, script=lambda o, n: next(said))
    async with delivering(settings, way, clock=clock):
        first = await house.ask()
        await until(lambda: _reason(house, first), "the first has to wait")
        clock.by = timedelta(days=1)
        await until(lambda: _paused(house.pool, "email"), "the way is paused, by a clock that is a day ahead")
        ahead, made = house.requested()
        await house.publish([made])
        clock.by = timedelta(0)
        behind = await house.ask()
        await house.settled(first, ahead, behind, states=["done"], limit=20)
        clock.by = timedelta(days=-1)
        last = await house.ask()
        await house.settled(last, states=["done"], limit=20)
    assert await house.carried_out(first, ahead, behind, last) == {first: 3, ahead: 1, behind: 1, last: 1}
