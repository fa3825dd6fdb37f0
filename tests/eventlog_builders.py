"""Puts events in the store as the writer does, runs relays, and reads topics back, for the tests of the relay."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.events import LeadSeen
from contracts.meta import Actor, Meta, Stored
from services.database import Pool
from services.eventlog.recording import store as recording
from services.eventlog.relay import app
from services.health import Health
from services.settings import Settings
from tests.builders import Keys, Made, Stream

LIMIT = 60.0

SERVE = """
import asyncio, sys
from prometheus_client import REGISTRY
from services.eventlog.relay.app import run
from services.health import Health
from services.settings import Settings

async def main():
    health = Health("relay")
    working = asyncio.ensure_future(run(Settings(), health, asyncio.Event(), hold=float(sys.argv[1])))
    while not working.done():
        print("ready" if health.is_ready() else "waiting", REGISTRY.get_sample_value("leadline_relay_waiting"), flush=True)
        await asyncio.sleep(0.05)
    await working

asyncio.run(main())
"""


def stored(made: Made) -> Stored:
    """An event as a row of the store."""
    meta = Meta.model_validate(orjson.loads(made.value)["meta"])
    return Stored(made.stream, made.version, meta.type, meta.kind, made.value, meta.recorded_at, made.digest)


async def write(pool: Pool, made: Iterable[Made]) -> None:
    """Append events and their outbox rows, in one transaction."""
    async with pool.acquire() as connection, connection.transaction():
        await recording.append(connection, [stored(each) for each in made])


def seen(stream: Stream, times: int = 1) -> list[Made]:
    """The smallest event there is, several times."""
    return [stream.add(LeadSeen(), actor=Actor(id="anna", kind="person")) for _ in range(times)]


def streams(count: int, events: int) -> list[Stream]:
    """Leads with some events each, not written."""
    keys = Keys()
    made = [Stream(keys) for _ in range(count)]
    for stream in made:
        seen(stream, events)
    return made


async def until(condition: Callable[[], Awaitable[Any]], what: str, limit: float = LIMIT) -> Any:
    """The first true answer of `condition`, asked again and again; fails after `limit` seconds."""
    deadline = time.monotonic() + limit
    while True:
        answer = await condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit:.0f} s: {what}")
        await asyncio.sleep(0.02)


async def read_topic(settings: Settings, topic: str) -> dict[int, list[Any]]:
    """All records of a topic, by partition."""
    name = settings.kafka_topic_prefix + topic
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        await consumer._client._wait_on_metadata(name)
        parts = [TopicPartition(name, p) for p in sorted(consumer._client.cluster.partitions_for_topic(name))]
        ends = await consumer.end_offsets(parts)
        consumer.assign(parts)
        found: dict[int, list[Any]] = {tp.partition: [] for tp in parts}
        deadline = time.monotonic() + LIMIT
        for tp in parts:
            while await consumer.position(tp) < ends[tp]:
                assert time.monotonic() < deadline, f"{tp} could not be read"
                for of, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[of.partition] += records
        return found
    finally:
        await consumer.stop()


def event_id(record: Any) -> str:
    """A record's `ce_id`."""
    text: str = dict(record.headers)["ce_id"].decode()
    return text


async def assert_published(settings: Settings, topic: str, made: Sequence[Made]) -> int:
    """Everything once or more, byte for byte, first copies of a stream in order, nothing else; how many repeats there are."""
    expected = {f"{each.stream}-{each.version}": each for each in made}
    count, first = 0, set()
    last: dict[UUID, int] = defaultdict(int)
    for partition, records in (await read_topic(settings, topic)).items():
        for record in records:
            count += 1
            each = expected.get(event_id(record))
            assert each is not None, f"{partition}@{record.offset}: {event_id(record)} was never written"
            assert (record.key, record.value) == (each.key, each.value)
            assert list(record.headers) == each.headers
            if event_id(record) not in first:
                first.add(event_id(record))
                assert each.version == last[each.stream] + 1, f"{each.stream}: {each.version} after {last[each.stream]}"
                last[each.stream] = each.version
    assert not expected.keys() - first, f"{len(expected.keys() - first)} of {len(expected)} are missing"
    return count - len(expected)


async def outbox_count(pool: Pool) -> int:
    """Rows in the outbox."""
    found: int = await pool.fetchval("SELECT count(*) FROM leadline.outbox")
    return found


class Relay:
    """A relay in this process; `async with` waits until it is ready and stops it at the end."""

    def __init__(self, settings: Settings, *, hold: float = 0.3, ready: bool = True) -> None:
        self.health, self.stop = Health("relay"), asyncio.Event()
        self._settings, self._hold, self._wait = settings, hold, ready
        self.task: asyncio.Task[None] | None = None

    @property
    def why(self) -> str:
        """Why it is not ready."""
        part = self.health.parts.get("relay")
        return part.why if part else ""

    async def ready(self) -> bool:
        """Whether it publishes."""
        assert self.task is not None
        if self.task.done():
            self.task.result()
        return self.health.is_ready()

    async def __aenter__(self) -> Relay:
        self.task = asyncio.create_task(app.run(self._settings, self.health, self.stop, hold=self._hold))
        if self._wait:
            await until(self.ready, "the relay is ready")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.task is not None
        self.stop.set()
        await asyncio.wait_for(self.task, 60)


class RelayProcess:
    """A relay in a process of its own."""

    def __init__(self, settings: Settings, hold: float = 0.3) -> None:
        env = {
            **os.environ,
            "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
            "KAFKA_PARTITIONS": str(settings.kafka_partitions),
            "DATABASE_URL": settings.database_url.get_secret_value(),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(hold)], env=env, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self._said = ""

    async def ready(self) -> bool:
        """Whether it publishes, as it last said."""
        return self._last()[0] == "ready"

    async def waiting(self) -> float:
        """How many records it has taken and not yet got acknowledged, as it last said."""
        return float(self._last()[1])

    def _last(self) -> list[str]:
        assert self.process.poll() is None, f"the relay ended with {self.process.returncode}"
        assert self.process.stdout is not None
        with suppress(BlockingIOError):
            self._said = (self._said + os.read(self.process.stdout.fileno(), 65536).decode())[-200:]
        lines = self._said.split("\n")
        return lines[-2].split() if len(lines) > 2 else ["", "0"]

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
