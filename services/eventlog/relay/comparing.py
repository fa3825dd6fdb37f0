"""Are the records on a topic those of the store, byte for byte?

Invariants: on a topic that only the relay writes, every record must be known to the store with the same key, id and bytes;
anything else is a difference, counted, the first ones named. On a shared topic only our own records are looked at.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from contracts.topics import EVENTS_TOPIC_OF_KIND, LEADS_REFUSALS, TOPICS
from services.eventlog.relay import store
from services.eventlog.relay.errors import LISTED, Difference, RelayRefusesError, differing
from services.eventlog.relay.lock import ShardConnection

SINGLE_WRITER: Final = frozenset(topic.name for topic in TOPICS if topic.single_writer)
OWN_SOURCES: Final = "/leadline/"
"""Beginning of the `ce_source` of our own records on topics that others write too."""

UNKNOWN, OTHER_BYTES, OTHER_KEY, NO_ID, OTHER_TOPIC = (
    "unknown to the store",
    "with other bytes than the store",
    "under another key than its stream",
    "without an id of ours",
    "on the wrong topic",
)


@dataclass(frozen=True, slots=True)
class Found:
    """A record of ours on a topic."""

    topic: str
    partition: int
    offset: int
    stream: UUID
    version: int
    hash: bytes

    @property
    def id(self) -> str:
        """Its `ce_id`."""
        return f"{self.stream}-{self.version}"


@dataclass
class Comparison:
    """Compares records with the store, chunk by chunk, and remembers what differs."""

    shard: ShardConnection
    differences: list[Difference] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    async def take(self, topic: str, records: Sequence[Any]) -> list[Found]:
        """Those of the records that are ours and as the store has them. `topic` without prefix."""
        await self.shard.alive()
        single = topic in SINGLE_WRITER
        found: list[Found] = []
        for record in records:
            headers = dict(record.headers)
            one = _read(topic, record, headers)
            if one is None:
                if single:
                    self._differs(topic, record, "?", NO_ID)
            elif single or headers.get("ce_source", b"").startswith(OWN_SOURCES.encode()):
                found.append(one)
        if not single or not found:
            return found
        by_offset = {record.offset: record for record in records}
        verdicts = await self._verdicts(topic, found, by_offset)
        for one, what in zip(found, verdicts, strict=True):
            if what is not None:
                self._differs(topic, by_offset[one.offset], one.id, what)
        return [one for one, what in zip(found, verdicts, strict=True) if what is None]

    def refusal(self) -> RelayRefusesError | None:
        """What to raise when anything differed."""
        return differing(self.differences, dict(self.counts)) if self.counts else None

    async def _verdicts(self, topic: str, found: list[Found], by_offset: dict[int, Any]) -> list[str | None]:
        database = self.shard.database
        streams, hashes = [one.stream for one in found], [one.hash for one in found]
        if topic == LEADS_REFUSALS.name:
            told = await store.compare_refusals(database, streams, hashes)
            return [None if same else OTHER_BYTES if known else UNKNOWN for known, same in told]
        verdicts: list[str | None] = []
        events = await store.compare_events(database, streams, [one.version for one in found], hashes)
        for one, (known, same, kind) in zip(found, events, strict=True):
            if not known or kind is None:
                verdicts.append(UNKNOWN)
            elif not same:
                verdicts.append(OTHER_BYTES)
            elif by_offset[one.offset].key != str(one.stream).encode():
                verdicts.append(OTHER_KEY)
            else:
                verdicts.append(None if EVENTS_TOPIC_OF_KIND.get(kind) == topic else OTHER_TOPIC)
        return verdicts

    def _differs(self, topic: str, record: Any, record_id: str, what: str) -> None:
        self.counts[what] += 1
        if len(self.differences) < LISTED:
            self.differences.append(Difference(topic, record.partition, record.offset, record_id, what))


def _read(topic: str, record: Any, headers: dict[str, Any]) -> Found | None:
    """The record's id and hash; None when it has no id in the form `uuid-version`, or no value."""
    try:
        text = headers["ce_id"].decode("ascii")
        stream, version = UUID(text[:36]), int(text[37:])
    except (KeyError, AttributeError, ValueError):
        return None
    # only the one way of writing an id counts, and numbers Postgres can hold
    if record.value is None or text != f"{stream}-{version}" or not 0 < version < 2**63:
        return None
    return Found(topic, record.partition, record.offset, stream, version, hashlib.sha256(record.value).digest())
