"""What the API answers about incidents, escalations, tasks and deadlines, made from what was read (Q6, Q7, Q9, S4).

Invariants: nothing of a client stands here but a lead's id and, of a task, its name as the board has it; a restated verdict
stands beside the original one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.events import Term
from contracts.pipeline import Pipeline, Titles
from projections.incidents.heads import Escalation
from projections.incidents.reading import Incident
from projections.tasks.reading import Running, Task
from services.pipelines.robot_words import robot_titles
from services.web.telling_deadlines import lack_titles
from services.web.telling_journal import rule_titles

Pipelines = Mapping[str, Pipeline]
"""Pipelines in force, by id."""


class IncidentOut(BaseModel):
    """An incident. `state`: untold, open, acknowledged, excused. `strike` of `strikes` within `days`: as it was told;
    `strike_now`: as it stands after excuses and restatements. `verdict`, `restated_…`: the last restatement, beside the
    original one. `notice`: what became of its letter. `titles`: its deadline or robot."""

    model_config = ConfigDict(from_attributes=True)

    incident: UUID
    employee: str
    kind: str
    state: str
    titles: Titles
    lead: UUID | None
    of_deal: bool
    pipeline: str | None
    stage: str | None
    stage_titles: Titles | None
    rule: str
    because: str | None
    due_at: datetime
    missed_s: int
    cause: str
    counts: bool
    turn: int | None
    begun_at: datetime | None
    term: Term | None
    calendar: str | None
    text: str | None
    recorded_at: datetime
    told_at: datetime | None
    told_via: str | None
    strike: int | None
    strikes: int | None
    days: int | None
    strike_now: int | None
    acknowledged_at: datetime | None
    comment: str | None
    excused_at: datetime | None
    excused_by: str | None
    excuse: str | None
    restated_at: datetime | None
    restated_by: str | None
    verdict: str | None
    restated_due_at: datetime | None
    restated_calendar: str | None
    restated_strike: int | None
    restatement: str | None
    restatements: int
    escalation: UUID | None
    notice: str | None


class IncidentList(BaseModel):
    """A page of incidents, the latest recorded first; `next` goes into `after`."""

    items: list[IncidentOut]
    next: str | None = None


class EscalationOut(BaseModel):
    """Misses of an employee that their manager is told of; `manager` null: it stands in every head's queue."""

    escalation: UUID
    employee: str
    manager: str | None
    strike: int
    days: int
    opened_at: datetime
    closed_at: datetime | None
    closed_how: str | None
    closed_by: str | None
    comment: str | None
    notice: str | None
    incidents: list[UUID]


class TaskOut(BaseModel):
    """Something to be done: a planned activity (`what` activity), or a deadline that runs (`what` deadline). `doer`: who is to do
    it. `turn`, `misses`: of a deadline, which turn it is in this stage visit and how many were missed; `lacks`: what is asked for
    again."""

    what: str
    id: UUID
    lead: UUID
    name: str | None
    pipeline: str
    stage: str
    amount: Decimal | None
    currency: str | None
    deal_of: UUID | None
    kind: str
    titles: Titles | None
    doer: str | None
    due_at: datetime | None
    overdue: bool
    begun_at: datetime
    moved: int = 0
    recurring: bool = False
    is_key: bool = False
    turn: int | None = None
    misses: int = 0
    lacks: list[Titles] = []


class TaskList(BaseModel):
    """A page of tasks, the soonest due first; `next` goes into `after`."""

    items: list[TaskOut]
    next: str | None = None


def incident_out(found: Incident, pipelines: Pipelines) -> IncidentOut:
    """An incident with its rule and stage in words."""
    pipeline = pipelines.get(pipeline_of(found.pipeline))
    stage = pipeline.by_id.get(found.stage or "") if pipeline else None
    own = {name: getattr(found, name) for name in IncidentOut.model_fields if hasattr(found, name)}
    return IncidentOut(
        **own,
        titles=rule_titles(found.kind, found.rule, pipeline),
        stage_titles=stage.titles if stage else None,
    )


def escalation_out(found: Escalation) -> EscalationOut:
    """An escalation with the ids of its incidents, in the order they were added."""
    own = {
        name: getattr(found, name)
        for name in EscalationOut.model_fields
        if name != "incidents" and hasattr(found, name)
    }
    return EscalationOut(**own, incidents=[member.incident for member in found.incidents])


def task_out(found: Task, pipelines: Pipelines, now: datetime) -> TaskOut:
    """A planned activity. Its own words are on the lead: they may hold what is the client's."""
    pipeline = pipelines.get(found.pipeline)
    return TaskOut(
        what="activity",
        id=found.activity,
        kind=found.kind,
        titles=robot_titles(found.deadline, pipeline) if found.deadline else None,
        overdue=found.overdue(now),
        begun_at=found.planned_at,
        **_shared(found),
        doer=found.doer,
        due_at=found.due_at,
        moved=found.moved,
        recurring=found.recurring,
        is_key=found.is_key,
    )


def deadline_task_out(found: Running, pipelines: Pipelines, now: datetime) -> TaskOut:
    """A deadline that runs."""
    pipeline = pipelines.get(found.pipeline)
    return TaskOut(
        what="deadline",
        id=found.timer,
        kind=found.deadline,
        titles=robot_titles(found.deadline, pipeline),
        overdue=found.due_at < now,
        begun_at=found.begun_at,
        **_shared(found),
        doer=found.responsible,
        due_at=found.due_at,
        turn=found.turn,
        misses=found.misses,
        lacks=[lack_titles(name, pipeline) for name in found.lacks] if pipeline else [],
    )


def _shared(found: Task | Running) -> dict[str, object]:
    names = ("lead", "name", "pipeline", "stage", "amount", "currency", "deal_of")
    return {name: getattr(found, name) for name in names}


def pipeline_of(named: str | None) -> str:
    """The id in `countertops@2`."""
    return (named or "").partition("@")[0]
