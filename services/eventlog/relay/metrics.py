"""What the relay counts, for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

PUBLISHED: Final = Counter("leadline_relay_published", "Records acknowledged by Kafka", ["topic"])
REPEATS: Final = Counter(
    "leadline_relay_repeats", "Records found on a topic more than once, with the same bytes", ["topic"]
)
STARTS: Final = Counter("leadline_relay_starts", "Runs of the start protocol")
LAG: Final = Gauge(
    "leadline_relay_lag_seconds", "Age of the oldest record taken from the outbox and not yet acknowledged"
)
WAITING: Final = Gauge("leadline_relay_waiting", "Records taken from the outbox and not yet acknowledged")
