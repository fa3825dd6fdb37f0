"""Board, timeline and people from a real topic to what the web and BI read (K4, M7; decision 11)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from contracts.events import CardRecorded
from contracts.meta import digest_of
from projections import app
from projections.all import PROJECTIONS
from projections.board import store as board
from projections.people import reading as people
from projections.robots import store as robots
from projections.schema import prepare
from projections.timeline import store as timeline
from services.database import Pool
from services.eventlog.consuming.parked import store as parked
from services.eventlog.mapper import UnknownTypeError
from services.health import Health
from services.settings import Settings
from tests.builders import Keys, Stream, by_itself, contact, enter, erased, lead, offer, send
from tests.builders_of_work import arrived, to_do, whole_journal

pytestmark = pytest.mark.kafka

LIMIT = 20.0


async def until(what: Callable[[], Awaitable[Any]], limit: float = LIMIT) -> Any:
    """Wait until `what` gives something true."""
    deadline = time.monotonic() + limit
    while not (found := await what()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.02)
    return found


class Running:
    """The projections' service, as its process runs it."""

    def __init__(self, settings: Settings) -> None:
        self.health, self.stop = Health("projections"), asyncio.Event()
        self.task = asyncio.create_task(app.run(settings, self.health, self.stop))

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, LIMIT)


@asynccontextmanager
async def projections(settings: Settings) -> AsyncIterator[Running]:
    running = Running(settings)
    try:
        yield running
        await running.end()
    finally:
        running.task.cancel()
        await asyncio.gather(running.task, return_exceptions=True)


async def seen(pool: Pool, *streams: Stream) -> None:
    """Wait until the projections have all events of these streams."""
    wanted = {stream.id: stream.version for stream in streams}

    async def all_seen() -> bool:
        rows = await pool.fetch(
            "SELECT stream, version FROM leadline.seen WHERE consumer = 'projections' AND stream = ANY($1)",
            list(wanted),
        )
        return all(dict(map(tuple, rows)).get(s, 0) >= v for s, v in wanted.items())

    await until(all_seen)


async def parked_rows(pool: Pool) -> list[tuple[Any, ...]]:
    rows = await pool.fetch("SELECT reason, version FROM leadline.parked ORDER BY reason, version")
    return [tuple(row) for row in rows]


def parked_are(pool: Pool, *expected: tuple[str, int | None]) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await parked_rows(pool) == sorted(expected, key=lambda e: (e[0], e[1] is None, e[1]))

    return check


async def checksums(pool: Pool) -> list[bytes]:
    async with pool.acquire() as connection:
        return [await projection.checksum(connection, 1) for projection in PROJECTIONS]


@pytest.fixture
async def keys() -> Keys:
    return Keys()


async def test_K4_board_timeline_and_people_show_what_happened(settings: Settings, pool: Pool, keys: Keys) -> None:
    anna, boris = contact(keys, email="anna@example.com"), contact(keys, name="Борис Ёлкин", phone="+79990001122")
    one = lead(keys, anna.id, stages=("new", "processing", "proposal"))
    two = lead(keys, boris.id, name="Борис Ёлкин", stages=("new", "paused"))
    offer(two, "10.25", "EUR")
    await keys.store(pool, settings)
    async with projections(settings):
        await send(settings, [*anna.made, *boris.made, *one.made, *two.made])
        await seen(pool, anna, boris, one, two)
        async with pool.acquire() as connection:
            columns = {c.stage: c for c in await board.columns(connection, "classic")}
            assert {s: c.count for s, c in columns.items()} == {"proposal": 1, "paused": 1}
            assert columns["proposal"].sums == {"RUB": Decimal("1000.50")}
            assert columns["paused"].sums == {"EUR": Decimal("10.25")}
            card = await board.card(connection, one.id)
            assert card is not None
            assert (card.name, card.responsible, card.stage, card.visit) == ("Анна Иванова", "anna", "proposal", 3)
            assert card.version == one.version
            assert await board.wait_for(pool, one.id, one.version, 0.0)
            assert not await board.wait_for(pool, one.id, one.version + 1, 0.05)
            entries = await timeline.entries(connection, one.id)
            assert [e.version for e in entries] == list(range(one.version, 0, -1))
            assert entries[-1].data["comment"] == "Нужна столешница"
            assert [e.version for e in await timeline.entries(connection, one.id, after=3, limit=1)] == [2]
            for query in (
                {"phone": "+7916123"},
                {"email": "ANNA@"},
                {"name": "ива анн"},
                {"name": "ромашка", "phone": "+7916"},
            ):
                found = await people.search(connection, **query)
                assert [(p.contact, p.leads) for p in found] == [(anna.id, [one.id])], query
            assert [p.contact for p in await people.search(connection, name="елкин")] == [boris.id]
            assert await people.search(connection, name="%") == []
            assert await people.search(connection) == []
        visits = await pool.fetch(
            "SELECT visit, stage, left_at IS NULL, to_stage FROM bi.stage_visits WHERE lead = $1 ORDER BY visit", one.id
        )
        assert [tuple(v) for v in visits] == [
            (1, "new", False, "processing"), (2, "processing", False, "proposal"), (3, "proposal", True, None)
        ]  # fmt: skip


