"""Response times of leads, added up: from arrival to seen, accepted and first contact (S2). Pure.

Plain time is what passed; working time is what of it lies in the hours of the team's calendar, whose version the caller names
beside the numbers. Invariants: a lead counts once in `leads` of its group, and once in a step it has reached; a step that is told
to have happened before the lead arrived took no time; what was not reached is counted (`waiting`), never estimated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from projections.response.arrival import STEPS, Arrival
from services.calendars.calendar import Calendar

By = Literal["source", "person", "hour", "channel"]
ALL: Final = ""
"""The key of the row that holds all leads."""


@dataclass(frozen=True, slots=True)
class Took:
    """How long a step took: leads that reached it, median and 90th percentile in seconds, plain and working; `waiting`: leads
    that have not reached it. Percentiles are None where no lead has."""

    reached: int
    waiting: int
    median: int | None
    p90: int | None
    working_median: int | None
    working_p90: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """A source, person, channel, or hour of arrival (`0` to `23`, the team's wall clock) with its leads. Of persons, `leads` and
    what waits are those whose first responsible they were, and a step is of whoever was responsible when it was taken; None:
    nobody was."""

    key: str | None
    leads: int
    steps: dict[str, Took]


def grouped(arrivals: Sequence[Arrival], calendar: Calendar, by: By | None = None) -> list[Group]:
    """The groups, those with most leads first; without `by` one for all leads."""
    groups: dict[str | None, list[Arrival]] = defaultdict(list)
    taken: dict[tuple[str | None, str], list[tuple[int, int]]] = defaultdict(list)
    waiting: dict[tuple[str | None, str], int] = defaultdict(int)
    for arrival in arrivals:
        own = _key(arrival, calendar, by)
        groups[own].append(arrival)
        for step in STEPS:
            at = arrival.at(step)
            if at is None:
                waiting[own, step] += 1
                continue
            key = arrival.responsible_at(step) if by == "person" else own
            groups[key]  # somebody may have taken a step of another's lead alone
            taken[key, step].append(_seconds(arrival.arrived_at, at, calendar))
    made = [
        Group(key, len(leads), {step: _took(taken[key, step], waiting[key, step]) for step in STEPS})
        for key, leads in groups.items()
    ]
    return sorted(made, key=lambda group: (-group.leads, group.key is None, group.key or ""))


def _key(arrival: Arrival, calendar: Calendar, by: By | None) -> str | None:
    if by == "hour":
        return str(calendar.local(arrival.arrived_at).hour)
    return {"source": arrival.source, "channel": arrival.channel, "person": arrival.assigned_to}.get(by or "", ALL)


def _seconds(begin: datetime, end: datetime, calendar: Calendar) -> tuple[int, int]:
    """Plain and working seconds between two instants."""
    plain = max(end - begin, timedelta())
    return int(plain.total_seconds()), int(calendar.working_between(begin, end).total_seconds())


def _took(seconds: Sequence[tuple[int, int]], waiting: int) -> Took:
    plain, working = sorted(s for s, _ in seconds), sorted(s for _, s in seconds)
    return Took(
        len(seconds), waiting, percentile(plain, 50), percentile(plain, 90), percentile(working, 50), percentile(working, 90)
    )  # fmt: skip


def percentile(ordered: Sequence[int], share: int) -> int | None:
    """The smallest value that so many in a hundred do not exceed; None of nothing."""
    return ordered[-(-len(ordered) * share // 100) - 1] if ordered else None
