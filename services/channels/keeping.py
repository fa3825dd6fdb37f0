"""Messages that come at one time are stored at one time: one statement, one commit, one write to disk for all of them.

A message alone is stored at once; while a commit is under way those that come gather for the next. Invariants: each caller has
its answer only after the commit of its own message; a message that Postgres refuses is found by storing one at a time and
fails alone. Raises what storing raises: one of `services.database.LOST` where Postgres is away, to everyone who waited for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from services.channels import store
from services.channels.store import NewMessage
from services.database import LOST, Database, Pool

TOGETHER: Final = 64
"""The most messages of one statement (a form has up to 64 KB)."""
AT_ONCE: Final = 2
"""Statements under way: one is prepared while the other waits for the disk."""


@dataclass(slots=True)
class _Waiting:
    message: NewMessage
    kept: asyncio.Future[bool]


@dataclass(slots=True)
class Keeper:
    """Stores messages that have no blobs. One for each process."""

    pool: Pool
    _waiting: deque[_Waiting] = field(default_factory=deque)
    _at_work: set[asyncio.Task[None]] = field(default_factory=set)

    async def keep(self, message: NewMessage) -> tuple[UUID, bytes] | None:
        """Store a message. None: done; else id and body hash of the message that holds its idempotency key."""
        one = _Waiting(message, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if len(self._at_work) < AT_ONCE:
            task = asyncio.create_task(self._work(), name="keeping messages")
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)
        if await one.kept:
            return None
        async with self.pool.acquire() as connection:
            return await holder_of(connection, message)

    async def _work(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
            try:
                await self._store(taken)
            except BaseException as error:
                for one in taken:
                    if not one.kept.done():
                        one.kept.set_exception(error if isinstance(error, Exception) else ConnectionError("stopped"))
                if not isinstance(error, Exception):
                    raise

    async def _store(self, taken: list[_Waiting]) -> None:
        try:
            async with self.pool.acquire() as connection:
                kept = await store.keep(connection, [one.message for one in taken])
        except LOST:
            raise
        except Exception:
            if len(taken) == 1:
                raise
            for one in taken:
                try:
                    await self._store([one])
                except Exception as error:
                    if not one.kept.done():
                        one.kept.set_exception(error)
            return
        for one in taken:
            if not one.kept.done():  # its caller may have gone away
                one.kept.set_result(one.message.inbound_id in kept)


async def holder_of(connection: Database, message: NewMessage) -> tuple[UUID, bytes]:
    """Id and body hash of the message that holds this one's idempotency key, which was taken."""
    assert message.idempotency_key is not None, "only an idempotency key can be taken"
    earlier = await store.kept_under(connection, message.channel, message.account, message.idempotency_key)
    assert earlier is not None, "messages are never deleted"
    return earlier
