"""The relay on real servers: everything in the store once on the topic or more, never altered, in order (K1, decision 2)."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client import REGISTRY
from pydantic import SecretStr

from contracts.inbound import REFERENCE_TYPE
from contracts.topics import LEADS_EVENTS, LEADS_INBOUND, LEADS_REFUSALS
from deploy.embedded.sandbox import EmbeddedServers
from services.database import Pool, open_pool
from services.eventlog.recording import store as recording
from services.eventlog.recording.store import Message
from services.eventlog.relay import store
from services.eventlog.relay.errors import RelayStoppedError
from services.eventlog.relay.headers import Outgoing, event_record, partition_of
from services.eventlog.relay.lock import ShardConnection
from services.eventlog.relay.publishing import Publisher
from services.eventlog.relay.republish import republish
from services.settings import Settings
from tests.builders import Made, Stream, send
from tests.eventlog_builders import (
    Relay,
    RelayProcess,
    assert_published,
    event_id,
    outbox_count,
    read_topic,
    seen,
    stored,
    streams,
    until,
    write,
)
from tests.integration.conftest import at_database, create_database, drop_database

pytestmark = pytest.mark.kafka

EVENTS = LEADS_EVENTS.name


async def write_batches(pool: Pool, leads: list[Stream], size: int = 50) -> list[Made]:
    """All events of the leads, each lead's in two batches, several leads a batch; returns them."""
    made: list[Made] = []
    for half in (0, 1):
        for at in range(0, len(leads), size):
            batch: list[Made] = []
            for lead in leads[at : at + size]:
                middle = len(lead.made) // 2
                batch += lead.made[middle:] if half else lead.made[:middle]
            await write(pool, batch)
            made += batch
    return made


async def drained(pool: Pool) -> None:
    """Wait until the outbox is empty: everything was acknowledged and held long enough."""

    async def empty() -> bool:
        return await outbox_count(pool) == 0

    await until(empty, "the outbox is empty")


async def ends_of(settings: Settings, topic: str) -> dict[int, int]:
    """The end of each partition."""
    return {p: len(records) for p, records in (await read_topic(settings, topic)).items()}


async def open_notice(pool: Pool) -> str | None:
    """The relay's complaint."""
    found: str | None = await pool.fetchval(
        "SELECT detail FROM leadline.notices WHERE service = 'relay' AND code = 'relay_refuses' AND cleared_at IS NULL"
    )
    return found


@asynccontextmanager
async def pool_of(settings: Settings) -> AsyncIterator[Pool]:
    """A pool that is gone afterwards, so that its database can be copied."""
    pool = await open_pool(settings.database_url, service="test")
    try:
        yield pool
    finally:
        await asyncio.wait_for(pool.close(), 60)


async def test_K1_order_per_stream_under_load_then_outbox_empty_and_positions_at_the_end(
    settings: Settings, pool: Pool
) -> None:
    writers = [streams(100, 6) for _ in range(4)]
    async with Relay(settings):
        await asyncio.gather(*(write_batches(pool, leads, size=20) for leads in writers))
        await drained(pool)
    made = [each for leads in writers for lead in leads for each in lead.made]
    assert await assert_published(settings, EVENTS, made) == 0
    rows = await pool.fetch(
        "SELECT partition, next_offset, last_id FROM leadline.relay_positions WHERE topic = $1", EVENTS
    )
    topic = await read_topic(settings, EVENTS)
    assert {row[0]: (row[1], row[2]) for row in rows} == {
        p: (len(records), event_id(records[-1])) for p, records in topic.items() if records
    }


async def test_K1_a_version_committed_late_goes_out_before_the_next_one(settings: Settings, pool: Pool) -> None:
    """Row numbers are given before the commit: a lower one may appear after a higher one was published."""
    made: list[Made] = []
    async with Relay(settings):
        for _ in range(30):
            late, other = streams(2, 1)
            async with pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                await recording.append(connection, [stored(each) for each in late.made])
                before = published()
                await write(pool, other.made)

                async def passed(before: float = before) -> bool:
                    return published() > before

                await until(passed, "the relay has passed the gap")
                await transaction.commit()
            await write(pool, seen(late))
            made += [*late.made, *other.made]
        await drained(pool)
    assert await assert_published(settings, EVENTS, made) == 0


