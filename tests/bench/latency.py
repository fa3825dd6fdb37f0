"""(b) From «accepted» (the 202's arrival) to visible on the board, at a steady rate of forms over HTTP; and memory then."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID, uuid4

import httpx

from tests.bench.stack import Stack

SETTLE_SECONDS = 20.0
POLL_SECONDS = 0.005


async def measure_latency(stack: Stack, rate: int, seconds: int) -> str:
    """p50, p99 of accepted → visible, and of the 202 itself; memory of every part at the end."""
    accepted: dict[UUID, float] = {}
    answered: list[float] = []
    visible: dict[UUID, float] = {}
    done = asyncio.Event()
    url = f"http://127.0.0.1:{stack.ports['door']}/inbound/forms/bench"
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)

    async def post(client: httpx.AsyncClient, n: int) -> None:
        form = {"name": f"Имя {n}", "email": f"b{n}.{uuid4().hex}@example.org", "comment": "Нужна столешница"}
        began = time.perf_counter()
        answer = await client.post(url, json=form)
        answer.raise_for_status()
        now = time.perf_counter()
        answered.append(now - began)
        accepted[UUID(answer.json()["inbound_id"])] = now

    async def watch() -> None:
        last = await stack.pool.fetchval("SELECT now()")
        while not (done.is_set() and len(visible) >= len(accepted)):
            rows = await stack.pool.fetch(
                """SELECT o.inbound_id, b.captured_at FROM leadline.inbound_outcomes AS o
                   JOIN proj_board_1.cards AS b ON b.lead = o.lead WHERE o.at >= $1""",
                last,
            )
            now = time.perf_counter()
            for row in rows:
                visible.setdefault(row[0], now)
            if len(visible) > 200:
                last = await stack.pool.fetchval("SELECT now() - interval '2 seconds'")
            await asyncio.sleep(POLL_SECONDS)

    async with httpx.AsyncClient(limits=limits, timeout=30) as client:
        watching = asyncio.create_task(watch())
        posts: list[asyncio.Task[None]] = []
        began = time.perf_counter()
        for n in range(rate * seconds):
            due = began + n / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            posts.append(asyncio.create_task(post(client, n)))
        await asyncio.gather(*posts)
        took = time.perf_counter() - began
        done.set()
        await asyncio.wait_for(watching, SETTLE_SECONDS)
    waits = sorted(max(0.0, visible[i] - at) for i, at in accepted.items() if i in visible)
    memory = stack.memory_mb()
    parts = ", ".join(f"{name} {mb:.0f}" for name, mb in sorted(memory.items(), key=lambda part: -part[1]))
    return (
        f"(b) accepted → visible at {len(accepted) / took:.0f}/s: p50 {_ms(waits, 0.5)}, p99 {_ms(waits, 0.99)} "
        f"(aim p99 under 100 ms); the 202 itself: p50 {_ms(sorted(answered), 0.5)}, p99 {_ms(sorted(answered), 0.99)}\n"
        f"    memory: {sum(memory.values()):.0f} MB (aim 1,200): {parts}"
    )


def _ms(values: list[float], share: float) -> str:
    return f"{values[min(len(values) - 1, int(len(values) * share))] * 1000:.0f} ms" if values else "none"
