"""A transaction that an adapter has committed is read whole, at whatever moment the broker was stopped (K4, C1, G-45).

A single broker that stops, or comes back after a kill, has partitions without a leader for a moment. Kafka 4.3 and 4.4 take them
for deleted then, and skip the ends of transactions there, acknowledged ones too. Readers stand still on such a partition until
the same producer ends its next transaction on it, and what was committed is then committed or lost by that one's end (decision
0027).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.sandbox import EmbeddedServers
from tests.chaos.adapter import end_producer
from tests.eventlog_builders import until

pytestmark = pytest.mark.kafka

TOPIC, PARTITIONS = "intake", 192
ADAPTERS = 16
STOPS = ("stopped", "killed", "killed while it stopped")
LIMIT = 60.0


@pytest.fixture
async def servers(caplog: pytest.LogCaptureFixture) -> AsyncIterator[EmbeddedServers]:
    caplog.set_level(logging.CRITICAL, "aiokafka")  # it says a thousand times a second that the broker is away
    async with EmbeddedServers() as started:
        yield started


class Adapter:
    """One that writes transactions of a record on each of three partitions until its broker goes away, as `ending` tells."""

    def __init__(self, servers: EmbeddedServers, ending: asyncio.Event) -> None:
        self._ending = ending
        self._bootstrap = servers.bootstrap
        self._id = f"adapter-{uuid4()}"
        self.committed: list[bytes] = []
        self.tried = 0

    def producer(self) -> AIOKafkaProducer:
        """A producer of this adapter; its start ends what the one before it left open."""
        return AIOKafkaProducer(bootstrap_servers=self._bootstrap, transactional_id=self._id, request_timeout_ms=5_000)

    async def run(self) -> None:
        """Write until the broker that is to go away does not answer as it should any more."""
        producer = self.producer()
        await producer.start()
        try:
            while True:
                await self.write(producer)
        except (KafkaError, OSError, AssertionError):
            if not self._ending.is_set():
                raise
        finally:
            await end_producer(producer)

    async def write(self, producer: AIOKafkaProducer) -> None:
        """One transaction; its records count once the commit is acknowledged."""
        number, self.tried = self.tried, self.tried + 1
        values = [f"{self._id} {number} {n}".encode() for n in range(3)]
        await producer.begin_transaction()
        for n, value in enumerate(values):
            await producer.send_and_wait(TOPIC, value, partition=(5 * number + n) % PARTITIONS)
        await producer.commit_transaction()
        self.committed += values


async def all_write(adapters: list[Adapter]) -> bool:
    return all(len(adapter.committed) > 10 for adapter in adapters)


async def end(servers: EmbeddedServers, how: str, chance: random.Random) -> None:
    """End the broker in one of the ways of `STOPS`; returns when it has ended."""
    if how == "killed":
        servers.kafka.kill9()
    else:
        stopping = asyncio.create_task(servers.kafka.stop())
        if how != "stopped":
            await asyncio.sleep(chance.uniform(0.0, 0.3))  # the moment of the kill, not a wait
            with suppress(ProcessLookupError, EmbeddedError):
                servers.kafka.kill9()
        await stopping
    await servers.kafka.wait_exit(LIMIT)


async def committed(servers: EmbeddedServers) -> tuple[list[bytes], dict[int, int]]:
    """What readers of committed records see, and how many offsets of each partition they cannot reach."""
    parts = [TopicPartition(TOPIC, n) for n in range(PARTITIONS)]
    found: list[bytes] = []
    async with (
        AIOKafkaConsumer(bootstrap_servers=servers.bootstrap, isolation_level="read_uncommitted") as whole,
        AIOKafkaConsumer(
            bootstrap_servers=servers.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
        ) as reader,
    ):
        reader.assign(parts)
        last, stable = await whole.end_offsets(parts), await reader.end_offsets(parts)
        deadline = time.monotonic() + LIMIT
        for part in parts:
            while await reader.position(part) < stable[part]:
                assert time.monotonic() < deadline, f"{part} is not read to its end"
                for records in (await reader.getmany(timeout_ms=200)).values():
                    found += [record.value for record in records]
    return found, {part.partition: behind for part in parts if (behind := last[part] - stable[part])}


async def test_K4_C1_what_an_adapter_committed_is_read_whatever_moment_the_broker_was_stopped_at(
    servers: EmbeddedServers,
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
    await admin.close()
    adapters: list[Adapter] = []
    seed = random.randrange(2**32)  # noqa: S311 - the same
    print(f"seed {seed}")
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    for stop in STOPS:
        ending = asyncio.Event()
        writing = [Adapter(servers, ending) for _ in range(ADAPTERS)]
        adapters += writing
        tasks = [asyncio.create_task(adapter.run()) for adapter in writing]
        async with asyncio.timeout(LIMIT):
            await until(partial(all_write, writing), "every adapter has committed some", LIMIT)
            ending.set()
            await end(servers, stop, chance)
            _, hanging = await asyncio.wait(tasks, timeout=2.0)
            for task in hanging:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended
        await servers.kafka.start()
        for adapter in writing:
            async with adapter.producer():
                pass  # its start ends the transaction that the stop interrupted

        deadline = time.monotonic() + LIMIT / 4
        while True:
            found, behind = await committed(servers)
            if not behind or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.2)
        assert not behind, f"{stop}: readers stand before a transaction that nobody ends, by partition: {behind}"
        missing = {value for adapter in adapters for value in adapter.committed} - set(found)
        assert not missing, f"{stop}: committed, and not to be read: {sorted(missing)}"
        assert len(found) == len(set(found))
