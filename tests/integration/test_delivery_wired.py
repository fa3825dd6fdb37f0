"""The whole way of a robot's effects: requested by the aggregate service, carried out by the real adapters, recorded (R3, C6)."""

from __future__ import annotations

import asyncio
import base64
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from contracts import events as e
from contracts.commands import Command, Fire, Repeat
from contracts.meta import Actor
from services.clock import SystemClock
from services.database import Pool
from services.delivery.adapters import making_of, ways_of
from services.delivery.app import run
from services.health import Health
from services.leads.reading import read_history
from services.ops.verify.run import verify
from services.pipelines import registry
from services.privacy.store import KeyRing
from services.settings import Settings
from services.ways_out import OutgoingWebhook, SmsGateway
from tests.integration.delivery.http_peer import answer, listening
from tests.integration.delivery.mail_out_case import mail_out
from tests.integration.delivery.strict_smtp import strict
from tests.integration.delivery_case import until
from tests.integration.publishing_case import unique
from tests.integration.web_case import whole_system

pytestmark = pytest.mark.kafka

PIPELINE = """
pipeline: {name}
titles: {{ru: "Школа", en: "School"}}
conversion_point: deal
templates:
  - id: hello
    titles: {{ru: "Здравствуйте", en: "Hello"}}
    kind: email
    ru: {{subject: "Пробное занятие", text: "Ждём вас."}}
    en: {{subject: "A lesson", text: "We wait for you."}}
  - id: short
    titles: {{ru: "Коротко", en: "Short"}}
    kind: sms
    ru: {{text: "Ждём вас"}}
    en: {{text: "We wait"}}
stages:
  - id: new
    titles: {{ru: "Новый", en: "New"}}
    kind: open
    robots:
      - {{id: letter, titles: {{ru: "Письмо", en: "Letter"}}, do: {{email: hello}}}}
      - {{id: message, titles: {{ru: "Смс", en: "Sms"}}, do: {{sms: short}}}}
      - {{id: crm, titles: {{ru: "Срм", en: "Crm"}}, do: {{webhook: crm}}}}
  - {{id: deal, titles: {{ru: "Сделка", en: "Deal"}}, kind: won}}
  - {{id: poor, titles: {{ru: "Брак", en: "Poor"}}, kind: lost}}
"""
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
HEAD = Actor(id="helen", kind="person", role="head")
ROBOTS = Actor(id="robots", kind="robot")


def test_R3_the_ways_out_are_those_the_settings_name() -> None:
    assert [way.provider for way in ways_of(Settings())] == ["app"]
    assert making_of(Settings()).unsubscribe(uuid4()) is None
    smpp = {"kind": "smpp", "host": "127.0.0.1", "system_id": "x", "password": "y", "sender": "Firma"}
    full = Settings.model_validate(
        {
            "mail_out": mail_out(2525),
            "sms_out": smpp,
            "audiences": [{"service": "yandex", "token": "t"}],
            "webhooks": {"crm": {"url": "https://crm.example.org/in", "secret": SECRET}},
            "pepper": base64.b64encode(bytes(32)).decode(),
            "public_url": "https://leads.example.org",
        }
    )
    ways = {way.provider: (way.tells_repeats, way.by_call, way.per_minute, way.at_once) for way in ways_of(full)}
    assert ways == {
        "app": (True, False, None, 1),
        "email": (False, False, 100, 1),
        "sms": (False, False, 600, 1),
        "audiences.yandex": (True, True, 5, 1),
        "webhook:crm": (True, False, 600, 8),
    }
    assert (making_of(full).unsubscribe(uuid4()) or "").startswith("https://leads.example.org/unsubscribe/")


