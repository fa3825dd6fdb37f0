"""From a command on a lead to its events, or to a refusal.

`decide(state, command, pipeline, now)` is pure: what it needs beyond the lead (whether the person has another open lead, who
may be responsible) comes in. Invariants: a refusal makes no event; a fact that holds already makes no second event, and the
command is done all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.pipeline import Pipeline, Stage
from services.leads.domain.identities import normalise_email, normalise_phone
from services.leads.domain.rules import COMMAND_RULES, RULES, Case, no_such_stage, refused
from services.leads.domain.state import LeadState

EVENT_BYTES = 256 * 1024
"""The largest event (decision 10); a larger command is refused."""


SEEN, ACCEPTED = (e.LeadSeen(),), (e.LeadAccepted(),)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a decision needs to know beyond the lead itself."""

    responsibles: tuple[str, ...] = ()
    other_open_lead: UUID | None = None
    """The person's open lead in the same pipeline, where it is another one."""
    region: str = "RU"
    history: bool = False
    """Whether an import brings it as a fact of the past (`services.leads.domain.history`)."""
    activity: UUID | None = None
    """The id of the activity that a plan makes."""


def decide(
    state: LeadState, command: c.Command, pipeline: Pipeline, now: datetime, around: Surroundings
) -> tuple[e.Event, ...] | Refusal:
    """The events of a command, in order, or why it is refused."""
    target_id = _target_of(state, command.body, pipeline)
    target = pipeline.by_id.get(target_id) if target_id else None
    if target_id and target is None:
        return no_such_stage(target_id, pipeline)
    case = Case(state, pipeline, target, command, now, around.responsibles, around.other_open_lead, around.history)
    refusal = refused(case, COMMAND_RULES if target is None else RULES)
    if refusal is not None:
        return refusal
    return _events(state, command.body, pipeline, target, around)


def _target_of(state: LeadState, body: c.CommandBody, pipeline: Pipeline) -> str | None:
    leads_to = _TARGETS.get(type(body))
    return leads_to(state, body, pipeline) if leads_to else None


def _pause_stage(_: LeadState, body: c.Pause, pipeline: Pipeline) -> str:
    return body.status or next((s.id for s in pipeline.stages if s.kind == "postponed"), "postponed")


def _stage_left(state: LeadState, _: c.Reopen, pipeline: Pipeline) -> str:
    # Where the stage it left is not known to the pipeline any more, work starts again at its first stage.
    return state.left_open_stage if state.left_open_stage in pipeline.by_id else pipeline.first.id


_TARGETS: dict[type[c.CommandBody], Callable[[LeadState, Any, Pipeline], str]] = {
    c.Move: lambda state, body, pipeline: str(body.to),
    c.Reject: lambda state, body, pipeline: str(body.status),
    c.Pause: _pause_stage,
    c.Convert: lambda state, body, pipeline: pipeline.conversion_point,
    c.Reopen: _stage_left,
}
"""Which stage a command leads to; a command that is not here changes no stage."""


def _events(
    state: LeadState, body: c.CommandBody, pipeline: Pipeline, target: Stage | None, around: Surroundings
) -> tuple[e.Event, ...] | Refusal:
    if target is not None:
        return _stage_change(state, body, pipeline, target)
    return _FACTS[type(body)](state, body, around)


def _answered(_: LeadState, body: c.Answer, __: Surroundings) -> tuple[e.Event, ...]:
    assert body.answer != "thinking", "S2.thinking_is_no_answer lets none through"
    return (e.AnswerReceived(answer=body.answer, comment=body.comment),)


def _assigned(state: LeadState, body: c.Assign, around: Surroundings) -> tuple[e.Event, ...]:
    if body.to == state.responsible:
        return ()
    return (
        e.LeadAssigned(
            to=body.to,
            previous=state.responsible,
            reason="by_hand",
            candidates=around.responsibles,
            comment=body.comment,
        ),
    )


