"""What commands on activities record: planned, moved, done with a result, not needed any more (S4).

Pure; which of them are refused stands in `services.leads.domain.activities.rules`.
"""

from __future__ import annotations

from uuid import UUID

from contracts import commands as c
from contracts import events as e
from services.leads.domain.case import Case
from services.leads.domain.state import LeadState


def planned(activity: UUID, body: c.Plan) -> tuple[e.Event, ...]:
    """Something is to be done. `activity`: its id."""
    return (
        e.ActivityPlanned(
            activity=activity,
            activity_kind=body.kind,
            reason="by_hand",
            due_at=body.due_at,
            assignee=body.assignee,
            text=body.text,
            remind_at=body.remind_at,
            every=body.every,
            key=body.key,
        ),
    )


def moved(case: Case, body: c.Replan) -> tuple[e.Event, ...]:
    """It gets another instant; the same one is nothing new."""
    activity = case.state.activities[body.activity]
    if body.due_at == activity.due_at:
        return ()
    return (
        e.ActivityMoved(
            activity=body.activity,
            activity_kind=activity.kind,
            due_at=body.due_at,
            previous=activity.due_at,
            reason=body.reason,
            times=activity.moved + 1,
        ),
    )


def closed(case: Case, body: c.CloseActivity) -> tuple[e.Event, ...]:
    """Nobody did it and it is not needed; one that is closed stays so."""
    activity = case.state.activities[body.activity]
    if activity.closed:
        return ()
    return (
        e.ActivityClosed(activity=body.activity, activity_kind=activity.kind, reason="by_hand", comment=body.reason),
    )


def done(state: LeadState, activity: UUID, result: str) -> tuple[e.Event, ...]:
    """It is done, with its result; what was done before is not done twice."""
    found = state.activities[activity]
    if not found.is_open:
        return ()
    return (e.ActivityDone(activity=activity, activity_kind=found.kind, reason="by_hand", result=result),)
