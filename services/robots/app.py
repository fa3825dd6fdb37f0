"""The robots service: timers that are armed and closed by events, and fired by commands (decision 8).

On failure: a lost Postgres or Kafka is waited for; what cannot be waited for ends `run` with the error, the process exits and is
started again. Nothing is lost by that: timers are rows, positions are in the same database.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from services.clock import Clock, SystemClock, clock_of
from services.database import open_pool
from services.eventlog.consuming import consume
from services.eventlog.consuming.log import Log
from services.health import Health
from services.robots.firing import Firing
from services.robots.gate import Gate
from services.robots.handlers import EVENT_TOPICS, TOPICS, Intake
from services.robots.publishing import Commands
from services.robots.store import BUILD, CONSUMER
from services.settings import Settings

BATCH_RECORDS = 1_000
GATHER_SECONDS = 0.1
"""For which events that trickle in wait for more: what starts at once does not wait for its timer (decision 0022)."""
INPUT = "timers"
"""Its name among the parts of a process that runs several services."""


async def run(
    settings: Settings, health: Health, stop: asyncio.Event, *, clock: Clock | None = None, wall: Clock | None = None
) -> None:
    """Keep timers and fire them until `stop`. `clock` and `wall`: other than the settings' clock and the world's time."""
    pool = await open_pool(settings.database_url, service="robots", largest=4, cleaned=False, by_index=True)
    kafka = Log(settings.kafka_bootstrap, settings.kafka_topic_prefix)
    wall = wall or SystemClock()
    gate = Gate(pool, kafka, EVENT_TOPICS, settings.kafka_partitions)
    commands = Commands(settings)
    firing = Firing(
        pool,
        kafka,
        gate,
        commands,
        clock or clock_of(settings.clock, pool),
        wall,
        outcome_within=timedelta(seconds=settings.robots_outcome_within),
        partitions=settings.kafka_partitions,
    )
    intake = Intake(pool, wall, woken=firing.wake, moved=gate.renew)
    try:
        taking = asyncio.create_task(
            consume(
                settings,
                pool,
                consumer=CONSUMER,
                build=BUILD,
                topics=TOPICS,
                handle=intake.handle,
                every_second=intake.every_second,
                health=health,
                stop=stop,
                max_records=BATCH_RECORDS,
                part=INPUT,
                gather=GATHER_SECONDS,
            ),
            name=INPUT,
        )
        sending = asyncio.create_task(firing.run(health, stop), name="firing")
        stopping = asyncio.ensure_future(stop.wait())
        parts: tuple[asyncio.Task[None], ...] = (taking, sending)
        try:
            await asyncio.wait({*parts, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in parts:
                if task.done() and not stop.is_set():
                    task.result()
                    raise RuntimeError(f"the part «{task.get_name()}» ended by itself")
            ended, _ = await asyncio.wait(parts, timeout=settings.stop_within)
            for task in ended:
                task.result()
        finally:
            stopping.cancel()
            for task in parts:
                task.cancel()
            await asyncio.gather(*parts, stopping, return_exceptions=True)
    finally:
        await commands.close()
        await asyncio.wait_for(pool.close(), settings.stop_within)
