"""A clock that notices when it goes back, so that nothing waits for a moment that was only said by mistake (N1).

Invariant: the time it gives is the watched clock's own. Each process notices for itself; what it then does is harmless twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.clock import Clock

WENT_BACK: Final = timedelta(seconds=5)
"""More than a clock is put right by, little by little."""


class Watched:
    """A clock, and whether it went back since it was asked last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: datetime | None = None
        self._back = False

    async def now(self) -> datetime:
        """The moment it is, in UTC."""
        moment = await self._clock.now()
        if self._latest is not None and moment < self._latest - WENT_BACK:
            self._back = True
            self._latest = moment
        self._latest = moment if self._latest is None else max(moment, self._latest)
        return moment

    def went_back(self) -> bool:
        """Whether it did; asked once, it is forgotten."""
        back, self._back = self._back, False
        return back
