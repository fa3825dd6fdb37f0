"""What is somebody's by name on a lead, and how it becomes somebody else's (C4). Pure.

Invariant: a task stays the same task: its id, instant and text; one that names nobody is the responsible's, whoever that is.
"""

from __future__ import annotations

from contracts import events as e
from services.leads.domain.state import LeadState


def tasks_given_on(state: LeadState, person: str, to: str | None) -> tuple[e.ActivityPlanned, ...]:
    """The open tasks that name somebody, for another, or for whoever is responsible."""
    return tuple(
        planned.planned.model_copy(
            update={"assignee": to, "due_at": planned.due_at, "remind_at": planned.remind_at, "text": planned.text}
        )
        for planned in state.activities.values()
        if planned.assignee == person and planned.is_open and planned.planned is not None
    )
