"""Looking at a partition's log apart from consuming it: where it begins and ends, and whether a witness still stands there.

A short-lived reader without a group does it, so that the subscriber's own fetching is never disturbed. Nothing is written.
Raises KafkaError when the broker is away; every wait has a limit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaTimeoutError, OffsetOutOfRangeError

from services.eventlog.consuming.records import Position, RawRecord, Slot, witness_of
from services.eventlog.consuming.unreadable import reads

READ_SECONDS = 10.0
AGAIN_SECONDS = 1.0


def raw(record: ConsumerRecord, prefix: str) -> RawRecord:
    """The record with its topic's own name."""
    return RawRecord(
        record.topic[len(prefix) :],
        record.partition,
        record.offset,
        record.key,
        record.value,
        record.headers,
        record.timestamp,
    )


class Log:
    """The logs of one deployment's topics, `prefix` before their names."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._partitions: dict[Slot, TopicPartition] = {}

    def partition(self, slot: Slot) -> TopicPartition:
        """The slot as Kafka names it."""
        if (made := self._partitions.get(slot)) is None:  # asked of each of a hundred, four times a second
            made = self._partitions[slot] = TopicPartition(self._prefix + slot.topic, slot.partition)
        return made

    def slot(self, partition: TopicPartition) -> Slot:
        """The slot of a partition as Kafka names it."""
        return Slot(partition.topic[len(self._prefix) :], partition.partition)

    async def bounds(self, slots: Collection[Slot]) -> tuple[dict[Slot, int], dict[Slot, int]]:
        """First offset there is, and the offset after the last one that is committed, of each partition."""
        async with self._reader(slots) as reader:
            partitions = [self.partition(s) for s in slots]
            first = await asyncio.wait_for(reader.beginning_offsets(partitions), READ_SECONDS)
            end = await asyncio.wait_for(reader.end_offsets(partitions), READ_SECONDS)
        return {self.slot(p): o for p, o in first.items()}, {self.slot(p): o for p, o in end.items()}

    async def disagreeing(self, positions: Mapping[Slot, Position], *, again: bool = False) -> list[Slot]:
        """Partitions whose log does not hold the witness right before its position; empty when all agree.

        A record gone by retention agrees while the position is not before the log's beginning. `again`: wait a second
        first.
        """
        if again:
            await asyncio.sleep(AGAIN_SECONDS)
        if not positions:
            return []
        first, end = await self.bounds(positions)
        wrong, ask = [], {}
        for slot, position in positions.items():
            if position.next_offset < first[slot] or position.next_offset > end[slot]:
                wrong.append(slot)
            elif position.witness and position.next_offset - 1 >= first[slot]:
                ask[slot] = position
        found = await self._read(ask)
        return wrong + [slot for slot, position in ask.items() if found.get(slot) != position.witness]

    async def _read(self, positions: Mapping[Slot, Position]) -> dict[Slot, bytes | None]:
        """The witness of the record right before each position, None where another offset comes first."""
        if not positions:
            return {}
        found: dict[Slot, bytes | None] = {}
        deadline = time.monotonic() + READ_SECONDS
        async with self._reader(positions) as reader:
            for slot, position in positions.items():
                reader.seek(self.partition(slot), position.next_offset - 1)
            while len(found) < len(positions):
                if time.monotonic() > deadline:
                    raise KafkaTimeoutError("the records before the positions did not come; is the broker in trouble?")
                # one at a time: a partition answered is paused, so the rest is not read in vain
                try:
                    taken = await reads(reader)
                except OffsetOutOfRangeError as error:
                    taken = {}
                    for partition in error.args[0]:
                        found[self.slot(partition)] = None
                        reader.pause(partition)
                if not taken:  # only aborted records or markers stand there now: the reader passes them without a word
                    for slot in positions.keys() - found.keys():
                        if await reader.position(self.partition(slot)) >= positions[slot].next_offset:
                            found[slot] = None
                for partition, records in taken.items():
                    slot = self.slot(partition)
                    expected = positions[slot].next_offset - 1
                    record = records[0]
                    found[slot] = witness_of(raw(record, self._prefix)) if record.offset == expected else None
                    reader.pause(partition)
        return found

    @asynccontextmanager
    async def _reader(self, slots: Collection[Slot]) -> AsyncIterator[AIOKafkaConsumer]:
        reader = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            request_timeout_ms=int(READ_SECONDS * 1000),
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=1 << 20,
        )
        reader.assign([self.partition(slot) for slot in slots])
        try:
            await asyncio.wait_for(reader.start(), READ_SECONDS)
            yield reader
        finally:
            await asyncio.wait_for(reader.stop(), READ_SECONDS)
