"""SQL of rebuilding: events up to what the live consumer has seen, what a build has seen, tables and their comparison.

Invariants: reads are bounded by a range or a list of streams; names of tables and columns come from Postgres' own catalogue, in
the schemas of builds. What a build has seen is kept in `leadline.seen` under the consumer `rebuild-PROJECTION`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from projections.event import ERASURES
from services.database import Database

LIVE_CONSUMER, LIVE_BUILD = "projections", 1
FIRST = UUID(int=0)
LONG_SECONDS = 3600.0
"""Limit of a statement over whole tables."""

LOCK_CLASS = 7304
"""First half of the advisory lock of a rebuild; the second is the hash of the projection's name."""


class Seen(NamedTuple):
    """Up to where a stream was applied."""

    stream: UUID
    version: int
    digest: bytes


class StoredEvent(NamedTuple):
    """An event as the store has it."""

    stream: UUID
    version: int
    topic: str
    state: bytes


class Delta(NamedTuple):
    """A stream that the live build has applied further than the new one."""

    stream: UUID
    after: int
    version: int
    digest: bytes


def consumer_of(projection: str) -> str:
    """Under which consumer `leadline.seen` keeps what builds of a projection hold."""
    return f"rebuild-{projection}"


async def try_lock(connection: Database, projection: str) -> bool:
    """Take the session's lock on rebuilding this projection; False: somebody else does."""
    held: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1, hashtext($2))", LOCK_CLASS, projection)
    return held


async def unlock(connection: Database, projection: str) -> None:
    """Give the lock back."""
    await connection.execute("SELECT pg_advisory_unlock($1, hashtext($2))", LOCK_CLASS, projection)


async def seen_anything(connection: Database) -> bool:
    """Whether the live consumer has applied any event."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM leadline.seen WHERE consumer = $1 AND build = $2)", LIVE_CONSUMER, LIVE_BUILD
    )
    return found


async def streams_after(connection: Database, after: UUID) -> int:
    """How many streams the live consumer knows past this one."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM leadline.seen WHERE consumer = $1 AND build = $2 AND stream > $3",
        LIVE_CONSUMER,
        LIVE_BUILD,
        after,
        timeout=LONG_SECONDS,
    )
    return count


async def seen_range(connection: Database, after: UUID, streams: int) -> list[Seen]:
    """The next streams of the live consumer, in order."""
    rows = await connection.fetch(
        """SELECT stream, version, digest FROM leadline.seen
           WHERE consumer = $1 AND build = $2 AND stream > $3 ORDER BY stream LIMIT $4""",
        LIVE_CONSUMER,
        LIVE_BUILD,
        after,
        streams,
    )
    return [Seen(*row) for row in rows]


async def events_of(
    connection: Database, streams: Sequence[UUID], after: Sequence[int], upto: Sequence[int], types: Collection[str]
) -> list[StoredEvent]:
    """Of each stream the events past `after` up to `upto`, of these types, in (stream, version) order."""
    # asyncpg's records are tuples of the same fields, and copying them costs
    rows: list[StoredEvent] = await connection.fetch(
        """SELECT e.originator_id, e.originator_version, e.topic, e.state
           FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS w (stream, after, upto)
           JOIN leadline.events AS e ON e.originator_id = w.stream
                AND e.originator_version > w.after AND e.originator_version <= w.upto
           WHERE e.topic = ANY($4::text[]) ORDER BY 1, 2""",
        streams,
        after,
        upto,
        list(types),
    )
    return rows


async def events_between(connection: Database, first: UUID, last: UUID, types: Collection[str]) -> list[StoredEvent]:
    """All events of these types in the streams from `first` to `last`, in (stream, version) order; in a transaction.

    As the index has them: sorting them spills to disk and takes as long as reading them.
    """
    await connection.execute(
        "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL max_parallel_workers_per_gather = 0"
    )
    rows: list[StoredEvent] = await connection.fetch(
        """SELECT originator_id, originator_version, topic, state FROM leadline.events
           WHERE originator_id >= $1 AND originator_id <= $2 AND topic = ANY($3::text[]) ORDER BY 1, 2""",
        first,
        last,
        list(types),
    )
    return rows


