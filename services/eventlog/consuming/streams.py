"""Per stream and consumer: what is new, what is a repeat, what must be parked (decision 4).

Invariants: an event is applied once, right after its predecessor, proven by the digest chain; a repeat is dropped and
counted; everything else is parked, never dropped. The chain alone decides: a stream with parked records goes on when the
very event it waits for comes, so a log that healed heals its readers. A type unknown to the contracts raises
`UnknownTypeError`: this release is older than the log, and going on would count versions it cannot apply.

What an event is (stream, version, type, schema version) is read from its bytes, which the digest covers, never from a header
alone. Of a type that the consumer does not use no more than these first bytes is read: it is checked and counted, not decoded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from contracts.events import EVENT_TYPES
from contracts.meta import GENESIS, digest_of
from services.database import Database, Pool
from services.eventlog.consuming import store
from services.eventlog.consuming.parked import store as parked_store
from services.eventlog.consuming.parked.store import Parked
from services.eventlog.consuming.records import Batch, RawRecord
from services.eventlog.mapper import MalformedError, UnknownTypeError, head, peek

ID_STANDS, DIGEST_STANDS = 1, -1
"""Where a record of the relay's has `ce_id` and (unless it is traced) `ce_digest`."""
UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NOT_DECODED: Final[dict[str, Any]] = {}


@dataclass(slots=True, eq=False)
class Arrived:
    """An event of ours as it came."""

    record: RawRecord
    parked_id: int
    """Where it stood parked, 0 when it comes from the log."""
    stream: str
    version: int
    type: str
    schema_version: Any
    digest: bytes
    event: dict[str, Any]
    """Envelope and data as plain JSON (`mapper.peek`), not validated yet; `NOT_DECODED` where the consumer has no use for it."""


class PoisonError(Exception):
    """The record is no event of ours; the text says why, without quoting it."""


def read(record: RawRecord, parked_id: int = 0) -> Arrived:
    """The event in a record, not decoded where its first bytes are as our writer makes them. Raises PoisonError."""
    value = record.value
    if value is None:
        raise PoisonError("a tombstone: no event has an empty value")
    said, event = head(value), NOT_DECODED
    if said is not None:
        version, type_, schema_version, stream = said
    else:
        event = _peek(value)
        meta = event["meta"]
        stream, version, type_ = meta.get("stream"), meta.get("version"), meta.get("type")
        schema_version = meta.get("schema_version", 1)
        if not (isinstance(stream, str) and isinstance(type_, str) and type(version) is int and 0 < version < 2**62):
            raise PoisonError("the envelope lacks stream, version or type")
        if not _is_uuid(stream):
            raise PoisonError("the stream is no UUID")
    if record.key != stream.encode():
        raise PoisonError("the key is not the stream")
    headers = record.headers
    if _header(headers, "ce_id", ID_STANDS) != f"{stream}-{version}".encode():
        raise PoisonError("the header ce_id is missing or is not stream-version")
    try:
        raw_digest = bytes.fromhex((_header(headers, "ce_digest", DIGEST_STANDS) or b"").decode("ascii"))
    except ValueError:
        raw_digest = b""
    if len(raw_digest) != 32:
        raise PoisonError("the header ce_digest is missing or is not 32 bytes in hex")
    return Arrived(record, parked_id, stream, version, type_, schema_version, raw_digest, event)


def decode(event: Arrived) -> None:
    """Have `event.event`. Raises PoisonError where the record is no JSON of an event, or names itself a second time otherwise."""
    if event.event is NOT_DECODED:
        found = _peek(event.record.value or b"")
        meta = found["meta"]
        if (meta.get("stream"), meta.get("version"), meta.get("type")) != (event.stream, event.version, event.type):
            raise PoisonError("the envelope names two events")
        event.event = found


def _peek(value: bytes) -> dict[str, Any]:
    try:
        return peek(value)
    except MalformedError as error:
        raise PoisonError(str(error)) from error


def _header(headers: Sequence[tuple[str, bytes | None]], name: str, place: int) -> bytes | None:
    """A header's value; looked for at the place where the relay puts it, before all of the twenty are."""
    try:
        found, value = headers[place]
    except IndexError:
        return None
    return value if found == name else dict(headers).get(name)


@dataclass(slots=True)
class Sorted:
    """What became of a batch's records: to apply (in order), to park; how many were repeats."""

    apply: list[Arrived] = field(default_factory=list)
    park: list[Parked] = field(default_factory=list)
    repeats: int = 0
    done: list[int] = field(default_factory=list)
    """Ids of parked records that need not stay: applied or repeats."""


