"""Teams as data with versions (C4, N19): who belongs to a team, who heads it, what each can take, and when misses escalate.

Written in YAML, validated into these models, published as events. People are named as in the settings (`LEADLINE_STAFF` has their
addresses); nothing else about them stands here. Invariants: a name stands once; whoever left stays listed, with the day: they get
nothing more, and nothing of theirs is lost. Working hours and absences stand in the team's calendar.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cached_property
from typing import Annotated, Final

from pydantic import Field, model_validator

from contracts.pipeline.names import Misfit, misfits, there_are, there_are_ru
from contracts.pipeline.parts import Id, Model, Titles

Person = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$")]
DEFAULT_TEAM: Final = "sales"


class Quota(Model):
    """How much somebody takes by assignment; what is given by hand is not refused. Left out: no limit."""

    open: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Open leads at a time."""
    day: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Leads assigned on one day of the team's calendar."""


class Member(Model):
    """Somebody of the team."""

    name: Person
    skills: tuple[Id, ...] = ()
    languages: tuple[Id, ...] = ()
    directions: tuple[Id, ...] = ()
    quota: Quota = Quota()
    weight: Annotated[int, Field(ge=1, le=100)] = 1
    """In turn: somebody of weight 2 gets twice as many."""
    takes: bool = True
    """Whether leads are assigned to them at all."""
    manager: Person | None = None
    """Who is told of their misses; left out: the head."""
    since: date | None = None
    left: date | None = None
    """The day from which they belong to the team no more."""


class Escalation(Model):
    """Q6: how many misses in how many days open an escalation."""

    misses: Annotated[int, Field(ge=1, le=100)] = 3
    days: Annotated[int, Field(ge=1, le=365)] = 30


class Team(Model):
    """A team."""

    team: Id
    titles: Titles
    head: Person | None = None
    """Who heads it; left out: nobody is told of misses by name, they stand in every head's queue."""
    calendar: Id = DEFAULT_TEAM
    """Whose working hours count: the calendar of this team."""
    members: tuple[Member, ...] = Field(default=(), max_length=1_000)
    escalation: Escalation = Escalation()
    digest: bool = True
    """D6: whether the head gets the day's list of overdue tasks by mail."""

    @model_validator(mode="after")
    def _fits(self) -> Team:
        if (error := misfits(self._misfits())) is not None:
            raise error
        return self

    def _misfits(self) -> Iterator[Misfit]:
        seen = set[str]()
        names = [member.name for member in self.members]
        for n, member in enumerate(self.members):
            if member.name in seen:
                yield Misfit(
                    ("members", n, "name"),
                    f"{member.name} stands twice; write all of them in one place",
                    f"{member.name} есть дважды; запишите всё в одном месте",
                )
            seen.add(member.name)
            if member.manager == member.name:
                yield Misfit(
                    ("members", n, "manager"),
                    f"{member.name} is told of their own misses; name somebody else, or leave manager out for the head"
                    f"{there_are(names)}",
                    f"{member.name} узнаёт о своих же пропусках; назовите другого или уберите manager — узнает руководитель"
                    f"{there_are_ru(names)}",
                )
            if member.since is not None and member.left is not None and member.left < member.since:
                yield Misfit(
                    ("members", n, "left"),
                    f"{member.name} left before they came; put the later day here",
                    f"{member.name}: ушёл раньше, чем пришёл; поставьте сюда день позже",
                )

    @cached_property
    def by_name(self) -> dict[str, Member]:
        """Members by name."""
        return {member.name: member for member in self.members}

    def manager_of(self, person: str) -> str | None:
        """Who is told of a person's misses; None: nobody, of the head, of somebody who is not of the team, or without a head."""
        member = self.by_name.get(person)
        if member is None or person == self.head:
            return None
        return member.manager or self.head
