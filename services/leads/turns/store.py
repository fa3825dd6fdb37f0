"""The SQL of assignment: how far round each circle its people are, open leads, leads a day, last owners (C4).

Invariants: marks and days are written under the lock of assignment, in the transaction of the events that say the same; how many
open leads somebody has is counted where leads stand, which is written with their events.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from uuid import UUID

from services.database import Database


async def marks(database: Database, circles: Collection[str]) -> list[tuple[str, str, int, int, int]]:
    """(circle, person, had, reached, turn) of these circles; the person "" stands for the circle itself."""
    if not circles:
        return []
    rows = await database.fetch(
        "SELECT circle, person, had, reached, turn FROM leadline.rotation WHERE circle = ANY($1::text[])",
        sorted(circles),
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


async def keep_marks(database: Database, rows: Sequence[tuple[str, str, int, int, int]]) -> None:
    """Keep how far people are: (circle, person, had, reached, turn)."""
    if rows:
        await database.execute(
            """INSERT INTO leadline.rotation (circle, person, had, reached, turn)
               SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
               ON CONFLICT (circle, person) DO UPDATE SET had = excluded.had, reached = excluded.reached,
                   turn = excluded.turn""",
            *(list(column) for column in zip(*rows, strict=True)),
        )


async def days(database: Database, people: Collection[str], day: date) -> dict[str, int]:
    """How many leads were assigned to each of these people by themselves on a day; none: left out."""
    rows = await database.fetch(
        "SELECT person, leads FROM leadline.assigned_days WHERE person = ANY($1::text[]) AND day = $2",
        sorted(people),
        day,
    )
    return {row[0]: row[1] for row in rows}


async def keep_days(database: Database, rows: Sequence[tuple[str, date, int]]) -> None:
    """Count further leads: (person, day, how many)."""
    if rows:
        await database.execute(
            """INSERT INTO leadline.assigned_days AS d (person, day, leads)
               SELECT * FROM unnest($1::text[], $2::date[], $3::int[])
               ON CONFLICT (person, day) DO UPDATE SET leads = d.leads + excluded.leads""",
            *(list(column) for column in zip(*rows, strict=True)),
        )


async def open_leads(database: Database, people: Collection[str]) -> dict[str, int]:
    """How many open leads and deals each of these people has; none: left out."""
    if not people:
        return {}
    rows = await database.fetch(
        """SELECT responsible, count(*) FROM leadline.lead_places
           WHERE responsible = ANY($1::text[]) AND NOT erased AND kind = 'open' GROUP BY 1""",
        sorted(people),
    )
    return {row[0]: row[1] for row in rows}


async def last_owners(database: Database, contacts: Collection[UUID]) -> list[tuple[UUID, str]]:
    """Who had the last lead of each of these contacts that somebody had; contacts in the order of those leads, oldest first."""
    if not contacts:
        return []
    rows = await database.fetch(
        """SELECT w.contact, l.responsible FROM unnest($1::uuid[]) AS w (contact) CROSS JOIN LATERAL (
               SELECT p.responsible, o.captured_at, o.lead FROM leadline.person_leads AS o
               JOIN leadline.lead_places AS p USING (lead)
               WHERE o.contact = w.contact AND p.responsible IS NOT NULL
               ORDER BY o.captured_at DESC, o.lead LIMIT 1) AS l
           ORDER BY l.captured_at, l.lead""",
        sorted(contacts),
    )
    return [(row[0], row[1]) for row in rows]
