"""What the API answers with, as models (so that OpenAPI says it), and how they are made from what was read.

Invariants: times are RFC 3339, money is text and a currency; a field of an erased person is absent and `erased` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.commands import Missing
from contracts.events import Every
from contracts.meta import Actor
from contracts.personal import Erased, known
from contracts.pipeline import Pipeline, Titles, Words
from services.eventlog.mapper import Recorded
from services.leads.domain.reviews.judging import waiting
from services.leads.domain.rules import check
from services.leads.domain.state import LeadState
from services.web.problems import refusal_members
from services.web.shapes_card import (
    ChecklistOut,
    CompletenessOut,
    FactOut,
    FieldOut,
    GroupOut,
    ProposalOut,
    StepOut,
    can_undo,
    checklist_out,
    completeness,
    facts_out,
    fields_out,
    groups_out,
    proposals_out,
)
from services.web.shapes_deadlines import DeadlineOut
from services.web.shapes_robots import AutomationOut, RobotOut, SentOut, TriggerOut


class LeadCard(BaseModel):
    """A lead as lists and boards show it. `place` of `places`: where it stands on the scale (S6)."""

    model_config = ConfigDict(from_attributes=True)

    lead: UUID
    pipeline: str
    stage: str
    kind: str
    visit: int
    place: int | None = None
    places: int | None = None
    entered_at: datetime
    captured_at: datetime
    paused_until: date | None = None
    merged_into: UUID | None = None
    deal_of: UUID | None = None
    """Of a deal: its lead."""
    withdrawn: bool = False
    """Of a deal: the lead's conversion was undone, so that it stands in no stage."""
    name: str | None = None
    company: str | None = None
    source: str | None = None
    channel: str | None = None
    responsible: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    contact: UUID
    version: int
    erased: bool = False


class LeadList(BaseModel):
    """A page of leads; `next` goes into `after`."""

    items: list[LeadCard]
    next: str | None = None


class StageOut(BaseModel):
    """A stage, and its place on the scale."""

    id: str
    titles: Titles
    kind: str
    place: int | None = None
    places: int


class CheckOut(BaseModel):
    """«May this lead go there, and if not, what is missing?»"""

    to: str
    allowed: bool
    version: int
    rule: str | None = None
    rules: list[str] = []
    missing: list[Missing] = []
    overridable: bool = False
    """Whether a head may move the lead there all the same, with a reason (`override`)."""
    ru: str | None = None
    en: str | None = None


class CallOut(BaseModel):
    """A call, as last reported. `recording`: where it can be heard."""

    call_id: str
    direction: str
    answered: bool
    started_at: datetime
    ended_at: datetime | None = None
    number: str | None = None
    line: str | None = None
    agent: str | None = None
    recording: str | None = None


class ActivityOut(BaseModel):
    """Something planned for a lead, and what came of it."""

    id: UUID
    kind: str
    reason: str
    planned_at: datetime
    due_at: datetime | None = None
    assignee: str | None = None
    text: str | None = None
    done_at: datetime | None = None
    result: str | None = None
    robot: str | None = None
    """Of one that a robot planned, or a trigger that was refused: which."""
    visit: int | None = None
    closed: bool = False
    """Nobody did it, and it is not needed any more (N6)."""
    deadline: str | None = None
    """Of one that stands for a deadline: which (Q7)."""
    key: bool = False
    """Q7: not done by its instant it is a miss."""
    remind_at: datetime | None = None
    every: Every | None = None
    """Planned anew so long after each time it was done."""
    moved: int = 0
    """How often it was moved."""


class ReviewOut(BaseModel):
    """Q5: a lead that was made poor waits for the head's word. `automatic`: by a robot, a limit or the check of a deadline."""

    status: str
    status_titles: Titles | None
    reason: str | None
    reason_titles: Titles | None
    automatic: bool
    responsible: str | None


