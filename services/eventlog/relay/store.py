"""All SQL of the relay.

Invariants: outbox rows are deleted in the transaction that moves `relay_positions`; the hot statements go by the primary key
from a given number on, so a transaction held open elsewhere (dead rows that cannot be cleaned up) does not slow them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.topics import LEADS_REFUSALS
from services.database import Database

_ROW = """o.n, o.topic, o.key, o.headers::text, o.value, e.state, e.digest, e.recorded_at"""
# OFFSET 0, here and below, keeps the planner from turning look-ups by key into a join over the whole table: a plan that was made
# while the table was empty lives on when it has filled up
_EVENT = """LEFT JOIN LATERAL (
        SELECT s.state, s.digest, s.recorded_at FROM leadline.events AS s
        WHERE o.value IS NULL AND s.originator_id = o.stream AND s.originator_version = o.version OFFSET 0
    ) AS e ON true"""


@dataclass(frozen=True, slots=True)
class Taken:
    """Where an acknowledged outbox row ended up: `next_offset` is one past its record."""

    topic: str
    partition: int
    next_offset: int
    last_id: str


async def try_locks(database: Database, kind: int, keys: Sequence[int]) -> bool:
    """Session locks, in order, as far as they are free; False when one is not (those taken stay taken)."""
    held: bool = await database.fetchval(
        "SELECT bool_and(pg_try_advisory_lock($1, k)) FROM unnest($2::int[]) AS k", kind, keys
    )
    return held


async def unlock_all(database: Database) -> None:
    """Let go of every session lock."""
    await database.execute("SELECT pg_advisory_unlock_all()")


async def nobody_wants_aside(database: Database, kind: int, keys: Sequence[int]) -> bool:
    """Whether these locks are free; they are held for the statement only, and shared."""
    free: bool = await database.fetchval(
        "SELECT bool_and(pg_try_advisory_xact_lock_shared($1, k)) FROM unnest($2::int[]) AS k", kind, keys
    )
    return free


async def heartbeat(database: Database) -> None:
    """Anything, to see that the session lives."""
    await database.fetchval("SELECT 1")


async def poll(database: Database, floor: int, topics: Sequence[str], limit: int) -> list[Any]:
    """Outbox rows above `floor`, oldest first, events with their bytes."""
    rows: list[Any] = await database.fetch(
        f"""SELECT {_ROW} FROM leadline.outbox AS o {_EVENT}
            WHERE o.n > $1 AND o.topic = ANY($2::text[]) ORDER BY o.n LIMIT $3""",  # noqa: S608 - constants
        floor,
        topics,
        limit,
    )
    return rows


async def in_ranges(database: Database, ranges: Sequence[tuple[int, int]], topics: Sequence[str]) -> list[Any]:
    """Outbox rows whose number lies in one of the ranges (both ends included), oldest first."""
    rows: list[Any] = await database.fetch(
        f"""SELECT {_ROW} FROM unnest($1::bigint[], $2::bigint[]) AS g (low, high)
            CROSS JOIN LATERAL (SELECT * FROM leadline.outbox WHERE n BETWEEN g.low AND g.high OFFSET 0) AS o {_EVENT}
            WHERE o.topic = ANY($3::text[]) ORDER BY o.n""",  # noqa: S608 - constants
        [low for low, _ in ranges],
        [high for _, high in ranges],
        topics,
    )
    return rows


async def numbers(database: Database, floor: int, topics: Sequence[str]) -> list[int]:
    """The numbers of all outbox rows up to `floor`."""
    found: list[int] = await database.fetchval(
        """SELECT coalesce(array_agg(o.n), '{}') FROM leadline.outbox AS o
           WHERE o.n <= $1 AND o.topic = ANY($2::text[])""",
        floor,
        topics,
    )
    return found


async def writers(database: Database) -> frozenset[str]:
    """Transactions at work that may have taken outbox numbers not yet to be seen.

    A transaction locks the table before it takes its first number and until it ends, so one that is not listed here has ended.
    """
    found: list[str] = await database.fetchval(
        """SELECT coalesce(array_agg(l.virtualtransaction), '{}') FROM pg_locks AS l
           WHERE l.locktype = 'relation' AND l.relation = 'leadline.outbox'::regclass AND l.mode = 'RowExclusiveLock'
             AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
             AND l.pid <> pg_backend_pid()"""
    )
    return frozenset(found)


async def finish(database: Database, rows: Sequence[int], taken: Sequence[Taken]) -> None:
    """Delete acknowledged outbox rows and move the positions, in one transaction. Refusals are kept for a republish."""
    async with database.transaction():
        await database.execute(
            """WITH gone AS (
                   DELETE FROM leadline.outbox WHERE n = ANY($1::bigint[]) RETURNING topic, stream, key, headers, value)
               INSERT INTO leadline.refusals (command, key, headers, value)
               SELECT stream, key, headers, value FROM gone WHERE topic = $2 ON CONFLICT DO NOTHING""",
            rows,
            LEADS_REFUSALS.name,
        )
        await move(database, taken)


async def move(database: Database, taken: Sequence[Taken]) -> None:
    """Set relay positions, one each partition."""
    await database.execute(
        """INSERT INTO leadline.relay_positions (topic, partition, next_offset, last_id)
           SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[])
           ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset, last_id = excluded.last_id""",
        [each.topic for each in taken],
        [each.partition for each in taken],
        [each.next_offset for each in taken],
        [each.last_id for each in taken],
    )


async def positions(database: Database, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """Next offset known to be safe, by (topic, partition)."""
    rows = await database.fetch(
        "SELECT topic, partition, next_offset FROM leadline.relay_positions WHERE topic = ANY($1::text[])", topics
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def forget_partitions(database: Database, topic: str, count: int) -> None:
    """Remove positions of partitions that a topic does not have."""
    await database.execute("DELETE FROM leadline.relay_positions WHERE topic = $1 AND partition >= $2", topic, count)


async def compare_events(
    database: Database, streams: Sequence[UUID], versions: Sequence[int], hashes: Sequence[bytes]
) -> list[tuple[bool, bool, str | None]]:
    """For each (stream, version, sha256 of the record's value): known, same bytes, aggregate kind; in the same order."""
    rows = await database.fetch(
        """SELECT e.originator_id IS NOT NULL, coalesce(sha256(e.state) = t.hash, false), e.kind
           FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) WITH ORDINALITY AS t (stream, version, hash, i)
           LEFT JOIN leadline.events AS e ON e.originator_id = t.stream AND e.originator_version = t.version ORDER BY t.i""",
        streams,
        versions,
        hashes,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def compare_refusals(
    database: Database, commands: Sequence[UUID], hashes: Sequence[bytes]
) -> list[tuple[bool, bool]]:
    """For each (command, sha256 of the record's value): known, same bytes; in the same order."""
    rows = await database.fetch(
        """SELECT coalesce(o.value, r.value) IS NOT NULL, coalesce(sha256(coalesce(o.value, r.value)) = t.hash, false)
           FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS t (command, hash, i)
           LEFT JOIN leadline.outbox AS o ON o.topic = $3 AND o.stream = t.command
           LEFT JOIN leadline.refusals AS r ON r.command = t.command ORDER BY t.i""",
        commands,
        hashes,
        LEADS_REFUSALS.name,
    )
    return [(row[0], row[1]) for row in rows]


async def waiting(
    database: Database, topics: Sequence[str], streams: Sequence[UUID], versions: Sequence[int], hashes: Sequence[bytes]
) -> list[tuple[int, int]]:
    """Which of these records are outbox rows with the same bytes: (place in the lists, row number)."""
    rows = await database.fetch(
        """SELECT t.i - 1, o.n
           FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bytea[])
                WITH ORDINALITY AS t (topic, stream, version, hash, i)
           JOIN leadline.outbox AS o ON o.topic = t.topic AND o.stream = t.stream AND o.version = t.version
           WHERE o.value IS NULL OR sha256(o.value) = t.hash""",
        topics,
        streams,
        versions,
        hashes,
    )
    return [(row[0], row[1]) for row in rows]


async def open_notice(database: Database, service: str, code: str, detail: str) -> int:
    """The id of the open notice with this text, made when there is none."""
    found: int = await database.fetchval(
        """WITH there AS (SELECT id FROM leadline.notices
                          WHERE service = $1 AND code = $2 AND detail = $3 AND cleared_at IS NULL LIMIT 1),
                made AS (INSERT INTO leadline.notices (service, severity, code, detail)
                         SELECT $1, 'error', $2, $3 WHERE NOT EXISTS (SELECT FROM there) RETURNING id)
           SELECT id FROM there UNION ALL SELECT id FROM made""",
        service,
        code,
        detail,
    )
    return found


async def notice_cleared(database: Database, notice: int) -> bool:
    """Whether a person has cleared a notice (or removed it)."""
    still: bool = await database.fetchval(
        "SELECT EXISTS (SELECT FROM leadline.notices WHERE id = $1 AND cleared_at IS NULL)", notice
    )
    return not still


async def clear_notices(database: Database, service: str, code: str) -> None:
    """What was complained of is over."""
    await database.execute(
        "UPDATE leadline.notices SET cleared_at = now() WHERE service = $1 AND code = $2 AND cleared_at IS NULL",
        service,
        code,
    )