def _stage_change(state: LeadState, body: c.CommandBody, pipeline: Pipeline, target: Stage) -> tuple[e.Event, ...]:
    comment = body.comment if isinstance(body, c.Reject) else None
    match target.kind:
        case "lost":
            fact: tuple[e.Event, ...] = (e.LeadRejected(status=target.id, from_stage=state.stage, comment=comment),)
            return (*fact, entered(state, target, "rejected", "out"))
        case "postponed":
            assert isinstance(body, c.Pause), "S3.pause_has_a_date lets no other through"
            fact = (e.LeadPaused(status=target.id, from_stage=state.stage, until=body.until, reason=body.reason),)
            return (*fact, entered(state, target, "paused", "out"))
        case "won" if state.kind == "won":
            # won stages have no order among them: a further one is a visit of its own, always onwards, and no second win
            return (entered(state, target, "moved", "forward"),)
        case "won":
            return (e.LeadConverted(from_stage=state.stage), entered(state, target, "converted", "forward"))
    if isinstance(body, c.Reopen):
        fact = (e.LeadReopened(from_stage=state.stage, to_stage=target.id, reason=body.reason),)
        return (*fact, entered(state, target, "reopened", "return"))
    here, there = pipeline.place(state.stage) or 0, pipeline.place(target.id) or 0
    return (entered(state, target, "moved", "forward" if there > here else "back"),)


def entered(
    state: LeadState, target: Stage, cause: e.lead.StageCause, direction: e.lead.StageDirection
) -> e.StageEntered:
    """The one event of every change of stage."""
    return e.StageEntered(
        stage=target.id,
        kind=target.kind,
        visit=state.visit + 1,
        from_stage=state.stage or None,
        from_visit=state.visit or None,
        cause=cause,
        direction=direction,
    )


def _recorded(state: LeadState, body: c.Record, around: Surroundings) -> tuple[e.Event, ...] | Refusal:
    if sum(len(v.encode()) for v in body.fields.values()) > EVENT_BYTES - 16 * 1024:
        return Refusal(
            rules=("K1.event_size",),
            ru="Слишком много текста для одной записи: больше 240 КБ. Приложите файл ссылкой.",
            en="Too much text for one record: over 240 KB. Put a link to a file instead.",
        )
    values: dict[str, str] = {}
    for name, text in body.fields.items():
        value: str | None = text.strip()
        if value and name == "phone":
            value = normalise_phone(value, around.region)
        elif value and name == "email":
            value = normalise_email(value)
        if value is None:
            return Refusal(
                rules=("C3.readable_identity",),
                # The text itself is not repeated: a refusal is kept for ever, beyond an erasure.
                ru=f"Поле {name}: это не телефон и не e-mail. Примеры: +7 900 123-45-67, name@example.org.",
                en=f"Field {name}: this is no phone or e-mail. Examples: +7 900 123-45-67, name@example.org.",
            )
        values[name] = value
    contact = {"name": state.name, "company": state.company, "phone": state.phone, "email": state.email}
    changed = {k: v for k, v in values.items() if v != (contact[k] if k in contact else state.card.get(k) or "")}
    changed = {k: v for k, v in changed.items() if v or contact.get(k) or state.card.get(k)}
    if not changed:
        return ()
    return (e.CardRecorded(names=tuple(sorted(changed)), values=changed),)


def _planned(_: LeadState, body: c.Plan, around: Surroundings) -> tuple[e.Event, ...]:
    assert around.activity is not None, "a plan gets the id of its activity from the one who carries it out"
    return (
        e.ActivityPlanned(
            activity=around.activity,
            activity_kind=body.kind,
            reason="by_hand",
            due_at=body.due_at,
            assignee=body.assignee,
            text=body.text,
        ),
    )


def _completed(state: LeadState, body: c.Complete, _: Surroundings) -> tuple[e.Event, ...]:
    activity = state.activities[body.activity]
    if activity.done_at is not None:
        return ()
    return (e.ActivityDone(activity=body.activity, activity_kind=activity.kind, reason="by_hand", result=body.result),)


_FACTS: dict[type[c.CommandBody], Callable[[LeadState, Any, Surroundings], tuple[e.Event, ...] | Refusal]] = {
    c.See: lambda state, body, around: () if state.seen else SEEN,
    c.Accept: lambda state, body, around: () if state.accepted else ACCEPTED,
    c.Record: _recorded,
    c.Offer: lambda state, body, around: (e.OfferMade(**body.model_dump(exclude={"type"})),),
    c.Answer: _answered,
    c.Assign: _assigned,
    c.Plan: _planned,
    c.Complete: _completed,
}
"""What each command records that leads to no stage. A fact that holds already is not recorded twice."""