async def test_K1_numbers_of_a_transaction_rolled_back_do_not_hold_the_relay_up(settings: Settings, pool: Pool) -> None:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await recording.append(connection, [stored(each) for each in streams(1, 300)[0].made])
        leads = streams(5, 2)
        async with Relay(settings):
            await write_batches(pool, leads)
            await drained(pool)
            await transaction.rollback()
            more = streams(5, 2)
            await write_batches(pool, more)
            await drained(pool)
    assert await assert_published(settings, EVENTS, [each for lead in leads + more for each in lead.made]) == 0


async def test_K1_rows_are_deleted_when_held_long_enough_and_with_their_positions(
    settings: Settings, pool: Pool
) -> None:
    (lead,) = streams(1, 20)

    async def told() -> tuple[int, int]:
        row = await pool.fetchrow(
            """SELECT (SELECT count(*) FROM leadline.outbox),
                      (SELECT coalesce(sum(next_offset), 0) FROM leadline.relay_positions)"""
        )
        return int(row[0]), int(row[1])

    async with Relay(settings, hold=1.5):
        before = published()
        await write(pool, lead.made)

        async def sent() -> bool:
            return published() >= before + 20

        await until(sent, "published")
        acknowledged = asyncio.get_running_loop().time()
        answers = set()
        while (answer := await told())[0]:
            answers.add(answer)
            assert asyncio.get_running_loop().time() < acknowledged + 20
        gone = asyncio.get_running_loop().time()
        answers.add(await told())
    assert answers == {(20, 0), (0, 20)}, "deleted with its positions, or not at all"
    assert gone - acknowledged >= 1.4


async def test_K1_stopped_before_the_deletion_the_next_start_finds_the_records_and_repeats_nothing(
    settings: Settings, pool: Pool
) -> None:
    leads = streams(40, 5)
    async with Relay(settings, hold=60.0):
        before = published()
        await write_batches(pool, leads)

        async def sent() -> bool:
            return published() >= before + 200

        await until(sent, "published")
    assert await outbox_count(pool) == 200
    async with Relay(settings, hold=0.0):
        await drained(pool)
    assert await assert_published(settings, EVENTS, [each for lead in leads for each in lead.made]) == 0


async def test_K1_broker_killed_again_and_again_while_publishing_loses_and_alters_nothing(
    servers: EmbeddedServers, settings: Settings, pool: Pool
) -> None:
    leads = streams(300, 6)
    async with Relay(settings):
        writing = asyncio.create_task(write_batches(pool, leads, size=10))
        for _ in range(3):
            before = published()

            async def going(before: float = before) -> bool:
                return published() > before or writing.done()

            await until(going, "the relay publishes")
            servers.kafka.kill9()
            await servers.kafka.wait_exit(60)
            await servers.kafka.start()
        await asyncio.wait_for(writing, 60)
        await drained(pool)
    await assert_published(settings, EVENTS, [each for lead in leads for each in lead.made])


async def test_K1_takeover_while_the_broker_is_frozen_repeats_at_most_byte_for_byte(
    servers: EmbeddedServers, settings: Settings, pool: Pool
) -> None:
    leads = streams(200, 6)
    first = RelayProcess(settings, hold=60.0)
    try:
        await until(first.ready, "the first relay is ready")
        await write_batches(pool, leads[:100])

        async def some() -> bool:
            return sum((await ends_of(settings, EVENTS)).values()) > 0

        await until(some, "the first relay publishes")
        servers.kafka.sigstop()
        try:
            await write_batches(pool, leads[100:])  # the first relay sends into the frozen broker's sockets
            await until(first.waiting, "the first relay waits for acknowledgements")
            first.kill()
            second = Relay(settings, ready=False)
            async with second:

                async def holds() -> bool:
                    return "comparing" in second.why or "starting over" in second.why

                await until(holds, "the second relay has the lock and waits for Kafka")
                servers.kafka.sigcont()
                await until(second.ready, "the second relay publishes")
                await drained(pool)
        finally:
            servers.kafka.sigcont()
    finally:
        first.kill()
    await assert_published(settings, EVENTS, [each for lead in leads for each in lead.made])


