"""Schema and topics at a start: made once, never altered, refused where they would lose or split history (K1)."""

from __future__ import annotations

import asyncio
import secrets
from urllib.parse import urlsplit

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import SecretStr

from contracts.topics import LEADS_EVENTS, PIPELINES_EVENTS, TOPICS
from deploy.embedded.sandbox import EmbeddedServers
from services.database import Pool, open_pool
from services.eventlog.admin import TopicsError, ensure_topics
from services.eventlog.migrate import MigrationError, migrate, newest_revision
from services.settings import Settings
from tests.integration.conftest import PARTITIONS, at_database, create_database, drop_database

pytestmark = pytest.mark.kafka


async def make_topic(settings: Settings, topic: NewTopic) -> None:
    """A topic that somebody else has made."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        await admin.create_topics([topic])
    finally:
        await admin.close()


async def test_K1_two_starts_at_once_migrate_an_empty_database_once(servers: EmbeddedServers) -> None:
    name = "t" + secrets.token_hex(5)
    await create_database(servers, name, "template0")
    fresh = Settings(database_url=SecretStr(at_database(servers.database_url, name)))
    try:
        await asyncio.gather(*(migrate(fresh) for _ in range(4)))
        await migrate(fresh)  # and a later start finds nothing to do
        pool = await open_pool(fresh.database_url, service="test")
        try:
            assert await pool.fetchval("SELECT version_num FROM public.leadline_schema_version") == newest_revision()
            assert await pool.fetchval("SELECT count(*) FROM leadline.events") == 0
            assert await pool.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
        finally:
            pool.terminate()
    finally:
        await drop_database(servers, name)


async def test_K1_a_database_of_a_newer_release_is_refused_with_the_way_out(settings: Settings, pool: Pool) -> None:
    await pool.execute("UPDATE public.leadline_schema_version SET version_num = '9999'")
    with pytest.raises(MigrationError, match="newer release") as refused:
        await migrate(settings)
    password = urlsplit(settings.database_url.get_secret_value()).password
    assert password is not None
    assert password not in str(refused.value)


async def test_K1_topics_are_made_once_and_kept_for_ever(settings: Settings) -> None:
    assert await ensure_topics(settings) == []  # the fixture made them
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        found = await admin.describe_topics([settings.kafka_topic_prefix + topic.name for topic in TOPICS])
    finally:
        await admin.close()
    counts = {each["topic"].removeprefix(settings.kafka_topic_prefix): len(each["partitions"]) for each in found}
    assert counts == {topic.name: topic.partitions or PARTITIONS for topic in TOPICS}


async def test_K1_another_partition_count_refuses_the_start_and_names_both(settings: Settings) -> None:
    with pytest.raises(TopicsError, match=r"has 4 partitions, the settings ask for 6.*KAFKA_PARTITIONS=4.*republish"):
        await ensure_topics(settings.model_copy(update={"kafka_partitions": 6}))
    other = settings.model_copy(update={"kafka_topic_prefix": settings.kafka_topic_prefix + "split."})
    await make_topic(other, NewTopic(other.kafka_topic_prefix + PIPELINES_EVENTS.name, 2, 1))
    with pytest.raises(TopicsError, match=r"pipelines.events has 2 partitions, the settings ask for 1"):
        await ensure_topics(other)


async def test_K1_a_topic_that_would_forget_refuses_the_start(settings: Settings) -> None:
    other = settings.model_copy(update={"kafka_topic_prefix": settings.kafka_topic_prefix + "forgetful."})
    name = other.kafka_topic_prefix + LEADS_EVENTS.name
    await make_topic(other, NewTopic(name, PARTITIONS, 1, topic_configs={"retention.ms": "604800000"}))
    with pytest.raises(TopicsError, match=rf"{name} has retention.ms=604800000"):
        await ensure_topics(other)
