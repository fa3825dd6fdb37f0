"""How a lead's activities stand: the fold of their events (`services.leads.domain.state` holds them as `activities`).

Pure; never fails on an event of a known type. Invariants: an activity keeps its place and its id whatever becomes of it; one that
is open again after a mistake is as it was; its reminder follows its instant, at the same distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from contracts import events as e
from contracts.meta import Meta
from contracts.personal import known

if TYPE_CHECKING:
    from services.leads.domain.state import LeadState


@dataclass(frozen=True, slots=True)
class Closing:
    """With what an activity was closed: what takes that back opens it again. `visit`: the stage visit that began then."""

    reason: str
    visit: int
    merged: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Activity:
    """S4: something planned for a lead, and what came of it. Texts are None where unknown or erased."""

    kind: e.ActivityKind
    reason: str
    planned_at: datetime
    due_at: datetime | None = None
    assignee: str | None = None
    text: str | None = None
    done_at: datetime | None = None
    result: str | None = None
    robot: str | None = None
    """Of one that a robot planned: which."""
    visit: int | None = None
    """The stage visit that robot belongs to."""
    closed: bool = False
    """Nobody did it, and it is not needed any more (N6)."""
    closing: Closing | None = None
    planned_in: int = 0
    """The stage visit in which it was planned (`LeadState.root`)."""
    planned: e.ActivityPlanned | None = None
    """As it was planned last, for what has to be told of it again."""
    remind_at: datetime | None = None
    moved: int = 0
    """How often it was moved."""
    fixed: int = 1
    """How often its instant was fixed: each has a reminder of its own."""

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return self.done_at is None

    @property
    def every(self) -> e.Every | None:
        """Planned anew so long after each time it was done."""
        return self.planned.every if self.planned is not None else None

    @property
    def deadline(self) -> str | None:
        """Of one that stands for a deadline: which; the deadline says when it is due and when it is over (Q7)."""
        return self.planned.deadline if self.planned is not None else None

    @property
    def key(self) -> bool:
        """Q7: not done by its instant it is a miss."""
        return self.planned is not None and self.planned.key

    @property
    def robot_visit(self) -> int | None:
        """Of one that a robot planned: for which stage visit; that robot's policy says how long it stays."""
        return self.visit if self.robot is not None else None

    def overdue(self, now: datetime) -> bool:
        """Whether it should have been done by now."""
        return self.is_open and self.due_at is not None and self.due_at < now


Change = Callable[["LeadState", Meta, Any], dict[str, Any]]


def _planned(state: LeadState, meta: Meta, data: e.ActivityPlanned) -> dict[str, Any]:
    before = state.activities.get(data.activity)
    if before is not None:  # what had closed it was a mistake, or it is somebody else's now
        stays = before.is_open and (data.due_at, data.remind_at) == (before.due_at, before.remind_at)
        again = replace(
            before,
            assignee=data.assignee,
            done_at=None,
            closed=False,
            closing=None,
            planned=data,
            due_at=data.due_at,
            remind_at=data.remind_at,
            fixed=before.fixed + (0 if stays else 1),
        )
        return {"activities": {**state.activities, data.activity: again}}
    activity = Activity(
        data.activity_kind,
        data.reason,
        meta.happened_at,
        data.due_at,
        data.assignee,
        known(data.text),
        robot=data.robot,
        visit=data.visit,
        planned_in=state.root,
        planned=data,
        remind_at=data.remind_at,
    )
    return {"activities": {**state.activities, data.activity: activity}}


def _moved(state: LeadState, _: Meta, data: e.ActivityMoved) -> dict[str, Any]:
    planned = state.activities.get(data.activity)
    if planned is None:
        return {}
    moved = replace(
        planned,
        due_at=data.due_at,
        remind_at=shifted(planned.remind_at, planned.due_at, data.due_at),
        moved=data.times,
        fixed=planned.fixed + 1,
    )
    return {"activities": {**state.activities, data.activity: moved}}


def shifted(remind_at: datetime | None, before: datetime | None, after: datetime | None) -> datetime | None:
    """When an activity is reminded of that is due at another instant: as long before it as it was; None: no more."""
    if remind_at is None or after is None:
        return None
    return remind_at + (after - before) if before is not None else remind_at


def _done(state: LeadState, meta: Meta, data: e.ActivityDone) -> dict[str, Any]:
    planned = state.activities.get(data.activity)
    if planned is None:
        return {}
    done = replace(planned, done_at=meta.happened_at, result=known(data.result))
    return {"activities": {**state.activities, data.activity: done}}


def _closed(state: LeadState, meta: Meta, data: e.ActivityClosed) -> dict[str, Any]:
    planned = state.activities.get(data.activity)
    if planned is None:
        return {}
    closing = Closing(data.reason, state.visit, state.merged_into is not None, state.withdrawn)
    closed = replace(planned, done_at=meta.happened_at, closed=True, closing=closing)
    return {"activities": {**state.activities, data.activity: closed}}


CHANGES: Final[dict[type[e.Event], Change]] = {
    e.ActivityPlanned: _planned,
    e.ActivityMoved: _moved,
    e.ActivityDone: _done,
    e.ActivityClosed: _closed,
}
"""What each event changes."""
OPENED_AGAIN: Final[frozenset[Literal["left_stage", "lead_closed"]]] = frozenset({"left_stage", "lead_closed"})
"""Reasons for closing that a corrected mistake takes back."""
