"""Robots that follow one another: armed by the success of the one before, skipped with it, come again (R1, P7). Pure.

Invariants: success of what acts outside is its `EffectDone`, of all else its `RobotRan`; after a failed effect those that follow
wait, because a person may repeat it; a robot that was skipped takes those that follow along, for that reason, unless they say
otherwise. Chains may be of any length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from contracts import events as e
from contracts.pipeline import Pipeline, Robot
from services.leads.domain.robots.instants import Times, arm, counted_in, instant, next_time
from services.leads.domain.state import LeadState


def followers(
    state: LeadState, event: e.RobotRan | e.EffectDone, pipeline: Pipeline, times: Times
) -> Iterator[e.Event]:
    """R1: a robot succeeded: those that wait for it are armed."""
    place = _place(state, event)
    if place is not None:
        for follower in _of(pipeline, place[1]):
            yield from _armed_after(state, follower, place[1], place[0], pipeline, times)


def _place(state: LeadState, event: e.Event) -> tuple[int, str] | None:
    """The stage visit and the robot that an event is about."""
    if isinstance(event, e.RobotEvent):
        return event.visit, event.robot
    assert isinstance(event, e.EffectDone | e.EffectFailed)
    effect = state.automation.effects.get(event.effect)
    if effect is None or effect.robot is None or effect.visit is None:
        return None
    return effect.visit, effect.robot


def comes_again(state: LeadState, event: e.Event, pipeline: Pipeline, times: Times) -> Iterator[e.Event]:
    """P7: a robot that comes again waits for its next time, as long as the lead stands there."""
    if not isinstance(event, e.RobotRan | e.RobotSkipped | e.RobotFailed):
        return
    found = pipeline.robots_by_id.get(event.robot)
    if found is None or event.visit != state.root or state.automation.waits(event.visit, event.robot):
        return
    robot = found[1]
    settled = state.automation.settled[(event.visit, event.robot)]
    if robot.start.every is None or settled.timer != event.timer:
        return
    yield arm(state, robot.id, next_time(robot, settled, times), "again", calendar=counted_in(robot, times, again=True))


def _armed_after(
    state: LeadState, follower: Robot, robot: str, visit: int, pipeline: Pipeline, times: Times
) -> Iterator[e.Event]:
    if state.automation.had(visit, follower.id):
        return
    due_at = instant(follower, times.now, state, times)
    if visit != state.root:  # the lead left the stage before the predecessor had succeeded
        if follower.on_leave == "cancel":
            return
        if follower.on_leave == "run_now":
            due_at = times.now
    if due_at is not None:
        calendar = counted_in(follower, times)
        yield arm(state, follower.id, due_at, "after_robot", calendar=calendar, visit=visit, after=robot)


def without_predecessor(state: LeadState, event: e.Event, pipeline: Pipeline, times: Times) -> Iterator[e.Event]:
    """R1: a robot did not run: those that follow it are skipped for that reason, or run all the same, as each of them says.

    After a failed effect they wait: a person may repeat it.
    """
    place = _place(state, event)
    if place is None:
        return
    visit, robot = place
    for follower in _of(pipeline, robot):
        if state.automation.had(visit, follower.id):
            continue
        if follower.when_predecessor_did_not_run == "run":
            yield from _armed_after(state, follower, robot, visit, pipeline, times)
        elif not isinstance(event, e.EffectFailed):
            yield from _skipped_after(state, follower, robot, visit, times)


def _skipped_after(state: LeadState, follower: Robot, robot: str, visit: int, times: Times) -> Iterator[e.Event]:
    armed = arm(state, follower.id, times.now, "after_robot", calendar=None, visit=visit, after=robot)
    yield armed
    yield e.RobotSkipped(robot=follower.id, timer=armed.timer, visit=visit, reason="predecessor", predecessor=robot)


def catching_up(state: LeadState, robots: Iterable[Robot], times: Times, at: datetime) -> Iterator[e.Event]:
    """N5: of these robots of the stage where the lead stands, those whose predecessor was over before they were there: armed, or
    skipped, as if it were over at `at`. One whose effect is on its way, or failed, is still waited for."""
    visit, now = state.root, state.automation
    for robot in robots:
        after = robot.start.after or ""
        before = now.settled.get((visit, after))
        if before is None or now.waits(visit, after) or now.had(visit, robot.id):
            continue
        effect = now.effects.get(before.effect) if before.effect is not None else None
        outside = effect.state if effect is not None else "done"
        did_not_run = before.how in ("skipped", "failed") or before.by == "by_hand"
        may_run = robot.when_predecessor_did_not_run == "run" and (did_not_run or outside == "failed")
        if may_run or (before.how == "ran" and outside == "done"):
            if (due_at := instant(robot, at, state, times)) is not None:
                yield arm(state, robot.id, due_at, "started", calendar=counted_in(robot, times), after=after)
        elif did_not_run:
            yield from _skipped_after(state, robot, after, visit, times)


def _of(pipeline: Pipeline, robot: str) -> Iterator[Robot]:
    """The robots that follow this one."""
    found = pipeline.robots_by_id.get(robot)
    return (other for other in (found[0].robots if found is not None else ()) if other.start.after == robot)
