"""The aggregate service: both doors, one batcher.

On failure: a lost Postgres or Kafka is waited for (`services.eventlog.consuming`); what cannot be waited for ends `run` with
the error, the process exits and is started again. Nothing accepted is lost by that: inputs are positions in Postgres.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

import structlog

from contracts.topics import LEADS_COMMANDS, LEADS_INBOUND
from services.clock import clock_of
from services.database import open_pool
from services.eventlog import consuming
from services.eventlog.consuming.parked import store as parking
from services.health import Health
from services.leads import store
from services.leads.batcher import AT_ONCE, BATCH_WORK, Batcher
from services.leads.door import door
from services.leads.handlers import Reader
from services.leads.memory import Memory
from services.leads.work import BUILD, CONSUMER
from services.pipelines.archiving import is_archived
from services.privacy.store import KeyRing
from services.serving import serve_http, with_health
from services.settings import Settings

log = structlog.get_logger()

WORTH_PARTING = 100  # records: below that two transactions cost more than they gain
RELEASED_AT_ONCE = 50  # streams
FORGET_SECONDS = 3600.0
KEPT = timedelta(days=90)
"""How long the answer to a person's command is kept: nobody repeats a click after that."""


class ArchivedDefaultError(Exception):
    """New leads are to come to a pipeline that is archived: the service does not start."""

    def __init__(self, pipeline: str) -> None:
        super().__init__(
            f"LEADLINE_DEFAULT_PIPELINE names {pipeline}, which is archived: name another one, or leadline restore {pipeline}"
        )


async def run(settings: Settings, health: Health, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then finish the running batch, answer the callers, leave the group."""
    health.expect("door")
    memory = Memory(KeyRing(settings.master_key_bytes))
    pool = await open_pool(
        settings.database_url, service="leads", smallest=2, largest=6, on_connect=memory.doubt, cleaned=False
    )
    async with pool:
        async with pool.acquire() as database:
            if await is_archived(database, settings.default_pipeline):
                raise ArchivedDefaultError(settings.default_pipeline)
        clock = clock_of(settings.clock, pool)
        batcher = Batcher(settings, pool, clock, memory)
        reader = Reader(settings, pool)

        async def take(batch: consuming.Batch) -> None:
            await batcher.submit(await reader.records(batch.records), batch)

        async def handle(batch: consuming.Batch) -> None:
            """Large batches side by side, by partitions; all have ended when this does, with the first one's error if any."""
            parts = batch.parts(AT_ONCE) if len(batch.records) >= WORTH_PARTING else [batch]
            ended = await asyncio.gather(*map(take, parts), return_exceptions=True)
            for error in ended:
                if error is not None:
                    raise error

        async def release(proofs: Sequence[consuming.PositionMove]) -> None:
            """Try parked commands again whose release was asked for. Their ids make a second try harmless."""
            async with pool.acquire() as database:
                slots = [proof.slot for proof in proofs]
                asked = await parking.released(database, CONSUMER, BUILD, slots, RELEASED_AT_ONCE)
            if asked:
                await batcher.submit(await reader.records([parked.record for parked in asked]))
                async with pool.acquire() as database:
                    await parking.unpark_released(database, [parked.id for parked in asked])

        forgotten = 0.0

        async def every_second(proofs: Sequence[consuming.PositionMove]) -> None:
            nonlocal forgotten
            await release(proofs)
            if time.monotonic() > forgotten:
                forgotten = time.monotonic() + FORGET_SECONDS
                async with pool.acquire() as database:
                    await store.forget_old_commands(database, await clock.now() - KEPT)

        place = urlsplit(settings.leads_url)
        working = asyncio.create_task(batcher.run(), name="batcher")
        serving = asyncio.create_task(
            serve_http(
                with_health(door(settings, batcher, reader), health),
                host=place.hostname or "127.0.0.1",
                port=place.port or 8081,
                stop=stop,
                within=settings.stop_within,
            ),
            name="door",
        )
        taking = asyncio.create_task(
            consuming.consume(
                settings,
                pool,
                consumer=CONSUMER,
                topics=[LEADS_INBOUND.name, LEADS_COMMANDS.name],
                handle=handle,
                health=health,
                stop=stop,
                max_records=BATCH_WORK * AT_ONCE,
                every_second=every_second,
            ),
            name="inbound and commands",
        )
        stopping = asyncio.create_task(stop.wait(), name="stop")
        health.ready("door")
        try:
            await asyncio.wait({working, serving, taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            parts: tuple[asyncio.Task[None], ...] = (working, serving, taking)
            for task in parts:
                if task.done() and not stop.is_set():
                    task.result()
                    raise RuntimeError(f"the part «{task.get_name()}» ended by itself")
        finally:
            stop.set()
            await asyncio.wait({serving, taking}, timeout=settings.stop_within)
            batcher.close()
            await asyncio.wait({working}, timeout=settings.stop_within)
            stopping.cancel()
            for task in (working, serving, taking):
                task.cancel()
            await asyncio.gather(working, serving, taking, stopping, return_exceptions=True)
