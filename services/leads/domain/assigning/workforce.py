"""What is known of the people when a lead is given: teams, working hours, turns had, loads (C4). Plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from contracts.pipeline import Titles
from contracts.team import DEFAULT_TEAM, Member, Team
from services.calendars.calendar import ROUND_THE_CLOCK, Calendar
from services.leads.domain.assigning.turns import Circle


@dataclass(frozen=True, slots=True)
class Fit:
    """Who fits whatever the lead: of a team, under a rule. `limited`: whether somebody of them has a quota."""

    members: tuple[Member, ...]
    names: tuple[str, ...]
    excluded: Mapping[str, str]
    limited: bool


@dataclass(frozen=True, slots=True)
class Workforce:
    """The people as they stand now. The mappings may change while a batch goes on: what was given counts for the next."""

    now: datetime
    teams: Mapping[str, tuple[Team, int]]
    """In force, with the number of the version."""
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    """By the id that teams name them by; one that is missing: always working time."""
    circles: Mapping[str, Circle] = field(default_factory=dict)
    loads: Mapping[str, int] = field(default_factory=dict)
    """Open leads and deals by person."""
    days: Mapping[tuple[str, date], int] = field(default_factory=dict)
    """Leads assigned by themselves, by person and day of their team's calendar."""

    held: dict[tuple[str, str | None], Fit] | None = None
    """Where whoever gives many leads at one moment keeps what stands against people whatever the lead: by team and rule."""

    def calendar(self, team: Team) -> Calendar:
        """The calendar of a team."""
        return self.calendars.get(team.calendar, ROUND_THE_CLOCK)

    def day_of(self, team: Team) -> date:
        """The day on a team's wall clock."""
        return self.calendar(team).local(self.now).date()


def workforce_of(people: Iterable[str], now: datetime, turns: int = 0) -> Workforce:
    """The default team of these people, all alike, at any time: as in scenarios. `turns`: how many leads went round already."""
    members = tuple(Member(name=name) for name in people)
    team = Team(team=DEFAULT_TEAM, titles=Titles(ru="Продажи", en="Sales"), members=members)
    force = Workforce(now, {DEFAULT_TEAM: (team, 1)})
    circle = Circle()
    for turn in range(turns if members else 0):
        circle = circle.after(members[turn % len(members)], [member.name for member in members])
    return Workforce(force.now, force.teams, circles={DEFAULT_TEAM: circle})
