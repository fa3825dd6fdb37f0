"""A team as it stands now: its version in force, who is away today, what everyone has to do, the pool (C4, N19).

Reads the registry of teams, the calendar and the projections; nothing is kept here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.pipeline import Period
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
from services.web.pools import of_team, pool_now, pools
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
    """A team. `others`: who has leads or tasks and is not of it; `pool`: open leads that nobody is responsible for, of
    the pipelines that give their leads to this team."""

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
    pipelines = await in_force(connection, await store.pipelines(connection))
    wanted = of_team(team, pools(pipelines, await teams.teams(connection)))
    pool, _ = await pool_now(connection, pipelines, wanted, POOLED)
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


async def teams_in_force(connection: Database) -> dict[str, Team]:
    """All teams, by id."""
    return {name: (await registry.current(connection, name))[0] for name in await teams.teams(connection)}


def people_of_head(known: Mapping[str, Team], head: str) -> Sequence[str] | None:
    """Who is of the teams that this person heads, themselves among them; None: they head none, so everyone is theirs to see."""
    own = [team for team in known.values() if team.head == head]
    return sorted({head, *(member.name for team in own for member in team.members)}) if own else None
