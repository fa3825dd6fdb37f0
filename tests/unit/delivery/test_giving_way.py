"""N7: while events are read in bulk, carrying out gives way to reading."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

from services.clock import SystemClock
from services.delivery import handlers
from services.delivery.handlers import MANY, Ledger
from services.delivery.worker import GIVE_WAY, Worker
from services.eventlog.consuming import Batch, RawRecord
from services.health import Health

CALL = 0.01


class Calling(Worker):
    """A worker whose rounds take `CALL` and note when they began."""

    def __init__(self, gives_way: bool, rounds: int) -> None:
        way: Any = SimpleNamespace(provider="smtp", call_seconds=1.0)
        nothing: Any = None
        super().__init__(
            way, nothing, SystemClock(), b"", nothing, timedelta(), Health("test"), gives_way=lambda: gives_way
        )
        self.began: list[float] = []
        self.stop, self._rounds = asyncio.Event(), rounds

    async def _round(self, stop: asyncio.Event) -> float:
        self.began.append(time.monotonic())
        await asyncio.sleep(CALL)
        if len(self.began) == self._rounds:
            stop.set()
        return 0.0


async def test_N7_a_call_is_followed_by_a_rest_only_while_it_gives_way() -> None:
    for gives_way, least in ((True, 3 * CALL * (1 + GIVE_WAY)), (False, 3 * CALL)):
        worker = Calling(gives_way, rounds=4)
        await asyncio.wait_for(worker.run(worker.stop), 30)
        assert worker.began[-1] - worker.began[0] >= least * 0.99


class Read(Ledger):
    """A ledger that stores nothing."""

    async def _transact(self, *_: Any) -> None: ...


async def test_N7_reading_is_urgent_for_a_moment_after_a_large_batch(monkeypatch: Any) -> None:
    seconds = [100.0]
    monkeypatch.setattr(handlers, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    ledger = Read(cast(Any, None), SystemClock(), frozenset(), lambda: None)
    record = RawRecord("leads.events", 0, 0, None, None, (), 0)
    await ledger.handle(Batch([record] * (MANY - 1), []))
    assert not ledger.behind
    await ledger.handle(Batch([record] * MANY, []))
    assert ledger.behind
    seconds[0] += handlers.BEHIND_SECONDS
    assert not ledger.behind
