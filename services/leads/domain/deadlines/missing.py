"""Whose miss it is, and why (Q6). Pure.

Invariants: the miss is of whoever was responsible at the due instant, however late it is decided; only the cause `person` is a
strike: nobody answers for what they were given too late, for a time when they were away, or for a robot or a letter that failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts import events as e
from services.calendars.calendar import Calendar, NoWorkingTimeError
from services.leads.domain.deadlines.setting import ACTIVITY, Circumstances
from services.leads.domain.state import LeadState

LAST_PART = 4
"""Given the lead in the last quarter of the term: «передан поздно»."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose miss, and the cause."""

    responsible: str | None
    cause: e.MissCause
    running: int


def whose(state: LeadState, turn: e.DeadlineSet, now: Circumstances) -> Whose:
    """Whose miss this turn is, and why it came to it."""
    holder = state.deadlines.holder(turn.due_at)
    person, since = (holder.to, holder.at) if holder is not None else (None, None)
    planned = state.activities.get(turn.activity) if turn.activity is not None else None
    if turn.deadline == ACTIVITY and planned is not None and planned.assignee is not None:
        person, since = planned.assignee, None
    if person is None:
        return Whose(None, "nobody_responsible", 0)
    last = state.deadlines.running.get(turn.deadline)
    running = last[1] + 1 if last is not None and last[0] == person else 1
    return Whose(person, _cause(state, turn, now, person, since), running)


def _cause(
    state: LeadState, turn: e.DeadlineSet, now: Circumstances, person: str, since: datetime | None
) -> e.MissCause:
    calendar = now.times.calendar
    if now.people and person not in now.people:
        return "left"
    if is_absent(calendar, person, turn.due_at):
        return "absent"
    failed = _what_failed(state, turn, now)
    if failed is not None:
        return failed
    if since is not None and given_late(turn, since, calendar):
        return "assigned_late"
    return "person" if _worked(calendar, turn.due_at) else "outside_hours"


def is_absent(calendar: Calendar, person: str, moment: datetime) -> bool:
    """Whether the calendar says that the person is away on that day."""
    day = calendar.local(moment).date()
    return any(first <= day <= last for first, last in calendar.absences.get(person, ()))


def given_late(turn: e.DeadlineSet, since: datetime, calendar: Calendar) -> bool:
    """Whether somebody got the lead when no more than the last quarter of the term was left."""
    if since <= turn.begun_at:
        return False
    person = turn.responsible if turn.term.working else None
    whole = _between(turn, turn.begun_at, calendar, person)
    return _between(turn, since, calendar, person) * LAST_PART <= whole


def _between(turn: e.DeadlineSet, begin: datetime, calendar: Calendar, person: str | None) -> timedelta:
    """How much of the term lies between an instant and its end: working time, of a term that is counted in it."""
    if not turn.term.working:
        return turn.due_at - begin
    worked = calendar.working_between(begin, turn.due_at, person)
    return worked or calendar.working_between(begin, turn.due_at)


def _worked(calendar: Calendar, moment: datetime) -> bool:
    """Whether it is working time, or begins or ends then. Where nobody ever works, every time is as good."""
    try:
        return calendar.next_working(moment) == moment or calendar.last_working(moment) == moment
    except NoWorkingTimeError:
        return True


def _what_failed(state: LeadState, turn: e.DeadlineSet, now: Circumstances) -> e.MissCause | None:
    """The robot, or the letter, without which it could not be done; one that is late has failed too."""
    found = now.pipeline.deadlines_by_id.get(turn.deadline)
    for robot in found[1].rests_on if found is not None else ():
        settled = state.automation.settled.get((turn.visit, robot))
        waits = any(
            armed.robot == robot and armed.visit == turn.visit and armed.due_at <= turn.due_at
            for armed in state.automation.armed.values()
        )
        if waits or (settled is not None and settled.how == "failed"):
            return "robot_failed"
        effect = state.automation.effects.get(settled.effect) if settled is not None and settled.effect else None
        if effect is not None and effect.state != "done":
            return "delivery_failed"
    return None
