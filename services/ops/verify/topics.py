"""The event topics against the store: each event that is not in the outbox is on its topic, byte for byte, in order (M2).

Partition by partition: what the store has is one string of fingerprints per stream, the topic streams past it. Invariants:
events in the outbox may be on the topic or not, but if so, with the same bytes; what the topic has beyond the snapshot must be
in a second read; a record seen again with the same id and bytes is a repeat and counted apart (decision 2).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from contracts.topics import EVENTS_TOPIC_OF_KIND
from services.database import Database
from services.ops.verify import store
from services.ops.verify.chain import Stream
from services.ops.verify.log_end import LogEnds, LogReader
from services.ops.verify.report import NAMED, Report
from services.ops.verify.spool import Spool
from services.ops.verify.wire import ABSENT, FINGERPRINT, OnTopic, fingerprint, read_event

HEADER = struct.Struct(">16sI")
WAITING = struct.Struct(">16sQ")
BEYOND_AT_ONCE = 2_000


@dataclass(slots=True)
class Track:
    """A stream of one partition: its fingerprints by version, which of them the topic has, the last one come."""

    prints: bytes
    seen: int = 0
    last: int = 0

    @property
    def versions(self) -> int:
        """How many versions the store has."""
        return len(self.prints) // FINGERPRINT

    def print_of(self, version: int) -> bytes:
        """The fingerprint of a version the store has."""
        return self.prints[(version - 1) * FINGERPRINT : version * FINGERPRINT]


def keep_stream(spool: Spool, stream: Stream, ends: LogEnds) -> None:
    """Note the stream's fingerprints for the pass over its topic's partition."""
    topic = EVENTS_TOPIC_OF_KIND.get(stream.kind)
    if topic is None:
        return  # the chain's check has named it
    prints = bytearray()
    for entry in stream.entries:
        row = entry.row
        prints.extend(ABSENT * (row.version - 1 - len(prints) // FINGERPRINT))
        event_id = f"{row.stream}-{row.version}".encode()
        prints.extend(fingerprint(event_id, row.type.encode(), row.digest.hex().encode(), row.state))
    partition = ends.partition_of(topic, str(stream.id).encode())
    spool.add((topic, partition), HEADER.pack(stream.id.bytes, len(prints) // FINGERPRINT) + prints)


def keep_waiting(spool: Spool, topic: str, key: str, stream: UUID, version: int, ends: LogEnds) -> None:
    """Note an outbox row that is an event."""
    spool.add(("outbox", topic, ends.partition_of(topic, key.encode())), WAITING.pack(stream.bytes, version))


@dataclass(slots=True)
class TopicCheck:
    """The pass over one partition of one event topic."""

    topic: str
    partition: int
    ends: LogEnds
    report: Report
    later: Database
    """The second read: a connection that sees what came after the snapshot."""
    tracks: dict[bytes, Track] = field(default_factory=dict)
    waiting: set[tuple[bytes, int]] = field(default_factory=set)
    beyond: list[tuple[OnTopic, int]] = field(default_factory=list)

    async def run(self, spool: Spool, reader: LogReader, progress: Callable[[int], None]) -> None:
        """Load what the store has, read the partition, settle what is left."""
        self._load(spool)
        begin, end = self.ends.spans.get(self.topic, {}).get(self.partition, (0, 0))
        async for records in reader.read(self.topic, self.partition, begin, end):
            for record in records:
                await self._take(record)
            self.report.counts["records"] += len(records)
            progress(len(records))
        await self._second_read()
        self._settle()

    def _load(self, spool: Spool) -> None:
        held, at = spool.take((self.topic, self.partition)), 0
        while at < len(held):
            stream, versions = HEADER.unpack_from(held, at)
            at += HEADER.size
            self.tracks[stream] = Track(held[at : at + versions * FINGERPRINT])
            at += versions * FINGERPRINT
        self.waiting = set(WAITING.iter_unpack(spool.take(("outbox", self.topic, self.partition))))
        self.report.counts["waiting in the outbox"] += len(self.waiting)

    async def _take(self, record: Any) -> None:
        place = f"{self.topic}[{self.partition}]@{record.offset}"
        event = read_event(record.headers, record.value)
        if event is None:
            self.report.differ("topic", "unexpected", place, "this record is no event of ours")
            return
        if record.key != str(event.stream).encode():
            self.report.differ("topic", "altered", place, f"the key of {event.id.decode()} is not its stream")
        track = self.tracks.get(event.stream.bytes)
        if track is None or event.version > track.versions or track.print_of(event.version) == ABSENT:
            self.beyond.append((event, record.offset))
            if len(self.beyond) >= BEYOND_AT_ONCE:
                await self._second_read()
            return
        bit = 1 << event.version
        again = bool(track.seen & bit)
        if track.print_of(event.version) != event.fingerprint:
            await self._other_bytes(event, place, again)
        elif again:
            self.report.counts["repeats"] += 1
        elif event.version < track.last:
            self.report.differ("topic", "order", event.id.decode(), f"at {place}, after version {track.last}")
        track.seen |= bit
        track.last = max(track.last, event.version)

    async def _other_bytes(self, event: OnTopic, place: str, again: bool) -> None:
        what = "other bytes"
        if self.report.totals[("topic", "altered")] < NAMED:
            name = (event.stream, event.version)
            row = (await store.events_named(self.later, [name])).get(name)
            what = ", ".join(_differing(event, row)) if row else what
        twice = "; it is also there as it should be" if again else ""
        self.report.differ(
            "topic", "altered", event.id.decode(), f"at {place} it differs from the store in: {what}{twice}"
        )

    async def _second_read(self) -> None:
        """What the topic has beyond the snapshot must be in the store by now."""
        if not self.beyond:
            return
        there = await store.events_named(self.later, [(event.stream, event.version) for event, _ in self.beyond])
        for event, offset in self.beyond:
            place = f"{self.topic}[{self.partition}]@{offset}"
            row = there.get((event.stream, event.version))
            if row is None:
                text = f"at {place}, but not in the store: deleted there, or the store is an older copy"
                self.report.differ("store", "missing", event.id.decode(), text)
            elif event.fingerprint != _print_of(row):
                await self._other_bytes(event, place, again=False)
            elif EVENTS_TOPIC_OF_KIND.get(row.kind) != self.topic or self._partition_of(event) != self.partition:
                text = f"at {place}, where its key does not belong"
                self.report.differ("topic", "unexpected", event.id.decode(), text)
            else:
                self.report.counts["newer than the snapshot"] += 1
        self.beyond.clear()

    def _partition_of(self, event: OnTopic) -> int:
        return self.ends.partition_of(self.topic, str(event.stream).encode())

    def _settle(self) -> None:
        """What the store has and neither the topic nor the outbox."""
        for stream, track in self.tracks.items():
            every = (1 << (track.versions + 1)) - 2
            if track.seen == every:
                continue
            for version in range(1, track.versions + 1):
                if track.seen >> version & 1 or track.print_of(version) == ABSENT or (stream, version) in self.waiting:
                    continue
                about = f"{UUID(bytes=stream)}-{version}"
                text = f"in the store, but neither on {self.topic}[{self.partition}] nor in the outbox"
                self.report.differ("topic", "missing", about, text)
                self.report.lost[self.topic] += 1
        for stream, version in self.waiting:
            held = self.tracks.get(stream)
            if held is None or version > held.versions or held.print_of(version) == ABSENT:
                text = f"a row of the outbox for {self.topic} without its event in the store"
                self.report.differ("outbox", "unexpected", f"{UUID(bytes=stream)}-{version}", text)


def _print_of(row: store.EventRow) -> bytes:
    event_id = f"{row.stream}-{row.version}".encode()
    return fingerprint(event_id, row.type.encode(), row.digest.hex().encode(), row.state)


def _differing(event: OnTopic, row: store.EventRow) -> list[str]:
    pairs = {
        "value": (event.value, row.state),
        "ce_type": (event.type, row.type.encode()),
        "ce_digest": (event.digest, row.digest.hex().encode()),
    }
    return [name for name, (here, there) in pairs.items() if here != there]
