"""Robots that follow one another: armed by the success of the one before, skipped with it, come again (R1, P7). Pure.

Invariants: success of what acts outside is its `EffectDone`, of all else its `RobotRan`; after a failed effect those that follow
wait, because a person may repeat it; a robot that was skipped takes those that follow along, for that reason, unless they say
otherwise. Chains may be of any length.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts import events as e
from contracts.pipeline import Pipeline, Robot
from services.leads.domain.robots.instants import Times, arm, counted_in, due, in_hours, instant, next_by_months
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
    """P7: a robot that comes again waits for its next time, counted from the last, months from the first, as long as the lead
    stands there."""
    if not isinstance(event, e.RobotRan | e.RobotSkipped | e.RobotFailed):
        return
    found = pipeline.robots_by_id.get(event.robot)
    if found is None or event.visit != state.root or state.automation.waits(event.visit, event.robot):
        return
    robot = found[1]
    settled = state.automation.settled[(event.visit, event.robot)]
    if robot.start.every is None or settled.timer != event.timer:
        return
    every, after = robot.start.every, max(settled.due_at, times.now)
    due_at = due(times, settled.due_at, every)
    if every.months:
        first = state.automation.first.get((event.visit, event.robot), settled.due_at)
        due_at = next_by_months(times, first, every, after)
    elif due_at <= times.now:  # after a long outage it comes once, not for every time that was missed
        due_at = due(times, times.now, every)
    if robot.start.in_hours:
        due_at = in_hours(times, due_at)
    yield arm(state, robot.id, due_at, "again", calendar=counted_in(robot, times, again=True))


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
            armed = arm(state, follower.id, times.now, "after_robot", calendar=None, visit=visit, after=robot)
            yield armed
            yield e.RobotSkipped(
                robot=follower.id, timer=armed.timer, visit=visit, reason="predecessor", predecessor=robot
            )


def _of(pipeline: Pipeline, robot: str) -> Iterator[Robot]:
    """The robots that follow this one."""
    found = pipeline.robots_by_id.get(robot)
    return (other for other in (found[0].robots if found is not None else ()) if other.start.after == robot)
