"""Fires timers: what is due becomes commands on `leads.commands`, the longest due first (decision 8; N1, N2, N7).

One round: the due timers are taken in a transaction that holds their rows, their commands published (one for those of a lead
that are due together), then marked as sent, and the transaction ends. Killed in between, the rows are pending again at once and
the same commands go out a second time under the same ids. What was sent and has no outcome within its wait becomes pending again;
its next command has another id. Business time says what is due, the world's time how long an outcome is waited for; both may
jump: a timer that the aggregate finds too early is tried again, and a wait that lies in the future of a clock set back is over.

Invariants: nothing is fired before the gate is open, nor by a build that is not live. No limit on what is on its way: a lead,
a robot or the aggregate service that does not come on holds up nobody else. Kafka or Postgres away: waited for with back-off.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from contracts.topics import LEADS_COMMANDS
from services.clock import Clock
from services.database import LOST, Pool
from services.eventlog.consuming.log import Log
from services.eventlog.consuming.records import Slot
from services.health import Health
from services.robots import metrics, store
from services.robots.domain import Due, command_of, fairly, wait_after
from services.robots.gate import Gate
from services.robots.publishing import Commands, CommandsNotSentError
from services.robots.store import Sent

PART: Final = "firing"
BATCH: Final = 500
POLL_SECONDS: Final = 0.2
EXPIRE_SECONDS, LONGEST_EXPIRE_SECONDS = 0.1, 2.0
"""Between two looks for outcomes that did not come: each asks the broker how far the topic is, so they get rarer while what is
overdue only waits to be read."""
MOST_UNREAD: Final = 1_000
"""Events on the topics that are not read yet; with more of them nothing is taken for lost."""
SHOW_SECONDS: Final = 5.0
STUCK_SECONDS: Final = 90.0
FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 5.0
GATE_SECONDS: Final = 0.05

PASSING = (
    *LOST,
    KafkaError,
    CommandsNotSentError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)

log = structlog.get_logger("leadline.robots")


class Firing:
    """The loop. `clock`: business time; `wall`: the world's time; `outcome_within`: how long a first outcome is waited for."""

    def __init__(
        self,
        pool: Pool,
        kafka: Log,
        gate: Gate,
        commands: Commands,
        clock: Clock,
        wall: Clock,
        *,
        outcome_within: timedelta,
        partitions: int,
    ) -> None:
        self._pool, self._kafka, self._gate, self._commands = pool, kafka, gate, commands
        self._clock, self._wall, self._outcome_within = clock, wall, outcome_within
        self._slots = [Slot(LEADS_COMMANDS.name, number) for number in range(partitions)]
        self._news = asyncio.Event()
        self._expire_at = self._show_at = float("-inf")
        self._expire_pause = EXPIRE_SECONDS

    def wake(self) -> None:
        """Timers were armed."""
        self._news.set()

    async def run(self, health: Health, stop: asyncio.Event) -> None:
        """Fire until `stop`; the running round is finished."""
        health.expect(PART, limit=STUCK_SECONDS)
        backoff = FIRST_BACKOFF
        while not stop.is_set():
            health.beat(PART)
            try:
                pause = await self._round(health)
            except PASSING as error:
                health.unready(PART, f"waiting for Kafka or Postgres: {type(error).__name__}")
                log.warning("trouble", error=type(error).__name__, seconds=backoff)
                pause, backoff = backoff, min(LONGEST_BACKOFF, backoff * 2)
                await _either(stop, None, pause)
            else:
                backoff = FIRST_BACKOFF
                await _either(stop, self._news, pause)
        health.unready(PART, "stopped")

    async def _round(self, health: Health) -> float:
        """Fire what is due; seconds until the next look."""
        if left := await self._gate.behind():
            health.work(PART, f"reading on first: {left:,} records that stood on the topics at the start")
            return GATE_SECONDS
        health.ready(PART)
        self._news.clear()
        began = time.monotonic()
        await self._show(began)
        async with self._pool.acquire() as database:
            ahead = await store.ahead(database, await self._wall.now())
        if ahead.expired and began >= self._expire_at:
            await self._expire()
            self._expire_at = time.monotonic() + self._expire_pause
            return 0.0
        now = await self._clock.now()
        if ahead.due_at is None or ahead.due_at > now:
            # the longer a look takes (a long transaction of a BI tool keeps what was deleted), the rarer they are
            rest = max(POLL_SECONDS, 5 * (time.monotonic() - began))
            return rest if ahead.due_at is None else min(rest, (ahead.due_at - now).total_seconds())
        fired = await self.fire(now)
        return 0.0 if fired else POLL_SECONDS  # none: another instance holds them all

    async def fire(self, now: datetime) -> int:
        """One batch of what is due at `now`; how many timers were fired. Raises one of `PASSING`, nothing being marked then."""
        async with self._pool.acquire() as database, database.transaction():
            if not await store.hold_live(database):
                log.warning("not the live build: nothing is fired")
                return 0
            lists = fairly(await store.claim_due(database, now, BATCH))
            if not lists:
                return 0
            places = await self._commands.send([command_of(first, also) for first, *also in lists])
            at = await self._wall.now()
            sent = [
                Sent(
                    one.armed.timer,
                    one.attempts + 1,
                    partition,
                    offset,
                    at + wait_after(one.attempts + 1, self._outcome_within),
                )
                for together, (partition, offset) in zip(lists, places, strict=True)
                for one in together
            ]
            await store.mark_sent(database, sent, at)
        await self._measure([one for together in lists for one in together])
        return len(sent)

    async def _measure(self, due: list[Due]) -> None:
        now = await self._clock.now()
        again = sum(one.attempts > 0 for one in due)
        metrics.SENT.labels("no").inc(len(due) - again)
        metrics.SENT.labels("yes").inc(again)
        for one in due:
            if one.attempts == 0:
                metrics.LATE.observe(max(0.0, (now - one.armed.due_at).total_seconds()))

    async def _expire(self) -> None:
        if (
            await self._gate.unread() > MOST_UNREAD
        ):  # their outcomes may stand there: sending again would only add to the heap
            self._expire_pause = LONGEST_EXPIRE_SECONDS
            return
        _, ends = await self._kafka.bounds(self._slots)
        async with self._pool.acquire() as database, database.transaction():
            if not await store.hold_live(database):
                return
            again = await store.expire(database, await self._wall.now(), ends, LEADS_COMMANDS.name, BATCH)
        self._expire_pause = EXPIRE_SECONDS if again else min(LONGEST_EXPIRE_SECONDS, self._expire_pause * 2)

    async def _show(self, monotonic: float) -> None:
        if monotonic < self._show_at:
            return
        self._show_at = monotonic + SHOW_SECONDS
        now = await self._clock.now()
        async with self._pool.acquire() as database:
            metrics.show(await store.backlog(database, now), now)


async def _either(stop: asyncio.Event, news: asyncio.Event | None, seconds: float) -> None:
    """Wait until one of them is set, at most so long."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    waiting = [asyncio.ensure_future(event.wait()) for event in (stop, news) if event is not None]
    try:
        with suppress(TimeoutError):
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
