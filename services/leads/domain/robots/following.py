"""What a lead does by itself after something happened to it: robots, triggers, automatic moves, one after the other (R1, R5, P3).

Pure: whoever asks records the events and gives the lead back as it stands then (`Record`). Invariants: all of it is decided by
the same rules as everyone's acts; each automatic move carries how many there were since a person or an inbound message acted
(`autodepth`), and the eleventh is refused (decision 8, N3): the lead stays where the tenth brought it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final
from uuid import UUID

from contracts.events import DeadlineMet, Event, StageEntered
from contracts.meta import Actor
from contracts.pipeline import Pipeline
from services.leads.domain.activities import following as activities
from services.leads.domain.assigning import waiting
from services.leads.domain.assigning.deciding import ROTATION
from services.leads.domain.assigning.waiting import Choose
from services.leads.domain.deadlines import reacting
from services.leads.domain.deadlines.carrying_out import Allows, carry_out
from services.leads.domain.deadlines.setting import Circumstances, Language
from services.leads.domain.decide import MOST_MOVES, Surroundings, automatic_move
from services.leads.domain.reviews import judging
from services.leads.domain.robots.arming import react
from services.leads.domain.robots.instants import Times
from services.leads.domain.robots.triggers import pull
from services.leads.domain.state import LeadState

PIPELINE_RULES: Final = Actor(id="pipeline-rules", kind="system")
"""Who moves a lead that moves by itself, and arms its robots."""
BY_ITSELF: Final = frozenset({"robot", "trigger", "system"})
"""Kinds of actors whose moves are automatic."""

Record = Callable[[Sequence[Event], Actor, int], LeadState]
"""Records events by an actor at a depth; the lead after them."""


@dataclass(frozen=True)  # no slots: what was asked for once is kept
class Following:
    """Where it happens: under which version of the pipeline, when, with what around, by which command."""

    pipeline: Pipeline
    times: Times
    beyond: Callable[[], Surroundings]
    """What a decision needs to know beyond the lead; asked for where there is one to be made."""
    command: UUID
    record: Record
    moves: bool = True
    """False: robots alone; nobody is moved on (publishing, merging)."""
    at: datetime | None = None
    """When it happened, where that was not now."""
    language: Language = "ru"
    allows: Allows | None = None
    """What else may stand against a result of a deadline (C1)."""
    choose: Choose | None = None
    """Who gets a lead that is taken from somebody; None: nobody is looked for now."""

    @cached_property
    def surroundings(self) -> Surroundings:
        """What is around the lead, as it was when it was first asked for."""
        return self.beyond()

    @property
    def circumstances(self) -> Circumstances:
        """What deadlines need to know of it."""
        people = frozenset(self.surroundings.responsibles)
        return Circumstances(self.pipeline, self.times, self.at or self.times.now, self.language, people)


def follow(
    now: Following, before: LeadState | None, state: LeadState, events: Sequence[Event], depth: int = 0
) -> int | None:
    """Let follow what follows from these events, as far as it goes. `before`: the lead before them, None for a new one; `state`:
    after them. Returns the depth at which it was stopped as a loop, None where it was not."""
    while events:
        state, happened = _react(now, before, state, events, depth)
        if not now.moves:
            return None
        state, moved = _triggers(now, before, state, [*events, *happened], depth)
        before = state
        if not moved:
            state, moved = _results(now, state, [*events, *happened], depth)
        if not moved:
            moved = automatic_move(state, events, now.pipeline)
            if moved and depth >= MOST_MOVES:
                return depth + 1
            if moved:
                state = now.record(moved, PIPELINE_RULES, depth + 1)
        depth += 1
        events = moved
    return None


def _react(
    now: Following, before: LeadState | None, state: LeadState, events: Sequence[Event], depth: int
) -> tuple[LeadState, list[Event]]:
    """What follows for robots, deadlines, activities and reviews, until nothing more does."""
    found: list[Event] = []
    while events:
        due: Sequence[Event] = ()
        if reacting.concerns(state, events, now.pipeline):
            due = reacting.react(state, events, now.circumstances, before)
        before = None
        given = waiting.react(state, events, now.pipeline, now.times, now.choose)
        events = (
            *react(state, events, now.pipeline, now.times),
            *due,
            *activities.react(state, events, now.times),
            *judging.react(state, events, now.pipeline, automatic=depth > 0),
        )
        if events:
            state = now.record(events, PIPELINE_RULES, depth)
        if given:  # whose it is, after what led to it
            state = now.record(given, ROTATION, depth)
            events = (*events, *given)
        found += events
    return state, found


def _triggers(
    now: Following, before: LeadState | None, state: LeadState, events: Sequence[Event], depth: int
) -> tuple[LeadState, Sequence[Event]]:
    """The lead after its triggers, and the events of the one that moved it."""
    moved: Sequence[Event] = ()
    if not now.pipeline.has_triggers:
        return state, moved
    for pulled in pull(before, state, events, now.pipeline, now.times, now.surroundings, now.command):
        state = now.record(pulled.events, pulled.actor, depth + pulled.moves)
        if pulled.moves:
            moved = pulled.events
    return state, moved


def _results(
    now: Following, state: LeadState, events: Sequence[Event], depth: int
) -> tuple[LeadState, Sequence[Event]]:
    """The lead after the results of its deadlines, and the events of the one that moved it (Q4)."""
    moved: Sequence[Event] = ()
    if not any(isinstance(event, DeadlineMet) for event in events):
        return state, moved
    for done in carry_out(state, events, now.circumstances, now.surroundings, now.command, now.allows):
        state = now.record(done.events, done.actor, depth + done.moves)
        if done.moves:
            moved = done.events
    return state, moved


def depth_of(state: LeadState, actor: Actor, events: Sequence[Event]) -> int:
    """How many automatic moves in a row there are with these events of an actor; `state`: the lead before them."""
    if actor.kind not in BY_ITSELF:
        return 0
    return state.autodepth + any(isinstance(event, StageEntered) for event in events)
