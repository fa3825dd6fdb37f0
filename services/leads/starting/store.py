"""The SQL of starting robots: which leads stand where. Read only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from services.database import Database
from services.leads.publishing.store import LIVE


@dataclass(frozen=True, slots=True)
class Standing:
    """An open or paused lead (or deal), at the version its stream is at."""

    lead: UUID
    version: int


async def standing(
    database: Database, pipeline: str, stages: Collection[str], after: UUID, limit: int
) -> list[Standing]:
    """Open and paused leads of a pipeline, whose persons are not erased, in the order of their ids, after one. `stages`: of these
    alone; none named: of all."""
    rows = await database.fetch(
        """SELECT p.lead, (SELECT max(e.originator_version) FROM leadline.events AS e WHERE e.originator_id = p.lead)
           FROM leadline.lead_places AS p
           WHERE p.pipeline = $1 AND NOT p.erased AND p.kind = ANY($2::text[])
             AND (cardinality($3::text[]) = 0 OR p.stage = ANY($3::text[])) AND p.lead > $4
           ORDER BY p.lead LIMIT $5""",
        pipeline,
        list(LIVE),
        sorted(stages),
        after,
        limit,
    )
    return [Standing(*row) for row in rows]


async def how_many(database: Database, pipeline: str, stages: Collection[str]) -> int:
    """How many `standing` would list in all."""
    count: int = await database.fetchval(
        """SELECT count(*) FROM leadline.lead_places AS p
           WHERE p.pipeline = $1 AND NOT p.erased AND p.kind = ANY($2::text[])
             AND (cardinality($3::text[]) = 0 OR p.stage = ANY($3::text[]))""",
        pipeline,
        list(LIVE),
        sorted(stages),
    )
    return count


async def versions(database: Database, leads: Collection[UUID]) -> dict[UUID, int]:
    """At which version the stream of each lead is."""
    rows = await database.fetch(
        """SELECT originator_id, max(originator_version) FROM leadline.events WHERE originator_id = ANY($1::uuid[])
           GROUP BY 1""",
        sorted(leads),
    )
    return {row[0]: row[1] for row in rows}
