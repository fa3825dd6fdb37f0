"""The delivery service on real Kafka and Postgres: each effect once, whatever comes between (R3, N1, N7; decision 9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from contracts.commands import Report
from contracts.events import EVENT_TYPES, EffectDone, EffectFailed
from contracts.events.contact import PersonErased
from services.database import Pool
from services.delivery.adapters import Way
from services.privacy.store import destroy_keys
from services.settings import Colleague, Settings
from tests.integration.delivery_case import OUTSIDE, Delivery, DeliveryProcess, House, Outside, delivering, until

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
    url = settings.database_url.get_secret_value()
    return Way(provider, Outside(url, provider, most, script), **more)


def adapter_of(way: Way) -> Outside:
    assert isinstance(way.adapter, Outside)
    return way.adapter


async def test_R3_a_letter_is_carried_out_and_reported_with_what_the_event_holds(
    settings: Settings, house: House
) -> None:
    way = outside(settings)
    async with delivering(settings, way):
        effect = await house.ask("email", message_id="<a@example.org>")
        await house.settled(effect)
    (letter,) = adapter_of(way).seen
    stream, _ = house.of[effect]
    assert (letter.to, letter.to_name, letter.subject, letter.text) == (
        "anna@example.org",
        "Анна",
        "Здравствуйте",
        "Ждём вас",
    )
    assert (letter.message_id, letter.thread) == ("<a@example.org>", str(stream.id))
    (report,) = house.reports
    assert report.lead == stream.id
    assert (report.actor.id, report.correlation, report.causation) == ("delivery", "test", f"{stream.id}-1")
    assert report.body == Report(effect=effect, outcome="done", attempts=1, provider="email", provider_id="id-1")
    assert adapter_of(way).closed
    row = await house.row(effect)
    assert (row["state"], row["outcome"], row["attempts"], row["in_doubt"]) == ("done", "done", 1, False)


async def test_N1_redelivered_requests_are_carried_out_once(settings: Settings, house: House) -> None:
    way = outside(settings)
    effects = []
    async with delivering(settings, way):
        for _ in range(5):
            stream = house.stream()
            effects += [await house.ask("email", stream) for _ in range(3)]
        await house.put(house.made)
        await house.settled(*effects)
        await house.put(house.made)
        marker = await house.ask()
        await house.settled(marker)
    assert set((await house.carried_out(*effects)).values()) == {1}
    assert await house.pool.fetchval("SELECT count(*) FROM leadline.parked") == 0


@pytest.mark.parametrize("tells_repeats", [True, False], ids=["with a key", "without one"])
async def test_N1_killed_between_effect_and_acknowledgement(
    settings: Settings, house: House, tells_repeats: bool
) -> None:
    effect = await house.ask()
    dying = DeliveryProcess(settings, script="die", tells_repeats=tells_repeats, call_seconds=0.1)
    await dying.dead()
    row = await house.row(effect)
    assert (row["state"], row["attempts"], row["in_doubt"]) == ("working", 1, False)
    assert await house.take_reports() == []
    # the lease is 30 s beyond the call: its end is brought about, not waited for
    same = settings.model_copy(update={"instance": "one"})  # it goes on with the dead one's partitions at once
    async with delivering(same, outside(settings, tells_repeats=tells_repeats)):
        marker = await house.ask()
        await house.settled(marker)
        assert await house.state(effect) == "working", "nobody takes it while its lease runs"
        await house.pool.execute("UPDATE leadline.effects SET lease_until = now() WHERE state = 'working'")
        await house.settled(effect)
    (report,) = [r for r in house.reports if isinstance(r.body, Report) and r.body.effect == effect]
    assert isinstance(report.body, Report)
    assert (report.body.outcome, report.body.attempts, report.body.doubtful) == ("done", 2, not tells_repeats)
    assert (await house.carried_out(effect, marker)) == {effect: 2, marker: 1}, "the same key twice; nothing else twice"
    assert (await house.row(marker))["in_doubt"] is False


async def test_N1_two_instances_share_the_work_and_one_may_go(settings: Settings, house: House) -> None:
    first, second = outside(settings), outside(settings)
    one, other = Delivery(settings, [first]), Delivery(settings, [second])
    try:
        await one.ready()
        await other.ready()
        effects = [await house.ask() for _ in range(40)]
        await one.end()
        effects += [await house.ask() for _ in range(20)]
        await house.settled(*effects)
        await other.end()
    finally:
        for each in (one, other):
            each.task.cancel()
        await asyncio.gather(one.task, other.task, return_exceptions=True)
    assert set((await house.carried_out(*effects)).values()) == {1}
    assert adapter_of(first).seen
    assert adapter_of(second).seen


async def test_N7_a_lost_report_is_sent_again_under_the_same_id(settings: Settings, house: House) -> None:
    async with delivering(settings, outside(settings), report_again=0.2):
        effect = await house.ask()
        lost = await until(house.take_reports, "the report is there")
        assert await house.state(effect) == "answered"
        await house.settled(effect)
    assert {command.id for command in (*lost, *house.reports)} == {lost[0].id}
    assert (await house.carried_out(effect)) == {effect: 1}


async def test_N7_a_report_that_waits_for_the_relay_is_not_piled_up(settings: Settings, house: House) -> None:
    async with delivering(settings, outside(settings), report_again=0.0):
        effect = await house.ask()
        await until(lambda: _in_outbox(house), "the report is there")
        other = await house.ask("email")
        for _ in range(2):
            await until(lambda: _state_is(house, other, "answered"), "another one is answered")
            await asyncio.sleep(0.6)
        assert await _in_outbox(house) == 2
        assert (await house.row(effect))["reports"] == 1


async def _in_outbox(house: House) -> int:
    found: int = await house.pool.fetchval("SELECT count(*) FROM leadline.outbox WHERE topic = 'leads.commands'")
    return found


async def _state_is(house: House, effect: Any, state: str) -> bool:
    return await house.state(effect) == state


async def test_R3_refused_is_a_dead_letter_and_a_repeat_uses_the_mended_address(
    settings: Settings, house: House
) -> None:
    way = outside(settings, script=lambda order, size: "done" if order.to == "right@example.org" else "refused")
    async with delivering(settings, way):
        effect = await house.ask(email="wrong@example.org")
        await house.settled(effect, states=["failed"])
        assert (await house.row(effect))["last_reason"] == "no_such_address: 550"
        await house.repeat(effect, email="right@example.org")
        await house.settled(effect, states=["done"])
    row = await house.row(effect)
    assert (row["round"], row["attempts"], row["last_reason"]) == (1, 1, None)
    assert [letter.to for letter in adapter_of(way).seen] == ["wrong@example.org", "right@example.org"]
    assert len({letter.message_id for letter in adapter_of(way).seen}) == 1
    assert len({command.id for command in house.reports}) == 2


async def test_R3_a_doubtful_try_is_said_for_good(settings: Settings, house: House) -> None:
    said = iter(["doubt", "refused", "done"])
    async with delivering(settings, outside(settings, script=lambda order, size: next(said))):
        effect = await house.ask()
        await house.settled(effect, states=["failed"])
        await house.repeat(effect)
        await house.settled(effect, states=["done"])
    assert [r.body.doubtful for r in house.reports if isinstance(r.body, Report)] == [True, True]


async def test_C7_refused_by_the_client_while_it_waits_is_not_sent(settings: Settings, house: House) -> None:
    way = outside(settings, script=lambda o, n: "whole" if o.to == "anna@example.org" else "done")
    async with delivering(settings, way):
        effect = await house.ask()

        async def tried() -> bool:
            row = await house.row(effect)
            return row is not None and row["last_reason"] is not None and row["state"] == "waiting"

        await until(tried, "it has to wait")
        gone = EffectFailed(effect=effect, effect_kind="email", attempts=0, reason="contact_refused")
        await house.add(effect, gone)
        await until(lambda: _state_is(house, effect, "failed"), "it is stopped")
        other = await house.ask(email="other@example.org")
        await house.settled(other)
    assert (await house.carried_out(effect))[effect] == len([o for o in adapter_of(way).seen if o.effect == effect])
    assert (await house.row(effect))["in_doubt"] is False
    assert house.reports[0].id == (await house.row(other))["report"]


async def test_C7_refused_while_it_is_on_its_way_is_told_as_done_all_the_same(settings: Settings, house: House) -> None:
    class Slow(Outside):
        async def carry_out(self, effects: Any) -> Any:
            begun.set()
            await go.wait()
            return await super().carry_out(effects)

    begun, go = asyncio.Event(), asyncio.Event()
    url = settings.database_url.get_secret_value()
    async with delivering(settings, Way("email", Slow(url, "email"))):
        effect = await house.ask()
        await asyncio.wait_for(begun.wait(), 60)
        await house.add(effect, EffectFailed(effect=effect, effect_kind="email", attempts=0, reason="contact_refused"))
        await until(lambda: _state_is(house, effect, "failed"), "the event closes it")
        assert (await house.row(effect))["in_doubt"] is True
        go.set()
        await house.settled(effect, states=["done"])
    row = await house.row(effect)
    assert (row["in_doubt"], row["attempts"]) == (False, 1)
    assert (await house.carried_out(effect)) == {effect: 1}


async def test_R3_a_webhook_is_told_of_the_robot_and_nothing_personal(settings: Settings, house: House) -> None:
    way = outside(settings, "webhook:crm")
    async with delivering(settings, way):
        effect = await house.ask("webhook", text=None, robot="tell_crm", visit=2)
        await house.settled(effect)
    (call,) = adapter_of(way).seen
    told = orjson.loads(call.body)
    lead = str(house.of[effect][0].id)
    assert told["type"] == "leadline.robot.called"
    assert told["data"] == {
        "effect": str(effect),
        "lead": lead,
        "robot": "tell_crm",
        "visit": 2,
        "pipeline": "classic@1",
    }


@pytest.mark.parametrize(("word", "reason"), [("raise", "internal: RuntimeError"), ("wrong", "internal: the adapter")])
async def test_R3_an_adapter_with_a_defect_holds_up_one_effect(
    settings: Settings, house: House, word: str, reason: str
) -> None:
    async with delivering(
        settings, outside(settings, script=lambda o, n: word if o.to == "bad@example.org" else "done")
    ):
        bad = await house.ask(email="bad@example.org")
        good = await house.ask()
        await house.settled(good)

        async def tried() -> bool:
            row = await house.row(bad)
            return row["last_reason"] is not None

        await until(tried, "the bad one was tried")
    row = await house.row(bad)
    assert row["last_reason"].startswith(reason)
    assert row["state"] == "waiting"


async def test_R3_a_call_that_hangs_is_cut_off_and_in_doubt(settings: Settings, house: House) -> None:
    way = outside(settings, script=lambda o, n: "hang", tells_repeats=False, call_seconds=0.3)
    async with delivering(settings, way):
        effect = await house.ask()

        async def cut() -> bool:
            row = await house.row(effect)
            return row is not None and row["in_doubt"]

        await until(cut, "the call was cut off")
        assert (await house.row(effect))["last_reason"] == "no_answer: the call was cut off"


async def test_M7_what_was_erased_is_not_sent(settings: Settings, house: House, pool: Pool) -> None:
    way = outside(settings)
    effect, made = house.requested()
    await house.publish([made])
    stream = house.of[effect][0]
    async with pool.acquire() as connection:
        await destroy_keys(connection, stream.person)
    async with delivering(settings, way):
        await house.settled(effect, states=["failed"])
    assert adapter_of(way).seen == []
    (report,) = house.reports
    assert isinstance(report.body, Report)
    assert (report.body.reason or "").startswith("erased")
    assert report.body.attempts == 0
    assert PersonErased.TOPIC  # the event itself is the contact's: the key alone decides here


async def test_M7_a_report_that_is_refused_closes_the_effect(settings: Settings, house: House) -> None:
    async with delivering(settings, outside(settings), report_again=0.2):
        effect = await house.ask()
        (report, *_) = await until(house.take_reports, "the report is there")
        refusal = {"rules": ["M7.erased"], "ru": "Стёрт.", "en": "Erased.", "status": 410}
        value = {
            "command": str(report.id),
            "lead": str(report.lead),
            "type": "report",
            "actor": {"id": "delivery", "kind": "system"},
            "version": 1,
            "refusal": refusal,
            "at": "2026-03-02T09:00:00Z",
        }
        topic = settings.kafka_topic_prefix + "leads.refusals"
        await house.producer.send_and_wait(topic, b"no json", key=b"x")
        await house.producer.send_and_wait(topic, orjson.dumps(value | {"type": "see"}), key=b"x")
        await house.producer.send_and_wait(topic, orjson.dumps(value), key=str(report.lead).encode())
        await until(lambda: _state_is(house, effect, "closed"), "the effect is closed")
    assert (await house.row(effect))["last_reason"] == "report_refused: M7.erased"


async def test_N1_a_ledger_built_anew_from_the_log_repeats_nothing(settings: Settings, house: House) -> None:
    async with delivering(settings, outside(settings)):
        effects = [await house.ask() for _ in range(20)]
        await house.settled(*effects)
    before = await house.pool.fetch("SELECT * FROM leadline.effects ORDER BY effect")
    for table in ("effects", "effect_providers"):
        await house.pool.execute(f"TRUNCATE leadline.{table}")
    for table in ("positions", "witnesses", "seen"):
        await house.pool.execute(f"DELETE FROM leadline.{table} WHERE consumer = 'delivery'")
    way = outside(settings)
    async with delivering(settings, way):
        marker = await house.ask()
        await house.settled(marker)
    assert [order.effect for order in adapter_of(way).seen] == [marker]
    after = await house.pool.fetch("SELECT * FROM leadline.effects WHERE effect <> $1 ORDER BY effect", marker)
    of_events = (
        "effect",
        "stream",
        "version",
        "provider",
        "state",
        "outcome",
        "attempts",
        "round",
        "closed_at",
        "report",
    )
    assert [[row[name] for name in of_events] for row in after] == [[row[name] for name in of_events] for row in before]


async def test_N1_nothing_is_carried_out_before_the_log_is_read_to_its_end(settings: Settings, house: House) -> None:
    async with delivering(settings, outside(settings)):
        effects = [await house.ask() for _ in range(5)]
        await house.settled(*effects)
    # as if only the requests had been read when the ledger's building was cut off
    await house.pool.execute("UPDATE leadline.effects SET state = 'waiting', outcome = NULL, closed_at = NULL")
    await house.pool.execute(
        """UPDATE leadline.seen AS s SET version = 1, digest = e.digest FROM leadline.events AS e
           WHERE e.originator_id = s.stream AND e.originator_version = 1 AND s.consumer = 'delivery'"""
    )
    await house.pool.execute("DELETE FROM leadline.positions WHERE consumer = 'delivery'")
    way = outside(settings)
    async with house.pool.acquire() as other:
        held = other.transaction()
        await held.start()
        await other.execute("LOCK TABLE leadline.positions IN SHARE MODE")  # reading stops, all else can go on
        delivery = Delivery(settings, [way])
        try:

            async def says_so() -> bool:
                part = delivery.health.parts.get("effects")
                return part is not None and "records before anything is carried out" in part.why

            await until(says_so, "it says how far it is")
            await asyncio.sleep(1.0)  # twice as long as a worker that may begin takes
            assert adapter_of(way).seen == []
            await held.rollback()
            await house.settled(*effects)
            await delivery.ready()
            await delivery.end()
        finally:
            delivery.task.cancel()
            await asyncio.gather(delivery.task, return_exceptions=True)
    assert adapter_of(way).seen == []
    assert set((await house.carried_out(*effects)).values()) == {1}


async def test_R2_notices_go_to_who_has_an_address_and_are_shown_to_the_others(
    settings: Settings, house: House
) -> None:
    staff = [Colleague(name="helen", role="head", email="helen@example.org"), Colleague(name="anna", role="seller")]
    way = outside(settings)
    async with delivering(settings.model_copy(update={"staff": staff}), way, Way("app", None)):
        told = await house.ask("notice", service="helen", subject=None, text="Лид ждёт\nуже час")
        shown = await house.ask("notice", service="anna")
        unknown = await house.ask("notice", service="somebody")
        await house.settled(told, shown, unknown, states=["done"])
    (letter,) = adapter_of(way).seen
    assert (letter.to, letter.thread, letter.unsubscribe) == ("helen@example.org", None, None)
    assert letter.subject == "Лид ждёт"
    assert [row["provider"] for row in [await house.row(e) for e in (told, shown, unknown)]] == ["email", "app", "app"]


async def test_R3_an_event_that_does_not_fit_is_parked_alone(settings: Settings, house: House) -> None:
    async with delivering(settings, outside(settings)):
        stranger = house.stream()
        effect, made = house.requested("email", stranger)
        await house.publish([stranger.add(EffectDone(effect=house.stream().id, effect_kind="email", attempts=1))])
        good = await house.ask()
        await house.settled(good)
        reasons = await house.pool.fetch("SELECT reason FROM leadline.parked WHERE consumer = 'delivery'")
        assert [row[0] for row in reasons] == ["gap"], "its request never came"
        await house.publish([made])
        await until(lambda: _state_is(house, effect, "answered"), "what it asks for is carried out")
        poison = "SELECT detail FROM leadline.parked WHERE reason = 'poison'"
        parked = await until(lambda: house.pool.fetch(poison), "what followed is tried again")
        assert [row[0] for row in parked] == ["nobody requested its effect on this stream"]


async def test_N1_a_call_under_way_is_finished_when_told_to_stop(settings: Settings, house: House) -> None:
    class Slow(Outside):
        async def carry_out(self, effects: Any) -> Any:
            begun.set()
            await go.wait()
            return await super().carry_out(effects)

    begun, go = asyncio.Event(), asyncio.Event()
    url = settings.database_url.get_secret_value()
    delivery = Delivery(settings, [Way("email", Slow(url, "email"), tells_repeats=False)])
    try:
        await delivery.ready()
        effect, waiting = await house.ask(), await house.ask()
        await asyncio.wait_for(begun.wait(), 60)
        for each in (effect, waiting):  # which of them is under way is the way's choice
            await until(lambda each=each: house.state(each), "it stands in the ledger")
        delivery.stop.set()
        await asyncio.sleep(0.3)
        assert not delivery.task.done()
        go.set()
        await delivery.end()
    finally:
        delivery.task.cancel()
        await asyncio.gather(delivery.task, return_exceptions=True)
    states = {await house.state(each) for each in (effect, waiting)}
    assert states == {"answered", "waiting"}
    assert sum((await house.carried_out(effect, waiting)).values()) == 1


async def test_N1_what_was_sent_is_not_forgotten_when_postgres_goes_away(settings: Settings, house: House) -> None:
    class Cutting(Outside):
        async def carry_out(self, effects: Any) -> Any:
            outcomes = await super().carry_out(effects)
            if len(self.seen) == 1:
                await house.pool.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND application_name = 'leadline-delivery'"
                )
            return outcomes

    url = settings.database_url.get_secret_value()
    async with delivering(settings, Way("email", Cutting(url, "email"), tells_repeats=False)):
        effects = [await house.ask() for _ in range(3)]
        await house.settled(*effects, states=["done"])
    assert set((await house.carried_out(*effects)).values()) == {1}
    assert {r.body.doubtful for r in house.reports if isinstance(r.body, Report)} == {False}


async def test_R3_a_request_that_somebody_altered_fails_alone(settings: Settings, house: House) -> None:
    altered, broken = house.requested(), house.requested()
    await house.publish([altered[1], broken[1]])
    # the store is written to behind our back; the log is as it was
    await house.pool.execute(
        "UPDATE leadline.events SET state = replace(convert_from(state, 'UTF8'), $2, $3)::bytea "
        "WHERE originator_id = $1",
        house.of[altered[0]][0].id,
        '"personal":"1.',
        '"personal":"2.',
    )
    await house.pool.execute(
        "UPDATE leadline.events SET state = '[]' WHERE originator_id = $1", house.of[broken[0]][0].id
    )
    way = outside(settings)
    async with delivering(settings, way):
        good = await house.ask()
        await house.settled(good, states=["done"])
        await house.settled(altered[0], broken[0], states=["failed"])
    assert [order.effect for order in adapter_of(way).seen] == [good]
    reasons = {str((await house.row(effect))["last_reason"]) for effect in (altered[0], broken[0])}
    assert reasons == {"incomplete: the request lacks what this way out needs (KeyError)"}


async def test_C6_a_deal_s_effects_go_the_same_way(settings: Settings, house: House) -> None:
    way = outside(settings, "webhook:crm")
    requested = EVENT_TYPES["leadline.deal.effect_requested"]
    done = EVENT_TYPES["leadline.deal.effect_done"]
    async with delivering(settings, way):
        deal, effect = house.stream(), uuid4()
        await house.publish([deal.add(requested(effect=effect, effect_kind="webhook", service="crm"))])
        (report,) = await until(house.take_reports, "it is reported")
        assert report.lead == deal.id
        await house.publish([deal.add(done(effect=effect, effect_kind="webhook", attempts=1))])
        await until(lambda: _state_is(house, effect, "done"), "it is done")
    assert (await house.row(effect))["kind"] == "deal"
    assert orjson.loads(adapter_of(way).seen[0].body)["data"]["deal"] == str(deal.id)
