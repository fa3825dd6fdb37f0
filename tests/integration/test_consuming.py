"""The input's positions and the consumer factory, on a real broker and a real database (K4; design, decision 4)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.record.util import calc_crc32c
from faststream import AckPolicy

from deploy.embedded.sandbox import EmbeddedServers
from services.database import Pool
from services.eventlog.consuming import Batch, FencedError, consume, move_positions
from services.eventlog.consuming import member as member_module
from services.eventlog.consuming import trouble as trouble_module
from services.eventlog.consuming import withheld as withheld_module
from services.eventlog.consuming.log import Log
from services.eventlog.consuming.positions import Positions
from services.eventlog.consuming.records import NO_WITNESS, Position, PositionMove, Slot
from services.eventlog.consuming.subscriber import PolledConsumer, make_broker
from services.health import Health
from services.settings import Settings

pytestmark = pytest.mark.kafka

TOPIC = "leads.inbound"
LIMIT = 60.0


async def until(what: Callable[[], Awaitable[Any]], limit: float = LIMIT) -> Any:
    """Wait until `what` gives something true."""
    deadline = time.monotonic() + limit
    while not (found := await what()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.02)
    return found


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    made = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, enable_idempotence=True)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def effects(pool: Pool) -> None:
    await pool.execute("CREATE TABLE taken_records (body text, member text)")


class Member:
    """A consumer that writes each record's value to `taken_records`, in the transaction of its position."""

    def __init__(self, settings: Settings, pool: Pool, name: str, **more: Any) -> None:
        self.health = Health("test")
        self.stop = asyncio.Event()
        self.batches = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.inside = asyncio.Event()
        self._pool, self._name = pool, name
        self.task = asyncio.create_task(
            consume(
                settings,
                pool,
                consumer="test",
                topics=[TOPIC],
                handle=self.handle,
                health=self.health,
                stop=self.stop,
                **{"max_records": 50, **more},
            )
        )

    async def handle(self, batch: Batch) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await move_positions(connection, batch.moves)
            await connection.executemany(
                "INSERT INTO taken_records VALUES ($1, $2)",
                [((r.value or b"(none)").decode("latin-1"), self._name) for r in batch.records],
            )
            self.inside.set()
            await self.gate.wait()
        self.batches += 1

    async def ready(self) -> None:
        async def is_ready() -> bool:
            if self.task.done():
                await self.task
            return self.health.is_ready()

        await until(is_ready)

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, LIMIT)


@asynccontextmanager
async def member(settings: Settings, pool: Pool, name: str = "a", **more: Any) -> AsyncIterator[Member]:
    made = Member(settings, pool, name, **more)
    try:
        await made.ready()
        yield made
    finally:
        if not made.task.done():
            made.task.cancel()
        await asyncio.gather(made.task, return_exceptions=True)


async def put(
    settings: Settings, producer: AIOKafkaProducer, bodies: Sequence[str], partition: int | None = None
) -> None:
    for number, body in enumerate(bodies):
        await producer.send(
            settings.kafka_topic_prefix + TOPIC, body.encode(), partition=number % 4 if partition is None else partition
        )
    await producer.flush()


async def taken(pool: Pool) -> list[str]:
    return [row[0] for row in await pool.fetch("SELECT body FROM taken_records ORDER BY body")]


async def positions(pool: Pool) -> dict[Slot, Position]:
    rows = await pool.fetch(
        "SELECT topic, partition, next_offset, witness FROM leadline.positions WHERE consumer='test'"
    )
    return {Slot(r[0], r[1]): Position(r[2], r[3]) for r in rows}


def all_of(pool: Pool, expected: Sequence[str]) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return len(await taken(pool)) >= len(expected)

    return check


async def test_K4_each_record_once_across_restarts(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None
) -> None:
    first, second = [f"{n:03}" for n in range(200)], [f"{n:03}" for n in range(200, 300)]
    await put(settings, producer, first)
    async with member(settings, pool) as a:
        await until(all_of(pool, first))
        await a.end()
    await put(settings, producer, second)
    async with member(settings, pool) as a:
        await until(all_of(pool, first + second))
        await a.end()
    assert await taken(pool) == first + second
    assert sum(p.next_offset for p in (await positions(pool)).values()) == 300


