"""The delivery service's process: the ledger's consumer, a worker of each way out, what sends lost reports again (decision 9).

Invariant: nothing is carried out before the ledger has read past the ends of its topics noted at the start, so that a ledger
that is built anew from the log repeats nothing that the log knows to be done. On failure: a lost Postgres or Kafka is
waited for; anything else ends `run` with the error and the process is started again; what was under way is found by its lease.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from prometheus_client import Gauge

from services.clock import Clock, clock_of
from services.database import Pool, open_pool
from services.delivery import store
from services.delivery.adapters import Way, making_of, ways_of
from services.delivery.handlers import BUILD, CONSUMER, TOPICS, Ledger
from services.delivery.reports import AGAIN_SECONDS, send_again
from services.delivery.watching import Watched
from services.delivery.worker import Worker
from services.eventlog import consuming
from services.eventlog.consuming.log import Log
from services.eventlog.consuming.records import Slot
from services.eventlog.consuming.trouble import TRANSIENT
from services.health import Health
from services.settings import Settings

LEDGER: Final = "effects"
"""The part of the service's health that says whether the ledger is as far as the log was at the start."""
LOOK_SECONDS: Final = 0.2
SECOND: Final = 1.0
GATHER_SECONDS: Final = 0.2
"""For which events that trickle in wait for more: a lone request goes at once, and a letter may wait so long."""
FIGURES_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 2.0

WAITING = Gauge("leadline_delivery_waiting", "Outward effects that wait or are under way.", ["provider"])
OLDEST = Gauge("leadline_delivery_oldest_seconds", "Age of the oldest of them, in business time.", ["provider"])

Result = TypeVar("Result")

log = structlog.get_logger("leadline.delivery")


async def run(
    settings: Settings,
    health: Health,
    stop: asyncio.Event,
    *,
    ways: Callable[[Settings], list[Way]] = ways_of,
    report_again: float = AGAIN_SECONDS,
    clock: Clock | None = None,
) -> None:
    """Deliver until `stop` is set; calls under way are finished. `ways`: the ways out (tests bring their own);
    `report_again`: seconds until a report of which no event came is sent again; `clock`: another than the settings'."""
    there = ways(settings)
    # a connection for each worker, and for consumer, reports and figures
    largest = len(there) + 4
    pool = await open_pool(settings.database_url, service="delivery", largest=largest, cleaned=False, by_index=True)
    try:
        watched = Watched(clock or clock_of(settings.clock, pool))
        making, patience = making_of(settings), timedelta(hours=settings.delivery_patience_hours)
        workers = [Worker(way, pool, watched, settings.master_key_bytes, making, patience, health) for way in there]

        def wake() -> None:
            for worker in workers:
                worker.wake()

        ledger, halt = Ledger(pool, watched, frozenset(making.staff), wake), asyncio.Event()
        health.expect(LEDGER)

        async def work() -> None:
            if await _caught_up(settings, pool, health, halt):
                await _patiently(lambda: _have_providers(pool, watched, there), halt)
                inner = asyncio.Event()
                parts = {worker.part: worker.run(inner) for worker in workers}
                parts["reports"] = _every_second(pool, watched, there, report_again, inner)
                await _until_one_ends(parts, halt, inner, settings.stop_within)

        consumed = consuming.consume(
            settings,
            pool,
            consumer=CONSUMER,
            build=BUILD,
            topics=[topic.name for topic in TOPICS],
            handle=ledger.handle,
            every_second=ledger.release,
            health=health,
            stop=halt,
            part="effects read",
            gather=GATHER_SECONDS,
        )
        await _until_one_ends({"consumer": consumed, "workers": work()}, stop, halt, settings.stop_within)
    finally:
        await _close(there)
        try:
            await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
        except TimeoutError:
            pool.terminate()


