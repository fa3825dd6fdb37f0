"""Where the processor goes, part by part: each service alone works off what was laid before it, and what it, Postgres and Kafka
used is told for an action; beside it the same of the bare write path.

Unlike wall time it says something on a machine that others use too. An action is one of five of a lead's (a form, four
commands), as in (a). The figures of a part begin when its service is ready; a first round, a fifth as large, warms the broker.
"""

from __future__ import annotations

import asyncio
import re
import resource
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4, uuid5

import httpx

from services.leads.domain.recognition import NAMESPACE
from tests.bench.stack import Stack, until
from tests.bench.throughput import ACTIONS, run_ceiling, send_commands, send_forms

LIMIT = 600.0
EVENTS = 10
"""Of a lead, its person's two among them."""
WARM_SHARE = 5
PUBLISHED = re.compile(r'leadline_relay_published_total\{topic="(?:leads|people)\.events"\} ([\d.e+]+)')

Spent = dict[str, float]
"""Seconds of processor by part."""


async def measure_parts(stack: Stack, script: Path | None, leads: int) -> str:
    """The table; with the bare write path's figure and the ratio of the two, where its script is given."""
    bare = await _ceiling(stack, script, leads) if script is not None else None
    for name in list(stack.processes):
        await stack.stop(name)
    await _round(stack, leads // WARM_SHARE)
    rows = await _round(stack, leads)
    names = ("service", "postgres", "kafka")
    lines = [f"processor for an action, part by part (µs): {'':<12}{''.join(f'{name:>10}' for name in names)}"]
    total = 0.0
    for what, spent in rows.items():
        total += sum(spent.values())
        lines.append(f"    {what:<56}{''.join(f'{spent[name]:10.0f}' for name in names)}")
    lines.append(f"    all: {total:,.0f} µs an action")
    if bare is not None:
        lines[-1] += f"; the bare write path (ceiling.py): {bare:,.0f} µs: {bare / total:.2f}"
    return "\n".join(lines)


async def _round(stack: Stack, leads: int) -> dict[str, Spent]:
    """Microseconds an action, by what was done."""
    marks = [f"bench-{uuid4()}-{n}" for n in range(leads)]
    ids = [uuid5(NAMESPACE, f"lead:{uuid5(NAMESPACE, f'direct:bench:{mark}')}") for mark in marks]
    rows: dict[str, Spent] = {}

    async def part(name: str, what: str, done: Callable[[], Awaitable[bool]]) -> None:
        before = stack.cpu()
        await stack.start(name)
        before[name] = stack.cpu()[name]  # a start costs a second or more, and no action
        await until(done, LIMIT, what, pause=0.1)
        after = stack.cpu()
        await stack.stop(name)
        per = 1e6 / (leads * ACTIONS)
        rows[what] = {
            "service": (after[name] - before[name]) * per,
            **{server: (after[server] - before[server]) * per for server in ("postgres", "kafka")},
        }

    def counted(table: str, more: int) -> Callable[[], Awaitable[bool]]:
        async def done() -> bool:
            return bool(await stack.pool.fetchval(f"SELECT count(*) FROM {table}") >= more)

        return done

    async def published() -> bool:
        async with httpx.AsyncClient() as client:
            said = (await client.get(f"http://127.0.0.1:{stack.ports['relay']}/metrics")).text
        return sum(map(float, PUBLISHED.findall(said))) >= EVENTS * leads

    there = await stack.pool.fetchval("SELECT count(*) FROM leadline.inbound_outcomes")
    asked = await stack.pool.fetchval("SELECT count(*) FROM leadline.commands")
    shown = await stack.pool.fetchval("SELECT count(*) FROM proj_board_1.cards WHERE stage = 'no_contact'")
    await send_forms(stack, marks)
    await part("leads", "leads: forms", counted("leadline.inbound_outcomes", there + leads))
    await send_commands(stack, ids)
    await part("leads", "leads: commands", counted("leadline.commands", asked + leads * (ACTIONS - 1)))
    await part("relay", "relay", published)
    await part("projections", "projections", counted("proj_board_1.cards WHERE stage = 'no_contact'", shown + leads))
    return rows


async def _ceiling(stack: Stack, script: Path, leads: int) -> float:
    """Microseconds of processor that the bare write path takes for an action, all its parts."""
    actions = leads * ACTIONS
    for name in list(stack.processes):
        await stack.stop(name)
    await run_ceiling(stack, script, "setup", str(actions), str(leads))
    before, own = stack.cpu(), _children()
    board = asyncio.create_task(run_ceiling(stack, script, "board", str(actions * 2)))
    await run_ceiling(stack, script, "write", str(actions), "1000")
    await board
    after = stack.cpu()
    return (_children() - own + sum(after[name] - before[name] for name in ("postgres", "kafka"))) / actions * 1e6


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