async def test_K4_cards_are_paged_without_gaps(settings: Settings, pool: Pool, keys: Keys) -> None:
    anna = contact(keys)
    leads = [lead(keys, anna.id) for _ in range(7)]
    await keys.store(pool, settings)
    async with projections(settings):
        await send(settings, [event for stream in leads for event in stream.made])
        await seen(pool, *leads)
    async with pool.acquire() as connection:
        for page in (
            lambda after: board.cards(connection, "classic", "new", after=after, limit=3),
            lambda after: board.leads(connection, board.Chosen(responsible="anna"), after=after, limit=3),
        ):
            got, after = await page(None)
            while after:
                more, after = await page(after)
                got += more
            assert len(got) == 7
            assert {c.lead for c in got} == {s.id for s in leads}
        with pytest.raises(ValueError, match="cursor"):
            await board.cards(connection, "classic", "new", after="nonsense", limit=3)


async def test_K4_repeats_are_dropped_and_counted(settings: Settings, pool: Pool, keys: Keys) -> None:
    anna = contact(keys)
    one = lead(keys, anna.id, stages=("new", "processing"))
    await keys.store(pool, settings)
    async with projections(settings):
        await send(settings, [*anna.made, *one.made])
        await seen(pool, anna, one)
        before = await checksums(pool)
        await send(settings, [*one.made, *anna.made])
        enter(one, "proposal", 3, "processing")
        await send(settings, one.made[-1:])
        await seen(pool, one)
        assert await parked_rows(pool) == []
    async with pool.acquire() as connection:
        assert [c.count for c in await board.columns(connection, "classic")] == [1]
    assert await checksums(pool) != before


async def test_K4_gap_is_parked_and_heals_when_the_missing_event_comes(
    settings: Settings, pool: Pool, keys: Keys
) -> None:
    anna = contact(keys)
    one, other = lead(keys, anna.id, stages=("new", "processing", "proposal")), lead(keys, anna.id)
    await keys.store(pool, settings)
    held = one.made[2]
    async with projections(settings):
        await send(settings, [*one.made[:2], *one.made[3:], *other.made])
        await seen(pool, other)
        await until(parked_are(pool, ("gap", 4), ("after_parked", 5), ("after_parked", 6)))
        await send(settings, [held])
        await seen(pool, one)
        await until(parked_are(pool))
    async with pool.acquire() as connection:
        assert len(await timeline.entries(connection, one.id)) == one.version
        card = await board.card(connection, one.id)
        assert card is not None
        assert card.stage == "proposal"


async def test_K4_fork_is_parked_and_told_by_the_digest(settings: Settings, pool: Pool, keys: Keys) -> None:
    """After a restore of an older backup the store hands out versions anew."""
    anna = contact(keys)
    one = lead(keys, anna.id, stages=("new", "processing"))
    await keys.store(pool, settings)
    restored = replace(one, version=one.version - 1, digest=one.made[-2].digest, made=[])
    offer(restored, "7.00")
    offer(restored, "8.00")
    async with projections(settings):
        await send(settings, one.made)
        await seen(pool, one)
        before = await checksums(pool)
        await send(settings, restored.made)
        await until(parked_are(pool, ("fork", one.version), ("fork", one.version + 1)))
        assert await checksums(pool) == before


