"""What tests of the delivery service share: requests on the log, a strict other side, the aggregate service's part of the talk.

`Outside` is the other side of every way: a table of its own in the test's database, written apart from all transactions of ours,
so that it survives whoever dies and knows each time it was asked. `House` writes the events and reads the reports.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaProducer

from contracts.commands import Command, Report
from contracts.events import EffectDone, EffectFailed, EffectRepeated, EffectRequested, Event
from contracts.meta import Actor
from services.database import Pool
from services.delivery import app
from services.delivery.adapters import Way
from services.delivery.port import Done, Later, Outcome, Refused
from services.health import Health
from services.settings import Settings
from tests.builders import Keys, Made, Stream
from tests.eventlog_builders import write

LIMIT = 60.0
OUTSIDE = """CREATE TABLE outside (
    n bigint GENERATED ALWAYS AS IDENTITY, provider text NOT NULL, effect uuid NOT NULL, call uuid NOT NULL, size int NOT NULL,
    said text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())"""


async def until(holds: Callable[[], Awaitable[Any]], what: str, limit: float = LIMIT) -> Any:
    """Wait for a condition; name it when it does not come."""
    deadline = time.monotonic() + limit
    while not (found := await holds()):
        assert time.monotonic() < deadline, f"not within {limit:.0f} s: {what}"
        await asyncio.sleep(0.02)
    return found


class Outside:
    """An adapter to the other side, which does what `script` says of each effect: done, refused, later, whole, small:N (too few
    below N together), doubt, hang, die (after it was done), raise, wrong (another number of answers)."""

    def __init__(self, url: str, provider: str, most: int = 1, script: Callable[[Any, int], str] | None = None) -> None:
        self.provider, self.most = provider, most
        self.script = script or (lambda order, size: "done")
        self.seen: list[Any] = []
        self.closed = False
        self._url = url
        self._connection: Any = None
        self._turn = asyncio.Lock()

    async def carry_out(self, effects: Sequence[Any]) -> Sequence[Outcome]:
        """Note each in the table, as the other side would, then answer."""
        self.seen += effects
        call, outcomes, wrong = uuid4(), [], False
        for order in effects:
            async with self._turn:
                if self._connection is None:
                    self._connection = await asyncpg.connect(self._url)
                said = self.script(order, len(effects))
                await self._connection.execute(
                    "INSERT INTO outside (provider, effect, call, size, said) VALUES ($1, $2, $3, $4, $5)",
                    self.provider,
                    order.effect,
                    call,
                    len(effects),
                    said,
                )
            outcomes.append(await self._answer(said, len(effects)))
            wrong = wrong or said == "wrong"
        return outcomes[1:] if wrong else outcomes

    async def _answer(self, said: str, size: int) -> Outcome:
        word, _, rest = said.partition(":")
        if word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "hang":
            await asyncio.Event().wait()
        if word == "raise":
            raise RuntimeError("+79161234567 a text that must not be logged")
        if word == "small":
            least = int(rest)
            return Done(matched=1) if size >= least else Later(f"audience_too_small: {size} of {least}", after=3600.0)
        return {
            "done": Done(provider_id="id-1"),
            "wrong": Done(),
            "refused": Refused("no_such_address: 550"),
            "later": Later("busy: 450"),
            "whole": Later("no_connection", whole_provider=True),
            "doubt": Later("answer_lost", in_doubt=True),
        }[word]

    async def close(self) -> None:
        """Let go of the connection."""
        self.closed = True
        if self._connection is not None:
            await self._connection.close()


class House:
    """Streams with requests, and what the aggregate service does with the reports: an event for each command id, once."""

    def __init__(self, settings: Settings, pool: Pool, producer: AIOKafkaProducer) -> None:
        self.settings, self.pool, self.producer = settings, pool, producer
        self.keys = Keys()
        self.streams: dict[UUID, Stream] = {}
        self.of: dict[UUID, tuple[Stream, EffectRequested]] = {}
        self.answered: set[UUID] = set()
        self.reports: list[Command] = []
        self.made: list[Made] = []

    def stream(self) -> Stream:
        """A lead's stream."""
        made = Stream(self.keys, at=datetime.now(UTC) - timedelta(minutes=30))
        self.streams[made.id] = made
        return made

    def requested(self, kind: str = "email", stream: Stream | None = None, **more: Any) -> tuple[UUID, Made]:
        """A request, not published yet."""
        effect = uuid4()
        values: dict[str, Any] = {
            "email": {"email": "anna@example.org", "subject": "Здравствуйте", "text": "Ждём вас", "name": "Анна"},
            "sms": {"phone": "+79161234567", "text": "Ждём вас"},
            "audience": {"phone": "+79161234567", "service": "vk", "audience": "warm", "action": "add"},
            "webhook": {"service": "crm", "text": "{}"},
            "notice": {"service": "helen", "subject": "Смотрите", "text": "Лид ждёт"},
        }[kind]
        event = EffectRequested(effect=effect, effect_kind=kind, **{**values, **more})  # type: ignore[arg-type]
        where = stream or self.stream()
        self.of[effect] = (where, event)
        return effect, where.add(event, actor=Actor(id="robot", kind="robot"))

    async def ask(self, kind: str = "email", stream: Stream | None = None, **more: Any) -> UUID:
        """A request on the log."""
        effect, made = self.requested(kind, stream, **more)
        await self.publish([made])
        return effect

    async def publish(self, made: Sequence[Made]) -> None:
        """Into the store, then on the topic."""
        await self.keys.store(self.pool, self.settings)
        await write(self.pool, made)
        await self.pool.execute(
            "DELETE FROM leadline.outbox WHERE value IS NULL"
        )  # the topic is written here, not by a relay
        self.made += made
        await self.put(made)

    async def put(self, made: Sequence[Made]) -> None:
        """On the topic (again)."""
        sent = [
            await self.producer.send(
                self.settings.kafka_topic_prefix + each.topic, each.value, key=each.key, headers=each.headers
            )
            for each in made
        ]
        for future in sent:
            await future

    async def add(self, effect: UUID, event: Event) -> None:
        """One more event of an effect."""
        await self.publish([self.of[effect][0].add(event)])

    async def repeat(self, effect: UUID, **mended: Any) -> None:
        """A person has it tried again."""
        kind = self.of[effect][1].effect_kind
        await self.add(effect, EffectRepeated(effect=effect, effect_kind=kind, **mended))

    async def take_reports(self) -> list[Command]:
        """The reports that are in the outbox, taken out of it."""
        rows = await self.pool.fetch(
            "WITH gone AS (DELETE FROM leadline.outbox WHERE topic = 'leads.commands' RETURNING n, value) "
            "SELECT value FROM gone ORDER BY n"
        )
        return [Command.model_validate_json(row[0]) for row in rows]

    async def answer(self) -> None:
        """Take the reports and record what they say, each command id once."""
        made = []
        for command in await self.take_reports():
            self.reports.append(command)
            if command.id in self.answered:
                continue
            self.answered.add(command.id)
            assert isinstance(command.body, Report)
            made.append(self.of[command.body.effect][0].add(self.event_of(command.body)))
        if made:
            await self.publish(made)

    def event_of(self, report: Report) -> Event:
        """What the aggregate service records."""
        kind = self.of[report.effect][1].effect_kind
        shared = {
            "effect": report.effect,
            "effect_kind": kind,
            "provider": report.provider,
            "doubtful": report.doubtful,
        }
        if report.outcome == "done":
            return EffectDone(
                attempts=report.attempts, provider_id=report.provider_id, matched=report.matched, **shared
            )
        assert report.reason is not None
        return EffectFailed(attempts=report.attempts, reason=report.reason, **shared)

    async def row(self, effect: UUID) -> Any:
        """The ledger's row."""
        return await self.pool.fetchrow("SELECT * FROM leadline.effects WHERE effect = $1", effect)

    async def state(self, effect: UUID) -> str | None:
        """Its state."""
        found: str | None = await self.pool.fetchval("SELECT state FROM leadline.effects WHERE effect = $1", effect)
        return found

    async def settled(self, *effects: UUID, states: Sequence[str] = ("done", "failed"), limit: float = LIMIT) -> None:
        """Wait until these are closed, doing the aggregate's part meanwhile."""

        async def all_closed() -> bool:
            await self.answer()
            open_: int = await self.pool.fetchval(
                "SELECT count(*) FROM unnest($1::uuid[]) AS w (effect) LEFT JOIN leadline.effects AS e USING (effect) "
                "WHERE e.state IS NULL OR e.state <> ALL($2::text[])",
                list(effects),
                list(states),
            )
            return open_ == 0

        try:
            await until(all_closed, f"{len(effects)} effects are {' or '.join(states)}", limit)
        except AssertionError:
            for row in await self.pool.fetch(
                "SELECT * FROM leadline.effects WHERE effect = ANY($1) AND state <> ALL($2)", effects, states
            ):
                print(dict(row))
            raise

    async def carried_out(self, *effects: UUID) -> dict[UUID, int]:
        """How often the other side did it."""
        rows = await self.pool.fetch("SELECT effect, count(*) FROM outside GROUP BY effect")
        found = {row[0]: row[1] for row in rows}
        return {effect: found.get(effect, 0) for effect in effects}


