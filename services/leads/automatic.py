"""What a lead does by itself after something happened to it, in the transaction of whatever did (R1, R5, R6, P3).

Robots are armed or cancelled, triggers move the lead or say why not, automatic moves go on; each may lead to the next. Invariants:
all of it is decided by the same rules as everyone's acts; each automatic move carries how many there were since a person or an
inbound message acted (`autodepth`), and the eleventh is refused where everyone sees it (decision 8, N3). Nothing is undone by the
refusal: the lead stays where the tenth brought it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from contracts.commands import Refusal
from contracts.events import Event, StageEntered
from contracts.meta import Actor
from contracts.pipeline import Pipeline
from services.leads.answers import tell_refusal
from services.leads.domain.decide import MOST_MOVES, Surroundings, automatic_move
from services.leads.domain.robots.arming import react
from services.leads.domain.robots.triggers import pull
from services.leads.domain.state import LeadState

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch

PIPELINE_RULES: Final = Actor(id="pipeline-rules", kind="system")
"""Who moves a lead that moves by itself, and arms its robots."""
BY_ITSELF: Final = frozenset({"robot", "trigger", "system"})
"""Kinds of actors whose moves are automatic."""


def follow(
    batch: LeadBatch,
    lead: UUID,
    events: Sequence[Event],
    pipeline: Pipeline,
    envelope: dict[str, Any],
    before: LeadState | None,
    *,
    moves: bool = True,
) -> None:
    """Let follow what follows from these events, as far as it goes. `before`: the lead before them, None for a new one.

    `moves` False: robots alone (publishing moves nobody on)."""
    depth: int = envelope.get("autodepth", 0)
    while events:
        happened = [*events, *_react(batch, lead, events, pipeline, envelope, depth)]
        if not moves:
            return
        moved = _triggers(batch, lead, happened, pipeline, envelope, before, depth)
        before = batch.lead(lead)
        if not moved:
            moved = _automatic_move(batch, lead, events, pipeline, envelope, depth)
        depth += 1
        events = moved


def _react(
    batch: LeadBatch, lead: UUID, events: Sequence[Event], pipeline: Pipeline, envelope: dict[str, Any], depth: int
) -> list[Event]:
    """The robots' side, until nothing more follows."""
    found: list[Event] = []
    while events:
        state = _state(batch, lead)
        events = react(state, events, pipeline, batch.times)
        put(batch, state, events, envelope, PIPELINE_RULES, depth)
        found += events
    return found


def _triggers(
    batch: LeadBatch,
    lead: UUID,
    events: Sequence[Event],
    pipeline: Pipeline,
    envelope: dict[str, Any],
    before: LeadState | None,
    depth: int,
) -> Sequence[Event]:
    """The events of the trigger that moved the lead; none did: none."""
    state = _state(batch, lead)
    moved: Sequence[Event] = ()
    around = surroundings(batch, state)
    for pulled in pull(before, state, events, pipeline, batch.times, around, envelope["command"]):
        put(batch, state, pulled.events, envelope, pulled.actor, depth + pulled.moves)
        if pulled.moves:
            moved = pulled.events
        else:
            _react(batch, lead, pulled.events, pipeline, envelope, depth)
    return moved


def _automatic_move(
    batch: LeadBatch, lead: UUID, events: Sequence[Event], pipeline: Pipeline, envelope: dict[str, Any], depth: int
) -> Sequence[Event]:
    state = _state(batch, lead)
    moved = automatic_move(state, events, pipeline)
    if moved and depth >= MOST_MOVES:
        command = uuid5(envelope["command"], f"automatic:{depth + 1}")
        tell_refusal(batch, command, lead, "move", PIPELINE_RULES, _too_many(), state.version)
        return ()
    put(batch, state, moved, envelope, PIPELINE_RULES, depth + 1)
    return moved


def put(
    batch: LeadBatch,
    state: LeadState,
    events: Sequence[Event],
    envelope: dict[str, Any],
    actor: Actor,
    depth: int,
) -> None:
    """Record what happened by itself."""
    batch.record(state.lead, "lead", state.contact, events, **{**envelope, "actor": actor, "autodepth": depth})


def depth_of(state: LeadState, actor: Actor, events: Sequence[Event]) -> int:
    """How many automatic moves in a row there are with these events of an actor."""
    if actor.kind not in BY_ITSELF:
        return 0
    return state.autodepth + any(isinstance(event, StageEntered) for event in events)


def surroundings(batch: LeadBatch, state: LeadState) -> Surroundings:
    """What a decision about a lead needs to know beyond it."""
    held = batch.open_lead_of(state.contact, state.pipeline)
    return Surroundings(
        responsibles=tuple(batch.settings.responsibles),
        other_open_lead=held if held != state.lead else None,
        region=batch.settings.default_region,
    )


def _state(batch: LeadBatch, lead: UUID) -> LeadState:
    state = batch.lead(lead)
    assert state is not None
    return state


def _too_many() -> Refusal:
    return Refusal(
        rules=("N3.no_loop",),
        ru=f"Больше {MOST_MOVES} автоматических переходов подряд: похоже на петлю в воронке. Лид оставлен на месте.",
        en=f"More than {MOST_MOVES} automatic moves in a row: the pipeline seems to have a loop. The lead stays where it is.",
    )