async def test_K1_a_batch_of_a_dead_relay_that_lands_late_is_a_repeat_and_nothing_more(
    settings: Settings, pool: Pool
) -> None:
    leads, more = streams(10, 3), streams(10, 3)
    async with Relay(settings, hold=60.0) as relay:
        await write_batches(pool, leads)

        async def sent() -> bool:
            return len(await ids_on_topic(settings)) == 30

        await until(sent, "published")
        before = REGISTRY.get_sample_value("leadline_relay_repeats_total", {"topic": EVENTS}) or 0.0
        await send(settings, leads[0].made)  # the same bytes once more, as from a frozen broker's socket
        await write_batches(pool, more)

        async def counted() -> bool:
            repeats = REGISTRY.get_sample_value("leadline_relay_repeats_total", {"topic": EVENTS}) or 0.0
            return repeats == before + 3 and await relay.ready() and len(await ids_on_topic(settings)) == 60

        await until(counted, "the repeats are counted and the relay goes on")
        assert await open_notice(pool) is None
    assert await assert_published(settings, EVENTS, [each for lead in leads + more for each in lead.made]) == 3


async def test_K1_no_later_version_is_sent_while_an_earlier_one_is_unacknowledged(
    servers: EmbeddedServers, settings: Settings
) -> None:
    (lead,) = streams(1, 3)
    publisher = await publisher_of(settings)
    place = (EVENTS, partition_of(lead.made[0].key, 4))
    try:
        servers.kafka.sigstop()
        try:
            for count, made in enumerate(lead.made, start=1):
                publisher.add([outgoing(made)])
                await publisher.pump()
                await asyncio.sleep(0)
                assert (publisher.on_its_way(place), publisher.waiting) == (1, count)
        finally:
            servers.kafka.sigcont()
        await publisher.drain(30.0)
    finally:
        await publisher.close()
    assert await assert_published(settings, EVENTS, lead.made) == 0


async def test_K1_after_a_batch_that_kafka_refuses_nothing_later_of_its_stream_gets_there(settings: Settings) -> None:
    (lead,) = streams(1, 2)
    first, second = (outgoing(made) for made in lead.made)
    first.value = secrets.token_bytes(1_200_000)  # more than a topic takes, and lz4 cannot help it
    publisher = await publisher_of(settings)
    try:
        publisher.add([first, second])
        await publisher.pump()
        await publisher.pump()  # the second must wait for the answer to the first
        with pytest.raises(RelayStoppedError, match="Kafka did not take a batch"):
            await publisher.drain(30.0)
        with pytest.raises(RelayStoppedError):
            await publisher.pump()
    finally:
        await publisher.close()
    assert await ids_on_topic(settings) == set()


async def publisher_of(settings: Settings) -> Publisher:
    """A publisher to the test's empty topic."""
    publisher = await Publisher(settings, [EVENTS]).open()
    publisher.begin({(EVENTS, partition): 0 for partition in range(4)})
    return publisher


def outgoing(made: Made) -> Outgoing:
    """An event on its way, of no outbox row."""
    row = stored(made)
    return event_record(0, EVENTS, 4, made.value, made.digest, row.recorded_at, 0.0)


async def ids_on_topic(settings: Settings) -> set[str]:
    """All ids there."""
    return {event_id(record) for records in (await read_topic(settings, EVENTS)).values() for record in records}


async def test_K1_a_publisher_sends_nothing_on_to_a_broker_that_was_started_again(
    servers: EmbeddedServers, settings: Settings
) -> None:
    """It may have come back from a power cut with less than it had acknowledged: the next version would stand first."""
    publisher = await publisher_of(settings)
    first, second = streams(1, 2)[0].made
    try:
        publisher.add([outgoing(first)])
        await publisher.drain(10)
        servers.kafka.kill9()
        await servers.kafka.wait_exit(60)
        await servers.kafka.start()
        publisher.add([outgoing(second)])
        with pytest.raises(RelayStoppedError):
            await publisher.drain(10)
    finally:
        await publisher.close()
    assert len(await ids_on_topic(settings)) == 1