class Streams:
    """The streams of one batch: loaded once, written back once, in the batch's transaction. `types`: what the consumer uses."""

    def __init__(self, consumer: str, build: int, types: Collection[str]) -> None:
        self._consumer = consumer
        self._build = build
        self._types = types
        self._seen: dict[str, tuple[int, bytes]] = {}
        self._changed: set[str] = set()
        self._waiting: set[str] = set()
        self._sorted = Sorted()

    @property
    def used(self) -> list[Arrived]:
        """Of what is to be applied, the events of types that the consumer uses, in order; all of them decoded."""
        return [event for event in self._sorted.apply if event.type in self._types]

    async def pass_over(self, pool: Pool, batch: Batch) -> bool:
        """Take a batch that is nothing to the consumer: new events of types it does not use, or repeats. It costs two statements
        instead of a transaction with all that belongs to one. False: there is something in it, and nothing was done.

        Raises FencedError when another consumer has moved on in its place. For Streams that were made for this alone.
        """
        if not batch.moves or any(move.keep for move in batch.moves):
            return False
        arrived = []
        for record in batch.records:
            try:
                event = read(record)
            except PoisonError:
                return False
            if event.type in self._types or not is_known(event):
                return False
            arrived.append(event)
        async with pool.acquire() as connection:
            await self._place_all(connection, arrived)
            if self._sorted.park or self._waiting & self._changed:
                return False
            # others write `seen` only with a move of the position, or by a release, whose record would stand parked above
            await store.move_and_see(connection, batch.moves, {stream: self._seen[stream] for stream in self._changed})
        return True

    async def sort(self, connection: Database, records: Sequence[RawRecord | Parked]) -> Sorted:
        """Tell new from repeated, load what was seen of the streams. Raises UnknownTypeError."""
        arrived: list[Arrived] = []
        for entry in records:
            record, parked_id = (entry.record, entry.id) if isinstance(entry, Parked) else (entry, 0)
            try:
                arrived.append(read(record, parked_id))
            except PoisonError as error:
                self._poisoned(record, parked_id, stream_of_key(record.key), None, error)
        await self._place_all(connection, arrived)
        return self._sorted

    async def _place_all(self, connection: Database, arrived: Sequence[Arrived]) -> None:
        if not arrived:
            return
        self._seen, self._waiting = await store.load_seen(
            connection, self._consumer, self._build, list({event.stream for event in arrived})
        )
        for event in arrived:
            self._place(event)

    def _place(self, event: Arrived) -> None:
        last, digest = self._seen.get(event.stream, (0, GENESIS))
        result = self._sorted
        if event.version < last or (event.version == last and event.digest == digest):
            result.repeats += 1
            self._forget(event)
            return
        if event.version == last + 1 and digest_of(digest, event.record.value or b"") == event.digest:
            must_be_known(event)
            if event.type in self._types:
                try:
                    decode(event)
                except PoisonError as error:
                    self._poisoned(event.record, event.parked_id, event.stream, event.version, error)
                    return
            self._seen[event.stream] = (event.version, event.digest)
            self._changed.add(event.stream)
            result.apply.append(event)
            self._forget(event)
            return
        if event.version > last + 1:
            reason = "after_parked" if event.stream in self._waiting else "gap"
            detail = f"version {event.version} came, {last} was the last one applied"
        else:
            reason = "fork"
            detail = f"version {event.version} does not follow the version {last} that was applied"
        self._waiting.add(event.stream)
        result.park.append(Parked(event.parked_id, event.record, event.stream, event.version, reason, detail))

    def _poisoned(
        self, record: RawRecord, parked_id: int, stream: str | None, version: int | None, error: PoisonError
    ) -> None:
        self._sorted.park.append(Parked(parked_id, record, stream, version, "poison", str(error)))

    def _forget(self, event: Arrived) -> None:
        if event.parked_id:
            self._sorted.done.append(event.parked_id)

    def undo(self, failed: Iterable[tuple[Arrived, str]]) -> None:
        """These could not be applied (with the reason): park them and what followed them in their streams."""
        broken: dict[str, tuple[Arrived, str]] = {}
        for event, why in failed:
            broken.setdefault(event.stream, (event, why))
        if not broken:
            return
        keep: list[Arrived] = []
        for event in self._sorted.apply:
            first = broken.get(event.stream)
            if first is None or event.version < first[0].version:
                keep.append(event)
                continue
            reason, detail = (
                ("poison", first[1]) if event is first[0] else ("after_parked", "its predecessor is parked")
            )
            if event is first[0]:
                self._step_back(event)
            if event.parked_id:
                self._sorted.done.remove(event.parked_id)
            self._sorted.park.append(Parked(event.parked_id, event.record, event.stream, event.version, reason, detail))
            self._waiting.add(event.stream)
        self._sorted.apply = keep

    def _step_back(self, event: Arrived) -> None:
        before = [e for e in self._sorted.apply if e.stream == event.stream and e.version < event.version]
        if before:
            self._seen[event.stream] = (before[-1].version, before[-1].digest)
        else:
            self._changed.discard(event.stream)

    async def save(self, connection: Database) -> None:
        """Write what was seen, park what must be, and ask for the parked records that waited for what came."""
        await store.save_seen(
            connection, self._consumer, self._build, {stream: self._seen[stream] for stream in self._changed}
        )
        await parked_store.unpark(connection, self._sorted.done)
        await parked_store.park(connection, self._consumer, self._build, self._sorted.park)
        released = {event.stream for event in self._sorted.apply if event.stream in self._waiting}
        if released:
            await parked_store.mark_released(
                connection, self._consumer, self._build, released - {p.stream for p in self._sorted.park if p.stream}
            )


def is_known(event: Arrived) -> bool:
    """Whether this release's contracts hold its type in its version."""
    cls = EVENT_TYPES.get(event.type)
    return cls is not None and isinstance(event.schema_version, int) and event.schema_version <= cls.class_version


def must_be_known(event: Arrived) -> None:
    """Raise UnknownTypeError for a type or version of a type that this release's contracts do not hold."""
    if not is_known(event):
        place = f"{event.record.topic}-{event.record.partition} at {event.record.offset}"
        said = f"{event.type} version {event.schema_version}, {place}"
        raise UnknownTypeError(f"{said}: this release is older than the log")


def stream_of_key(key: bytes | None) -> str | None:
    """The stream a record's key names, where it names one."""
    text = (key or b"").decode("utf-8", "replace")
    return text if _is_uuid(text) else None


def _is_uuid(text: str) -> bool:
    return UUID_TEXT.fullmatch(text) is not None
