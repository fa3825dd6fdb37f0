"""The beginning of a deadline's turn: how long there is, in whose working time, until which instant (Q1-Q3, Q7). Pure.

Invariants: what a term is chosen by is looked at once, when the turn begins, and stands for that turn; each turn has a timer of
its own, whose id follows from lead, stage visit, deadline and number (N1); a term never ends before it is told: one that would
be over already counts from now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid5

from contracts import events as e
from contracts.commands import Missing
from contracts.pipeline import Deadline, Period, Pipeline, Titles
from services.calendars import terms
from services.calendars.calendar import ROUND_THE_CLOCK, NoWorkingTimeError
from services.leads.domain.criteria import values_of
from services.leads.domain.robots.instants import MORNING, Times, due
from services.leads.domain.state import LeadState
from services.pipelines.conditions import holds
from services.pipelines.robot_words import WARNING as WARNING

MEETING: Final = "meeting_result"
"""P9: the result of a meeting that was held is owed."""
ACTIVITY: Final = "activity"
"""Q7: a key action that was planned."""
POOL: Final = "pool"
"""C4: a lead that nobody may have; done when somebody has it."""
BUILT_IN: Final = frozenset({MEETING, ACTIVITY, POOL})
"""Deadlines of every pipeline."""
ACROSS_STAGES: Final = frozenset({ACTIVITY, POOL})
"""Those that go on where the lead goes on to another stage."""
MEETING_TERM: Final = Period(days=1, working=True)
RESULT_OWED: Final = Titles(ru="Записать результат встречи", en="Record the result of the meeting")
Language = Literal["ru", "en"]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is around a lead when something happens to it. `at`: when it happened, which a delayed message says; `people`: who
    may be responsible for leads, where that is known."""

    pipeline: Pipeline
    times: Times
    at: datetime
    language: Language = "ru"
    people: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Sort:
    """What a turn needs to know of its deadline, of the pipeline's own and the built-in ones alike."""

    id: str
    period: Period
    titles: Titles | None = None
    clause: str | None = None
    task: str | None = None
    kind: Any = "task"
    warn: Period | None = None
    incident: bool = True


def sort_of(state: LeadState, deadline: Deadline, now: Circumstances, *, later: bool = False) -> Sort:
    """The deadline as it is for this lead now. `later`: whether it is a turn after the first."""
    period, clause = deadline.repeat if later else None, None
    if period is None:
        values = values_of(state, now.pipeline)
        within = next(w for w in deadline.within if w.when is None or holds(w.when, values))
        period, clause = within.period, within.when
    task = getattr(deadline.task, now.language) if deadline.task is not None else None
    return Sort(deadline.id, period, deadline.titles, clause, task, deadline.kind, deadline.warn, deadline.incident)


def set_turn(
    state: LeadState,
    sort: Sort,
    now: Circumstances,
    because: Any,
    begin: datetime,
    *,
    visit: int | None = None,
    lacks: Iterable[Missing] = (),
    replaces: UUID | None = None,
    activity: UUID | None = None,
    due_at: datetime | None = None,
) -> Iterator[e.Event]:
    """The turn that begins at `begin`, with the task that stands for it. `activity`: the one that stands for it already;
    `due_at`: the instant that stands already."""
    visit, missing = state.root if visit is None else visit, tuple(lacks)
    person = state.responsible if sort.period.working or sort.period.months else None
    calendar = now.times.name if sort.period.working or sort.period.months else None
    if due_at is None:
        due_at = due(now.times, begin, sort.period, person)
        if due_at <= now.times.now:
            begin = now.times.now
            due_at = due(now.times, begin, sort.period, person)
    number = state.deadlines.turns.get((visit, sort.id), 0) + 1
    name = f"{sort.id}:{activity}" if sort.id == ACTIVITY else sort.id
    timer = uuid5(state.lead, f"deadline:{visit}:{name}:{number}")
    planned = uuid5(timer, "activity") if sort.task is not None else activity
    yield e.DeadlineSet(
        deadline=sort.id,
        timer=timer,
        visit=visit,
        turn=number,
        due_at=due_at,
        because=because,
        begun_at=begin,
        term=e.Term(**sort.period.model_dump()),
        clause=sort.clause,
        calendar=calendar,
        responsible=person,
        warn_at=_warn_at(sort, due_at, person, now.times),
        activity=planned,
        lacks=tuple(lack.id for lack in missing),
        incident=sort.incident,
        replaces=replaces,
    )
    if sort.task is not None:
        assert planned is not None
        yield e.ActivityPlanned(
            activity=planned,
            activity_kind=sort.kind,
            reason="deadline",
            due_at=due_at,
            text=_asking(sort.task, missing, now.language),
            visit=visit,
            calendar=calendar,
            deadline=sort.id,
        )


