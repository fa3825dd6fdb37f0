"""What an import or a publication would do, without doing it (`--dry-run`): steps 3 to 5 of a batch on a store that is only read.

Invariants: the transaction is READ ONLY, so Postgres itself holds that nothing is written; no lead is locked, so nobody waits.
Each piece of work sees what those before it would have done: what was decided is remembered here, about a kilobyte for each lead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.pipeline import Pipeline
from services.database import Database, Pool
from services.leads.batch import LeadBatch
from services.leads.domain.arrivals import Owner
from services.leads.domain.state import LeadState
from services.leads.imports.store import RowAnswer
from services.leads.looking_up import look_up
from services.leads.memory import Head, StateCache
from services.leads.work import CommandWork, Done, Work
from services.privacy.cipher import new_key
from services.privacy.store import KeyRing
from services.settings import Settings


class _Keys(dict[UUID, AESGCM | None]):
    """Keys of the store, and a throwaway one for whoever would be new: what it seals is seen by nobody."""

    def __missing__(self, key_id: UUID) -> AESGCM:
        return _THROWAWAY


class _Ring(KeyRing):
    """Makes no keys."""

    def make(self, key_id: UUID) -> tuple[AESGCM, bytes]:
        """The throwaway one."""
        return _THROWAWAY, b""


_THROWAWAY = AESGCM(new_key())


class _Reading(LeadBatch):
    """A batch that takes no locks."""

    async def hold_streams(self, database: Database, streams: Iterable[UUID]) -> None:
        return

    async def lock_assignment(self, database: Database, number: int) -> None:
        return


@dataclass(slots=True)
class Rehearsal:
    """The work rehearsed so far, and what the store would hold after it. `unpublished`: versions that would be in force."""

    settings: Settings
    database: Database
    now: datetime
    ring: KeyRing
    unpublished: Mapping[tuple[str, int], Pipeline] = field(default_factory=dict)
    keys: _Keys = field(default_factory=_Keys)
    heads: dict[UUID, Head] = field(default_factory=dict)
    owners: dict[bytes, Owner] = field(default_factory=dict)
    open_leads: dict[tuple[UUID, str], UUID] = field(default_factory=dict)
    rows: dict[UUID, RowAnswer] = field(default_factory=dict)
    erased: set[UUID] = field(default_factory=set)
    given_up: Counter[str] = field(default_factory=Counter)
    """Robots that wait for a lead and that its next version no longer has: how many would wait no more."""
    before: dict[UUID, Head] = field(default_factory=dict)
    """The streams of the work taken last, as they were before it."""
    batch: LeadBatch | None = None
    """That work's batch, with what it knows after it."""

    def lead(self, lead: UUID) -> LeadState | None:
        """The lead as it would be, of those whose work was taken."""
        return self.batch.lead(lead) if self.batch is not None else None

    def forget(self) -> None:
        """Drop what was rehearsed: what is taken next does not build on it, and thousands of pieces fill no memory."""
        self.keys, self.heads, self.owners, self.open_leads, self.rows = _Keys(), {}, {}, {}, {}
        self.erased, self.before, self.batch = set(), {}, None

    async def take(self, work: Sequence[Work]) -> list[Done]:
        """What would become of this work, after all before it. Raises WorkFailedError where a piece would be kept aside."""
        batch = _Reading(
            self.settings,
            self.ring,
            StateCache(0),
            work,
            [],
            self.now,
            keys=self.keys,
            unpublished=self.unpublished,
        )
        await look_up(batch, self.database)
        # What was rehearsed stands above what the store says; whether a person has an open lead is asked when first met.
        for place, lead in batch.open_leads.items():
            if place[0] not in self.heads:
                self.open_leads[place] = lead
        for stream, head in batch.heads.items():
            self.heads.setdefault(stream, head)
        for hmac, owner in batch.owners.items():
            if owner.contact not in self.erased:
                self.owners.setdefault(hmac, owner)
        for row, answer in batch.rows.items():
            self.rows.setdefault(row, answer)
        self.before, self.batch = {stream: self.heads[stream] for stream in batch.heads}, batch
        batch.heads, batch.owners, batch.open_leads, batch.rows = self.heads, self.owners, self.open_leads, self.rows
        batch.erased = self.erased
        waiting = {
            piece.command.lead: known.state.automation.armed
            for piece in work
            if isinstance(piece, CommandWork)
            and (known := self.heads.get(piece.command.lead)) is not None
            and isinstance(known.state, LeadState)
        }
        await batch.decide(self.database)
        for stream, armed in waiting.items():
            after = self.heads[stream].state
            if isinstance(after, LeadState):
                settled = [after.automation.settled.get((one.visit, one.robot)) for one in armed.values()]
                self.given_up.update(
                    one.robot
                    for one, how in zip(armed.values(), settled, strict=True)
                    if how is not None and how.by == "adopted" and one.timer == how.timer
                )
        self.owners = batch.owners  # without those of whoever was erased
        return batch.done


@asynccontextmanager
async def rehearsing(
    settings: Settings, pool: Pool, now: datetime, unpublished: Mapping[tuple[str, int], Pipeline] | None = None
) -> AsyncIterator[Rehearsal]:
    """A rehearsal on one snapshot of the store."""
    async with pool.acquire() as database, database.transaction(isolation="repeatable_read", readonly=True):
        yield Rehearsal(settings, database, now, _Ring(settings.master_key_bytes), unpublished or {})