async def test_K1_two_relays_one_works_and_the_other_takes_over_when_the_session_is_ended(
    settings: Settings, pool: Pool
) -> None:
    leads = streams(60, 4)
    async with Relay(settings) as first, Relay(settings, ready=False) as second:

        async def waits() -> bool:
            return "standing by" in second.why

        await until(waits, "the second stands by")
        await write_batches(pool, leads[:20])
        await drained(pool)
        assert (await first.ready(), await second.ready()) == (True, False)
        # whoever holds the lock loses its session, as after a failover of Postgres
        await pool.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7301"
        )

        async def one() -> bool:
            return (await first.ready()) + (await second.ready()) == 1

        await write_batches(pool, leads[20:40])
        await until(one, "one of them publishes")
        await drained(pool)
        working = first if await first.ready() else second
        resting = second if working is first else first
        working.stop.set()
        await until(resting.ready, "the other takes over")
        await write_batches(pool, leads[40:])
        await drained(pool)
    assert await assert_published(settings, EVENTS, [each for lead in leads for each in lead.made]) == 0


async def test_K1_kafka_folder_lost_while_the_relay_runs_is_filled_again(
    servers: EmbeddedServers, settings: Settings, pool: Pool
) -> None:
    leads = streams(50, 5)
    async with Relay(settings) as relay:
        await write_batches(pool, leads[:40])
        await drained(pool)
        await servers.kafka.wipe()
        await servers.kafka.start()
        await write_batches(pool, leads[40:])

        async def all_there() -> bool:
            return await relay.ready() and sum((await ends_of(settings, EVENTS)).values()) >= 250

        await until(all_there, "topics are made and filled again", limit=90)
        await drained(pool)
    await assert_published(settings, EVENTS, [each for lead in leads for each in lead.made])


async def test_K1_republish_by_hand_fills_a_lost_topic_while_the_relay_stands_aside(
    servers: EmbeddedServers, settings: Settings, pool: Pool
) -> None:
    leads, later = streams(50, 5), streams(10, 3)
    async with Relay(settings):
        await write_batches(pool, leads)
        await drained(pool)
    await servers.kafka.wipe()
    await servers.kafka.start()
    phases: list[tuple[str, int, int | None]] = []
    filled = await republish(settings, EVENTS, lambda *told: phases.append(told))
    assert (filled.present, filled.repeats, filled.published) == (0, 0, 250)
    assert phases[-1] == ("publishing", 250, 250)
    async with Relay(settings) as relay:  # and with a relay at work there is nothing left to do, nor to break
        filled = await republish(settings, EVENTS)
        assert (filled.present, filled.published) == (250, 0)
        await until(relay.ready, "the relay is back")
        await write_batches(pool, later)
        await drained(pool)
    assert await assert_published(settings, EVENTS, [each for lead in leads + later for each in lead.made]) == 0
    with pytest.raises(ValueError, match=r"no topic leads\.nothing; there are: leads\.events"):
        await republish(settings, "leads.nothing")


async def test_K1_another_partition_count_in_a_new_prefix_is_filled_from_the_store(
    settings: Settings, pool: Pool
) -> None:
    leads = streams(40, 4)
    async with Relay(settings):
        await write_batches(pool, leads)
        await drained(pool)
    other = settings.model_copy(
        update={"kafka_topic_prefix": settings.kafka_topic_prefix + "six.", "kafka_partitions": 6}
    )
    async with Relay(other):
        pass
    assert len(await read_topic(other, EVENTS)) == 6
    assert await assert_published(other, EVENTS, [each for lead in leads for each in lead.made]) == 0


async def test_K1_postgres_restored_from_an_older_copy_stops_the_relay_which_says_what_differs(
    servers: EmbeddedServers, settings: Settings
) -> None:
    old, new, older = streams(10, 3), streams(10, 2), "t" + secrets.token_hex(5)
    forked = old[0]
    async with pool_of(settings) as pool, Relay(settings):
        await write_batches(pool, old)
        await drained(pool)
    source = settings.database_url.get_secret_value().rsplit("/", 1)[1]
    await until_copied(servers, older, source)
    restored = settings.model_copy(
        update={"database_url": SecretStr(at_database(settings.database_url.get_secret_value(), older))}
    )
    async with pool_of(settings) as pool, Relay(settings):
        await write_batches(pool, new)
        await write(pool, seen(forked))
        await drained(pool)
    before = await ends_of(settings, EVENTS)
    try:
        async with pool_of(restored) as pool:
            # the restored store hands out the same version again, with other bytes
            twin = Stream(forked.keys, forked.person, forked.id, 3, forked.made[2].digest, forked.at)
            await write(pool, seen(twin))
            async with Relay(restored, ready=False) as relay:

                async def refused() -> str | None:
                    return await open_notice(pool)

                notice = await until(refused, "the relay refuses")
                assert relay.why == notice
                assert "20 unknown to the store" in notice
                assert "1 with other bytes than the store" in notice
                named = [f"{each.stream}-{each.version}" for lead in new for each in lead.made]
                assert sum(each in notice for each in [*named, f"{forked.id}-4"]) == 20
                assert "and more" in notice
                assert "KAFKA_TOPIC_PREFIX" in notice
                # a person clears the notice: it looks again, and refuses again
                await pool.execute("UPDATE leadline.notices SET cleared_at = now()")
                await until(refused, "the relay has looked again")
                assert not await relay.ready()
            assert await ends_of(settings, EVENTS) == before, "nothing was published"
    finally:
        await drop_database(servers, older)


