"""The incidents service's SQL: what it looks at, and what it has told already (`leadline.incidents_told`).

Invariant: an id that was told is told once: it is kept in the transaction that sends the command. Tasks are read where BI reads
them (`bi.tasks`), which is not there before the projections have been built.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.database import Database
from services.eventlog.recording.store import lock_number, try_lock
from services.incidents.domain import Channel, Overdue

MOST_TASKS = 20_000


async def hold(database: Database) -> bool:
    """Whether this process looks, and no other one at the same time, until the transaction ends."""
    return await try_lock(database, {lock_number(b"incidents service")})


async def first_time(database: Database, ids: Sequence[UUID], at: datetime) -> set[UUID]:
    """Those of the ids that were not told before; from now on they are."""
    rows = await database.fetch(
        """INSERT INTO leadline.incidents_told (id, at) SELECT id, $2 FROM unnest($1::uuid[]) AS t (id)
           ON CONFLICT DO NOTHING RETURNING id""",
        list(ids),
        at,
    )
    return {row[0] for row in rows}


async def told(database: Database, ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids that were told already."""
    rows = await database.fetch("SELECT id FROM leadline.incidents_told WHERE id = ANY($1)", list(ids))
    return {row[0] for row in rows}


async def channels(database: Database, since: datetime) -> list[Channel]:
    """The hours in which something came in by each channel since then."""
    rows = await database.fetch(
        """SELECT channel, account, array_agg(DISTINCT date_trunc('hour', received_at) ORDER BY date_trunc('hour', received_at)),
                  max(received_at)
           FROM leadline.inbound_outcomes WHERE received_at >= $1 GROUP BY 1, 2 ORDER BY 1, 2""",
        since,
    )
    return [Channel(row[0], row[1], tuple(row[2]), row[3]) for row in rows]


async def unread(database: Database, since: datetime) -> list[tuple[str, int, datetime]]:
    """(channel, messages, since when) of what was quarantined since then and waits for a person."""
    rows = await database.fetch(
        """SELECT channel, count(*), min(at) FROM leadline.inbound_outcomes
           WHERE at >= $1 AND outcome = 'quarantined' GROUP BY 1 ORDER BY 1""",
        since,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def parked(database: Database, since: datetime) -> list[tuple[str, int, datetime]]:
    """(consumer, records, since when) of what was put aside since then and waits."""
    rows = await database.fetch(
        """SELECT consumer, count(*), min(at) FROM leadline.parked
           WHERE at >= $1 AND released_at IS NULL GROUP BY 1 ORDER BY 1""",
        since,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def overdue(database: Database, now: datetime) -> list[Overdue] | None:
    """Tasks that should have been done by now; None: the projections have not been built yet."""
    try:
        async with database.transaction():
            rows = await database.fetch(
                """SELECT lead, activity, kind, doer, due_at FROM bi.tasks
                   WHERE outcome IS NULL AND due_at < $1 ORDER BY due_at, activity LIMIT $2""",
                now,
                MOST_TASKS,
            )
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return None
    return [Overdue(*row) for row in rows]


async def pipelines_in_use(database: Database, first: datetime, beyond: datetime) -> set[str]:
    """Pipelines that got a lead in a period."""
    rows = await database.fetch(
        "SELECT DISTINCT pipeline FROM leadline.person_leads WHERE captured_at >= $1 AND captured_at < $2",
        first,
        beyond,
    )
    return {row[0] for row in rows}
