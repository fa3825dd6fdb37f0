"""Robots with the real aggregate service, relay and timers, on a practice clock: from a form to each robot's end."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaProducer

import services.eventlog.relay.app
import services.leads.app
import services.robots.app
from services.clock import SystemClock
from services.database import Pool
from services.health import Health
from services.ops.verify.run import verify
from services.pipelines.registry import publish
from services.settings import Settings
from tests.beside_others import free_port
from tests.eventlog_builders import until
from tests.integration.leads_case import HEAD
from tests.integration.robots_case import counts, robots_process, served

pytestmark = pytest.mark.kafka

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
PIPELINE = """
pipeline: robots
titles: {ru: "Роботы", en: "Robots"}
conversion_point: deal
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    robots:
      - {id: first, titles: {ru: "Первый", en: "First"}, do: {tag: fresh}}
      - {id: second, titles: {ru: "Второй", en: "Second"}, do: {tag: followed}, start: {after: first}}
      - {id: never, titles: {ru: "Никогда", en: "Never"}, do: {tag: lost}, when: "lead.company == 'нет'"}
      - {id: later, titles: {ru: "Позже", en: "Later"}, do: {tag: old}, start: {delay: {days: 3}}}
      - {id: leave, titles: {ru: "Уйти", en: "Leave"}, do: {move: work}, start: {delay: {days: 5}}}
  - id: work
    titles: {ru: "В работе", en: "In work"}
    kind: open
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: spam, titles: {ru: "Спам", en: "Spam"}, kind: lost, outcome: bad_data}
"""


@asynccontextmanager
async def system(settings: Settings, pool: Pool, *, robots: bool = True) -> AsyncIterator[Settings]:
    """Aggregate service, relay and, unless the test runs them itself, robots; on a practice clock that stands at `START`."""
    made = settings.model_copy(
        update={
            "leads_url": f"http://127.0.0.1:{free_port()}",
            "default_pipeline": "robots",
            "clock": START,
        }
    )
    await pool.execute("INSERT INTO leadline.clock (practice_now) VALUES ($1)", START)
    await publish(pool, SystemClock(), PIPELINE, HEAD)
    stop = asyncio.Event()
    parts = {name: Health(name) for name in ("leads", "relay", "robots")}
    runs = {
        "leads": services.leads.app.run,
        "relay": services.eventlog.relay.app.run,
        "robots": services.robots.app.run,
    }
    tasks = [asyncio.create_task(run(made, parts[name], stop)) for name, run in runs.items()]

    async def ready() -> bool:
        for task in tasks:
            if task.done():
                task.result()
        return all(part.is_ready() for part in parts.values())

    try:
        await until(ready, "all are ready")
        yield made
    finally:
        stop.set()
        await asyncio.wait(tasks, timeout=60)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def post(settings: Settings, count: int) -> None:
    """Forms of so many people, straight on Kafka."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap)
    await producer.start()
    for number in range(count):
        headers = [("ce_type", b"leadline.inbound.form"), ("ce_source", b"site"), ("ce_id", str(uuid4()).encode())]
        value = orjson.dumps({"name": f"Клиент {number}", "phone": f"+7900100{number:04}", "comment": "да"})
        at = int(START.timestamp() * 1000)  # the adapter lives in the practice system's time
        await producer.send(f"{settings.kafka_topic_prefix}leads.inbound", value, headers=headers, timestamp_ms=at)
    await producer.stop()


async def robot_events(pool: Pool) -> Counter[tuple[str, str]]:
    """Events of robots: (robot, what)."""
    rows = await pool.fetch(
        """SELECT convert_from(state, 'UTF8')::jsonb -> 'data' ->> 'robot', substring(topic FROM 'robot_(.*)$'), count(*)
           FROM leadline.events WHERE topic LIKE '%.robot\\_%' GROUP BY 1, 2"""
    )
    return Counter({(row[0], row[1]): row[2] for row in rows})


async def reach(pool: Pool, **wanted: Any) -> None:
    """Wait until the counts say so."""

    found: dict[str, int] = {}

    async def there() -> bool:
        found.update(await counts(pool))
        return {name: found[name] for name in wanted} == wanted

    try:
        await until(there, f"timers: {wanted}", 30.0)
    except AssertionError as error:
        events = dict(await robot_events(pool))
        parked = await pool.fetch("SELECT consumer, reason, detail FROM leadline.parked LIMIT 3")
        raise AssertionError(f"{error}: {found}, events {events}, parked {[tuple(row) for row in parked]}") from None


