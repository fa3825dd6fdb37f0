"""From stored events to a build's rows: whole streams at a time while it is filled, what is new of them while it follows.

Invariants: rows and what was seen of their streams are written in one transaction; a stream with an event that cannot be
applied adds nothing, is named in `failed` and not noted as seen, so that no later run takes it for done; the keys of erased
persons are gone, so nothing of them is opened. A type that this release does not know raises UnknownTypeError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts.topics import EVENTS_TOPIC_OF_KIND
from projections.event import ERASURES, Event
from projections.opening import event_of
from projections.projection import REFUSED, Projection
from projections.rebuild import store
from projections.rebuild.store import Seen, StoredEvent
from services.database import Database
from services.eventlog.consuming import RawRecord
from services.eventlog.consuming.streams import Arrived, must_be_known
from services.eventlog.mapper import MalformedError, peek
from services.eventlog.relay.headers import partition_of
from services.privacy.cipher import TamperedError, key_id_of
from services.privacy.store import KeyRing

UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, TamperedError, MalformedError)


class Filling:
    """Fills one build. `failed`: by stream, the version that could not be applied and why (kinds of errors, no values)."""

    def __init__(self, projection: Projection, build: int, ring: KeyRing, partitions: int) -> None:
        self.projection, self.build = projection, build
        self.failed: dict[UUID, tuple[int, str]] = {}
        self._ring = ring
        self._partitions = partitions

    async def apply(self, connection: Database, stored: Sequence[StoredEvent], *, new: bool = False) -> int:
        """Write what these events make of the rows, in the caller's transaction; how many were applied.

        `new`: they are whole streams, of which nothing is stored yet.
        """
        return await self._apply_part(connection, await self._open(connection, stored), new)

    async def _apply_part(self, connection: Database, events: list[Event], new: bool) -> int:
        """What the database refuses is looked for by halves, until it is alone."""
        try:
            async with connection.transaction():
                return await self._apply(connection, events, new)
        except REFUSED as error:
            streams = sorted({event.stream for event in events})
            if len(streams) == 1:
                self._fail(events[0].stream, events[0].version, f"the database refuses it: {type(error).__name__}")
                return 0
            middle = streams[len(streams) // 2]
        first, second = [e for e in events if e.stream < middle], [e for e in events if e.stream >= middle]
        return await self._apply_part(connection, first, new) + await self._apply_part(connection, second, new)

    async def _apply(self, connection: Database, events: list[Event], new: bool) -> int:
        while True:
            rows = await self.projection.load(connection, self.build, events)
            bad = self._apply_each(rows, events)
            if bad is None:
                break
            events = [event for event in events if event.stream != bad]  # rows were changed halfway: begin again
        await (getattr(rows, "save_new", rows.save) if new else rows.save)(connection)
        return len(events)

    def _apply_each(self, rows: Any, events: Sequence[Event]) -> str | None:
        """Apply all; the stream of the first that cannot be."""
        apply = self.projection.apply
        for event in events:
            try:
                apply(rows, event)
            except Exception as error:
                self._fail(event.stream, event.version, f"{self.projection.name}: {type(error).__name__}")
                return event.stream
        return None

    def _fail(self, stream: str, version: int, why: str) -> None:
        self.failed.setdefault(UUID(stream), (version, why))

    async def _open(self, connection: Database, stored: Sequence[StoredEvent]) -> list[Event]:
        """The events, opened as far as the projection needs it; without streams that failed."""
        arrived: list[tuple[Arrived, UUID | None]] = []
        personal = self.projection.personal  # one that uses none does not look at partitions either
        stream, text, partition, keys, gone = None, "", 0, set[UUID](), list[UUID]()
        for row in stored:
            found, version, topic, kind, state = row
            if found != stream:
                stream, text = found, str(found)
                partition = partition_of(text.encode(), self._partitions) if personal else 0
            if stream in self.failed:
                continue
            try:
                event = peek(state)
                sealed = event.get("personal")
                if sealed and not personal:
                    del event["personal"]
                    sealed = None
                key_id = key_id_of(sealed) if sealed else None
            except UNREADABLE as error:
                self.failed[found] = (version, f"event: {type(error).__name__}")
                continue
            if key_id is not None:
                keys.add(key_id)
            if topic in ERASURES:
                gone.append(found)
            record = RawRecord(EVENTS_TOPIC_OF_KIND[kind], partition, 0, None, state, (), 0)
            one = Arrived(record, 0, text, version, topic, b"", event)
            must_be_known(one)
            arrived.append((one, key_id))
        self._ring.forget(gone)
        await self._ring.load(connection, keys)
        events = []
        for one, key_id in arrived:
            try:
                events.append(event_of(one, None if key_id is None else self._ring.key(key_id)))
            except UNREADABLE as error:
                self._fail(one.stream, one.version, f"event: {type(error).__name__}")
        if self.failed:
            events = [event for event in events if UUID(event.stream) not in self.failed]
        return events


async def follow(
    connection: Database, filling: Filling, consumer: str, seen_build: int, deltas: Sequence[store.Delta]
) -> int:
    """Take these streams to where the live build has them, in the caller's transaction; how many events were applied."""
    events = await store.events_of(
        connection,
        [d.stream for d in deltas],
        [d.after for d in deltas],
        [d.version for d in deltas],
        filling.projection.types,
    )
    applied = await filling.apply(connection, events) if events else 0
    taken = [Seen(d.stream, d.version, d.digest) for d in deltas if d.stream not in filling.failed]
    await store.save_seen(connection, consumer, seen_build, taken)
    return applied
