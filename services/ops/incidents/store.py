"""The SQL of `leadline incidents`. Read only."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from services.database import Database

JOURNALS: Final = """SELECT originator_id, recorded_at FROM leadline.events
                     WHERE kind = 'incident' AND originator_version = 1 ORDER BY recorded_at, originator_id"""


async def journals(database: Database) -> list[tuple[UUID, datetime]]:
    """Every incident journal, all employees and quarters: the stream, and when it began. Read from an index of its own
    (`events_journals`): the store may have millions of events of leads."""
    return [(row[0], row[1]) for row in await database.fetch(JOURNALS)]
