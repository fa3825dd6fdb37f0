"""A batcher of the command's own process, for work that comes in thousands (`docs/decisions/0005`).

Invariants: the advisory locks of a batch order it with the running services. The database away: waited for `TRIES` times,
then `AwayError`; what was committed stays, and the same work handed in again is known by its ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from services.clock import Clock
from services.database import Pool
from services.leads.batcher import AwayError, Batcher
from services.leads.memory import Memory
from services.leads.work import Done, Work
from services.privacy.store import KeyRing
from services.settings import Settings

TRIES, BETWEEN_SECONDS = 5, 2.0

Take = Callable[[Sequence[Work]], Awaitable[list[Done]]]


@asynccontextmanager
async def batching(settings: Settings, pool: Pool, clock: Clock) -> AsyncIterator[Take]:
    """A batcher at work, and how to hand work to it."""
    batcher = Batcher(settings, pool, clock, Memory(KeyRing(settings.master_key_bytes)))
    working = asyncio.create_task(batcher.run(), name="batcher")

    async def take(work: Sequence[Work]) -> list[Done]:
        for attempt in range(TRIES):
            answer = asyncio.ensure_future(batcher.submit(work))
            await asyncio.wait({answer, working}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                answer.cancel()
                working.result()
                raise RuntimeError("the batcher ended by itself")
            try:
                return answer.result()
            except AwayError:
                if attempt == TRIES - 1:
                    raise
                await asyncio.sleep(BETWEEN_SECONDS)
        raise AssertionError("unreachable")

    try:
        yield take
    finally:
        batcher.close()
        await asyncio.wait({working}, timeout=settings.stop_within)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
