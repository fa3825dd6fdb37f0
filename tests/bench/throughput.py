"""(a) Actions per second end to end: inbound → rules → store → relay → Kafka → board, against the bare write path.

Both take five actions a lead (a form, then four commands) that make ten events a lead, from topics filled beforehand. The
baseline is `trials/ceiling.py`, run on the same servers in the same run; the figure is the ratio of the two.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4, uuid5

import orjson
from aiokafka import AIOKafkaProducer

from contracts.commands import Accept, Command, CommandBody, Move, Reject, See
from contracts.meta import Actor
from contracts.topics import LEADS_COMMANDS, LEADS_INBOUND
from services.leads.domain.recognition import NAMESPACE
from tests.bench.stack import Stack, until

ACTIONS = 5
LIMIT = 600.0
ANNA = Actor(id="anna", kind="person", role="seller")
COMMANDS: tuple[CommandBody, ...] = (See(), Accept(), Move(to="processing"), Reject(status="no_contact"))


@dataclass(slots=True)
class Figure:
    """Actions a second, and the processor time each part spent on one action (microseconds)."""

    actions_per_second: float
    microseconds: dict[str, float] = field(default_factory=dict)


async def measure_ceiling(stack: Stack, script: Path, leads: int) -> Figure:
    """The baseline: the slower of its writer and its board, as both must keep up."""
    actions = leads * ACTIONS
    for name in list(stack.processes):
        await stack.stop(name)
    await run_ceiling(stack, script, "setup", str(actions), str(leads))
    board = asyncio.create_task(run_ceiling(stack, script, "board", str(actions * 2)))
    written = await run_ceiling(stack, script, "write", str(actions), "1000")
    folded = await board
    for name in ("leads", "relay", "projections", "door"):
        await stack.start(name)
    write = float(re.search(r"write: (\d+)", written).group(1))  # type: ignore[union-attr]
    board_events = float(re.search(r"board: (\d+)", folded).group(1))  # type: ignore[union-attr]
    return Figure(min(write, board_events / 2))


async def run_ceiling(stack: Stack, script: Path, *words: str) -> str:
    """One of the baseline's processes; what it printed."""
    environment = {**stack.environment, "KAFKA": stack.servers.bootstrap, "DATABASE": stack.servers.database_url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), *words, env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), LIMIT)
    if process.returncode:
        raise RuntimeError(f"the baseline failed: {' '.join(words)}")
    return out.decode()


async def measure_product(stack: Stack, leads: int) -> Figure:
    """The product, in two stretches: all forms, then all commands; each from its first event to the last row."""
    marks = [f"bench-{uuid4()}-{n}" for n in range(leads)]
    ids = [uuid5(NAMESPACE, f"lead:{uuid5(NAMESPACE, f'direct:bench:{mark}')}") for mark in marks]
    began = await _stretch(stack, lambda: send_forms(stack, marks), "stage = 'new'", leads)
    ended = await _stretch(stack, lambda: send_commands(stack, ids), "stage = 'no_contact'", leads)
    actions = leads * ACTIONS
    spent = {name: began[1][name] + ended[1][name] for name in began[1]}
    per_action = {name: seconds / actions * 1e6 for name, seconds in spent.items()}
    print(f"  forms {leads / began[0]:,.0f}/s, commands {leads * 4 / ended[0]:,.0f}/s")
    return Figure(actions / (began[0] + ended[0]), per_action)


def report(baseline: Figure, product: Figure) -> str:
    """The ratio, and where the time goes."""
    ratio = product.actions_per_second / baseline.actions_per_second
    parts = sorted(product.microseconds.items(), key=lambda part: -part[1])
    total = sum(product.microseconds.values())
    lines = [
        f"(a) end to end: {product.actions_per_second:,.0f} actions/s; ceiling.py {baseline.actions_per_second:,.0f}; "
        f"ratio {ratio:.2f} (aim 0.45)",
        f"    processor time for an action: {total:,.0f} µs",
        *(f"    {name:<12} {spent:6,.0f} µs  {'█' * round(40 * spent / total)}" for name, spent in parts),
    ]
    return "\n".join(lines)


async def _stretch(stack: Stack, send, where: str, leads: int) -> tuple[float, dict[str, float]]:  # type: ignore[no-untyped-def]
    await stack.stop("leads")
    await send()
    before = stack.cpu()
    since = datetime.now(UTC)
    await stack.start("leads")
    before["leads"] = stack.cpu()["leads"]  # a start costs a second or more, and no action

    async def shown() -> bool:
        rows = await stack.pool.fetchval(f"SELECT count(*) FROM proj_board_1.cards WHERE {where}")
        return bool(rows >= leads)

    await until(shown, LIMIT, f"{leads} leads on the board where {where}", pause=0.2)
    first = await stack.pool.fetchval("SELECT min(recorded_at) FROM leadline.events WHERE recorded_at > $1", since)
    seconds = time.time() - first.timestamp()
    after = stack.cpu()
    return seconds, {name: after[name] - before.get(name, 0.0) for name in after}


async def send_forms(stack: Stack, marks: list[str]) -> None:
    """Forms as an adapter writes them straight on Kafka, one for each mark."""
    async with _producer(stack) as producer:
        for n, mark in enumerate(marks):
            form = {
                "name": f"Имя {n}",
                "phone": f"+7{9_000_000_000 + UUID(int=hash(mark) & (2**64 - 1)).int % 999_999_999}",
                "source": "form",
                "comment": "Нужна столешница 2,4 м",
            }
            headers = [
                ("ce_type", b"leadline.inbound.form"),
                ("ce_source", b"bench"),
                ("ce_id", mark.encode()),
                ("ce_subject", b"contact"),
            ]
            await producer.send(LEADS_INBOUND.name, orjson.dumps(form), key=mark.encode(), headers=headers)


async def send_commands(stack: Stack, leads: list[UUID]) -> None:
    """The four commands for each lead."""
    async with _producer(stack) as producer:
        for body in COMMANDS:
            for lead in leads:
                command = Command(id=uuid4(), lead=lead, actor=ANNA, body=body)  # type: ignore[arg-type]
                await producer.send(
                    LEADS_COMMANDS.name, command.model_dump_json(exclude_none=True).encode(), key=str(lead).encode()
                )


def _producer(stack: Stack) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=stack.servers.bootstrap, enable_idempotence=True, linger_ms=20, max_batch_size=262_144
    )
