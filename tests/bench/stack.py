"""The whole system for benchmarks: embedded servers and every service as a process of its own, as `leadline up` groups them."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import httpx
import psutil
from pydantic import SecretStr

from deploy.embedded.sandbox import EmbeddedServers
from projections.schema import prepare
from services.calendars import publishing as calendars
from services.clock import SystemClock
from services.database import Pool, open_pool
from services.eventlog.admin import ensure_topics
from services.eventlog.migrate import migrate
from services.pipelines.registry import publish_bundled
from services.settings import Settings
from services.teams import publishing as teams

READY_SECONDS = 60.0
SERVICES = ("leads", "relay", "projections", "door")
"""Those that are on in every figure."""
TIMERS = "robots"
REACTORS = "reactors"
"""Timers, and delivery; on in (h)."""


class Stack:
    """Servers and services; `async with`. `processes` are the running services by name."""

    settings: Settings
    pool: Pool

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="leadline-bench-"))
        self.servers = EmbeddedServers(folder=self.folder / "servers", lasting=True)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment: dict[str, str] = {}
        self.ports: dict[str, int] = {}

    async def __aenter__(self) -> Stack:
        await self.servers.start()
        self.ports = {name: _free_port() for name in (*SERVICES, TIMERS, REACTORS)}
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        values = {
            "KAFKA_BOOTSTRAP": self.servers.bootstrap,
            "DATABASE_URL": self.servers.database_url,
            "DATABASE_BI_URL": self.servers.bi_url,
            "LEADLINE_MASTER_KEY": key,
            "LEADLINE_PEPPER": key,
            "LEADLINE_INTERNAL_TOKEN": secrets.token_urlsafe(24),
            "LEADLINE_RESPONSIBLES": '["anna","boris"]',
            "LEADLINE_OPEN_FORMS": '["*"]',
            "LEADLINE_RATE_PEER": "0",
            "LEADLINE_LEADS_URL": f"http://127.0.0.1:{self.ports['leads']}",
            "LEADLINE_HTTP_PORT": str(self.ports["door"]),
            "LEADLINE_LOG_LEVEL": "warning",
        }
        self.environment = {**os.environ, **values}
        self.settings = Settings(
            kafka_bootstrap=self.servers.bootstrap,
            database_url=SecretStr(self.servers.database_url),
            database_bi_url=SecretStr(self.servers.bi_url),
            master_key=SecretStr(key),
            pepper=SecretStr(key),
            responsibles=["anna", "boris"],
        )
        await migrate(self.settings)
        await ensure_topics(self.settings)
        self.pool = await open_pool(self.settings.database_url, service="bench")
        async with self.pool.acquire() as database:
            await prepare(database)
        await publish_bundled(self.pool, SystemClock())
        await calendars.renew(self.pool, SystemClock(), self.settings)
        await teams.renew(self.pool, SystemClock(), self.settings)
        for name in SERVICES:
            await self.start(name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self.processes):
            await self.stop(name)
        self.pool.terminate()
        await self.servers.stop()

    async def start(self, name: str) -> None:
        """Start a service and wait until it is ready."""
        environment = {**self.environment, "LEADLINE_METRICS_PORT": str(self.ports[name])}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(  # noqa: ASYNC220 - a benchmark's own set-up
                [sys.executable, "-m", "services.ops.main", "serve", name], env=environment, stdout=log, stderr=log
            )
        url = f"http://127.0.0.1:{self.ports[name]}/health/ready"
        async with httpx.AsyncClient() as client:

            async def ready() -> bool:
                try:
                    return (await client.get(url)).status_code == 200
                except httpx.HTTPError:
                    return False

            await until(ready, READY_SECONDS, f"{name} is ready (log: {self.folder / name}.log)")

    async def stop(self, name: str) -> None:
        """Stop a service cleanly."""
        process = self.processes.pop(name)
        process.terminate()
        await asyncio.to_thread(process.wait, 30)

    def cpu(self) -> dict[str, float]:
        """Seconds of processor each part has used so far; Postgres and Kafka with all their processes."""
        used = {name: _cpu([process.pid]) for name, process in self.processes.items()}
        used["postgres"] = _cpu(_family(self.servers.postgres.pid))
        used["kafka"] = _cpu(_family(self.servers.kafka.pid))
        return used

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of each part in MB: proportional set size, so that shared pages count once."""
        parts = {name: [process.pid] for name, process in self.processes.items()}
        parts["postgres"] = _family(self.servers.postgres.pid)
        parts["kafka"] = _family(self.servers.kafka.pid)
        return {name: sum(_pss(pid) for pid in pids) / 2**20 for name, pids in parts.items()}


async def until(holds: Callable[[], object], limit: float, what: str, pause: float = 0.05) -> None:
    """Wait until an async condition holds. Raises TimeoutError naming it."""
    deadline = asyncio.get_running_loop().time() + limit
    while True:
        answer = holds()
        if await answer if asyncio.iscoroutine(answer) else answer:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"not within {limit:.0f} s: {what}")
        await asyncio.sleep(pause)


def _family(pid: int | None) -> list[int]:
    if pid is None:
        return []
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def _cpu(pids: list[int]) -> float:
    used = 0.0
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
            used += (
                times.user + times.system + times.children_user + times.children_system
            )  # of those that have ended too
        except psutil.NoSuchProcess:
            continue
    return used


def _pss(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_full_info().pss)
    except (psutil.NoSuchProcess, AttributeError):
        return 0.0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
