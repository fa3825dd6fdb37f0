"""Feeds events to projections: one decode per event, one transaction per batch (decision 11).

Invariants: the input's position, what was seen of each stream, the rows of every projection and the parked records are
written in one transaction, so each event is applied once to all or to none. A record that cannot be applied is parked
with its stream's later ones and the rest flows on. After `PersonErased` the person's key is forgotten before anything of the
batch is opened, so nothing is written that was wiped. Which builds are live is read, and held, in each transaction. A type
this release does not know stops the consumer with a notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from prometheus_client import Counter, Gauge

from projections.builds.store import hold_live
from projections.event import ERASURES, Event
from projections.opening import event_of
from projections.projection import REFUSED, Projection
from services.clock import Clock
from services.database import LOST, Database, Pool
from services.eventlog.consuming import Batch, PositionMove, RawRecord, move_positions, store
from services.eventlog.consuming.parked import store as parked_store
from services.eventlog.consuming.parked.store import Parked
from services.eventlog.consuming.streams import Arrived, Streams
from services.eventlog.mapper import UnknownTypeError
from services.privacy.cipher import TamperedError, key_id_of
from services.privacy.store import KeyRing

CONSUMER: Final = "projections"
CONSUMER_BUILD: Final = 1
"""The live consumer's positions, `seen` and parked records stand under this number, whichever builds it writes."""
RELEASED_AT_ONCE: Final = 20  # streams tried again in one transaction

EVENTS = Counter("leadline_consumer_records", "Records by what became of them.", ["consumer", "outcome"])
LAG = Gauge("leadline_consumer_lag_seconds", "Age of the newest event applied, when it was.", ["consumer"])


