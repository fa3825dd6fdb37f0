"""What a process remembers of the store between batches: heads of streams, keys, versions of pipelines.

Invariants: only committed events enter (`LeadBatch.settle`); later events may exist, and are loaded by each batch. In doubt all
of it is dropped, but only while no batch is at work: each holds on to what it loaded.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from services.leads.domain.company import CompanyState
from services.leads.domain.contact import ContactState
from services.leads.domain.journal.state import JournalState
from services.leads.domain.state import LeadState
from services.pipelines import registry
from services.privacy.store import KeyRing

CACHED_STREAMS = 20_000


State = LeadState | ContactState | CompanyState | JournalState


class Head(NamedTuple):
    """Where a stream ends: version and digest, and the state there."""

    version: int
    digest: bytes
    state: State | None


class StateCache:
    """Heads of streams, of committed events only; the least used ones go first. A lost connection clears it."""

    def __init__(self, size: int = CACHED_STREAMS) -> None:
        self._heads: OrderedDict[UUID, Head] = OrderedDict()
        self._size = size

    def get(self, stream: UUID) -> Head | None:
        """The head known of a stream; later events may exist."""
        head = self._heads.get(stream)
        if head is not None:
            self._heads.move_to_end(stream)
        return head

    def put(self, heads: Iterable[tuple[UUID, Head]]) -> None:
        """Remember heads after their commit."""
        for stream, head in heads:
            held = self._heads.get(stream)
            if held is None or held.version <= head.version:  # a later batch may have been quicker to say so
                self._heads[stream] = head
            self._heads.move_to_end(stream)
        while len(self._heads) > self._size:
            self._heads.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        self._heads.clear()


@dataclass(slots=True)
class Memory:
    """What a process remembers of the store between batches. In doubt it is dropped, but only while no batch is at work."""

    ring: KeyRing
    cache: StateCache = field(default_factory=StateCache)
    doubted: bool = False
    _at_work: int = 0
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)

    def doubt(self) -> None:
        """The store may be another than the one remembered: a new connection, a lost one, a conflict."""
        self.doubted = True

    @asynccontextmanager
    async def use(self) -> AsyncIterator[None]:
        """For the time of a batch, entered with its connection in hand. In doubt: first wait for the batches at work (each
        statement of theirs has a limit), then drop everything."""
        while self.doubted and self._at_work:
            self._quiet.clear()
            await self._quiet.wait()
        if self.doubted:
            self.cache.clear()
            self.ring.clear()
            registry.forget()  # an older copy gives the number of a version anew, to another text
            self.doubted = False
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._quiet.set()
