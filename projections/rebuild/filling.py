"""From stored events to a build's rows: whole streams at a time while it is filled, what is new of them while it follows.

Invariants: rows and what was seen of their streams are written in one transaction; a stream with an event that cannot be
applied adds nothing, is named in `failed` and not noted as seen, so that no later run takes it for done; the keys of erased
persons are gone, so nothing of them is opened. A type that this release does not know raises UnknownTypeError.

Whole streams are decoded, opened and applied event by event: objects that die young cost half as much as a range of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.events import EVENT_TYPES
from projections.event import Event
from projections.opening import opened
from projections.projection import REFUSED, Projection
from projections.rebuild import store
from projections.rebuild.store import Seen, StoredEvent
from services.database import Database
from services.eventlog.mapper import MalformedError, UnknownTypeError, peek
from services.eventlog.relay.headers import partition_of
from services.privacy.cipher import TamperedError, key_id_of
from services.privacy.store import KeyRing

UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, TamperedError, MalformedError)
SEALED, ID_LENGTH = b'"personal":"1.', 36
"""How a sealed part begins in an event's bytes, as every writer so far wrote it; the id of its key follows."""
GIVE_WAY = 500
"""Events between two turns of other tasks: what was prepared before is written meanwhile."""


@dataclass(slots=True)
class Part:
    """Events in the order of stream and version. `keys`: of what is sealed in them, by id, None: destroyed; `new`: they are whole
    streams, of which nothing is stored yet."""

    stored: Sequence[StoredEvent]
    keys: dict[str, AESGCM | None]
    new: bool


class Filling:
    """Fills one build. `failed`: by stream, the version that could not be applied and why (kinds of errors, no values)."""

    def __init__(self, projection: Projection, build: int, ring: KeyRing, partitions: int) -> None:
        self.projection, self.build = projection, build
        self.failed: dict[UUID, tuple[int, str]] = {}
        self._ring = ring
        self._partitions = partitions

    async def take(self, connection: Database, stored: Sequence[StoredEvent], *, new: bool = False) -> Part:
        """The events with their keys, as they are now; parts must be taken, and written, in their order, so that an erasure
        wipes what came before it. Ids are taken from the bytes, where they nearly always stand in one way; others are looked up
        in their turn."""
        part = Part(stored, {}, new)
        if self.projection.personal:
            places = ((row[3], row[3].rfind(SEALED) + len(SEALED)) for row in stored)
            ids = set()
            for text in {state[at : at + ID_LENGTH] for state, at in places if at >= len(SEALED)}:
                with suppress(ValueError):
                    ids.add(UUID(text.decode("ascii")))
            await self._load_keys(connection, part, ids)
        return part

    async def _load_keys(self, connection: Database, part: Part, ids: set[UUID]) -> None:
        part.keys |= {str(key_id): key for key_id, key in (await self._ring.load(connection, ids)).items()}
        self._ring.forget(ids)  # 2.5 KB each: those of a large store would take a gigabyte, and most are needed once

    async def prepare(self, connection: Database, part: Part) -> tuple[Any, int]:
        """The rows that a part makes, not written yet, and of how many events. Other tasks have their turn now and then."""
        while True:
            failed, count = len(self.failed), 0
            try:
                events, loaded = self._events(part), list[Event]()
                if not part.new:
                    loaded = list(events)
                    events = iter(loaded)
                rows = await self.projection.load(connection, self.build, loaded)
                while batch := self._apply_each(rows, islice(events, GIVE_WAY)):
                    count += batch
                    await asyncio.sleep(0)
            except _KeyNotLoadedError as error:
                await self._load_keys(connection, part, {error.key_id})
                continue
            if len(self.failed) == failed:
                return rows, count
            # rows were changed halfway: begin again, without the streams that failed

    async def write(self, connection: Database, part: Part, prepared: tuple[Any, int]) -> int:
        """Write what `prepare` gave, in the caller's transaction; of how many events.

        What the database refuses is looked for by halves, until it is alone.
        """
        rows, count = prepared
        try:
            async with connection.transaction():
                await (getattr(rows, "save_new", rows.save) if part.new else rows.save)(connection)
            return count
        except REFUSED as error:
            streams = sorted({row[0] for row in part.stored} - self.failed.keys())
            if len(streams) == 1:
                first = next(row[1] for row in part.stored if row[0] == streams[0])
                self.failed[streams[0]] = (first, f"the database refuses it: {type(error).__name__}")
                return 0
            middle = streams[len(streams) // 2]
        count = 0
        for stored in (
            [row for row in part.stored if row[0] < middle],
            [row for row in part.stored if row[0] >= middle],
        ):
            half = Part(stored, part.keys, part.new)
            count += await self.write(connection, half, await self.prepare(connection, half))
        return count

    def _apply_each(self, rows: Any, events: Iterable[Event]) -> int:
        """Apply all, up to the first that cannot be; how many."""
        apply, count = self.projection.apply, 0
        for event in events:
            try:
                apply(rows, event)
            except Exception as error:
                self.failed.setdefault(
                    UUID(event.stream), (event.version, f"{self.projection.name}: {type(error).__name__}")
                )
                break
            count += 1
        return count

    def _events(self, part: Part) -> Iterator[Event]:
        """The events, opened as far as the projection needs it. One that cannot be opened fails its stream; streams that
        failed are left out. Raises _KeyNotLoadedError."""
        personal, placed, keys = self.projection.personal, self.projection.placed, part.keys
        stream, text, partition, skipped = None, "", 0, False
        for found, version, topic, state in part.stored:
            if found != stream:
                stream, text, skipped = found, str(found), found in self.failed
                partition = partition_of(text.encode(), self._partitions) if placed else 0
            if skipped:
                continue
            try:
                record, key = peek(state), None
                if record["meta"].get("schema_version", 1) > EVENT_TYPES[topic].class_version:
                    raise UnknownTypeError(f"{topic} in {text}-{version}: this release is older than the log")
                if personal and (sealed := record.get("personal")):
                    key_id = sealed[2:38] if sealed[:2] == "1." and sealed[38:39] == "." else ""
                    if key_id not in keys:
                        raise _KeyNotLoadedError(key_id_of(sealed))
                    key = keys[key_id]
                yield opened(text, version, topic, partition, record, state, key, personal=personal)
            except UnknownTypeError:
                raise
            except UNREADABLE as error:
                self.failed[found] = (version, f"event: {type(error).__name__}")
                skipped = True


class _KeyNotLoadedError(Exception):
    """The key of this id is needed and was not looked up."""

    def __init__(self, key_id: UUID) -> None:
        super().__init__()
        self.key_id = key_id


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
    applied = 0
    if events:
        part = await filling.take(connection, events)
        applied = await filling.write(connection, part, await filling.prepare(connection, part))
    taken = [Seen(d.stream, d.version, d.digest) for d in deltas if d.stream not in filling.failed]
    await store.save_seen(connection, consumer, seen_build, taken)
    return applied
