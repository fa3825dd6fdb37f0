"""The worker of one way out: takes what is due, has the adapter carry it out, stores what came of it (decision 9, 0023).

Invariants: an attempt is committed (`working`, with a lease) before its call, its outcome in one transaction with its report
after; an outcome in hand is stored however long Postgres is away. Where the other side tells repeats, several calls go side by
side; where it does not, one effect at a time is under way in a process, so a crash leaves one in doubt at most: those after it
are only reserved. A way's trouble holds up nothing but that way. Personal values live for one call; nothing of them is logged.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog

from services.clock import Clock
from services.database import Database, Pool
from services.delivery import domain, store
from services.delivery.adapters import Way
from services.delivery.calls import Called, call
from services.delivery.domain import Effect
from services.delivery.making import Making, Unsendable
from services.delivery.reports import send_reports
from services.delivery.requests import Made, orders_of
from services.eventlog.consuming.trouble import TRANSIENT
from services.health import Health

IDLE_SECONDS = 0.5
"""Between two looks for what is due, when nobody said that something is."""
LEASE_MARGIN = 30.0
"""Beyond the longest call: to store its outcome."""
AHEAD = 25
"""Effects reserved together where they go one by one."""
RESERVED_SECONDS = 30.0
"""So long they are nobody else's; taken by another process after that, they are not ours any more."""
FRESH_SECONDS = 1.0
"""How old a request that was opened may be when it goes: whoever was erased meanwhile gets nothing."""
STUCK_MARGIN = 120.0
AGAIN_SECONDS = 0.5
LONGEST_AGAIN = 5.0
TRIES_AT_STOP = 10
"""To store what came of a call, when told to stop."""

Result = TypeVar("Result")

log = structlog.get_logger("leadline.delivery")


class _Reserved:
    """Effects that will go one by one. `mark`: by which the ledger knows whose they are."""

    def __init__(self, effects: Sequence[Effect], mark: datetime) -> None:
        self.waiting, self.mark = deque(effects), mark
        self.orders: Mapping[UUID, Made] = {}
        self.opened_at = float("-inf")

    @property
    def fresh(self) -> bool:
        """Whether the orders are new enough to go."""
        return time.monotonic() - self.opened_at < FRESH_SECONDS


