"""What tests of the robots service share: leads whose events arm and close timers, clocks moved by hand, the commands that went
out. The events are written as the aggregate service and the relay would."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson

from contracts.commands import COMMAND_TYPE, Command, Fire
from contracts.events import RobotArmed, RobotCancelled, RobotFailed, RobotRan, RobotSkipped
from contracts.meta import Actor
from contracts.topics import LEADS_COMMANDS
from services.clock import Clock
from services.database import Pool
from services.health import Health
from services.robots import app, store
from services.settings import Settings
from tests.builders import Keys, Made, Stream
from tests.eventlog_builders import read_topic, until

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIMIT = 60.0


@dataclass
class HandClock:
    """A clock that stands still until the test moves it, forward or back."""

    at: datetime = NOON

    async def now(self) -> datetime:
        return self.at

    def move(self, by: timedelta) -> None:
        self.at += by


@dataclass
class RunningClock:
    """A clock that stands at `at` until `start`, and runs from there."""

    at: datetime
    started: float | None = None

    async def now(self) -> datetime:
        return self.at if self.started is None else self.at + timedelta(seconds=time.monotonic() - self.started)

    def start(self) -> None:
        self.started = time.monotonic()


@dataclass
class Lead(Stream):
    """A lead whose robots are armed and closed by hand."""

    keys: Keys = field(default_factory=Keys)

    def arm(self, robot: str = "first_letter", due_at: datetime = NOON, timer: UUID | None = None, **meta: Any) -> UUID:
        """Arm a robot; its timer."""
        timer = timer or uuid4()
        self.add(RobotArmed(robot=robot, timer=timer, visit=1, due_at=due_at, because="entry"), **meta)
        return timer

    def close(self, timer: UUID, outcome: str = "ran", robot: str = "first_letter") -> Made:
        """The aggregate's outcome."""
        common: dict[str, Any] = {"robot": robot, "timer": timer, "visit": 1}
        match outcome:
            case "ran":
                return self.add(RobotRan(**common, did="tag", due_at=NOON, late_ms=0))
            case "skipped":
                return self.add(RobotSkipped(**common, reason="condition", clause="true"))
            case "cancelled":
                return self.add(RobotCancelled(**common, by="left_stage"))
            case _:
                return self.add(RobotFailed(**common, reason="no template"))


class Robots:
    """The service as its process runs it, with clocks of the test's own."""

    def __init__(self, settings: Settings, clock: Clock, wall: Clock | None) -> None:
        self.health, self.stop = Health("robots"), asyncio.Event()
        self.task = asyncio.create_task(app.run(settings, self.health, self.stop, clock=clock, wall=wall))

    async def ready(self) -> bool:
        if self.task.done():
            self.task.result()
        return self.health.is_ready()

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, LIMIT)


@asynccontextmanager
async def robots(
    settings: Settings, clock: Clock, wall: Clock | None = None, *, ready: bool = True
) -> AsyncIterator[Robots]:
    """The service at work; cancelled at the end if it still is."""
    running = Robots(settings, clock, wall)
    try:
        if ready:
            await until(running.ready, "the robots service is ready", LIMIT)
        yield running
        if not running.task.done():
            await running.end()
    finally:
        running.task.cancel()
        await asyncio.gather(running.task, return_exceptions=True)


SERVE = "from services.ops.serve import serve; import sys; sys.exit(serve(sys.argv[1]))"


def robots_process(settings: Settings) -> subprocess.Popen[bytes]:
    """The process `robots` as it is served."""
    return served(settings, "robots")


def served(settings: Settings, name: str) -> subprocess.Popen[bytes]:
    """A service's process, by its name."""
    env = {
        **os.environ,
        "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
        "KAFKA_PARTITIONS": str(settings.kafka_partitions),
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "LEADLINE_MASTER_KEY": settings.master_key.get_secret_value(),
        "LEADLINE_PEPPER": settings.pepper.get_secret_value(),
        "LEADLINE_INTERNAL_TOKEN": settings.internal_token.get_secret_value(),
        "LEADLINE_INSTANCE": f"up-{name}",
        **({"LEADLINE_CLOCK": settings.clock.isoformat()} if settings.clock else {}),
    }
    return subprocess.Popen([sys.executable, "-c", SERVE, name], env=env, stderr=subprocess.DEVNULL)


async def commands(settings: Settings) -> list[Command]:
    """Every command on the topic, each proven to be one that the aggregate reads; in the order of partitions."""
    found = []
    for records in (await read_topic(settings, LEADS_COMMANDS.name)).values():
        for record in records:
            command = Command.model_validate_json(record.value)
            assert isinstance(command.body, Fire)
            assert record.key == str(command.lead).encode()
            assert dict(record.headers)["ce_type"] == COMMAND_TYPE.encode()
            assert command.actor == Actor(id=command.body.robot, kind="robot")
            found.append(command)
    return found


async def fired(settings: Settings) -> list[UUID]:
    """Timers of all commands on the topic, with those that they bring along, sorted."""
    bodies = [command.body for command in await commands(settings) if isinstance(command.body, Fire)]
    return sorted([body.timer for body in bodies] + [due.timer for body in bodies for due in body.also])


async def rows(pool: Pool) -> dict[UUID, tuple[str, int]]:
    """Timers that are there: state and attempts."""
    return {row[0]: (row[1], row[2]) for row in await pool.fetch("SELECT timer, state, attempts FROM leadline.timers")}


async def states(pool: Pool, **wanted: int) -> None:
    """Wait until there are so many rows of each state, and no others."""

    async def there() -> bool:
        found = await pool.fetch("SELECT state, count(*) FROM leadline.timers GROUP BY state")
        return dict(map(tuple, found)) == wanted

    await until(there, f"timers: {wanted}", LIMIT)


async def read_all(pool: Pool, streams: Iterable[Stream]) -> None:
    """Wait until the service has all events of these streams."""
    wanted = {stream.id: stream.version for stream in streams}

    async def there() -> bool:
        found = await pool.fetch(
            "SELECT stream, version FROM leadline.seen WHERE consumer = $1 AND stream = ANY($2)",
            store.CONSUMER,
            list(wanted),
        )
        seen = dict(map(tuple, found))
        return all(seen.get(stream, 0) >= version for stream, version in wanted.items())

    await until(there, "the robots service has read all", LIMIT)


async def counts(pool: Pool) -> dict[str, int]:
    """Armed, closed by outcome, and rows, over all robots; armed = closed + rows is proven here."""
    row = await pool.fetchrow(
        """SELECT coalesce(sum(armed), 0)::int AS armed, coalesce(sum(ran), 0)::int AS ran,
                  coalesce(sum(skipped), 0)::int AS skipped, coalesce(sum(cancelled), 0)::int AS cancelled,
                  coalesce(sum(failed), 0)::int AS failed, (SELECT count(*)::int FROM leadline.timers) AS rows
           FROM leadline.timer_counts"""
    )
    found = {name: row[name] for name in row.keys()}  # noqa: SIM118 (a Record iterates over its values)
    assert found["armed"] == sum(found[name] for name in ("ran", "skipped", "cancelled", "failed", "rows")), found
    return found


def refusal(command: Command, rule: str) -> bytes:
    """A refusal's record, as the aggregate publishes it."""
    return orjson.dumps(
        {
            "command": str(command.id),
            "lead": str(command.lead),
            "type": "fire",
            "actor": command.actor.model_dump(exclude_none=True),
            "version": 1,
            "refusal": {"rules": [rule], "ru": "рано", "en": "too early"},
            "at": NOON.isoformat(),
        }
    )