async def test_N1_N2_R1_every_robot_of_a_hundred_leads_ends_once(settings: Settings, pool: Pool) -> None:
    async with system(settings, pool) as running:
        await post(running, 100)
        await reach(pool, armed=500, ran=200, skipped=100, cancelled=0, rows=200)
        await pool.execute("UPDATE leadline.clock SET practice_now = $1", START + timedelta(days=3, seconds=1))
        await reach(pool, armed=500, ran=300, skipped=100, cancelled=0, rows=100)
        await pool.execute("UPDATE leadline.clock SET practice_now = $1", START + timedelta(days=5, seconds=1))
        await reach(pool, armed=500, ran=400, skipped=100, cancelled=0, rows=0)
        found = await robot_events(pool)
        assert found == {
            **{(robot, "armed"): 100 for robot in ("first", "second", "never", "later", "leave")},
            **{(robot, "ran"): 100 for robot in ("first", "second", "later", "leave")},
            ("never", "skipped"): 100,
        }
        assert await pool.fetchval("SELECT count(*) FROM leadline.commands WHERE outcome = 'refused'") == 0
        late = await pool.fetchval(
            """SELECT max((convert_from(state, 'UTF8')::jsonb -> 'data' ->> 'late_ms')::int) FROM leadline.events
               WHERE topic = 'leadline.lead.robot_ran'"""
        )
        assert late <= 1_000  # of the practice clock, which stood a second past the instant
        report = await verify(running)
        assert [str(d) for d in report.differences if d.place != "projection"] == []
        assert report.counts["timers ran"] == 400


async def test_R1_a_robot_fired_before_its_instant_waits_for_it(settings: Settings, pool: Pool) -> None:
    """The robots service's clock runs ahead of the aggregate's, as of another machine."""
    async with system(settings, pool) as running:
        await post(running, 1)
        await reach(pool, armed=5, ran=2, skipped=1, rows=2)
        await pool.execute("UPDATE leadline.timers SET due_at = due_at - interval '3 days' WHERE robot = 'later'")

        async def refused() -> bool:
            rules = await pool.fetch(
                "SELECT refusal ->> 'rules' AS rules FROM leadline.commands WHERE outcome = 'refused'"
            )
            return len(rules) >= 2 and all("R1.not_due" in row["rules"] for row in rules)

        await until(refused, "it was refused as too early, tried again, and refused again")
        await pool.execute("UPDATE leadline.clock SET practice_now = $1", START + timedelta(days=3, seconds=1))
        await reach(pool, armed=5, ran=3, skipped=1, rows=1)
        assert (await robot_events(pool))[("later", "ran")] == 1


async def test_N1_N2_kill_9_of_the_robots_service_again_and_again_ends_every_robot_once(
    settings: Settings, pool: Pool
) -> None:
    async with system(settings, pool, robots=False) as running:
        await post(running, 150)
        # 450 end at the first instant; `later` is due after three days, `leave`, which cancels what is not done yet, after five
        for kill_at, forward in ((1, 0), (200, 3), (500, 0)):
            process = robots_process(running)
            try:

                async def so_far(least: int = kill_at) -> bool:
                    found = await counts(pool)
                    return found["ran"] + found["skipped"] >= least

                await until(so_far, f"{kill_at} have ended", 60.0)
            finally:
                process.kill()
                process.wait(10)
            await pool.execute(
                "UPDATE leadline.clock SET practice_now = practice_now + $1", timedelta(days=forward, seconds=1)
            )
        process = robots_process(running)
        try:
            await reach(pool, armed=750, ran=450, skipped=150, rows=150)
            await pool.execute("UPDATE leadline.clock SET practice_now = $1", START + timedelta(days=6))

            async def leaving() -> bool:
                return (await counts(pool))["ran"] > 450

            await until(leaving, "the first have left")
        finally:
            process.kill()
            process.wait(10)
        process = robots_process(running)
        try:
            await reach(pool, armed=750, ran=600, skipped=150, rows=0)
        finally:
            process.kill()
            process.wait(10)
        assert set((await robot_events(pool)).values()) == {150}
        report = await verify(running)
        assert [str(d) for d in report.differences if d.place == "timers"] == []


async def test_N7_what_goes_out_works_in_the_gaps_and_timers_do_not(settings: Settings, pool: Pool) -> None:
    processes = [served(settings, name) for name in ("robots", "reactors")]

    def classes() -> list[int]:
        assert all(process.poll() is None for process in processes), "they run"
        return [os.sched_getscheduler(process.pid) for process in processes]

    async def stands_behind() -> bool:
        return classes()[1] == os.SCHED_IDLE

    try:
        await until(stands_behind, "the reactors have passed their gate and stand behind")
        async with pool.acquire() as database:

            async def reading() -> bool:
                return await database.fetchval("SELECT count(*) FROM leadline.positions WHERE consumer = 'robots'") > 0

            await until(reading, "the timers' process is at work")
        assert classes() == [os.SCHED_OTHER, os.SCHED_IDLE]
    finally:
        for process in processes:
            process.kill()
            process.wait(10)
