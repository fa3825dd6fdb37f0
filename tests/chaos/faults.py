"""What is done to the system: each fault is a function that strikes once, and says in `Scene` when it did.

Invariants: a fault uses only what an operator, a kernel or a power cut could do: signals, files, the documented commands. The
system must heal by itself, or by the command the runbook names (`leadline up` again, `leadline republish`). A `quiet` fault is
struck when the system is drained, because what it destroys is kept nowhere else.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx

from tests.chaos.disk import lost_kafka, old_postgres, power_cut
from tests.chaos.scene import Fault, Scene
from tests.chaos.system import GROUPS, until

BURST = 50
DAY = timedelta(days=1)


def kill(*names: str) -> Callable[[Scene], Awaitable[None]]:
    """A fault that kills these, and relies on the supervisor."""

    async def strike(scene: Scene) -> None:
        scene.hit(*names)

    return strike


async def kill_supervisor(scene: Scene) -> None:
    """The supervisor alone: its children must stop by themselves, and the next start must find a clean place."""
    process = scene.system.process
    assert process is not None
    scene.struck = time.monotonic()
    scene.load.ledger.crashes += 1  # Postgres may be gone before what became of a letter is stored
    process.kill()
    process.wait(5.0)
    await asyncio.sleep(scene.chance.choice((0.0, 0.3, 3.0)))
    await scene.up()


async def kill_everything(scene: Scene) -> None:
    """All at once, as a power switch does to processes."""
    scene.struck = time.monotonic()
    scene.load.ledger.crashes += 1
    scene.system.kill_everything()
    await scene.up()


async def kill_again_and_again(scene: Scene) -> None:
    """A service is killed whenever it comes back, three times."""
    name = scene.chance.choice(GROUPS)
    scene.note = name
    for _ in range(3):
        await until(f"{name} runs again", lambda: _running(scene, name), 30.0)
        scene.hit(name)
        await asyncio.sleep(scene.chance.uniform(0.3, 2.0))


async def _running(scene: Scene, name: str) -> bool:
    return name in scene.system.pids()


async def frozen_broker(scene: Scene) -> None:
    """SIGSTOP of the broker, kill -9 of the relay: the next relay takes over from one whose records may still be on their way."""
    broker = scene.system.pid("kafka")
    os.kill(broker, signal.SIGSTOP)
    try:
        await asyncio.sleep(scene.chance.uniform(0.0, 0.5))
        scene.hit("relay")
        await asyncio.sleep(scene.chance.choice((4.0, 8.0, 13.0)))
    finally:
        os.kill(broker, signal.SIGCONT)
    scene.struck = time.monotonic()


async def rebalance(scene: Scene) -> None:
    """A second `leads` process joins and shares the partitions; then one of the two is killed."""
    process, url = scene.system.second_leads()
    await until("the second leads process is ready", lambda: _ready(url), 45.0)
    await asyncio.sleep(scene.chance.uniform(1.0, 2.5))
    if scene.chance.random() < 0.5:
        scene.note = "the first is killed"
        scene.hit("leads")

        async def leave() -> None:
            process.send_signal(signal.SIGTERM)
            await until("the second leads process stopped", lambda: _ended(process), 30.0)

        scene.later.append(leave)
    else:
        scene.note = "the second is killed"
        scene.struck = time.monotonic()
        process.kill()
        process.wait(5.0)


async def _ready(url: str) -> bool:
    async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
        return (await client.get(f"{url}/health/ready")).status_code == 200


async def _ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


async def bi_transaction(scene: Scene) -> None:
    """Transactions of a BI user and of the owner stay open while the relay is killed; closed once all works again."""
    bi, owner = await scene.system.connect(scene.system.info["bi_database"]), await scene.system.connect()
    await bi.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    view = await bi.fetchval("SELECT min(viewname) FROM pg_views WHERE schemaname = 'bi'")
    await bi.fetchval(f"SELECT count(*) FROM bi.{view}")
    await owner.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    await owner.fetchval("SELECT count(*) FROM leadline.outbox")
    await asyncio.sleep(scene.chance.uniform(1.0, 3.0))
    scene.hit("relay")

    async def let_go() -> None:
        for connection in (bi, owner):
            try:
                await connection.execute("ROLLBACK")
            finally:
                connection.terminate()

    scene.later.append(let_go)


async def clock_jumps(scene: Scene) -> None:
    """The practice clock goes a day ahead, so that all that waits is due at once; then back, as only an operator can."""
    await scene.load.move_clock(DAY)
    scene.struck = time.monotonic()
    await asyncio.sleep(scene.chance.uniform(0.2, 2.0))
    database = await scene.system.connect()
    try:
        await database.execute("UPDATE leadline.clock SET practice_now = practice_now - $1::interval", DAY)
    finally:
        database.terminate()
    scene.load.now -= DAY


async def burst(scene: Scene) -> None:
    """50 concurrent posts of one new person, the aggregate service killed midway: 50 messages, one lead."""
    posting = asyncio.create_task(scene.load.burst(BURST))
    await asyncio.sleep(scene.chance.uniform(0.05, 0.4))
    scene.hit("leads")

    async def all_answered() -> None:
        await posting

    scene.later.append(all_answered)


FAULTS = (
    *(Fault(f"kill -9 {name}", "service", kill(name)) for name in GROUPS),
    Fault("50 posts of one person, kill -9 leads", "service", burst),
    Fault("kill -9 a service three times", "service", kill_again_and_again),
    Fault("kill -9 broker", "server", kill("kafka")),
    Fault("kill -9 postgres and its children", "server", kill("postgres")),
    Fault("kill -9 broker and postgres", "server", kill("kafka", "postgres")),
    Fault("kill -9 supervisor alone", "whole", kill_supervisor),
    Fault("kill -9 everything", "whole", kill_everything),
    Fault("SIGSTOP broker, relay taken over", "timing", frozen_broker),
    Fault("rebalance of two leads", "timing", rebalance),
    Fault("BI transaction held, kill -9 relay", "timing", bi_transaction),
    Fault("clock a day ahead and back", "timing", clock_jumps),
    Fault("power cut of the broker", "disk", power_cut),
    Fault("Kafka folder deleted", "disk", lost_kafka, quiet=True),
    Fault("Postgres restored from older copy", "disk", old_postgres, quiet=True),
)


def choose(rounds: int, chance: random.Random) -> list[Fault]:
    """Which faults in which order: up to five rounds one of each group, more rounds each fault in turn, shuffled anew."""
    if rounds <= 5:
        groups = list(dict.fromkeys(fault.group for fault in FAULTS))
        chosen = [chance.choice([f for f in FAULTS if f.group == group]) for group in groups]
        chance.shuffle(chosen)
        return chosen[:rounds]
    chosen = []
    while len(chosen) < rounds:
        chosen += chance.sample(FAULTS, len(FAULTS))
    return chosen[:rounds]
