"""The account of a lead's deadlines: what is due, how much is left, why this long, and what became of those before (Q7, M5).

Pure; from the lead's events, computed at the moment of asking. Invariants: every `DeadlineSet` gives one turn, closed by the
event that closed its timer; what an open turn lacks is what its check would find now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from contracts import events as e
from contracts.commands import Missing
from contracts.meta import Actor
from contracts.pipeline import Deadline, Pipeline, Titles, Words
from contracts.recorded import Recorded
from services.calendars import terms
from services.leads.domain.deadlines.checking import verdict
from services.leads.domain.robots.instants import Times
from services.leads.domain.state import LeadState
from services.pipelines.deadline_words import deadline_words, within_words
from services.pipelines.robot_words import period_words

Closing: TypeAlias = e.DeadlineMet | e.DeadlineAsked | e.DeadlineMissed | e.DeadlineDropped
_ONCE: Final = Words(ru="инцидент ответственного", en="an incident of the responsible")


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a deadline in a stage visit. `version`: `pipeline@number` it was set under; `by`: who closed it."""

    set: e.DeadlineSet
    at: datetime
    stage: str
    version: str | None
    closed: Closing | None = None
    closed_at: datetime | None = None
    by: Actor | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """An open turn as it stands. `left`: working time to its end (of a plain term, plain time), below nothing: by how much it is
    overdue; `why`: why this long; `responsible`: whose it would be now; `lacks`: what the check would find; `missed`: what
    becomes of a miss; `warned_at`: when somebody is reminded, where that is to come."""

    turn: Turn
    left: timedelta
    overdue: bool
    why: Words
    responsible: str | None
    lacks: tuple[Missing, ...]
    missed: Words
    warn_at: datetime | None


@dataclass(frozen=True, slots=True)
class Account:
    """What is due, the nearest first; and every turn there was, in the order they began."""

    due: tuple[Due, ...]
    turns: tuple[Turn, ...]


def account(history: Iterable[Recorded], state: LeadState, pipeline: Pipeline, times: Times) -> Account:
    """The account of a lead. `state`: the fold of the same history; `pipeline`: the version it stands under; `times`: the moment
    of asking, and the calendar in force."""
    turns: dict[UUID, Turn] = {}
    stages: dict[int, str] = {}
    for recorded in history:
        meta, event = recorded.meta, recorded.data
        match event:
            case e.StageEntered():
                stages[event.visit] = event.stage
            case e.DeadlineSet():
                turns[event.timer] = Turn(event, meta.happened_at, stages.get(event.visit, state.stage), meta.pipeline)
            case e.DeadlineMet() | e.DeadlineAsked() | e.DeadlineMissed() | e.DeadlineDropped() if event.timer in turns:
                turns[event.timer] = replace(
                    turns[event.timer], closed=event, closed_at=meta.happened_at, by=meta.actor
                )
    waiting = [turn for turn in turns.values() if turn.closed is None]
    due = sorted((due_of(turn, state, pipeline, times) for turn in waiting), key=lambda one: one.turn.set.due_at)
    return Account(tuple(due), tuple(turns.values()))


def due_of(turn: Turn, state: LeadState, pipeline: Pipeline, times: Times) -> Due:
    """How an open turn stands now."""
    event = turn.set
    found = pipeline.deadlines_by_id.get(event.deadline)
    return Due(
        turn,
        left_of(event, times),
        event.due_at < times.now,
        _why(event, found[1] if found is not None else None, pipeline),
        state.responsible,
        verdict(state, event, pipeline).lacks,
        deadline_words(found[1], pipeline).missed if found is not None else _ONCE,
        event.warn_at if event.warn_at is not None and event.warn_at > times.now else None,
    )


def left_of(turn: e.DeadlineSet, times: Times) -> timedelta:
    """How much is left until its end, in the time it is counted in; below nothing: by how much it is overdue."""
    if not turn.term.working:
        return turn.due_at - times.now
    return terms.working_left(times.now, turn.due_at, times.calendar, turn.responsible)


def _why(turn: e.DeadlineSet, deadline: Deadline | None, pipeline: Pipeline) -> Words:
    """Why this long: the clause that chose the term, by its words; else the term itself."""
    within = deadline.within if deadline is not None else ()
    chosen = next((w for w in within if w.when == turn.clause and e.Term(**w.period.model_dump()) == turn.term), None)
    if chosen is not None:
        return within_words(chosen, pipeline)
    if deadline is not None and deadline.repeat is not None:
        return period_words(deadline.repeat)
    titles = Titles(ru="по сроку дела", en="by the instant of the activity")
    return Words(ru=titles.ru, en=titles.en)
