"""The projections' process: prepares its tables, builds what is new in this release, then consumes until told to stop."""

from __future__ import annotations

import asyncio

import structlog

from projections.all import PROJECTIONS, TOPICS
from projections.rebuild.run import RebuildBusyError, RebuildRefusedError, rebuild
from projections.runner import CONSUMER, Runner
from projections.schema import prepare
from services.clock import clock_of
from services.database import Pool, open_pool
from services.eventlog.consuming import consume
from services.eventlog.consuming.store import notice
from services.health import Health
from services.privacy.store import KeyRing
from services.settings import Settings

BATCH_RECORDS = 2_000
BUILDS = "builds"
"""The part of the service's health that says whether every projection has a live build."""
BUSY_SECONDS = 0.5
"""Between two looks whether another process has made a build."""


async def run(settings: Settings, health: Health, stop: asyncio.Event) -> None:
    """Keep the projections up to date until `stop` is set. Raises when it cannot go on (see `consume`)."""
    # making builds holds locks of the session
    async with await open_pool(settings.database_url, service="projections", largest=4) as builders:
        if not await _have_builds(settings, builders, health, stop):
            return
    pool = await open_pool(settings.database_url, service="projections", largest=4, cleaned=False)
    try:
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


async def _have_builds(settings: Settings, pool: Pool, health: Health, stop: asyncio.Event) -> bool:
    """Tables, and builds of the projections that are new in this release or changed in it. False: told to stop meanwhile."""
    stopped = asyncio.create_task(stop.wait())
    making = asyncio.create_task(_make_builds(settings, pool, health))
    try:
        await asyncio.wait({stopped, making}, return_when=asyncio.FIRST_COMPLETED)
        if not making.done():
            return False
        making.result()
        return True
    finally:
        for task in (stopped, making):
            task.cancel()
        await asyncio.gather(stopped, making, return_exceptions=True)


async def _make_builds(settings: Settings, pool: Pool, health: Health) -> None:
    """Raises RebuildRefusedError, with a notice, when an event cannot be applied that an earlier release could.

    `health` says meanwhile how far it is.
    """
    log = structlog.get_logger("leadline.projections")
    health.expect(BUILDS)

    def progress(step: str, done: int, total: int | None) -> None:
        health.work(BUILDS, f"building {step}" + (f", {done:,} of {total:,} streams" if total else ""))

    while True:
        async with pool.acquire() as connection:
            lacking = await prepare(connection)
        if not lacking:
            health.ready(BUILDS)
            return
        for projection in lacking:
            try:
                made = await rebuild(
                    pool,
                    KeyRing(settings.master_key_bytes),
                    projection,
                    settings.kafka_partitions,
                    accept=True,
                    progress=progress,
                )
                log.info("built", projection=projection.name, build=made.build, events=made.events)
            except RebuildBusyError:
                health.work(BUILDS, f"{projection.name} is being built by another process")
                await asyncio.sleep(BUSY_SECONDS)  # another process of ours makes it
            except RebuildRefusedError as error:
                async with pool.acquire() as connection:
                    await notice(connection, CONSUMER, "error", "rebuild_refused", str(error))
                raise