def _asking(task: str, missing: tuple[Missing, ...], language: Language) -> str:
    """The task, with what is asked for again by name (Q4)."""
    if not missing:
        return task
    named = ", ".join(getattr(lack, language) for lack in missing)
    return f"{task}. Не хватает: {named}" if language == "ru" else f"{task}. Missing: {named}"


def _warn_at(sort: Sort, due_at: datetime, person: str | None, times: Times) -> datetime | None:
    """When the responsible is reminded; None where that would be before the turn is told."""
    if sort.warn is None:
        return None
    try:
        at = terms.before(due_at, sort.warn, times.calendar, person)
    except NoWorkingTimeError:
        at = terms.before(due_at, sort.warn, ROUND_THE_CLOCK)
    return at if at > times.now else None


def begin_of(state: LeadState, deadline: Deadline, now: Circumstances) -> datetime | None:
    """From when the first turn counts, of a deadline that begins with its stage or by a date; None where it does not yet."""
    start = deadline.start
    if start is None:
        return state.entered_at or now.at
    if start.date is None:
        return None
    try:
        day = date.fromisoformat(state.card.get(start.date, ""))
    except ValueError:
        return None
    hours = now.times.calendar.hours(day)
    return now.times.calendar.instant(day, hours[0].start if hours else MORNING)


def stands_for(state: LeadState, deadline: Deadline, now: Circumstances) -> bool:
    """Whether the deadline is one of this lead's."""
    return deadline.when is None or holds(deadline.when, values_of(state, now.pipeline))


def meeting(now: Circumstances) -> Sort:
    """P9: the deadline of a meeting's result."""
    return Sort(MEETING, MEETING_TERM, RESULT_OWED, task=getattr(RESULT_OWED, now.language))


def key_action(state: LeadState, planned: e.ActivityPlanned, now: Circumstances) -> Iterator[e.Event]:
    """Q7: a key action was planned: its instant is a deadline."""
    assert planned.due_at is not None, "a key action has an instant"
    robot = now.pipeline.robots_by_id.get(planned.robot or "")
    period = getattr(robot[1].do, "due", None) if robot is not None else None
    if period is None:
        period = Period(minutes=min(527_040, max(1, int((planned.due_at - now.at).total_seconds() // 60))))
    visit = planned.visit if planned.visit is not None else state.root
    sort = Sort(ACTIVITY, period)
    yield from set_turn(
        state, sort, now, "planned", now.at, visit=visit, activity=planned.activity, due_at=planned.due_at
    )


def set_again(state: LeadState, turn: e.DeadlineSet, sort: Sort | None, now: Circumstances) -> Iterator[e.Event]:
    """N12: what had ended the turn is taken back: it goes on to the same instant. `sort`: where a task stands for it."""
    number = state.deadlines.turns.get((turn.visit, turn.deadline), 0) + 1
    timer = uuid5(state.lead, f"deadline:{turn.visit}:{turn.deadline}:{number}")
    task = sort is not None and sort.task is not None
    again = {"timer": timer, "turn": number, "because": "undone", "replaces": turn.timer}
    if turn.warn_at is not None and turn.warn_at <= now.times.now:
        again["warn_at"] = None
    activity = uuid5(timer, "activity") if task else None
    yield e.DeadlineSet(**{**dict(turn), **again, "activity": activity})
    if sort is not None and sort.task is not None:
        assert activity is not None
        yield e.ActivityPlanned(
            activity=activity,
            activity_kind=sort.kind,
            reason="deadline",
            due_at=turn.due_at,
            text=sort.task,
            visit=turn.visit,
            calendar=turn.calendar,
            deadline=turn.deadline,
        )
