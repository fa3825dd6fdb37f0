"""Reading the relay's topics back, from an offset to the end, in bounded memory and bounded time.

Invariants: no consumer group, nothing committed, records of open transactions of other writers included
(`read_uncommitted`); topics are named without the deployment's prefix. Raises RelayStoppedError when Kafka makes no
progress for `STALLED_SECONDS`, a Kafka error or TimeoutError when it does not answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.eventlog.relay.errors import RelayStoppedError
from services.settings import Settings

Place: TypeAlias = tuple[str, int]
"""Topic (without prefix) and partition."""

ANSWER_SECONDS: Final = 15.0
STALLED_SECONDS: Final = 30.0
FETCH_BYTES: Final = 8 * 1024 * 1024
CHUNK: Final = 5_000


class TopicReader:
    """A consumer without a group over the relay's topics; `open` and `close`."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.kafka_topic_prefix
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap,
            client_id="leadline-relay-reader",
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_uncommitted",
            fetch_max_bytes=FETCH_BYTES,
            request_timeout_ms=10_000,
        )

    async def open(self) -> TopicReader:
        """Connect; returns itself."""
        try:
            await asyncio.wait_for(self._consumer.start(), ANSWER_SECONDS)
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Disconnect; at most 5 s, whatever state the broker is in."""
        closing = asyncio.ensure_future(self._consumer.stop())
        await asyncio.wait([closing], timeout=5.0)
        closing.cancel()

    async def partitions(self, topic: str) -> list[int]:
        """The partitions of a topic. Raises RelayStoppedError when there is no such topic."""
        name = self._prefix + topic
        async with asyncio.timeout(ANSWER_SECONDS):
            # asks the cluster, unlike partitions_for_topic, which knows subscribed topics only
            found = await self._consumer._client._wait_on_metadata(name)
        if not found:
            raise RelayStoppedError(f"topic {name} does not exist; `leadline prepare` makes it")
        return sorted(found)

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset after the last record, by place."""
        async with asyncio.timeout(ANSWER_SECONDS):
            return self._plain(await self._consumer.end_offsets([self._full(place) for place in places]))

    async def begins(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset of the first record still there, by place."""
        async with asyncio.timeout(ANSWER_SECONDS):
            return self._plain(await self._consumer.beginning_offsets([self._full(place) for place in places]))

    async def read(self, ranges: Mapping[Place, tuple[int, int]]) -> AsyncIterator[tuple[str, list[Any]]]:
        """Records of each range (first offset, end), as (topic, records of one partition in order), at most `CHUNK` at once."""
        open_ends = {self._full(place): end for place, (begin, end) in ranges.items() if begin < end}
        if not open_ends:
            return
        self._consumer.assign(list(open_ends))
        for place, (begin, end) in ranges.items():
            if begin < end:
                self._consumer.seek(self._full(place), begin)
        moved = time.monotonic()
        try:
            while open_ends:
                found = await self._consumer.getmany(*open_ends, timeout_ms=500, max_records=CHUNK)
                for tp, records in found.items():
                    moved = time.monotonic()
                    wanted = [record for record in records if record.offset < open_ends[tp]]
                    if wanted:
                        yield tp.topic.removeprefix(self._prefix), wanted
                for tp in list(open_ends):
                    # the position passes what holds no record too: ends of transactions, gaps
                    if await asyncio.wait_for(self._consumer.position(tp), ANSWER_SECONDS) >= open_ends[tp]:
                        del open_ends[tp]
                        self._consumer.pause(tp)
                        moved = time.monotonic()
                if time.monotonic() - moved > STALLED_SECONDS:
                    stuck = ", ".join(f"{tp.topic}[{tp.partition}]" for tp in list(open_ends)[:5])
                    raise RelayStoppedError(f"Kafka sent nothing of {stuck} for {STALLED_SECONDS:.0f} s")
        finally:
            self._consumer.unsubscribe()

    def _full(self, place: Place) -> TopicPartition:
        return TopicPartition(self._prefix + place[0], place[1])

    def _plain(self, offsets: Mapping[TopicPartition, int]) -> dict[Place, int]:
        return {(tp.topic.removeprefix(self._prefix), tp.partition): offset for tp, offset in offsets.items()}
