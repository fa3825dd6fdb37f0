"""Many effects of one way: letters one by one with the rest only reserved, calls side by side; crashes between (N1, R3; 0023)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer

from contracts.events import EffectFailed
from services.database import Pool
from services.delivery import worker
from services.delivery.adapters import Way
from services.delivery.making import ERASED_REASON
from services.delivery.port import Done, Later, Outcome
from services.privacy.store import destroy_keys
from services.settings import Settings
from tests.integration.delivery_case import OUTSIDE, Delivery, DeliveryProcess, House, Outside, delivering, until

pytestmark = pytest.mark.kafka
CALLS = "webhook:crm"


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


class Told:
    """An adapter that does what a test says of each order, and notes when each began and ended."""

    provider, most = "told", 1

    def __init__(self, answer: Callable[[UUID], Awaitable[Outcome]]) -> None:
        self._answer = answer
        self.began: list[UUID] = []
        self.under_way: set[UUID] = set()
        self.most_at_once = 0

    async def carry_out(self, effects: Sequence[Any]) -> Sequence[Outcome]:
        """One answer."""
        (order,) = effects
        self.began.append(order.effect)
        self.under_way.add(order.effect)
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        try:
            return [await self._answer(order.effect)]
        finally:
            self.under_way.discard(order.effect)

    async def close(self) -> None:
        """Nothing is held."""


async def ask(house: House, count: int, kind: str = "email") -> list[UUID]:
    """Requests of as many leads, on the log."""
    asked = [house.requested(kind) for _ in range(count)]
    await house.publish([made for _, made in asked])
    return [effect for effect, _ in asked]


async def of_state(house: House, state: str) -> set[UUID]:
    """The effects of a state."""
    return {r[0] for r in await house.pool.fetch("SELECT effect FROM leadline.effects WHERE state = $1", state)}


async def leases_end(house: House, *states: str) -> None:
    """As if their time had passed. Locked in the order of their ids, as the service does."""
    await house.pool.execute(
        """WITH held AS (SELECT effect FROM leadline.effects WHERE lease_until IS NOT NULL AND state = ANY($1)
                         ORDER BY effect FOR UPDATE)
           UPDATE leadline.effects SET lease_until = now() WHERE effect IN (SELECT effect FROM held)""",
        states or ("waiting", "working"),
    )


async def test_N1_a_crash_amid_many_letters_leaves_one_in_doubt_at_most(settings: Settings, house: House) -> None:
    letters = await ask(house, 30)
    dying = DeliveryProcess(settings, script="done,done,done,done,die", tells_repeats=False, call_seconds=0.1)
    await dying.dead()
    (lost,) = await of_state(house, "working")
    assert len(await of_state(house, "answered")) == 4
    assert len(await of_state(house, "waiting")) == 25, "those after it were reserved, and none of them begun"
    url = settings.database_url.get_secret_value()
    same = settings.model_copy(update={"instance": "one"})
    async with delivering(same, Way("email", Outside(url, "email"), tells_repeats=False)):
        await leases_end(house)
        await house.settled(*letters)
    assert await house.carried_out(*letters) == {effect: 2 if effect == lost else 1 for effect in letters}
    doubtful = await house.pool.fetch("SELECT effect FROM leadline.effects WHERE in_doubt")
    assert [row[0] for row in doubtful] == [lost], "listed, and nothing else is"


async def test_N1_a_crash_amid_calls_side_by_side_repeats_each_under_its_key_and_leaves_no_doubt(
    settings: Settings, house: House
) -> None:
    calls = await ask(house, 20)
    script = "hang," * 7 + "die"
    dying = DeliveryProcess(settings, script=script, tells_repeats=True, call_seconds=60.0, at_once=8)
    await dying.dead()
    lost = await of_state(house, "working")
    assert len(lost) == 8
    url = settings.database_url.get_secret_value()
    same = settings.model_copy(update={"instance": "one"})
    async with delivering(same, Way("email", Outside(url, "email"), at_once=8)):
        await leases_end(house)
        await house.settled(*calls)
    assert await house.carried_out(*calls) == {effect: 2 if effect in lost else 1 for effect in calls}
    assert await house.pool.fetchval("SELECT count(*) FROM leadline.effects WHERE in_doubt") == 0


def test_N1_calls_side_by_side_are_refused_where_repeats_are_not_told() -> None:
    with pytest.raises(ValueError, match="in doubt"):
        Way("email", None, tells_repeats=False, at_once=2)


async def test_R3_calls_of_one_lead_go_in_the_order_of_their_requests_and_of_others_beside_them(
    settings: Settings, house: House
) -> None:
    leads = [house.stream() for _ in range(4)]
    asked = [house.requested("webhook", lead) for _ in range(5) for lead in leads]
    calls = [effect for effect, _ in asked]
    overlapping: list[UUID] = []

    async def answer(effect: UUID) -> Outcome:
        lead = house.of[effect][0]
        if any(house.of[other][0] is lead for other in adapter.under_way if other != effect):
            overlapping.append(effect)
        await asyncio.sleep(0.005 * (calls.index(effect) % 3))
        return Done()

    adapter = Told(answer)
    async with delivering(settings, Way(CALLS, adapter, at_once=8)):
        await house.publish([made for _, made in asked])
        await house.settled(*calls)
    assert overlapping == []
    for lead in leads:
        theirs = [effect for effect in calls if house.of[effect][0] is lead]
        assert [effect for effect in adapter.began if effect in theirs] == theirs
    assert 1 < adapter.most_at_once <= len(leads)


async def test_R3_a_slow_call_holds_up_no_other(settings: Settings, house: House) -> None:
    calls = await ask(house, 30, "webhook")
    gate = asyncio.Event()

    async def answer(effect: UUID) -> Outcome:
        if effect == calls[0]:
            await gate.wait()
        return Done()

    async with delivering(settings, Way(CALLS, Told(answer), at_once=8)):
        await house.settled(*calls[1:])
        assert await house.state(calls[0]) == "working"
        gate.set()
        await house.settled(calls[0])


async def test_R3_a_limit_told_to_one_of_several_calls_holds_whatever_the_others_had_done(
    settings: Settings, house: House
) -> None:
    await ask(house, 40, "webhook")
    paused = asyncio.Event()

    async def answer(effect: UUID) -> Outcome:
        if len(adapter.began) == 1:
            return Later("webhook_busy: 429", after=3600.0, whole_provider=True)
        await paused.wait()
        return Done()

    adapter = Told(answer)
    until_when = "SELECT paused_until, failures FROM leadline.effect_providers WHERE provider = $1"

    async def is_paused() -> bool:
        row = await house.pool.fetchrow(until_when, CALLS)
        return row is not None and row["paused_until"] is not None

    async with delivering(settings, Way(CALLS, adapter, at_once=8)):
        await until(is_paused, "the provider is paused")
        begun = len(adapter.began)
        assert begun <= 8
        paused.set()

        async def all_but_one_answered() -> bool:
            return len(await of_state(house, "answered")) == begun - 1

        await until(all_but_one_answered, "those that were under way are done")
        assert await is_paused(), "what began before it ends no pause"
        row = await house.pool.fetchrow(until_when, CALLS)
        assert row is not None
        assert row["failures"] == 1
        assert len(adapter.began) == begun


async def test_R3_what_is_only_reserved_is_everybodys_again_after_a_stop(settings: Settings, house: House) -> None:
    await ask(house, 10)
    gate = asyncio.Event()

    async def answer(effect: UUID) -> Outcome:
        await gate.wait()
        return Done()

    adapter = Told(answer)
    delivery = Delivery(settings, [Way("email", adapter, tells_repeats=False)])

    async def one_under_way() -> bool:
        return bool(adapter.under_way)

    await until(one_under_way, "a letter is on its way")
    delivery.stop.set()
    gate.set()
    await delivery.end()
    assert len(adapter.began) == 1
    rows = await house.pool.fetch("SELECT state, lease_until, attempts FROM leadline.effects ORDER BY state")
    assert [row["state"] for row in rows] == ["answered"] + ["waiting"] * 9
    assert {(row["lease_until"], row["attempts"]) for row in rows[1:]} == {(None, 0)}


async def test_C7_M7_who_refuses_or_is_erased_while_their_letter_is_reserved_gets_none(
    settings: Settings, house: House, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FRESH_SECONDS", 0.0)
    letters = await ask(house, 4)
    gate = asyncio.Event()

    async def answer(effect: UUID) -> Outcome:
        await gate.wait()
        return Done()

    adapter = Told(answer)
    async with delivering(settings, Way("email", adapter, tells_repeats=False)):

        async def one_under_way() -> bool:
            return bool(adapter.under_way)

        await until(one_under_way, "a letter is on its way")
        refused, erased, other = [effect for effect in letters if effect not in adapter.began]
        await house.add(
            refused, EffectFailed(effect=refused, effect_kind="email", attempts=0, reason="contact_refused")
        )
        await house.settled(refused, states=["failed"])
        async with pool.acquire() as connection:
            await destroy_keys(connection, house.of[erased][0].person)
        gate.set()
        await house.settled(*letters)
    assert set(adapter.began) == set(letters) - {refused, erased}
    assert other in adapter.began
    assert (await house.row(erased))["last_reason"] == ERASED_REASON


async def test_N1_what_another_process_took_after_its_time_is_not_sent_by_whoever_had_reserved_it(
    settings: Settings, house: House
) -> None:
    letters = await ask(house, 6)
    gate = asyncio.Event()

    async def answer(effect: UUID) -> Outcome:
        await gate.wait()
        return Done()

    async def done(effect: UUID) -> Outcome:
        return Done()

    slow, quick = Told(answer), Told(done)
    async with delivering(settings, Way("email", slow, tells_repeats=False)):

        async def one_under_way() -> bool:
            return bool(slow.under_way)

        await until(one_under_way, "a letter is on its way")
        async with delivering(settings, Way("email", quick, tells_repeats=False)):
            await leases_end(house, "waiting")
            await house.settled(*(effect for effect in letters if effect not in slow.began))
            gate.set()
            await house.settled(*letters)
    assert len(slow.began) == 1
    assert sorted(slow.began + quick.began) == sorted(letters), "each once"