class Runner:
    """Applies batches to the live builds of a set of projections."""

    def __init__(
        self,
        pool: Pool,
        ring: KeyRing,
        clock: Clock,
        projections: Sequence[Projection],
        *,
        consumer: str = CONSUMER,
        build: int = CONSUMER_BUILD,
    ) -> None:
        self._pool = pool
        self._ring = ring
        self._clock = clock
        self._projections = projections
        self._types = frozenset().union(*(p.types for p in projections))
        self._consumer, self._build = consumer, build
        self._live: dict[str, int] = {}

    async def handle(self, batch: Batch) -> None:
        """Apply a batch. Raises as `services.eventlog.consuming` wants it."""
        await self._transact(batch.moves, batch.records)

    async def release(self, proofs: Sequence[PositionMove]) -> None:
        """Try the parked records again whose release was asked for, of the partitions held."""
        async with self._pool.acquire() as connection:
            asked = await parked_store.released_partitions(connection, self._consumer, self._build)
        if mine := [proof for proof in proofs if proof.slot in asked]:
            await self._transact(mine, None)

    async def _transact(self, moves: Sequence[PositionMove], records: Sequence[RawRecord] | None) -> None:
        try:
            try:
                newest = await self._take(moves, records)
            except REFUSED:  # something of it by the database: all of it again, one event after the other
                newest = await self._take(moves, records, singly=True)
        except UnknownTypeError as error:
            async with self._pool.acquire() as connection:
                await store.notice(connection, self._consumer, "error", "release_older_than_log", str(error))
            raise
        except LOST:
            self._ring.clear()  # the database may come back as an older one
            raise
        if newest is not None:
            age = (await self._clock.now() - newest.recorded_at).total_seconds()
            LAG.labels(self._consumer).set(max(age, 0.0))

    async def _take(
        self, moves: Sequence[PositionMove], records: Sequence[RawRecord] | None, *, singly: bool = False
    ) -> Event | None:
        """One transaction; the last event applied in it. `records` None: those whose release was asked for."""
        async with self._pool.acquire() as connection, connection.transaction():
            await move_positions(connection, moves)
            self._live = await hold_live(connection)
            entries: Sequence[RawRecord | Parked] = (
                records
                if records is not None
                else await parked_store.released(
                    connection, self._consumer, self._build, [m.slot for m in moves], RELEASED_AT_ONCE
                )
            )
            streams = Streams(self._consumer, self._build, self._types)
            sorted_ = await streams.sort(connection, entries)
            apply = self._apply_singly if singly else self._apply_all
            used, events = await apply(connection, streams)
            await streams.save(connection)
        for outcome, count in (
            ("applied", len(used)),
            ("skipped", len(sorted_.apply) - len(used)),
            ("repeat", sorted_.repeats),
            ("parked", len(sorted_.park)),
        ):
            if count:
                EVENTS.labels(self._consumer, outcome).inc(count)
        return events[-1] if events else None

    async def _apply_all(self, connection: Database, streams: Streams) -> tuple[list[Arrived], list[Event]]:
        while True:
            used = streams.used
            rows, events, failed = await self._try(connection, used)
            if not failed:
                break
            # rows were changed halfway: begin again from the database, without what failed
            streams.undo(failed)
        for row in rows:
            await row.save(connection)
        return used, events

    async def _apply_singly(self, connection: Database, streams: Streams) -> tuple[list[Arrived], list[Event]]:
        """The database refuses something of the batch: find it by applying one event at a time."""
        done: list[Arrived] = []
        events: list[Event] = []
        refused: list[tuple[Arrived, str]] = []
        broken: set[str] = set()
        for arrived in streams.used:
            if arrived.stream in broken:
                continue
            rows, opened, failed = await self._try(connection, [arrived])
            try:
                async with connection.transaction():
                    for row in rows if not failed else ():
                        await row.save(connection)
            except REFUSED as error:
                failed = [(arrived, f"the database refuses it: {type(error).__name__}")]
            if failed:
                refused += failed
                broken.add(arrived.stream)
            else:
                done.append(arrived)
                events += opened
        streams.undo(refused)
        return done, events

    async def _try(
        self, connection: Database, used: Sequence[Arrived]
    ) -> tuple[list[Any], list[Event], list[tuple[Arrived, str]]]:
        """Open, load and apply, nothing written: rows by projection, the events, and what failed with the reason."""
        events, failed = await self._open(connection, used)
        rows: list[Any] = []
        broken = {arrived.stream for arrived, _ in failed}
        for projection in self._projections:
            if (build := self._live.get(projection.name)) is None:
                continue  # it is being built, from what was seen up to the moment it becomes live
            mine = [event for event in events if event.type in projection.types]
            loaded = await projection.load(connection, build, mine)
            rows.append(loaded)
            apply = projection.apply
            for event in mine:
                if event.stream in broken:
                    continue
                try:
                    apply(loaded, event)
                except Exception as error:
                    arrived = next(a for a in used if a.stream == event.stream and a.version == event.version)
                    failed.append((arrived, f"{projection.name}: {type(error).__name__}"))
                    broken.add(event.stream)
        failed.sort(key=lambda pair: (pair[0].stream, pair[0].version))
        return rows, events, failed

    async def _open(
        self, connection: Database, used: Sequence[Arrived]
    ) -> tuple[list[Event], list[tuple[Arrived, str]]]:
        gone = [UUID(arrived.stream) for arrived in used if arrived.type in ERASURES]
        self._ring.forget(gone)
        readable: list[tuple[Arrived, UUID | None]] = []
        failed = []
        for arrived in used:
            try:
                sealed = arrived.event.get("personal")
                readable.append((arrived, key_id_of(sealed) if sealed else None))
            except (TamperedError, AttributeError) as error:
                failed.append((arrived, f"personal: {type(error).__name__}"))
        await self._ring.load(connection, {key_id for _, key_id in readable if key_id is not None})
        events = []
        for arrived, key_id in readable:
            try:
                events.append(event_of(arrived, None if key_id is None else self._ring.key(key_id)))
            except (KeyError, TypeError, ValueError, AttributeError, TamperedError) as error:
                failed.append((arrived, f"event: {type(error).__name__}"))
        return events, failed
