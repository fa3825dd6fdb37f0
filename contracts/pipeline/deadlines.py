"""Deadlines of a pipeline (Q1-Q4, Q7, C4): what must be done at a stage, by when, and what becomes of it when it is not.

A deadline belongs to a stage. It begins with a turn: how long there is follows from the lead as it is then (`within`, the first
whose condition holds), is counted in the team's calendar, and stands for that turn. The check comes at its end, or when its task
is done: what counts as done are criteria (`done`), or one of several results of the card (`results`). Not done in time is a miss
(Q6), and the next turn begins, until it is done. Invariants: what fits nothing is refused with its place; names are checked
by `contracts.pipeline.deadline_names`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.pipeline.card import Asked
from contracts.pipeline.criteria import Criterion
from contracts.pipeline.names import Misfit, misfits, twice
from contracts.pipeline.parts import Condition, Id, Model, OrId, Period, PeriodOrTerm, Titles, Words
from contracts.pipeline.robots import MoveTo, RejectAs

DeadlineId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
"""Shorter than other ids: the timer of its warning is named after it."""


class Within(Model):
    """Q3: how long there is, and for which leads; no condition: for all others. `titles`: why this long («есть телефон»)."""

    period: PeriodOrTerm
    when: Condition | None = None
    titles: Titles | None = None


class DeadlineStart(Model):
    """What a deadline's first turn begins with, where that is not the entry of its stage: one of these."""

    fact: Id | None = None
    """A fact is recorded in this stage visit."""
    robot: Id | None = None
    """A robot of the stage succeeded: of a letter, that the next server took it."""
    date: Id | None = None
    """A date on the card has come: the beginning of that day's work."""

    @model_validator(mode="after")
    def _one_of_them(self) -> DeadlineStart:
        named = [name for name in ("fact", "robot", "date") if getattr(self, name) is not None]
        if len(named) != 1:
            misfit = Misfit(
                (),
                "a deadline starts with one of: fact, robot, date; leave start out for one that starts on entry of its stage",
                "срок начинается с одного из: fact, robot, date; для срока от входа на стадию уберите start",
            )
            if (error := misfits([misfit])) is not None:
                raise error
        return self


class DeadlineResult(Model):
    """Q4: one of the ways it ends. `when`: the card says so; `needs`: what must be filled besides, and is asked for again by name
    where it is not; `mandatory`: the stage's mandatory fields too. `then`: where the system takes the lead."""

    id: Id
    titles: Titles
    when: Condition
    needs: tuple[Annotated[Asked, OrId()], ...] = ()
    mandatory: bool = False
    then: MoveTo | RejectAs | None = None


class Deadline(Model):
    """Q7: something to be done in time. `task`: the task it plans for the responsible, ticked off when it is done."""

    id: DeadlineId
    titles: Titles
    task: Words | None = None
    kind: Literal["call", "meeting", "letter", "task"] = "task"
    when: Condition | None = None
    """For which leads it stands, asked when it starts; left out: for all."""
    start: DeadlineStart | None = None
    within: tuple[Within, ...] = Field(min_length=1, max_length=20)
    warn: PeriodOrTerm | None = None
    """How long before its end the responsible is reminded."""
    done: tuple[Criterion, ...] = Field(default=(), max_length=50)
    """What counts as done: all of it. Without `done` and `results` it is done when its task is."""
    results: tuple[DeadlineResult, ...] = Field(default=(), max_length=20)
    rests_on: tuple[Id, ...] = ()
    """Robots of the stage without which it could not be done: where one failed, or its letter did not go out, the miss is not the
    responsible's (Q6)."""
    incident: bool = True
    """Q6: whether a miss goes to the journal; false: it is shown as overdue only."""
    again: bool = True
    """Whether a next turn begins after a miss, until it is done."""
    repeat: PeriodOrTerm | None = None
    """How long each later turn is; left out: as `within` says for the lead as it is then."""

    @model_validator(mode="after")
    def _fits(self) -> Deadline:
        if (error := misfits(self._misfits())) is not None:
            raise error
        return self

    def _misfits(self) -> Iterator[Misfit]:
        here, here_ru = f"deadline {self.id}: ", f"срок {self.id}: "
        if self.within[-1].when is not None:
            yield Misfit(
                ("within", len(self.within) - 1, "when"),
                f"{here}the last of within holds for all other leads; leave its condition out, or add one without",
                f"{here_ru}последний within действует для всех остальных лидов; уберите условие или добавьте строку без него",
            )
        for n, within in enumerate(self.within[:-1]):
            if within.when is None:
                yield Misfit(
                    ("within", n),
                    f"{here}one without a condition holds for all leads: those after it are never reached; put it last",
                    f"{here_ru}строка без условия подходит всем: до следующих не дойдёт; поставьте её последней",
                )
        if self.done and self.results:
            yield Misfit(
                ("results",),
                f"{here}what counts as done is said by done, or by results of the card, not by both; take one away",
                f"{here_ru}что считать выполнением, говорит done или results, но не оба; уберите одно",
            )
        if not (self.done or self.results or self.task):
            yield Misfit(
                (),
                f"{here}nothing says when it is done: write done, results, or a task that is ticked off",
                f"{here_ru}неясно, когда он выполнен: напишите done, results или задачу task, которую отмечают",
            )
        if self.repeat is not None and not self.again:
            yield Misfit(
                ("repeat",),
                f"{here}repeat is the length of later turns, and again: false says there are none; take one away",
                f"{here_ru}repeat — длина следующих кругов, а again: false говорит, что их нет; уберите одно",
            )
        ids = (result.id for result in self.results)
        yield from twice(f"deadline {self.id}: result", f"срок {self.id}, результаты", ids, ("results",))


class AssignmentRule(Model):
    """C4: who may have a lead of which the condition holds: members of the team who have all of this. The first that holds
    counts."""

    id: Id
    titles: Titles
    when: Condition | None = None
    team: Id | None = None
    """Left out: the team of the assignment."""
    people: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()
    """By name; none named: all of the team."""
    skills: tuple[Id, ...] = ()
    languages: tuple[Id, ...] = ()
    directions: tuple[Id, ...] = ()


class Idle(Model):
    """C4: a lead in one of these stages that nobody touched for so long goes to somebody else. Calls and whatever a person
    records touch it; robots and the client do not."""

    stages: tuple[Id, ...] = ()
    """Left out: the first stage."""
    within: PeriodOrTerm


class Assignment(Model):
    """C4: who becomes responsible by itself. A pipeline without it gives its leads to the default team in turn."""

    team: Id = "sales"
    by: Literal["in_turn", "least_loaded"] = "in_turn"
    """in_turn: everyone who may has had as many as the others; least_loaded: whoever has the fewest open leads."""
    sticky: bool = True
    """A known client's lead goes to whoever had their last one, where that person may have it."""
    in_hours: bool = False
    """Only those whose working time it is now; nobody: as if everyone worked, the lead waits for the morning."""
    rules: tuple[AssignmentRule, ...] = Field(default=(), max_length=100)
    idle: Idle | None = None
    missed_running: Annotated[int, Field(ge=1, le=100)] | None = None
    """A lead whose deadline the same person missed so often running goes to somebody else; left out: never."""
    pool_within: PeriodOrTerm = Period(hours=1, working=True)
    """A lead that nobody may have waits so long in the pool before it is an incident of the team's head."""