async def test_K4_poison_is_parked_the_rest_flows_and_release_tries_again(
    settings: Settings, pool: Pool, keys: Keys
) -> None:
    """A tombstone, no JSON, a header that is no UTF-8, an event that lacks what the board needs."""
    anna = contact(keys)
    bad, good = lead(keys, anna.id), lead(keys, anna.id)
    await keys.store(pool, settings)
    broken = lame(bad, "stage")
    topic = settings.kafka_topic_prefix + "leads.events"
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap)
    async with projections(settings):
        await producer.start()
        try:
            await producer.send(topic, None, key=good.made[0].key, headers=[("ce_id", b"x")])
            await producer.send(topic, b"{]", key=b"no uuid", headers=[("ce_digest", b"\xff\xfe")])
            await producer.flush()
        finally:
            await producer.stop()
        await send(settings, [*bad.made, *good.made])
        await seen(pool, good)
        await until(
            parked_are(pool, ("after_parked", broken + 1), ("poison", broken), ("poison", None), ("poison", None))
        )
        rows = await pool.fetch("SELECT id, detail, headers FROM leadline.parked WHERE reason = 'poison' ORDER BY id")
        assert "board: KeyError" in [row[1] for row in rows]
        assert any("hex" in row[2] for row in rows)
        async with pool.acquire() as connection:
            for row in rows:
                assert await parked.release(connection, row[0])
            assert not await parked.release(connection, 10**9)

        async def tried() -> bool:
            return not await pool.fetchval("SELECT count(*) FROM leadline.parked WHERE released_at IS NOT NULL")

        await until(tried)
        assert len(await parked_rows(pool)) == 4  # nothing has changed that would let them pass
        async with pool.acquire() as connection:
            for row in rows:
                assert await parked.discard(connection, row[0])
    async with pool.acquire() as connection:
        assert {c.stage: c.count for c in await board.columns(connection, "classic")} == {"new": 1}


async def test_K4_what_the_database_refuses_is_parked_alone(settings: Settings, pool: Pool, keys: Keys) -> None:
    """A NUL character is left out; a number too large for its column is poison, and the batch around it goes on."""
    anna = contact(keys)
    nul, large, good = lead(keys, anna.id, name="Ан\0на"), lead(keys, anna.id), lead(keys, anna.id)
    enter(large, "processing", 2**40, "new")
    offer(large, "1.00")
    await keys.store(pool, settings)
    async with projections(settings):
        await send(settings, [*large.made, *nul.made, *good.made])
        await seen(pool, nul, good)
        await until(parked_are(pool, ("after_parked", 5), ("poison", 4)))
    async with pool.acquire() as connection:
        card = await board.card(connection, nul.id)
        assert card is not None
        assert card.name == "Анна"
        assert len(await timeline.entries(connection, large.id)) == 3
        assert {c.stage: c.count for c in await board.columns(connection, "classic")} == {"new": 3}


def lame(stream: Stream, lacking: str) -> int:
    """Take a field out of the stream's first event that has it, chain kept; returns its version."""
    digest = b""
    found = 0
    for n, made in enumerate(stream.made):
        record = orjson.loads(made.value)
        if not found and lacking in record["data"]:
            del record["data"][lacking]
            found = made.version
        value = orjson.dumps(record) if found else made.value
        digest = digest_of(digest, value)
        headers = [(k, digest.hex().encode() if k == "ce_digest" else v) for k, v in made.headers]
        stream.made[n] = replace(made, value=value, headers=headers, digest=digest)
    return found


async def test_K4_unknown_type_on_our_own_topic_stops_the_consumer(settings: Settings, pool: Pool, keys: Keys) -> None:
    anna = contact(keys)
    one = lead(keys, anna.id)
    await keys.store(pool, settings)
    last = one.made[-1]
    value = last.value.replace(b'"type":"leadline.lead.assigned"', b'"type":"leadline.lead.teleported"')
    digest = digest_of(one.made[-2].digest, value)
    headers = [(k, digest.hex().encode() if k == "ce_digest" else v) for k, v in last.headers]
    running = Running(settings)
    await send(settings, [*one.made[:-1], replace(last, value=value, headers=headers)])
    with pytest.raises(UnknownTypeError, match="older than the log"):
        await asyncio.wait_for(running.task, LIMIT)
    notice = await pool.fetchrow("SELECT severity, code, detail FROM leadline.notices WHERE service = 'projections'")
    assert notice is not None
    assert tuple(notice)[:2] == ("error", "release_older_than_log")
    assert "leadline.lead.teleported" in notice[2]


