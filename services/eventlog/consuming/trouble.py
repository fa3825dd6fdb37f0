"""Patience of a consumer: passing trouble is waited out with back-off, up to a minute; anything else ends it (decision 4).

Invariants: after `PATIENCE_SECONDS` without one success of the same kind of work, or at the first error that no other try
mends, `over` is set and `failure` holds the error, once; nothing here raises. Logs name the kind and place of an error, never
its text: a database's error quotes values.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from services.database import LOST
from services.eventlog.consuming.records import FencedError
from services.health import Health

PATIENCE_SECONDS = 60.0
FIRST_BACKOFF, LONGEST_BACKOFF = 0.05, 5.0  # seconds

TRANSIENT = (
    *LOST,
    KafkaError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
)
"""Errors that another try may be spared."""


class GroupStoppedError(Exception):
    """The consumer gave up after `PATIENCE_SECONDS` of trouble; its cause says which."""


class Trouble:
    """What goes wrong in one consumer, by what it was doing."""

    def __init__(self, health: Health, part: str, consumer: str, build: int) -> None:
        self.over = asyncio.Event()
        self.failure: BaseException | None = None
        self._health = health
        self._part = part
        self._say = structlog.get_logger("leadline.consuming").bind(consumer=consumer, build=build)
        self._since: dict[str, tuple[float, float, float]] = {}  # by work: first and last error at, next back-off

    async def guarded(self, what: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Do the work; True when it is done. Trouble is waited out, anything else stops the consumer."""
        try:
            await work()
        except (FencedError, *TRANSIENT) as error:
            await self.wait_out(what, error)
            return False
        except Exception as error:
            self.fail(error)
            return False
        self.well(what)
        return True

    def well(self, what: str, *, after: float = 0.0) -> None:
        """This work was done; counts only if its last error is at least `after` seconds ago."""
        if what in self._since and time.monotonic() - self._since[what][1] >= after:
            del self._since[what]

    async def wait_out(self, what: str, error: BaseException) -> None:
        """Wait a while after trouble with this work; past `PATIENCE_SECONDS` of it, give up."""
        now = time.monotonic()
        since, _, backoff = self._since.get(what, (now, now, FIRST_BACKOFF))
        if what not in self._since:
            self._say.warning("trouble", what=what, error=type(error).__name__, where=_where(error))
        if now - since > PATIENCE_SECONDS:
            failure = GroupStoppedError(f"{what}: trouble for {PATIENCE_SECONDS:.0f} s ({type(error).__name__})")
            failure.__cause__ = error
            self.fail(failure)
            return
        self._since[what] = (since, now, min(backoff * 2, LONGEST_BACKOFF))
        with suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), backoff)

    def fail(self, error: BaseException) -> None:
        """The consumer cannot go on."""
        if self.failure is None:
            self.failure = error
            self._say.error("stopped", error=type(error).__name__, where=_where(error))
            self._health.unready(self._part, f"stopped: {type(error).__name__}")
        self.over.set()


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
