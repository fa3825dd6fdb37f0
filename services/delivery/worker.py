"""The worker of one way out: takes what is due, has the adapter carry it out, stores what came of it (decision 9).

Invariants: an attempt is committed (`working`, with a lease) before its call, its outcome in one transaction with its report
after; an outcome in hand is stored however long Postgres is away. A way's trouble holds up nothing but that way. What an adapter
raises although it should not counts as an answer that was lost. Personal values live for one call; nothing of them is logged.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from prometheus_client import Counter

from contracts.events import EffectRepeated, EffectRequested
from services.clock import Clock
from services.database import Database, Pool
from services.delivery import domain, store
from services.delivery.adapters import Way
from services.delivery.domain import Effect
from services.delivery.making import INCOMPLETE, Making, Order, Shown, Unsendable
from services.delivery.notices import as_effect
from services.delivery.port import Done, Later, Outcome
from services.delivery.reports import send_reports
from services.eventlog.consuming.trouble import TRANSIENT
from services.eventlog.mapper import MalformedError, decode, keys_of, peek
from services.health import Health
from services.privacy.cipher import TamperedError
from services.privacy.store import KeyRing

IDLE_SECONDS = 0.5
"""Between two looks for what is due, when nobody said that something is."""
LEASE_MARGIN = 30.0
"""Beyond the longest call: to store its outcome."""
STUCK_MARGIN = 120.0
AGAIN_SECONDS = 0.5
LONGEST_AGAIN = 5.0
TRIES_AT_STOP = 10
"""To store what came of a call, when told to stop."""

Result = TypeVar("Result")

OUTCOMES = Counter(
    "leadline_delivery_attempts", "Attempts at outward effects, by what came of them.", ["provider", "outcome"]
)

log = structlog.get_logger("leadline.delivery")


class Worker:
    """Carries out the effects of one way, one call at a time. `number`: which of the way's workers it is, from 0; `draw` gives
    random numbers from 0 to 1."""

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
        number: int = 0,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._way, self._pool, self._clock, self._master = way, pool, clock, master
        self._making, self._patience, self._health, self._draw = making, patience, health, draw
        self._part = f"way {way.provider}" + (f" {number + 1}" if number else "")
        self._mine: set[UUID] = set()
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
        """Work until `stop`; a call under way is finished first. Raises what no other try mends."""
        self._health.expect(self._part, limit=self._way.call_seconds + STUCK_MARGIN)
        self._health.ready(self._part)
        trouble = AGAIN_SECONDS
        while not stop.is_set():
            self._health.beat(self._part)
            self._due.clear()
            try:
                wait = await self._round(stop)
                self._health.ready(self._part)
                trouble = AGAIN_SECONDS
            except TRANSIENT as error:
                log.warning("trouble", way=self._way.provider, error=type(error).__name__)
                self._health.unready(self._part, f"Postgres: {type(error).__name__}")
                wait, trouble = trouble, min(trouble * 2, LONGEST_AGAIN)
            if wait > 0:
                await self._idle(stop, min(wait, IDLE_SECONDS))

    async def _idle(self, stop: asyncio.Event, seconds: float) -> None:
        waits = {asyncio.create_task(stop.wait()), asyncio.create_task(self._due.wait())}
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _round(self, stop: asyncio.Event) -> float:
        """One call, if something is due and may go. Seconds until it is worth looking again."""
        now = await self._clock.now()
        if self._idle_before and not await self._any_due(now):
            return IDLE_SECONDS
        effects, wait = await self._claim(now)
        self._idle_before = not effects
        if not effects:
            return wait
        self._mine.update(effect.effect for effect in effects)
        try:
            await self._carry_out(effects, stop)
        finally:
            self._mine.difference_update(effect.effect for effect in effects)
        return 0.0

    async def _any_due(self, now: datetime) -> bool:
        """Asked first while there was nothing: one statement, where a claim is a transaction of several."""
        async with self._pool.acquire() as connection:
            return await store.any_due(connection, self._way.provider, now)

    async def _claim(self, now: datetime) -> tuple[list[Effect], float]:
        """Take what is due and may go, each attempt written and committed; else seconds to wait."""
        way = self._way
        async with self._pool.acquire() as connection, connection.transaction():
            pause, bucket, seconds = await store.hold_provider(connection, way.provider)
            if pause.until is not None and pause.until > now:
                return [], IDLE_SECONDS
            first = await store.next_due(connection, way.provider, now, self._mine)
            if first is None:
                return [], IDLE_SECONDS
            most = way.most
            if way.per_minute is not None:
                burst = domain.burst_of(way.per_minute, 1 if way.by_call else most)
                granted, bucket, wait = domain.draw_tokens(
                    bucket, way.per_minute, burst, 1 if way.by_call else most, seconds
                )
                if not granted:
                    return [], wait
                most = most if way.by_call else granted
            found = [first, *await store.due_with(connection, first, now, most, self._mine)]
            if bucket is not None and way.per_minute is not None:
                unused = 0 if way.by_call else most - len(found)
                await store.keep_bucket(connection, way.provider, domain.Bucket(bucket.tokens + unused, bucket.at))
            effects = [domain.taken(effect, tells_repeats=way.tells_repeats) for effect in found]
            await store.lease(connection, effects, way.call_seconds + LEASE_MARGIN)
        return effects, 0.0

    async def _carry_out(self, effects: Sequence[Effect], stop: asyncio.Event) -> None:
        orders = await self._patiently(lambda: self._orders(effects), stop)
        if orders is None:
            return  # told to stop with Postgres away: nothing was sent, the lease ends by itself
        going = [(effect, order) for effect, order in orders if not isinstance(order, Unsendable | Shown)]
        outcomes: dict[UUID, Outcome] = {e.effect: Done() for e, order in orders if isinstance(order, Shown)}
        answered = await self._call([order for _, order in going]) if going else []
        outcomes.update({effect.effect: outcome for (effect, _), outcome in zip(going, answered, strict=True)})
        for outcome in answered:
            OUTCOMES.labels(self._way.provider, type(outcome).__name__.lower()).inc()
        now = await self._patiently(self._clock.now, stop)
        if now is None:
            return
        after: list[Effect] = []
        for effect, order in orders:
            if isinstance(order, Unsendable):
                after.append(domain.without_trying(effect, order.reason))
            else:
                after.append(domain.after(effect, outcomes[effect.effect], now, self._patience, self._draw()))
        await self._patiently(lambda: self._store(effects, after, answered, now), stop)

    async def _call(self, orders: Sequence[Order]) -> Sequence[Outcome]:
        way, began = self._way, time.monotonic()
        assert way.adapter is not None or not orders, "only the app has no adapter, and it sends nothing"
        doubt = not way.tells_repeats
        failed: Later
        try:
            async with asyncio.timeout(way.call_seconds):
                outcomes = await way.adapter.carry_out(orders) if way.adapter is not None else []
            if len(outcomes) == len(orders):
                return outcomes
            failed = Later("internal: the adapter answered for another number of effects", in_doubt=doubt)
        except TimeoutError:
            failed = Later("no_answer: the call was cut off", in_doubt=doubt)
        except Exception as error:
            # a defect of the adapter's; its text may quote what was sent
            log.error("the adapter failed", way=way.provider, error=type(error).__name__)
            failed = Later(f"internal: {type(error).__name__}", in_doubt=doubt)
        log.warning("no outcome", way=way.provider, seconds=round(time.monotonic() - began, 1))
        return [failed] * len(orders)

    async def _orders(self, effects: Sequence[Effect]) -> list[tuple[Effect, Order | Unsendable | Shown]]:
        """What is to be sent, read from the event store and opened now: a key destroyed a moment ago opens nothing."""
        places = {(effect.stream, effect.version) for effect in effects}
        places |= {(e.stream, e.repeated_version) for e in effects if e.repeated_version is not None}
        async with self._pool.acquire() as connection:
            stored = await store.events_at(connection, places)
            records: dict[tuple[UUID, int], dict[str, Any]] = {}
            keys: set[UUID] = set()
            for place, event in stored.items():
                with suppress(MalformedError, TamperedError):  # named below, where it lacks
                    record = peek(event.state)
                    keys |= keys_of([record])
                    records[place] = record
            ring = KeyRing(self._master)
            await ring.load(connection, keys)
        made: list[tuple[Effect, Order | Unsendable | Shown]] = []
        for effect in effects:
            try:
                asked = decode(records[(effect.stream, effect.version)], ring)
                again = effect.repeated_version
                repeat = None if again is None else as_effect(decode(records[(effect.stream, again)], ring).data)
                request = as_effect(asked.data)
                assert isinstance(request, EffectRequested), "the ledger names the request"
                assert repeat is None or isinstance(repeat, EffectRepeated), "the ledger names the repeat"
                made.append((effect, self._making.order(effect, request, repeat, asked.meta)))
            except (KeyError, MalformedError, TamperedError, AssertionError) as error:
                log.error("a request cannot be read", way=self._way.provider, error=type(error).__name__)
                made.append((effect, Unsendable(f"{INCOMPLETE} ({type(error).__name__})")))
        return made

    async def _store(
        self, before: Sequence[Effect], after: Sequence[Effect], outcomes: Sequence[Outcome], now: datetime
    ) -> None:
        """Store the outcomes and report the answers, in one transaction. A row that another worker took meanwhile, or that an
        event closed, is left to them; that it was done is stored all the same."""
        tries = {effect.effect: (effect.round, effect.attempts) for effect in before}
        async with self._pool.acquire() as connection, connection.transaction():
            held = await store.hold(connection, tries)
            rows = [
                found
                for row in after
                if (found := _as_it_stands(held.get(row.effect), row, tries[row.effect])) is not None
            ]
            await store.save(connection, rows)
            await send_reports(connection, [row for row in rows if row.state == "answered"])
            await self._store_pause(connection, outcomes, now)

    async def _store_pause(self, connection: Database, outcomes: Sequence[Outcome], now: datetime) -> None:
        held, _, _ = await store.hold_provider(connection, self._way.provider)
        pause = domain.pause_after(held.failures, outcomes, now, self._draw())
        if pause is not None and pause != held:
            await store.keep_pause(connection, self._way.provider, pause)

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
                log.warning("trouble", way=self._way.provider, error=type(error).__name__)
                self._health.beat(self._part)
                self._health.unready(self._part, f"Postgres: {type(error).__name__}")
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