async def test_K4_rebalance_while_batches_run_doubles_and_loses_nothing(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None
) -> None:
    bodies: list[str] = []
    enough = asyncio.Event()

    async def write() -> None:
        while not enough.is_set():
            more = [f"{n:06}" for n in range(len(bodies), len(bodies) + 100)]
            await put(settings, producer, more)
            bodies.extend(more)
            # never far ahead, or what is left to read at the end depends on how fast this machine writes
            while (
                not enough.is_set() and len(bodies) - await pool.fetchval("SELECT count(*) FROM taken_records") > 2000
            ):
                await asyncio.sleep(0.02)

    async def took(*names: str) -> bool:
        rows = await pool.fetch("SELECT DISTINCT member FROM taken_records")
        return {row[0] for row in rows} >= set(names)

    writing = asyncio.create_task(write())
    try:
        async with member(settings, pool, "a") as a:
            await until(partial(took, "a"))
            async with member(settings, pool, "b") as b:
                async with member(settings, pool, "c") as c:
                    await until(partial(took, "a", "b", "c"))
                    await c.end()
                b.task.cancel()  # as a crash: what it holds open rolls back
                await asyncio.gather(b.task, return_exceptions=True)
            async with member(settings, pool, "d"):
                await until(partial(took, "d"))
                enough.set()
                await writing
                await until(all_of(pool, bodies))
            await a.end()
    finally:
        enough.set()
        await writing
    assert await taken(pool) == bodies


async def test_K4_rebalance_waits_for_the_running_batch(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None
) -> None:
    async with member(settings, pool, "a") as a:
        a.gate.clear()
        await put(settings, producer, ["held"])
        await asyncio.wait_for(a.inside.wait(), LIMIT)
        b = Member(settings, pool, "b")

        async def shared_out() -> bool:
            return "shared" in a.health.parts["input"].why

        await until(shared_out)
        assert not b.health.is_ready()
        a.gate.set()
        await b.ready()
        assert await taken(pool) == ["held"]
        await b.end()


async def test_K4_fenced_consumer_writes_nothing_and_loads_again(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None
) -> None:
    """Another process moved the position under us: the batch rolls back, nothing is dropped, we go on from there."""
    async with member(settings, pool) as a:
        await put(settings, producer, ["one", "two"], partition=0)
        await until(all_of(pool, ["one", "two"]))
        slot = Slot(TOPIC, 0)
        now = (await positions(pool))[slot]
        witnesses = Positions(
            pool, Log(settings.kafka_bootstrap, settings.kafka_topic_prefix), consumer="test", build=1
        )
        back = PositionMove("test", 1, slot, now, Position(0, NO_WITNESS))
        async with pool.acquire() as connection, connection.transaction():
            await move_positions(connection, [back])
            await connection.execute("DELETE FROM taken_records")
        await put(settings, producer, ["three"], partition=0)
        await until(all_of(pool, ["one", "three", "two"]))
        assert await taken(pool) == ["one", "three", "two"]
        assert (await positions(pool))[slot].next_offset == 3
        assert await witnesses.resolve([slot]) == {slot: (await positions(pool))[slot]}
        await a.end()


async def test_K4_compare_and_set_lets_one_of_two_through(pool: Pool) -> None:
    slot = Slot(TOPIC, 0)
    await pool.execute("INSERT INTO leadline.positions VALUES ('test', 1, $1, 0, 5, '\\x01')", TOPIC)
    first = PositionMove("test", 1, slot, Position(5, b"\x01"), Position(9, b"\x02"))
    same_offset_other_witness = PositionMove("test", 1, slot, Position(9, b"\x03"), Position(12, b"\x04"))
    async with pool.acquire() as connection:
        async with connection.transaction():
            await move_positions(connection, [first])
        for stale in (first, same_offset_other_witness):
            with pytest.raises(FencedError):
                async with connection.transaction():
                    await move_positions(connection, [stale])
    assert (await positions(pool))[slot] == Position(9, b"\x02")


