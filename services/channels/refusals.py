"""Inbound requests that were refused at the door: counted by minute, channel, account and reason, without their bodies (N18).

A refused request was answered with its reason and is the sender's to repeat; that it happened must be seen, or an adapter that
is refused every time looks like a channel on which nobody writes. Invariants: an attacker cannot fill the disk: one row per
minute and key, at most `KEYS` keys a minute and process (further accounts are counted under none), rows go after `KEPT`. At
most one statement is on its way; what comes meanwhile is added up. With Postgres away the counts wait in memory and go with
the next refusal; a killed process loses those of the last moment.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from services.channels import store
from services.clock import Clock
from services.database import LOST, Pool

KEYS = 200
"""Different (channel, account, reason) of one minute that are told apart."""
MINUTES = 60
"""Minutes whose counts wait while Postgres is away; the oldest go first."""
KEPT = timedelta(days=90)

log = structlog.get_logger(__name__)

Key = tuple[datetime, str, str, str]


@dataclass
class Refusals:
    """Counts of one process."""

    pool: Pool
    clock: Clock
    _waiting: dict[Key, store.RefusedCount] = field(default_factory=dict)
    _writing: asyncio.Task[None] | None = None

    async def note(self, channel: str, account: str, reason: str, size: int) -> None:
        """Count one: `reason` is the code of the answer, `size` the bytes that came or were announced."""
        now = await self.clock.now()
        minute = now.replace(second=0, microsecond=0)
        key = (minute, channel, account, reason)
        if key not in self._waiting and sum(1 for known in self._waiting if known[0] == minute) >= KEYS:
            key = (minute, channel, "", reason)
        before = self._waiting.get(key)
        self._waiting[key] = store.RefusedCount(
            *key,
            requests=(before.requests if before else 0) + 1,
            largest=max(size, before.largest if before else 0),
            last_at=now,
        )
        self._forget_oldest()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="refused requests")

    async def settle(self) -> None:
        """Wait until what was counted so far is written, or could not be."""
        if self._writing is not None:
            await asyncio.wait({self._writing})

    async def _write(self) -> None:
        while self._waiting:
            rows, self._waiting = self._waiting, {}
            try:
                async with self.pool.acquire() as connection:
                    await store.count_refused(connection, list(rows.values()))
                    newest = max(row.last_at for row in rows.values())
                    await store.forget_refused(connection, newest - KEPT)
            except LOST as error:
                log.warning("refused requests not counted yet", error=type(error).__name__)
                self._put_back(rows)
                return

    def _put_back(self, rows: dict[Key, store.RefusedCount]) -> None:
        for key, row in rows.items():
            later = self._waiting.get(key)
            self._waiting[key] = row.with_(later) if later else row
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        minutes = sorted({key[0] for key in self._waiting})
        for minute in minutes[:-MINUTES]:
            self._waiting = {key: row for key, row in self._waiting.items() if key[0] != minute}
