"""What follows from activities by itself: reminders, the next of those that recur, closing with the lead (S4, N6, N12). Pure.

`react` is asked after every set of events of a lead, in the same transaction. Invariants: an activity has at most one reminder
that waits, under a timer that follows from the activity and from how often its instant was fixed; an open activity never stays on
a lead that is closed, merged or withdrawn, unless it was planned for the stage where the lead stands, or by a robot that says so;
a corrected mistake opens again what it had closed. Activities that stand for a deadline are the deadline's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID, uuid5

from contracts import events as e
from contracts.pipeline import Period
from services.leads.domain.activities.standing import OPENED_AGAIN, Activity, Closing, shifted
from services.leads.domain.robots.instants import MOST_TIMES, Times, due, next_by_months
from services.leads.domain.robots.standing import REMINDER as REMINDER
from services.leads.domain.state import LeadState

_MOVING: Final = (
    e.StageEntered,
    e.LeadMerged,
    e.DealWithdrawn,
    e.DealRestored,
    e.ActivityPlanned,
    e.ActivityMoved,
    e.ActivityDone,
    e.ActivityClosed,
)


def react(state: LeadState, just: Sequence[e.Event], times: Times) -> tuple[e.Event, ...]:
    """What follows for the activities from events that just happened; `state`: the lead after them."""
    if state.erased or not state.activities:
        return ()
    found: list[e.Event] = []
    for event in just:
        if not _matters(type(event)):
            continue
        match event:
            case e.StageEntered():
                found += _on_change_of_stage(state, event)
            case e.LeadMerged() | e.DealWithdrawn():
                found += _closed(_open(state), "lead_closed")
            case e.DealRestored():
                found += _again(state, lambda closing: closing.withdrawn)
            case e.ActivityPlanned() if event.remind_at is not None:
                found += _reminder(state, event.activity, times)
            case e.ActivityMoved():
                found += _waits_no_more(state, event.activity, "retimed")
                found += _reminder(state, event.activity, times)
            case e.ActivityDone():
                found += _waits_no_more(state, event.activity, "over")
                found += _next(state, event.activity, just, times)
            case e.ActivityClosed():
                found += _waits_no_more(state, event.activity, "over")
    return tuple(found)


@cache
def _matters(kind: type[e.Event]) -> bool:
    """Whether anything follows for activities from such an event; kept by type, as most events of most leads change none."""
    return issubclass(kind, _MOVING)


# --- with the lead -----------------------------------------------------------------------------------------------------------


def _on_change_of_stage(state: LeadState, entered: e.StageEntered) -> Iterator[e.Event]:
    if entered.visit != state.visit or entered.cause == "adopted":
        return  # it moved on in the same act; or the same stage goes on under another version
    if entered.cause == "unmerged":
        yield from _again(state, lambda closing: closing.merged)
        return
    if entered.undoes is not None:
        yield from _again(state, lambda closing: closing.visit == entered.undoes)
    if state.kind == "open":
        return
    # What was planned for the stage itself stays; robots' activities end by their policy (`robots.arming`).
    others = [found for found in _open(state) if found[1].planned_in != state.root and found[1].robot_visit is None]
    yield from _closed(others, "lead_closed")


def _open(state: LeadState) -> list[tuple[UUID, Activity]]:
    return [(i, a) for i, a in state.activities.items() if a.is_open and a.deadline is None]


def _closed(activities: Sequence[tuple[UUID, Activity]], reason: Any) -> Iterator[e.ActivityClosed]:
    for activity, planned in activities:
        yield e.ActivityClosed(activity=activity, activity_kind=planned.kind, reason=reason)


def erased(state: LeadState) -> tuple[e.Event, ...]:
    """M7: nothing is left to do for whoever was erased."""
    return tuple(_closed([(i, a) for i, a in state.activities.items() if a.is_open], "erased"))


def _again(state: LeadState, by: Any) -> Iterator[e.ActivityPlanned]:
    """N12: what was closed by mistake is to be done again, as it was: the same activity, with the same instants."""
    for activity, planned in state.activities.items():
        closing: Closing | None = planned.closing
        if closing is None or closing.reason not in OPENED_AGAIN or not by(closing):
            continue
        if planned.planned is None or planned.deadline is not None:  # a deadline that goes on plans its task itself
            continue
        changed = {"reason": "undone", "due_at": planned.due_at, "remind_at": planned.remind_at}
        yield e.ActivityPlanned.model_construct(**{**dict(planned.planned), **changed, "activity": activity})


# --- by itself ---------------------------------------------------------------------------------------------------------------


def reminder_of(activity: UUID, fixed: int) -> UUID:
    """The timer of an activity's reminder, for the instant that was fixed so many times."""
    return uuid5(activity, f"reminder:{fixed}")


