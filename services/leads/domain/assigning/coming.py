"""What becomes of a lead in the pool, or one that nobody touched, when its instant has come (C4, N25). Pure.

Asked by `services.leads.domain.robots.firing`. Invariants: the timer is closed by exactly one event; a lead is taken from nobody
for whom there is nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from contracts import events as e
from services.leads.domain.assigning.waiting import IDLE, idle_of, touched
from services.leads.domain.robots.instants import arm, due

if TYPE_CHECKING:
    from services.leads.domain.robots.firing import Firing

NOBODY: Final = ("C4.somebody_to_assign",)


def look_in_pool(firing: Firing) -> Iterator[e.Event]:
    """Somebody may have it now, or it is looked at again."""
    state = firing.state
    if not (state.pooled and state.is_open):
        yield firing.cancelled("over")
        return
    decision = firing.around.choose(state, None)
    if decision.to is None:
        yield firing.skipped({"reason": "rules", "rules": NOBODY})
        return
    yield decision.assigned(None)
    yield firing.ran("assign_again")


def take_from_idle(firing: Firing) -> Iterator[e.Event]:
    """Nobody touched it for so long: it goes to somebody else. Touched meanwhile, it waits again, from then."""
    state, times = firing.state, firing.around.times
    idle = idle_of(state, firing.pipeline)
    if idle is None or not state.is_open or state.responsible is None:
        yield firing.cancelled("over")
        return
    at = due(times, touched(state), idle.within, state.responsible)
    if at > times.now:
        yield firing.cancelled("retimed")
        calendar = times.name if idle.within.working or idle.within.months else None
        yield arm(state, IDLE, at, "idle", calendar=calendar, replaces=firing.armed.timer)
        return
    decision = firing.around.choose(state, state.responsible)
    if decision.to is None:
        yield firing.skipped({"reason": "rules", "rules": NOBODY})
        return
    yield decision.assigned(state.responsible, "idle")
    yield firing.ran("assign_again")
