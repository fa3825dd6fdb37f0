"""Messages of one adapter as they come to a running system: straight on the topic, or over HTTP into intake.

Only what comes from now on is looked at, until `count` messages came or `wait` seconds went by. On the topic an adapter is known
by its `ce_source`, over HTTP by its token's name. Nothing is taken from the system: it interprets the messages as ever, so point
the adapter at a sandbox (`leadline up --data FOLDER`). Raises what `services.ops.main` turns into one line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer

from contracts.inbound import REFERENCE_TYPE
from contracts.personal import Erased
from contracts.topics import LEADS_INBOUND
from services.ops.conformance.rules import Message
from services.ops.place import OpsError
from services.privacy.messages import open_message
from services.privacy.store import KeyRing
from services.settings import Settings

POLL_SECONDS = 0.5
CONNECT_SECONDS = 10.0


async def listen(
    settings: Settings, channel: str, source: str, *, count: int, wait: float, ready: Callable[[], None]
) -> list[Message]:
    """What came of this source on this channel. `ready` is called when it listens."""
    topic = settings.kafka_topic_prefix + LEADS_INBOUND.name
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka_bootstrap, isolation_level="read_committed")
    database = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=CONNECT_SECONDS)
    try:
        await consumer.start()
        parts = sorted(consumer.assignment())  # without a group a consumer has all partitions of its topic
        if not parts:
            raise OpsError(f"the topic {topic} does not exist; start the system first")
        await consumer.seek_to_end(*parts)
        for part in parts:
            await consumer.position(part)
        begun: datetime = await database.fetchval("SELECT coalesce(max(received_at), '-infinity') FROM leadline.intake")
        seen: set[UUID] = {
            row[0] for row in await database.fetch("SELECT id FROM leadline.intake WHERE received_at = $1", begun)
        }
        ready()
        found: list[Message] = []
        until = time.monotonic() + wait
        while len(found) < count and time.monotonic() < until:
            batches = await consumer.getmany(timeout_ms=int(POLL_SECONDS * 1000))
            for records in batches.values():
                found += [m for record in records if (m := _of_record(record, source)) is not None]
            found += await _posted(database, settings, channel, source, begun, seen)
        return found
    finally:
        await consumer.stop()
        await database.close()


def _of_record(record: object, source: str) -> Message | None:
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}  # type: ignore[attr-defined]
    if headers.get("ce_type") == REFERENCE_TYPE or headers.get("ce_source", source) != source:
        return None
    key = record.key  # type: ignore[attr-defined]
    return Message(
        place=f"{record.topic}[{record.partition}]@{record.offset}",  # type: ignore[attr-defined]
        raw=record.value or b"",  # type: ignore[attr-defined]
        way="kafka",
        headers=headers,
        key=None if key is None else key.decode("utf-8", "replace"),
        account=source,
    )


async def _posted(
    database: asyncpg.Connection, settings: Settings, channel: str, source: str, begun: datetime, seen: set[UUID]
) -> list[Message]:
    """What the holder of the token of this name posted since, bodies opened under their own keys.

    Intake makes its ids by time (version 7); those of messages that came straight on Kafka are made of their names.
    """
    rows = await database.fetch(
        """SELECT i.id, i.account, i.ciphertext FROM leadline.intake AS i
           WHERE i.received_at >= $1 AND i.actor ->> 'id' = $2 AND i.channel = $3
             AND uuid_extract_version(i.id) = 7
           ORDER BY i.received_at, i.id""",
        begun,
        source,
        channel,
    )
    fresh = [row for row in rows if row["id"] not in seen]
    seen.update(row["id"] for row in fresh)
    ring = KeyRing(settings.master_key_bytes)
    await ring.load(database, [row["id"] for row in fresh])
    found = []
    for row in fresh:
        raw = open_message(ring.key(row["id"]), row["id"], row["ciphertext"])
        if not isinstance(raw, Erased):
            found.append(Message(f"inbound {row['id']}", raw, "http", account=row["account"]))
    return found
