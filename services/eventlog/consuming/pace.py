"""How soon a consumer asks for more: records that trickle in gather, so that they share the cost of a batch.

A batch costs some milliseconds whatever it holds: a fetch that names every partition, a transaction, its statements, on this
side, in the broker and in Postgres. While each record is taken as it comes, a machine is busy with batches of one long before
it has much to do, and whoever has real work waits for its turn.

Invariants: a record that comes after a rest waits for nothing; the next ones at most `gather` seconds after the batch before
them was fetched (aiokafka fetches the next while it waits, and no further one); after a batch of `LARGE` records, or of as
many as the consumer takes at once, nothing is waited for, so a backlog is worked off as fast as can be.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

GATHER_SECONDS: Final = 0.05
"""For those on whom somebody waits: the aggregate service, projections."""
LARGE: Final = 200
"""Records of a batch among which its own cost is nothing."""


class Pace:
    """The pace of one consumer, which takes `at_most` records at once. `monotonic` gives seconds; it is no business time."""

    def __init__(self, at_most: int, gather: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._large, self._gather = min(LARGE, at_most), gather
        self._monotonic = monotonic
        self._next = float("-inf")

    def came(self, records: int) -> None:
        """So many records were fetched."""
        self._next = self._monotonic() + self._gather if 0 < records < self._large else float("-inf")

    def left(self) -> float:
        """Seconds until more is to be asked for; 0: now."""
        return max(0.0, self._next - self._monotonic())
