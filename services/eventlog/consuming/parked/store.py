"""SQL of parked records: park, release, discard, and what to try again.

Invariants: a record stands parked at most once per consumer, build and place in the log; it is written in the transaction
of its batch and deleted in the transaction that applies it. Releasing only asks: the consumer that owns the partition does it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.database import Database
from services.eventlog.consuming.records import RawRecord, Slot


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that could not be applied. `id` 0: not stored yet."""

    id: int
    record: RawRecord
    stream: str | None
    version: int | None
    reason: str
    detail: str


async def park(connection: Database, consumer: str, build: int, parked: Sequence[Parked]) -> None:
    """Keep these records, with the reason; one that is kept already (same place in the log) gets the newer reason."""
    if not parked:
        return
    columns: list[list[Any]] = [
        [p.stream for p in parked],
        [p.version for p in parked],
        [p.record.topic for p in parked],
        [p.record.partition for p in parked],
        [p.record.offset for p in parked],
        [p.record.key for p in parked],
        [_headers_to_json(p.record.headers) for p in parked],
        [p.record.value for p in parked],
        [p.reason for p in parked],
        [p.detail[:2000] for p in parked],
    ]
    await connection.execute(
        """INSERT INTO leadline.parked (consumer, build, stream, version, topic, partition, "offset", key, headers,
                                        value, reason, detail, timestamp_ms, at)
           SELECT $1, $2, p.*, now()
           FROM unnest($3::uuid[], $4::bigint[], $5::text[], $6::int[], $7::bigint[], $8::bytea[], $9::jsonb[],
                       $10::bytea[], $11::text[], $12::text[], $13::bigint[]) AS p
           ON CONFLICT (consumer, build, topic, partition, "offset")
               DO UPDATE SET reason = excluded.reason, detail = excluded.detail, stream = excluded.stream,
                             version = excluded.version, key = excluded.key, headers = excluded.headers,
                             value = excluded.value, released_at = NULL""",
        consumer,
        build,
        *columns,
        [p.record.timestamp_ms for p in parked],
    )


async def parked_count(connection: Database, consumer: str, build: int) -> int:
    """How many records stand parked, for metrics and for `verify`."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM leadline.parked WHERE consumer = $1 AND build = $2", consumer, build
    )
    return count


async def mark_released(connection: Database, consumer: str, build: int, streams: Iterable[str]) -> None:
    """Ask for the parked records of these streams to be tried again: what they waited for has come."""
    await connection.execute(
        """UPDATE leadline.parked SET released_at = now()
           WHERE consumer = $1 AND build = $2 AND stream = ANY($3::uuid[]) AND released_at IS NULL""",
        consumer,
        build,
        list(streams),
    )


async def release(connection: Database, parked_id: int) -> bool:
    """Ask the consumer that owns the record's partition to try it, and all parked records of its stream, again.

    False when there is no such record. The consumer looks within a second; what fails again stays parked with the newer
    reason.
    """
    tag = await connection.execute("UPDATE leadline.parked SET released_at = now() WHERE id = $1", parked_id)
    return bool(tag != "UPDATE 0")


async def discard(connection: Database, parked_id: int) -> bool:
    """Give a parked record up for good (a foreign record, say). False when there is no such record."""
    tag = await connection.execute("DELETE FROM leadline.parked WHERE id = $1", parked_id)
    return bool(tag != "DELETE 0")


async def released(
    connection: Database, consumer: str, build: int, slots: Collection[Slot], limit: int
) -> list[Parked]:
    """Records to try again: all parked ones of each stream with a release asked for, in version order.

    Only of the given partitions; at most `limit` streams. One without a stream comes alone.
    """
    rows = await connection.fetch(
        """WITH asked AS (
               SELECT DISTINCT ON (coalesce(stream::text, id::text)) id, stream, topic, partition
               FROM leadline.parked JOIN unnest($3::text[], $4::int[]) AS s (topic, partition) USING (topic, partition)
               WHERE consumer = $1 AND build = $2 AND released_at IS NOT NULL
               LIMIT $5)
           SELECT p.id, p.topic, p.partition, p."offset", p.key, p.value, p.headers, p.timestamp_ms, p.stream::text,
                  p.version, p.reason, p.detail
           FROM leadline.parked AS p JOIN asked AS a
                ON p.id = a.id OR (p.stream = a.stream AND p.topic = a.topic AND p.partition = a.partition)
           WHERE p.consumer = $1 AND p.build = $2
           ORDER BY p.stream, p.version NULLS FIRST, p."offset"
           FOR UPDATE OF p""",
        consumer,
        build,
        [s.topic for s in slots],
        [s.partition for s in slots],
        limit,
    )
    return [
        Parked(
            row[0],
            RawRecord(row[1], row[2], row[3], row[4], row[5], _headers_from_json(row[6]), row[7]),
            row[8],
            row[9],
            row[10],
            row[11],
        )
        for row in rows
    ]


async def released_partitions(connection: Database, consumer: str, build: int) -> set[Slot]:
    """Partitions that hold records to try again."""
    rows = await connection.fetch(
        """SELECT DISTINCT topic, partition FROM leadline.parked
           WHERE consumer = $1 AND build = $2 AND released_at IS NOT NULL""",
        consumer,
        build,
    )
    return {Slot(row[0], row[1]) for row in rows}


async def unpark(connection: Database, ids: Sequence[int]) -> None:
    """Forget parked records that are applied now, or turned out to be repeats."""
    if ids:
        await connection.execute("DELETE FROM leadline.parked WHERE id = ANY($1::bigint[])", list(ids))


async def unpark_released(connection: Database, ids: Sequence[int]) -> None:
    """Forget those of these records that were tried again and not parked anew."""
    await connection.execute(
        "DELETE FROM leadline.parked WHERE id = ANY($1::bigint[]) AND released_at IS NOT NULL", list(ids)
    )


def _headers_to_json(headers: Sequence[tuple[str, bytes | None]]) -> str:
    # text where it is text, for people to read; anything else as hex, so that it comes back byte for byte
    pairs = [(name.replace("\0", "␀"), value or b"") for name, value in headers]
    return orjson.dumps(
        [[n, v.decode("ascii") if v.isascii() and b"\0" not in v else {"hex": v.hex()}] for n, v in pairs]
    ).decode()


def _headers_from_json(text: str) -> list[tuple[str, bytes]]:
    return [(n, v.encode("ascii") if isinstance(v, str) else bytes.fromhex(v["hex"])) for n, v in orjson.loads(text)]
