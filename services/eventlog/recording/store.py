"""The event store's SQL: lock, load, append, outbox.

Invariants: `(originator_id, originator_version)` as primary key is the proof of concurrency; a batch is one INSERT per table
in the caller's transaction; events and their outbox rows are written together or not at all. A conflict raises
`asyncpg.UniqueViolationError` and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from contracts.meta import Stored
from contracts.topics import EVENTS_TOPIC_OF_KIND
from services.database import Database


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the outbox that is no event: refusals, references to intake, commands of reactors."""

    topic: str
    key: str
    stream: UUID
    version: int
    headers: dict[str, str]
    value: bytes


def lock_number(name: bytes) -> int:
    """The advisory lock of a stream (its 16 bytes) or identity (its HMAC): the first 8 bytes as a signed number.

    Two names that share a number only wait for each other.
    """
    return int.from_bytes(name[:8], "big", signed=True)


async def lock(database: Database, numbers: set[int]) -> None:
    """Take these locks until the transaction ends, in sorted order: two batches never wait for each other in a ring."""
    await database.execute("SELECT pg_advisory_xact_lock(n) FROM unnest($1::bigint[]) AS n", sorted(numbers))


async def lock_shared(database: Database, number: int) -> None:
    """Take this lock together with others who only look, until the transaction ends; whoever has it alone is waited for."""
    await database.execute("SELECT pg_advisory_xact_lock_shared($1)", number)


async def try_lock(database: Database, numbers: set[int]) -> bool:
    """Take these locks if all are free. False: the caller must roll back and begin with the full sorted list."""
    if not numbers:
        return True
    held: bool = await database.fetchval(
        "SELECT bool_and(pg_try_advisory_xact_lock(n)) FROM unnest($1::bigint[]) AS n", sorted(numbers)
    )
    return held


async def load(database: Database, wanted: Sequence[tuple[UUID, int]]) -> list[Stored]:
    """The events of these streams after the version given with each (0: all), in (stream, version) order."""
    if not wanted:
        return []
    # OFFSET 0 keeps the planner from turning the look-ups by key into a join over the whole store
    rows = await database.fetch(
        """SELECT w.stream, e.originator_version, e.topic, e.kind, e.state, e.recorded_at, e.digest
           FROM unnest($1::uuid[], $2::bigint[]) AS w (stream, after)
           CROSS JOIN LATERAL (
               SELECT s.originator_version, s.topic, s.kind, s.state, s.recorded_at, s.digest FROM leadline.events AS s
               WHERE s.originator_id = w.stream AND s.originator_version > w.after OFFSET 0
           ) AS e
           ORDER BY w.stream, e.originator_version""",
        [stream for stream, _ in wanted],
        [after for _, after in wanted],
    )
    return [Stored(*row) for row in rows]


async def load_until(database: Database, stream: UUID, as_of: datetime | None = None) -> list[Stored]:
    """A stream's events, all or those recorded up to a moment, in order."""
    rows = await database.fetch(
        """SELECT originator_id, originator_version, topic, kind, state, recorded_at, digest FROM leadline.events
           WHERE originator_id = $1 AND ($2::timestamptz IS NULL OR recorded_at <= $2) ORDER BY originator_version""",
        stream,
        as_of,
    )
    return [Stored(*row) for row in rows]


_EVENT_COLUMNS = ("originator_id", "originator_version", "topic", "kind", "state", "recorded_at", "digest")
"""The fields of `Stored`, in their order."""


async def append(database: Database, events: Sequence[Stored]) -> None:
    """Append events, and put each in the outbox for its topic. Raises UniqueViolationError when a version is taken."""
    if not events:
        return
    # COPY costs both sides half of what an INSERT of arrays does, and takes the rows in their order.
    await database.copy_records_to_table("events", schema_name="leadline", columns=_EVENT_COLUMNS, records=events)
    await database.copy_records_to_table(
        "outbox",
        schema_name="leadline",
        columns=("topic", "key", "stream", "version"),
        records=_outbox_rows(events),
    )


def _outbox_rows(events: Sequence[Stored]) -> Iterator[tuple[str, str, UUID, int]]:
    stream, key = None, ""
    for event in events:
        if event.stream is not stream:  # a stream's events mostly stand together
            stream, key = event.stream, str(event.stream)
        yield EVENTS_TOPIC_OF_KIND[event.kind], key, stream, event.version


async def send(database: Database, messages: Sequence[Message]) -> None:
    """Put messages that are no events in the outbox."""
    if not messages:
        return
    await database.execute(
        """INSERT INTO leadline.outbox (topic, key, stream, version, headers, value)
           SELECT topic, key, stream, version, headers::jsonb, value
           FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::bytea[])
                WITH ORDINALITY AS o (topic, key, stream, version, headers, value, n) ORDER BY n""",
        [message.topic for message in messages],
        [message.key for message in messages],
        [message.stream for message in messages],
        [message.version for message in messages],
        [orjson.dumps(message.headers).decode() for message in messages],
        [message.value for message in messages],
    )
