"""Sends records to Kafka, one record batch per partition at a time, and checks where each landed.

Invariants (`docs/decisions/0003-relay-pipelining.md`): a partition's next batch is given to the producer only when the one
before is acknowledged, and the broker appends a batch whole or not at all; so no later version of a stream is on its way
while an earlier one is unacknowledged, whatever error comes. On a topic that only the relay writes, each batch must
begin at the offset after the last. Any error, a lost connection, and no answer for `ACK_SECONDS`, raise RelayStoppedError: the
publisher must then be closed and never used again.

The connections are made once, in `open`, before anybody reads how far the topics are, and never again: aiokafka would quietly
connect anew and send on to a broker that came back from a power cut with less than it had acknowledged, so that a later
version of a stream would stand before the earlier ones. A broker that still is the one compared with has the same connection.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaError

from services.eventlog.relay import metrics
from services.eventlog.relay.comparing import SINGLE_WRITER
from services.eventlog.relay.errors import RelayStoppedError
from services.eventlog.relay.headers import Outgoing
from services.eventlog.relay.reading import ANSWER_SECONDS, Place
from services.settings import Settings

ACK_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 5.0
BATCH_BYTES: Final = 256 * 1024
LINGER_MS: Final = 0
"""A batch is full or closed when it is handed over: there is nothing to wait for."""
NEVER_MS: Final = 2**31 - 1
METADATA_MS: Final = 60_000
"""Between two questions for metadata, which also keep the connections in use: brokers end idle ones after 10 minutes."""
MOST_RECORDS: Final = 10_000
MOST_BYTES: Final = 32 * 1024 * 1024


@dataclass(slots=True)
class Flight:
    """A batch on its way."""

    records: list[Outgoing]
    sent: float


@dataclass(frozen=True, slots=True)
class Landed:
    """An acknowledged batch: its outbox rows, where it ended, when (monotonic)."""

    place: Place
    next_offset: int
    last_id: str
    rows: list[int]
    at: float


class Publisher:
    """`open`, then `add` and `pump`; `landed` fills up as acknowledgements come in, `news` is set each time."""

    def __init__(self, settings: Settings, topics: Iterable[str]) -> None:
        """`topics` without prefix. Nothing happens before `open`; `begin` says where they end."""
        self._prefix = settings.kafka_topic_prefix
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap,
            client_id="leadline-relay",
            enable_idempotence=True,
            acks="all",
            compression_type="zstd",
            max_batch_size=BATCH_BYTES,
            linger_ms=LINGER_MS,
            request_timeout_ms=10_000,
            connections_max_idle_ms=NEVER_MS,
            metadata_max_age_ms=METADATA_MS,
        )
        self._topics = set(topics)
        self._connections: dict[tuple[Any, Any], Any] = {}
        self.expected: dict[Place, int] = {}
        self.landed: deque[Landed] = deque()
        self.news = asyncio.Event()
        self.waiting = 0
        self._bytes = 0
        self._queues: dict[Place, deque[Outgoing]] = {}
        self._flights: dict[Place, Flight] = {}
        self._failed: RelayStoppedError | None = None

    async def open(self) -> Publisher:
        """Connect to every broker and get a producer id; returns itself. Raises RelayStoppedError when one does not answer."""
        try:
            await asyncio.wait_for(self._producer.start(), ANSWER_SECONDS)
            async with asyncio.timeout(ANSWER_SECONDS):
                for topic in self._topics:  # now, and not while the first record waits
                    await self._producer.partitions_for(self._prefix + topic)
                await self._hold_connections()
        except BaseException:
            await self.close()
            raise
        return self

    async def _hold_connections(self) -> None:
        client = self._producer.client
        for broker in client.cluster.brokers():
            if not await client.ready(broker.nodeId):
                raise RelayStoppedError(f"the broker {broker.nodeId} cannot be reached")
            place = (broker.nodeId, ConnectionGroup.DEFAULT)
            self._connections[place] = client._conns[place]

        async def held(node_id: Any, *, group: Any = ConnectionGroup.DEFAULT, no_hint: bool = False) -> Any:
            """A connection of `open`, while it lives; none is made anew (see the module's docstring)."""
            connection = self._connections.get((node_id, group))
            return connection if connection is not None and connection.connected() else None

        client._get_conn = held

    def begin(self, ends: dict[Place, int]) -> None:
        """The next offset of every partition, as read after `open`."""
        self.expected = dict(ends)

    @property
    def room(self) -> bool:
        """Whether more records may be added."""
        return self.waiting < MOST_RECORDS and self._bytes < MOST_BYTES

    @property
    def in_flight(self) -> bool:
        """Whether a batch is on its way."""
        return bool(self._flights)

    def on_its_way(self, place: Place) -> int:
        """Records of a partition handed over and not acknowledged."""
        flight = self._flights.get(place)
        return len(flight.records) if flight else 0

    def oldest(self) -> float | None:
        """Monotonic time at which the oldest unacknowledged record was taken."""
        heads = [queue[0].since for queue in self._queues.values() if queue]
        heads += [flight.records[0].since for flight in self._flights.values()]
        return min(heads, default=None)

    def add(self, records: Iterable[Outgoing]) -> None:
        """Put records in the queues of their partitions, in this order."""
        for record in records:
            place = (record.topic, record.partition)
            queue = self._queues.get(place)
            if queue is None:
                queue = self._queues[place] = deque()
            queue.append(record)
            self.waiting += 1
            self._bytes += len(record.value)

    async def pump(self) -> None:
        """Hand over a batch for every partition that has records and none on its way. Raises RelayStoppedError."""
        self.check()
        for place in [place for place, queue in self._queues.items() if queue and place not in self._flights]:
            await self._hand_over(place, self._queues[place])

    def check(self) -> None:
        """Raises RelayStoppedError when anything went wrong since the last call, a connection was lost, or an answer is
        overdue."""
        if self._failed is not None:
            raise self._failed
        if not all(connection.connected() for connection in self._connections.values()):
            self._failed = RelayStoppedError("a connection to Kafka was lost: what it still has must be compared first")
            raise self._failed
        overdue = time.monotonic() - ACK_SECONDS
        for (topic, partition), flight in self._flights.items():
            if flight.sent < overdue:
                raise RelayStoppedError(f"Kafka has not acknowledged {topic}[{partition}] for {ACK_SECONDS:.0f} s")

    async def drain(self, limit: float) -> None:
        """Wait until nothing is queued or on its way, at most `limit` seconds. Raises RelayStoppedError."""
        deadline = time.monotonic() + limit
        while True:
            self.news.clear()
            await self.pump()
            if not self.waiting:
                return
            if time.monotonic() > deadline:
                raise RelayStoppedError(f"{self.waiting} records are not acknowledged after {limit:.0f} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), 0.5)

    async def settle(self, limit: float) -> None:
        """Wait for what is on its way, sending nothing more, at most `limit` seconds."""
        deadline = time.monotonic() + limit
        while self._flights and self._failed is None and time.monotonic() < deadline:
            self.news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), 0.1)

    async def close(self) -> None:
        """Let go of the producer without sending anything more, within about `CLOSE_SECONDS`.

        Its own `stop` would first deliver what it still holds, and wait for a frozen broker for ever.
        """
        producer = self._producer
        if self._failed is None and not self._flights:
            stopping = asyncio.ensure_future(producer.stop())
            await asyncio.wait([stopping], timeout=CLOSE_SECONDS)
            if stopping.done() and not stopping.cancelled() and stopping.exception() is None:
                return
            stopping.cancel()
        sending = producer._sender.sender_task
        if sending is not None:
            sending.cancel()
        ending = [asyncio.ensure_future(producer.client.close())]
        if sending is not None:
            ending.append(sending)
        _, left = await asyncio.wait(ending, timeout=CLOSE_SECONDS)
        for task in left:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        producer._closed = True  # else its finaliser complains that nobody called stop

    async def _hand_over(self, place: Place, queue: deque[Outgoing]) -> None:
        topic, partition = place
        batch = self._producer.create_batch()
        records: list[Outgoing] = []
        while queue:
            head = queue[0]
            if batch.append(timestamp=head.timestamp, key=head.key, value=head.value, headers=head.headers) is None:
                break
            records.append(queue.popleft())
        batch.close()
        if not records:
            raise RelayStoppedError(f"{queue[0].id.decode()} does not fit into a batch of {topic}[{partition}]")
        self._flights[place] = Flight(records, time.monotonic())
        try:
            async with asyncio.timeout(ACK_SECONDS):
                sent = await self._producer.send_batch(batch, self._prefix + topic, partition=partition)
        except (KafkaError, TimeoutError, AssertionError) as error:
            raise self._fail(place, error) from error
        sent.add_done_callback(partial(self._arrived, place))

    def _arrived(self, place: Place, sent: asyncio.Future[Any]) -> None:
        """The broker's answer to a batch."""
        self.news.set()
        if sent.cancelled():
            self._fail(place, None)
        elif (error := sent.exception()) is not None:
            self._fail(place, error)
        else:
            self._check_offset(place, sent.result().offset)

    def _check_offset(self, place: Place, offset: int) -> None:
        topic, partition = place
        flight = self._flights[place]
        if topic in SINGLE_WRITER and offset != self.expected[place]:
            self._failed = self._failed or RelayStoppedError(
                f"{topic}[{partition}]: a batch that begins with {flight.records[0].id.decode()} landed at {offset}, "
                f"not at {self.expected[place]}: "
                "somebody else wrote, or the log was cut short"
            )
            return
        del self._flights[place]
        count = len(flight.records)
        self.waiting -= count
        self._bytes -= sum(len(record.value) for record in flight.records)
        self.expected[place] = offset + count
        rows = [record.n for record in flight.records if record.n]
        self.landed.append(Landed(place, offset + count, flight.records[-1].id.decode(), rows, time.monotonic()))
        metrics.PUBLISHED.labels(topic).inc(count)

    def _fail(self, place: Place, error: BaseException | None) -> RelayStoppedError:
        topic, partition = place
        self._failed = self._failed or RelayStoppedError(f"{topic}[{partition}]: Kafka did not take a batch: {error!r}")
        return self._failed
