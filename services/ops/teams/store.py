"""The SQL of what `leadline team` shows. Read only."""

from __future__ import annotations

from collections.abc import Sequence

from services.database import Database


async def open_leads(database: Database, people: Sequence[str]) -> dict[str, int]:
    """How many open leads and deals each of these people has; those who have none are left out."""
    rows = await database.fetch(
        """SELECT responsible, count(*) FROM leadline.lead_places
           WHERE responsible = ANY($1::text[]) AND NOT erased AND kind = 'open' GROUP BY 1""",
        list(people),
    )
    return {row[0]: row[1] for row in rows}