class Delivery:
    """The service in this process."""

    def __init__(
        self, settings: Settings, ways: Sequence[Way], *, report_again: float = 60.0, clock: Any = None
    ) -> None:
        self.health, self.stop = Health("delivery"), asyncio.Event()
        self.task = asyncio.create_task(
            app.run(settings, self.health, self.stop, ways=lambda _: list(ways), report_again=report_again, clock=clock)
        )

    async def ready(self) -> None:
        """It is ready."""

        async def is_ready() -> bool:
            if self.task.done():
                await self.task
            return self.health.is_ready()

        await until(is_ready, "the delivery service is ready")

    async def end(self) -> None:
        """Stop it in order."""
        self.stop.set()
        await asyncio.wait_for(self.task, LIMIT)


@asynccontextmanager
async def delivering(
    settings: Settings, *ways: Way, report_again: float = 60.0, clock: Any = None
) -> AsyncIterator[Delivery]:
    """The service, ready."""
    made = Delivery(settings, ways, report_again=report_again, clock=clock)
    try:
        await made.ready()
        yield made
        await made.end()
    finally:
        made.task.cancel()
        await asyncio.gather(made.task, return_exceptions=True)


SERVE = """
import asyncio, os
from services.delivery.adapters import Way
from services.delivery.app import run
from services.health import Health
from services.settings import Settings
from tests.integration.delivery_case import Outside

async def main():
    settings, script = Settings(), os.environ["SCRIPT"]
    url = settings.database_url.get_secret_value()
    words = script.split(",")
    adapter = Outside(url, "email", script=lambda order, size: words.pop(0) if len(words) > 1 else words[0])
    way = Way("email", adapter, tells_repeats=os.environ["TELLS"] == "1", call_seconds=float(os.environ["CALL_SECONDS"]),
              at_once=int(os.environ["AT_ONCE"]))
    await run(settings, Health("delivery"), asyncio.Event(), ways=lambda _: [way])

asyncio.run(main())
"""


class DeliveryProcess:
    """The service in a process of its own, with one way, `email`. `script`: words of `Outside`, one a call, the last for ever."""

    def __init__(
        self, settings: Settings, *, script: str, tells_repeats: bool, call_seconds: float, at_once: int = 1
    ) -> None:
        env = {
            **os.environ,
            "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
            "KAFKA_PARTITIONS": str(settings.kafka_partitions),
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "LEADLINE_MASTER_KEY": settings.master_key.get_secret_value(),
            "LEADLINE_PEPPER": settings.pepper.get_secret_value(),
            "SCRIPT": script,
            "TELLS": "1" if tells_repeats else "0",
            "CALL_SECONDS": str(call_seconds),
            "AT_ONCE": str(at_once),
            "LEADLINE_INSTANCE": "one",
        }
        self.process = subprocess.Popen([sys.executable, "-c", SERVE], env=env)

    async def dead(self) -> None:
        """Wait until it was killed."""

        async def is_dead() -> bool:
            return self.process.poll() is not None

        await until(is_dead, "the process is dead")
        assert self.process.returncode == -signal.SIGKILL