async def test_K4_two_runners_of_one_batch_take_it_once(pool: Pool) -> None:
    """The fence itself, without Kafka: a zombie's transaction that began first loses to the one that commits first."""
    slot = Slot(TOPIC, 0)
    await pool.execute("INSERT INTO leadline.positions VALUES ('test', 1, $1, 0, 0, '')", TOPIC)
    move = PositionMove("test", 1, slot, Position(0, b""), Position(3, b"\x02"))
    async with pool.acquire() as one, pool.acquire() as two:
        held = one.transaction()
        await held.start()
        await move_positions(one, [move])

        async def zombie() -> None:
            async with two.transaction():
                await move_positions(two, [move])

        waiting = asyncio.create_task(zombie())

        async def blocked() -> bool:
            return bool(
                await pool.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                    "AND datname = current_database()"
                )
            )

        await until(blocked)
        await held.commit()
        with pytest.raises(FencedError):
            await waiting


async def test_K4_undecodable_records_arrive_as_they_are(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None
) -> None:
    """A header that is no UTF-8 (FastStream loses such a batch), a tombstone, a body that is no text."""
    topic = settings.kafka_topic_prefix + TOPIC
    async with member(settings, pool) as a:
        await producer.send(topic, b"before", partition=0)
        await producer.send(topic, b"header", partition=0, headers=[("x", b"\xff\xfe")])
        await producer.send(topic, None, key=b"k", partition=0)
        await producer.send(topic, b"\xff\xfe", partition=0)
        await producer.send(topic, b"after", partition=0)
        await producer.flush()

        async def done() -> bool:
            return "after" in await taken(pool)

        await until(done)
        assert await taken(pool) == sorted(["before", "header", "(none)", "\xff\xfe", "after"])
        await a.end()


