"""The SQL of `leadline incidents`. Read only."""

from __future__ import annotations

from uuid import UUID

from services.database import Database


async def journals(database: Database) -> list[UUID]:
    """Every incident journal, each by its stream: all employees, all quarters."""
    rows = await database.fetch(
        """SELECT originator_id FROM leadline.events WHERE kind = 'incident' AND originator_version = 1
           ORDER BY recorded_at, originator_id"""
    )
    return [row[0] for row in rows]
