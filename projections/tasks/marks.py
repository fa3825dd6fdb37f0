"""What a board marks its cards with: deadlines that are near or were missed, incidents (S6, Q7, Q9).

Reads the live build of `tasks` alone, by the leads that are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from projections.reading import live_schema
from projections.tasks.store import NAME
from services.database import Database


@dataclass(frozen=True, slots=True)
class Mark:
    """Of a lead's deadlines that run: the nearest instant; `missed`: whether one of them was missed already in its stage visit.
    `incidents`: misses since the moment asked for that went to the journal."""

    due_at: datetime | None
    missed: bool
    incidents: int


async def marks(connection: Database, leads: Sequence[UUID], near: datetime, since: datetime) -> dict[UUID, Mark]:
    """By lead, those that have something to mark. `near`: a deadline due before it is near."""
    if not leads:
        return {}
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""WITH mine AS (SELECT lead, deadline, visit, due_at, outcome, incident, closed_at
                          FROM {schema}.deadlines WHERE lead = ANY($1)),
                 missed AS (SELECT DISTINCT lead, deadline, visit FROM mine WHERE outcome = 'missed')
            SELECT m.lead, min(m.due_at) FILTER (WHERE m.outcome IS NULL AND m.due_at < $2),
                   bool_or(m.outcome IS NULL AND x.lead IS NOT NULL),
                   count(m.incident) FILTER (WHERE m.closed_at >= $3)
            FROM mine AS m LEFT JOIN missed AS x USING (lead, deadline, visit) GROUP BY m.lead""",  # noqa: S608
        list(leads),
        near,
        since,
    )
    found = {row[0]: Mark(row[1], row[2], row[3]) for row in rows}
    return {lead: mark for lead, mark in found.items() if mark.due_at is not None or mark.missed or mark.incidents}
