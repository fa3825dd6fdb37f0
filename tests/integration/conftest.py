"""Real Kafka and Postgres for the integration tests: one pair per run, a fresh database and topic prefix per test.

`servers`: both servers. `settings`: a migrated database of its own (a copy of a template that was migrated once) and, for tests
marked `kafka`, topics of its own, `PARTITIONS` each; both go with the test. `pool`: connections to that database. Nothing here is
a stand-in.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from deploy.embedded.sandbox import EmbeddedServers
from services.calendars import publishing as calendars
from services.clock import SystemClock
from services.database import Pool, open_pool
from services.eventlog.admin import ensure_topics
from services.eventlog.migrate import migrate
from services.pipelines import registry
from services.settings import Settings
from services.teams import publishing as teams
from tests.integration.containers import ContainerServers, engine_answers

PARTITIONS = 4
TEMPLATE = "leadline_template"
RESPONSIBLES = ["anna", "boris"]


def at_database(url: str, name: str) -> str:
    """The same URL with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def create_database(servers: EmbeddedServers | ContainerServers, name: str, template: str) -> None:
    """A database owned by the owner's role, as the start of the embedded server makes it. `template` must be unused."""
    owner, bi = urlsplit(servers.database_url).username, urlsplit(servers.bi_url).username
    connection = await asyncpg.connect(servers.superuser_url, timeout=10)
    try:
        await connection.execute(f'CREATE DATABASE "{name}" OWNER "{owner}" TEMPLATE "{template}"')
        await connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        await connection.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{bi}"')
    finally:
        await connection.close()


async def drop_database(servers: EmbeddedServers | ContainerServers, name: str) -> None:
    """Remove a database, whoever is connected."""
    connection = await asyncpg.connect(servers.superuser_url, timeout=10)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await connection.close()


async def drop_topics(settings: Settings) -> None:
    """Remove a test's topics: thousands of partitions left behind would make the broker's start after a kill take minutes."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap, request_timeout_ms=15_000)
    with suppress(KafkaError):
        await admin.start()
        there = [name for name in await admin.list_topics() if name.startswith(settings.kafka_topic_prefix)]
        await admin.delete_topics(there)
    with suppress(KafkaError):
        await admin.close()


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[EmbeddedServers | ContainerServers]:
    """The servers of this run; a test that breaks one must leave it running."""
    async with ContainerServers() if engine_answers() else EmbeddedServers() as running:
        yield running


@pytest.fixture(scope="session")
async def template(servers: EmbeddedServers | ContainerServers) -> str:
    """Name of a database that was migrated once, has the default calendar and team, and that nobody is connected to."""
    await create_database(servers, TEMPLATE, "template0")
    made = Settings(
        database_url=SecretStr(at_database(servers.database_url, TEMPLATE)), responsibles=list(RESPONSIBLES)
    )
    await migrate(made)
    async with await open_pool(made.database_url, service="template") as pool:
        await calendars.renew(pool, SystemClock(), made)
        await teams.renew(pool, SystemClock(), made)
        # tests count events and records: that of the default team's first version is not among them
        await pool.execute("DELETE FROM leadline.outbox")
        await pool.execute("DELETE FROM leadline.events")
    return TEMPLATE


@pytest.fixture
async def settings(
    request: pytest.FixtureRequest, servers: EmbeddedServers | ContainerServers, template: str
) -> AsyncIterator[Settings]:
    """Settings of a system of its own: empty migrated database, random secrets; with the mark `kafka` empty topics too, which
    take a second to make and remove."""
    wants_topics = request.node.get_closest_marker("kafka") is not None
    registry.forget()  # versions of another test's pipelines of the same name
    mark = "t" + secrets.token_hex(5)
    await create_database(servers, mark, template)
    made = Settings(
        kafka_bootstrap=servers.bootstrap,
        kafka_topic_prefix=f"{mark}.",
        kafka_partitions=PARTITIONS,
        database_url=SecretStr(at_database(servers.database_url, mark)),
        database_bi_url=SecretStr(at_database(servers.bi_url, mark)),
        master_key=SecretStr(base64.b64encode(secrets.token_bytes(32)).decode()),
        pepper=SecretStr(base64.b64encode(secrets.token_bytes(32)).decode()),
        internal_token=SecretStr(secrets.token_urlsafe(24)),
        responsibles=list(RESPONSIBLES),
        http_port=0,
    )
    if wants_topics:
        await ensure_topics(made)
    yield made
    await drop_database(servers, mark)
    if wants_topics:
        await drop_topics(made)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    """Connections to the test's database, as a service has them."""
    opened = await open_pool(settings.database_url, service="test")
    yield opened
    opened.terminate()
