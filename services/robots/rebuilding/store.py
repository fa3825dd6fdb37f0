"""SQL of making timers anew: the rows there are, and putting them right.

Invariant: what was sent of a timer is left as noted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple
from uuid import UUID

from services.database import Database
from services.robots.domain import OUTCOMES, Armed
from services.robots.store import ARMED_COLUMNS, Robot


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
