"""Records that a broker holds and gives to nobody, because they stand behind a transaction that nobody ends (K4, G-45).

Readers of what is committed wait for the end of the oldest open transaction of a partition. A broker ends by itself those that
are left open for long, after `transaction.max.timeout.ms` (15 minutes unless set) at the latest. One that is open longer is
hanging: its end was lost, nothing will come of waiting, and the lag of such readers shows nothing of it: their end is where they
stand.

Invariants: told once for each place in a partition where reading stands; nothing is read, ended or skipped here. A partition in
which the last stable offset moves is no trouble, however much stands behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from prometheus_client import Gauge

from services.eventlog.consuming.records import Slot

OPEN_SECONDS = 20 * 60.0
"""Longer than a broker lets a transaction last."""

WITHHELD = Gauge("leadline_consumer_withheld_records", "Records behind open transactions of adapters", ["consumer"])


class Ends(NamedTuple):
    """Offsets of a partition: of the first record that is not committed (`stable`), and after the last one there is (`last`)."""

    stable: int
    last: int


class Withheld:
    """What one consumer's partitions withhold from it. `monotonic` gives seconds; it is no business time."""

    def __init__(self, consumer: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._gauge = WITHHELD.labels(consumer)
        self._monotonic = monotonic
        self._since: dict[Slot, tuple[int, float]] = {}
        self._told: set[tuple[Slot, int]] = set()

    def look(self, ends: Mapping[Slot, Ends]) -> list[tuple[Slot, int]]:
        """Where these partitions stand now; those of which it is time to tell that nothing moves there, with the offset."""
        now, overdue = self._monotonic(), []
        behind = {slot: each for slot, each in ends.items() if each.stable < each.last}
        self._since = {slot: since for slot, since in self._since.items() if slot in behind}
        for slot, each in behind.items():
            stable, since = self._since.get(slot, (each.stable, now))
            if stable != each.stable:
                since = now
            self._since[slot] = (each.stable, since)
            if now - since >= OPEN_SECONDS and (slot, each.stable) not in self._told:
                overdue.append((slot, each.stable))
        self._gauge.set(sum(each.last - each.stable for each in behind.values()))
        return overdue

    def told(self, overdue: Iterable[tuple[Slot, int]]) -> None:
        """These have been told of."""
        self._told.update(overdue)