async def test_M7_erasure_wipes_every_projection_and_leaves_the_numbers(
    settings: Settings, pool: Pool, keys: Keys
) -> None:
    anna, boris = contact(keys), contact(keys, name="Борис", phone="+79990001122")
    one, two = (
        lead(keys, anna.id, stages=("new", "processing")),
        lead(keys, boris.id, name="Борис", phone="+79990001122"),
    )
    await keys.store(pool, settings)
    async with projections(settings):
        await send(settings, [*anna.made, *boris.made, *one.made, *two.made])
        await seen(pool, anna, boris, one, two)
        await pool.execute("UPDATE vault.keys SET wrapped = NULL, destroyed_at = now() WHERE id = $1", anna.id)
        erased(anna)
        offer(one, "99.00")  # sealed under the key that is gone; decided before, arrives after
        await send(settings, [anna.made[-1]])
        await seen(pool, anna)
        await send(settings, [one.made[-1]])
        await seen(pool, one)
    for table in ("proj_board_1.cards", "proj_timeline_1.entries", "proj_people_1.people", "proj_people_1.identities",
                  "proj_people_1.words"):  # fmt: skip
        text = "\n".join(row[0].lower() for row in await pool.fetch(f"SELECT t::text FROM {table} AS t"))
        assert not any(word in text for word in ("анна", "иванова", "79161234567")), table
        assert "борис" in text or "79990001122" in text, table
    async with pool.acquire() as connection:
        card = await board.card(connection, one.id)
        assert card is not None
        assert (card.erased, card.name, card.amount, card.stage) == (True, None, Decimal("99.00"), "processing")
        columns = {c.stage: (c.count, c.erased) for c in await board.columns(connection, "classic")}
        assert columns == {"processing": (1, 1), "new": (1, 0)}
        entries = await timeline.entries(connection, one.id)
        assert entries[0].erased
        assert "comment" not in entries[-1].data
        (person,) = [p for p in await all_people(connection) if p["contact"] == anna.id]
        assert (person["name"], person["phones"], person["leads"], person["erased"]) == (None, [], 1, True)


async def all_people(connection: Any) -> list[Any]:
    return list(await connection.fetch("SELECT * FROM bi.people"))


async def test_M7_a_rebuild_after_the_erasure_gives_the_same_rows(settings: Settings, pool: Pool, keys: Keys) -> None:
    """Live saw the person before the erasure, the rebuild cannot: row for row the same (M8's seam)."""
    anna, boris = contact(keys), contact(keys, name="Борис", phone="+79990001122")
    one, two = (
        lead(keys, anna.id, stages=("new", "processing", "price")),
        lead(keys, boris.id, name="Борис", phone="+79990001122"),
    )
    await keys.store(pool, settings)
    async with projections(settings):
        await send(settings, [*anna.made, *boris.made, *one.made, *two.made])
        await seen(pool, anna, boris, one, two)
        await pool.execute("UPDATE vault.keys SET wrapped = NULL, destroyed_at = now() WHERE id = $1", anna.id)
        erased(anna)
        await send(settings, [anna.made[-1]])
        await seen(pool, anna)
    live = await checksums(pool)
    await pool.execute("DELETE FROM leadline.positions; DELETE FROM leadline.seen")
    await pool.execute(
        "DROP SCHEMA proj_board_1, proj_timeline_1, proj_people_1, proj_funnel_1, proj_robots_1, bi CASCADE"
    )
    async with projections(settings):
        await seen(pool, anna, boris, one, two)
    assert await checksums(pool) == live
    await pool.execute("UPDATE proj_board_1.cards SET responsible = 'eve' WHERE lead = $1", two.id)
    changed = await checksums(pool)
    assert [a == b for a, b in zip(changed, live, strict=True)] == [p.name != "board" for p in PROJECTIONS]


