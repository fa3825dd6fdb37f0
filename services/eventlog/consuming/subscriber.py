"""The one place where FastStream subscribers are made, with frozen defaults (decision 4; pitfalls in each comment).

Invariants: every subscriber is a batch subscriber with `AckPolicy.MANUAL`, an explicit group, no automatic offset reset and
no sight of aborted transactions. Records pass FastStream unparsed: its own parser decodes headers as UTF-8 and loses the
whole batch when one is not. Polling goes through `Poll`, because FastStream's loop neither tells of empty polls nor of
errors, and sleeps 5 s after each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER

Records: TypeAlias = dict[TopicPartition, list[ConsumerRecord]]
Fetch: TypeAlias = Callable[[], Awaitable[Records]]
Poll: TypeAlias = Callable[[Fetch], Awaitable[Records]]

SESSION_MS: Final = 10_000
POLL_MS: Final = 500  # a poll returns with the first records; how long it waits for them
REBALANCE_MS: Final = 30_000  # how long a running batch may hold a rebalance up

DEFAULTS: Final[dict[str, Any]] = {
    "batch": True,
    "ack_policy": AckPolicy.MANUAL,
    "auto_offset_reset": "none",
    "isolation_level": "read_committed",
    "batch_timeout_ms": 1,  # FastStream sleeps this long after an empty poll; how long a poll waits is `POLL_MS`
    "fetch_max_wait_ms": 250,
    "fetch_max_bytes": 8 << 20,
    "max_partition_fetch_bytes": 2 << 20,
    "session_timeout_ms": SESSION_MS,
    "heartbeat_interval_ms": 500,  # also how soon a member learns of a rebalance
    "rebalance_timeout_ms": REBALANCE_MS,
    "max_poll_interval_ms": 300_000,
    "no_reply": True,
}


class PolledConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer, each `getmany` of which goes through `poll`."""

    def __init__(self, *args: Any, poll: Poll, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._poll = poll

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> Records:
        """Records by partition, as `poll` lets them through."""
        return await self._poll(partial(self.fetch, *partitions, timeout_ms=POLL_MS, max_records=max_records))

    async def fetch(self, *partitions: TopicPartition, timeout_ms: int, max_records: int | None) -> Records:
        """aiokafka's own `getmany`. When it raises, records it had taken from other partitions are lost to it."""
        records: Records = await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)
        return records


async def make_broker(
    bootstrap: str,
    *,
    topics: Sequence[str],
    group: str,
    max_records: int,
    listener: ConsumerRebalanceListener,
    poll: Poll,
    take: Callable[[tuple[ConsumerRecord, ...]], Awaitable[None]],
    stop_within: float,
    instance: str | None = None,
) -> tuple[KafkaBroker, Any]:
    """A broker with one subscriber, not started yet. `topics` with their prefix; `take` must not raise.

    `instance`: makes it a static member (KIP-345): started again under the same name it goes on with its partitions at once,
    where another would wait until the group has given up its predecessor (`SESSION_MS`).

    Returns both: the subscriber's `consumer` is there once it starts.
    """
    broker = KafkaBroker(
        bootstrap,
        client_id="leadline",
        logger=None,
        apply_types=False,
        consumer_only=True,
        allow_auto_create_topics=False,
        graceful_timeout=stop_within,
        request_timeout_ms=15_000,
    )
    subscriber: Any = broker.subscriber(
        *topics,
        group_id=group,
        group_instance_id=instance,
        max_records=max_records,
        listener=listener,
        parser=_unparsed,
        decoder=_undecoded,
        **DEFAULTS,
    )
    subscriber(take)
    await broker.connect()
    config: Any = broker.config.broker_config
    config.builder = partial(PolledConsumer, poll=poll, **config.builder.keywords)
    return broker, subscriber


async def _unparsed(records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    return KafkaMessage(
        raw_message=records,
        body=b"",
        headers={},
        batch_headers=[],
        reply_to="",
        content_type=None,
        message_id="",
        correlation_id=None,
        path={},
        consumer=FAKE_CONSUMER,
    )


async def _undecoded(message: KafkaMessage) -> object:
    return message.raw_message
