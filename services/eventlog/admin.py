"""Creates Kafka's topics as `contracts.topics` has them, and refuses to start on topics that are not so (decision 3).

Invariants: a topic that exists is never altered: another partition count would send a stream's next events to another
partition, a finite retention would lose history, so both refuse the start with the way out. Two starts at once are safe.
Raises TopicsError for these; a Kafka error or TimeoutError when the cluster does not answer within the limit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from contracts.topics import FOR_EVER, TOPICS, Topic
from services.settings import Settings

START_SECONDS: Final = 60.0
REQUEST_MS: Final = 15_000
MAX_MESSAGE_BYTES: Final = 1_048_576
"""Events are at most 256 KB (decision 10); the rest is room for batches, headers and other clients' inbound messages."""
NO_LIMIT: Final = str(2**63 - 1)

_NONE, _EXISTS = 0, 36


class TopicsError(Exception):
    """The topics are not as the contracts have them. The text names what differs and the way out."""


def config_of(topic: Topic, replication: int) -> dict[str, str]:
    """The Kafka configuration that a topic is made with."""
    config = {
        "cleanup.policy": "delete",
        "retention.ms": str(topic.retention_ms),
        "retention.bytes": "-1",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "message.timestamp.type": "CreateTime",
        # a practice system's clock may be years ahead, and Kafka refuses more than an hour by default
        "message.timestamp.after.max.ms": NO_LIMIT,
        "message.timestamp.before.max.ms": NO_LIMIT,
        "unclean.leader.election.enable": "false",
    }
    if replication > 1:
        config["min.insync.replicas"] = str(replication // 2 + 1)
    return config


def partitions_of(topic: Topic, settings: Settings) -> int:
    """How many partitions a topic has in this deployment."""
    return topic.partitions or settings.kafka_partitions


async def ensure_topics(
    settings: Settings, topics: Sequence[Topic] = TOPICS, limit: float = START_SECONDS
) -> list[str]:
    """Create what is missing, wait until every partition has a leader; returns the names created (with prefix).

    A cluster that is just starting is asked again for `limit` seconds.
    """
    deadline = time.monotonic() + limit
    async with asyncio.timeout(limit + REQUEST_MS / 1000):
        while True:
            admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap, request_timeout_ms=REQUEST_MS)
            try:
                await admin.start()
                created = await _create(admin, settings, topics)
                await _check_retention(admin, settings, topics)
                return created
            except (KafkaError, OSError, AttributeError):  # AttributeError: no controller known yet
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)
            finally:
                await admin.close()


async def _create(admin: AIOKafkaAdminClient, settings: Settings, topics: Sequence[Topic]) -> list[str]:
    wanted = {settings.kafka_topic_prefix + topic.name: topic for topic in topics}
    there = await _describe(admin, list(wanted))
    _check_partitions(settings, wanted, there)
    missing = [name for name in wanted if name not in there]
    replication = settings.kafka_replication
    if missing:
        answer = await admin.create_topics(
            [
                NewTopic(
                    name,
                    partitions_of(wanted[name], settings),
                    replication,
                    topic_configs=config_of(wanted[name], replication),
                )
                for name in missing
            ]
        )
        for name, code, *more in answer.topic_errors:
            if code not in (_NONE, _EXISTS):
                raise for_code(code)(f"topic {name} could not be created: {more}")
    while True:  # bounded by the caller's timeout
        there = await _describe(admin, list(wanted))
        _check_partitions(settings, wanted, there)  # another start may have been quicker, with another count
        if len(there) == len(wanted) and all(_led(described) for described in there.values()):
            return missing
        await asyncio.sleep(0.05)


async def _describe(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, Any]]:
    """Topics that exist, by name."""
    return {found["topic"]: found for found in await admin.describe_topics(names) if found["error_code"] == _NONE}


def _led(described: dict[str, Any]) -> bool:
    partitions = described["partitions"]
    return bool(partitions) and all(p["error_code"] == _NONE and p["leader"] >= 0 for p in partitions)


def _check_partitions(settings: Settings, wanted: dict[str, Topic], there: dict[str, dict[str, Any]]) -> None:
    for name, described in there.items():
        have, want = len(described["partitions"]), partitions_of(wanted[name], settings)
        if have and have != want:
            raise TopicsError(
                f"topic {name} has {have} partitions, the settings ask for {want}: a stream's events would be split over two "
                f"partitions. Set KAFKA_PARTITIONS={have}"
                + (" (this topic always has 1: recreate it)" if wanted[name].partitions else "")
                + "; or, to change the count, stop all services, give a new KAFKA_TOPIC_PREFIX (or delete the topic), start, "
                f"and let `leadline republish {wanted[name].name}` fill the new topic from the store"
            )


async def _check_retention(admin: AIOKafkaAdminClient, settings: Settings, topics: Sequence[Topic]) -> None:
    """Topics kept for ever must really be."""
    names = [settings.kafka_topic_prefix + topic.name for topic in topics if topic.retention_ms == FOR_EVER]
    keys = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
    answers = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(keys, "")) for name in names]
    )
    for answer in answers:
        for code, message, _, name, entries in answer.resources:
            if code != _NONE:
                raise for_code(code)(f"settings of topic {name} could not be read: {message}")
            for key, value, *_ in entries:
                if value != keys.get(key, value):
                    raise TopicsError(
                        f"topic {name} has {key}={value}, but the history it holds must be kept for ever: set "
                        f"{key}={keys[key]} on it (kafka-configs --alter), then start again"
                    )
