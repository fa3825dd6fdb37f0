"""The account of everything that happened by itself on a lead, or did not, and why: from its events alone (R6, N4, M5).

Pure. Invariants: every `RobotArmed` gives one run, closed by the event that closed its timer; every `EffectRequested` one effect;
every pull of a trigger is there. What waits without being armed (behind a letter that is not gone, for a date that the card
has not) is told too, and so is what such a wait ended with when the lead left the stage: no robot is passed over in silence (N2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

from contracts import events as e
from contracts.meta import Actor, Meta
from contracts.pipeline import Pipeline, Robot, Stage
from contracts.recorded import Recorded
from services.leads.domain.robots.instants import date_on_card, lost_its_date
from services.leads.domain.robots.standing import Place
from services.leads.domain.state import LeadState

Closing: TypeAlias = e.RobotRan | e.RobotSkipped | e.RobotCancelled | e.RobotFailed
CLOSINGS: Final = (e.RobotRan, e.RobotSkipped, e.RobotCancelled, e.RobotFailed)
WaitsFor: TypeAlias = Literal["armed", "requested", "failed", "date", "never", "imported", "left"]


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
    """A robot that is not armed, and why: the one it follows waits itself (`armed`), has its effect on the way (`requested`)
    or failed (`failed`: a person repeats it); the card lacks its date (`date`: in `field`); nothing ever started it, because the
    lead stood there before it was published (`never`) or came by an import (`imported`; N5); or the lead left the stage before
    that happened (`left`): of a stage visit that is over, and the robot will not run in it any more."""

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


@dataclass(frozen=True, slots=True)
class _Visit:
    """A stage visit as it began. `live`: its robots were armed, which an import, a publication or a correction does not do."""

    stage: str
    version: str | None
    basis: e.lead.EntryBasis
    cause: e.lead.StageCause

    @property
    def live(self) -> bool:
        return self.basis != "import" and self.cause not in ("adopted", "undone", "unmerged")


def account(
    history: Iterable[Recorded], state: LeadState, pipeline: Pipeline, under: Mapping[str, Pipeline] | None = None
) -> Account:
    """The account of a lead. `state`: the fold of the same history; `pipeline`: the version it stands under; `under`: versions
    it stood under before, by `id@number`."""
    runs: dict[UUID, Run] = {}
    effects: dict[UUID, Sent] = {}
    pulls: list[Pull] = []
    visits: dict[int, _Visit] = {}
    mistakes: set[int] = set()
    for recorded in history:
        meta, event = recorded.meta, recorded.data
        match event:
            case e.StageEntered():
                visits[event.visit] = _Visit(event.stage, meta.pipeline, event.basis, event.cause)
                if event.undoes is not None:
                    mistakes.add(event.undoes)
            case e.RobotArmed():
                stage = visits[event.visit].stage if event.visit in visits else state.stage
                runs[event.timer] = Run(event, meta.happened_at, stage, meta.pipeline)
            case e.RobotRan() | e.RobotSkipped() | e.RobotCancelled() | e.RobotFailed() if event.timer in runs:
                runs[event.timer] = replace(runs[event.timer], closed=event, closed_at=meta.happened_at, by=meta.actor)
            case e.EffectRequested():
                effects[event.effect] = Sent(event, meta.happened_at, meta.pipeline)
            case e.EffectDone() | e.EffectFailed() | e.EffectRepeated() | e.EffectBounced() if event.effect in effects:
                effects[event.effect] = _changed(effects[event.effect], meta, event)
            case e.TriggerFired() | e.TriggerRefused():
                pulls.append(Pull(event, meta.happened_at, meta.pipeline))
    waiting = (
        *_left(state, pipeline, {n: visit for n, visit in visits.items() if n not in mistakes}, under or {}),
        *_waiting(state, pipeline, visits),
    )
    return Account(tuple(runs.values()), waiting, tuple(effects.values()), tuple(pulls))


def _changed(sent: Sent, meta: Meta, event: e.EffectDone | e.EffectFailed | e.EffectRepeated | e.EffectBounced) -> Sent:
    match event:
        case e.EffectRepeated():
            return replace(sent, closed=None, closed_at=None, repeats=sent.repeats + 1)
        case e.EffectBounced():
            return replace(sent, bounced=event, bounced_at=meta.happened_at)
        case _:
            return replace(sent, closed=event, closed_at=meta.happened_at)


def _waiting(state: LeadState, pipeline: Pipeline, visits: Mapping[int, _Visit]) -> Iterator[Waiting]:
    """Robots that have had no timer in a visit and still can get one."""
    if state.erased or state.merged_into is not None:
        return
    here, came = pipeline.by_id.get(state.stage), visits.get(state.root)
    if here is not None:
        by_import = came is not None and came.basis == "import"
        yield from _of_visit(state, here.robots, state.root, state.stage, "imported" if by_import else "never")
    for visit in _earlier(state):
        left = pipeline.by_id.get(visits[visit].stage) if visit in visits else None
        if left is None:
            continue
        # a follower waits in vain once its stage was left, unless its policy is another one
        robots = [
            robot
            for robot in left.robots
            if (robot.start.after is not None and robot.on_leave != "cancel")
            or (robot.on_leave == "keep" and robot.retime and lost_its_date(state, robot, visit))
        ]
        yield from _of_visit(state, robots, visit, left.id, "never")


def _earlier(state: LeadState) -> list[int]:
    """The visits that are over and had robots, the last first."""
    now = state.automation
    found = {visit for visit, _ in now.settled} | {armed.visit for armed in now.armed.values()}
    return sorted(found - {state.root}, reverse=True)


def _left(
    state: LeadState, pipeline: Pipeline, visits: Mapping[int, _Visit], under: Mapping[str, Pipeline]
) -> Iterator[Waiting]:
    """Robots that waited for another one, or for a date, when the lead left their stage: they had no timer that could say so."""
    if state.erased:
        return
    now = state.automation
    for visit, came in visits.items():
        there = under.get(came.version or "", pipeline).by_id.get(came.stage)
        if visit == state.root or there is None or not came.live:
            continue
        waits = [robot for robot in there.robots if robot.start.after is not None or robot.start.date is not None]
        for robot in waits:
            place = (visit, robot.id)
            if place in now.armings:
                continue
            goes_on = robot.on_leave != "cancel" and _still_behind(state, robot, visit, there)
            if not goes_on or state.merged_into is not None:
                yield Waiting(robot.id, visit, came.stage, "left", robot.start.after, robot.start.date)


def _still_behind(state: LeadState, robot: Robot, visit: int, stage: Stage) -> bool:
    """Whether a robot of a stage that was left can still be armed: one before it waits, or has its effect on the way."""
    before = stage.robots_by_id.get(robot.start.after or "")
    while before is not None:
        if _behind(state, (visit, before.id)) is not None:
            return True
        before = stage.robots_by_id.get(before.start.after or "")
    return False


def _of_visit(
    state: LeadState, robots: Sequence[Robot], visit: int, stage: str, unstarted: WaitsFor
) -> Iterator[Waiting]:
    now = state.automation
    had = {robot for at, robot in now.settled if at == visit}
    left = [
        robot
        for robot in robots
        if not now.waits(visit, robot.id) and (robot.id not in had or lost_its_date(state, robot, visit))
    ]
    found = {robot.id: _unarmed(state, robot, visit, stage, unstarted) for robot in left if robot.start.after is None}
    while more := {
        robot.id: waits
        for robot in left
        if robot.id not in found and (waits := _following(state, robot, visit, stage, found, unstarted)) is not None
    }:
        found |= more  # and with them those that follow them
    yield from (found[robot.id] for robot in left if robot.id in found)


def _unarmed(state: LeadState, robot: Robot, visit: int, stage: str, unstarted: WaitsFor) -> Waiting:
    """Why a robot that follows nobody was not armed."""
    if robot.start.date is not None and date_on_card(state, robot.start.date) is None:
        return Waiting(robot.id, visit, stage, "date", field=robot.start.date)
    return Waiting(robot.id, visit, stage, unstarted)


def _following(
    state: LeadState, robot: Robot, visit: int, stage: str, waiting: Mapping[str, Waiting], unstarted: WaitsFor
) -> Waiting | None:
    """Why a robot that follows another one was not armed; None where nothing will start it."""
    after = robot.start.after or ""
    why: WaitsFor | None = "armed" if after in waiting else _behind(state, (visit, after))
    if why is None and visit == state.root and (visit, after) in state.automation.settled:
        why = unstarted  # that one was over before this one was there
    return Waiting(robot.id, visit, stage, why, after) if why is not None else None


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
