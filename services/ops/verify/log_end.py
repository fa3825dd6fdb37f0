"""Reading Kafka's log as it is: partitions, their ends at a moment, every record between two offsets.

Invariants: nothing is committed, no group is joined; aborted transactions are left out (`read_committed`); a log that does not
come on for `STALL_SECONDS` raises TimeoutError. Records keep their bytes, whatever they are.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.partitioner import murmur2

from services.settings import Settings

STALL_SECONDS = 60.0
POLL_MS = 500
REQUEST_MS = 30_000
RECORDS_A_POLL = 5_000


@dataclass(slots=True)
class LogEnds:
    """Where each partition begins and ends, by topic name without prefix. `missing`: topics that do not exist."""

    spans: dict[str, dict[int, tuple[int, int]]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; 1 for one that does not exist."""
        return len(self.spans.get(topic, {})) or 1

    def partition_of(self, topic: str, key: bytes) -> int:
        """Where Kafka's default partitioner puts a key."""
        return partition_of(key, self.partitions(topic))


def partition_of(key: bytes, partitions: int) -> int:
    """Kafka's default partitioner: murmur2."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


@asynccontextmanager
async def log_reader(settings: Settings) -> AsyncIterator[LogReader]:
    """A reader of the log. Raises a KafkaError when the cluster cannot be reached."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_bytes=16 * 1024 * 1024,
        request_timeout_ms=REQUEST_MS,
    )
    try:
        await consumer.start()
        yield LogReader(consumer, settings.kafka_bootstrap, settings.kafka_topic_prefix)
    finally:
        await consumer.stop()


class LogReader:
    """Reads partitions from offset to offset."""

    def __init__(self, consumer: AIOKafkaConsumer, bootstrap: str, prefix: str) -> None:
        self._consumer = consumer
        self._bootstrap = bootstrap
        self._prefix = prefix

    async def ends(self, topics: Sequence[str]) -> LogEnds:
        """Begin and end of all partitions of these topics, now."""
        found = LogEnds()
        there = await self._partitions([self._prefix + topic for topic in topics])
        found.missing = [topic for topic in topics if not there.get(self._prefix + topic)]
        wanted = [TopicPartition(name, number) for name, numbers in there.items() for number in sorted(numbers)]
        if wanted:
            begins = await self._consumer.beginning_offsets(wanted)
            ends = await self._consumer.end_offsets(wanted)
            for part in wanted:
                name = part.topic.removeprefix(self._prefix)
                found.spans.setdefault(name, {})[part.partition] = (begins[part], ends[part])
        return found

    async def _partitions(self, names: list[str]) -> dict[str, list[int]]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=REQUEST_MS)
        try:
            await admin.start()
            described = await admin.describe_topics(names)
        finally:
            await admin.close()
        return {
            topic["topic"]: [part["partition"] for part in topic["partitions"]]
            for topic in described
            if topic["error_code"] == 0
        }

    async def read(self, topic: str, partition: int, begin: int, end: int) -> AsyncIterator[list[Any]]:
        """The records of a partition from `begin` up to, not including, `end`, in lists."""
        if begin >= end:
            return
        part = TopicPartition(self._prefix + topic, partition)
        self._consumer.assign([part])
        self._consumer.seek(part, begin)
        moved, position = time.monotonic(), begin
        while position < end:
            got = await self._consumer.getmany(part, timeout_ms=POLL_MS, max_records=RECORDS_A_POLL)
            records = [record for record in got.get(part, []) if record.offset < end]
            if records:
                yield records
            now = await self._consumer.position(part)
            if now > position:
                moved, position = time.monotonic(), now
            elif time.monotonic() - moved > STALL_SECONDS:
                raise TimeoutError(f"{topic}[{partition}] does not come on after offset {position}")


async def read_key(settings: Settings, topic: str, key: bytes) -> list[bytes]:
    """All values of one key on a topic, in order. Reads the key's partition from its beginning."""
    values: list[bytes] = []
    async with log_reader(settings) as reader:
        ends = await reader.ends([topic])
        if topic in ends.missing:
            return values
        partition = ends.partition_of(topic, key)
        async for records in reader.read(topic, partition, *ends.spans[topic][partition]):
            values.extend(record.value for record in records if record.key == key and record.value is not None)
    return values
