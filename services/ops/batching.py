"""A batcher of the command's own process, for work that comes in thousands (`docs/decisions/0005`).

Invariants: the advisory locks of a batch order it with the running services. The database away: waited for `TRIES` times,
then `AwayError`; what was committed stays, and the same work handed in again is known by its ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from contracts.commands import Command, CommandResult
from services.clock import Clock
from services.database import Pool
from services.leads.batcher import AwayError, Batcher
from services.leads.handlers import Reader
from services.leads.memory import Memory
from services.leads.work import Done, Work
from services.privacy.store import KeyRing
from services.settings import Settings

TRIES, BETWEEN_SECONDS = 5, 2.0

Take = Callable[[Sequence[Work]], Awaitable[list[Done]]]
Send = Callable[[Sequence[Command]], Awaitable[Sequence[CommandResult | None]]]


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


@asynccontextmanager
async def sending(settings: Settings, pool: Pool, clock: Clock) -> AsyncIterator[Send]:
    """Carries commands out in a batcher of this process; one that fails by itself (None) takes no other with it."""
    reader = Reader(settings, pool)
    async with batching(settings, pool, clock) as take:

        async def send(commands: Sequence[Command]) -> list[CommandResult | None]:
            answers = await asyncio.gather(*(take([reader.command(c)]) for c in commands), return_exceptions=True)
            results: list[CommandResult | None] = []
            for answer in answers:
                if isinstance(answer, AwayError) or (
                    isinstance(answer, BaseException) and not isinstance(answer, Exception)
                ):
                    raise answer
                results.append(None if isinstance(answer, BaseException) else answer[0].result)
            return results

        yield send
