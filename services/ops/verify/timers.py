"""The robots' timers against the events (N1, N2; decision 8): armed once, closed at most once, what is open has a row.

A fold of its own, on plain values, of every stream as far as the robots service has read it. Invariants: the rows of
`leadline.timers` are exactly the timers that were armed and not closed; `leadline.timer_counts` counts what the events say; a
timer is armed once and closed at most once, after it was armed, a turn of a deadline as a robot; a robot runs once in a stage
visit (one that comes again: once at each instant); what a robot did outside was requested once, on the same stream, and by one
run alone. Differences name lead and robot, and hold nothing personal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.database import Database
from services.ops.verify import store
from services.ops.verify.opened import Opened
from services.ops.verify.report import Report
from services.ops.verify.store import TimerRow

OWN_FIELDS = frozenset({"timer", "visit"})
"""Of every robot's or deadline's event; one without them was altered, which the chain of digests tells."""
OF_DEADLINES = {
    "deadline_set": "armed",
    "deadline_missed": "ran",
    "deadline_met": "cancelled",
    "deadline_asked": "cancelled",
    "deadline_dropped": "cancelled",
}
"""A turn of a deadline is a timer: what its events do to it."""


@dataclass(slots=True)
class TimerCheck:
    """The check, range by range, and the counts of all ranges at the end."""

    report: Report
    counted: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """What the events say, by kind, pipeline, robot and what became of it (`armed` or an outcome)."""

    async def check(
        self, database: Database, begin: UUID, end: UUID, streams: Iterable[tuple[UUID, str, Sequence[Opened]]]
    ) -> None:
        """The timers of a range: (stream, its kind, its events)."""
        seen = await store.timers_seen(database, begin, end)
        there = await store.timers_between(database, begin, end)
        self.report.counts["timers waiting"] += len(there)
        for stream, kind, events in streams:
            if kind not in ("lead", "deal"):
                continue
            ours = [event for event in events if _is_ours(event)]
            self._once(stream, ours)
            self._effects(stream, events)
            known = [event for event in ours if event.version <= seen.get(stream, 0)]
            for timer, event in self._open(kind, known).items():
                self._row(stream, kind, event, there.pop(timer, None))
        for timer, row in there.items():
            text = f"robot {row.robot}: a row of a timer that no event armed, or that one has closed ({timer})"
            self.report.differ("timers", "unexpected", str(row.stream), text)

    def _once(self, stream: UUID, events: Sequence[Opened]) -> None:
        """All events of the stream, read by the service or not."""
        armed: set[str] = set()
        closed: dict[str, str] = {}
        ran: Counter[tuple[str, int, str]] = Counter()
        for event in events:
            what, robot, timer = _what(event), _name(event), event.data["timer"]
            self.report.counts[f"timers {what}"] += 1
            if what == "armed":
                if timer in armed:
                    self.report.differ("timers", "repeated", str(stream), f"robot {robot}: armed twice ({timer})")
                armed.add(timer)
                continue
            if timer not in armed:
                text = f"robot {robot}: {what}, but it was never armed ({timer})"
                self.report.differ("timers", "unexpected", str(stream), text)
            if timer in closed:
                text = f"robot {robot}: {what} after it was {closed[timer]} ({timer})"
                self.report.differ("timers", "repeated", str(stream), text)
            closed.setdefault(timer, what)
            if what == "ran" and "robot" in event.data:
                ran[(robot, event.data["visit"], event.data["due_at"])] += 1
        for (robot, visit, due_at), times in ran.items():
            if times > 1:
                self.report.differ(
                    "timers", "repeated", str(stream), f"robot {robot} ran {times} times in visit {visit} for {due_at}"
                )

    def _effects(self, stream: UUID, events: Sequence[Opened]) -> None:
        """What robots did outside."""
        requested = Counter(e.data["effect"] for e in events if e.type.endswith(".effect_requested"))
        named: dict[str, str] = {}
        for event in events:
            if not event.type.endswith(".robot_ran") or (effect := event.data.get("effect")) is None:
                continue
            robot = event.data["robot"]
            self.report.counts["effects of robots"] += 1
            if requested[effect] == 0:
                text = f"robot {robot}: it ran, but what it does outside was never requested ({effect})"
                self.report.differ("timers", "missing", str(stream), text)
            if effect in named:
                text = f"robot {robot}: its effect is that of another run, of {named[effect]} ({effect})"
                self.report.differ("timers", "repeated", str(stream), text)
            named[effect] = robot
        for effect, times in requested.items():
            if times > 1:
                robot = named.get(effect, "none")
                text = f"robot {robot}: the same effect was requested {times} times ({effect})"
                self.report.differ("timers", "repeated", str(stream), text)

    def _open(self, kind: str, events: Sequence[Opened]) -> dict[UUID, Opened]:
        """Timers armed and not closed by these events; counts all of them, each timer once."""
        waiting: dict[UUID, Opened] = {}
        ended: set[UUID] = set()
        for event in events:
            timer, what = UUID(event.data["timer"]), _what(event)
            if what == "armed":
                if timer not in waiting and timer not in ended:
                    waiting[timer] = event
                    self.counted[(*_robot(kind, event), "armed")] += 1
            elif (armed := waiting.pop(timer, None)) is not None:
                ended.add(timer)
                self.counted[(*_robot(kind, armed), what)] += 1
        return waiting

    def _row(self, stream: UUID, kind: str, event: Opened, row: TimerRow | None) -> None:
        robot = _name(event)
        if row is None:
            text = f"robot {robot}: armed and not closed, but there is no row ({event.data['timer']})"
            self.report.differ("timers", "missing", str(stream), text)
            return
        want: dict[str, Any] = {
            "stream": stream,
            "kind": kind,
            "pipeline": _robot(kind, event)[1],
            "robot": robot,
            "due_at": datetime.fromisoformat(event.data["due_at"]),
            "armed_version": event.version,
        }
        for column, value in want.items():
            if (have := getattr(row, column)) != value:
                text = f"robot {robot}: column {column} is {have}, the events say {value} ({event.data['timer']})"
                self.report.differ("timers", "differs", str(stream), text)

    async def finish(self, database: Database) -> None:
        """The counts, once all events are known."""
        have = await store.timer_counts(database)
        for key in sorted(have.keys() | self.counted.keys()):
            if have.get(key, 0) != self.counted[key]:
                kind, pipeline, robot, what = key
                text = f"{what}: counted {have.get(key, 0)}, the events say {self.counted[key]}"
                self.report.differ("timers", "differs", f"{pipeline}/{robot} ({kind})", text)


def _is_ours(event: Opened) -> bool:
    name = event.type.rpartition(".")[2]
    named = "robot" in event.data if name.startswith("robot_") else name in OF_DEADLINES and "deadline" in event.data
    return named and event.data.keys() >= OWN_FIELDS


def _what(event: Opened) -> str:
    name = event.type.rpartition(".")[2]
    return OF_DEADLINES.get(name) or name.removeprefix("robot_")


def _name(event: Opened) -> str:
    return str(event.data["robot"] if "robot" in event.data else event.data["deadline"])


def _robot(kind: str, event: Opened) -> tuple[str, str, str]:
    return kind, str(event.meta.get("pipeline") or "").rpartition("@")[0], _name(event)
