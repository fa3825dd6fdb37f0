"""The timers made anew from the event store, compared with the live rows, put right where they differ (M8, decision 8).

Nothing is fired by it: it writes rows of timers, which the live service fires when they are due, as it would have. The events are
read as far as the live service has read each stream (`docs/decisions/0006`), so that rows can be compared in any snapshot, the
live service going on. Rows that differ are replaced stream by stream while the live service is held for a moment; what was sent
of a timer stays noted, since no event says it. Killed at any step it leaves each stream as it was or right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final
from uuid import UUID

from services.database import Database, Pool
from services.eventlog.consuming.reread import store as reread
from services.eventlog.consuming.reread.store import ReadEvent
from services.eventlog.mapper import peek
from services.robots.domain import TYPES, UNREADABLE, Armed, read
from services.robots.rebuilding import store
from services.robots.store import BUILD, CONSUMER, Robot, count_more, hold_alone

RANGE_EVENTS: Final = 50_000
STREAMS_AT_ONCE: Final = 200
"""Replaced while the live service waits: some milliseconds."""
NAMED: Final = 20
ROUNDS: Final = 5

Progress = Callable[[str, int, int | None], None]


@dataclass(slots=True)
class Found:
    """What the events say, against the rows there are."""

    events: int = 0
    timers: int = 0
    rows: int = 0
    differing: set[UUID] = field(default_factory=set)
    """Streams."""
    named: list[str] = field(default_factory=list)
    counts: dict[tuple[str, Robot], int] = field(default_factory=dict)
    """By column and robot: what must be added."""

    @property
    def equal(self) -> bool:
        """Whether every row and every count is as the events say."""
        return not self.differing and not self.counts

    def as_object(self) -> dict[str, Any]:
        """For programs."""
        return {
            "equal": self.equal,
            "events": self.events,
            "rows": {"live": self.rows, "new": self.timers},
            "streams_differing": len(self.differing),
            "counts_differing": len(self.counts),
            "named": self.named,
        }


class TimersDifferError(Exception):
    """The rows are not what the events say, and nobody said to put them right."""

    def __init__(self, found: Found) -> None:
        super().__init__(f"the timers of {len(found.differing)} streams and {len(found.counts)} counts differ")
        self.found = found


async def rebuild(
    pool: Pool, *, accept: bool, progress: Progress = lambda *_: None, range_events: int = RANGE_EVENTS
) -> Found:
    """Compare, and with `accept` put right; what was found first. Raises TimersDifferError without `accept`."""
    first = found = await _compare(pool, progress, range_events)
    if not found.equal and not accept:
        raise TimersDifferError(found)
    for _ in range(ROUNDS):
        if found.equal:
            return first
        if found.differing:
            await _replace(pool, found.differing, progress)
        else:  # from rows that are right the live service counts rightly: what is missing now is missing for good
            async with pool.acquire() as database, database.transaction():
                await count_more(database, found.counts)
        found = await _compare(pool, progress, range_events)
    raise TimersDifferError(found)


async def _compare(pool: Pool, progress: Progress, range_events: int) -> Found:
    """All in one snapshot."""
    found = Found()
    said: Counter[tuple[str, Robot]] = Counter()
    async with pool.acquire() as database, database.transaction(isolation="repeatable_read", readonly=True):
        async for begin, end in reread.ranges(database, range_events):
            events = _read(await reread.events_between(database, CONSUMER, BUILD, begin, end, TYPES))
            waiting = waiting_of(events, said)
            rows = await store.timers_between(database, begin, end)
            found.events, found.timers = found.events + len(events), found.timers + len(waiting)
            found.rows += len(rows)
            _differ(found, waiting, rows)
            progress("timers", found.timers, None)
        have = await store.counted(database)
    for key in sorted(have.keys() | said.keys()):
        if missing := said[key] - have.get(key, 0):
            found.counts[key] = missing
            column, (kind, pipeline, robot) = key
            if len(found.named) < NAMED:
                found.named.append(f"{pipeline}/{robot} ({kind}): {column} is {have.get(key, 0)}, not {said[key]}")
    return found


def _read(events: Iterable[ReadEvent]) -> list[ReadEvent]:
    """Those that the live service has read."""
    return [event for event in events if event.read]


def waiting_of(events: Iterable[ReadEvent], said: Counter[tuple[str, Robot]]) -> dict[UUID, Armed]:
    """Timers armed and not closed by these events; adds to `said` what was armed and closed, by robot."""
    waiting: dict[UUID, Armed] = {}
    ended: set[UUID] = set()
    for event in events:
        record = peek(event.state)
        try:
            what = read(event.type, record["meta"], record["data"])
        except UNREADABLE:
            continue  # the live service has parked it, and has not read it either
        if isinstance(what, Armed):
            if what.timer not in waiting and what.timer not in ended:
                waiting[what.timer] = what
                said[("armed", (what.kind, what.pipeline, what.robot))] += 1
        elif (armed := waiting.pop(what.timer, None)) is not None:
            ended.add(what.timer)
            said[(what.outcome, (armed.kind, armed.pipeline, armed.robot))] += 1
    return waiting


def _differ(found: Found, waiting: dict[UUID, Armed], rows: dict[UUID, Armed]) -> None:
    for timer in waiting.keys() | rows.keys():
        want, have = waiting.get(timer), rows.get(timer)
        if want == have:
            continue
        found.differing |= {one.stream for one in (want, have) if one is not None}
        one = want or have
        if one is not None and len(found.named) < NAMED:
            how = "differs" if want and have else "has no row" if want else "has a row, but is not armed"
            found.named.append(f"{one.stream}: robot {one.robot}: the timer {timer} {how}")


async def _replace(pool: Pool, streams: Iterable[UUID], progress: Progress) -> None:
    left, done = iter(sorted(streams)), 0
    while some := list(islice(left, STREAMS_AT_ONCE)):
        async with pool.acquire() as database, database.transaction():
            await hold_alone(database)
            await _replace_some(database, some)
        done += len(some)
        progress("streams put right", done, None)


async def _replace_some(database: Database, streams: list[UUID]) -> None:
    events = _read(await reread.events_of(database, CONSUMER, BUILD, streams, TYPES))
    await store.replace(database, streams, list(waiting_of(events, Counter()).values()))
