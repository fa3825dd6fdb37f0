"""How long a busy consumer lets records gather before it asks Kafka for more.

A batch costs some milliseconds whatever it holds: a transaction, its statements, a fetch that names every partition. Where
records trickle in, each of them would pay that alone. So after records came, the next fetch is sent only once `gather` times
as long as a batch takes has passed, at most `LONGEST_SECONDS`: a trickle takes about one `gather`th of a consumer's time, and
what comes meanwhile shares the cost of one batch. On an overloaded machine batches take longer, more gather, each costs less.

Invariants: a record that comes after a pause waits for nothing (its fetch is at the broker already); after a batch of `LARGE`
records, or of as many as one takes, the next fetch is sent at once, so a backlog is worked off as fast as can be; nothing is
held back that was fetched.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter

BATCHES = Counter("leadline_consumer_batches", "Batches taken from Kafka.", ["consumer"])
FETCHED = Counter("leadline_consumer_fetched", "Records in them.", ["consumer"])

LARGE: Final = 500
"""Records of a batch among which its own cost is nothing."""
LONGEST_SECONDS: Final = 0.1
WEIGHT: Final = 0.3
"""Of the newest batch in what a batch takes."""


class Pace:
    """The pace of one consumer. `most`: records that it takes at once; `monotonic` gives seconds and is no business time."""

    def __init__(
        self, consumer: str, gather: float, most: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._consumer, self._gather, self._monotonic = consumer, gather, monotonic
        self._large = min(LARGE, most)
        self._takes = 0.0
        self._next = float("-inf")

    def came(self, records: int) -> None:
        """So many records were fetched."""
        if records:
            BATCHES.labels(self._consumer).inc()
            FETCHED.labels(self._consumer).inc(records)
        if records >= self._large:
            self._next = float("-inf")
        elif records:
            self._next = self._monotonic() + min(LONGEST_SECONDS, self._gather * self._takes)

    def took(self, seconds: float) -> None:
        """A batch took so long."""
        self._takes += WEIGHT * (min(seconds, LONGEST_SECONDS) - self._takes)

    def left(self) -> float:
        """Seconds until the next fetch is to be sent; 0: now."""
        return max(0.0, self._next - self._monotonic())
