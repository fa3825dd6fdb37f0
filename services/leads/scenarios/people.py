"""Who works where, in a scenario: teams as they are said, what each of their people can take, whose turn it is (C4, M3).

Pure; leads are given by the real rules (`services.leads.domain.assigning`). Invariant: where a scenario says no team, nobody gets
a lead by itself, and those who may have one by hand are `SELLERS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from contracts import events as e
from contracts.pipeline import Pipeline, Titles
from contracts.team import Member, Quota, Team
from services.calendars.calendar import Calendar
from services.leads.domain.assigning.deciding import DEFAULT, Decision, give
from services.leads.domain.assigning.turns import Circle
from services.leads.domain.assigning.workforce import Workforce, workforce_of
from services.leads.domain.state import LeadState
from services.leads.scenarios.times import CALENDAR

SELLERS: Final = ("anna", "boris")
ALWAYS: Final = ((date.min, date.max),)


class People:
    """The teams of a scenario."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._teams: dict[str, Team] = {}
        self._away: set[str] = set()
        self._loads: Counter[str] = Counter()
        self._circles: dict[str, Circle] = {}
        self._chosen: Decision | None = None

    @property
    def said(self) -> bool:
        """Whether the scenario says a team: leads are given by themselves then."""
        return bool(self._teams)

    @property
    def names(self) -> tuple[str, ...]:
        """Who may have leads."""
        return tuple({member.name: None for team in self._teams.values() for member in team.members}) or SELLERS

    @property
    def calendar(self) -> Calendar:
        """The working time of scenarios, with those who are away."""
        return replace(CALENDAR, absences=dict.fromkeys(self._away, ALWAYS)) if self._away else CALENDAR

    # --- what is given ---------------------------------------------------------------------------------------------------

    def team(self, team: str | None, people: Sequence[str]) -> None:
        """A team of these people; the one that the pipeline names, where none is named. Raises ValidationError."""
        name = team or (self._pipeline.assignment or DEFAULT).team
        self._teams[name] = _team(name, [Member(name=person) for person in people])

    def can(self, person: str, what: str, ids: Sequence[str]) -> None:
        """Skills, languages or directions of somebody. Raises ValidationError."""
        self._change(person, lambda member: {what: [*getattr(member, what), *ids]})

    def takes_none(self, person: str) -> None:
        """Somebody is given leads by hand alone."""
        self._change(person, lambda member: {"takes": False})

    def at_most(self, person: str, leads: int) -> None:
        """Somebody takes no more open leads than so many."""
        self._change(person, lambda member: {"quota": Quota(open=leads)})

    def away(self, person: str) -> None:
        """Somebody is not at work."""
        self._away.add(person)

    def has(self, person: str, leads: int) -> None:
        """Somebody has so many open leads."""
        self._loads[person] = leads

    def had_last(self, person: str) -> None:
        """The last lead went to somebody, and those before it to those who stand before them."""
        for team in self._teams.values():
            takers = [member for member in team.members if member.takes]
            if person not in {member.name for member in takers}:
                continue
            circle = Circle()
            for member in takers:
                circle = circle.after(member, [one.name for one in takers])
                if member.name == person:
                    break
            rules = (self._pipeline.assignment or DEFAULT).rules
            names = [team.team, *(f"{team.team}/{self._pipeline.pipeline}/{rule.id}" for rule in rules)]
            self._circles |= dict.fromkeys(names, circle)

    def _change(self, person: str, changed: Callable[[Member], dict[str, Any]]) -> None:
        for name, team in self._teams.items():
            self._teams[name] = _team(
                name,
                [
                    Member.model_validate({**dict(member), **changed(member)}) if member.name == person else member
                    for member in team.members
                ],
            )

    # --- who gets a lead -------------------------------------------------------------------------------------------------

    def workforce(self, now: datetime) -> Workforce:
        """The people as they stand; where no team is said, all the sellers, each as good as the other."""
        if not self.said:
            return workforce_of(SELLERS, now)
        teams = {name: (team, 1) for name, team in self._teams.items()}
        calendars = {team.calendar: self.calendar for team in self._teams.values()}
        return Workforce(now, teams, calendars, self._circles, self._loads)

    def choose(self, lead: LeadState, now: datetime, without: str | None = None) -> Decision:
        """Who gets the lead."""
        self._chosen = give(lead, self._pipeline, self.workforce(now), without=without)
        return self._chosen

    def given(self, event: e.LeadAssigned) -> None:
        """It was given: the turn is had, and counts for the next."""
        if event.previous is not None:
            self._loads[event.previous] -= 1
        self._loads[event.to] += 1
        chosen, self._chosen = self._chosen, None
        if chosen is not None and chosen.to == event.to and chosen.circle is not None:
            self._circles[chosen.name] = chosen.circle


def _team(name: str, members: Sequence[Member]) -> Team:
    return Team(team=name, titles=Titles(ru=name, en=name), members=tuple(members))
