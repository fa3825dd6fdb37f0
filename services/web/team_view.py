"""A team as it stands now: its version in force, who is away today, what everyone has to do, the pool (C4, N19).

Reads the registry of teams, the calendar and the projections; nothing is kept here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.pipeline import Period, Pipeline
from contracts.team import Member, Team
from projections.board import store as board
from projections.tasks import reading as tasks
from services.calendars import registry as calendars
from services.calendars.calendar import Calendar
from services.calendars.terms import due
from services.database import Database
from services.teams import registry
from services.teams import store as teams
from services.web import store
from services.web.pipelines_in_force import in_force
from services.web.problems import ProblemError

POOLED = 100
"""Leads of the pool that a team's page shows."""
SOON = Period(hours=4, working=True)
"""A deadline due within this is due soon."""


@dataclass(frozen=True, slots=True)
class MemberNow:
    """Somebody of the team. `standing`: here, away, off (not their working time now), left, not_yet; `load`: what they have to do
    (None: the read side knows nothing of theirs)."""

    member: Member
    standing: str
    load: tasks.Load | None


@dataclass(frozen=True, slots=True)
class TeamNow:
    """A team. `others`: who has leads or tasks and is not of it; `pool`: open leads that nobody is responsible for."""

    team: Team
    number: int
    calendar: Calendar
    members: list[MemberNow]
    others: list[tasks.Load]
    pool: list[board.Card]


async def current_team(connection: Database, team: str) -> tuple[Team, int]:
    """The version in force. Raises ProblemError (404) naming those there are."""
    try:
        return await registry.current(connection, team)
    except registry.NoSuchTeamError as error:
        raise ProblemError(404, "no-such-team", str(error)) from None


async def team_now(connection: Database, team: str, now: datetime) -> TeamNow:
    """The team as it stands at this moment. Raises ProblemError (404)."""
    known, number = await current_team(connection, team)
    calendar = await calendars.current(connection, known.calendar)
    loads = {load.person: load for load in await tasks.load(connection, now, due(now, SOON, calendar))}
    names = {member.name for member in known.members}
    pool, _ = await pool_now(connection, await in_force(connection, await store.pipelines(connection)), POOLED)
    return TeamNow(
        team=known,
        number=number,
        calendar=calendar,
        members=[
            MemberNow(member, standing_of(member, calendar, now), loads.get(member.name)) for member in known.members
        ],
        others=[load for person, load in loads.items() if person is not None and person not in names],
        pool=pool,
    )


async def pool_now(
    connection: Database, pipelines: Mapping[str, Pipeline], limit: int
) -> tuple[list[board.Card], str | None]:
    """Open leads that nobody is responsible for, the longest waiting in their stage first; not None: there are more."""
    places = {
        (name, stage.id): 0 for name, known in pipelines.items() for stage in known.stages if stage.kind == "open"
    }
    cards, more = await board.nearest(connection, board.Chosen(nobody=True), places, limit=limit)
    waiting = [card for card in cards if card.kind == "open" and card.merged_into is None and not card.withdrawn]
    return waiting, more if len(waiting) == len(cards) else None


def standing_of(member: Member, calendar: Calendar, now: datetime) -> str:
    """How somebody stands at this moment, by the team's wall."""
    today = calendar.local(now).date()
    if member.left is not None and member.left <= today:
        return "left"
    if member.since is not None and member.since > today:
        return "not_yet"
    if any(first <= today <= last for first, last in calendar.absences.get(member.name, ())):
        return "away"
    return "here" if calendar.next_working(now, member.name) == now else "off"


async def people_of_head(connection: Database, head: str) -> Sequence[str] | None:
    """Who is of the teams that this person heads, themselves among them; None: they head none, so everyone is theirs to see."""
    names: set[str] = set()
    heads = False
    for team in await teams.teams(connection):
        known, _ = await registry.current(connection, team)
        if known.head == head:
            heads = True
            names.update(member.name for member in known.members)
    return sorted({*names, head}) if heads else None