class Circle:
    """A lead of a system at work, and what is sent to it by Kafka."""

    def __init__(self, settings: Settings, pool: Pool, producer: AIOKafkaProducer) -> None:
        self.settings, self.pool, self.producer = settings, pool, producer
        self.lead = UUID(int=0)

    async def begin(self) -> None:
        """A form becomes a lead."""
        form = {"name": "Анна", "phone": "+79161234567", "email": "anna@client.example"}
        headers = [("ce_type", b"leadline.inbound.form"), ("ce_source", b"site"), ("ce_id", b"1")]
        topic = f"{self.settings.kafka_topic_prefix}leads.inbound"
        await self.producer.send_and_wait(topic, orjson.dumps(form), key=b"k", headers=headers)

        async def there() -> Any:
            return await self.pool.fetchval("SELECT lead FROM leadline.inbound_outcomes WHERE lead IS NOT NULL")

        self.lead = await until(there, "the form became a lead")

    async def command(self, body: Any, actor: Actor) -> None:
        """A command on the topic."""
        made = Command(id=uuid4(), lead=self.lead, actor=actor, body=body)
        value = made.model_dump_json(exclude_none=True).encode()
        topic = f"{self.settings.kafka_topic_prefix}leads.commands"
        await self.producer.send_and_wait(topic, value, key=str(self.lead).encode())

    async def events(self, kind: type[Any]) -> list[Any]:
        """The lead's events of a type."""
        async with self.pool.acquire() as database:
            history = await read_history(database, KeyRing(self.settings.master_key_bytes), self.lead)
        return [recorded.data for recorded in history if isinstance(recorded.data, kind)]

    async def happened(self, kind: type[Any], count: int) -> list[Any]:
        """Wait for so many of a type."""

        async def there() -> Any:
            found = await self.events(kind)
            return found if len(found) >= count else None

        found: list[Any] = await until(there, f"{count} of {kind.__name__}")
        return found


async def test_C6_robots_reach_the_real_servers_and_what_came_of_it_is_recorded(settings: Settings, pool: Pool) -> None:
    name = unique("school")
    await registry.publish(pool, SystemClock(), PIPELINE.format(name=name), HEAD)
    async with strict() as smtp, listening(answer(400)) as gateway, listening(answer(200)) as crm:
        sms = {"kind": "http", "url": f"http://127.0.0.1:{gateway.port}/v1", "token": "tok", "sender": "Firma"}
        hook = {"url": f"http://127.0.0.1:{crm.port}/in", "secret": SECRET, "allow_private": True}
        asked = settings.model_copy(
            update={
                "default_pipeline": name,
                "mail_out": mail_out(smtp.port),
                "sms_out": SmsGateway.model_validate(sms),
                "webhooks": {"crm": OutgoingWebhook.model_validate(hook)},
            }
        )
        producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, enable_idempotence=True)
        await producer.start()
        async with whole_system(asked, pool) as system:
            health, stop = Health("delivery"), asyncio.Event()
            delivery = asyncio.create_task(run(system, health, stop))
            try:
                circle = Circle(system, pool, producer)
                await circle.begin()
                for armed in await circle.happened(e.RobotArmed, 3):
                    await circle.command(Fire(timer=armed.timer, robot=armed.robot), ROBOTS)
                done = await circle.happened(e.EffectDone, 2)
                (failed,) = await circle.happened(e.EffectFailed, 1)
                assert {event.provider for event in done} == {"email", "webhook:crm"}
                assert (failed.effect_kind, failed.provider, failed.attempts) == ("sms", "sms", 1)
                gateway.script = answer(202, b'{"id": "gw-17"}')
                await circle.command(Repeat(effect=failed.effect), HEAD)
                (*_, sent) = await circle.happened(e.EffectDone, 3)
                assert (sent.effect, sent.provider_id, sent.doubtful) == (failed.effect, "gw-17", False)

                async def read_back() -> bool:
                    rows = await pool.fetch("SELECT state FROM leadline.effects")
                    return [row[0] for row in rows] == ["done"] * 3

                await until(read_back, "the ledger has read all of it")
                report = await verify(system)
                assert [str(each) for each in report.differences] == []
                assert report.counts["effects"] == 3
            finally:
                stop.set()
                await asyncio.wait_for(asyncio.gather(delivery, return_exceptions=True), 60)
        await producer.stop()
        delivery.result()
    (letter,) = smtp.letters
    assert f"leads+{circle.lead}@firma.example".encode() in letter
    (called,) = crm.asked
    assert orjson.loads(called.body)["data"]["lead"] == str(circle.lead)
    assert len({ask.headers["idempotency-key"] for ask in gateway.asked}) == 1
    assert smtp.faults == []