async def until_copied(servers: EmbeddedServers, name: str, source: str) -> None:
    """A copy of a database, as a backup is; sessions that are just ending are waited for."""

    async def copied() -> bool:
        try:
            await create_database(servers, name, source)
        except Exception as error:
            if "being accessed by other users" not in str(error):
                raise
            return False
        return True

    await until(copied, "the copy is made", limit=15)


async def test_K1_a_record_of_somebody_else_on_our_topic_stops_the_relay(settings: Settings, pool: Pool) -> None:
    (lead,) = streams(1, 3)
    async with Relay(settings) as relay:
        await write(pool, lead.made)
        await drained(pool)
        producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap)
        await producer.start()
        try:
            await producer.send_and_wait(settings.kafka_topic_prefix + EVENTS, b"{}", key=b"x", partition=2)
        finally:
            await producer.stop()

        async def refused() -> str | None:
            return await open_notice(pool)

        notice = await until(refused, "the relay notices without publishing anything itself")
        assert f"{EVENTS}[2]@" in notice
        assert "without an id of ours" in notice
        assert not await relay.ready()


async def test_K1_a_transaction_held_open_by_bi_does_not_slow_the_polls(settings: Settings, pool: Pool) -> None:
    """Deleted rows cannot be cleaned up while it is open; the poll must not walk over them."""
    async with pool.acquire() as bi, bi.transaction(isolation="repeatable_read", readonly=True):
        await bi.fetchval("SELECT count(*) FROM leadline.events")
        async with Relay(settings, hold=0.0):
            leads = streams(100, 100)
            await write_batches(pool, leads)
            await drained(pool)
        await write(pool, streams(1, 5)[0].made)
        shard = await ShardConnection.open(settings, [EVENTS])
        try:
            floor = await pool.fetchval("SELECT min(n) - 1 FROM leadline.outbox")
            touched = await pages_read(shard, floor)
            from_zero = await pages_read(shard, 0)
        finally:
            await shard.close()
    assert touched < 60, "five rows and their events"
    assert from_zero > 2 * touched, "the dead rows are there, so the floor is what saves the poll"


