"""SQL of the consumers: positions, witnesses, what was seen of each stream, notices. Parked records: `parked/store.py`.

Each function is a statement or two in the caller's transaction or connection; no rule lives here but compare-and-set.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import asyncpg

from services.database import Database
from services.eventlog.consuming.records import FencedError, Position, PositionMove, Slot

WITNESSES_KEPT = 20


async def load_positions(
    connection: Database, consumer: str, build: int, starts: dict[Slot, int]
) -> dict[Slot, Position]:
    """Positions of these partitions; where there is none yet, one at the given start is made."""
    slots = sorted(starts)
    columns = [s.topic for s in slots], [s.partition for s in slots]
    await connection.execute(
        """INSERT INTO leadline.positions (consumer, build, topic, partition, next_offset, witness)
           SELECT $1, $2, s.*, ''::bytea FROM unnest($3::text[], $4::int[], $5::bigint[]) AS s
           ON CONFLICT DO NOTHING""",
        consumer,
        build,
        *columns,
        [starts[s] for s in slots],
    )
    return await read_positions(connection, consumer, build, slots)


async def read_positions(
    connection: Database, consumer: str, build: int, slots: Collection[Slot]
) -> dict[Slot, Position]:
    """Positions of these partitions, those that exist."""
    rows = await connection.fetch(
        """SELECT topic, partition, next_offset, witness FROM leadline.positions
           JOIN unnest($3::text[], $4::int[]) AS s (topic, partition) USING (topic, partition)
           WHERE consumer = $1 AND build = $2""",
        consumer,
        build,
        [s.topic for s in slots],
        [s.partition for s in slots],
    )
    return {Slot(row[0], row[1]): Position(row[2], row[3]) for row in rows}


_MOVE: Final = """UPDATE leadline.positions AS p SET next_offset = m.next_offset, witness = m.witness
    FROM unnest($3::text[], $4::int[], $5::bigint[], $6::bytea[], $7::bigint[], $8::bytea[])
        AS m (topic, partition, expected_offset, expected_witness, next_offset, witness)
    WHERE p.consumer = $1 AND p.build = $2 AND p.topic = m.topic AND p.partition = m.partition
      AND p.next_offset = m.expected_offset AND p.witness = m.expected_witness
    RETURNING p.topic, p.partition"""


def _moved(moves: Sequence[PositionMove]) -> tuple[Any, ...]:
    """What `_MOVE` is given, $1 to $8."""
    return (
        moves[0].consumer,
        moves[0].build,
        [move.slot.topic for move in moves],
        [move.slot.partition for move in moves],
        [move.expected.next_offset for move in moves],
        [move.expected.witness for move in moves],
        [move.new.next_offset for move in moves],
        [move.new.witness for move in moves],
    )


async def compare_and_set(connection: Database, moves: Sequence[PositionMove]) -> set[Slot]:
    """Make all these moves of one consumer; the partitions whose position was as expected, and so was moved."""
    rows = await connection.fetch(_MOVE, *_moved(moves))
    return {Slot(row[0], row[1]) for row in rows}


async def keep_witnesses(connection: Database, moves: Sequence[PositionMove]) -> None:
    """Remember where these moves went, and forget all but the newest `WITNESSES_KEPT` of each partition."""
    await connection.execute(
        """WITH m AS (
               SELECT * FROM unnest($3::text[], $4::int[], $5::bigint[], $6::bytea[])
                   AS m (topic, partition, next_offset, witness)),
           kept AS (
               INSERT INTO leadline.witnesses (consumer, build, topic, partition, next_offset, witness, at)
               SELECT $1, $2, m.*, now() FROM m
               ON CONFLICT (consumer, build, topic, partition, next_offset)
                   DO UPDATE SET witness = excluded.witness, at = excluded.at)
           DELETE FROM leadline.witnesses AS w
           USING (SELECT o.topic, o.partition, o.next_offset,
                         row_number() OVER (PARTITION BY o.topic, o.partition ORDER BY o.next_offset DESC) AS place
                  FROM leadline.witnesses AS o JOIN m ON m.topic = o.topic AND m.partition = o.partition
                  WHERE o.consumer = $1 AND o.build = $2 AND o.next_offset <> m.next_offset) AS old
           WHERE w.consumer = $1 AND w.build = $2 AND w.topic = old.topic AND w.partition = old.partition
             AND w.next_offset = old.next_offset AND old.place >= $7""",
        moves[0].consumer,
        moves[0].build,
        [move.slot.topic for move in moves],
        [move.slot.partition for move in moves],
        [move.new.next_offset for move in moves],
        [move.new.witness for move in moves],
        WITNESSES_KEPT,  # the new one among them
    )


async def witnesses(connection: Database, consumer: str, build: int, slot: Slot) -> list[Position]:
    """The positions remembered of a partition, newest first."""
    rows = await connection.fetch(
        """SELECT next_offset, witness FROM leadline.witnesses
           WHERE consumer = $1 AND build = $2 AND topic = $3 AND partition = $4 ORDER BY next_offset DESC""",
        consumer,
        build,
        slot.topic,
        slot.partition,
    )
    return [Position(row[0], row[1]) for row in rows]


async def forget_witnesses(connection: Database, consumer: str, build: int, slot: Slot, above: int) -> None:
    """Forget the remembered positions of a partition past an offset: that log is no more."""
    await connection.execute(
        """DELETE FROM leadline.witnesses
           WHERE consumer = $1 AND build = $2 AND topic = $3 AND partition = $4 AND next_offset > $5""",
        consumer,
        build,
        slot.topic,
        slot.partition,
        above,
    )


async def notice(connection: Database, service: str, severity: str, code: str, detail: str) -> None:
    """Put a line on the operations page, once while an equal one stands there. No personal data in `detail`."""
    await connection.execute(
        """INSERT INTO leadline.notices (service, severity, code, detail)
           SELECT $1, $2, $3, $4 WHERE NOT EXISTS (
               SELECT FROM leadline.notices
               WHERE service = $1 AND code = $3 AND detail = $4 AND cleared_at IS NULL)""",
        service,
        severity,
        code,
        detail,
    )


async def load_seen(
    connection: Database, consumer: str, build: int, streams: Collection[str]
) -> tuple[dict[str, tuple[int, bytes]], set[str]]:
    """Last version and digest applied of each of these streams, and which of them have parked records."""
    rows = await connection.fetch(
        """SELECT stream::text, version, digest, false FROM leadline.seen
           WHERE consumer = $1 AND build = $2 AND stream = ANY($3::uuid[])
           UNION ALL
           SELECT DISTINCT stream::text, 0, ''::bytea, true FROM leadline.parked
           WHERE consumer = $1 AND build = $2 AND stream = ANY($3::uuid[])""",
        consumer,
        build,
        streams,
    )
    seen = {row[0]: (row[1], row[2]) for row in rows if not row[3]}
    return seen, {row[0] for row in rows if row[3]}


async def save_seen(connection: Database, consumer: str, build: int, seen: dict[str, tuple[int, bytes]]) -> None:
    """Write the last version and digest of these streams."""
    if seen:
        streams = sorted(seen)
        await connection.execute(
            """INSERT INTO leadline.seen (consumer, build, stream, version, digest)
               SELECT $1, $2, s.* FROM unnest($3::uuid[], $4::bigint[], $5::bytea[]) AS s
               ON CONFLICT (consumer, build, stream)
                   DO UPDATE SET version = excluded.version, digest = excluded.digest""",
            consumer,
            build,
            streams,
            [seen[s][0] for s in streams],
            [seen[s][1] for s in streams],
        )


async def move_and_see(connection: Database, moves: Sequence[PositionMove], seen: dict[str, tuple[int, bytes]]) -> None:
    """Make all these moves of one consumer, and write the last version and digest of these streams.

    All of it or nothing, without a transaction around it: raises FencedError when a position is not as expected, or a stream not
    behind what is to be written. A division by zero is the way in which one statement that sees that fails with all it has done.
    """
    streams = sorted(seen)
    try:
        await connection.fetchval(
            f"""WITH moved AS ({_MOVE}),
               noted AS (
                   INSERT INTO leadline.seen AS s (consumer, build, stream, version, digest)
                   SELECT $1, $2, n.* FROM unnest($9::uuid[], $10::bigint[], $11::bytea[]) AS n
                   ON CONFLICT (consumer, build, stream)
                       DO UPDATE SET version = excluded.version, digest = excluded.digest WHERE s.version < excluded.version
                   RETURNING 1)
               SELECT 1 / ((SELECT count(*) FROM moved) = cardinality($4::int[])
                           AND (SELECT count(*) FROM noted) = cardinality($9::uuid[]))::int""",  # noqa: S608 (a statement of ours)
            *_moved(moves),
            streams,
            [seen[s][0] for s in streams],
            [seen[s][1] for s in streams],
        )
    except asyncpg.DivisionByZeroError as error:
        raise FencedError([move.slot for move in moves]) from error
