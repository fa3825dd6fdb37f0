"""Timers on real Kafka and Postgres: kept, fired, sent again, once for all (decision 8; N1, N2, N7, R1)."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from aiokafka import AIOKafkaProducer

from contracts.commands import Command, Fire
from contracts.events import LeadSeen
from contracts.topics import LEADS_REFUSALS
from services.database import Pool
from services.eventlog.consuming.log import Log
from services.eventlog.relay.headers import partition_of
from services.robots import store
from services.robots.firing import MOST_UNREAD, Firing
from services.robots.gate import Gate
from services.robots.handlers import EVENT_TOPICS, NotLiveError
from services.robots.publishing import Commands, Place
from services.settings import Settings
from tests.beside_others import room
from tests.builders import send
from tests.eventlog_builders import until
from tests.integration.robots_case import (
    LIMIT,
    NOON,
    HandClock,
    Lead,
    RunningClock,
    commands,
    counts,
    fired,
    read_all,
    refusal,
    robots,
    robots_process,
    rows,
    states,
)

pytestmark = pytest.mark.kafka

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


def firing_of(settings: Settings, pool: Pool, clock: HandClock, wall: HandClock, way_out: Commands) -> Firing:
    """The loop's insides, to be driven by hand."""
    kafka = Log(settings.kafka_bootstrap, settings.kafka_topic_prefix)
    gate = Gate(pool, kafka, EVENT_TOPICS, settings.kafka_partitions)
    return Firing(pool, kafka, gate, way_out, clock, wall, outcome_within=MINUTE, partitions=settings.kafka_partitions)


def first_ids(timers: Iterable[UUID]) -> set[UUID]:
    """Ids of their first commands."""
    return {uuid5(timer, "fire:1") for timer in timers}


async def test_N2_a_timer_is_kept_fired_when_due_and_closed_by_its_outcome(settings: Settings, pool: Pool) -> None:
    clock, lead = HandClock(), Lead()
    now, later = lead.arm("first_letter", NOON), lead.arm("call", NOON + timedelta(hours=1), autodepth=3)
    async with robots(settings, clock):
        await send(settings, lead.made)
        await states(pool, sent=1, pending=1)
        (command,) = await commands(settings)
        assert command.body == Fire(timer=now, robot="first_letter")
        assert command.id == uuid5(now, "fire:1")
        assert (command.lead, command.causation, command.correlation) == (lead.id, f"{lead.id}-1", "test")
        await send(settings, [lead.close(now)])
        await states(pool, pending=1)
        clock.move(timedelta(hours=1))
        await states(pool, sent=1)
        assert await fired(settings) == sorted([now, later])
        assert {(c.causation, c.autodepth) for c in await commands(settings)} == {
            (f"{lead.id}-1", 0),
            (f"{lead.id}-2", 3),
        }
        await send(settings, [lead.close(later, "skipped", "call")])
        await states(pool)
    assert await counts(pool) == {"armed": 2, "ran": 1, "skipped": 1, "cancelled": 0, "failed": 0, "rows": 0}


@pytest.mark.parametrize("times", [2, 5])
async def test_N1_each_event_delivered_several_times_arms_and_closes_once(
    settings: Settings, pool: Pool, times: int
) -> None:
    clock, leads = HandClock(), [Lead() for _ in range(20)]
    timers = [lead.arm() for lead in leads]
    async with robots(settings, clock):
        for lead in leads:
            await send(settings, lead.made * times)
        await states(pool, sent=20)
        for lead, timer in zip(leads, timers, strict=True):
            await send(settings, [lead.close(timer)] * times)
            await send(settings, lead.made)
        await states(pool)
        await read_all(pool, leads)
    assert await fired(settings) == sorted(timers)
    assert await counts(pool) == {"armed": 20, "ran": 20, "skipped": 0, "cancelled": 0, "failed": 0, "rows": 0}


async def test_N2_timers_outlive_kill_9_and_are_fired_at_once_in_due_order(settings: Settings, pool: Pool) -> None:
    first, second = [Lead() for _ in range(40)], [Lead() for _ in range(40)]
    timers = [lead.arm(due_at=NOON - n * MINUTE) for n, lead in enumerate(first)]
    running = robots_process(settings)
    try:
        await send(settings, [made for lead in first for made in lead.made])
        await states(pool, sent=40)
        running.send_signal(signal.SIGKILL)
        running.wait(10)
        timers += [lead.arm(due_at=NOON - n * MINUTE) for n, lead in enumerate(second)]
        await send(settings, [made for lead in second for made in lead.made])
        running = robots_process(settings)
        await states(pool, sent=80)
    finally:
        running.kill()
        running.wait(10)
    found = await commands(settings)
    assert {command.id for command in found} == first_ids(timers)
    assert len(found) == 80
    ended = {lead.id: lead for lead in second}
    for partition in range(settings.kafka_partitions):
        mine = [c for c in found if c.lead in ended and _partition_of(settings, c) == partition]
        due = [await _due(pool, c) for c in mine]
        assert due == sorted(due)


