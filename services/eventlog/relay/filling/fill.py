"""Compares a whole topic with the store and publishes what it lacks.

Invariants: the caller holds the topic's lock; nothing is published when anything on the topic differs from the store
(RelayRefusesError names it); events go out in (stream, version) order, one batch per partition at a time; what waits in the
outbox is left to the relay. Stopped midway, the next run goes on: what was published is then on the topic. Memory is
bounded: the inventory of the topic is a temporary table.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from contracts.inbound import REFERENCE_TYPE, InboundReference
from contracts.topics import EVENTS_TOPIC_OF_KIND, LEADS_INBOUND, LEADS_REFUSALS
from services.eventlog.relay import store as relay_store
from services.eventlog.relay.comparing import Comparison
from services.eventlog.relay.filling import store
from services.eventlog.relay.headers import Outgoing, event_record, message_record
from services.eventlog.relay.lock import ShardConnection
from services.eventlog.relay.publishing import ACK_SECONDS, Publisher
from services.eventlog.relay.reading import Place, TopicReader
from services.settings import Settings

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Called with the phase («reading», «publishing»), how many records are done, and of how many (None: not known)."""

CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of a topic. `present`: different records of ours that it had; `repeats`: further copies, byte for byte."""

    topic: str
    present: int
    repeats: int
    published: int


async def fill(
    shard: ShardConnection, settings: Settings, reader: TopicReader, topic: str, progress: Progress
) -> Filled:
    """Publish all that `topic` (without prefix) lacks. Raises RelayRefusesError, RelayStoppedError, one of `LOST`."""
    places: list[Place] = [(topic, partition) for partition in await reader.partitions(topic)]
    publisher = await Publisher(settings, [topic]).open()  # before anything is read: see its docstring
    published = 0
    try:
        ends = await reader.ends(places)
        publisher.begin(ends)
        present, repeats = await _take_inventory(shard, reader, ends, progress)
        database = shard.database
        async with database.transaction():
            await store.allow_joins(database)
            total = await _expected(shard, topic, present)
            chunk: list[Outgoing] = []
            progress("publishing", 0, total)
            async for record in _lacking(shard, topic, len(places)):
                chunk.append(record)
                if len(chunk) >= CHUNK:
                    published += await _send(publisher, chunk)
                    progress("publishing", published, total)
                    chunk = []
            published += await _send(publisher, chunk)
            await publisher.drain(ACK_SECONDS)
            progress("publishing", published, published)
            await _move_positions(shard, publisher, places, ends)
    finally:
        await publisher.close()
    return Filled(topic, present, repeats, published)


async def _take_inventory(
    shard: ShardConnection, reader: TopicReader, ends: dict[Place, int], progress: Progress
) -> tuple[int, int]:
    """Read the whole topic into the temporary table. Raises RelayRefusesError when a record is not as the store has it."""
    await store.begin_inventory(shard.database)
    comparison = Comparison(shard)
    begins = await reader.begins(ends)
    total, done = sum(ends.values()) - sum(begins.values()), 0
    progress("reading", 0, total)
    async for name, records in reader.read({place: (begins[place], end) for place, end in ends.items()}):
        found = await comparison.take(name, records)
        await store.note_present(shard.database, [(one.stream, one.version) for one in found])
        done += len(records)
        progress("reading", done, total)
    if (refusal := comparison.refusal()) is not None:
        raise refusal
    records_found, different = await store.count_present(shard.database)
    return different, records_found - different


async def _expected(shard: ShardConnection, topic: str, present: int) -> int | None:
    kinds = _kinds(topic)
    return max(0, await store.count_stored(shard.database, kinds) - present) if kinds else None


def _kinds(topic: str) -> list[str]:
    return [kind for kind, name in EVENTS_TOPIC_OF_KIND.items() if name == topic]


async def _lacking(shard: ShardConnection, topic: str, count: int) -> AsyncIterator[Outgoing]:
    """Records to publish. Commands of reactors are in no table: their timers send them again."""
    database = shard.database
    if kinds := _kinds(topic):
        async for state, digest, recorded_at in store.lacking_events(database, topic, kinds):
            yield event_record(0, topic, count, state, digest, recorded_at, 0.0)
    elif topic == LEADS_REFUSALS.name:
        async for key, headers, value in store.lacking_refusals(database, topic):
            yield message_record(0, topic, count, key, headers, value, keep_time=True, since=0.0)
    elif topic == LEADS_INBOUND.name:
        async for inbound_id, attempt, channel, account, received_at in store.lacking_intake(database, topic):
            reference = InboundReference.model_validate(
                {
                    "inbound_id": inbound_id,
                    "channel": channel,
                    "account": account,
                    "received_at": received_at,
                    "attempt": attempt,
                }
            )
            headers = (
                f'{{"ce_specversion":"1.0","ce_id":"{inbound_id}-{attempt}","ce_type":"{REFERENCE_TYPE}",'
                '"ce_source":"/leadline/intake","content-type":"application/json"}'
            )
            # who sent it is sealed, so its key is its own id: the claims order two messages of one person (C3)
            value = reference.model_dump_json().encode()
            yield message_record(0, topic, count, str(inbound_id), headers, value, keep_time=False, since=0.0)


async def _send(publisher: Publisher, chunk: list[Outgoing]) -> int:
    publisher.add(chunk)
    await publisher.pump()
    if not publisher.room:
        await publisher.drain(ACK_SECONDS)
    publisher.landed.clear()
    return len(chunk)


async def _move_positions(
    shard: ShardConnection, publisher: Publisher, places: list[Place], ends: dict[Place, int]
) -> None:
    """A partition that had lost records is safe up to where it now ends; the others' tails are read at the next start."""
    topic = places[0][0]
    await relay_store.forget_partitions(shard.database, topic, len(places))
    old = await relay_store.positions(shard.database, [topic])
    moved = [
        relay_store.Taken(topic, place[1], publisher.expected[place], "")
        for place in places
        if old.get(place, 0) > ends[place]
    ]
    await relay_store.move(shard.database, moved)
