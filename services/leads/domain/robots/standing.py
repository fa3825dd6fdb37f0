"""How a lead's robots and effects stand: the fold of their events (`services.leads.domain.state` holds it as `automation`).

Pure; never fails on an event of a known type. Invariants: a timer is in `armed` from its `RobotArmed` until the event that closes
it; `settled` keeps, for each robot of a stage visit, how its last timer was closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from contracts import events as e
from contracts.meta import Meta
from contracts.personal import known

Place = tuple[int, str]
"""(stage visit, robot)"""
Closing = Literal["ran", "skipped", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Series:
    """Where a robot that comes again counts from: its first instant, and how often it came again at least."""

    first: datetime
    again: int = 0


@dataclass(frozen=True, slots=True)
class Armed:
    """A robot that waits for its instant. `visit`: of the stage it belongs to."""

    timer: UUID
    robot: str
    visit: int
    due_at: datetime
    because: str
    after: str | None = None
    series: Series | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a robot's last timer in a stage visit. `by`: what cancelled it."""

    how: Closing
    timer: UUID
    due_at: datetime
    by: str | None = None
    effect: UUID | None = None
    after: str | None = None
    series: Series | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """Something requested of the outside, and how it stands."""

    kind: e.EffectKind
    robot: str | None
    visit: int | None
    state: Literal["requested", "done", "failed"] = "requested"
    email: str | None = None
    phone: str | None = None
    template: str | None = None
    service: str | None = None
    audience: str | None = None
    action: str | None = None
    gave_up: bool = False
    """Failed only because no answer came, however often it was tried: it may be done all the same."""


GAVE_UP: Final = "gave_up"
"""How the reason of an effect begins that was tried until there was no more patience (`services.delivery.domain`)."""


@dataclass(frozen=True)
class Automation:
    """Robots that wait, how those before them ended, and what was requested of the outside."""

    armed: Mapping[UUID, Armed] = field(default_factory=dict)
    settled: Mapping[Place, Settled] = field(default_factory=dict)
    armings: Mapping[Place, int] = field(default_factory=dict)
    """How often each was armed."""
    effects: Mapping[UUID, Effect] = field(default_factory=dict)
    triggered: e.TriggerFired | None = None
    """The trigger that moved the lead last."""

    def waits(self, visit: int, robot: str) -> bool:
        """Whether the robot is armed in this stage visit."""
        return any(armed.visit == visit and armed.robot == robot for armed in self.armed.values())

    def had(self, visit: int, robot: str) -> bool:
        """Whether the robot waits or is over in this stage visit."""
        return self.waits(visit, robot) or self.is_over(visit, robot)

    def is_over(self, visit: int, robot: str) -> bool:
        """Whether the robot ran or was skipped in this visit: it runs once (N1). One that failed can be started again."""
        settled = self.settled.get((visit, robot))
        return settled is not None and settled.how in ("ran", "skipped")


NOTHING: Final = Automation()


REMINDER: Final = "activity.reminder"
"""Under which name reminders of activities wait; a dot cannot stand in a pipeline's ids."""


def of_the_lead(robot: str) -> bool:
    """Whether a timer belongs to the lead whatever its stage: its activity says when it waits, and when no more. A deadline's
    warning does not: it goes with its stage visit."""
    return robot == REMINDER


def _armed(now: Automation, _: Meta, data: e.RobotArmed) -> Automation:
    place = (data.visit, data.robot)
    before = now.settled.get(place)
    series = Series(data.due_at)
    if before is not None and before.series is not None and data.because in ("again", "undone"):
        series = Series(before.series.first, before.series.again + (data.because == "again"))
    armed = Armed(data.timer, data.robot, data.visit, data.due_at, data.because, data.after, series)
    return replace(
        now,
        armed={**now.armed, data.timer: armed},
        armings={**now.armings, place: now.armings.get(place, 0) + 1},
    )


def _closed(how: Closing) -> Callable[[Automation, Meta, Any], Automation]:
    def change(now: Automation, meta: Meta, data: Any) -> Automation:
        before = now.armed.get(data.timer)
        settled = Settled(
            how,
            data.timer,
            before.due_at if before is not None else meta.happened_at,
            getattr(data, "by", None),
            getattr(data, "effect", None),
            before.after if before is not None else None,
            before.series if before is not None else None,
        )
        return replace(
            now,
            armed={timer: armed for timer, armed in now.armed.items() if timer != data.timer},
            settled={**now.settled, (data.visit, data.robot): settled},
        )

    return change


def _requested(now: Automation, _: Meta, data: e.EffectRequested) -> Automation:
    effect = Effect(
        data.effect_kind,
        data.robot,
        data.visit,
        email=known(data.email),
        phone=known(data.phone),
        template=data.template,
        service=data.service,
        audience=data.audience,
        action=data.action,
    )
    return replace(now, effects={**now.effects, data.effect: effect})


def _effect(state: Literal["requested", "done", "failed"]) -> Callable[[Automation, Meta, Any], Automation]:
    def change(now: Automation, _: Meta, data: Any) -> Automation:
        effect = now.effects.get(data.effect)
        if effect is None:
            return now
        email, phone = known(getattr(data, "email", None)), known(getattr(data, "phone", None))
        gave_up = effect.gave_up or (isinstance(data, e.EffectFailed) and data.reason.startswith(GAVE_UP))
        changed = replace(
            effect, state=state, email=email or effect.email, phone=phone or effect.phone, gave_up=gave_up
        )
        return replace(now, effects={**now.effects, data.effect: changed})

    return change


CHANGES: Final[dict[type[e.Event], Callable[[Automation, Meta, Any], Automation]]] = {
    e.RobotArmed: _armed,
    e.RobotRan: _closed("ran"),
    e.RobotSkipped: _closed("skipped"),
    e.RobotCancelled: _closed("cancelled"),
    e.RobotFailed: _closed("failed"),
    e.EffectRequested: _requested,
    e.EffectDone: _effect("done"),
    e.EffectFailed: _effect("failed"),
    e.EffectRepeated: _effect("requested"),
    e.TriggerFired: lambda now, meta, data: replace(now, triggered=data),
}
"""What each event changes."""