def _partition_of(settings: Settings, command: Command) -> int:
    return partition_of(str(command.lead).encode(), settings.kafka_partitions)


async def _due(pool: Pool, command: Command) -> Any:
    assert isinstance(command.body, Fire)
    return await pool.fetchval("SELECT due_at FROM leadline.timers WHERE timer = $1", command.body.timer)


class DyingCommands(Commands):
    """The way out of a process that is killed right after Kafka has acknowledged."""

    async def send(self, commands: Sequence[Command]) -> list[Place]:
        await super().send(commands)
        raise asyncio.CancelledError


async def test_N1_killed_between_effect_and_note_the_same_command_goes_out_again(
    settings: Settings, pool: Pool
) -> None:
    clock, leads = HandClock(), [Lead() for _ in range(30)]
    timers = [lead.arm() for lead in leads]
    async with robots(settings, HandClock(NOON - DAY)):
        await send(settings, [made for lead in leads for made in lead.made])
        await states(pool, pending=30)
    for _ in range(2):
        dying = DyingCommands(settings)
        with pytest.raises(asyncio.CancelledError):
            await firing_of(settings, pool, clock, clock, dying).fire(NOON)
        await dying.close()
    assert set((await rows(pool)).values()) == {("pending", 0)}
    async with robots(settings, clock):
        await states(pool, sent=30)
    found = [command.id for command in await commands(settings)]
    assert (len(found), set(found)) == (90, first_ids(timers))


async def test_N1_a_rebalance_between_two_instances_fires_nothing_twice(settings: Settings, pool: Pool) -> None:
    clock, leads = HandClock(), [Lead() for _ in range(120)]
    timers = [lead.arm() for lead in leads[:40]]
    async with robots(settings, clock) as one:
        await send(settings, [made for lead in leads[:40] for made in lead.made])
        async with robots(settings, clock):
            timers += [lead.arm() for lead in leads[40:80]]
            await send(settings, [made for lead in leads[40:80] for made in lead.made])
            await one.end()
            timers += [lead.arm() for lead in leads[80:]]
            await send(settings, [made for lead in leads[80:] for made in lead.made])
            await states(pool, sent=120)
            await send(settings, [lead.close(timer, "failed") for lead, timer in zip(leads, timers, strict=True)])
            await states(pool)
    assert await fired(settings) == sorted(timers)
    assert (await counts(pool))["failed"] == 120


async def test_N2_without_outcome_for_60_s_it_is_sent_again_under_the_next_id(settings: Settings, pool: Pool) -> None:
    clock, wall, lead = HandClock(), HandClock(), Lead()
    timer = lead.arm()

    async def attempts(number: int) -> None:
        async def there() -> bool:
            return await rows(pool) == {timer: ("sent", number)}

        await until(there, f"attempt {number}", LIMIT)

    async with robots(settings, clock, wall):
        await send(settings, lead.made)
        await attempts(1)
        wall.move(59 * SECOND)
        await asyncio.sleep(0.7)
        await attempts(1)
        wall.move(2 * SECOND)
        await attempts(2)
        wall.move(MINUTE)  # the second time it waits twice as long
        await asyncio.sleep(0.7)
        await attempts(2)
        wall.move(MINUTE)
        await attempts(3)
        # the aggregate service is away: what stands unread on the topic is not sent again
        place = await pool.fetchrow("SELECT sent_partition, sent_offset FROM leadline.timers")
        position = "INSERT INTO leadline.positions VALUES ('leads', 1, 'leads.commands', $1, $2, '')"
        await pool.execute(position, place[0], place[1])
        wall.move(DAY)
        await asyncio.sleep(1.0)
        await attempts(3)
        # it has read it, and nothing came of it
        await pool.execute("UPDATE leadline.positions SET next_offset = next_offset + 1 WHERE consumer = 'leads'")
        await attempts(4)
        # the topic lost its end: what it no longer has was never read
        await pool.execute(
            "UPDATE leadline.positions SET next_offset = 0 WHERE consumer = 'leads'; UPDATE leadline.timers SET sent_offset = 99"
        )
        wall.move(DAY)
        await attempts(5)
    assert {c.id for c in await commands(settings)} == {uuid5(timer, f"fire:{n}") for n in range(1, 6)}


