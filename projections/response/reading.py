"""What pages read of response times: leads that arrived in a period, to be grouped by `times`, and those behind a number (S2).

Reads take a connection and use the live build. Leads that were merged into another are left out: the other one counts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from projections.reading import cursor, cursor_of, live_schema
from projections.response.arrival import Arrival, Step
from projections.response.store import NAME
from services.database import Database

MOST: Final = 50_000
"""Leads that are grouped at once: more are asked for by a shorter period."""
_ARRIVAL = ", ".join(f.name for f in fields(Arrival))


class TooManyArrivalsError(ValueError):
    """More leads arrived in the period than are grouped at once."""

    def __init__(self, found: int) -> None:
        super().__init__(f"{found:,} leads arrived in this period, more than {MOST:,}; ask for a shorter one")
        self.found = found


@dataclass(frozen=True, slots=True)
class ArrivalsWanted:
    """Which leads: those that arrived from `since` on and before `until`, and meet all conditions given. `person`: whose lead it
    was first. `lacks`: those that have not reached this step."""

    since: datetime
    until: datetime
    pipeline: str | None = None
    source: str | None = None
    person: str | None = None
    lacks: Step | None = None


_WANTED = """NOT merged AND arrived_at >= $1 AND arrived_at < $2 AND ($3::text IS NULL OR pipeline = $3)
    AND ($4::text IS NULL OR source = $4) AND ($5::text IS NULL OR assigned_to = $5)
    AND CASE $6::text WHEN 'seen' THEN seen_at IS NULL WHEN 'accepted' THEN accepted_at IS NULL
        WHEN 'contact' THEN contact_at IS NULL ELSE true END"""


async def arrivals(connection: Database, wanted: ArrivalsWanted) -> list[Arrival]:
    """All of them, in the order they arrived. Raises TooManyArrivalsError."""
    schema = await live_schema(connection, NAME)
    count = await connection.fetchval(
        f"SELECT count(*) FROM {schema}.leads WHERE {_WANTED}",  # noqa: S608 (names of ours)
        *_conditions(wanted),
    )
    if count > MOST:
        raise TooManyArrivalsError(count)
    rows = await connection.fetch(
        f"SELECT {_ARRIVAL} FROM {schema}.leads WHERE {_WANTED} ORDER BY arrived_at, lead",  # noqa: S608
        *_conditions(wanted),
    )
    return [Arrival(*row) for row in rows]


async def page(
    connection: Database, wanted: ArrivalsWanted, *, after: str | None = None, limit: int = 50
) -> tuple[list[Arrival], str | None]:
    """A page of them, the latest arrived first, and the cursor of the next. Raises ValueError for a malformed cursor."""
    at, last = cursor(after)
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT {_ARRIVAL} FROM {schema}.leads
            WHERE {_WANTED} AND ($7::timestamptz IS NULL OR (arrived_at, lead) < ($7, $8::uuid))
            ORDER BY arrived_at DESC, lead DESC LIMIT $9""",  # noqa: S608 (names of ours)
        *_conditions(wanted),
        at,
        last,
        limit + 1,
    )
    found = [Arrival(*row) for row in rows[:limit]]
    more = len(rows) > limit and found
    return found, cursor_of(found[-1].arrived_at, found[-1].lead) if more else None


def _conditions(wanted: ArrivalsWanted) -> tuple[Any, ...]:
    return wanted.since, wanted.until, wanted.pipeline, wanted.source, wanted.person, wanted.lacks
