"""The projections' process: prepares its tables, then consumes until told to stop."""

from __future__ import annotations

import asyncio

from projections.all import PROJECTIONS, TOPICS
from projections.runner import CONSUMER, Runner
from projections.schema import prepare
from services.clock import clock_of
from services.database import open_pool
from services.eventlog.consuming import consume
from services.health import Health
from services.privacy.store import KeyRing
from services.settings import Settings

BATCH_RECORDS = 2_000


async def run(settings: Settings, health: Health, stop: asyncio.Event) -> None:
    """Keep the projections up to date until `stop` is set. Raises when it cannot go on (see `consume`)."""
    pool = await open_pool(settings.database_url, service="projections", largest=4)
    try:
        async with pool.acquire() as connection:
            await prepare(connection)
        runner = Runner(pool, KeyRing(settings.master_key_bytes), clock_of(settings.clock, pool), PROJECTIONS)
        await consume(
            settings,
            pool,
            consumer=CONSUMER,
            topics=TOPICS,
            handle=runner.handle,
            every_second=runner.release,
            health=health,
            stop=stop,
            max_records=BATCH_RECORDS,
        )
    finally:
        await asyncio.wait_for(pool.close(), settings.stop_within)