async def delta(connection: Database, consumer: str, build: int, limit: int) -> list[Delta]:
    """The streams on which a build is behind the live consumer, at most `limit`.

    One pass over what both have seen: a join would be at the mercy of statistics, and the live build waits for this.
    """
    rows = await connection.fetch(
        """WITH behind AS (
               SELECT stream, coalesce(max(version) FILTER (WHERE consumer = $3), 0) AS after
               FROM leadline.seen WHERE (consumer = $1 AND build = $2) OR (consumer = $3 AND build = $4)
               GROUP BY stream
               HAVING max(version) FILTER (WHERE consumer = $1)
                      > coalesce(max(version) FILTER (WHERE consumer = $3), 0)
               LIMIT $5)
           SELECT l.stream, b.after, l.version, l.digest FROM behind AS b
           JOIN leadline.seen AS l ON l.consumer = $1 AND l.build = $2 AND l.stream = b.stream""",
        LIVE_CONSUMER,
        LIVE_BUILD,
        consumer,
        build,
        limit,
        timeout=LONG_SECONDS,
    )
    return [Delta(*row) for row in rows]


async def oldest_running(connection: Database) -> str:
    """The oldest transaction that still runs: what a later statement does not see was written by this one or a later one."""
    found: str = await connection.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text")
    return found


async def delta_since(connection: Database, consumer: str, build: int, since: str, limit: int) -> list[Delta]:
    """As `delta`, of what was written since `oldest_running` said so: a tenth of its time, in which the live build waits."""
    rows = await connection.fetch(
        """WITH written AS MATERIALIZED (
               SELECT stream, version, digest FROM leadline.seen
               WHERE consumer = $1 AND build = $2 AND age(xmin) <= age($5::text::xid))
           SELECT w.stream, coalesce(b.version, 0), w.version, w.digest FROM written AS w
           LEFT JOIN LATERAL (SELECT version FROM leadline.seen
                              WHERE consumer = $3 AND build = $4 AND stream = w.stream LIMIT 1) AS b ON true
           WHERE w.version > coalesce(b.version, 0) LIMIT $6""",
        LIVE_CONSUMER,
        LIVE_BUILD,
        consumer,
        build,
        since,
        limit,
        timeout=LONG_SECONDS,
    )
    return [Delta(*row) for row in rows]


async def add_seen(connection: Database, consumer: str, build: int, seen: Sequence[Seen]) -> None:
    """Note streams that a build had not seen before."""
    await connection.copy_records_to_table(
        "seen",
        schema_name="leadline",
        columns=("consumer", "build", "stream", "version", "digest"),
        records=[(consumer, build, *row) for row in seen],
    )


async def save_seen(connection: Database, consumer: str, build: int, seen: Sequence[Seen]) -> None:
    """Note up to where a build has these streams now."""
    await connection.execute(
        """INSERT INTO leadline.seen (consumer, build, stream, version, digest)
           SELECT $1, $2, s.* FROM unnest($3::uuid[], $4::bigint[], $5::bytea[]) AS s
           ON CONFLICT (consumer, build, stream) DO UPDATE SET version = excluded.version, digest = excluded.digest""",
        consumer,
        build,
        [row.stream for row in seen],
        [row.version for row in seen],
        [row.digest for row in seen],
    )


async def erasure_under_way(connection: Database) -> bool:
    """Whether a person was erased whose erasure the live build has not applied yet: for that moment both forms are right."""
    found: bool = await connection.fetchval(
        """SELECT EXISTS (
               SELECT FROM vault.keys AS k
               JOIN leadline.events AS e ON e.originator_id = k.id AND e.topic = ANY($3::text[])
               LEFT JOIN leadline.seen AS s ON s.consumer = $1 AND s.build = $2 AND s.stream = k.id
               WHERE k.destroyed_at > now() - interval '1 day' AND (s.version IS NULL OR s.version < e.originator_version))""",
        LIVE_CONSUMER,
        LIVE_BUILD,
        sorted(ERASURES),
    )
    return found


# --- tables -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a build. `stream`: the column that says which stream a row belongs to, None for sums over all streams."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    stream: str | None
    numeric: tuple[str, ...]
    """Columns outside the key that hold numbers."""
    shown: tuple[str, ...]
    """Columns of the key that may be shown: texts of rows that belong to streams may be personal."""


async def exists(connection: Database, schema: str) -> bool:
    """Whether there is such a schema."""
    found: bool = await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", schema)
    return found


