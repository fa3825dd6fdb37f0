"""When timers may be fired: once everything that stood on the topics at a start has been read (decision 8).

Invariants: a build that reads the log anew, or a process that was away, fires nothing that was closed long ago by an event it has
not read yet. The ends are noted at the start and whenever this process holds other partitions than before; the positions are
those in Postgres, so another instance's reading counts. Closed again by `renew`, never by new records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.database import Pool
from services.eventlog.consuming.log import Log
from services.eventlog.consuming.records import Slot
from services.robots import store


class Gate:
    """Asked before every firing."""

    def __init__(self, pool: Pool, log: Log, topics: Sequence[str], partitions: int) -> None:
        self._pool, self._log, self._topics = pool, log, topics
        self._slots = [Slot(topic, number) for topic in topics for number in range(partitions)]
        self._ends: dict[Slot, int] | None = None
        self._open = False

    def renew(self) -> None:
        """Note the ends anew, at the next question."""
        self._ends, self._open = None, False

    async def behind(self) -> int:
        """How many records are still to be read before timers may be fired; 0: they may. Raises KafkaError or one of `LOST`."""
        if self._open:
            return 0
        ends = self._ends
        if ends is None:
            _, ends = await self._log.bounds(self._slots)
            self._ends = ends
        left = await self._left(ends)
        if left == 0 and self._ends is ends:  # else it was renewed meanwhile
            self._open = True
        return left if self._open else max(left, 1)

    async def unread(self) -> int:
        """How many records stand on the topics now that are not read yet: the outcome of what was sent may be among them.
        Raises as `behind`."""
        _, ends = await self._log.bounds(self._slots)
        return await self._left(ends)

    async def _left(self, ends: Mapping[Slot, int]) -> int:
        async with self._pool.acquire() as database:
            read = await store.positions(database, self._topics)
        return sum(max(0, end - read.get(slot, 0)) for slot, end in ends.items())