class Worker:
    """Carries out the effects of one way. `draw` gives random numbers from 0 to 1."""

    def __init__(
        self,
        way: Way,
        pool: Pool,
        clock: Clock,
        master: bytes,
        making: Making,
        patience: timedelta,
        health: Health,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._way, self._pool, self._clock, self._master = way, pool, clock, master
        self._making, self._patience, self._health, self._draw = making, patience, health, draw
        self._part = f"way {way.provider}"
        self._running: dict[asyncio.Task[Called], Sequence[Effect]] = {}
        self._reserved: _Reserved | None = None
        self._pause = domain.CLEAR
        self._idle_before = False
        self._due = asyncio.Event()

    def wake(self) -> None:
        """Something may be due."""
        self._due.set()

    @property
    def part(self) -> str:
        """Its name in the service's health."""
        return self._part

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; calls under way are finished first. Raises what no other try mends."""
        self._health.expect(self._part, limit=self._way.call_seconds + STUCK_MARGIN)
        self._health.ready(self._part)
        trouble = AGAIN_SECONDS
        try:
            while self._running or not stop.is_set():
                self._health.beat(self._part)
                self._due.clear()
                wait = IDLE_SECONDS
                try:
                    if not stop.is_set():
                        wait = await self._begin(stop)
                        self._health.ready(self._part)
                        trouble = AGAIN_SECONDS
                except TRANSIENT as error:
                    self._told(error)
                    wait, trouble = trouble, min(trouble * 2, LONGEST_AGAIN)
                if wait > 0 or self._running:
                    await self._settle(await self._ended(stop, min(wait, IDLE_SECONDS)), stop)
            await self._let_go()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _begin(self, stop: asyncio.Event) -> float:
        """Begin calls, if something is due and may go. Seconds until it is worth looking again."""
        free = self._way.at_once - len(self._running)
        if 2 * free <= self._way.at_once and self._running:
            return IDLE_SECONDS
        if self._reserved is None:
            now = await self._clock.now()
            if self._idle_before and not await self._any_due(now):
                return IDLE_SECONDS
            effects, wait = await self._claim(now, free)
            self._idle_before = not effects
            if not effects:
                return wait
            if self._way.tells_repeats:
                orders = await self._patiently(lambda: self._orders(effects), stop)
                # None: told to stop with Postgres away; nothing was sent, the leases end by themselves
                if orders is not None:
                    for together in [[e] for e in effects] if self._way.most == 1 else [effects]:
                        self._start(together, orders, now)
                return 0.0
        async with self._pool.acquire() as connection, connection.transaction():
            taken = await self._take(connection)
        await self._start_taken(taken, stop)
        return 0.0

    async def _any_due(self, now: datetime) -> bool:
        """Asked first while there was nothing: one statement, where a claim is a transaction of several."""
        async with self._pool.acquire() as connection:
            return await store.any_due(connection, self._way.provider, now)

    async def _claim(self, now: datetime, free: int) -> tuple[list[Effect], float]:
        """Take what is due and may go, each attempt written and committed (only reserved where it will go one by one); else
        seconds to wait."""
        way = self._way
        alone = not way.tells_repeats
        async with self._pool.acquire() as connection, connection.transaction():
            self._pause, bucket, seconds = await store.hold_provider(connection, way.provider)
            if self._pause.until is not None and self._pause.until > now:
                return [], IDLE_SECONDS
            if self._pause.failures and self._running:
                return [], IDLE_SECONDS  # one finds out whether the provider works again
            mine = [effect.effect for effects in self._running.values() for effect in effects]
            first = await store.next_due(connection, way.provider, now, mine)
            if first is None:
                return [], IDLE_SECONDS
            most = way.most
            if most == 1 and not self._pause.failures:
                most = AHEAD if alone else free
            if way.per_minute is not None:
                burst = domain.burst_of(way.per_minute, 1 if way.by_call else most)
                later = burst - 1 if alone else 0
                wanted = 1 if way.by_call else most
                granted, bucket, wait = domain.draw_tokens(bucket, way.per_minute, burst, wanted, seconds, later=later)
                if not granted:
                    return [], wait
                most = most if way.by_call else granted
            found = [first, *await store.due_with(connection, first, now, most, mine)]
            if bucket is not None and way.per_minute is not None:
                unused = 0 if way.by_call else most - len(found)
                await store.keep_bucket(connection, way.provider, domain.Bucket(bucket.tokens + unused, bucket.at))
            if alone:
                reserved = _Reserved(found, await store.reserve(connection, found, RESERVED_SECONDS))
            else:
                found = [domain.taken(effect, tells_repeats=True) for effect in found]
                await store.lease(connection, found, way.call_seconds + LEASE_MARGIN)
        if alone:
            self._reserved = reserved
        return found, 0.0

    async def _take(self, connection: Database) -> Effect | None:
        """The next of those reserved, under way from this transaction's commit on; None: none is left that is ours."""
        reserved = self._reserved
        if reserved is None:
            return None
        for effect in reserved.waiting:
            taken = domain.taken(effect, tells_repeats=False)
            if await store.take(connection, taken, reserved.mark, self._way.call_seconds + LEASE_MARGIN):
                return taken
        return None

    async def _start_taken(self, effect: Effect | None, stop: asyncio.Event) -> None:
        reserved = self._reserved
        if effect is None or reserved is None:
            self._reserved = None
            return
        while reserved.waiting.popleft().effect != effect.effect:
            pass  # those before it are not ours any more
        now = await self._patiently(self._clock.now, stop)
        if now is not None and not reserved.fresh:
            opened_at, ahead = time.monotonic(), [effect, *reserved.waiting]
            orders = await self._patiently(lambda: self._orders(ahead), stop)
            reserved.orders, reserved.opened_at = orders or {}, opened_at
        if now is not None and effect.effect in reserved.orders:
            self._start([effect], reserved.orders, now)

    def _start(self, effects: Sequence[Effect], orders: Mapping[UUID, Made], now: datetime) -> None:
        self._running[asyncio.create_task(call(self._way, effects, orders, now))] = effects

    async def _ended(self, stop: asyncio.Event, seconds: float) -> list[Called]:
        """The calls that have ended, waiting for one for so long at most, or for a word of `stop` or `wake`."""
        words = {asyncio.create_task(self._due.wait())} if len(self._running) < self._way.at_once else set()
        if not stop.is_set():
            words.add(asyncio.create_task(stop.wait()))
        try:
            await asyncio.wait({*self._running, *words}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for word in words:
                word.cancel()
        ended = [task for task in self._running if task.done()]
        return [task.result() for task in ended if self._running.pop(task) is not None]

    async def _settle(self, ended: Sequence[Called], stop: asyncio.Event) -> None:
        """Store what came of these calls, and begin the next of those reserved in the same transaction."""
        if not ended:
            return
        now = await self._patiently(self._clock.now, stop)
        if now is None:
            return

        async def store_and_take() -> Effect | None:
            async with self._pool.acquire() as connection, connection.transaction():
                await self._store(connection, ended, now)
                if self._pause.until is not None or stop.is_set():
                    return None
                return await self._take(connection)

        taken = await self._patiently(store_and_take, stop)
        if taken is not None:
            await self._start_taken(taken, stop)
        elif self._reserved is not None:
            await self._patiently(self._let_go, stop)

    async def _store(self, connection: Database, ended: Sequence[Called], now: datetime) -> None:
        """Store outcomes and report the answers. A row that another worker took meanwhile, or that an event closed, is left to
        them; that it was done is stored all the same."""
        before = [effect for each in ended for effect in each.effects]
        held = await store.hold(connection, [effect.effect for effect in before])
        rows = []
        for each in ended:
            for effect in each.effects:
                order = each.orders[effect.effect]
                if isinstance(order, Unsendable):
                    after = domain.without_trying(effect, order.reason)
                else:
                    after = domain.after(effect, each.outcomes[effect.effect], now, self._patience, self._draw())
                rows.append(_as_it_stands(held.get(effect.effect), after, (effect.round, effect.attempts)))
        stored = [row for row in rows if row is not None]
        await store.save(connection, stored)
        await send_reports(connection, [row for row in stored if row.state == "answered"])
        heard = [(each.began, outcome) for each in ended for outcome in each.heard]
        if self._pause == domain.CLEAR and domain.pause_after(domain.CLEAR, heard, now, 0.0) in (None, domain.CLEAR):
            return  # it worked when we asked, and works
        held_pause, _, _ = await store.hold_provider(connection, self._way.provider)
        self._pause = domain.pause_after(held_pause, heard, now, self._draw()) or held_pause
        if self._pause != held_pause:
            await store.keep_pause(connection, self._way.provider, self._pause)

    async def _orders(self, effects: Sequence[Effect]) -> dict[UUID, Made]:
        async with self._pool.acquire() as connection:
            return await orders_of(connection, effects, self._master, self._making)

    async def _let_go(self) -> None:
        """What is only reserved is everybody's again."""
        reserved, self._reserved = self._reserved, None
        if reserved is not None and reserved.waiting:
            with suppress(*TRANSIENT):  # it ends by itself
                async with self._pool.acquire() as connection:
                    await store.release(connection, [effect.effect for effect in reserved.waiting], reserved.mark)

    def _told(self, error: BaseException) -> None:
        log.warning("trouble", way=self._way.provider, error=type(error).__name__)
        self._health.unready(self._part, f"Postgres: {type(error).__name__}")

    async def _patiently(self, work: Callable[[], Awaitable[Result]], stop: asyncio.Event) -> Result | None:
        """Do the work, again while Postgres is away: what was sent must not be forgotten. None: told to stop meanwhile."""
        wait, asked = AGAIN_SECONDS, 0
        while True:
            try:
                return await work()
            except TRANSIENT as error:
                asked += stop.is_set()
                if asked > TRIES_AT_STOP:
                    return None
                self._told(error)
                self._health.beat(self._part)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)
            if stop.is_set():
                await asyncio.sleep(AGAIN_SECONDS)
            wait = min(wait * 2, LONGEST_AGAIN)


def _as_it_stands(held: Effect | None, row: Effect, tried: tuple[int, int]) -> Effect | None:
    """What is to be stored of an outcome, the row standing as `held`; None: nothing."""
    if held is None or held.round != row.round:
        return None
    if held.state == "failed":
        return domain.after_closed(held, row)
    ours = held.state in ("waiting", "working") and ((held.round, held.attempts) == tried or row.outcome == "done")
    return row if ours else None