async def test_N7_nothing_is_sent_again_while_the_outcomes_may_stand_unread(settings: Settings, pool: Pool) -> None:
    clock, wall, lead, others = HandClock(), HandClock(), Lead(), Lead()
    lead.arm()
    for _ in range(MOST_UNREAD + 1):
        others.arm(due_at=NOON + DAY)
    async with robots(settings, clock, wall):
        await send(settings, lead.made)
        await states(pool, sent=1)
    way_out = Commands(settings)
    firing = firing_of(settings, pool, clock, wall, way_out)
    try:
        await send(settings, others.made)
        wall.move(2 * MINUTE)
        await firing._expire()
        assert [state for state, _ in (await rows(pool)).values()] == ["sent"], (
            "the outcome may be among the unread events"
        )
        await pool.execute(
            "UPDATE leadline.positions SET next_offset = next_offset + $1 WHERE consumer = 'robots'", 2_000
        )
        await firing._expire()
        assert [state for state, _ in (await rows(pool)).values()] == ["pending"]
    finally:
        await way_out.close()


async def test_R1_a_business_clock_a_day_ahead_and_back_loses_and_doubles_nothing(
    settings: Settings, pool: Pool
) -> None:
    clock, wall, lead = HandClock(), HandClock(), Lead()
    timer = lead.arm(due_at=NOON + timedelta(hours=1))
    async with robots(settings, clock, wall):
        await send(settings, lead.made)
        await states(pool, pending=1)
        clock.move(DAY)
        await states(pool, sent=1)
        (command,) = await commands(settings)
        clock.move(-DAY)
        # the aggregate's clock did not jump: it finds the command too early
        await _refuse(settings, command)

        async def shortened() -> bool:
            return bool(await pool.fetchval("SELECT lease_until - sent_at < '1 s' FROM leadline.timers"))

        await until(shortened, "the wait is shortened", LIMIT)
        wall.move(SECOND)
        await states(pool, pending=1)
        clock.move(timedelta(minutes=59))
        await asyncio.sleep(0.5)
        assert await rows(pool) == {timer: ("pending", 1)}
        clock.move(MINUTE)
        await states(pool, sent=1)
        await send(settings, [lead.close(timer)])
        await states(pool)
    assert [c.id for c in await commands(settings)] == [uuid5(timer, f"fire:{n}") for n in (1, 2)]
    assert (await counts(pool))["ran"] == 1


async def _refuse(settings: Settings, command: Command, rule: str = "R1.not_due") -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap)
    await producer.start()
    topic = settings.kafka_topic_prefix + LEADS_REFUSALS.name
    await producer.send_and_wait(topic, refusal(command, rule), key=str(command.lead).encode())
    await producer.stop()


@pytest.mark.parametrize("jump", [DAY, -DAY])
async def test_R1_the_worlds_clock_set_by_a_day_loses_no_timer(settings: Settings, pool: Pool, jump: timedelta) -> None:
    clock, wall, lead = HandClock(), HandClock(), Lead()
    timer = lead.arm()
    async with robots(settings, clock, wall):
        await send(settings, lead.made)
        await states(pool, sent=1)
        wall.move(jump)

        async def again() -> bool:
            return await rows(pool) == {timer: ("sent", 2)}

        await until(again, "its wait is over, whichever way the clock was set", LIMIT)
        await send(settings, [lead.close(timer)])
        await states(pool)
    assert (await counts(pool))["ran"] == 1


async def test_N1_nothing_is_fired_before_what_stood_on_the_topics_is_read(settings: Settings, pool: Pool) -> None:
    clock, lead, other = HandClock(), Lead(), Lead()
    closed = [lead.arm(f"robot_{n}") for n in range(5)]
    for _ in range(4_000):
        lead.add(LeadSeen())
    for n, timer in enumerate(closed):
        lead.close(timer, "cancelled", f"robot_{n}")
    waiting = other.arm()
    await send(settings, [*lead.made, *other.made])
    async with robots(settings, clock, ready=False):
        await states(pool, sent=1)
        await read_all(pool, [lead, other])
    assert await fired(settings) == [waiting]
    assert (await counts(pool))["cancelled"] == 5


async def test_N1_the_gate_opens_at_the_ends_noted_and_closes_only_when_they_are_noted_anew(
    settings: Settings, pool: Pool
) -> None:
    gate = Gate(
        pool,
        Log(settings.kafka_bootstrap, settings.kafka_topic_prefix),
        EVENT_TOPICS,
        settings.kafka_partitions,
    )
    assert await gate.behind() == 0  # empty topics
    leads = [Lead() for _ in range(30)]
    for lead in leads:
        lead.arm()
    await send(settings, [made for lead in leads for made in lead.made])
    assert await gate.behind() == 0  # new records never close it
    gate.renew()
    assert await gate.behind() == 30
    async with robots(settings, HandClock(NOON - DAY)):
        await states(pool, pending=30)
        await read_all(pool, leads)
    assert await gate.behind() == 0


