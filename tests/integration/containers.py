"""The same two servers from container images, where a Docker engine answers; otherwise the embedded ones are used.

The objects have the methods of `deploy.embedded` that tests use, so a test does not know which of the two it runs on.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from types import TracebackType
from typing import Any

import asyncpg

from deploy.embedded.kafka import SETTINGS as KAFKA_SETTINGS
from deploy.embedded.postgres import BI, DATABASE, OWNER
from deploy.embedded.postgres import SETTINGS as POSTGRES_SETTINGS
from tests.beside_others import free_port

KAFKA_IMAGE, POSTGRES_IMAGE = "apache/kafka:4.2.2", "postgres:18"
READY_SECONDS = 60.0


def engine_answers() -> bool:
    """Whether a Docker engine can be used here."""
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


class ContainerServer:
    """One container with the controls that `GuardedServer` has; data lives in the container, which survives `kill9`."""

    def __init__(self, container: Any, port: int) -> None:
        self._made, self.port = container, port
        self._begun = False

    async def start(self) -> None:
        """Start, or start again; returns when the port answers."""
        if self._begun:
            await asyncio.to_thread(self._made.get_wrapped_container().start)
        else:
            await asyncio.to_thread(self._made.start)
            self._begun = True
        async with asyncio.timeout(READY_SECONDS):
            while not await self.answers():
                await asyncio.sleep(0.1)

    async def answers(self) -> bool:
        """Whether something listens."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    def kill9(self) -> None:
        """SIGKILL to the server."""
        self._made.get_wrapped_container().kill("SIGKILL")

    def sigstop(self) -> None:
        """Freeze it."""
        self._made.get_wrapped_container().pause()

    def sigcont(self) -> None:
        """Thaw it."""
        self._made.get_wrapped_container().unpause()

    async def wait_exit(self, limit: float | None = None) -> int | None:
        """Wait until it has ended; its exit status."""
        answer = await asyncio.to_thread(self._made.get_wrapped_container().wait, timeout=limit)
        return int(answer["StatusCode"])

    async def stop(self, hard: bool = False) -> None:
        """Stop it, its data stays."""
        await asyncio.to_thread(self._made.get_wrapped_container().stop, timeout=0 if hard else 15)

    async def wipe(self) -> None:
        """Remove it with its data; the next start makes it anew."""
        await asyncio.to_thread(self._made.stop)
        self._begun = False


class ContainerServers:
    """Both servers, with the attributes of `EmbeddedServers`."""

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        kafka_port, postgres_port = free_port(), free_port()
        self._passwords = {name: secrets.token_urlsafe(24) for name in ("postgres", OWNER, BI)}
        kafka = DockerContainer(KAFKA_IMAGE).with_bind_ports(kafka_port, kafka_port)
        own = {
            "listeners": f"PLAINTEXT://:{kafka_port},CONTROLLER://:9093",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{kafka_port},CONTROLLER://127.0.0.1:9093",
            "controller.quorum.voters": "1@127.0.0.1:9093",
        }
        for key, value in {**KAFKA_SETTINGS, **own}.items():
            kafka.with_env("KAFKA_" + key.replace(".", "_").upper(), value)
        postgres = DockerContainer(POSTGRES_IMAGE).with_bind_ports(5432, postgres_port)
        postgres.with_env("POSTGRES_PASSWORD", self._passwords["postgres"])
        locks = POSTGRES_SETTINGS["max_locks_per_transaction"]
        postgres.with_command(f"postgres -c max_locks_per_transaction={locks} -c timezone=UTC")
        self.kafka = ContainerServer(kafka, kafka_port)
        self.postgres = ContainerServer(postgres, postgres_port)
        self.bootstrap = f"127.0.0.1:{kafka_port}"
        self.superuser_url = self._url("postgres", "postgres")
        self.database_url, self.bi_url = self._url(OWNER, DATABASE), self._url(BI, DATABASE)

    def _url(self, user: str, database: str) -> str:
        return f"postgresql://{user}:{self._passwords[user]}@127.0.0.1:{self.postgres.port}/{database}"

    async def __aenter__(self) -> ContainerServers:
        await asyncio.gather(self.kafka.start(), self.postgres.start())
        async with asyncio.timeout(READY_SECONDS):
            while True:
                try:
                    connection = await asyncpg.connect(self.superuser_url, timeout=5)
                    break
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.2)
        try:
            for role in (OWNER, BI):
                await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{self._passwords[role]}'")
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        finally:
            await connection.close()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(self.kafka.wipe(), self.postgres.wipe())
