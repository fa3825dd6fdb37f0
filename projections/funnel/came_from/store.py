"""SQL of where leads came from into a stage visit: of one made poor, how near to the decision it had been (Q5). Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from projections.funnel.store import NAME
from projections.reading import live_schema
from services.database import Database


async def came_from(connection: Database, visits: Iterable[tuple[UUID, int]]) -> dict[UUID, str]:
    """By lead, the stage it left for this visit; those that the projection has not seen are left out."""
    wanted = list(visits)
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT v.lead, v.from_stage FROM {schema}.visits AS v
            JOIN unnest($1::uuid[], $2::int[]) AS w (lead, visit) USING (lead, visit)
            WHERE v.from_stage IS NOT NULL""",  # noqa: S608 (names of ours)
        [lead for lead, _ in wanted],
        [visit for _, visit in wanted],
    )
    return {row[0]: row[1] for row in rows}
