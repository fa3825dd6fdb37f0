"""What is somebody's by name on a lead, and how it becomes somebody else's (C4). Pure.

Invariant: a task stays the same task: its id, instant and text; one that names nobody is the responsible's, whoever that is.
"""

from __future__ import annotations

from contracts import events as e
from services.leads.domain.state import LeadState


def tasks_given_on(state: LeadState, person: str, to: str | None) -> tuple[e.ActivityPlanned, ...]:
    """The open tasks that name somebody, for another, or for whoever is responsible."""
    return tuple(
        e.ActivityPlanned.model_validate(
            {
                "activity": activity,
                "activity_kind": planned.kind,
                "reason": planned.reason,
                "due_at": planned.due_at,
                "assignee": to,
                "text": planned.text,
                "robot": planned.robot,
                "visit": planned.visit,
                "deadline": planned.deadline,
                "key": planned.key,
            }
        )
        for activity, planned in state.activities.items()
        if planned.assignee == person and planned.done_at is None
    )
