"""How many messages one sender may bring in a time: a token bucket per token or peer (K5, 429).

Invariants: memory is bounded (`SENDERS` buckets, the least used go first, and a sender that comes back then has a full bucket);
nothing about senders is kept anywhere else. Time comes in, so that tests need not wait.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network

SENDERS = 10_000


class RateLimit:
    """`per_second` messages on the average, `burst` at once; `per_second` 0: no limit. `monotonic`: seconds."""

    def __init__(self, per_second: float, burst: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._monotonic = per_second, burst, monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, sender: str) -> int:
        """Take one for this sender. 0: it may go on; else the seconds after which to come back."""
        if not self._per_second:
            return 0
        now = self._monotonic()
        left, at = self._buckets.get(sender, (float(self._burst), now))
        left = min(float(self._burst), left + (now - at) * self._per_second)
        wait = 0 if left >= 1 else max(1, math.ceil((1 - left) / self._per_second))
        self._buckets[sender] = (left if wait else left - 1, now)
        self._buckets.move_to_end(sender)
        while len(self._buckets) > SENDERS:
            self._buckets.popitem(last=False)
        return wait


def peer_of(host: str | None) -> str:
    """The peer as limits see it: an IPv4 address, or the /64 network of an IPv6 one, which is one household or server."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return "unknown"
    return str(address) if address.version == 4 else str(ip_network(f"{address}/64", strict=False))
