"""What the robots service counts, for Prometheus. A robot's label is `pipeline/robot`; nothing personal is in one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from services.robots.domain import OUTCOMES
from services.robots.store import Backlog

SENT: Final = Counter("leadline_timers_sent", "Commands sent to fire timers", ["again"])
LATE: Final = Histogram(
    "leadline_timers_late_seconds",
    "From a timer's instant to its first command, acknowledged by Kafka",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300, 3600),
)
WAITING: Final = Gauge("leadline_timers_waiting", "Timers armed and not closed, by robot", ["robot"])
DUE: Final = Gauge("leadline_timers_due", "Timers that are due and not sent, by robot (N7)", ["robot"])
ON_THE_WAY: Final = Gauge("leadline_timers_on_the_way", "Timers sent, without outcome yet, by robot", ["robot"])
OLDEST: Final = Gauge("leadline_timers_oldest_due_seconds", "How long the oldest timer that is not sent has been due")
ARMED: Final = Gauge("leadline_timers_armed", "Timers armed since the beginning, by robot", ["robot"])
CLOSED: Final = Gauge("leadline_timers_closed", "Timers closed since the beginning, by robot", ["robot", "outcome"])


def show(backlog: Sequence[Backlog], now: datetime) -> None:
    """Set the gauges. armed = closed + waiting, for each robot."""
    oldest = [row.oldest_due_at for row in backlog if row.oldest_due_at is not None]
    OLDEST.set(max(0.0, (now - min(oldest)).total_seconds()) if oldest else 0.0)
    for row in backlog:
        robot = f"{row.pipeline}/{row.robot}" if row.kind == "lead" else f"{row.pipeline}/{row.robot} ({row.kind})"
        WAITING.labels(robot).set(row.waiting)
        DUE.labels(robot).set(row.due)
        ON_THE_WAY.labels(robot).set(row.sent)
        ARMED.labels(robot).set(row.armed)
        for outcome in OUTCOMES:
            CLOSED.labels(robot, outcome).set(getattr(row, outcome))
