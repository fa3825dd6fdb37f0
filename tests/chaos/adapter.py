"""Clients that write to Kafka themselves: a plain producer, and one whose every third transaction is aborted.

Invariants: a message is sent again under its own id until it is acknowledged (in a transaction: until the commit is); what was
to be aborted is never sent again. A producer that met an error is closed and replaced: nothing it may still hold is trusted.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.chaos.ledger import Input, Ledger, Sent
from tests.chaos.system import ChaosError, System

ABORTED_EVERY = 3
AWAY = (KafkaError, OSError, TimeoutError, AssertionError)
GAVE_UP = 150.0  # seconds without an acknowledgement
TRY_SECONDS = 12.0
LOOK_SECONDS = 0.3
Message = Input | Sent


class Adapter:
    """One producer client. `transactional_id` None: a plain one."""

    def __init__(self, system: System, ledger: Ledger, chance: random.Random, transactional_id: str | None) -> None:
        self._system, self._ledger, self._chance, self._id = system, ledger, chance, transactional_id
        self._handed: list[Input] = []
        self._waiting: list[Message] = []
        self._number = 0
        self._heard = 0.0

    def hand_in(self, message: Input) -> None:
        """Send this one next."""
        self._handed.append(message)

    async def run(self, stop: asyncio.Event, pace: float, cycle: int) -> None:
        """Send until `stop`, and then until what was begun is acknowledged. Raises ChaosError when Kafka never answers."""
        self._heard = time.monotonic()
        while not self._done(stop):
            producer = self._producer()
            try:
                await asyncio.wait_for(producer.start(), TRY_SECONDS)
                while not self._done(stop):
                    aborted = self._take(cycle)
                    await self._try(producer, aborted)
                    self._waiting, self._heard = [], time.monotonic()
                    await asyncio.sleep(self._chance.uniform(0.5, 1.5) * pace)
            except AWAY as error:
                if any(isinstance(message, Input) and message.aborted for message in self._waiting):
                    self._waiting = []
                if time.monotonic() - self._heard > GAVE_UP:
                    raise ChaosError(f"Kafka took nothing from an adapter for {GAVE_UP:.0f} s: {error!r}") from error
                await asyncio.sleep(0.3)
            finally:
                await end_producer(producer)

    def _done(self, stop: asyncio.Event) -> bool:
        return stop.is_set() and not self._waiting and not self._handed

    def _producer(self) -> AIOKafkaProducer:
        kind = {"transactional_id": self._id} if self._id else {"acks": "all", "enable_idempotence": True}
        return AIOKafkaProducer(bootstrap_servers=self._system.info["kafka"], request_timeout_ms=5_000, **kind)

    def _take(self, cycle: int) -> bool:
        """Have messages to send; whether their transaction is one to be aborted."""
        if self._waiting:
            return False
        if self._handed:
            self._waiting, self._handed = list(self._handed), []
            return False
        self._number += 1
        aborted = self._id is not None and self._number % ABORTED_EVERY == 0
        self._waiting = [self._new(cycle, aborted) for _ in range(3 if self._id else 1)]
        return aborted

    def _new(self, cycle: int, aborted: bool) -> Message:
        leads = self._ledger.leads
        if leads and not aborted and self._chance.random() < 0.3:
            return self._ledger.new_command(
                self._chance.choice(list(leads)), self._chance.choice(("move", "assign", "see")), "kafka"
            )
        known = self._ledger.people and self._chance.random() < 0.3
        person = self._chance.choice(self._ledger.inputs[-300:]).person if known else self._ledger.new_person()
        made = self._ledger.new_input(person, "kafka", cycle)
        made.aborted = aborted
        return made

    async def _try(self, producer: AIOKafkaProducer, aborted: bool) -> None:
        """Send; every other time only while there is somebody to send to. Left alone, aiokafka asks a broker that is away a
        thousand times a second, on the processors that the system needs to start again; and some producers do outlive it."""
        away = self._until_away() if self._chance.random() < 0.5 else asyncio.Event().wait()
        tasks: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(each) for each in (self._send(producer, aborted), away)
        ]
        try:
            await asyncio.wait(tasks, timeout=TRY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not tasks[0].done():
                raise TimeoutError("the broker is away" if tasks[1].done() else "no answer")
            tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_away(self) -> None:
        """Return when nobody listens at the broker's address any more."""
        host, port = self._system.info["kafka"].rsplit(":", 1)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                async with asyncio.timeout(TRY_SECONDS):
                    _, writer = await asyncio.open_connection(host, int(port))
            except (OSError, TimeoutError):
                return
            writer.close()

    async def _send(self, producer: AIOKafkaProducer, aborted: bool) -> None:
        if self._id:
            await producer.begin_transaction()
        for message in self._waiting:
            topic, key, value, headers = _record(message)
            self._ledger.tries += 1
            await producer.send_and_wait(topic, value, key=key, headers=headers)
        if self._id:
            await (producer.abort_transaction() if aborted else producer.commit_transaction())
        if not aborted:
            for message in self._waiting:
                message.accepted = True


def _record(message: Message) -> tuple[str, bytes, bytes, list[tuple[str, bytes]]]:
    value: dict[str, Any]
    if isinstance(message, Input):
        named = {"ce_id": message.marker, "ce_type": "leadline.inbound.form", "ce_subject": "direct"}
        topic, key, value = "leads.inbound", message.person, message.body()
    else:
        named = {"ce_id": str(message.id), "ce_type": "leadline.lead.command"}
        actor = {"id": "chaos-robot", "kind": "robot"}
        topic, key = "leads.commands", str(message.lead)
        value = {
            "id": str(message.id),
            "lead": key,
            "actor": actor,
            "body": {"type": message.name} | message.arguments(),
        }
    headers = [(name, text.encode("ascii")) for name, text in (named | {"ce_source": "chaos"}).items()]
    return topic, key.encode(), json.dumps(value).encode(), headers


async def end_producer(producer: AIOKafkaProducer) -> None:
    """Close a producer whatever state it is in; its own stop may wait for a broker that is away."""
    stopping = asyncio.ensure_future(producer.stop())
    await asyncio.wait([stopping], timeout=3.0)
    if not stopping.done():
        stopping.cancel()
        with suppress(*AWAY, asyncio.CancelledError):
            await asyncio.wait_for(producer.client.close(), 3.0)
    await asyncio.gather(stopping, return_exceptions=True)
    producer._closed = True  # else its finaliser complains
