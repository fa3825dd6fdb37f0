"""Adapters that write straight on `leads.inbound`, every channel, on real servers, up to board and BI (K5, M2, N18)."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from contracts.inbound import RECORD_BYTES, TYPE_OF_CHANNEL
from contracts.meta import Actor
from services.channels.intake import Intake
from services.clock import SystemClock
from services.database import Pool
from services.eventlog.admin import MAX_MESSAGE_BYTES
from services.ops.conformance.listening import listen
from services.ops.conformance.rules import check
from services.ops.verify.run import verify
from services.settings import Settings
from tests.integration.web_case import LIMIT, until, whole_system

pytestmark = pytest.mark.kafka

AT = "2026-03-02T09:00:00+03:00"
BODIES: dict[str, dict[str, Any]] = {
    "form": {"name": "Анна", "phone": "+79161234567", "email": "anna@example.org", "kind": "callback"},
    "call": {
        "call_id": "c1",
        "direction": "in",
        "from": "8 916 123-45-67",
        "to": "+74951112233",
        "answered": True,
        "started_at": AT,
        "recording_url": "https://pbx.example.org/1.mp3",
    },
    "message": {"channel": "telegram", "sender_id": "777", "phone": "+79161234567", "text": "Вы тут?"},
    "visit": {"identity": "anna@example.org", "page": "https://example.com/prices", "at": AT},
    "mail": {"message_id": "m1@example.org", "sender": "anna@example.org", "subject": "Размеры", "text": "3 метра"},
}


async def test_K5_every_channel_straight_on_kafka_reaches_the_lead_and_bi(settings: Settings, pool: Pool) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        async with whole_system(settings, pool) as system:
            topic = f"{system.kafka_topic_prefix}leads.inbound"
            for channel, body in BODIES.items():
                headers = [("ce_type", TYPE_OF_CHANNEL[channel].encode()), ("ce_source", b"adapter-1")]
                headers += (
                    [("ce_id", b"1"), ("ce_subject", b"site")] if channel == "form" else [("ce_id", channel.encode())]
                )
                for _ in range(2):  # a redelivery is the same message
                    await producer.send_and_wait(topic, orjson.dumps(body), key=b"anna", headers=headers)

            async def timeline() -> Any:
                rows = await pool.fetch("SELECT type, lead FROM bi.timeline ORDER BY version")
                return rows if len(rows) >= 9 else None

            rows = await until(timeline, "all events on the timeline")
            assert len({row["lead"] for row in rows}) == 1
            assert [row["type"].rpartition(".")[2] for row in rows] == [
                *("captured", "stage_entered", "assigned", "activity_planned", "call_recorded", "activity_done"),
                *("inbound_joined", "visit_recorded", "letter_received"),
            ]
            messages = await pool.fetch("SELECT channel, made_the_lead, comment FROM bi.messages ORDER BY version")
            assert [tuple(row) for row in messages] == [
                ("form", True, None),
                ("call", False, None),
                ("message", False, "Вы тут?"),
                ("visit", False, None),
                ("mail", False, "3 метра"),
            ]
            assert await pool.fetchval("SELECT count(*) FROM bi.inbound") == 5
            states = await pool.fetch("SELECT kind, state FROM proj_people_1.identities ORDER BY kind")
            assert [tuple(row) for row in states] == [
                ("email", "unconfirmed"),
                ("messenger", "unconfirmed"),
                ("phone", "confirmed"),
            ]

            async def agrees() -> Any:
                report = await verify(system)
                return report if not report.differences else None

            report = await until(agrees, "store, Kafka and projections agree")
            assert (report.counts["accepted"], report.counts["joined"]) == (1, 4)
    finally:
        await producer.stop()


async def test_K5_listening_finds_what_an_adapter_really_sends_and_the_example_keeps_the_contract(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "adapters.md").read_text("utf-8")
    block = re.search(r"<!-- example: kafka -->\n```python\n(.*?)```", page, re.S)
    assert block
    example = tmp_path / "adapter.py"
    example.write_text(block[1].replace('"leads.inbound"', f'"{settings.kafka_topic_prefix}leads.inbound"'), "utf-8")
    listening = asyncio.Event()
    asked = asyncio.create_task(listen(settings, "call", "pbx", count=3, wait=LIMIT, ready=listening.set))
    await asyncio.wait_for(listening.wait(), LIMIT)
    for answered in (False, True):
        body = json.dumps({**BODIES["call"], "call_id": f"c{answered}", "answered": answered})
        adapter = await asyncio.create_subprocess_exec(sys.executable, str(example), settings.kafka_bootstrap, body)
        assert await asyncio.wait_for(adapter.wait(), LIMIT) == 0
    intake = Intake(pool, SystemClock(), settings.master_key_bytes, settings.pepper_bytes)
    actor = Actor(id="pbx", kind="adapter", role="adapter")
    await intake.keep("call", "pbx", orjson.dumps({**BODIES["call"], "from": "sip:anna"}), actor=actor)
    await intake.keep("call", "other", orjson.dumps(BODIES["call"]), actor=Actor(id="other", kind="adapter"))
    found = await asked
    assert sorted(message.way for message in found) == ["http", "kafka", "kafka"]
    faults = {r.rule.id: [f.place for f in r.faults] for r in check(found, "call", datetime.now(UTC)) if r.faults}
    assert list(faults) == ["K.sender"], "the documented example keeps every rule; what was posted does not"


async def test_N18_what_is_large_is_refused_by_the_broker_or_kept_with_the_way_out(
    settings: Settings, pool: Pool
) -> None:
    topic = f"{settings.kafka_topic_prefix}leads.inbound"
    headers = [("ce_type", b"leadline.inbound.form"), ("ce_source", b"adapter-1"), ("ce_id", str(uuid4()).encode())]

    def form(size: int) -> bytes:
        return orjson.dumps({"phone": "+79161234567", "comment": "x" * size})

    # A client's own limit says the same; it is opened here, so that the broker is the one who refuses.
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, max_request_size=8 * 1024 * 1024)
    await producer.start()
    try:
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(topic, form(5 * 1024 * 1024), key=b"k", headers=headers)
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(topic, form(MAX_MESSAGE_BYTES), key=b"k", headers=headers)
        await producer.send_and_wait(topic, form(RECORD_BYTES), key=b"k", headers=headers)
    finally:
        await producer.stop()
    async with whole_system(settings, pool):

        async def kept() -> Any:
            return await pool.fetchrow("SELECT outcome, reason FROM leadline.inbound_outcomes")

        row = await until(kept, "the large record has an outcome")
    assert (row["outcome"], row["reason"].partition(":")[0]) == ("quarantined", "too_large")
    assert "a link" in row["reason"]
