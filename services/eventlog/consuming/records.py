"""What a consumer takes from Kafka: records as they came, and the moves of the input's position that go with them.

Pure values. Invariants: a record keeps its bytes whatever they are (no decoding happens here, so nothing can vanish); a
batch's moves end exactly at its last record of each partition; the witness of a position covers key, value and headers of
the last record taken.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

_LENGTH: Final = struct.Struct(">q").pack
_ABSENT: Final = _LENGTH(-1)

NO_WITNESS = b""
"""The witness of a position before any record was taken: it agrees with every log."""


class Slot(NamedTuple):
    """A partition of a topic; the topic's name is without the deployment's prefix."""

    topic: str
    partition: int


class Position(NamedTuple):
    """Up to where a partition was taken: the offset after the last record taken, and that record's digest."""

    next_offset: int
    witness: bytes


class RawRecord(NamedTuple):
    """A Kafka record, bytes as they came. `topic` without the prefix; a tombstone has `value` None. A header without a value
    has None, and counts as an empty one."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp_ms: int

    @property
    def slot(self) -> Slot:
        """Its partition. (In hot loops `record[:2]` is the same as a key and cheaper.)"""
        return Slot(self.topic, self.partition)

    def after(self) -> Position:
        """The position once this record is taken."""
        return Position(self.offset + 1, witness_of(self))


def witness_of(record: RawRecord) -> bytes:
    """SHA-256 over key, value and headers, each with its length (absent is told from empty): 32 bytes."""
    parts: list[bytes] = []
    for part in (record.key, record.value):
        parts += (_ABSENT, b"") if part is None else (_LENGTH(len(part)), part)
    for name, value in record.headers:
        text, held = name.encode("utf-8", "surrogateescape"), value or b""
        parts += (_LENGTH(len(text)), text, _LENGTH(len(held)), held)
    return hashlib.sha256(b"".join(parts)).digest()


@dataclass(frozen=True, slots=True)
class PositionMove:
    """A step of the input's position, compare-and-set: from `expected` to `new`, or nothing.

    `new == expected` moves nothing and only proves that the partition is still ours. `keep`: also remember `new` among
    the witnesses (once a minute).
    """

    consumer: str
    build: int
    slot: Slot
    expected: Position
    new: Position
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order of each partition, and the moves to make in the transaction of their effects."""

    records: Sequence[RawRecord]
    moves: Sequence[PositionMove]

    def parts(self, count: int) -> list[Batch]:
        """The batch as up to `count` of about equal size, each with all records of its partitions, so that they may be
        committed side by side, in any order."""
        piles: list[tuple[list[int], set[tuple[str, int]]]] = [([0], set()) for _ in range(count)]
        for slot, size in Counter(record[:2] for record in self.records).most_common():
            held, slots = min(piles, key=lambda pile: pile[0])
            held[0] += size
            slots.add(slot)
        return [
            Batch([r for r in self.records if r[:2] in slots], [m for m in self.moves if m.slot in slots])
            for _, slots in piles
            if slots
        ]

    def halves(self) -> tuple[Batch, Batch]:
        """The batch as two, to be committed one after the other; for a batch of at least two records."""
        middle = len(self.records) // 2
        consumer, build = self.moves[0].consumer, self.moves[0].build
        expected = {move.slot: move.expected for move in self.moves}
        keep = {move.slot for move in self.moves if move.keep}
        first, between = _batch_of(self.records[:middle], consumer, build, expected, keep)
        second, _ = _batch_of(self.records[middle:], consumer, build, between, keep)
        return first, second


def batch_of(
    records: Sequence[RawRecord], consumer: str, build: int, expected: Mapping[Slot, Position], keep: set[Slot]
) -> Batch:
    """The batch of these records, from the positions this consumer itself loaded or wrote last."""
    return _batch_of(records, consumer, build, expected, keep)[0]


def _batch_of(
    records: Sequence[RawRecord], consumer: str, build: int, expected: Mapping[Slot, Position], keep: set[Slot]
) -> tuple[Batch, dict[Slot, Position]]:
    last = {Slot(*place): record for place, record in {record[:2]: record for record in records}.items()}
    new = {**expected, **{slot: record.after() for slot, record in last.items()}}
    moves = [PositionMove(consumer, build, s, expected[s], new[s], s in keep) for s in sorted(last)]
    return Batch(records, moves), new


class FencedError(Exception):
    """Positions are not where this consumer left them: another one has moved them. The transaction must roll back."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        super().__init__(f"positions moved by another consumer: {', '.join(f'{t}-{p}' for t, p in slots)}")
        self.slots = tuple(slots)
