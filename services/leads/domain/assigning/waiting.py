"""Leads that wait in the pool, or that nobody touches: when they are looked at again, and given to somebody else (C4, N25).

`react` is asked after every set of events of a lead, as the robots' is; `services.leads.domain.assigning.coming` is what becomes
of the two built-in robots when their instant has come. Pure. Invariants: what a person does pushes the instant on without an
event of its own: the robot that comes too early waits again, from the last touch; a lead that waits in the pool is looked at as
long as it waits there; a lead that the same person missed so often goes to somebody else, and stays where it is when there is
nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Final

from contracts import events as e
from contracts.pipeline import Idle, Period, Pipeline
from services.leads.domain.assigning.deciding import Decision
from services.leads.domain.robots.instants import Times, arm, due, in_hours
from services.leads.domain.state import LeadState

IDLE: Final = "idle"
"""The robot of every lead that must not lie untouched."""
POOL: Final = "pool"
"""The robot, and the deadline, of every lead that waits in the pool."""
LOOK_AGAIN: Final = Period(minutes=15, working=True)
"""How often somebody is looked for who may have a lead of the pool."""
Choose = Callable[[LeadState, str | None], Decision]
"""Who gets the lead by the rules of its pipeline, without somebody it is to be taken from."""
_MOVING: Final = (
    e.StageEntered,
    e.LeadAssigned,
    e.LeadPooled,
    e.LeadUnmerged,
    e.DealRestored,
    e.RobotSkipped,
    e.DeadlineMissed,
)


def react(
    state: LeadState, just: Sequence[e.Event], pipeline: Pipeline, times: Times, choose: Choose | None
) -> tuple[e.Event, ...]:
    """What follows for whose the lead is. `state`: the lead after these events; `choose` None: nobody is looked for now."""
    if state.erased or not any(_moves(type(event)) for event in just):
        return ()
    found: list[e.Event] = []
    for event in just:
        match event:
            case e.DeadlineMissed() if choose is not None:
                found += _missed(state, event, pipeline, choose)
            case e.LeadAssigned():
                found += _over(state, POOL)
            case e.LeadPooled():
                found += _over(state, IDLE)
    if not found:
        found += _wait(state, pipeline, times)
    return tuple(found)


@cache
def _moves(kind: type[e.Event]) -> bool:
    return issubclass(kind, _MOVING)


def _wait(state: LeadState, pipeline: Pipeline, times: Times) -> Iterator[e.Event]:
    """What the lead waits for as it stands."""
    if not state.is_open:
        return
    if state.pooled:
        if not _waits(state, POOL):
            yield arm(state, POOL, look_again(times), "pool", calendar=times.name)
        return
    idle = idle_of(state, pipeline)
    if idle is not None and state.responsible is not None and not _waits(state, IDLE):
        period = idle.within
        calendar = times.name if period.working or period.months else None
        yield arm(state, IDLE, idle_at(state, idle, times), "idle", calendar=calendar)


def _waits(state: LeadState, robot: str) -> bool:
    return any(armed.robot == robot for armed in state.automation.armed.values())


def _over(state: LeadState, robot: str) -> Iterator[e.Event]:
    for armed in state.automation.armed.values():
        if armed.robot == robot:
            yield e.RobotCancelled(robot=robot, timer=armed.timer, visit=armed.visit, by="over")


def _missed(state: LeadState, missed: e.DeadlineMissed, pipeline: Pipeline, choose: Choose) -> Iterator[e.Event]:
    """A deadline missed so often running by the same person: the lead is taken from them, the incident stays with them."""
    most = pipeline.assignment.missed_running if pipeline.assignment is not None else None
    if most is None or missed.running < most or not state.is_open:
        return
    if missed.responsible is None or missed.responsible != state.responsible:
        return
    decision = choose(state, state.responsible)
    if decision.to is not None:
        yield decision.assigned(state.responsible, "missed_running")


def look_again(times: Times) -> datetime:
    """When somebody is looked for next: when work begins, or in a quarter of a working hour."""
    opens = in_hours(times, times.now)
    return opens if opens > times.now else due(times, times.now, LOOK_AGAIN)


def idle_of(state: LeadState, pipeline: Pipeline) -> Idle | None:
    """The rule about untouched leads, where it holds for the stage the lead is in."""
    idle = pipeline.assignment.idle if pipeline.assignment is not None else None
    if idle is None:
        return None
    stages = idle.stages or (pipeline.first.id,)
    return idle if state.stage in stages else None


def touched(state: LeadState) -> datetime:
    """Until when the lead counts as touched: the last thing a person did, being given to somebody, coming to where it stands;
    what its responsible planned by hand and has not done touches it until it is due (N25)."""
    moments = [state.root_at or state.captured_at]
    if state.touched_at is not None:
        moments.append(state.touched_at)
    if state.deadlines.given:
        moments.append(state.deadlines.given[-1].at)
    for planned in state.activities.values():
        mine = planned.assignee in (None, state.responsible)
        if planned.reason in ("by_hand", "recurring") and planned.done_at is None and planned.due_at and mine:
            moments.append(planned.due_at)
    return max(moments)


def idle_at(state: LeadState, idle: Idle, times: Times) -> datetime:
    """When the lead has lain untouched for so long; from now on where that is over already and nobody took it."""
    at = due(times, touched(state), idle.within, state.responsible)
    return at if at > times.now else due(times, times.now, idle.within, state.responsible)
