"""Both doors of the aggregate service on real Kafka and Postgres: what cannot be understood is kept, the rest flows on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from contracts.commands import Accept, Command, Move, See
from contracts.meta import Actor
from services.clock import SystemClock
from services.database import Pool
from services.health import Health
from services.leads import app
from services.pipelines.registry import publish_bundled
from services.settings import Settings
from tests.beside_others import free_port

pytestmark = pytest.mark.kafka

ANNA = Actor(id="anna", kind="person", role="seller")
LIMIT = 60.0


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for a condition; name it when it does not come."""
    try:
        async with asyncio.timeout(LIMIT):
            while not await holds():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"not within {LIMIT} s: {what}")


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[Health]:
    """The aggregate service, ready."""
    health, stop = Health("leads"), asyncio.Event()
    task = asyncio.create_task(app.run(settings, health, stop))

    async def ready() -> bool:
        if task.done():
            task.result()
        return health.is_ready()

    await until(ready, "the service is ready")
    try:
        yield health
    finally:
        stop.set()
        await asyncio.wait_for(task, LIMIT)


@pytest.fixture
async def at_port(settings: Settings, pool: Pool) -> Settings:
    await publish_bundled(pool, SystemClock())
    return settings.model_copy(update={"leads_url": f"http://127.0.0.1:{free_port()}"})


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    made = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, enable_idempotence=True)
    await made.start()
    yield made
    await made.stop()


