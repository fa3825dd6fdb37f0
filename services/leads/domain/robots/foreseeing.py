"""What robots of a lead would do over a time, if nothing else happened to it (N5). Pure.

Invariants: every instant is decided by `fire` and every consequence by `follow`, as when it really comes; what is requested of
the outside is taken for done at once. Only the timers named, and what follows from them, come to their instants: what waited
before is not told.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.meta import ENVELOPE_VERSION, Actor, Meta
from contracts.pipeline import Pipeline
from services.leads.domain.robots import outward
from services.leads.domain.robots.acting import Around
from services.leads.domain.robots.firing import fire
from services.leads.domain.robots.following import Following, depth_of, follow
from services.leads.domain.robots.instants import Times
from services.leads.domain.robots.standing import Armed
from services.leads.domain.state import LeadState, evolve_lead

MOST: Final = 200
"""Instants of one lead that are looked at; a chain may be as long as it likes."""
DELIVERY: Final = Actor(id="delivery", kind="system")


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that would happen. `responsible`: whose lead it is then."""

    at: datetime
    event: e.Event
    responsible: str | None


@dataclass(slots=True)
class Foreseen:
    """What would happen, in its order. `cut`: the lead had more than `MOST` instants, the rest was not looked at."""

    happenings: list[Happening] = field(default_factory=list)
    cut: bool = False


def foresee(
    state: LeadState, timers: Collection[UUID], pipeline: Pipeline, around: Around, until: datetime
) -> Foreseen:
    """Let these armed robots come to their instants, and what follows from them, up to `until`."""
    return _Foreseeing(state, set(timers), pipeline, around).run(until)


@dataclass(slots=True)
class _Foreseeing:
    state: LeadState
    ours: set[UUID]
    pipeline: Pipeline
    around: Around
    found: Foreseen = field(default_factory=Foreseen)

    def run(self, until: datetime) -> Foreseen:
        for _ in range(MOST):
            armed = self._next(until)
            if armed is None:
                return self.found
            self._come(armed)
        self.found.cut = self._next(until) is not None
        return self.found

    def _next(self, until: datetime) -> Armed | None:
        due = [a for a in self.state.automation.armed.values() if a.timer in self.ours and a.due_at <= until]
        return min(due, key=lambda armed: (armed.due_at, armed.robot)) if due else None

    def _come(self, armed: Armed) -> None:
        now = max(self.around.times.now, armed.due_at)
        self.around = replace(self.around, times=Times(now, self.around.times.calendar))
        decided = fire(self.state, c.Fire(timer=armed.timer, robot=armed.robot), self.pipeline, self.around)
        assert not isinstance(decided, Refusal), "it waits, and its instant has come"
        self._happen(decided, Actor(id=armed.robot, kind="robot"))
        for effect in [event.effect for event in decided if isinstance(event, e.EffectRequested)]:
            done = c.Report(effect=effect, outcome="done", attempts=1)
            reported = outward.report(self.state, done, uuid5(effect, "done"), self.around.language)
            assert not isinstance(reported, Refusal), "it was requested just now"
            self._happen(reported, DELIVERY)

    def _happen(self, events: Sequence[e.Event], by: Actor) -> None:
        before, depth = self.state, depth_of(self.state, by, events)
        self._record(events, by, depth)
        now = Following(
            self.pipeline,
            self.around.times,
            lambda: self.around.surroundings,
            uuid5(before.lead, f"foreseen:{before.version}"),
            self._record,
        )
        follow(now, before, self.state, events, depth)

    def _record(self, events: Sequence[e.Event], by: Actor, depth: int) -> LeadState:
        for event in events:
            self.state = evolve_lead(self.state, self._meta(event, by, depth), event)
            self.found.happenings.append(Happening(self.around.times.now, event, self.state.responsible))
            if isinstance(event, e.RobotArmed):
                self.ours.add(event.timer)
        return self.state

    def _meta(self, event: e.Event, by: Actor, depth: int) -> Meta:
        state, now = self.state, self.around.times.now
        base: dict[str, Any] = {
            "envelope": ENVELOPE_VERSION,
            "stream": state.lead,
            "version": state.version + 1,
            "kind": "lead" if state.deal_of is None else "deal",
            "type": event.TOPIC,
            "schema_version": event.class_version,
            "happened_at": now,
            "recorded_at": now,
            "actor": by,
            "command": state.lead,
            "causation": None,
            "correlation": str(state.lead),
            "autodepth": depth,
            "pipeline": f"{state.pipeline}@{state.pipeline_number}",
            "person": state.contact,
            "traceparent": None,
        }
        return Meta.trusted(base)