class LeadOut(BaseModel):
    """A lead as its events make it. `checks`: for each other stage whether the lead may go there; `card` has the values as they
    are kept, `fields` the same with what each field is; `next_step` is the seller's, `client` what is expected of the client
    (P8); `robots`, `effects` and `triggers`: what happened by itself and why, or why not (R6); `outcome`: what remains of a lost
    lead (C1); `can_undo`: whether who asks may undo the last change of stage (N12)."""

    lead: UUID
    version: int
    pipeline: str
    pipeline_version: int
    stage: StageOut
    visit: int
    entered_at: datetime | None
    captured_at: datetime
    paused_until: date | None
    responsible: str | None
    seen: bool
    accepted: bool
    contact: UUID
    name: str | None
    company: str | None
    phone: str | None
    email: str | None
    card: dict[str, str]
    offer: dict[str, Any] | None
    answer: str | None
    calls: list[CallOut]
    activities: list[ActivityOut]
    merged_into: UUID | None = None
    """N16: the lead that goes on for this one."""
    absorbed: list[UUID] = []
    """Leads that were merged into this one; their history stands on them."""
    recommended_by: UUID | None = None
    recommended: list[UUID] = []
    """P7: who recommended the client, and whom the client recommended."""
    deal_of: UUID | None = None
    """Of a deal: its lead, whose are name, company, phone, e-mail and card where the deal says nothing else."""
    withdrawn: bool = False
    """Of a deal: the lead's conversion was undone (N12)."""
    deals: list[UUID] = []
    """The deals that the lead became."""
    erased: bool
    checks: list[CheckOut]
    pipeline_titles: Titles
    outcome: str | None
    facts: list[FactOut]
    proposals: list[ProposalOut]
    checklist: list[ChecklistOut]
    groups: list[GroupOut]
    fields: list[FieldOut]
    completeness: CompletenessOut
    can_undo: bool
    last_step: StepOut | None
    next_step: Words | None
    client: Words | None
    tags: list[str]
    robots: list[RobotOut]
    effects: list[SentOut]
    triggers: list[TriggerOut]
    deadlines: list[DeadlineOut] = []
    """Q7: what is due first, then what is over, the latest first."""
    review: ReviewOut | None
    """Q5: what the head has to judge; null: nothing."""


class EventOut(BaseModel):
    """An event. `erased` names the personal fields that are no longer readable; they are absent from `data`."""

    id: str
    stream: UUID
    version: int
    type: str
    happened_at: datetime
    recorded_at: datetime
    actor: Actor
    command: UUID
    causation: str | None
    correlation: str
    pipeline: str | None
    data: dict[str, Any]
    erased: list[str] = []


class History(BaseModel):
    """A page of events, oldest first; `next` goes into `after`."""

    items: list[EventOut]
    next: int | None = None


class CommandDone(BaseModel):
    """The command was carried out. `events`: what it made, none when all held already."""

    command: UUID
    lead: UUID
    version: int
    events: list[EventOut]


class ColumnOut(BaseModel):
    """A stage's column: how many stand there, sums by currency, its first cards, and the link to more."""

    stage: StageOut
    count: int
    sums: dict[str, Decimal]
    erased: int
    cards: list[LeadCard]
    next: str | None = None
    more: str | None = None


class BoardOut(BaseModel):
    """A pipeline's board."""

    pipeline: str
    pipeline_version: int
    titles: Titles
    columns: list[ColumnOut]


class PersonRow(BaseModel):
    """How many leads somebody has, by stage (stages without any are left out); `responsible` null: nobody's."""

    responsible: str | None
    counts: dict[str, int]
    total: int


class PeopleOut(BaseModel):
    """S6: people × stages of a pipeline. `totals`: by stage."""

    pipeline: str
    titles: Titles
    stages: list[StageOut]
    people: list[PersonRow]
    totals: dict[str, int]
    total: int


class PersonOut(BaseModel):
    """A person and the leads that are theirs."""

    model_config = ConfigDict(from_attributes=True)

    contact: UUID
    name: str | None = None
    company: str | None = None
    phones: list[str] = []
    emails: list[str] = []
    leads: list[UUID] = []
    erased: bool = False
    merged: list[UUID] = []


class PersonList(BaseModel):
    """People found."""

    items: list[PersonOut]
    next: None = None


def card_out(card: object, pipelines: dict[str, Pipeline]) -> LeadCard:
    """A projection's card with its place on the scale of its pipeline."""
    out = LeadCard.model_validate(card)
    pipeline = pipelines.get(out.pipeline)
    if pipeline is not None:
        out.place, out.places = pipeline.place(out.stage), pipeline.places
    return out


def stage_out(pipeline: Pipeline, stage: str, past: Sequence[Pipeline] = ()) -> StageOut:
    """A stage; one that this version does not know any more is called as the last `past` version called it, else by its id."""
    named = next((p.by_id[stage] for p in (pipeline, *reversed(past)) if stage in p.by_id), None)
    titles, kind = (named.titles, named.kind) if named else (Titles(ru=stage, en=stage), "open")
    return StageOut(id=stage, titles=titles, kind=kind, place=pipeline.place(stage), places=pipeline.places)