class Adapter:
    """Writes straight to our inputs, as a stranger would."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer) -> None:
        self.prefix, self.producer = settings.kafka_topic_prefix, producer

    async def form(
        self, *extra: tuple[str, bytes], raw: bytes | None = None, own_id: str | None = None, **form: Any
    ) -> None:
        headers = [("ce_type", b"leadline.inbound.form"), ("ce_source", b"site")]
        headers += [("ce_id", (own_id or str(uuid4())).encode()), *extra]
        value = raw if raw is not None else orjson.dumps(form)
        await self.producer.send_and_wait(f"{self.prefix}leads.inbound", value, key=b"k", headers=headers)

    async def command(self, value: bytes | None, *headers: tuple[str, bytes]) -> None:
        await self.producer.send_and_wait(f"{self.prefix}leads.commands", value, key=b"k", headers=list(headers))


def command(lead: UUID, body: Any, **more: Any) -> Command:
    return Command(id=more.pop("id", uuid4()), lead=lead, actor=ANNA, body=body, **more)


def wire(made: Command) -> bytes:
    return made.model_dump_json(exclude_none=True).encode()


async def test_K5_what_cannot_be_read_is_quarantined_and_the_rest_flows_on(
    at_port: Settings, pool: Pool, producer: AIOKafkaProducer
) -> None:
    adapter = Adapter(at_port, producer)
    inbound = f"{at_port.kafka_topic_prefix}leads.inbound"
    await adapter.form(raw=b"{not json")
    await adapter.form(raw=b"[1, 2]")
    await adapter.form(("x-broken", b"\xff\xfe"), name="Иван", phone="+79001234567")
    await producer.send_and_wait(inbound, None, key=b"k", headers=[("ce_type", b"leadline.inbound.form")])
    await producer.send_and_wait(inbound, b"{}", key=b"k", headers=[("ce_type", b"somebody.elses.event")])
    await producer.send_and_wait(inbound, b"{}", key=b"k", headers=[("ce_type", b"\xff\xff")])
    await adapter.form(("ce_subject", b"a\x00b"), name="Ян", email="jan@example.org", **{"a\0b": "\0"})
    await adapter.form(raw=b'{"fields": {"a\\u0000": {"b": 1}}, "name": ["\\u0000"]}')
    await adapter.form(name="Мария", email="maria@example.org")
    async with service(at_port):

        async def all_taken() -> bool:
            return bool(await pool.fetchval("SELECT count(*) FROM leadline.inbound_outcomes") == 9)

        await until(all_taken, "all nine records have an outcome")
    rows = await pool.fetch("SELECT outcome, split_part(reason, ':', 1) AS reason FROM leadline.inbound_outcomes")
    assert sorted((row["outcome"], row["reason"] or "") for row in rows) == [
        ("accepted", ""),
        ("accepted", ""),
        ("accepted", ""),
        ("quarantined", "malformed"),
        ("quarantined", "malformed"),
        ("quarantined", "malformed"),
        ("quarantined", "tombstone"),
        ("quarantined", "unknown_type"),
        ("quarantined", "unknown_type"),
    ]
    assert await pool.fetchval("SELECT count(*) FROM leadline.intake") == 9, "each is kept as it came"


async def test_K2_commands_on_kafka_are_carried_out_parked_or_refused(
    at_port: Settings, pool: Pool, producer: AIOKafkaProducer
) -> None:
    adapter = Adapter(at_port, producer)
    await adapter.form(name="Иван", phone="+79001234567")
    async with service(at_port):

        async def captured() -> bool:
            return await pool.fetchval("SELECT lead FROM leadline.inbound_outcomes") is not None

        await until(captured, "the form became a lead")
        lead = await pool.fetchval("SELECT lead FROM leadline.inbound_outcomes")
        see = command(lead, See())
        await adapter.command(wire(see))
        await adapter.command(wire(see))  # a redelivery
        await adapter.command(wire(command(lead, Accept(), id=see.id)))  # the same id, another body
        await adapter.command(b"{}")
        await adapter.command(None)
        await adapter.command(wire(see), ("ce_type", b"leadline.lead.command_of_next_year"))
        await adapter.command(wire(command(lead, Move(to="processing"))))
        await adapter.command(wire(command(lead, Accept(), expected_version=1)))
        last = command(lead, Accept())
        await adapter.command(wire(last))

        async def last_done() -> bool:
            return await pool.fetchval("SELECT outcome FROM leadline.commands WHERE id = $1", last.id) == "done"

        await until(last_done, "the last command is done")
    parked = await pool.fetch("SELECT reason FROM leadline.parked ORDER BY id")
    assert [row["reason"] for row in parked] == ["other_body", "malformed", "tombstone", "unknown_type"]
    assert await pool.fetchval("SELECT count(*) FROM leadline.events WHERE topic LIKE '%.seen'") == 1
    outcomes = await pool.fetch("SELECT outcome, rule_ids FROM leadline.commands ORDER BY at, outcome")
    assert sorted((row["outcome"], tuple(row["rule_ids"])) for row in outcomes) == [
        ("done", ()),
        ("done", ()),
        ("refused", ("K2.current_version",)),
        ("refused", ("S2.exit_criteria",)),
    ]


async def test_K5_redelivered_message_of_an_adapter_is_one_message(
    at_port: Settings, pool: Pool, producer: AIOKafkaProducer
) -> None:
    adapter = Adapter(at_port, producer)
    for _ in range(5):
        await adapter.form(own_id="mail-1", name="Иван", phone="+79001234567")
    await adapter.form(own_id="mail-2", name="Иван", phone="+79001234567")
    async with service(at_port):

        async def both() -> bool:
            return bool(await pool.fetchval("SELECT count(*) FROM leadline.inbound_outcomes") == 2)

        await until(both, "two messages have outcomes")
    rows = await pool.fetch("SELECT outcome FROM leadline.inbound_outcomes ORDER BY outcome")
    assert [row["outcome"] for row in rows] == ["accepted", "joined"]


async def test_K2_http_door_needs_the_internal_token_and_answers_the_stored_result(
    at_port: Settings, pool: Pool, producer: AIOKafkaProducer
) -> None:
    adapter = Adapter(at_port, producer)
    await adapter.form(name="Иван", phone="+79001234567")
    token = {"Authorization": f"Bearer {at_port.internal_token.get_secret_value()}"}
    async with service(at_port), httpx.AsyncClient(base_url=at_port.leads_url) as client:

        async def captured() -> bool:
            return await pool.fetchval("SELECT lead FROM leadline.inbound_outcomes") is not None

        await until(captured, "the form became a lead")
        lead = await pool.fetchval("SELECT lead FROM leadline.inbound_outcomes")
        see = command(lead, See())
        assert (await client.post("/commands", content=wire(see))).status_code == 401
        first = await client.post("/commands", content=wire(see), headers=token)
        again = await client.post("/commands", content=wire(see), headers=token)
        assert first.status_code == again.status_code == 200
        assert first.json() == again.json()
        other = await client.post("/commands", content=wire(command(lead, Accept(), id=see.id)), headers=token)
        assert other.status_code == 422
        assert (await client.post("/commands", content=b"{}", headers=token)).status_code == 422
        assert (await client.get("/health/ready")).status_code == 200


async def test_K2_two_processes_share_the_input_and_each_message_is_taken_once(
    at_port: Settings, pool: Pool, producer: AIOKafkaProducer
) -> None:
    adapter = Adapter(at_port, producer)
    total = 200
    second = at_port.model_copy(
        update={"leads_url": f"http://127.0.0.1:{free_port()}", "internal_token": SecretStr("x")}
    )

    async def send() -> None:
        for n in range(total):
            await adapter.producer.send_and_wait(
                f"{adapter.prefix}leads.inbound",
                orjson.dumps({"name": "Иван", "phone": f"+7900{n:07d}"}),
                key=str(n).encode(),
                headers=[("ce_type", b"leadline.inbound.form"), ("ce_id", str(n).encode()), ("ce_source", b"s")],
            )

    async def all_taken() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM leadline.inbound_outcomes") == total)

    async with service(at_port):
        sending = asyncio.create_task(send())
        async with service(second):
            await sending
        await until(all_taken, "every message has an outcome")
    assert await pool.fetchval("SELECT count(DISTINCT lead) FROM leadline.inbound_outcomes") == total
    captured = "SELECT count(*) FROM leadline.events WHERE topic = 'leadline.lead.captured'"
    assert await pool.fetchval(captured) == total


async def test_N18_parked_command_is_tried_again_when_released_and_stays_when_it_fails_again(
    at_port: Settings, pool: Pool, producer: AIOKafkaProducer
) -> None:
    await Adapter(at_port, producer).command(b"{}")
    async with service(at_port):

        async def parked() -> bool:
            return bool(await pool.fetchval("SELECT count(*) FROM leadline.parked WHERE released_at IS NULL") == 1)

        await until(parked, "the command is parked")
        await pool.execute("UPDATE leadline.parked SET released_at = now(), reason = 'asked again'")
        await until(parked, "it was tried and parked again")
        assert await pool.fetchval("SELECT reason FROM leadline.parked") == "malformed"
        fixed = command(uuid4(), See())
        await pool.execute("UPDATE leadline.parked SET released_at = now(), value = $1", wire(fixed))

        async def gone() -> bool:
            return not await pool.fetchval("SELECT count(*) FROM leadline.parked")

        await until(gone, "the mended command was carried out")
        assert await pool.fetchval("SELECT outcome FROM leadline.commands WHERE id = $1", fixed.id) == "refused"
