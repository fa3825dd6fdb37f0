"""What of a record must be the same in the store and on Kafka, as 16 bytes; and how a record's id is read.

Pure. Invariants: two records have one fingerprint only when id, type, digest header and every byte of the value are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

FINGERPRINT = 16
ABSENT = bytes(FINGERPRINT)
"""Stands for a version that the store does not have."""


def fingerprint(event_id: bytes, event_type: bytes, digest_hex: bytes, value: bytes) -> bytes:
    """16 bytes that stand for a record."""
    lengths = b"%d.%d.%d." % (len(event_id), len(event_type), len(digest_hex))
    return blake2b(lengths + event_id + event_type + digest_hex + value, digest_size=FINGERPRINT).digest()


class OnTopic(NamedTuple):
    """A record of an event topic, read. `value` and headers stand as they came."""

    stream: UUID
    version: int
    id: bytes
    type: bytes
    digest: bytes
    value: bytes

    @property
    def fingerprint(self) -> bytes:
        """What must equal that of the stored event."""
        return fingerprint(self.id, self.type, self.digest, self.value)


def read_event(headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> OnTopic | None:
    """The record as an event; None when it is none (no id of ours, or a tombstone)."""
    if value is None:
        return None
    named = {name: held or b"" for name, held in reversed(list(headers))}
    event_id = named.get("ce_id", b"")
    try:
        stream, _, version = event_id.decode("ascii").rpartition("-")
        read = OnTopic(
            UUID(stream), int(version), event_id, named.get("ce_type", b""), named.get("ce_digest", b""), value
        )
    except ValueError:
        return None
    return read if f"{read.stream}-{read.version}".encode() == event_id and read.version >= 1 else None
