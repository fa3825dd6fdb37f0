"""Misses of one person with timers, two aggregate services, relay and delivery at work, and one of them killed (Q6, N20, N21)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any
from uuid import uuid4, uuid5

import pytest
from aiokafka import AIOKafkaProducer

import services.eventlog.relay.app
import services.robots.app
from contracts import events as e
from contracts.commands import Capture, Command
from contracts.journal import journal_of
from deploy.embedded.ports import free_port
from services.database import Pool
from services.delivery.adapters import Way
from services.eventlog.recording import store as recording
from services.health import Health
from services.ops.verify.run import verify
from services.settings import Colleague, Settings
from tests.eventlog_builders import until
from tests.integration.delivery_case import OUTSIDE, Outside, delivering
from tests.integration.journal_case import QUARTER, START, events_of, prepared
from tests.integration.leads_case import ANNA

pytestmark = pytest.mark.kafka

LEADS = 9
LIMIT = 60.0
SERVE = "from services.ops.serve import serve; import sys; sys.exit(serve('leads'))"


def served(settings: Settings, port: int) -> subprocess.Popen[bytes]:
    """The aggregate service in a process of its own."""
    env = {
        **os.environ,
        "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
        "KAFKA_PARTITIONS": str(settings.kafka_partitions),
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "LEADLINE_MASTER_KEY": settings.master_key.get_secret_value(),
        "LEADLINE_PEPPER": settings.pepper.get_secret_value(),
        "LEADLINE_INTERNAL_TOKEN": settings.internal_token.get_secret_value(),
        "LEADLINE_DEFAULT_PIPELINE": settings.default_pipeline,
        "LEADLINE_RESPONSIBLES": '["anna"]',
        "LEADLINE_CLOCK": START.isoformat(),
        "LEADLINE_LEADS_URL": f"http://127.0.0.1:{port}",
        "LEADLINE_INSTANCE": f"leads-{port}",
    }
    return subprocess.Popen([sys.executable, "-c", SERVE], env=env, stderr=subprocess.DEVNULL)


async def test_Q6_nine_due_in_one_second_with_a_service_killed_are_nine_incidents_and_one_escalation(
    settings: Settings, pool: Pool
) -> None:
    await prepared(pool, "killed")
    await pool.execute("INSERT INTO leadline.clock (practice_now) VALUES ($1)", START)
    await pool.execute(OUTSIDE)
    staff = [Colleague(name="anna", role="seller", email="anna@firm.example")]
    asked = settings.model_copy(
        update={"default_pipeline": "killed", "responsibles": ["anna"], "clock": START, "staff": staff}
    )
    ports = [free_port(set()) for _ in range(2)]
    processes = {port: served(asked, port) for port in ports}
    stop = asyncio.Event()
    parts = {name: Health(name) for name in ("relay", "robots")}
    runs = {"relay": services.eventlog.relay.app.run, "robots": services.robots.app.run}
    tasks = [asyncio.create_task(run(asked, parts[name], stop)) for name, run in runs.items()]
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, enable_idempotence=True)
    await producer.start()
    stream = journal_of("anna", QUARTER)
    mail = Outside(settings.database_url.get_secret_value(), "email")

    async def happened(kind: type[e.Event], count: int) -> list[Any]:
        async def there() -> list[Any] | None:
            found = await events_of(pool, asked, "anna", kind)
            return found if len(found) >= count else None

        return await until(there, f"{count} of {kind.__name__}", LIMIT)  # type: ignore[no-any-return]

    async def waiting() -> bool:
        return await pool.fetchval("SELECT count(*) FROM leadline.timers WHERE robot = 'take'") == LEADS

    async def both_wait() -> bool:
        return await pool.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") >= 2

    try:
        async with delivering(asked, Way("app", None), Way("email", mail), report_again=2.0):
            for n in range(LEADS):
                body = Capture(name="Клиент", phone=f"+7916{n:07}")
                lead = uuid5(stream, str(n))  # the same at each run: on partitions of both services
                command = Command(id=uuid4(), lead=lead, actor=ANNA, body=body)
                topic = f"{settings.kafka_topic_prefix}leads.commands"
                await producer.send_and_wait(
                    topic, command.model_dump_json(exclude_none=True).encode(), key=str(lead).encode()
                )
            await until(waiting, "every lead's deadline waits", LIMIT)
            async with pool.acquire() as holding, holding.transaction():
                # nobody gets at the journal until both have their misses in hand
                await recording.lock(holding, {recording.lock_number(stream.bytes)})
                await pool.execute("UPDATE leadline.clock SET practice_now = $1", START + timedelta(minutes=1))
                await until(both_wait, "both services wait for the journal", LIMIT)
                killed = processes.pop(ports[0])
                killed.kill()
                killed.wait(10)
            incidents = await happened(e.IncidentRecorded, LEADS)
            processes[ports[0]] = served(asked, ports[0])
            told = await happened(e.IncidentTold, LEADS)
            await happened(e.EscalationExtended, LEADS - 3)
            assert (
                len({one.incident for one in incidents})
                == len({one.lead for one in incidents})
                == len(incidents)
                == LEADS
            )
            assert sorted(one.strike for one in told) == list(range(1, LEADS + 1))
            assert {one.via for one in told} == {"mail"}
            [opened] = await happened(e.EscalationOpened, 1)
            extended = await happened(e.EscalationExtended, LEADS - 3)
            added = [*opened.incidents, *(one.incident for one in extended)]
            assert len(added) == len(set(added)) == LEADS

            async def settled() -> bool:
                """Olga has no address: her notices failed at once, and stand among the dead letters."""
                rows = await pool.fetch(
                    "SELECT state, count(*) FROM leadline.effects WHERE stream = $1 GROUP BY state", stream
                )
                published = await pool.fetchval("SELECT count(*) FROM leadline.outbox")
                return dict(map(tuple, rows)) == {"done": LEADS, "failed": LEADS - 2} and published == 0

            await until(settled, "every notice is closed and published", LIMIT)
            mailed = await pool.fetch("SELECT effect, count(*) FROM outside GROUP BY effect")
            assert sorted(row[1] for row in mailed) == [1] * LEADS
    finally:
        stop.set()
        for process in processes.values():
            process.terminate()
        await asyncio.wait(tasks, timeout=30)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in processes.values():
            process.wait(30)
        await producer.stop()
    report = await verify(asked)
    assert report.counts["incidents"] == LEADS
    assert not [one for one in report.differences if one.place in ("store", "topic", "effects", "journals")], (
        report.differences
    )
