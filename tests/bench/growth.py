"""(c) to (g): what grows with the store and what must not.

(c) The same command, each on a lead of its own, with 1,000 and with 100,000 open leads in the store (`--long`: 1,000,000 too):
its cost must stay flat. (d) Rebuild of each projection by one process, events a second by the clock and by its processor. (e)
The board with all those leads in it: first page with counts and sums, and more cards of a stage. (f) `leadline import`, rows a
second, against reading the file alone. (g) The funnel: all numbers, the same by source, and a list behind a number. (e) and (g)
are over HTTP. The processor time is what to compare between runs on a machine that does other things too.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import random
import re
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import httpx
from aiokafka import AIOKafkaProducer

from contracts.commands import Command, Record
from contracts.meta import Actor
from contracts.topics import LEADS_COMMANDS
from projections.all import PROJECTIONS
from projections.projection import Projection
from projections.rebuild.run import Rebuilt, rebuild
from services.database import Pool
from services.eventlog.mapper import peek
from services.privacy.store import KeyRing
from tests.bench.filling import fill, leads_for
from tests.bench.stack import Stack, until
from tests.builders import START
from tests.integration.import_case import loan_log
from tests.integration.tokens import make_token

COMMANDS, WARM_UP = 700, 200
"""Each on a lead of its own that nobody touched before: the service keeps the states of leads it knows."""
READS = 30
LIMIT = 900.0
SAMPLE = 200_000
ROWS = 30_000
ANNA = Actor(id="anna", kind="person", role="seller")

BOARD = "/api/boards/classic"
READ = {
    "(e) board, page 1 with counts and sums": BOARD,
    "(e) board, 200 cards of a stage": f"{BOARD}/stages/processing?limit=200",
    "(g) funnel, all numbers": "/api/funnels/classic",
    "(g) funnel, activity of a month": "/api/funnels/classic?view=activity&from=2026-04-01&to=2026-04-30",
    "(g) funnel, by source": "/api/funnels/classic?by=source",
    "(g) the leads behind a number": "/api/funnels/classic/leads?number=went_on&stage=new",
}


@dataclass(frozen=True)
class Rebuild:
    """A rebuild, and what it cost: seconds of this process's processor and of Postgres'."""

    made: Rebuilt
    process: float
    postgres: float


class Read(NamedTuple):
    """Milliseconds of a GET: the median by the clock; the processor of the door and of Postgres, on average."""

    median: float
    door: float
    postgres: float


async def measure_growth(stack: Stack, sizes: Iterable[int]) -> str:
    """(c), (d), (e), (g) for a store that grows to these numbers of open leads."""
    token = await make_token(stack.pool, "bench", "head")
    lines: list[str] = []
    leads: list[UUID] = []
    costs: list[float] = []
    reads: dict[str, list[Read]] = {}
    rebuilt: list[Rebuild] = []
    filled = touched = 0
    for size in sizes:
        began = time.perf_counter()
        leads += await fill(stack.pool, stack.settings, leads_for(size) - filled, filled)
        filled = leads_for(size)
        print(f"filled to {filled:,} leads in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        rebuilt = [await _rebuild(stack, projection) for projection in PROJECTIONS]
        # else the machine's own housekeeping after all this would be counted with the commands
        await stack.pool.execute("VACUUM (ANALYZE)", timeout=LIMIT)
        untouched = random.sample(leads[touched:], min(WARM_UP + COMMANDS, len(leads) - touched))
        await _commands(stack, untouched[:WARM_UP])
        took, spent = await _commands(stack, untouched[WARM_UP:])
        touched = len(leads)
        costs.append(sum(spent.values()))
        lines.append(
            f"(c) a command with {len(leads):,} open leads in the store ({filled:,} in all): {took:,.0f} µs, of processor "
            f"{costs[-1]:,.0f} µs (leads {spent['leads']:,.0f}, postgres {spent['postgres']:,.0f}); "
            f"{costs[-1] / costs[0]:.2f} of that with the fewest"
        )
        for what, path in READ.items():
            reads.setdefault(what, []).append(await _read(stack, token, path))
    bare, events = await _bare_reading(stack.pool)
    lines.append(f"(d) bare reading of {events:,} events, nothing done with them: {bare:,.0f}/s")
    for each in rebuilt:
        made = each.made
        lines.append(
            f"(d) rebuild of {made.projection}: {made.events:,} events applied of {events:,} in the store in "
            f"{made.seconds:.1f} s, "
            f"swap included: {made.events / made.seconds:,.0f}/s applied, {events / made.seconds:,.0f}/s passed; by the one "
            f"process's processor {made.events / each.process:,.0f}/s (aim 50,000), Postgres "
            f"{each.postgres / made.events * 1e6:.1f} µs an event; live stood still {made.stopped_seconds * 1000:.0f} ms"
        )
    lines += [
        f"{what}, {len(leads):,} open leads of {filled:,}: {took[-1].median:.0f} ms (median of {READS}), of processor "
        f"{took[-1].door:.0f} ms and Postgres' {took[-1].postgres:.0f} ms; {took[-1].median / took[0].median:.1f} times that "
        "with the fewest"
        for what, took in reads.items()
    ]
    return "\n".join(lines)


async def _rebuild(stack: Stack, projection: Projection) -> Rebuild:
    ring = KeyRing(stack.settings.master_key_bytes)
    process, postgres = time.process_time(), stack.cpu()["postgres"]
    made = await rebuild(stack.pool, ring, projection, stack.settings.kafka_partitions, accept=True)
    return Rebuild(made, time.process_time() - process, stack.cpu()["postgres"] - postgres)


async def measure_import(stack: Stack) -> str:
    """(f): the loan log where it is, else a file of the same shape."""
    file, pipeline = loan_log(), "loans"
    if file is None:
        file = stack.folder / "history.csv"
        await asyncio.to_thread(_write_history, file)
    began = time.perf_counter()
    rows = await asyncio.to_thread(_read_alone, file)
    alone = rows / (time.perf_counter() - began)
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.ops.main", "import", str(file), "--pipeline", pipeline, "--source", "bench",
        "--rejected", str(stack.folder / "rejected.csv"),
        env=stack.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), LIMIT)
    took = time.perf_counter() - began
    if process.returncode not in (0, 1):
        raise RuntimeError(f"the import ended with {process.returncode}:\n{said.decode()}")
    return (
        f"(f) import of {file.name}: {rows:,} rows in {took:.1f} s, {rows / took:,.0f}/s, start of the process included: "
        f"{rows / took / alone:.4f} of reading the file alone ({alone:,.0f}/s)"
    )


async def _commands(stack: Stack, leads: list[UUID]) -> tuple[float, dict[str, float]]:
    """A command on each of these: its microseconds by the clock, and of each part's processor, up to its card on the board."""
    mark = uuid4()
    commands = [
        Command(id=uuid4(), lead=lead, actor=ANNA, body=Record(fields={"needs": f"столешница {mark}, {n}"}))
        for n, lead in enumerate(leads)
    ]
    before = stack.cpu()
    began = time.perf_counter()
    async with AIOKafkaProducer(
        bootstrap_servers=stack.servers.bootstrap, enable_idempotence=True, linger_ms=20, max_batch_size=262_144
    ) as producer:
        for command in commands:
            value = command.model_dump_json(exclude_none=True).encode()
            await producer.send(LEADS_COMMANDS.name, value, key=str(command.lead).encode())
    ids = [command.id for command in commands]

    async def shown() -> bool:
        done = await stack.pool.fetchval(
            """SELECT count(*) FROM leadline.commands AS c JOIN leadline.seen AS s ON s.stream = c.stream
               WHERE c.id = ANY($1::uuid[]) AND s.consumer = 'projections' AND s.version >= c.last_version""",
            ids,
        )
        return bool(done == len(ids))

    await until(shown, LIMIT, "all commands are done and on the board", pause=0.1)
    took = time.perf_counter() - began
    after = stack.cpu()
    return took / len(ids) * 1e6, {name: (after[name] - before[name]) / len(ids) * 1e6 for name in after}


