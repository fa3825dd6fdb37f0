"""Which robots wait, and until when: what follows from a lead's events for its robots (R1, R6, N6, S3).

`react` is asked after every set of events of a lead, in the same transaction, until nothing more follows. Pure. Invariants: a
robot runs at most once in a stage visit, one that comes again once at each time (N1, P7); its instant is fixed here, from the
events and the team's calendar, and never computed again; publishing, importing and taking back a merge arm nothing anew (M3):
what was waiting goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from functools import cache
from typing import Any, Final

from contracts import events as e
from contracts.pipeline import Pipeline, Robot, Stage
from services.leads.domain.assigning.waiting import IDLE, POOL
from services.leads.domain.deadlines.setting import WARNING
from services.leads.domain.robots import chains
from services.leads.domain.robots.instants import Times, arm, counted_in, had, in_hours, instant, lost_its_date
from services.leads.domain.robots.standing import Armed, of_the_lead
from services.leads.domain.state import LeadState

PAUSE: Final = "pause"
"""The robot of every pause: it brings the lead back on the date (S3)."""
MEETING: Final = "meeting_result"
"""The robot under which the result of a meeting was waited for before that was a deadline (P9); those still armed end here."""
BUILT_IN: Final = frozenset({PAUSE, MEETING, IDLE, POOL})
"""Robots of every pipeline; `contracts.pipeline.automation.RESERVED` keeps their names free."""
_MOVING: Final = (
    e.StageEntered,
    e.LeadAdopted,
    e.DealWithdrawn,
    e.DealRestored,
    e.LeadMerged,
    e.LeadPaused,
    e.MeetingHeld,
    e.RobotRan,
    e.RobotSkipped,
    e.RobotFailed,
    e.RobotCancelled,
    e.EffectDone,
    e.EffectFailed,
)
"""What `react` looks at: one for each of its cases."""


def react(state: LeadState, just: Sequence[e.Event], pipeline: Pipeline, times: Times) -> tuple[e.Event, ...]:
    """What follows for the robots from events that just happened; `state`: the lead after them."""
    if state.erased or not just:
        return ()
    written = {name for event in just if isinstance(event, e.CardRecorded) for name in event.names}
    found = list(_retimed(state, written, pipeline, times, just)) if written else []
    for event in just:
        if not _moves_robots(type(event)):
            continue
        match event:
            case e.StageEntered():
                found += _on_change_of_stage(state, event, pipeline, times)
            case e.LeadAdopted():
                found += _under_another_version(state, pipeline)
            case e.DealWithdrawn():
                found += [_cancelled(armed, "undone") for armed in state.automation.armed.values()]
            case e.DealRestored():
                found += _again(state, "undone", times)
            case e.LeadMerged():
                found += [_cancelled(armed, "merged") for armed in state.automation.armed.values()]
            case e.LeadPaused() if state.kind == "postponed":
                found += _pause(state, event, times)
            case e.MeetingHeld():
                found += _result_recorded(state)
            case e.RobotRan() | e.EffectDone():
                found += chains.comes_again(state, event, pipeline, times)
                if isinstance(event, e.EffectDone) or event.effect is None:
                    found += chains.followers(state, event, pipeline, times)
            case e.RobotSkipped() | e.RobotFailed() | e.EffectFailed() | e.RobotCancelled(by="by_hand"):
                found += chains.comes_again(state, event, pipeline, times)
                found += chains.without_predecessor(state, event, pipeline, times)
    return tuple(found)


@cache
def _moves_robots(kind: type[e.Event]) -> bool:
    """Whether anything follows for robots from such an event. Kept by type: a `match` asks a model in vain a microsecond for
    each case, and most events of most leads move no robot."""
    return issubclass(kind, _MOVING)


def entry(state: LeadState, robots: Iterable[Robot], times: Times, **how: Any) -> Iterator[e.Event]:
    """Arm those of a stage's robots that follow nobody. `how`: `because` and `at`, where it is no entry."""
    for robot in robots:
        if robot.start.after is not None or had(state, robot):
            continue
        because, begin = how.get("because", "entry"), how.get("at") or state.entered_at or times.now
        due_at = instant(robot, begin, state, times)
        if due_at is not None:
            why = "date" if robot.start.date and because == "entry" else because
            yield arm(state, robot.id, due_at, why, calendar=counted_in(robot, times))


