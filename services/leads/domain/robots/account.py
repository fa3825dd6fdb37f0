"""The account of everything that happened by itself on a lead, or did not, and why: from its events alone (R6, N4, M5).

Pure. Invariants: every `RobotArmed` gives one run, closed by the event that closed its timer; every `EffectRequested` one effect;
every pull of a trigger is there. What waits without being armed (behind a letter that is not gone, for a date that the card
has not) is told too, so that no robot of the stage where the lead stands is passed over in silence (N2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

from contracts import events as e
from contracts.meta import Actor, Meta
from contracts.pipeline import Pipeline, Robot
from contracts.recorded import Recorded
from services.leads.domain.robots.standing import Place
from services.leads.domain.state import LeadState

Closing: TypeAlias = e.RobotRan | e.RobotSkipped | e.RobotCancelled | e.RobotFailed
CLOSINGS: Final = (e.RobotRan, e.RobotSkipped, e.RobotCancelled, e.RobotFailed)
WaitsFor: TypeAlias = Literal["armed", "requested", "failed", "date", "never"]


@dataclass(frozen=True, slots=True)
class Run:
    """A robot under one timer, in a stage visit. `version`: `pipeline@number` it was armed under; `by`: who closed it."""

    armed: e.RobotArmed
    at: datetime
    stage: str
    version: str | None
    closed: Closing | None = None
    closed_at: datetime | None = None
    by: Actor | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A robot that is not armed yet, and why: the one it follows waits itself (`armed`), has its effect on the way (`requested`)
    or failed (`failed`: a person repeats it); the card lacks its date (`date`: in `field`); or nothing ever started it (`never`:
    the lead stood there before it was published, or was imported; N5)."""

    robot: str
    visit: int
    stage: str
    why: WaitsFor
    after: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """Something requested of the outside, and what came of it. `repeats`: how often a person asked for it again."""

    requested: e.EffectRequested
    at: datetime
    version: str | None
    closed: e.EffectDone | e.EffectFailed | None = None
    closed_at: datetime | None = None
    repeats: int = 0
    bounced: e.EffectBounced | None = None
    bounced_at: datetime | None = None

    @property
    def state(self) -> Literal["requested", "done", "failed"]:
        """How it stands."""
        if self.closed is None:
            return "requested"
        return "done" if isinstance(self.closed, e.EffectDone) else "failed"


@dataclass(frozen=True, slots=True)
class Pull:
    """A trigger that moved the lead, or stood ready and did not."""

    what: e.TriggerFired | e.TriggerRefused
    at: datetime
    version: str | None


@dataclass(frozen=True, slots=True)
class Account:
    """All of it, each in the order it began."""

    runs: tuple[Run, ...]
    waiting: tuple[Waiting, ...]
    effects: tuple[Sent, ...]
    pulls: tuple[Pull, ...]


def account(history: Iterable[Recorded], state: LeadState, pipeline: Pipeline) -> Account:
    """The account of a lead. `state`: the fold of the same history; `pipeline`: the version it stands under."""
    runs: dict[UUID, Run] = {}
    effects: dict[UUID, Sent] = {}
    pulls: list[Pull] = []
    stages: dict[int, str] = {}
    for recorded in history:
        meta, event = recorded.meta, recorded.data
        match event:
            case e.StageEntered():
                stages[event.visit] = event.stage
            case e.RobotArmed():
                runs[event.timer] = Run(event, meta.happened_at, stages.get(event.visit, state.stage), meta.pipeline)
            case e.RobotRan() | e.RobotSkipped() | e.RobotCancelled() | e.RobotFailed() if event.timer in runs:
                runs[event.timer] = replace(runs[event.timer], closed=event, closed_at=meta.happened_at, by=meta.actor)
            case e.EffectRequested():
                effects[event.effect] = Sent(event, meta.happened_at, meta.pipeline)
            case e.EffectDone() | e.EffectFailed() | e.EffectRepeated() | e.EffectBounced() if event.effect in effects:
                effects[event.effect] = _changed(effects[event.effect], meta, event)
            case e.TriggerFired() | e.TriggerRefused():
                pulls.append(Pull(event, meta.happened_at, meta.pipeline))
    return Account(
        tuple(runs.values()), tuple(_waiting(state, pipeline, stages)), tuple(effects.values()), tuple(pulls)
    )


def _changed(sent: Sent, meta: Meta, event: e.EffectDone | e.EffectFailed | e.EffectRepeated | e.EffectBounced) -> Sent:
    match event:
        case e.EffectRepeated():
            return replace(sent, closed=None, closed_at=None, repeats=sent.repeats + 1)
        case e.EffectBounced():
            return replace(sent, bounced=event, bounced_at=meta.happened_at)
        case _:
            return replace(sent, closed=event, closed_at=meta.happened_at)


def _waiting(state: LeadState, pipeline: Pipeline, stages: dict[int, str]) -> Iterator[Waiting]:
    """Robots that have had no timer in a visit and still can get one."""
    if state.erased or state.merged_into is not None:
        return
    now = state.automation
    here = pipeline.by_id.get(state.stage)
    if here is not None:
        yield from _of_visit(state, here.robots, state.root, state.stage)
    earlier = {visit for visit, _ in now.settled} | {armed.visit for armed in now.armed.values()}
    for visit in sorted(earlier - {state.root}, reverse=True):
        left = pipeline.by_id.get(stages.get(visit, ""))
        if left is None:
            continue
        # a follower waits in vain once its stage was left, unless its policy is another one
        robots = [robot for robot in left.robots if robot.start.after is not None and robot.on_leave != "cancel"]
        yield from _of_visit(state, robots, visit, left.id)


def _of_visit(state: LeadState, robots: Sequence[Robot], visit: int, stage: str) -> Iterator[Waiting]:
    now = state.automation
    had = {robot for at, robot in now.settled if at == visit}
    left = [robot for robot in robots if robot.id not in had and not now.waits(visit, robot.id)]
    found: dict[str, Waiting] = {}
    while more := {
        robot.id: waits
        for robot in left
        if robot.id not in found and (waits := _why(state, robot, visit, stage, found)) is not None
    }:
        found |= more  # and with them those that follow them
    yield from (found[robot.id] for robot in left if robot.id in found)


def _why(state: LeadState, robot: Robot, visit: int, stage: str, waiting: Mapping[str, Waiting]) -> Waiting | None:
    """Why a robot that was not armed waits; None where nothing will start it."""
    after = robot.start.after
    if after is not None:
        why = "armed" if after in waiting else _behind(state, (visit, after))
        return Waiting(robot.id, visit, stage, why, after) if why is not None else None
    if robot.start.date is not None and not state.card.get(robot.start.date):
        return Waiting(robot.id, visit, stage, "date", field=robot.start.date)
    return Waiting(robot.id, visit, stage, "never")


def _behind(state: LeadState, place: Place) -> WaitsFor | None:
    """What a robot waits for behind this one; None where that one is not under way."""
    now = state.automation
    if now.waits(*place):
        return "armed"
    settled = now.settled.get(place)
    if settled is None or settled.effect is None:
        return None
    effect = now.effects.get(settled.effect)
    if effect is None or effect.state == "done":
        return None
    return effect.state
