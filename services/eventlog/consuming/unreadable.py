"""Passing a record that aiokafka cannot even hand over: a header's name that is no UTF-8 makes its `getmany` raise.

Without this one record of a careless adapter would hold its partition, and with it the intake, up for ever. Invariants: such a
record is not dropped: a stand-in with its place in the log and nothing else is handed over instead (`UNREADABLE` is its only
header), for the handler to quarantine or park; all else arrives as usual, only one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord

if TYPE_CHECKING:
    from services.eventlog.consuming.subscriber import PolledConsumer, Records

UNREADABLE: Final = "leadline-unreadable"
ROUND_MS: Final = 20  # wait for each partition, per round
ROUNDS: Final = 10


async def read_one_by_one(consumer: PolledConsumer) -> tuple[Records, bool]:
    """The next record of any partition that is not paused, and whether it is a stand-in; ({}, False) when none came.

    Leaves the consumer's position right after that record. Raises as `getmany` does, but for what it passes.
    """
    for _ in range(ROUNDS):
        for partition in sorted(consumer.assignment() - set(consumer.paused())):
            try:
                # one record of one partition: `getmany` loses what it had taken from others when one raises
                taken = await consumer.fetch(partition, timeout_ms=ROUND_MS, max_records=1)
            except UnicodeDecodeError:
                offset = await consumer.position(partition)
                consumer.seek(partition, offset + 1)
                return {partition: [stand_in(partition.topic, partition.partition, offset)]}, True
            if taken:
                return taken, False
    return {}, False


def stand_in(topic: str, partition: int, offset: int) -> ConsumerRecord:
    """What is handed over for a record that cannot be read."""
    headers = ((UNREADABLE, b"a header's name is no UTF-8"),)
    return ConsumerRecord(topic, partition, offset, 0, 0, None, None, None, -1, -1, headers)


async def reads(reader: AIOKafkaConsumer) -> Records:
    """`getmany` of one record for a reader of one partition at a time, with a stand-in for what cannot be read."""
    try:
        taken: Records = await reader.getmany(timeout_ms=250, max_records=1)
    except UnicodeDecodeError:
        found: Records = {}
        for partition in sorted(reader.assignment() - set(reader.paused())):
            try:
                found |= await reader.getmany(partition, timeout_ms=250, max_records=1)
            except UnicodeDecodeError:
                offset = await reader.position(partition)
                found[partition] = [stand_in(partition.topic, partition.partition, offset)]
            if found:
                break
        return found
    return taken