async def test_N1_a_build_that_is_not_live_neither_keeps_nor_fires_timers(settings: Settings, pool: Pool) -> None:
    clock, lead = HandClock(), Lead()
    lead.arm()
    async with robots(settings, HandClock(NOON - DAY)):
        await send(settings, lead.made)
        await states(pool, pending=1)
    await pool.execute("UPDATE leadline.timer_builds SET live = 2")
    other = Lead()
    other.arm()
    async with robots(settings, clock, ready=False) as running:
        await send(settings, other.made)
        with pytest.raises(NotLiveError, match="end this process"):
            await asyncio.wait_for(running.task, LIMIT)
    assert list((await rows(pool)).values()) == [("pending", 0)]
    assert await fired(settings) == []
    assert await pool.fetchval("SELECT count(*) FROM leadline.notices WHERE code = 'build_not_live'") == 1


async def test_N7_an_arming_event_that_cannot_be_read_holds_up_its_lead_alone(settings: Settings, pool: Pool) -> None:
    clock, broken, good = HandClock(), Lead(), Lead()
    broken.arm("робот")
    late = broken.arm()
    timer = good.arm()
    async with robots(settings, clock):
        await send(settings, [*broken.made, *good.made])
        await states(pool, sent=1)
        await read_all(pool, [good])
    assert await fired(settings) == [timer]
    parked = await pool.fetch("SELECT reason, version, detail FROM leadline.parked ORDER BY version")
    assert [tuple(row)[:2] for row in parked] == [("poison", 1), ("after_parked", 2)]
    assert str(late) not in str(parked)


async def test_N7_nobody_waits_for_the_outcomes_of_another_and_the_backlog_is_seen(
    settings: Settings, pool: Pool
) -> None:
    clock, crowded, others = HandClock(NOON - DAY), Lead(), [Lead() for _ in range(60)]
    many = [crowded.arm("crowd", NOON - MINUTE) for _ in range(2_000)]
    few = [lead.arm("call", NOON) for lead in others]
    async with robots(settings, clock):
        await send(settings, [*crowded.made, *(made for lead in others for made in lead.made)])
        await states(pool, pending=2_060)
        async with pool.acquire() as database:
            backlog = {row.robot: row for row in await store.backlog(database, NOON)}
        assert (backlog["crowd"].due, backlog["crowd"].waiting, backlog["call"].due) == (2_000, 2_000, 60)
        assert backlog["crowd"].oldest_due_at == NOON - MINUTE
        clock.move(DAY)
        began = time.monotonic()
        await states(pool, sent=2_060)  # although no outcome has come
        assert time.monotonic() - began < room(10)
    assert await fired(settings) == sorted([*many, *few])


@pytest.mark.slow
async def test_N2_a_million_timers_cost_the_look_at_what_is_due_nothing(settings: Settings, pool: Pool) -> None:
    async with pool.acquire() as database:
        await database.execute(
            """INSERT INTO leadline.timers (timer, stream, kind, pipeline, robot, due_at, armed_version, correlation,
                                            autodepth)
               SELECT lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(n / 5), 32, '0')::uuid, 'lead', 'classic', 'call',
                      $1::timestamptz + n * interval '1 second', 1, 'c', 0 FROM generate_series(1, 1000000) AS n""",
            NOON,
            timeout=120,
        )
        await database.execute("ANALYZE leadline.timers")
        plan = "\n".join(row[0] for row in await database.fetch(f"EXPLAIN {store.CLAIM_DUE}", NOON, 500))
        assert "timers_due" in plan, plan
        assert "Sort" not in plan, plan

        async def best(work: Any) -> float:
            took = []
            for _ in range(5):
                began = time.perf_counter()
                await work()
                took.append(time.perf_counter() - began)
            return min(took)

        assert await best(lambda: store.ahead(database, NOON)) < room(0.02)
        assert await best(lambda: store.claim_due(database, NOON, 500)) < room(0.02)
        claimed = await store.claim_due(database, NOON + timedelta(seconds=500), 500)
        assert len(claimed) == 500
        assert await best(lambda: store.claim_due(database, NOON + DAY, 500)) < room(0.2)
        assert await best(lambda: store.backlog(database, NOON)) < room(0.05)


async def test_N2_timers_are_fired_within_a_second_of_their_instant(settings: Settings, pool: Pool) -> None:
    """1,500 timers over three seconds, on a clock that runs from the moment when all of them are armed."""
    clock, leads = RunningClock(NOON - SECOND), [Lead() for _ in range(1_500)]
    for n, lead in enumerate(leads):
        lead.arm(due_at=NOON + n * timedelta(milliseconds=2))
    async with robots(settings, clock, clock):
        await send(settings, [made for lead in leads for made in lead.made])
        await states(pool, pending=1_500)
        clock.start()
        await states(pool, sent=1_500)
    late = await pool.fetchrow("SELECT min(sent_at - due_at), max(sent_at - due_at) FROM leadline.timers")
    assert timedelta(0) <= late[0] <= late[1] < room(1) * SECOND
