"""Takes rows from the outbox: each once, and no version of a stream before an earlier one.

Row numbers are given before a transaction commits, so a number may show up after higher ones. Invariants: a stream is
written by one transaction at a time, so where a version can be seen, the ones before it can be; they lie below the floor only
in a gap. So each poll takes what is above the floor, then looks into the gaps, and hands both out in the order of their
numbers. A gap is forgotten only when every transaction that could have left it is over and it is empty still. A sweep
from zero, at most each second, proves that nothing was overlooked.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from services.eventlog.relay import store
from services.eventlog.relay.lock import ShardConnection

SWEEP_SECONDS: Final = 1.0
SWEEP_SHARE: Final = 100
"""A sweep that took long (dead rows that a transaction held open keeps) is repeated no sooner than this many times its length."""
SMALLEST, LARGEST, CHUNK_BYTES = 100, 2_000, 8 * 1024 * 1024

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Gap:
    """Numbers not seen, both ends included. `writers`: transactions that may still fill it; None: not asked yet."""

    low: int
    high: int
    writers: frozenset[str] | None = None


class OutboxReader:
    """What was taken from the outbox and is still there. `known`: rows found on the topics at the start, not to be sent."""

    def __init__(self, shard: ShardConnection, known: Iterable[int]) -> None:
        self._shard = shard
        self._known = set(known)
        self._taken: set[int] = set(self._known)
        self._floor = 0
        self._gaps: list[Gap] = []
        self._limit = 500
        self._swept = float("-inf")
        self._sweep_every = SWEEP_SECONDS

    async def poll(self) -> tuple[list[Any], bool]:
        """New rows in the order they are to go out, and whether more are waiting."""
        shard, gaps = self._shard, list(self._gaps)
        rows = await store.poll(shard.database, self._floor, shard.topics, self._limit)
        more = len(rows) >= self._limit
        if rows:
            self._note_gaps([row[0] for row in rows])
            self._fit_limit(rows)
        if gaps:  # after the poll: what a row seen above depends on can be seen now
            rows = await self._look_into(gaps) + rows
        return self._new(rows), more

    async def sweep(self) -> list[Any]:
        """When it is time: forget gaps that will stay empty, and look from zero for rows that were overlooked."""
        began = time.monotonic()
        if began - self._swept < self._sweep_every:
            return []
        late: list[Any] = []
        database, topics = self._shard.database, self._shard.topics
        if self._gaps:
            alive = await store.writers(database)
            gaps = list(self._gaps)
            late = self._new(await self._look_into(gaps))
            self._gaps = [gap for gap in self._gaps if _may_fill(gap, alive)]
        overlooked = set(await store.numbers(database, self._floor, topics)) - self._taken
        if overlooked:
            late += self._new(await store.in_ranges(database, [(n, n) for n in sorted(overlooked)], topics))
        self._swept = time.monotonic()
        self._sweep_every = max(SWEEP_SECONDS, SWEEP_SHARE * (self._swept - began))
        return late

    def forget(self, numbers: Iterable[int]) -> None:
        """These rows are deleted."""
        self._taken.difference_update(numbers)
        self._known.difference_update(numbers)

    def _new(self, rows: list[Any]) -> list[Any]:
        new = [row for row in rows if row[0] not in self._taken]
        self._taken.update(row[0] for row in new)
        return new

    def _note_gaps(self, numbers: Sequence[int]) -> None:
        before = self._floor
        for n in numbers:
            if n > before + 1:
                self._gaps.append(Gap(before + 1, n - 1))
            before = n
        self._floor = before

    async def _look_into(self, gaps: list[Gap]) -> list[Any]:
        ranges = [(gap.low, gap.high) for gap in gaps]
        rows = await store.in_ranges(self._shard.database, ranges, self._shard.topics)
        if rows:
            self._split({row[0] for row in rows})
        return rows

    def _split(self, seen: set[int]) -> None:
        """Take the numbers seen out of the gaps."""
        left: list[Gap] = []
        ordered = sorted(seen)
        for gap in self._gaps:
            low = gap.low
            for n in ordered:
                if low <= n <= gap.high:
                    if n > low:
                        left.append(Gap(low, n - 1, gap.writers))
                    low = n + 1
            if low <= gap.high:
                left.append(Gap(low, gap.high, gap.writers))
        self._gaps = left

    def _fit_limit(self, rows: list[Any]) -> None:
        """So many rows a poll that their bytes stay bounded, growing at most twofold."""
        size = sum(len(row[4] or row[5] or b"") for row in rows) // len(rows) + 1
        self._limit = max(SMALLEST, min(LARGEST, self._limit * 2, CHUNK_BYTES // size))


def _may_fill(gap: Gap, alive: frozenset[str]) -> bool:
    """Whether a transaction that was at work when the gap was first looked at still is. `alive` is older than the last look."""
    if gap.writers is None:
        gap.writers = alive
    return bool(gap.writers & alive)
