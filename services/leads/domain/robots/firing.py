"""What becomes of a robot when its instant has come: it runs, or it does not, and why (R1, R6, C7, N1, N4).

`fire` answers a `fire` command of the robots service. Pure. Invariants: an armed robot that is due is closed by exactly one
event, whatever its condition, the client's refusals or the rules say; one that is closed is never run again; what a robot does to
the lead goes by the same rules as everyone's act (`services.leads.domain.rules`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid5

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.pipeline import Pipeline, Robot
from services.calendars.calendar import NoWorkingTimeError
from services.leads.domain.activities.following import REMINDER
from services.leads.domain.activities.reminding import remind
from services.leads.domain.assigning.coming import look_in_pool, take_from_idle
from services.leads.domain.assigning.waiting import IDLE, POOL
from services.leads.domain.criteria import held, values_of
from services.leads.domain.deadlines import coming
from services.leads.domain.decide import MOST_MOVES, decide
from services.leads.domain.robots import acting
from services.leads.domain.robots.acting import Around, Skip
from services.leads.domain.robots.arming import MEETING, PAUSE
from services.leads.domain.robots.instants import is_past
from services.leads.domain.robots.standing import Armed
from services.leads.domain.state import LeadState
from services.pipelines.conditions import failing
from services.pipelines.templates import TemplateError


def fire(state: LeadState, body: c.Fire, pipeline: Pipeline, around: Around) -> tuple[e.Event, ...] | Refusal:
    """The events of a robot's instant; or that it is over already, or not there yet: nothing has changed then."""
    armed = state.automation.armed.get(body.timer)
    if armed is None:
        return _deadline(state, body, pipeline, around)
    if armed.due_at > around.times.now:
        return _not_due(body.robot)
    firing = Firing(state, pipeline, around, armed)
    if state.erased:
        return (firing.cancelled("erased"),)
    if state.merged_into is not None:
        return (firing.cancelled("merged"),)
    try:
        return tuple(_BUILT_IN[armed.robot](firing) if armed.robot in _BUILT_IN else _run(firing))
    except (NoWorkingTimeError, TemplateError) as error:
        return firing.failed(str(error), getattr(error, "ru", str(error)))


def _deadline(state: LeadState, body: c.Fire, pipeline: Pipeline, around: Around) -> tuple[e.Event, ...] | Refusal:
    """The end of a turn of a deadline (Q4)."""
    turn = state.deadlines.open.get(body.timer)
    if turn is None:
        return _over(body.robot)
    if turn.due_at > around.times.now:
        return _not_due(body.robot)
    return tuple(coming.come(state, turn, around.circumstances(pipeline)))


@dataclass(frozen=True, slots=True)
class Firing:
    """A robot whose instant has come."""

    state: LeadState
    pipeline: Pipeline
    around: Around
    armed: Armed

    @property
    def of(self) -> dict[str, Any]:
        """What every event about it says."""
        return {"robot": self.armed.robot, "timer": self.armed.timer, "visit": self.armed.visit}

    def ran(self, did: Any, **more: Any) -> e.RobotRan:
        """It did what it is for."""
        late = self.around.times.now - self.armed.due_at
        return e.RobotRan(
            **self.of, did=did, due_at=self.armed.due_at, late_ms=max(0, int(late.total_seconds() * 1000)), **more
        )

    def skipped(self, why: Skip) -> e.RobotSkipped:
        """It did nothing, and why."""
        return e.RobotSkipped.model_validate({**self.of, **why})

    def cancelled(self, by: Any) -> e.RobotCancelled:
        """Its place was taken away."""
        return e.RobotCancelled(**self.of, by=by)

    def failed(self, reason: str, ru: str) -> tuple[e.Event, ...]:
        """It could not, and a person is told."""
        found = self.pipeline.robots_by_id.get(self.armed.robot)
        titles = found[1].titles if found is not None else None
        told = {"ru": f"Робот «{titles.ru if titles else self.armed.robot}» не смог: {ru}"}
        told["en"] = f"The robot “{titles.en if titles else self.armed.robot}” could not: {reason}"
        task = e.ActivityPlanned(
            activity=uuid5(self.armed.timer, "failed"),
            activity_kind="task",
            reason="robot_failed",
            text=told[self.around.language],
            robot=self.armed.robot,
            visit=self.armed.visit,
        )
        return e.RobotFailed(**self.of, reason=reason[:500], reason_ru=ru[:500]), task


