"""(b) From «accepted» (the 202's arrival) to visible on the board, at a steady rate of forms over HTTP; and memory then.

The client shares the two cores with what it measures, so it is as light as can be: bare HTTP/1.1 over kept connections, and
one index looked at every 10 ms (which is in the figures). A form is sent when it is due, however late the others are answered
(no coordinated omission): a request that had to wait for a connection counts from its due time in the 202's figure.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from uuid import UUID, uuid4, uuid5

import orjson

from services.leads.domain.recognition import NAMESPACE
from tests.bench.stack import Stack

WARM_SECONDS = 3
SETTLE_SECONDS = 20.0
POLL_SECONDS = 0.010
SLACK = timedelta(seconds=1)
"""How much later than a younger one a lead may become visible and be seen at once; a later one is seen at the end."""
CONNECTIONS = 48


async def measure_latency(stack: Stack, rate: int, seconds: int) -> str:
    """p50, p99 of accepted → visible, and of the 202 itself; memory of every part at the end."""
    async with Client("127.0.0.1", stack.ports["door"], CONNECTIONS) as client:
        await _run(stack, client, rate, WARM_SECONDS)
        answered, waits, took = await _run(stack, client, rate, seconds)
    memory = stack.memory_mb()
    parts = ", ".join(f"{name} {mb:.0f}" for name, mb in sorted(memory.items(), key=lambda part: -part[1]))
    return (
        f"(b) accepted → visible at {len(answered) / took:.0f}/s ({rate}/s asked): p50 {_ms(waits, 0.5)}, "
        f"p90 {_ms(waits, 0.9)}, p99 {_ms(waits, 0.99)}, longest {_ms(waits, 1)} (aim p99 under 100 ms); "
        f"the 202 itself: p50 {_ms(answered, 0.5)}, p99 {_ms(answered, 0.99)}\n"
        f"    memory: {sum(memory.values()):.0f} MB (aim 1,200): {parts}"
    )


async def _run(stack: Stack, client: Client, rate: int, seconds: int) -> tuple[list[float], list[float], float]:
    """Sorted: seconds from due to the 202, seconds from the 202 to visible; and how long the sending took."""
    answered: list[float] = []
    accepted: dict[UUID, float] = {}
    visible: dict[UUID, float] = {}
    done = asyncio.Event()

    async def post(n: int, due: float) -> None:
        form = {"name": f"Имя {n}", "email": f"b{n}.{uuid4().hex}@example.org", "comment": "Нужна столешница"}
        body = await client.post("/inbound/forms/bench", orjson.dumps(form))
        now = time.perf_counter()
        answered.append(now - due)
        accepted[uuid5(NAMESPACE, f"lead:{orjson.loads(body)['inbound_id']}")] = now

    async def watch(start: datetime) -> None:
        since = start
        while not (done.is_set() and len(visible) >= len(accepted)):
            rows = await stack.pool.fetch(
                "SELECT lead, captured_at FROM proj_board_1.cards WHERE captured_at > $1 ORDER BY captured_at DESC",
                since,
            )
            now = time.perf_counter()
            for row in rows:
                visible.setdefault(row[0], now)
            if rows:
                since = max(since, rows[0][1] - SLACK)
            if done.is_set():
                since = start
            await asyncio.sleep(POLL_SECONDS)

    watching = asyncio.create_task(watch(await stack.pool.fetchval("SELECT now()")))
    posts: list[asyncio.Task[None]] = []
    began = time.perf_counter()
    for n in range(rate * seconds):
        due = began + n / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        posts.append(asyncio.create_task(post(n, due)))
    await asyncio.gather(*posts)
    took = time.perf_counter() - began
    done.set()
    await asyncio.wait_for(watching, SETTLE_SECONDS)
    waits = sorted(max(0.0, visible[lead] - at) for lead, at in accepted.items())
    return sorted(answered), waits, took


class Client:
    """Posts JSON over a few kept connections; one that is not answered with 202 raises RuntimeError with what came."""

    def __init__(self, host: str, port: int, connections: int) -> None:
        self._host, self._port, self._count = host, port, connections
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def __aenter__(self) -> Client:
        for _ in range(self._count):
            self._free.put_nowait(await asyncio.open_connection(self._host, self._port))
        return self

    async def __aexit__(self, *_: object) -> None:
        while not self._free.empty():
            self._free.get_nowait()[1].close()

    async def post(self, path: str, body: bytes) -> bytes:
        """The answer's body."""
        reader, writer = await self._free.get()
        try:
            head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            said = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in said.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            answer = await reader.readexactly(length)
            if b" 202 " not in said.partition(b"\r\n")[0]:
                raise RuntimeError(f"{said.decode()}{answer.decode(errors='replace')}")
            return answer
        finally:
            self._free.put_nowait((reader, writer))


def _ms(values: list[float], share: float) -> str:
    return f"{values[min(len(values) - 1, int(len(values) * share))] * 1000:.0f} ms" if values else "none"
