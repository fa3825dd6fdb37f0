"""Our recorder under the `eventsourcing` library's own recorder test case (decision 1): conflicts, atomicity, order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from eventsourcing.persistence import AggregateRecorder, IntegrityError, StoredEvent
from eventsourcing.tests.persistence import AggregateRecorderTestCase

from contracts.meta import Stored, digest_of
from services.database import Pool
from services.eventlog.recording import store as recording

LIMIT = 60.0
SHIFT = 1
"""The library's versions may begin at 0, ours begin at 1."""


class OurRecorder(AggregateRecorder):
    """The library's interface over our store, for its test case only."""

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool, self._loop = pool, loop

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> None:
        asyncio.run_coroutine_threadsafe(self._insert(stored_events), self._loop).result(LIMIT)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        assert isinstance(originator_id, UUID)
        loading = recording_load(self._pool, originator_id)
        events = asyncio.run_coroutine_threadsafe(loading, self._loop).result(LIMIT)
        found = [
            StoredEvent(UUID(str(e.stream)), e.version - SHIFT, e.topic, e.state)
            for e in events
            if (gt is None or e.version - SHIFT > gt) and (lte is None or e.version - SHIFT <= lte)
        ]
        return (found[::-1] if desc else found)[:limit]

    async def _insert(self, events: Sequence[StoredEvent]) -> None:
        rows = [
            Stored(
                UUID(str(e.originator_id)),
                e.originator_version + SHIFT,
                e.topic,
                "lead",
                e.state,
                datetime.now(UTC),
                digest_of(b"", e.state),
            )
            for e in events
        ]
        try:
            async with self._pool.acquire() as database, database.transaction():
                await recording.append(database, rows)
        except asyncpg.UniqueViolationError as error:
            raise IntegrityError(error) from error


async def recording_load(pool: Pool, stream: UUID) -> list[Stored]:
    """A stream's events."""
    async with pool.acquire() as database:
        return await recording.load(database, [(stream, 0)])


async def test_K1_our_recorder_passes_the_librarys_test_case(pool: Pool) -> None:
    loop = asyncio.get_running_loop()

    class Case(AggregateRecorderTestCase):
        INITIAL_VERSION = 1

        def create_recorder(self) -> AggregateRecorder:
            return OurRecorder(pool, loop)

        def new_originator_id(self) -> UUID:
            return uuid4()

    await asyncio.to_thread(Case("test_insert_and_select").test_insert_and_select)
