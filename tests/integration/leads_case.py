"""What tests of the aggregate service share: a running batcher, commands and arrivals as the doors would hand them in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import orjson

from contracts.commands import COMMAND_BODIES, MACHINE_BODIES, STAFF_BODIES, Command, CommandResult, EraseContact
from contracts.journal import JOURNAL_BODIES
from contracts.meta import Actor
from services.clock import Clock, SystemClock
from services.database import Pool
from services.eventlog.consuming import RawRecord
from services.leads.batcher import Batcher
from services.leads.handlers import Reader
from services.leads.memory import Memory
from services.leads.reading import read_history
from services.leads.work import ArrivalWork, Done
from services.pipelines.registry import publish_bundled
from services.privacy.store import KeyRing
from services.settings import Settings

ANNA = Actor(id="anna", kind="person", role="seller")
HEAD = Actor(id="helen", kind="person", role="head")


class Leads:
    """The aggregate service without its doors."""

    def __init__(self, settings: Settings, pool: Pool, batcher: Batcher) -> None:
        self.settings, self.pool, self.batcher = settings, pool, batcher
        self.reader = Reader(settings, pool)
        self.offset = 0

    def arrival(self, own_id: str | None = None, **form: Any) -> ArrivalWork:
        """A form that came straight on Kafka."""
        self.offset += 1
        headers = [("ce_type", b"leadline.inbound.form"), ("ce_source", b"site"), ("ce_subject", b"contact")]
        headers.append(("ce_id", (own_id or str(uuid4())).encode()))
        value = orjson.dumps(form)
        return self.reader.direct(RawRecord("leads.inbound", 0, self.offset, None, value, headers, 1_700_000_000_000))

    async def take(self, *work: ArrivalWork) -> list[Done]:
        """Have arrivals interpreted."""
        return await self.batcher.submit(list(work))

    async def outcome(self, work: ArrivalWork) -> Any:
        """What became of an arrival."""
        return await self.pool.fetchrow(
            "SELECT * FROM leadline.inbound_outcomes WHERE inbound_id = $1", work.inbound_id
        )

    async def lead_of(self, **form: Any) -> UUID:
        """The lead that a form ends in."""
        work = self.arrival(**form)
        await self.take(work)
        lead: UUID = (await self.outcome(work))["lead"]
        return lead

    async def send(
        self,
        lead: UUID,
        name: str,
        /,
        *,
        by: Actor = ANNA,
        id: UUID | None = None,
        version: int | None = None,
        **body: Any,
    ) -> CommandResult:
        """A command by the HTTP door."""
        made = Command(
            id=id or uuid4(),
            lead=lead,
            actor=by,
            body={**COMMAND_BODIES, **STAFF_BODIES, **MACHINE_BODIES, **JOURNAL_BODIES}[name](**body),  # type: ignore[arg-type]
            expected_version=version,
        )
        done = (await self.batcher.submit([self.reader.command(made)]))[0]
        if done.error is not None:
            raise done.error
        assert done.result is not None
        return done.result

    async def erase(self, contact: UUID) -> CommandResult:
        """M7."""
        command = EraseContact(id=uuid4(), contact=contact, actor=HEAD)
        done = (await self.batcher.submit([self.reader.erase(command)]))[0]
        assert done.result is not None
        return done.result

    async def history(self, stream: UUID) -> list[Any]:
        """The stream's events, with a ring of its own."""
        async with self.pool.acquire() as database:
            return await read_history(database, KeyRing(self.settings.master_key_bytes), stream)

    async def types(self, stream: UUID) -> list[str]:
        """The stream's event types, short."""
        return [recorded.meta.type.rpartition(".")[2] for recorded in await self.history(stream)]


@asynccontextmanager
async def running(
    settings: Settings,
    pool: Pool,
    clock: Clock | None = None,
    *,
    memory: Memory | None = None,
    at_once: bool = True,
) -> AsyncIterator[Leads]:
    """A batcher at work on this database. Without `at_once` every robot waits for its `fire` command."""
    await publish_bundled(pool, SystemClock())
    memory = memory or Memory(KeyRing(settings.master_key_bytes))
    batcher = Batcher(settings, pool, clock or SystemClock(), memory, at_once=at_once)
    task = asyncio.create_task(batcher.run())
    try:
        yield Leads(settings, pool, batcher)
    finally:
        batcher.close()
        await asyncio.wait_for(task, 60)
