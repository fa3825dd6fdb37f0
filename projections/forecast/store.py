"""SQL of the forecast: the stage visits and amounts that it is made of (Q10). Reads only, in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime

from projections.forecast.model import Visit
from projections.reading import live_schema
from services.database import Database

MOST_VISITS = 200_000
"""The latest so many visits are looked at: a year of a large team."""


async def visits(connection: Database, pipeline: str, now: datetime, zone: str) -> list[Visit]:
    """The stage visits of a pipeline as they are known now, in days of a time zone, the newest `MOST_VISITS` of them. A visit
    under an older version stands under the stage's id of then."""
    schema = await live_schema(connection, "funnel")
    rows = await connection.fetch(
        f"""SELECT stage, (entered_at AT TIME ZONE $3)::date, (left_at AT TIME ZONE $3)::date, to_stage, worked_by,
                   direction = 'in'
            FROM {schema}.visits WHERE pipeline = $1 AND entered_at < $2 AND NOT undone
            ORDER BY entered_at DESC LIMIT {MOST_VISITS}""",  # noqa: S608 (names of ours)
        pipeline,
        now,
        zone,
    )
    return [Visit(row[0], row[1], row[2], row[3], row[4], row[5]) for row in rows]


async def amounts(
    connection: Database, pipeline: str, now: datetime, zone: str
) -> Mapping[str, Mapping[tuple[str, date], float]]:
    """What was offered to the clients who stand in open stages: by currency, then by stage and the day they came there."""
    schema = await live_schema(connection, "board")
    rows = await connection.fetch(
        f"""SELECT currency, stage, (entered_at AT TIME ZONE $3)::date, sum(amount)
            FROM {schema}.cards
            WHERE pipeline = $1 AND entered_at < $2 AND kind = 'open' AND amount IS NOT NULL AND merged_into IS NULL
                  AND NOT withdrawn AND NOT erased
            GROUP BY 1, 2, 3""",  # noqa: S608 (names of ours)
        pipeline,
        now,
        zone,
    )
    found: dict[str, dict[tuple[str, date], float]] = defaultdict(dict)
    for currency, stage, since, amount in rows:
        found[currency][(stage, since)] = float(amount)
    return found
