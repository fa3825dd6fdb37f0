"""The relay service: one active process per shard, from a lock to the start protocol to publishing, and over again.

Invariants: nothing is published without the locks of all the shard's topics and a start protocol that agreed; on any error
the producer is closed before the locks are let go. Errors of Kafka and Postgres are met by starting over with back-off; a
contradiction between topic and store stops publishing until a person clears the notice or restarts (not ready, but alive).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from contracts.topics import TOPICS, Topic
from services.database import LOST
from services.eventlog.admin import ensure_topics
from services.eventlog.relay import store
from services.eventlog.relay.errors import RelayRefusesError, RelayStoppedError, StandAsideError
from services.eventlog.relay.lock import ShardConnection
from services.eventlog.relay.protocol import agree
from services.eventlog.relay.publishing import Publisher
from services.eventlog.relay.reading import TopicReader
from services.eventlog.relay.session import Session
from services.health import Health
from services.settings import Settings

HOLD_SECONDS: Final = 10.0
"""From acknowledgement to deletion: the broker has its log on disk by then, and a power cut takes under a second."""
STUCK_SECONDS: Final = 120.0
TOPICS_SECONDS: Final = 15.0
STAND_BY_SECONDS: Final = 0.25
FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.2, 5.0
CLEARED_SECONDS: Final = 2.0
PART: Final = "relay"
NOTICE: Final = "relay_refuses"

PASSING: Final = (
    *LOST,
    RelayStoppedError,
    KafkaError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalClientError,  # asyncpg's word for a session that the server ended in the middle of a statement
)
"""Start over, it may be gone."""

log = structlog.get_logger(__name__)


async def run(
    settings: Settings,
    health: Health,
    stop: asyncio.Event,
    *,
    topics: Sequence[Topic] = TOPICS,
    hold: float = HOLD_SECONDS,
) -> None:
    """Relay these topics (one shard) until `stop`. Raises only what starting over cannot mend (TopicsError, no schema)."""
    health.expect(PART, limit=STUCK_SECONDS)
    back_off = FIRST_BACK_OFF
    while not stop.is_set():
        try:
            await _serve(settings, health, stop, topics, hold)
        except StandAsideError:
            health.unready(PART, "standing aside while somebody republishes")
            log.info("standing aside")
        except RelayRefusesError as refusal:
            await _refuse(settings, health, stop, str(refusal))
        except PASSING as error:
            if health.parts[PART].ready:
                back_off = FIRST_BACK_OFF
            health.unready(PART, f"starting over: {error!r}"[:300])
            log.warning("starting over", error=repr(error)[:500], seconds=back_off)
            await _wait(stop, back_off)
            back_off = min(LONGEST_BACK_OFF, back_off * 2)
    health.unready(PART, "stopped")


async def _serve(settings: Settings, health: Health, stop: asyncio.Event, topics: Sequence[Topic], hold: float) -> None:
    shard = await ShardConnection.open(settings, [topic.name for topic in topics])
    reader: TopicReader | None = None
    publisher: Publisher | None = None
    try:
        if not await _acquire(shard, health, stop):
            return
        health.unready(PART, "comparing the topics with the store")
        await ensure_topics(settings, topics, limit=TOPICS_SECONDS)
        # the publisher's connections first: what is compared then is what the broker at their other end has
        publisher = await Publisher(settings, [topic.name for topic in topics]).open()
        reader = await TopicReader(settings).open()
        agreed = await agree(shard, settings, reader, lambda: health.beat(PART))
        publisher.check()
        session = Session(shard, settings, reader, publisher, agreed, hold, health)
        await store.clear_notices(shard.database, PART, NOTICE)
        health.ready(PART)
        log.info("publishing", topics=len(topics), found=sum(len(tail.rows) for tail in agreed.tails.values()))
        await session.run(stop)
    finally:
        # the locks go last: nobody else may start while our producer could still send
        if publisher is not None:
            await publisher.close()
        if reader is not None:
            await reader.close()
        await shard.close()


async def _acquire(shard: ShardConnection, health: Health, stop: asyncio.Event) -> bool:
    """Wait for the locks. False: told to stop first."""
    while not stop.is_set():
        health.beat(PART)
        if await shard.acquire():
            return True
        health.unready(PART, "standing by: another process holds the relay's lock")
        await _wait(stop, STAND_BY_SECONDS)
    return False


async def _refuse(settings: Settings, health: Health, stop: asyncio.Event, why: str) -> None:
    """Say why nothing is published, and wait until a person clears the notice."""
    health.wait_for_person(PART, why)
    log.error("refusing to publish", why=why)
    notice: int | None = None
    while not stop.is_set():
        health.beat(PART)
        with suppress(*PASSING):
            shard = await ShardConnection.open(settings, ())
            try:
                if notice is None:
                    notice = await store.open_notice(shard.database, PART, NOTICE, why)
                elif await store.notice_cleared(shard.database, notice):
                    log.info("the notice was cleared: trying again")
                    return
            finally:
                await shard.close()
        await _wait(stop, CLEARED_SECONDS)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