async def pages_read(shard: ShardConnection, floor: int) -> int:
    """Pages that the relay's own poll touches, with its own session's settings."""
    asked: list[str] = []

    class Explained:
        async def fetch(self, query: str, *arguments: object) -> list[object]:
            asked.append(await shard.database.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", *arguments))
            return []

    await store.poll(Explained(), floor, shard.topics, 2_000)  # type: ignore[arg-type]
    plan = json.loads(asked[0])[0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def refusal(command: UUID, lead: UUID) -> Message:
    """A message as the aggregate service writes it."""
    headers = {"ce_specversion": "1.0", "ce_id": f"{command}-1", "ce_type": "leadline.lead.command_refused"}
    headers |= {
        "ce_source": "/leadline/lead",
        "ce_time": "2026-03-02T09:00:00+00:00",
        "content-type": "application/json",
    }
    return Message(LEADS_REFUSALS.name, str(lead), command, 1, headers, b'{"command":"%s"}' % str(command).encode())


async def test_M5_refusals_are_published_as_given_and_again_when_their_topic_is_lost(
    servers: EmbeddedServers, settings: Settings, pool: Pool
) -> None:
    told = [refusal(uuid4(), uuid4()) for _ in range(20)]
    async with Relay(settings):
        async with pool.acquire() as connection:
            await recording.send(connection, told)
        await drained(pool)

        async def held() -> dict[bytes, bytes]:
            topic = await read_topic(settings, LEADS_REFUSALS.name)
            return {record.key: record.value for records in topic.values() for record in records}

        assert await held() == {each.key.encode(): each.value for each in told}
        await servers.kafka.wipe()
        await servers.kafka.start()

        async def again() -> bool:
            return len(await held()) == 20

        await until(again, "the topic is made and filled again", limit=90)
        assert await held() == {each.key.encode(): each.value for each in told}
        (record, *_) = [r for records in (await read_topic(settings, LEADS_REFUSALS.name)).values() for r in records]
        assert {name: value.decode() for name, value in record.headers}["ce_type"] == "leadline.lead.command_refused"
        assert record.timestamp == 1772442000000


async def test_N18_inbound_messages_without_an_outcome_are_sent_again_and_foreign_records_are_left_alone(
    servers: EmbeddedServers, settings: Settings, pool: Pool
) -> None:
    done, waiting = uuid4(), uuid4()
    for inbound_id in (done, waiting):
        await pool.execute(
            """INSERT INTO leadline.intake (id, channel, account, body_hash, received_at, actor, ciphertext)
               VALUES ($1, 'form', 'main', '', '2026-03-02T09:00:00Z', '{}', '')""",
            inbound_id,
        )
    await pool.execute(
        """INSERT INTO leadline.inbound_outcomes (inbound_id, attempt, outcome, channel, account, received_at, at)
           VALUES ($1, 1, 'accepted', 'form', 'main', now(), now())""",
        done,
    )
    async with Relay(settings, hold=0.0) as relay:
        headers = {"ce_specversion": "1.0", "ce_id": f"{waiting}-1", "ce_type": REFERENCE_TYPE}
        headers |= {"ce_source": "/leadline/intake", "content-type": "application/json"}
        async with pool.acquire() as connection:
            await recording.send(connection, [Message(LEADS_INBOUND.name, "k", waiting, 1, headers, b"{}")])
        await drained(pool)
        await send_transactions(settings)
        await write(pool, streams(1, 1)[0].made)
        await drained(pool)
        assert await relay.ready()
    async with Relay(settings):  # reads the tail with the foreign records, markers and an aborted transaction in it
        pass
    await servers.kafka.wipe()
    await servers.kafka.start()
    filled = await republish(settings, LEADS_INBOUND.name)
    assert (filled.present, filled.published) == (0, 1)
    ((record,),) = [records for records in (await read_topic(settings, LEADS_INBOUND.name)).values() if records]
    assert event_id(record) == f"{waiting}-1"
    assert json.loads(record.value)["inbound_id"] == str(waiting)


async def send_transactions(settings: Settings) -> None:
    """What an adapter does: one transaction kept, one aborted, and then the partition ends with its marker."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, transactional_id=secrets.token_hex(4))
    await producer.start()
    try:
        for keep in (True, False):
            await producer.begin_transaction()
            for partition in range(4):
                name = settings.kafka_topic_prefix + LEADS_INBOUND.name
                await producer.send_and_wait(name, b"{}", partition=partition, headers=[("ce_id", b"\xff")])
            await (producer.commit_transaction() if keep else producer.abort_transaction())
    finally:
        await producer.stop()


async def test_K1_a_plain_client_reads_the_topic(settings: Settings, pool: Pool) -> None:
    (lead,) = streams(1, 2)
    async with Relay(settings):
        await write(pool, lead.made)
        await drained(pool)
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        name = settings.kafka_topic_prefix + EVENTS
        consumer.assign([TopicPartition(name, p) for p in range(4)])
        record = await asyncio.wait_for(consumer.getone(), 60)
    finally:
        await consumer.stop()
    headers = {name: value.decode("ascii") for name, value in record.headers}
    assert headers["ce_id"] == f"{lead.id}-1"
    assert headers["ce_type"] == "leadline.lead.seen"
    assert headers["ce_digest"] == lead.made[0].digest.hex()
    assert record.key == str(lead.id).encode()


def published() -> float:
    """Events acknowledged in this process so far."""
    return REGISTRY.get_sample_value("leadline_relay_published_total", {"topic": EVENTS}) or 0.0