async def test_K4_bi_role_reads_the_views_and_may_write_nothing(settings: Settings, pool: Pool, keys: Keys) -> None:
    anna = contact(keys)
    one, note = arrived(keys, anna.id), whole_journal(keys, "anna")
    by_itself(one)
    to_do(one)
    one.add(CardRecorded(names=("needs",), values={"needs": "столешница"}))
    await keys.store(pool, settings)
    async with projections(settings):
        await send(settings, [*anna.made, *one.made, *note.made])
        await seen(pool, anna, one, note)
    async with pool.acquire() as connection:
        ran, pulled = await robots.counts(connection, "classic", one.at - timedelta(hours=1))
    counted = robots.Counted
    assert ran == {"letter": counted(ran=1), "skipped": counted(skipped=1), "waits": counted(waiting=1)}
    assert pulled == {"reply": robots.Pulled(refused=1)}
    await pool.execute(
        """INSERT INTO leadline.inbound_outcomes (inbound_id, attempt, outcome, reason, channel, account, received_at, at)
           VALUES (gen_random_uuid(), 1, 'no_lead', 'unknown_visitor: x', 'visit', 'site', now(), now())"""
    )
    bi = await asyncpg.connect(settings.database_bi_url.get_secret_value(), timeout=10)
    try:
        views = [
            row[0]
            for row in await bi.fetch("SELECT table_name FROM information_schema.views WHERE table_schema = 'bi'")
        ]
        assert sorted(views) == [
            *("card_fields", "deadlines", "deals", "effects", "escalations", "funnel", "inbound", "incidents", "leads"),
            *(
                "messages",
                "people",
                "people_stages",
                "response_times",
                "reviews",
                "robot_runs",
                "stage_visits",
                "tasks",
            ),
            *("timeline", "trigger_pulls", "undone_visits"),
        ]
        for view in views:
            rows = await bi.fetchval(f"SELECT count(*) FROM bi.{view}")
            assert rows > 0 or view in ("undone_visits", "deals")  # nothing was a mistake, or won, here
            with pytest.raises(asyncpg.PostgresError):
                await bi.execute(f"DELETE FROM bi.{view}")
        for forbidden in (
            "INSERT INTO bi.leads (lead) VALUES (gen_random_uuid())",
            "SELECT * FROM leadline.events",
            "SELECT * FROM vault.keys",
            "SELECT * FROM proj_board_1.cards",
            "CREATE TABLE mine (a int)",
            "CREATE TEMP TABLE mine (a int)",
            "CREATE SCHEMA mine",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await bi.execute(forbidden)
        assert await bi.fetchval("SHOW transaction_timeout") == "5min"
        assert await bi.fetchval("SHOW idle_in_transaction_session_timeout") == "30s"
    finally:
        await bi.close()
    undocumented = await pool.fetch(
        """SELECT c.relname, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
           WHERE c.relnamespace = 'bi'::regnamespace AND a.attnum > 0
             AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"""
    )
    assert undocumented == []
    assert not await pool.fetchval("SELECT count(*) FROM leadline.notices")


async def test_K4_prepare_is_idempotent_and_two_at_once_are_safe(settings: Settings, pool: Pool) -> None:
    async def once() -> None:
        async with pool.acquire() as connection:
            await prepare(connection)

    await asyncio.gather(once(), once(), once())
    before = await pool.fetchval("SELECT max(oid) FROM pg_class")
    reader = await asyncpg.connect(settings.database_bi_url.get_secret_value(), timeout=10)
    try:
        async with reader.transaction():
            await reader.fetch("SELECT * FROM bi.leads")
            await asyncio.wait_for(once(), 5.0)  # a BI tool that reads does not hold a start up
    finally:
        await reader.close()
    assert await pool.fetchval("SELECT max(oid) FROM pg_class") == before


async def test_K4_killed_and_started_again_under_load_applies_each_event_once(
    settings: Settings, pool: Pool, keys: Keys
) -> None:
    anna = contact(keys)
    leads = [lead(keys, anna.id, stages=("new", "processing", "proposal")) for _ in range(150)]
    await keys.store(pool, settings)
    everything = [event for stream in leads for event in stream.made]
    short = settings.model_copy(update={"stop_within": 0.05})
    sending = asyncio.create_task(send(settings, everything))
    for _ in range(3):
        running = Running(short)

        async def some(running: Running = running) -> bool:
            return running.task.done() or running.health.is_ready()

        await until(some)
        running.task.cancel()
        await asyncio.gather(running.task, return_exceptions=True)
    async with projections(settings):
        await sending
        await seen(pool, *leads)
    async with pool.acquire() as connection:
        (column,) = await board.columns(connection, "classic")
        assert (column.stage, column.count) == ("proposal", 150)
        assert column.sums == {"RUB": Decimal("1000.50") * 150}
    assert await pool.fetchval("SELECT count(*) FROM proj_timeline_1.entries") == len(everything)
    assert await parked_rows(pool) == []
