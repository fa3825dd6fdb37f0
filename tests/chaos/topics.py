"""What stands on Kafka, read by a plain consumer from the first record to the last, and compared with the store.

Invariants: at least once and byte-equal; repeats are counted apart and byte-equal too; nothing that the store does not know; the
first occurrences of a stream come in the order of its versions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from tests.chaos.fold import Told

EVENTS = ("leads.events", "deals.events", "people.events", "incidents.events", "pipelines.events", "teams.events")
REFUSALS = "leads.refusals"
READ_SECONDS = 60.0


async def read(bootstrap: str, topic: str) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """All records of a topic, also those of aborted transactions. Raises TimeoutError after `READ_SECONDS`."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    async with asyncio.timeout(READ_SECONDS):
        await consumer.start()
        try:
            while not (partitions := consumer.assignment()):
                await asyncio.sleep(0.02)
            begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
            left = {p: end for p, end in ends.items() if end > begins[p]}
            while left:
                for partition, records in (await consumer.getmany(timeout_ms=200, max_records=5_000)).items():
                    yield records
                    if partition in left and await consumer.position(partition) >= left[partition]:
                        del left[partition]
        finally:
            await consumer.stop()


async def check_events(bootstrap: str, events: Mapping[tuple[UUID, int], Told], say: list[str]) -> int:
    """Compare the `*.events` topics with the store's events; complaints go to `say`. The number of repeats."""
    found: set[tuple[UUID, int]] = set()
    first: dict[UUID, int] = {}
    repeats = 0
    for topic in EVENTS:
        async for records in read(bootstrap, topic):
            for record in records:
                place = f"{topic}[{record.partition}]@{record.offset}"
                headers = {name: value.decode("ascii") for name, value in record.headers}
                stream, _, version = headers.get("ce_id", "").rpartition("-")
                event = events.get((UUID(stream), int(version))) if stream else None
                if event is None:
                    say.append(f"{place}: {headers.get('ce_id')} is unknown to the store")
                    continue
                _same(record, headers, event, place, topic, say)
                key = (event.stream, event.version)
                if key in found:
                    repeats += 1
                    continue
                if event.version != first.get(event.stream, 0) + 1:
                    say.append(f"{place}: version {event.version} came first after {first.get(event.stream, 0)}")
                found.add(key)
                first[event.stream] = event.version
    for stream, version in sorted(events.keys() - found)[:20]:
        say.append(f"{stream}-{version} ({events[stream, version].type}) is on no topic")
    return repeats


def _same(
    record: ConsumerRecord, headers: Mapping[str, str], event: Told, place: str, topic: str, say: list[str]
) -> None:
    if record.value != event.state:
        say.append(f"{place}: other bytes than the store")
    if record.key != str(event.stream).encode():
        say.append(f"{place}: the key {record.key!r} is not the stream")
    wanted: dict[str, Any] = {
        "ce_type": event.type,
        "ce_digest": event.digest.hex(),
        "ce_commandid": event.meta["command"],
        "ce_subject": str(event.stream),
    }
    if wrong := {name: headers.get(name) for name, value in wanted.items() if headers.get(name) != value}:
        say.append(f"{place}: headers {wrong}, wanted {wanted}")
    kinds = {
        "lead": "leads",
        "contact": "people",
        "pipeline": "pipelines",
        "deal": "deals",
        "incident": "incidents",
        "team": "teams",
    }
    if topic != kinds.get(event.meta["kind"], "?") + ".events":
        say.append(f"{place}: an event of kind {event.meta['kind']}")
    if record.timestamp != int(event.recorded_at.timestamp() * 1000):
        say.append(f"{place}: timestamp {record.timestamp} is not recorded_at")


async def check_refusals(bootstrap: str, refused: set[UUID], say: list[str]) -> int:
    """Each refused command stands on `leads.refusals`, and nothing else does. The number of repeats."""
    found: dict[str, bytes | None] = {}
    repeats = 0
    async for records in read(bootstrap, REFUSALS):
        for record in records:
            command = dict(record.headers)["ce_commandid"].decode()
            if command in found:
                repeats += 1
                if found[command] != record.value:
                    say.append(f"{REFUSALS}: two different records of {command}")
            found[command] = record.value
    known = {str(command) for command in refused}
    for command in sorted(known ^ found.keys())[:20]:
        say.append(f"{REFUSALS}: {command} {'is missing' if command in known else 'was never refused'}")
    return repeats