async def _read(stack: Stack, token: str, path: str) -> Read:
    times = []
    before = stack.cpu()
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{stack.ports['door']}", headers={"Authorization": f"Bearer {token}"}, timeout=30
    ) as client:
        for _ in range(READS):
            began = time.perf_counter()
            (await client.get(path)).raise_for_status()
            times.append((time.perf_counter() - began) * 1000)
    after = stack.cpu()
    door, postgres = ((after[part] - before[part]) / READS * 1000 for part in ("door", "postgres"))
    return Read(statistics.median(times), door, postgres)


async def _bare_reading(pool: Pool) -> tuple[float, int]:
    """The baseline of a rebuild: events a second read from the store and taken apart, nothing done with them; how many
    there are."""
    async with pool.acquire() as connection, connection.transaction():
        events: int = await connection.fetchval("SELECT count(*) FROM leadline.events")
        began, read = time.perf_counter(), 0
        cursor = await connection.cursor(
            "SELECT originator_id, originator_version, state, digest, recorded_at FROM leadline.events"
        )
        while read < SAMPLE and (rows := await cursor.fetch(5_000)):
            for row in rows:
                peek(row[2])
            read += len(rows)
        return read / (time.perf_counter() - began), events


@contextmanager
def _open(file: Path) -> Iterator[Iterable[str]]:
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as text:
        yield text


def _read_alone(file: Path) -> int:
    with _open(file) as text:
        return sum(1 for row in csv.reader(text) if re.match(r"\d", row[0]))


def _write_history(file: Path) -> None:
    stages = ("SUBMITTED", "PARTLYSUBMITTED", "PREACCEPTED", "ACCEPTED", "FINALIZED", "APPROVED")
    at: datetime = START
    with file.open("w", encoding="utf-8") as text:
        text.write("case,activity,at\n")
        for row in range(ROWS):
            at += timedelta(minutes=1)
            text.write(f"{row // len(stages)},{stages[row % len(stages)]},{at.isoformat()}\n")
