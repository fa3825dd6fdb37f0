"""Whatever comes in whatever order, the timers are those of a simple model (N1, N2, R1): a state machine against an oracle.

The service's own parts on a real database and a real topic; the test holds both clocks and decides what arrives when.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contracts.commands import Command, Fire
from contracts.topics import LEADS_REFUSALS
from services.database import Pool
from services.eventlog.consuming import Batch, RawRecord
from services.eventlog.consuming.log import Log
from services.robots.firing import Firing
from services.robots.gate import Gate
from services.robots.handlers import EVENT_TOPICS, Intake
from services.robots.publishing import Commands, Place
from services.robots.store import Backlog, backlog
from services.settings import Settings
from tests.integration.robots_case import HandClock, Lead, counts, refusal

pytestmark = pytest.mark.kafka

OUTCOMES = ("ran", "skipped", "cancelled", "failed")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LEADS, NUMBERS = st.integers(0, 2), st.integers(0, 50)

ACTIONS = st.one_of(
    st.tuples(st.just("arm"), LEADS, st.integers(-5, 0)),
    st.tuples(st.just("arm"), LEADS, st.integers(-5, 30)),
    st.tuples(st.just("close"), NUMBERS, st.sampled_from(OUTCOMES)),
    st.tuples(st.just("arm_and_close"), LEADS, st.sampled_from(OUTCOMES)),
    st.tuples(st.just("redeliver"), st.integers(1, 8)),
    st.tuples(st.just("clock"), st.one_of(st.integers(-20, 40), st.sampled_from([-1440, 1440]))),
    st.tuples(st.just("wall"), st.one_of(st.integers(-100, 200), st.sampled_from([-86400, 86400]))),
    st.tuples(st.just("fire")),
    st.tuples(st.just("fire")),
    st.tuples(st.just("die")),
    st.tuples(st.just("early"), NUMBERS),
    st.tuples(st.just("late_refusal"), NUMBERS),
    st.tuples(st.just("expire")),
    st.tuples(st.just("lapse"), st.integers(50, 300)),
    st.tuples(st.just("lapse"), st.sampled_from([-86400, -30, 59, 60, 120])),
)


class Way(Commands):
    """The way out, which notes what went; `dies`: right after Kafka has taken it."""

    dies = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.went: list[Command] = []

    async def send(self, commands: Sequence[Command]) -> list[Place]:
        places = await super().send(commands)
        self.went += commands
        if self.dies:
            raise asyncio.CancelledError
        return places


@dataclass
class Timer:
    """A timer as it should be."""

    lead: Lead
    due_at: datetime
    attempts: int = 0
    sent_at: datetime | None = None
    lease_until: datetime | None = None

    @property
    def state(self) -> str:
        return "pending" if self.sent_at is None else "sent"


@dataclass
class World:
    """The service, its clocks, and the model of it."""

    settings: Settings
    pool: Pool
    way: Way
    clock: HandClock = field(default_factory=HandClock)
    wall: HandClock = field(default_factory=HandClock)
    leads: list[Lead] = field(default_factory=lambda: [Lead() for _ in range(3)])
    timers: dict[UUID, Timer] = field(default_factory=dict)
    gone: Counter[str] = field(default_factory=Counter)
    armed: int = 0
    delivered: list[RawRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        kafka = Log(self.settings.kafka_bootstrap, self.settings.kafka_topic_prefix)
        partitions = self.settings.kafka_partitions
        gate = Gate(self.pool, kafka, EVENT_TOPICS, partitions)
        self.intake = Intake(self.pool, self.wall, lambda: None, lambda: None)
        self.firing = Firing(
            self.pool, kafka, gate, self.way, self.clock, self.wall, outcome_within=MINUTE, partitions=partitions
        )

    def named(self, number: int) -> UUID | None:
        """One of the timers that wait, by a number."""
        return sorted(self.timers)[number % len(self.timers)] if self.timers else None

    async def deliver(self, *records: RawRecord) -> None:
        await self.intake.handle(Batch(records, []))

    async def bring(self, lead: Lead) -> None:
        """What is new of a lead, in one batch."""
        new = [made.record(len(self.delivered) + n) for n, made in enumerate(lead.made)]
        lead.made.clear()
        self.delivered += new
        await self.deliver(*new)

    # --- what happens ---------------------------------------------------------------------------------------------

    async def arm(self, lead: int, minutes: int) -> None:
        due_at = self.clock.at + minutes * MINUTE
        timer = self.leads[lead].arm("call", due_at)
        self.timers[timer] = Timer(self.leads[lead], due_at)
        self.armed += 1
        await self.bring(self.leads[lead])

    async def close(self, number: int, outcome: str) -> None:
        if (timer := self.named(number)) is not None:
            lead = self.timers.pop(timer).lead
            lead.close(timer, outcome, "call")
            self.gone[outcome] += 1
            await self.bring(lead)

    async def arm_and_close(self, lead: int, outcome: str) -> None:
        timer = self.leads[lead].arm("call", self.clock.at)
        self.leads[lead].close(timer, outcome, "call")
        self.armed += 1
        self.gone[outcome] += 1
        await self.bring(self.leads[lead])

    async def redeliver(self, last: int) -> None:
        await self.deliver(*self.delivered[-last:])

    async def _move_clock(self, minutes: int) -> None:
        self.clock.move(minutes * MINUTE)

    async def _move_wall(self, seconds: int) -> None:
        self.wall.move(timedelta(seconds=seconds))

    async def fire(self) -> None:
        due = {t: m for t, m in self.timers.items() if m.state == "pending" and m.due_at <= self.clock.at}
        self.way.went.clear()
        assert await self.firing.fire(self.clock.at) == len(due)
        sent = [c.id for c in self.way.went]
        along = [(t.timer, t.attempt) for c in self.way.went if isinstance(c.body, Fire) for t in c.body.also]
        sent += [uuid5(timer, f"fire:{attempt}") for timer, attempt in along]
        assert sorted(sent) == sorted(uuid5(t, f"fire:{m.attempts + 1}") for t, m in due.items())
        assert all(attempt == 1 for _, attempt in along), "what had no outcome goes alone"
        for model in due.values():
            model.attempts += 1
            model.sent_at = self.wall.at
            model.lease_until = self.wall.at + min(HOUR, MINUTE * 2 ** (model.attempts - 1))

    async def die(self) -> None:
        self.way.dies = True
        try:
            if await self.firing.fire(self.clock.at):
                raise AssertionError("it should have died")
        except asyncio.CancelledError:
            assert any(m.state == "pending" and m.due_at <= self.clock.at for m in self.timers.values())
        finally:
            self.way.dies = False

    async def early(self, number: int) -> None:
        """The last command of a timer is refused as too early."""
        if (timer := self.named(number)) is None or (model := self.timers[timer]).sent_at is None:
            return
        await self._refuse(timer, model.attempts)
        assert model.lease_until is not None
        wait = min(MINUTE, timedelta(milliseconds=100) * 2 ** (model.attempts - 1))
        model.lease_until = min(model.lease_until, self.wall.at + wait)

    async def late_refusal(self, number: int) -> None:
        """The answer to a command before the last one comes late: it changes nothing."""
        if (timer := self.named(number)) is not None and self.timers[timer].attempts > 1:
            await self._refuse(timer, self.timers[timer].attempts - 1)

    async def _refuse(self, timer: UUID, attempt: int) -> None:
        lead = self.timers[timer].lead
        command = Command.model_validate(
            {
                "id": uuid5(timer, f"fire:{attempt}"),
                "lead": lead.id,
                "actor": {"id": "call", "kind": "robot"},
                "body": {"type": "fire", "timer": timer, "robot": "call"},
            }
        )
        value = refusal(command, "R1.not_due")
        await self.deliver(RawRecord(LEADS_REFUSALS.name, 0, 0, str(lead.id).encode(), value, [], 0))

    async def expire(self) -> None:
        await self.firing._expire()
        for model in self.timers.values():
            if model.sent_at is None or model.lease_until is None:
                continue
            if model.lease_until <= self.wall.at or model.sent_at > self.wall.at + timedelta(seconds=1):
                model.sent_at = model.lease_until = None

    async def lapse(self, seconds: int) -> None:
        """No outcome comes for a while; what was waited for too long goes out again."""
        await self.fire()
        self.wall.move(timedelta(seconds=seconds))
        await self.expire()
        await self.check()
        await self.fire()

    # --- what must hold -------------------------------------------------------------------------------------------

    async def check(self) -> None:
        found = await self.pool.fetch("SELECT timer, state, attempts, lease_until FROM leadline.timers")
        assert {row[0]: tuple(row)[1:] for row in found} == {
            timer: (model.state, model.attempts, model.lease_until) for timer, model in self.timers.items()
        }
        counted = await counts(self.pool)
        assert counted == {"armed": self.armed, **{o: self.gone[o] for o in OUTCOMES}, "rows": len(self.timers)}
        async with self.pool.acquire() as database:
            shown: list[Backlog] = await backlog(database, self.clock.at)
        assert sum(row.waiting for row in shown) == len(self.timers)
        assert not await self.pool.fetchval("SELECT count(*) FROM leadline.parked")


@pytest.fixture
async def way(settings: Settings) -> AsyncIterator[Way]:
    made = Way(settings)
    yield made
    await made.close()


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(actions=st.lists(ACTIONS, min_size=8, max_size=30))
async def test_N1_N2_timers_are_those_of_the_model_whatever_happens(
    settings: Settings, pool: Pool, way: Way, actions: list[tuple[Any, ...]]
) -> None:
    await pool.execute("TRUNCATE leadline.timers, leadline.timer_counts, leadline.seen, leadline.parked")
    world = World(settings, pool, way)
    names = {"clock": world._move_clock, "wall": world._move_wall}
    for name, *arguments in actions:
        await names.get(name, getattr(world, name))(*arguments)
        await world.check()