def _run(firing: Firing) -> Iterator[e.Event]:
    state, around, armed = firing.state, firing.around, firing.armed
    found = firing.pipeline.robots_by_id.get(armed.robot)
    if found is None and coming.is_warning(armed.robot):
        around = firing.around
        yield from coming.warn(state, armed, firing.pipeline, around.times, around.language)
        return
    if found is None:
        yield firing.skipped({"reason": "removed"})
        return
    robot = found[1]
    why = _not_now(firing, robot)
    if why is not None:
        yield firing.skipped(why)
        return
    act = acting.ACTS[type(robot.do)](acting.Acting(state, firing.pipeline, robot, armed, around), robot.do)
    if isinstance(act, dict):
        yield firing.skipped(act)
        return
    yield from act.events
    yield firing.ran(robot.does, effect=act.effect, activity=act.activity)


def _not_now(firing: Firing, robot: Robot) -> Skip | None:
    """Why the robot does nothing this time."""
    state = firing.state
    if robot.once == "person" and robot.id in firing.around.ran_for_person:
        return {"reason": "once"}
    if is_past(robot, state, firing.around.times):
        return {"reason": "date_passed"}
    if robot.when is not None:
        fails = failing(robot.when, values_of(state, firing.pipeline))
        if fails is not None:
            return {"reason": "condition", "clause": fails[0], "values": fails[1]}
    if robot.does in ("move", "reject") and state.autodepth >= MOST_MOVES:
        return {"reason": "loop"}
    return acting.refused_contact(state, robot, firing.around)


def _come_back(firing: Firing) -> Iterator[e.Event]:
    """S3: the date of a pause has come: the lead goes back to the stage it left."""
    state = firing.state
    if state.kind != "postponed":
        yield firing.cancelled("left_stage")
        return
    command = acting.command_of(firing.armed, state, c.Reopen())
    decided = decide(state, command, firing.pipeline, firing.around.times.now, firing.around.surroundings)
    if isinstance(decided, Refusal):
        yield firing.skipped({"reason": "rules", "rules": decided.rules})
        yield e.ActivityPlanned(
            activity=uuid5(firing.armed.timer, "activity"),
            activity_kind="task",
            reason="robot",
            text=getattr(decided, firing.around.language),
            robot=PAUSE,
            visit=firing.armed.visit,
        )
        return
    yield from decided
    yield firing.ran("come_back")


def _result_owed(firing: Firing) -> Iterator[e.Event]:
    """P9: a working day after a meeting its result is asked for, and the head sees it where it is not there."""
    state = firing.state
    owed = [a for a, planned in state.activities.items() if planned.robot == MEETING and planned.done_at is None]
    if not owed or held(state, firing.pipeline, "meeting_held") is not None:
        yield firing.skipped(
            {"reason": "condition", "clause": "meeting_held", "values": {"facts.meeting_held": "true"}}
        )
        return
    activity = uuid5(firing.armed.timer, "told")
    yield e.ActivityPlanned(
        activity=activity,
        activity_kind="task",
        reason="robot",
        assignee=firing.around.head,
        text="Результат встречи не записан / The result of the meeting is not recorded",
        robot=MEETING,
        visit=firing.armed.visit,
    )
    yield firing.ran("notify_head", activity=activity)


_BUILT_IN: Final = {
    PAUSE: _come_back,
    MEETING: _result_owed,
    REMINDER: remind,
    IDLE: take_from_idle,
    POOL: look_in_pool,
}


def _over(robot: str) -> Refusal:
    return Refusal(
        rules=("N1.once_per_visit",),
        ru=f"Робот {robot} уже сработал, пропущен или отменён: повтор ничего не делает.",
        en=f"The robot {robot} ran, was skipped or was cancelled already: a repeat does nothing.",
    )


def _not_due(robot: str) -> Refusal:
    return Refusal(
        rules=("R1.not_due",),
        ru=f"Время робота {robot} ещё не пришло.",
        en=f"The instant of the robot {robot} has not come yet.",
    )