async def test_K4_header_name_that_is_no_utf8_holds_nothing_up(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka raises on such a record, and forgets what it had taken from other partitions: none of it may be lost."""
    monkeypatch.setattr(
        "aiokafka.consumer.fetcher.random.shuffle", list.sort
    )  # partition 0 is taken first, then 1 raises
    raw = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap)
    await raw.start()
    bodies = [f"{n:03}" for n in range(80)]
    try:
        await put(settings, producer, bodies[:40])
        for partition in (1, 2):
            batch = raw.create_batch()
            batch.append(key=None, value=b"never seen", timestamp=None, headers=[("ZZ", b"v")])
            built = bytearray(batch._build()).replace(b"ZZ", b"\xff\xfe")
            built[17:21] = calc_crc32c(bytes(built[21:])).to_bytes(4, "big")
            batch._buffer = bytes(built)
            await (await raw.send_batch(batch, settings.kafka_topic_prefix + TOPIC, partition=partition))
            await put(settings, producer, bodies[40:60] if partition == 1 else bodies[60:])
    finally:
        await raw.stop()
    expected = [*(["(none)"] * 2), *bodies]
    async with member(settings, pool) as a:
        await until(all_of(pool, expected))
        await a.end()
    assert await taken(pool) == expected
    async with member(settings, pool) as a:  # the witness may be such a record
        await a.end()
    assert not await pool.fetchval("SELECT count(*) FROM leadline.notices")


async def test_K4_aborted_transactions_leave_gaps_that_do_not_stall(
    settings: Settings, pool: Pool, effects: None
) -> None:
    topic = settings.kafka_topic_prefix + TOPIC
    adapter = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, transactional_id=f"{topic}-adapter")
    await adapter.start()
    expected = []
    try:
        async with member(settings, pool, max_records=3) as a:
            for number in range(12):
                await adapter.begin_transaction()
                await adapter.send(topic, f"{number:02}".encode(), partition=0)
                if number % 3 == 2:
                    await adapter.abort_transaction()
                else:
                    await adapter.commit_transaction()
                    expected.append(f"{number:02}")
            await until(all_of(pool, expected))
            await a.end()
        async with member(settings, pool) as a:  # the markers after the last record do not disturb the witness
            await a.end()
    finally:
        await adapter.stop()
    assert await taken(pool) == expected
    assert not await pool.fetchval("SELECT count(*) FROM leadline.notices")


async def test_K4_what_stands_behind_a_transaction_that_nobody_ends_is_told(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withheld_module, "OPEN_SECONDS", 0.0)
    monkeypatch.setattr(member_module, "COMMIT_SECONDS", 0.3)
    topic = settings.kafka_topic_prefix + TOPIC
    adapter = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, transactional_id=f"{topic}-left-open")
    await adapter.start()
    try:
        async with member(settings, pool) as a:
            await put(settings, producer, ["before"])
            await until(all_of(pool, ["before"]))
            await adapter.begin_transaction()
            opened = await adapter.send_and_wait(topic, b"never", partition=0)
            await put(settings, producer, ["behind"])
            told = await until(
                lambda: pool.fetchval("SELECT detail FROM leadline.notices WHERE code = 'transaction_open'")
            )
            assert f"{TOPIC}-0: what stands from offset {opened.offset} on waits" in told
            assert await taken(pool) == ["before"]
            await adapter.abort_transaction()
            await until(all_of(pool, ["before", "behind"]))
            await a.end()
    finally:
        await adapter.stop()
    assert await pool.fetchval("SELECT count(*) FROM leadline.notices") == 1


async def test_K4_killed_in_the_middle_of_a_batch_then_applied_once(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None
) -> None:
    bodies = [f"{n:03}" for n in range(120)]
    async with member(settings.model_copy(update={"stop_within": 0.2}), pool) as a:
        a.gate.clear()
        await put(settings, producer, bodies)
        await asyncio.wait_for(a.inside.wait(), LIMIT)
        a.task.cancel()
    async with member(settings, pool) as a:
        await until(all_of(pool, bodies))
        await a.end()
    assert await taken(pool) == bodies


async def test_K4_lost_answer_to_commit_doubles_nothing(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None
) -> None:
    """The transaction is committed, but its answer is lost: the batch must not be applied again."""
    bodies = [f"{n:03}" for n in range(40)]
    times = 0

    async def handle(batch: Batch) -> None:
        nonlocal times
        async with pool.acquire() as connection, connection.transaction():
            await move_positions(connection, batch.moves)
            await connection.executemany(
                "INSERT INTO taken_records VALUES ($1, 'l')", [((r.value or b"").decode(),) for r in batch.records]
            )
        times += 1
        if times in (1, 3):
            raise ConnectionResetError("the answer is lost")

    stop, health = asyncio.Event(), Health("test")
    task = asyncio.create_task(
        consume(settings, pool, consumer="test", topics=[TOPIC], handle=handle, health=health, stop=stop, max_records=7)
    )
    await put(settings, producer, bodies)
    await until(all_of(pool, bodies))
    stop.set()
    await asyncio.wait_for(task, LIMIT)
    assert times >= 3
    assert await taken(pool) == bodies


async def test_K4_a_batch_committed_by_halves_goes_on_where_it_stopped(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None
) -> None:
    bodies = [f"{n:03}" for n in range(32)]
    fail = True

    async def commit(batch: Batch) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await move_positions(connection, batch.moves)
            await connection.executemany(
                "INSERT INTO taken_records VALUES ($1, 'h')", [((r.value or b"").decode(),) for r in batch.records]
            )

    async def handle(batch: Batch) -> None:
        nonlocal fail
        if len(batch.records) < 2:
            await commit(batch)
            return
        first, second = batch.halves()
        await commit(first)
        if fail:
            fail = False
            raise TimeoutError("between the halves")
        await commit(second)

    await put(settings, producer, bodies)
    stop, health = asyncio.Event(), Health("test")
    task = asyncio.create_task(
        consume(settings, pool, consumer="test", topics=[TOPIC], handle=handle, health=health, stop=stop)
    )
    await until(all_of(pool, bodies))
    stop.set()
    await asyncio.wait_for(task, LIMIT)
    assert not fail
    assert await taken(pool) == bodies


async def cut(settings: Settings) -> None:
    """The broker's folder was lost: the topic is there again, empty."""
    from contracts.topics import LEADS_INBOUND
    from services.eventlog.admin import ensure_topics

    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([settings.kafka_topic_prefix + TOPIC])
    finally:
        await admin.close()

    async def made() -> bool:
        return bool(await ensure_topics(settings, [LEADS_INBOUND]))

    await until(made)


async def test_K4_log_cut_short_goes_back_to_the_beginning_and_says_so(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None
) -> None:
    old, new = [f"old{n}" for n in range(8)], [f"new{n}" for n in range(20)]
    await put(settings, producer, old, partition=0)
    async with member(settings, pool) as a:
        await until(all_of(pool, old))
        await a.end()
    await cut(settings)
    await producer.client.force_metadata_update()
    await put(settings, producer, new, partition=0)  # longer than before: the offset alone would hide the loss
    async with member(settings, pool) as a:
        await until(all_of(pool, old + new))
        await a.end()
    assert await taken(pool) == sorted(old + new)
    notices = await pool.fetch("SELECT code, detail FROM leadline.notices")
    assert [n[0] for n in notices] == ["log_cut_short"]
    assert "leads.inbound-0" in notices[0][1]


async def test_K4_log_cut_short_goes_back_to_the_newest_witness_that_agrees(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer
) -> None:
    await put(settings, producer, [f"{n}" for n in range(10)], partition=1)
    slot, log = Slot(TOPIC, 1), Log(settings.kafka_bootstrap, settings.kafka_topic_prefix)
    mine = Positions(pool, log, consumer="test", build=1, monotonic=iter(range(0, 10_000, 61)).__next__)
    start = (await mine.resolve([slot]))[slot]
    assert start == Position(0, NO_WITNESS)
    records = [await one(settings, slot, offset) for offset in range(10)]
    mine.hold(slot, start)
    for record in records:
        batch = mine.batch([record])
        async with pool.acquire() as connection, connection.transaction():
            await move_positions(connection, batch.moves)
        mine.taken(batch)
    assert await pool.fetchval("SELECT count(*) FROM leadline.witnesses") == 10
    assert await mine.resolve([slot]) == {slot: records[-1].after()}
    # as if the log had held other records from offset 6 on when we read it
    async with pool.acquire() as connection:
        await connection.execute("UPDATE leadline.witnesses SET witness = '\\xaa' WHERE next_offset > 6")
        await connection.execute(
            "UPDATE leadline.positions SET next_offset = 40, witness = '\\xbb' WHERE partition = 1"
        )
    assert await mine.resolve([slot]) == {slot: records[5].after()}
    assert (await positions(pool))[slot] == records[5].after()
    assert await pool.fetchval("SELECT max(next_offset) FROM leadline.witnesses") == 6
    assert await pool.fetchval("SELECT detail FROM leadline.notices") == (
        "test build 1, leads.inbound-1: the log ends at 10 or holds another record where 40 had been reached; "
        "reading again from 6"
    )


async def test_K4_broker_comes_back_with_another_log_while_we_read_on(
    servers: EmbeddedServers, settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None
) -> None:
    """A power cut took the log's end and others wrote on before we fetched again: no offset is out of range."""
    old, new = [f"old{n}" for n in range(8)], [f"new{n:02}" for n in range(20)]
    await put(settings, producer, old, partition=0)
    await put(settings, producer, new, partition=1)
    async with member(settings, pool) as a:
        await until(all_of(pool, old + new))
        servers.kafka.kill9()
        await servers.kafka.wait_exit(LIMIT)
        logs = [
            next(servers.folder.rglob(f"{settings.kafka_topic_prefix}{TOPIC}-{n}/00000000000000000000.log"))
            for n in (0, 1)
        ]
        logs[0].write_bytes(logs[1].read_bytes())
        await servers.kafka.start()
        await until(all_of(pool, old + new + new), 40.0)
        await a.end()
    assert await taken(pool) == sorted(old + new + new)
    assert [row[0] for row in await pool.fetch("SELECT code FROM leadline.notices")] == ["log_cut_short"]


async def test_K4_only_the_newest_20_witnesses_are_kept(pool: Pool) -> None:
    slot = Slot(TOPIC, 0)
    await pool.execute("INSERT INTO leadline.positions VALUES ('test', 1, $1, 0, 0, '')", TOPIC)
    at = Position(0, b"")
    async with pool.acquire() as connection:
        for number in range(1, 31):
            new = Position(number, bytes([number]))
            await move_positions(connection, [PositionMove("test", 1, slot, at, new, keep=True)])
            at = new
    kept = [row[0] for row in await pool.fetch("SELECT next_offset FROM leadline.witnesses ORDER BY 1")]
    assert kept == list(range(11, 31))


async def test_K4_records_gone_by_retention_are_said_and_passed(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None
) -> None:
    await put(settings, producer, [f"{n}" for n in range(9)], partition=2)
    async with member(settings, pool) as a:
        await until(all_of(pool, [str(n) for n in range(9)]))
        await a.end()
    await put(settings, producer, ["gone1", "gone2", "kept"], partition=2)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    partition = TopicPartition(settings.kafka_topic_prefix + TOPIC, 2)
    try:
        await admin.delete_records({partition: RecordsToDelete(before_offset=9)})  # the witness itself only
        async with member(settings, pool) as a:
            await a.end()
        assert not await pool.fetchval("SELECT count(*) FROM leadline.notices")
        await pool.execute("UPDATE leadline.positions SET next_offset = 9, witness = '\\x01' WHERE partition = 2")
        await admin.delete_records({partition: RecordsToDelete(before_offset=11)})
    finally:
        await admin.close()
    async with member(settings, pool) as a:

        async def kept() -> bool:
            return "kept" in await taken(pool)

        await until(kept)
        await a.end()
    assert [row[0] for row in await pool.fetch("SELECT code FROM leadline.notices")] == ["input_expired"]


async def test_K4_trouble_is_waited_out_then_the_member_leaves(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer, effects: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    async def away(batch: Batch) -> None:
        nonlocal calls
        calls += 1
        raise ConnectionRefusedError("no database")

    health, stop = Health("test"), asyncio.Event()
    task = asyncio.create_task(
        consume(settings, pool, consumer="test", topics=[TOPIC], handle=away, health=health, stop=stop)
    )
    await until(lambda: _true(health.is_ready))
    monkeypatch.setattr(trouble_module, "PATIENCE_SECONDS", 0.5)
    await put(settings, producer, ["x"], partition=0)
    with pytest.raises(trouble_module.GroupStoppedError, match="handle: trouble"):
        await asyncio.wait_for(task, LIMIT)
    assert calls > 2
    assert not health.is_ready()


async def test_K4_an_error_no_retry_mends_stops_the_consumer_at_once(
    settings: Settings, pool: Pool, producer: AIOKafkaProducer
) -> None:
    async def broken(batch: Batch) -> None:
        raise ZeroDivisionError

    health = Health("test")
    task = asyncio.create_task(
        consume(settings, pool, consumer="test", topics=[TOPIC], handle=broken, health=health, stop=asyncio.Event())
    )
    await until(lambda: _true(health.is_ready))
    await put(settings, producer, ["x"], partition=0)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(task, LIMIT)
    assert (await positions(pool))[Slot(TOPIC, 0)].next_offset == 0


async def _true(what: Callable[[], bool]) -> bool:
    return what()


async def one(settings: Settings, slot: Slot, offset: int) -> Any:
    """One record, read by its offset."""
    from aiokafka import AIOKafkaConsumer

    from services.eventlog.consuming.log import raw

    reader = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False)
    partition = TopicPartition(settings.kafka_topic_prefix + slot.topic, slot.partition)
    reader.assign([partition])
    await reader.start()
    try:
        reader.seek(partition, offset)
        return raw(await asyncio.wait_for(reader.getone(), LIMIT), settings.kafka_topic_prefix)
    finally:
        await reader.stop()


async def test_K4_frozen_defaults_reach_the_consumer(settings: Settings) -> None:
    """An upgrade of FastStream that moves one of these must not pass unseen."""

    async def nothing(*_: Any) -> Any:
        return {}

    class Deaf(ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked: Any) -> None: ...

        def on_partitions_assigned(self, assigned: Any) -> None: ...

    broker, subscriber = await make_broker(
        settings.kafka_bootstrap,
        topics=["t"],
        group="g",
        max_records=7,
        listener=Deaf(),
        poll=nothing,
        take=nothing,
        stop_within=1.0,
        instance="leads-1",
    )
    try:
        assert subscriber.ack_policy is AckPolicy.MANUAL
        assert (subscriber.group_id, subscriber.max_records, subscriber.batch_timeout_ms) == ("g", 7, 1)
        made = subscriber.builder(group_id=subscriber.group_id, **subscriber._connection_args)
        assert isinstance(made, PolledConsumer)
        assert made._auto_offset_reset == "none"
        assert made._isolation_level == "read_committed"
        assert made._enable_auto_commit is False
        assert made._rebalance_timeout_ms == 30_000
        assert made._group_instance_id == "leads-1"
    finally:
        await broker.stop()