def _cancelled(armed: Armed, by: Any) -> e.RobotCancelled:
    return e.RobotCancelled(robot=armed.robot, timer=armed.timer, visit=armed.visit, by=by)


# --- a change of stage -----------------------------------------------------------------------------------------------------


def _on_change_of_stage(
    state: LeadState, entered: e.StageEntered, pipeline: Pipeline, times: Times
) -> Iterator[e.Event]:
    if entered.cause == "adopted":
        return  # LeadAdopted came before it, and said what goes on
    if entered.cause == "unmerged":
        yield from _again(state, "merged", times, past=False)
        return
    if entered.undoes is not None:
        yield from _mistaken(state, entered.undoes)
        yield from _again(state, "left_stage", times)
        return
    yield from _left(state, pipeline, times)
    here = pipeline.by_id.get(state.stage)
    if here is not None and here.robots:
        yield from entry(state, here.robots, times)


def _left(state: LeadState, pipeline: Pipeline, times: Times) -> Iterator[e.Event]:
    """R6: what becomes of the robots of the stages left, and of what they planned (N6)."""
    for armed in state.automation.armed.values():
        if armed.visit == state.root or of_the_lead(armed.robot):
            continue
        policy = _policy(pipeline, armed.robot)
        if policy == "cancel":
            yield _cancelled(armed, "left_stage")
        elif policy == "run_now" and armed.due_at > times.now:
            yield _cancelled(armed, "left_stage")
            calendar = counted_in(pipeline.robots_by_id[armed.robot][1], times)
            yield arm(
                state,
                armed.robot,
                times.now,
                "left_stage",
                calendar=calendar,
                visit=armed.visit,
                replaces=armed.timer,
            )
    for activity, planned in state.activities.items():
        of_left = planned.robot is not None and planned.visit is not None and planned.visit != state.root
        if of_left and planned.done_at is None and _policy(pipeline, planned.robot or "") == "cancel":
            yield e.ActivityClosed(activity=activity, activity_kind=planned.kind, reason="left_stage")


def _policy(pipeline: Pipeline, robot: str) -> str:
    found = pipeline.robots_by_id.get(robot)
    return found[1].on_leave if found is not None else "cancel"


def _mistaken(state: LeadState, visit: int) -> Iterator[e.Event]:
    """N12: the robots of a stage visit that was a mistake wait no more; what they planned is not needed."""
    for armed in state.automation.armed.values():
        if armed.visit == visit and not of_the_lead(armed.robot):
            yield _cancelled(armed, "undone")
    for activity, planned in state.activities.items():
        if planned.visit == visit and planned.robot is not None and planned.done_at is None:
            yield e.ActivityClosed(activity=activity, activity_kind=planned.kind, reason="undone")


def _again(state: LeadState, by: str, times: Times, *, past: bool = True) -> Iterator[e.Event]:
    """Robots of the stage visit that goes on, cancelled by what is taken back now: they wait again for the same instant."""
    for (visit, robot), settled in state.automation.settled.items():
        if of_the_lead(robot) or robot.endswith(WARNING):
            continue  # a deadline's warning comes with its turn, where that is set again
        taken_back = settled.how == "cancelled" and settled.by == by and not state.automation.waits(visit, robot)
        if visit == state.root and taken_back and (past or settled.due_at > times.now):
            yield arm(
                state, robot, settled.due_at, "undone", calendar=None, after=settled.after, replaces=settled.timer
            )


def _under_another_version(state: LeadState, pipeline: Pipeline) -> Iterator[e.Event]:
    """M3: what waits goes on waiting where the version has the robot still; nothing new is armed."""
    for armed in state.automation.armed.values():
        known = armed.robot.removesuffix(WARNING)
        gone = known not in BUILT_IN and known not in (pipeline.robots_by_id | pipeline.deadlines_by_id)
        if gone and not of_the_lead(armed.robot):
            yield _cancelled(armed, "adopted")


# --- dates -----------------------------------------------------------------------------------------------------------------


