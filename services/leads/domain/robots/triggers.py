"""Triggers: what a client does moves the lead, where the rules allow, else everyone sees why it did not (R5). Pure.

Invariants: of the triggers that one event answers to the first along the scale moves the lead, the others are refused with its
name; a trigger that the lead's stage is none of does nothing; one that was overtaken by another says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.events.deal import AS_OF_LEADS
from contracts.meta import Actor
from contracts.pipeline import Pipeline, Stage, Trigger
from services.leads.domain.criteria import values_of
from services.leads.domain.decide import MOST_MOVES, Surroundings, decide
from services.leads.domain.robots.instants import Times
from services.leads.domain.state import LeadState
from services.pipelines.conditions import failing


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a trigger did: events by whom. `moves`: whether the lead changed its stage."""

    actor: Actor
    events: tuple[e.Event, ...]
    moves: bool = False


def pull(
    before: LeadState | None,
    state: LeadState,
    just: Sequence[e.Event],
    pipeline: Pipeline,
    times: Times,
    surroundings: Surroundings,
    command: UUID,
) -> Iterator[Pulled]:
    """What triggers do after events that just happened. `before`: the lead before them, None for a new one; `state`: after."""
    if not pipeline.has_triggers or state.erased or state.merged_into is not None:
        return
    first = state.version - len(just) + 1
    for n, event in enumerate(just):
        because = f"{state.lead}-{first + n}"
        winner: str | None = None
        for stage in pipeline.stages:
            for trigger in stage.triggers:
                if not _answers(trigger, event, before):
                    continue
                found = _of(trigger, stage, winner, because, state, pipeline, times, surroundings, command)
                if found is None:
                    continue
                yield found
                if found.moves:
                    winner = trigger.id
        if winner is not None:
            return  # what follows is asked again, of the lead where it stands now


def _answers(trigger: Trigger, event: e.Event, before: LeadState | None) -> bool:
    """Whether this is what the trigger waits for. Only what is new counts: a call's later reports are the same call."""
    match trigger.on:
        case "letter":
            return isinstance(event, e.LetterReceived)
        case "call_answered":
            return isinstance(event, e.CallFacts) and event.call_direction == "in" and _newly_answered(event, before)
        case "call_missed":
            return isinstance(event, e.CallRecorded) and event.call_direction == "in" and not event.answered
        case "form" | "message":
            return isinstance(event, e.LeadCaptured | e.InboundJoined) and event.channel == trigger.on
        case "visit":
            return isinstance(event, e.VisitRecorded)
        case "event":
            return _as_of_leads(trigger.type) == _as_of_leads(event.TOPIC)


def _as_of_leads(kind: str | None) -> str | None:
    """The type of an event by which a trigger knows it: what happens to leads and deals alike has one, whichever was named."""
    return AS_OF_LEADS.get(kind or "", kind)


def _newly_answered(event: e.CallFacts, before: LeadState | None) -> bool:
    known = before.calls.get(event.call_id) if before is not None and isinstance(event.call_id, str) else None
    return event.answered and not (known is not None and known.answered)


def _stands_ready(trigger: Trigger, stage: Stage, here: str, pipeline: Pipeline) -> bool:
    """Whether a lead in stage `here` is one that the trigger moves."""
    if trigger.from_stages:
        return here in trigger.from_stages
    stands = pipeline.by_id.get(here)
    if stands is None or stands.kind != "open" or here == stage.id:
        return False
    place = pipeline.place(stage.id)
    return place is None or (pipeline.place(here) or 0) < place


def _of(
    trigger: Trigger,
    stage: Stage,
    winner: str | None,
    because: str,
    state: LeadState,
    pipeline: Pipeline,
    times: Times,
    surroundings: Surroundings,
    command: UUID,
) -> Pulled | None:
    actor = Actor(id=trigger.id, kind="trigger")
    about: dict[str, Any] = {"trigger": trigger.id, "to_stage": stage.id, "because": because}
    if not _stands_ready(trigger, stage, state.stage, pipeline):
        last = state.automation.triggered
        overtaken = (
            last is not None
            and last.to_stage == state.stage
            and state.entered_by != "undone"
            and last.trigger != trigger.id
            and _stands_ready(trigger, stage, last.from_stage, pipeline)
        )
        if last is None or not overtaken or stage.id == state.stage:
            return None
        return Pulled(actor, (e.TriggerRefused(**about, reason="other_trigger", other=last.trigger),))
    if winner is not None:
        return Pulled(actor, (e.TriggerRefused(**about, reason="other_trigger", other=winner),))
    if trigger.when is not None:
        fails = failing(trigger.when, values_of(state, pipeline))
        if fails is not None:
            return Pulled(actor, (e.TriggerRefused(**about, reason="condition", clause=fails[0], values=fails[1]),))
    if state.autodepth >= MOST_MOVES:
        return Pulled(actor, (e.TriggerRefused(**about, reason="loop"),))
    body: c.CommandBody = (
        c.Reject(status=stage.id, reason=trigger.reason) if stage.kind == "lost" else c.Move(to=stage.id)
    )
    act = c.Command(id=uuid5(command, f"{trigger.id}:{because}"), lead=state.lead, actor=actor, body=body)
    decided = decide(state, act, pipeline, times.now, surroundings)
    if isinstance(decided, Refusal):
        refused = e.TriggerRefused(**about, reason="rules", rules=decided.rules)
        told_already = any(
            planned.done_at is None and planned.reason == "trigger_refused" and planned.robot == trigger.id
            for planned in state.activities.values()
        )
        if told_already:
            return Pulled(actor, (refused,))
        told = e.ActivityPlanned(
            activity=uuid5(act.id, "activity"),
            activity_kind="task",
            reason="trigger_refused",
            text=f"{trigger.titles.ru} / {trigger.titles.en}: {decided.ru}",
            robot=trigger.id,
        )
        return Pulled(actor, (refused, told))
    fired = e.TriggerFired(trigger=trigger.id, from_stage=state.stage, to_stage=stage.id, because=because)
    return Pulled(actor, (fired, *decided), moves=True)