async def _until_one_ends(
    parts: Mapping[str, Coroutine[Any, Any, None]], stop: asyncio.Event, halt: asyncio.Event, within: float
) -> None:
    """Run the parts until `stop`, or until one fails; the others then end, calls under way finished. Raises its error."""
    tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
    asked: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({asked, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in tasks if task.done()]
        halt.set()
        if pending := {task for task in tasks if not task.done()}:
            await asyncio.wait(pending, timeout=within)
        for task in (*ended, *(task for task in tasks if task.done() and task not in ended)):
            task.result()
        if ended and not stop.is_set():
            raise RuntimeError(f"the part «{ended[0].get_name()}» ended by itself")
    finally:
        halt.set()
        for task in (asked, *tasks):
            task.cancel()
        await asyncio.gather(asked, *tasks, return_exceptions=True)


async def _caught_up(settings: Settings, pool: Pool, health: Health, halt: asyncio.Event) -> bool:
    """Wait until the ledger is as far as the log was when asked first, whichever process reads it. False: told to stop."""
    ends: dict[Slot, int] | None = None
    looking = Log(settings.kafka_bootstrap, settings.kafka_topic_prefix)
    partitions = {topic.name: topic.partitions or settings.kafka_partitions for topic in TOPICS}
    slots = [Slot(topic, number) for topic, count in partitions.items() for number in range(count)]

    async def behind() -> int:
        nonlocal ends
        if ends is None:
            _, ends = await looking.bounds(slots)
        async with pool.acquire() as connection:
            reached = await store.reached(connection, CONSUMER, BUILD)
        return sum(max(end - reached.get(slot, 0), 0) for slot, end in ends.items())

    while not halt.is_set():
        left = await _patiently(behind, halt)
        if left == 0:
            health.ready(LEDGER)
            return True
        if left is not None:
            health.work(LEDGER, f"reading the log, {left:,} records before anything is carried out")
        with suppress(TimeoutError):
            await asyncio.wait_for(halt.wait(), LOOK_SECONDS)
    return False


async def _have_providers(pool: Pool, clock: Clock, ways: Sequence[Way]) -> None:
    limits = {way.provider: None if way.by_call else way.per_minute for way in ways}
    now = await clock.now()
    async with pool.acquire() as connection, connection.transaction():
        await store.have_providers(connection, limits, now)


async def _every_second(
    pool: Pool, clock: Watched, ways: Sequence[Way], report_again: float, halt: asyncio.Event
) -> None:
    """Send reports again of which nothing came back; tell how much waits; a clock that goes back holds nothing up."""
    told = float("-inf")
    while not halt.is_set():
        now = await _patiently(clock.now, halt)
        if now is not None and clock.went_back():
            await _patiently(partial(_not_later, pool, now), halt)

        async def again() -> None:
            async with pool.acquire() as connection, connection.transaction():
                if sent := await send_again(connection, report_again):
                    log.warning("reports sent again", count=sent)

        await _patiently(again, halt)
        if time.monotonic() - told > FIGURES_SECONDS:
            told = time.monotonic()
            await _patiently(lambda: _tell(pool, clock, ways), halt)
        with suppress(TimeoutError):
            await asyncio.wait_for(halt.wait(), SECOND)


async def _not_later(pool: Pool, now: datetime) -> None:
    async with pool.acquire() as connection, connection.transaction():
        count = await store.due_no_later(connection, now)
    log.warning("the clock went back: what waited for a later time is due", effects=count)


async def _tell(pool: Pool, clock: Clock, ways: Sequence[Way]) -> None:
    now = await clock.now()
    async with pool.acquire() as connection:
        found = {provider: (count, since) for provider, count, since in await store.waiting(connection)}
    for provider in {way.provider for way in ways} | found.keys():
        count, since = found.get(provider, (0, now))
        WAITING.labels(provider).set(count)
        OLDEST.labels(provider).set(max((now - since).total_seconds(), 0.0))


async def _patiently(work: Callable[[], Awaitable[Result]], halt: asyncio.Event) -> Result | None:
    """Do the work, again and again while Postgres or Kafka is away. None: told to stop meanwhile."""
    while not halt.is_set():
        try:
            return await work()
        except TRANSIENT as error:
            log.warning("trouble", error=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(halt.wait(), SECOND)
    return None


async def _close(ways: Sequence[Way]) -> None:
    closing = [asyncio.create_task(way.adapter.close()) for way in ways if way.adapter is not None]
    if closing:
        await asyncio.wait(closing, timeout=CLOSE_SECONDS)
    for task in closing:
        task.cancel()
    await asyncio.gather(*closing, return_exceptions=True)
