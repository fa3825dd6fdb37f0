"""Commands to Kafka: an idempotent producer, acknowledged by all replicas, in the order given.

Invariants: `send` returns only when every command is acknowledged, with the place of each; on any error the producer is thrown
away and the next call makes a new one, so nothing of a failed batch is sent later behind the caller's back. A command that went
out all the same is sent again under its own id, which does nothing twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.commands import COMMAND_TYPE, Command
from contracts.topics import LEADS_COMMANDS
from services.settings import Settings

SEND_SECONDS: Final = 15.0
"""For a whole batch; shorter than a transaction may stand idle."""
CLOSE_SECONDS: Final = 3.0

Place = tuple[int, int]
"""Partition and offset on `leads.commands`."""


class CommandsNotSentError(Exception):
    """Kafka did not take a batch of commands within `SEND_SECONDS`; some of it may stand on the topic."""


class Commands:
    """The way to `leads.commands`."""

    def __init__(self, settings: Settings) -> None:
        self._bootstrap = settings.kafka_bootstrap
        self._topic = settings.kafka_topic_prefix + LEADS_COMMANDS.name
        self._producer: AIOKafkaProducer | None = None

    async def send(self, commands: Sequence[Command]) -> list[Place]:
        """Publish all; where each stands. Raises CommandsNotSentError."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                producer = await self._made()
                waiting = [
                    await producer.send(
                        self._topic,
                        command.model_dump_json(exclude_none=True).encode(),
                        key=str(command.lead).encode(),
                        headers=_headers(command),
                    )
                    for command in commands
                ]
                landed = await asyncio.gather(*waiting)
        except (KafkaError, TimeoutError, OSError) as error:
            await self.close()
            raise CommandsNotSentError(
                f"{len(commands)} commands were not acknowledged: {type(error).__name__}"
            ) from error
        except BaseException:
            await self.close()
            raise
        return [(record.partition, record.offset) for record in landed]

    async def _made(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                client_id="leadline-robots",
                enable_idempotence=True,
                acks="all",
                compression_type="zstd",
                linger_ms=2,
                request_timeout_ms=10_000,
            )
            await self._producer.start()
        return self._producer

    async def close(self) -> None:
        """Let go of the producer, within about `CLOSE_SECONDS`. Its own `stop` waits for a frozen broker for ever."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        stopping = asyncio.ensure_future(producer.stop())
        await asyncio.wait([stopping], timeout=CLOSE_SECONDS)
        if stopping.done():
            if not stopping.cancelled():
                stopping.exception()  # looked at: whatever it was, the producer is gone
            return
        stopping.cancel()
        with suppress(asyncio.CancelledError, KafkaError, OSError, TimeoutError):
            await asyncio.wait_for(producer.client.close(), CLOSE_SECONDS)


def _headers(command: Command) -> list[tuple[str, bytes]]:
    pairs: dict[str, Any] = {
        "ce_specversion": "1.0",
        "ce_id": str(command.id),
        "ce_type": COMMAND_TYPE,
        "ce_source": "/leadline/robots",
        "ce_subject": str(command.lead),
        "content-type": "application/json",
        "ce_causationid": command.causation,
        "ce_correlationid": command.correlation,
    }
    return [(name, value.encode("ascii")) for name, value in pairs.items() if value is not None]
