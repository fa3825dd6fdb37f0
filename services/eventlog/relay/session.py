"""One relay at work: it holds the locks, topic and store agree; outbox to Kafka until something goes wrong.

Invariants: an outbox row is deleted `hold` seconds after its acknowledgement (an acknowledgement means the broker's memory,
not its disk), with the positions, in one transaction, on the connection that holds the locks. Raises RelayStoppedError
(start over), StandAsideError (let go for a while), RelayRefusesError (a person must act), one of `LOST`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError

from contracts.topics import FOR_EVER, TOPICS
from services.eventlog.relay import metrics, store
from services.eventlog.relay.comparing import SINGLE_WRITER
from services.eventlog.relay.errors import RelayRefusesError, RelayStoppedError, StandAsideError
from services.eventlog.relay.headers import Outgoing, event_record, message_record
from services.eventlog.relay.lock import ShardConnection
from services.eventlog.relay.protocol import Agreed
from services.eventlog.relay.publishing import Landed, Publisher
from services.eventlog.relay.reading import TopicReader
from services.eventlog.relay.taking import OutboxReader
from services.health import Health
from services.settings import Settings

SHORTEST_PAUSE: Final = 0.004
LONGEST_PAUSE: Final = 0.020
"""Seconds between polls: after traffic, and when there has been none for a while."""
GATHER_SECONDS: Final = 0.025
LARGE: Final = 500
"""After a poll that found some rows, but not so many, the next one waits for more: a poll, a batch of Kafka's and a transaction
of every reader cost much the same for one row as for a hundred. The first row after a rest waits for nothing."""
FINISH_SECONDS: Final = 0.25
FINISH_ROWS: Final = 20_000
CHORES_SECONDS: Final = 1.0
WATCH_SECONDS: Final = 5.0

KEPT: Final = frozenset(topic.name for topic in TOPICS if topic.retention_ms == FOR_EVER)

log = structlog.get_logger(__name__)


class Session:
    """What `agree` found, made into work. `run` returns when told to stop."""

    def __init__(
        self,
        shard: ShardConnection,
        settings: Settings,
        reader: TopicReader,
        publisher: Publisher,
        agreed: Agreed,
        hold: float,
        health: Health,
    ) -> None:
        self._shard, self._settings, self._reader, self._health = shard, settings, reader, health
        self._counts, self._hold = agreed.counts, hold
        self.publisher = publisher
        publisher.begin(agreed.ends)
        now = time.monotonic()
        self._held: deque[Landed] = deque(
            Landed(place, tail.end, tail.last_id, tail.rows, now) for place, tail in agreed.tails.items()
        )
        self._outbox = OutboxReader(shard, (n for tail in agreed.tails.values() for n in tail.rows))
        self._finished = self._chores = self._watched = now
        self._watch: asyncio.Task[None] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`, then wait for what is on its way. The publisher is to be closed by the caller."""
        publisher, pause, due = self.publisher, SHORTEST_PAUSE, 0.0
        try:
            while not stop.is_set():
                self._health.beat("relay")
                publisher.news.clear()
                now = time.monotonic()
                if now >= due:
                    rows, more = await self._take()
                    publisher.add(self._records(rows))
                    pause = SHORTEST_PAUSE if rows or publisher.in_flight else min(LONGEST_PAUSE, pause * 1.3)
                    wait = GATHER_SECONDS if 0 < len(rows) < LARGE else pause
                    due = now if more and publisher.room else now + wait
                await publisher.pump()
                await self._finish_held()
                await self._do_chores()
                # an acknowledgement lets the next batch of its partition go, and is no reason to ask Postgres again
                with suppress(TimeoutError):
                    async with asyncio.timeout(due - time.monotonic()):
                        await publisher.news.wait()
        finally:
            if self._watch is not None:
                self._watch.cancel()
        await publisher.settle(self._settings.stop_within / 3)

    async def _take(self) -> tuple[list[Any], bool]:
        if not self.publisher.room:
            await self._shard.alive()
            return [], False
        rows, more = await self._outbox.poll()
        return rows + await self._outbox.sweep(), more

    def _records(self, rows: list[Any]) -> Iterator[Outgoing]:
        now, moment = time.monotonic(), datetime.now(UTC)
        since: dict[datetime, float] = {}
        for n, topic, key, headers, value, state, digest, recorded_at in rows:
            count = self._counts[topic]
            if value is not None:
                if headers is None:
                    raise RelayRefusesError(
                        f"outbox row {n} for {topic} has a value and no headers: it cannot be published"
                    )
                keep = topic in KEPT
                yield message_record(n, topic, count, key, headers, value, keep_time=keep, since=now)
            elif state is None:
                raise RelayRefusesError(
                    f"outbox row {n} for {topic} names an event that the store does not have (key {key})"
                )
            else:
                if (began := since.get(recorded_at)) is None:
                    # a practice system's events have times of their own: there the age counts from now on
                    age = 0.0 if self._settings.clock else max(0.0, (moment - recorded_at).total_seconds())
                    began = since[recorded_at] = now - age
                yield event_record(n, topic, count, state, digest, recorded_at, began)

    async def _finish_held(self) -> None:
        """Delete what was acknowledged long enough ago."""
        self._held.extend(self.publisher.landed)
        self.publisher.landed.clear()
        now = time.monotonic()
        if now - self._finished < FINISH_SECONDS:
            return
        self._finished = now
        rows: list[int] = []
        taken: dict[tuple[str, int], store.Taken] = {}
        while self._held and self._held[0].at + self._hold <= now and len(rows) < FINISH_ROWS:
            landed = self._held.popleft()
            rows += landed.rows
            taken[landed.place] = store.Taken(*landed.place, landed.next_offset, landed.last_id)
        if taken:
            await store.finish(self._shard.database, rows, list(taken.values()))
            self._outbox.forget(rows)

    async def _do_chores(self) -> None:
        now = time.monotonic()
        if now - self._chores < CHORES_SECONDS:
            return
        self._chores = now
        metrics.WAITING.set(self.publisher.waiting)
        oldest = self.publisher.oldest()
        metrics.LAG.set(0.0 if oldest is None else now - oldest)
        if await self._shard.wanted_aside():
            await self.publisher.settle(5.0)
            raise StandAsideError
        if self._watch is not None and self._watch.done():
            self._watch.result()
            self._watch = None
        if self._watch is None and now - self._watched >= WATCH_SECONDS:
            self._watched = now
            self._watch = asyncio.create_task(self._compare_ends())

    async def _compare_ends(self) -> None:
        """Do the topics end where we left them? Nobody would notice a lost folder otherwise, until the next record."""
        publisher = self.publisher
        before = {place: offset for place, offset in publisher.expected.items() if place[0] in SINGLE_WRITER}
        try:
            ends = await self._reader.ends(before)
        except (KafkaError, TimeoutError, OSError) as error:
            raise RelayStoppedError(f"Kafka does not answer: {error!r}") from error
        for place, end in ends.items():
            after = publisher.expected[place] + publisher.on_its_way(place)
            if not before[place] <= end <= after:
                raise RelayStoppedError(
                    f"{place[0]}[{place[1]}] ends at {end}, but the relay left it at {before[place]}: the log was cut short, "
                    "or somebody else wrote"
                )
