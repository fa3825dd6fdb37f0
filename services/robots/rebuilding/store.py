"""SQL of making timers anew: what was read of the events, the rows there are, putting right.

Invariants: events count as far as the live service has read their streams; what was sent of a timer is left as noted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple
from typing import Final, NamedTuple
from uuid import UUID

from services.database import Database
from services.robots.domain import OUTCOMES, Armed
from services.robots.store import ARMED_COLUMNS, BUILD, CONSUMER, Robot

EVENTS_READ: Final = """SELECT e.originator_id, e.originator_version, e.topic, e.state FROM leadline.events AS e
    JOIN leadline.seen AS s ON s.consumer = $1 AND s.build = $2 AND s.stream = e.originator_id
                           AND s.version >= e.originator_version
    WHERE e.topic = ANY($3::text[]) AND"""
IN_ORDER: Final = "ORDER BY e.originator_id, e.originator_version"


class RobotEvent(NamedTuple):
    """An event that arms or closes, as it is stored."""

    stream: UUID
    version: int
    type: str
    state: bytes


async def range_end(database: Database, begin: UUID, events: int) -> UUID | None:
    """The last stream of a range that begins at `begin` and holds about `events` events; None: all that is left."""
    last: UUID | None = await database.fetchval(
        """SELECT originator_id FROM leadline.events WHERE originator_id >= $1
           ORDER BY originator_id, originator_version OFFSET $2 LIMIT 1""",
        begin,
        events,
    )
    return last


async def events_read(database: Database, begin: UUID, end: UUID, types: Collection[str]) -> list[RobotEvent]:
    """The events of these types in the streams from `begin` to `end` that this build has read, in (stream, version) order."""
    rows = await database.fetch(
        f"{EVENTS_READ} e.originator_id BETWEEN $4 AND $5 {IN_ORDER}", CONSUMER, BUILD, list(types), begin, end
    )
    return [RobotEvent(*row) for row in rows]


async def events_read_of(database: Database, streams: Collection[UUID], types: Collection[str]) -> list[RobotEvent]:
    """The same of these streams."""
    rows = await database.fetch(
        f"{EVENTS_READ} e.originator_id = ANY($4::uuid[]) {IN_ORDER}", CONSUMER, BUILD, list(types), list(streams)
    )
    return [RobotEvent(*row) for row in rows]


async def timers_between(database: Database, begin: UUID, end: UUID) -> dict[UUID, Armed]:
    """The rows of the streams of a range, by timer."""
    rows = await database.fetch(
        f"SELECT {ARMED_COLUMNS} FROM leadline.timers WHERE stream BETWEEN $1 AND $2",  # noqa: S608 (columns of ours)
        begin,
        end,
    )
    return {row[0]: Armed(*row) for row in rows}


async def counted(database: Database) -> dict[tuple[str, Robot], int]:
    """The counts that are not zero, by column (`armed` or an outcome) and robot."""
    rows = await database.fetch("SELECT * FROM leadline.timer_counts")
    return {
        (column, (row["kind"], row["pipeline"], row["robot"])): row[column]
        for row in rows
        for column in ("armed", *OUTCOMES)
        if row[column]
    }


async def replace(database: Database, streams: Collection[UUID], armed: Sequence[Armed]) -> None:
    """Have these rows for these streams and no others. What was sent stays as it is noted; nothing is counted."""
    await database.execute(
        "DELETE FROM leadline.timers WHERE stream = ANY($1::uuid[]) AND timer <> ALL($2::uuid[])",
        list(streams),
        [a.timer for a in armed],
    )
    await database.executemany(
        f"""INSERT INTO leadline.timers ({ARMED_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (timer) DO UPDATE SET
                stream = excluded.stream, kind = excluded.kind, pipeline = excluded.pipeline, robot = excluded.robot,
                due_at = excluded.due_at, armed_version = excluded.armed_version, correlation = excluded.correlation,
                autodepth = excluded.autodepth""",  # noqa: S608 (columns of ours)
        [astuple(a) for a in armed],
    )
