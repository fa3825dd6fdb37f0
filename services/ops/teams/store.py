"""The SQL of what `leadline team` shows and hands over. Read only.

Whose a lead is stands with its events; who is named by a task is read from the projection of tasks, which is a moment behind."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from projections.reading import live_schema
from projections.tasks.store import NAME as TASKS
from services.database import Database
from services.teams import registry
from services.teams import store as teams


async def open_leads(database: Database, people: Sequence[str]) -> dict[str, int]:
    """How many open leads and deals each of these people has; those who have none are left out."""
    rows = await database.fetch(
        """SELECT responsible, count(*) FROM leadline.lead_places
           WHERE responsible = ANY($1::text[]) AND NOT erased AND kind = 'open' GROUP BY 1""",
        list(people),
    )
    return {row[0]: row[1] for row in rows}


async def leads_of(database: Database, person: str) -> list[UUID]:
    """The open and paused leads and deals of a person, in the order of their ids."""
    rows = await database.fetch(
        """SELECT lead FROM leadline.lead_places
           WHERE responsible = $1 AND NOT erased AND kind IN ('open', 'postponed') ORDER BY lead""",
        person,
    )
    return [row[0] for row in rows]


async def tasks_of(database: Database, person: str) -> dict[UUID, int]:
    """By lead that somebody else has, or nobody: how many tasks to be done name this person. Raises NotBuiltError."""
    schema = await live_schema(database, TASKS)
    rows = await database.fetch(
        f"""SELECT a.lead, count(*) FROM {schema}.activities AS a JOIN leadline.lead_places AS p ON p.lead = a.lead
            WHERE a.assignee = $1 AND a.outcome IS NULL AND p.responsible IS DISTINCT FROM $1
              AND NOT p.erased AND p.kind <> 'merged'
            GROUP BY 1 ORDER BY 1""",  # noqa: S608 (names of ours)
        person,
    )
    return {row[0]: row[1] for row in rows}


async def responsibles(database: Database, leads: Sequence[UUID]) -> dict[UUID, str | None]:
    """Whose each of these leads is."""
    rows = await database.fetch(
        "SELECT lead, responsible FROM leadline.lead_places WHERE lead = ANY($1::uuid[])", list(leads)
    )
    return {row[0]: row[1] for row in rows}


async def people(database: Database) -> set[str]:
    """Everybody who stands in a team, whoever left among them."""
    found: set[str] = set()
    for name in await teams.teams(database):
        team, _ = await registry.current(database, name)
        found |= set(team.by_name)
    return found
