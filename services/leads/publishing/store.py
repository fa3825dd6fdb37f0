"""The SQL of where leads stand (`leadline.lead_places`).

Invariants: a place is written in the transaction of the events it follows from; whoever is erased is in nobody's way and is
moved nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from uuid import UUID

from services.database import Database
from services.leads.publishing.places import Place

LIVE = ("open", "postponed")
"""Kinds of leads that stand in a pipeline's way, and that go on under its next version."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How many leads stand in a stage under a version, by kind and by where they would come back to."""

    stage: str
    kind: str
    number: int
    returns_to: str | None
    leads: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A lead under an older version, at the version its stream is at."""

    lead: UUID
    version: int
    number: int
    stage: str
    kind: str
    returns_to: str | None


async def keep(database: Database, places: Collection[Place]) -> None:
    """Write where these leads stand now."""
    if not places:
        return
    rows = sorted(places, key=attrgetter("lead"))
    await database.execute(
        """INSERT INTO leadline.lead_places AS p (lead, contact, pipeline, number, stage, kind, returns_to, responsible)
           SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[])
           ON CONFLICT (lead) DO UPDATE SET pipeline = excluded.pipeline, number = excluded.number,
               stage = excluded.stage, kind = excluded.kind, returns_to = excluded.returns_to,
               responsible = excluded.responsible""",
        *(list(column) for column in zip(*rows, strict=True)),
    )


async def erase(database: Database, contact: UUID) -> None:
    """M7: nothing more is done with this person's leads."""
    await database.execute("UPDATE leadline.lead_places SET erased = true WHERE contact = $1", contact)


async def standing(database: Database, pipeline: str) -> list[Standing]:
    """Where the leads of a pipeline stand, but for erased and merged ones."""
    rows = await database.fetch(
        """SELECT stage, kind, number, returns_to, count(*) FROM leadline.lead_places
           WHERE pipeline = $1 AND NOT erased AND kind <> 'merged' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4""",
        pipeline,
    )
    return [Standing(*row) for row in rows]


async def live(database: Database, pipeline: str, limit: int) -> tuple[int, list[tuple[UUID, str]]]:
    """How many open and paused leads stand in a pipeline, and the first of them with their stages."""
    rows = await database.fetch(
        """SELECT lead, stage, count(*) OVER () FROM leadline.lead_places
           WHERE pipeline = $1 AND NOT erased AND kind = ANY($2::text[]) ORDER BY lead LIMIT $3""",
        pipeline,
        list(LIVE),
        limit,
    )
    return (rows[0][2] if rows else 0), [(row[0], row[1]) for row in rows]


async def waiting(
    database: Database, pipeline: str, number: int, mapped: Collection[str], after: UUID, limit: int
) -> list[Waiting]:
    """Leads that are to go on under version `number` and are under an older one: open and paused ones, and rejected ones that
    stand in, or would come back to, one of the stages mapped. In the order of their ids, after one."""
    rows = await database.fetch(
        """SELECT p.lead, (SELECT max(e.originator_version) FROM leadline.events AS e WHERE e.originator_id = p.lead),
                  p.number, p.stage, p.kind, p.returns_to
           FROM leadline.lead_places AS p
           WHERE p.pipeline = $1 AND p.number < $2 AND NOT p.erased AND p.lead > $5 AND (
               p.kind = ANY($3::text[])
               OR p.kind = 'lost' AND (p.stage = ANY($4::text[]) OR p.returns_to = ANY($4::text[])))
           ORDER BY p.lead LIMIT $6""",
        pipeline,
        number,
        list(LIVE),
        sorted(mapped),
        after,
        limit,
    )
    return [Waiting(*row) for row in rows]


async def how_many_wait(database: Database, pipeline: str, number: int, mapped: Collection[str]) -> int:
    """How many `waiting` would list in all."""
    count: int = await database.fetchval(
        """SELECT count(*) FROM leadline.lead_places AS p
           WHERE p.pipeline = $1 AND p.number < $2 AND NOT p.erased AND (
               p.kind = ANY($3::text[])
               OR p.kind = 'lost' AND (p.stage = ANY($4::text[]) OR p.returns_to = ANY($4::text[])))""",
        pipeline,
        number,
        list(LIVE),
        sorted(mapped),
    )
    return count


async def erased_behind(database: Database, pipeline: str, number: int) -> int:
    """How many open and paused leads of erased persons stay under older versions for good."""
    count: int = await database.fetchval(
        """SELECT count(*) FROM leadline.lead_places
           WHERE pipeline = $1 AND number < $2 AND erased AND kind = ANY($3::text[])""",
        pipeline,
        number,
        list(LIVE),
    )
    return count


async def places_between(database: Database, begin: UUID, end: UUID) -> dict[UUID, tuple[Place, bool]]:
    """The places of a range of leads, each with whether its person is erased."""
    rows = await database.fetch(
        """SELECT lead, contact, pipeline, number, stage, kind, returns_to, responsible, erased FROM leadline.lead_places
           WHERE lead BETWEEN $1 AND $2""",
        begin,
        end,
    )
    return {row[0]: (Place(*row[:8]), row[8]) for row in rows}


def counted(found: Sequence[Standing]) -> dict[str, dict[str, int]]:
    """Leads by stage and kind, whatever their version."""
    counts: dict[str, dict[str, int]] = {}
    for row in found:
        of = counts.setdefault(row.stage, {})
        of[row.kind] = of.get(row.kind, 0) + row.leads
    return counts
