"""The injected clock: the world's time, or a practice system's own (`leadline up --clock T`).

Invariants: every business time comes from here; a practice clock stands still until it is moved on, never goes back, and is
the same for all services, because it lives in one database row.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from services.database import Pool


class Clock(Protocol):
    """Where a service gets the time from."""

    async def now(self) -> datetime:
        """The moment it is, in UTC."""


class SystemClock:
    """The world's time."""

    async def now(self) -> datetime:
        """The moment it is, in UTC."""
        return datetime.now(UTC)


class PracticeClock:
    """The time in `leadline.clock`. `services.ops` moves it; everyone reads it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def now(self) -> datetime:
        """The moment the practice system is at, in UTC."""
        moment: datetime = await self._pool.fetchval(
            "SELECT practice_now FROM leadline.clock"
        )  # the one line of SQL here
        return moment


def clock_of(practice_start: datetime | None, pool: Pool) -> Clock:
    """The clock that the settings ask for (`settings.clock`)."""
    return SystemClock() if practice_start is None else PracticeClock(pool)