async def tables(connection: Database, schema: str) -> dict[str, Table]:
    """The tables of a build, as Postgres knows them."""
    rows = await connection.fetch(
        """SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum),
                  array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attnum = ANY(i.indkey)),
                  array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attnum = ANY(i.indkey) AND t.typname = 'uuid'),
                  array_agg(a.attname::text ORDER BY a.attnum)
                      FILTER (WHERE NOT a.attnum = ANY(i.indkey) AND t.typcategory = 'N'),
                  array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attnum = ANY(i.indkey) AND t.typcategory <> 'S')
           FROM pg_class AS c JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
                JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                JOIN pg_type AS t ON t.oid = a.atttypid
           WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r'
           GROUP BY c.relname ORDER BY c.relname""",
        schema,
    )
    found = {}
    for name, columns, key, streams, numeric, plain in rows:
        stream = streams[0] if streams else None
        shown = tuple(plain or ()) if stream else tuple(key)
        found[name] = Table(name, tuple(columns), tuple(key), stream, tuple(numeric or ()), shown)
    return found


async def count_rows(connection: Database, schema: str, table: str) -> int:
    """How many rows a table has."""
    count: int = await connection.fetchval(f"SELECT count(*) FROM {schema}.{table}", timeout=LONG_SECONDS)  # noqa: S608
    return count


async def differing(
    connection: Database,
    table: Table,
    columns: Sequence[str],
    live: str,
    new: str,
    *,
    limit: int,
    skip: Collection[UUID] = (),
    only: Collection[UUID] | None = None,
) -> tuple[int, list[dict[str, Any]]]:
    """How many rows of a table differ between two schemas in these columns, and the first of them: key, `where` (`both`,
    `live`, `new`), names of the columns that differ.

    `skip`: leave these streams out. `only`: look at these alone. Rows of sums that are all zero count as none.
    """
    keys, rest = ", ".join(table.key), [column for column in columns if column not in table.key]
    chosen = "true"
    arguments: list[Any] = [limit]
    if table.stream is None:
        zero = " AND ".join(f"{column} = 0" for column in table.numeric)
        chosen = f"NOT ({zero})" if zero else "true"
    elif only is not None:
        arguments.append(list(only))
        chosen = f"{table.stream} = ANY($2::uuid[])"
    elif skip:
        arguments.append(list(skip))
        chosen = f"{table.stream} <> ALL($2::uuid[])"
    listed = ", ".join([*table.key, *rest])
    unequal = " OR ".join(f"a.{column} IS DISTINCT FROM b.{column}" for column in rest) or "false"
    named = ", ".join(f"CASE WHEN a.{column} IS DISTINCT FROM b.{column} THEN '{column}' END" for column in rest)
    rows = await connection.fetch(
        f"""SELECT count(*) OVER (), {", ".join(f"{key}::text AS {key}" for key in table.shown) or "''"},
                   CASE WHEN a.there AND b.there THEN 'both' WHEN a.there THEN 'live' ELSE 'new' END,
                   array_remove(ARRAY[{named or "NULL::text"}]::text[], NULL)
            FROM (SELECT {listed}, true AS there FROM {live}.{table.name} WHERE {chosen}) AS a
            FULL JOIN (SELECT {listed}, true AS there FROM {new}.{table.name} WHERE {chosen}) AS b USING ({keys})
            WHERE a.there IS NULL OR b.there IS NULL OR {unequal}
            LIMIT $1""",  # noqa: S608 (names from the catalogue)
        *arguments,
        timeout=LONG_SECONDS,
    )
    shown = table.shown or ("",)
    return (rows[0][0] if rows else 0), [
        {
            "key": " ".join(str(value) for value in list(row)[1 : 1 + len(shown)]),
            "where": row[1 + len(shown)],
            "columns": row[2 + len(shown)] if row[1 + len(shown)] == "both" else [],
        }
        for row in rows
    ]


async def analyze(connection: Database, schema: str, names: Sequence[str]) -> None:
    """Let Postgres know what the tables hold."""
    for name in names:
        await connection.execute(f"ANALYZE {schema}.{name}", timeout=LONG_SECONDS)


async def drop_schema(connection: Database, schema: str) -> None:
    """Remove a build's tables."""
    await connection.execute("SET LOCAL lock_timeout = '2s'")
    await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE", timeout=LONG_SECONDS)


async def limit_locks(connection: Database, milliseconds: int) -> None:
    """Until the transaction ends, wait no longer than this for a lock."""
    await connection.execute(f"SET LOCAL lock_timeout = '{milliseconds:d}ms'")


async def commit_lazily(connection: Database) -> None:
    """Until the transaction ends: do not wait for the disk at its commit. A crash then loses whole ranges, rows and note of
    progress together; the swap waits for the disk, and with it for everything before."""
    await connection.execute("SET LOCAL synchronous_commit = off")