def _reminder(state: LeadState, activity: UUID, times: Times) -> Iterator[e.Event]:
    planned = state.activities.get(activity)
    if planned is None or not planned.is_open or planned.remind_at is None or planned.remind_at <= times.now:
        return
    timer = reminder_of(activity, planned.fixed)
    if timer not in state.automation.armed:
        yield e.RobotArmed(
            robot=REMINDER, timer=timer, visit=max(1, state.root), due_at=planned.remind_at, because="reminder"
        )


def _waits_no_more(state: LeadState, activity: UUID, by: Any) -> Iterator[e.Event]:
    planned = state.activities.get(activity)
    for fixed in range(1, planned.fixed + 1) if planned is not None else ():
        armed = state.automation.armed.get(reminder_of(activity, fixed))
        if armed is not None:
            yield e.RobotCancelled(robot=armed.robot, timer=armed.timer, visit=armed.visit, by=by)


def reminded_of(state: LeadState, timer: UUID) -> tuple[UUID, Activity] | None:
    """The activity whose reminder this is, as it stands; None: it waits no more."""
    return next((found for found in state.activities.items() if reminder_of(found[0], found[1].fixed) == timer), None)


def _next(state: LeadState, activity: UUID, just: Sequence[e.Event], times: Times) -> Iterator[e.Event]:
    """One that recurs was done: the next is planned, unless the lead was closed in the same act."""
    planned = state.activities.get(activity)
    if planned is None or planned.planned is None or planned.every is None or planned.due_at is None:
        return
    ended = any(isinstance(event, e.StageEntered) and event.kind != "open" for event in just)
    if ended or state.merged_into is not None or state.withdrawn:
        return
    who = planned.assignee or state.responsible
    every = Period(**planned.every.model_dump())
    due_at = next_due(_counted_from(state, planned), planned.due_at, every, times, who)
    anew = {
        "activity": uuid5(activity, "next"),
        "reason": "recurring",
        "due_at": due_at,
        "remind_at": shifted(planned.remind_at, planned.due_at, due_at),
        "calendar": times.name,
        "inbound_id": None,
        "replaces": activity,
    }
    yield e.ActivityPlanned.model_construct(**{**dict(planned.planned), **anew})


def _counted_from(state: LeadState, planned: Activity) -> datetime:
    """The instant that a person fixed last: of the first of those that recur, or of the one that was moved since."""
    first, seen = planned, 0
    while not first.moved and first.planned is not None and seen < MOST_TIMES:
        before = state.activities.get(first.planned.replaces) if first.planned.replaces is not None else None
        if before is None or before.due_at is None:
            break
        first, seen = before, seen + 1
    assert first.due_at is not None, "one that recurs is due at an instant"
    return first.due_at


def next_due(first: datetime, last: datetime, every: Period, times: Times, person: str | None) -> datetime:
    """The next time after now and after the last one; times that are over already are passed over."""
    if every.months:
        return next_by_months(times, first, every, max(times.now, last), person)
    due_at = due(times, last, every, person)
    for _ in range(MOST_TIMES):
        if due_at > times.now:
            return due_at
        due_at = due(times, due_at, every, person)
    return due(times, times.now, every, person)