def _pause(state: LeadState, paused: e.LeadPaused, times: Times) -> Iterator[e.Event]:
    """S3: on its date the lead comes back by itself: in the morning of that day, or of the next working day (C2)."""
    due_at = _return_at(paused.until, times)
    waiting = [a for a in state.automation.armed.values() if (a.visit, a.robot) == (state.root, PAUSE)]
    if any(armed.due_at == due_at for armed in waiting):
        return
    yield from (_cancelled(armed, "retimed") for armed in waiting)
    replaces = waiting[0].timer if waiting else None
    yield arm(state, PAUSE, due_at, "pause", calendar=times.name, replaces=replaces)


def _return_at(day: date, times: Times) -> datetime:
    """When a pause until a day is over."""
    return in_hours(times, times.calendar.instant(day, time(0)))


def _retimed(
    state: LeadState, written: AbstractSet[str], pipeline: Pipeline, times: Times, just: Sequence[e.Event]
) -> Iterator[e.Event]:
    """N6: a date on the card was written: the robots that go by it wait for the new instant, or for none.

    Where the lead came to its stage in the same act, the entry arms the robots of that stage, by the card as it is now, and the
    policies of those of the stage it left say whether they wait at all.
    """
    entered = any(isinstance(event, e.StageEntered) for event in just)
    for stage in pipeline.stages:
        for robot in stage.robots:
            if robot.start.date is None or written.isdisjoint((robot.start.date, robot.start.time)):
                continue
            waiting = [a for a in state.automation.armed.values() if a.robot == robot.id]
            if robot.retime and (not entered or robot.on_leave == "keep"):
                for armed in waiting:
                    yield from _waits_anew(state, robot, armed, times)
            visit = None if entered or waiting else _waits_for_date(state, stage, robot)
            due_at = instant(robot, state.entered_at or times.now, state, times) if visit is not None else None
            if due_at is not None:
                yield arm(state, robot.id, due_at, "date", calendar=counted_in(robot, times), visit=visit)


def _waits_for_date(state: LeadState, stage: Stage, robot: Robot) -> int | None:
    """The stage visit in which a robot waits for a date to be written: the one the lead is in, or, of a robot that is kept, the
    last one in which its date was taken off the card."""
    if stage.id == state.stage and not had(state, robot):
        return state.root
    if robot.on_leave != "keep" or not robot.retime:
        return None
    last = max((visit for visit, name in state.automation.settled if name == robot.id), default=state.root)
    return last if last != state.root and lost_its_date(state, robot, last) else None


def _waits_anew(state: LeadState, robot: Robot, armed: Armed, times: Times) -> Iterator[e.Event]:
    if armed.because == "left_stage":
        return  # it runs now because the lead left, whatever the date
    due_at = instant(robot, state.entered_at or times.now, state, times)
    if due_at == armed.due_at:
        return
    yield _cancelled(armed, "retimed")
    if due_at is not None:
        calendar = counted_in(robot, times)
        yield arm(state, robot.id, due_at, "retimed", calendar=calendar, visit=armed.visit, replaces=armed.timer)


def _result_recorded(state: LeadState) -> Iterator[e.Event]:
    """P9: the result is there: it is asked for no more."""
    for activity, planned in state.activities.items():
        if planned.robot == MEETING and planned.done_at is None:
            yield e.ActivityDone(activity=activity, activity_kind=planned.kind, reason="recorded")


def restart(
    state: LeadState, pipeline: Pipeline, times: Times, at: datetime, only: str | None, *, fresh: bool = False
) -> tuple[e.Event, ...]:
    """N5: the robots of the stage where the lead stands, as if it had entered it at `at`: those that it has not had.

    A pause without a waiting timer gets one. `fresh`: none that ever waited in this stage visit, whatever became of it.
    """
    here = pipeline.by_id.get(state.stage)
    waited = {robot for visit, robot in state.automation.armings if visit == state.root} if fresh else set()
    found: list[e.Event] = []
    if here is not None:
        robots = [robot for robot in here.robots if only in (None, robot.id) and robot.id not in waited]
        found += entry(state, robots, times, because="started", at=at)
        begun = {armed.robot for armed in found if isinstance(armed, e.RobotArmed)}
        found += chains.catching_up(state, [r for r in robots if r.start.after not in begun], times, at)
    paused = state.kind == "postponed" and only in (None, PAUSE) and PAUSE not in waited
    if paused and state.paused_until is not None and not state.automation.waits(state.root, PAUSE):
        begins = max(_return_at(state.paused_until, times), at)
        found.append(arm(state, PAUSE, begins, "started", calendar=times.name))
    return tuple(found)