def check_out(state: LeadState, to: str, pipeline: Pipeline) -> CheckOut:
    """The one `check`, as an answer."""
    answer = check(state, to, pipeline)
    members = refusal_members(answer.refusal) if answer.refusal else {}
    return CheckOut(to=to, allowed=answer.allowed, version=state.version, **members)


_AS_IN_STATE = (
    *("lead", "version", "pipeline", "visit", "captured_at", "paused_until", "responsible", "seen"),
    *(
        "deal_of",
        "withdrawn",
        "accepted",
        "contact",
        "name",
        "company",
        "phone",
        "email",
        "card",
        "answer",
        "erased",
        "outcome",
    ),
)


def lead_out(
    state: LeadState,
    pipeline: Pipeline,
    role: str,
    last_step: StepOut | None,
    automation: AutomationOut,
    now: datetime,
) -> LeadOut:
    """A lead's state as an answer to somebody of this role. `now`: by the system's clock."""
    here, fields = pipeline.by_id.get(state.stage), fields_out(state, pipeline, role)
    return LeadOut(
        **{name: getattr(state, name) for name in _AS_IN_STATE},
        entered_at=state.root_at,
        pipeline_version=state.pipeline_number,
        stage=stage_out(pipeline, state.stage),
        offer=readable(state.offer)[0] if state.offer else None,
        calls=calls_out(state),
        activities=activities_out(state),
        merged_into=state.merged_into,
        absorbed=list(state.absorbed),
        recommended_by=state.recommended_by,
        recommended=list(state.recommended),
        checks=[check_out(state, stage.id, pipeline) for stage in pipeline.stages if stage.id != state.stage],
        pipeline_titles=pipeline.titles,
        facts=facts_out(state, pipeline),
        proposals=proposals_out(state, pipeline),
        checklist=checklist_out(state, pipeline),
        groups=groups_out(pipeline),
        fields=fields,
        completeness=completeness(fields),
        can_undo=can_undo(state, pipeline, role, now),
        last_step=last_step,
        next_step=here.next_step if here else None,
        client=here.client if here else None,
        tags=sorted(state.tags),
        robots=automation.robots,
        effects=automation.effects,
        triggers=automation.triggers,
        review=review_out(state, pipeline),
    )


def review_out(state: LeadState, pipeline: Pipeline) -> ReviewOut | None:
    """What the head has to judge about the lead, in words."""
    review = waiting(state)
    if review is None:
        return None
    stage = pipeline.by_id.get(review.status)
    reason = stage.reason(review.reason) if stage and review.reason else None
    return ReviewOut(
        status=review.status,
        status_titles=stage.titles if stage else None,
        reason=review.reason,
        reason_titles=reason.titles if reason else None,
        automatic=review.automatic,
        responsible=review.responsible,
    )


def calls_out(state: LeadState) -> list[CallOut]:
    """The lead's calls, the newest first."""
    calls = [
        CallOut(
            call_id=call_id,
            direction=call.call_direction,
            answered=call.answered,
            started_at=call.started_at,
            ended_at=call.ended_at,
            number=known(call.number),
            line=call.line,
            agent=known(call.agent),
            recording=known(call.recording),
        )
        for call_id, call in state.calls.items()
    ]
    return sorted(calls, key=lambda call: call.started_at, reverse=True)


def activities_out(state: LeadState) -> list[ActivityOut]:
    """The lead's activities, in the order they were planned."""
    return [
        ActivityOut(
            id=activity,
            **{name: getattr(planned, name) for name in ActivityOut.model_fields if name != "id"},
        )
        for activity, planned in state.activities.items()
    ]


def readable(data: BaseModel) -> tuple[dict[str, Any], list[str]]:
    """An event's data as JSON without what was erased, and the names of that."""
    erased = sorted(name for name in type(data).model_fields if isinstance(getattr(data, name), Erased))
    return data.model_dump(mode="json", exclude=set(erased), exclude_none=True), erased


def event_out(recorded: Recorded) -> EventOut:
    """An event as an answer."""
    meta = recorded.meta
    data, erased = readable(recorded.data)
    return EventOut(
        id=meta.event_id,
        stream=meta.stream,
        version=meta.version,
        type=meta.type,
        happened_at=meta.happened_at,
        recorded_at=meta.recorded_at,
        actor=meta.actor,
        command=meta.command,
        causation=meta.causation,
        correlation=meta.correlation,
        pipeline=meta.pipeline,
        data=data,
        erased=erased,
    )
