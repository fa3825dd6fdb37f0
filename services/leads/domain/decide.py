"""From a command on a lead to its events, or to a refusal.

`decide(state, command, pipeline, now)` is pure: what it needs beyond the lead (whether the person has another open lead, who
may be responsible) comes in. Invariants: a refusal makes no event; a fact that holds already makes no second event, and the
command is done all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.meta import Meta
from contracts.pipeline import Pipeline, Stage
from services.leads.domain.activities import deciding as planning
from services.leads.domain.card import read_value
from services.leads.domain.case import Case
from services.leads.domain.criteria import held
from services.leads.domain.identities import normalise_email, normalise_phone
from services.leads.domain.permissions import Permission
from services.leads.domain.reviews import judging
from services.leads.domain.rules import COMMAND_RULES, RULES, STAGE_RULES, broken_against, no_such_stage, refused
from services.leads.domain.stage_rules import put_off_anew
from services.leads.domain.state import LeadState, evolve_lead
from services.pipelines.card_values import Unreadable

MOST_MOVES = 10
"""Automatic moves without a person or an inbound message between them; the next one is a loop (decision 8, N3)."""
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
    language: str = "ru"
    """In which our people read what is made up for them."""
    activity: UUID | None = None
    """The id of the activity that a plan makes."""
    refused: Mapping[str, Permission] = field(default_factory=dict)
    """The channels that the person does not want to be contacted on, and the word that says so (C7)."""


def decide(
    state: LeadState, command: c.Command, pipeline: Pipeline, now: datetime, around: Surroundings
) -> tuple[e.Event, ...] | Refusal:
    """The events of a command, in order, or why it is refused. What comes along (`first`) is recorded before, or nothing is."""
    first: tuple[c.CommandBody, ...] = getattr(command.body, "first", ())
    if not first:
        return _decide(state, command, pipeline, now, around)
    events: list[e.Event] = []
    for body in first:
        found = _decide(state, command.model_copy(update={"body": body}), pipeline, now, around)
        if isinstance(found, Refusal):
            return found
        events += found
        state = _folded(state, found, command, now)
        command = command.model_copy(update={"expected_version": None})  # it was held against the lead as it was
    found = _decide(state, command, pipeline, now, around)
    return found if isinstance(found, Refusal) else (*events, *found)


def _decide(
    state: LeadState, command: c.Command, pipeline: Pipeline, now: datetime, around: Surroundings
) -> tuple[e.Event, ...] | Refusal:
    target_id = _target_of(state, command.body, pipeline)
    target = pipeline.by_id.get(target_id) if target_id else None
    if target_id and target is None:
        return no_such_stage(target_id, pipeline)
    case = Case(
        state,
        pipeline,
        target,
        command,
        now,
        around.responsibles,
        around.other_open_lead,
        around.history,
        around.refused,
    )
    refusal = refused(case, COMMAND_RULES if target is None else RULES)
    if refusal is not None:
        return refusal
    if target is not None:
        return _stage_change(case, target, around)
    return _FACTS[type(command.body)](case, command.body, around)


def _folded(state: LeadState, events: tuple[e.Event, ...], command: c.Command, now: datetime) -> LeadState:
    """The lead with events that nobody wrote yet: for what is decided after them in the same act."""
    for event in events:
        meta = Meta(
            stream=state.lead,
            version=state.version + 1,
            kind="lead",
            type=event.TOPIC,
            happened_at=command.happened_at or now,
            recorded_at=now,
            actor=command.actor,
            command=command.id,
            correlation=str(command.id),
        )
        state = evolve_lead(state, meta, event)
    return state


def _target_of(state: LeadState, body: c.CommandBody, pipeline: Pipeline) -> str | None:
    leads_to = _TARGETS.get(type(body))
    return leads_to(state, body, pipeline) if leads_to else None


def _pause_stage(state: LeadState, body: c.Pause, pipeline: Pipeline) -> str:
    here = state.stage if state.kind == "postponed" else None
    return body.status or here or next((s.id for s in pipeline.stages if s.kind == "postponed"), "postponed")


def reopens_to(state: LeadState, pipeline: Pipeline) -> str:
    """The open stage that a rejected or paused lead comes back to (P4)."""
    here = pipeline.by_id.get(state.stage)
    if here is not None and here.reopen is not None and here.reopen.to is not None:
        return here.reopen.to
    # Where the stage it left is not known to the pipeline any more, work starts again at its first stage.
    return state.left_open_stage if state.left_open_stage in pipeline.by_id else pipeline.first.id


_TARGETS: dict[type[c.CommandBody], Callable[[LeadState, Any, Pipeline], str | None]] = {
    c.Move: lambda state, body, pipeline: str(body.to),
    c.Reject: lambda state, body, pipeline: str(body.status),
    c.Pause: _pause_stage,
    c.Convert: lambda state, body, pipeline: pipeline.conversion_point,
    c.Reopen: lambda state, body, pipeline: reopens_to(state, pipeline),
    c.Undo: lambda state, body, pipeline: state.before.stage if state.before else pipeline.first.id,
    c.Review: lambda state, body, pipeline: reopens_to(state, pipeline) if body.decision == "return" else None,
}
"""Which stage a command leads to; a command that is not here changes no stage."""


def _answered(_: Case, body: c.Answer, __: Surroundings) -> tuple[e.Event, ...]:
    assert body.answer != "thinking", "S2.thinking_is_no_answer lets none through"
    return (e.AnswerReceived(answer=body.answer, comment=body.comment),)


def _accepted(case: Case, _: c.Accept, around: Surroundings) -> tuple[e.Event, ...]:
    """Whoever takes a lead of the pool into work is responsible for it from then on (C4)."""
    state, actor = case.state, case.command.actor.id if case.command is not None else None
    events = () if state.accepted else ACCEPTED
    if not state.pooled or actor is None or (around.responsibles and actor not in around.responsibles):
        return events
    return (e.LeadAssigned(to=actor, reason="from_pool", candidates=around.responsibles), *events)


def _assigned(case: Case, body: c.Assign, around: Surroundings) -> tuple[e.Event, ...]:
    state = case.state
    if body.to == state.responsible:
        return ()
    taken = state.pooled and case.command is not None and case.command.actor.id == body.to
    return (
        e.LeadAssigned(
            to=body.to,
            previous=state.responsible,
            reason="from_pool" if taken else "by_hand",
            candidates=around.responsibles,
            comment=body.comment,
        ),
    )


def _stage_change(case: Case, target: Stage, around: Surroundings) -> tuple[e.Event, ...]:
    assert case.command is not None
    state, body = case.state, case.command.body
    match body:
        case c.Undo():
            return (_undone(state, target, body),)
        case c.Reject():
            reason = target.reason(body.reason)
            outcome = (reason.outcome if reason else None) or target.outcome or "refused"
            rejected = e.LeadRejected(
                status=target.id, from_stage=state.stage, comment=body.comment, reason=body.reason, outcome=outcome
            )
            return (rejected, entered(state, target, "rejected", "out", basis=_basis(case)))
        case c.Pause():
            anew = put_off_anew(case)
            paused = e.LeadPaused(
                status=target.id,
                from_stage=(state.left_open_stage if anew else None) or state.stage,
                until=body.until,
                reason=body.reason,
                reason_id=body.reason_id,
            )
            return (paused,) if anew else (paused, entered(state, target, "paused", "out", basis=_basis(case)))
        case c.Review():
            return _returned(case, target, body, around)
        case c.Reopen():
            reopened = e.LeadReopened(from_stage=state.stage, to_stage=target.id, reason=body.reason)
            return (reopened, entered(state, target, "reopened", "return", basis=_basis(case)))
    if target.kind == "lost":
        # moved to a reject status without a word on why: the same as rejecting by it
        rejected = e.LeadRejected(status=target.id, from_stage=state.stage, outcome=target.outcome or "refused")
        return (rejected, entered(state, target, "rejected", "out", basis=_basis(case)))
    return _moved(case, target)


def _moved(case: Case, target: Stage) -> tuple[e.Event, ...]:
    """Along the scale, or back onto it by a move that the pipeline states."""
    state, pipeline = case.state, case.pipeline
    against = broken_against(case)
    word = getattr(case.command.body, "override", None) if case.command else None
    how: dict[str, Any] = {"basis": _basis(case)}
    if against:
        how = {"basis": "override", "overridden": against, "override_reason": word}
    if not state.is_open and state.kind != "won":
        reopened = e.LeadReopened(from_stage=state.stage, to_stage=target.id)
        back: e.Event = entered(state, target, "reopened", "return", **how)
        if target.kind == "won":
            return (
                reopened,
                e.LeadConverted(from_stage=state.stage),
                entered(state, target, "converted", "forward", **how),
            )
        return (reopened, back)
    if target.kind == "won" and state.kind != "won":
        return (e.LeadConverted(from_stage=state.stage), entered(state, target, "converted", "forward", **how))
    if target.kind == "won":
        # won stages have no order among them: a further one is a visit of its own, always onwards, and no second win
        return (entered(state, target, "moved", "forward", **how),)
    here, there = pipeline.place(state.stage) or 0, pipeline.place(target.id) or 0
    onwards: e.lead.StageDirection = "skip" if there > here + 1 else "forward"
    return (entered(state, target, "moved", onwards if there > here else "back", **how),)


def _returned(case: Case, target: Stage, body: c.Review, around: Surroundings) -> tuple[e.Event, ...]:
    """Q5: the head returns a poor lead to work, and whoever is responsible reads why."""
    assert case.command is not None
    state, reason = case.state, body.reason or ""
    return (
        judging.returned(state, body),
        e.LeadReopened(from_stage=state.stage, to_stage=target.id, reason=body.reason),
        entered(state, target, "reopened", "return", basis=_basis(case)),
        e.ActivityPlanned(
            activity=uuid5(case.command.id, "returned"),
            activity_kind="task",
            reason="returned",
            text=judging.RETURNED[around.language].format(reason=reason),
        ),
    )


def _undone(state: LeadState, target: Stage, body: c.Undo) -> e.StageEntered:
    """N12: back to where it stood; the visit that was a mistake counts for nothing."""
    assert state.before is not None, "N12.something_to_undo lets no other through"
    directions: dict[str, e.lead.StageDirection] = {"open": "back" if state.is_open else "return"}
    return entered(
        state,
        target,
        "undone",
        directions.get(target.kind, "out" if target.kind != "won" else "forward"),
        basis="correction",
        undoes=state.visit,
        since=state.before.root_at,
        override_reason=body.reason,
    )


def _basis(case: Case) -> e.lead.EntryBasis:
    return "import" if case.history else "check"


def entered(
    state: LeadState, target: Stage, cause: e.lead.StageCause, direction: e.lead.StageDirection, **more: Any
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
        **more,
    )


def automatic_move(state: LeadState, just: Sequence[e.Event], pipeline: Pipeline) -> tuple[e.Event, ...]:
    """P3: the move that the lead makes by itself now, after the events that just happened to it; none.

    It waits for something new: a lead that was moved back, or whose move was corrected, stays until more is recorded.
    """
    here = pipeline.by_id.get(state.stage)
    if here is None or here.moves is None or not state.is_open or not just or state.erased:
        return ()
    last = next(
        (event for event in reversed(just) if not isinstance(event, e.ActivityPlanned | e.ActivityDone)), just[-1]
    )
    if isinstance(last, e.StageEntered) and last.direction not in ("in", "forward", "skip"):
        return ()  # what was planned in the same act, as a missed call that brought it back is, says nothing new
    for move in here.moves:
        if not move.auto:
            continue
        case = Case(state, pipeline, pipeline.by_id[move.to])
        if refused(case, (COMMAND_RULES[0], *STAGE_RULES)) is None:
            moved = _moved(case, pipeline.by_id[move.to])
            return tuple(
                event.model_copy(update={"cause": "auto"})
                if isinstance(event, e.StageEntered) and event.cause == "moved"
                else event
                for event in moved
            )
    return ()


def _recorded(case: Case, body: c.Record, around: Surroundings) -> tuple[e.Event, ...] | Refusal:
    if sum(len(v.encode()) for v in body.fields.values()) > EVENT_BYTES - 16 * 1024:
        return Refusal(
            rules=("K1.event_size",),
            ru="Слишком много текста для одной записи: больше 240 КБ. Приложите файл ссылкой.",
            en="Too much text for one record: over 240 KB. Put a link to a file instead.",
        )
    state, values = case.state, dict[str, str]()
    for name, text in body.fields.items():
        value: str | None = text.strip()
        field = case.pipeline.fields_by_id.get(name)
        if field is not None:
            read = read_value(field, text, around.region)
            if isinstance(read, Unreadable):
                return Refusal(rules=("Q2.readable_value",), ru=read.ru, en=read.en)
            value = read
        elif value and name == "phone":
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


def _planned(_: Case, body: c.Plan, around: Surroundings) -> tuple[e.Event, ...]:
    assert around.activity is not None, "a plan gets the id of its activity from the one who carries it out"
    return planning.planned(around.activity, body)


def _held(case: Case, body: c.Hold, _: Surroundings) -> tuple[e.Event, ...]:
    fact = case.pipeline.facts_by_id[f"{body.kind}_held"]
    option = fact.option(body.result)
    happened: e.Event
    if body.kind == "call":
        happened = e.CallHeld(result=body.result, activity=body.activity, comment=body.comment)
    else:
        happened = e.MeetingHeld(result=body.result, activity=body.activity, place=body.place, comment=body.comment)
    said = body.comment or (option.titles.ru if option else fact.titles.ru)
    return (happened, *(planning.done(case.state, body.activity, said) if body.activity is not None else ()))


def _established(case: Case, body: c.Establish, _: Surroundings) -> tuple[e.Event, ...]:
    now = held(case.state, case.pipeline, body.fact)
    if now is not None and now.value == body.value and now.root == case.state.root and body.comment is None:
        return ()
    return (e.FactEstablished(fact=body.fact, value=body.value, comment=body.comment),)


def _sent(_: Case, body: c.Send, __: Surroundings) -> tuple[e.Event, ...]:
    return (e.DocumentSent(**body.model_dump(exclude={"type"})),)


def _labelled(case: Case, body: c.ChangeLabel, _: Surroundings) -> tuple[e.Event, ...]:
    if (body.tag in case.state.tags) == body.on:
        return ()
    return (e.TagAdded(tag=body.tag) if body.on else e.TagRemoved(tag=body.tag),)


def _attached(_: Case, body: c.Attach, __: Surroundings) -> tuple[e.Event, ...]:
    return (e.FileAttached(**body.model_dump(exclude={"type"})),)


_FACTS: dict[type[c.CommandBody], Callable[[Case, Any, Surroundings], tuple[e.Event, ...] | Refusal]] = {
    c.See: lambda case, body, around: () if case.state.seen else SEEN,
    c.Accept: _accepted,
    c.Record: _recorded,
    c.Offer: lambda case, body, around: (e.OfferMade(**body.model_dump(exclude={"type"})),),
    c.Answer: _answered,
    c.Hold: _held,
    c.Send: _sent,
    c.Attach: _attached,
    c.Approve: lambda case, body, around: (e.ApprovalGiven(decision=body.decision, comment=body.comment),),
    c.Establish: _established,
    c.Withdraw: lambda case, body, around: (e.FactWithdrawn(fact=body.fact, value=body.value, comment=body.comment),),
    c.Assign: _assigned,
    c.Plan: _planned,
    c.Replan: lambda case, body, around: planning.moved(case, body),
    c.CloseActivity: lambda case, body, around: planning.closed(case, body),
    c.Complete: lambda case, body, around: planning.done(case.state, body.activity, body.result),
    c.Review: lambda case, body, around: judging.confirmed(case.state, body),
    c.RateCard: lambda case, body, around: (e.ClientViewRecorded(**body.model_dump(exclude={"type"})),),
    c.ChangeLabel: _labelled,
}
"""What each command records that leads to no stage. A fact that holds already is not recorded twice."""
