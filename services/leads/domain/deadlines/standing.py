"""How a lead's deadlines stand: the fold of their events (`services.leads.domain.state` holds it as `deadlines`).

Pure; never fails on an event of a known type. Invariants: a turn is in `open` from its `DeadlineSet` until the one event that
closes it; `turns` counts all that ever began; who had the lead from when on is kept, because a miss is judged by the due instant
also when it is decided later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from contracts import events as e
from contracts.meta import Meta

Place = tuple[int, str]
"""(stage visit, deadline)"""


@dataclass(frozen=True, slots=True)
class Given:
    """Somebody became responsible for the lead; nobody: it went to the pool."""

    at: datetime
    to: str | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A turn that was not needed any more, and why: what takes that away again sets it for the same instant."""

    turn: e.DeadlineSet
    by: str


@dataclass(frozen=True)
class Deadlines:
    """Turns that are open, and what became of those before them."""

    open: Mapping[UUID, e.DeadlineSet] = field(default_factory=dict)
    """By timer, in the order they began."""
    turns: Mapping[Place, int] = field(default_factory=dict)
    """How often each began."""
    dropped: Mapping[Place, Dropped] = field(default_factory=dict)
    """Of each the last turn, where it was dropped."""
    running: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """By deadline: who missed it last, and how often in a row (C4)."""
    missed: Mapping[UUID, datetime] = field(default_factory=dict)
    """By task that stood for a turn: the instant that was missed last (Q7)."""
    given: tuple[Given, ...] = ()
    """Who became responsible, in order."""

    def of(self, visit: int, deadline: str) -> e.DeadlineSet | None:
        """The open turn of a deadline in a stage visit."""
        return next((turn for turn in self.open.values() if (turn.visit, turn.deadline) == (visit, deadline)), None)

    def turn_of(self, activity: UUID) -> e.DeadlineSet | None:
        """The open turn that a task stands for."""
        return next((turn for turn in self.open.values() if turn.activity == activity), None)

    def had(self, visit: int, deadline: str) -> bool:
        """Whether the deadline began in this stage visit."""
        return (visit, deadline) in self.turns

    def holder(self, moment: datetime) -> Given | None:
        """Who was responsible at an instant, and since when; None: nobody."""
        return next((given for given in reversed(self.given) if given.at <= moment), None)


NOTHING: Final = Deadlines()


def given(now: Deadlines, meta: Meta, to: str | None) -> Deadlines:
    """The lead has another responsible, or none."""
    return replace(now, given=(*now.given, Given(meta.happened_at, to)))


def _set(now: Deadlines, _: Meta, data: e.DeadlineSet) -> Deadlines:
    place = (data.visit, data.deadline)
    return replace(
        now,
        open={**now.open, data.timer: data},
        turns={**now.turns, place: now.turns.get(place, 0) + 1},
        dropped={at: dropped for at, dropped in now.dropped.items() if at != place},
    )


def _closed(now: Deadlines, timer: UUID, **changes: Any) -> Deadlines:
    return replace(now, open={at: turn for at, turn in now.open.items() if at != timer}, **changes)


def _met(now: Deadlines, _: Meta, data: e.DeadlineMet) -> Deadlines:
    running = {deadline: run for deadline, run in now.running.items() if deadline != data.deadline}
    return _closed(now, data.timer, running=running)


def _missed(now: Deadlines, _: Meta, data: e.DeadlineMissed) -> Deadlines:
    running = {deadline: run for deadline, run in now.running.items() if deadline != data.deadline}
    if data.responsible is not None:
        running[data.deadline] = (data.responsible, data.running)
    missed = now.missed if data.activity is None else {**now.missed, data.activity: data.due_at}
    return _closed(now, data.timer, running=running, missed=missed)


def _dropped(now: Deadlines, _: Meta, data: e.DeadlineDropped) -> Deadlines:
    turn = now.open.get(data.timer)
    if turn is None:
        return now
    return _closed(now, data.timer, dropped={**now.dropped, (data.visit, data.deadline): Dropped(turn, data.by)})


CHANGES: Final[dict[type[e.Event], Callable[[Deadlines, Meta, Any], Deadlines]]] = {
    e.DeadlineSet: _set,
    e.DeadlineMet: _met,
    e.DeadlineAsked: lambda now, meta, data: _closed(now, data.timer),
    e.DeadlineMissed: _missed,
    e.DeadlineDropped: _dropped,
}
"""What each event changes."""
