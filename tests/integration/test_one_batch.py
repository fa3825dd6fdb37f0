"""The steps of one batch (`docs/one-batch.md`) where something goes wrong in them: 3 (late locks), 5 (a piece raises),
7 (conflicts), and an answer to COMMIT that never came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.clock import SystemClock
from services.database import Pool, open_pool
from services.eventlog import consuming
from services.eventlog.consuming.records import NO_WITNESS, Batch, Position, PositionMove, RawRecord, Slot
from services.eventlog.recording import store as recording
from services.leads import effects
from services.leads.memory import Memory
from services.leads.work import Work
from services.pipelines.registry import publish
from services.privacy.store import KeyRing
from services.settings import Settings
from tests.eventlog_builders import until
from tests.integration.leads_case import HEAD, Leads, running


@pytest.fixture
async def leads(settings: Settings, pool: Pool) -> AsyncIterator[Leads]:
    async with running(settings, pool) as it:
        yield it


async def test_K2_step3_stream_found_late_and_held_by_another_is_waited_for(leads: Leads) -> None:
    lead = await leads.lead_of(name="Иван", phone="+79001234567")
    work = leads.arrival(name="Иван", phone="+79001234567")
    async with leads.pool.acquire() as other, other.transaction():
        await recording.lock(other, {recording.lock_number(lead.bytes)})
        taking = asyncio.create_task(leads.take(work))
        done, _ = await asyncio.wait({taking}, timeout=0.5)
        assert not done, "the batch must wait for the lead that another one holds"
    await asyncio.wait_for(taking, 60)
    assert (await leads.outcome(work))["lead"] == lead


async def test_K2_step5_piece_that_raises_is_kept_aside_and_the_others_are_done(
    leads: Leads, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = effects.recognise

    def broken(arrival: Any, *rest: Any) -> Any:
        if arrival.body.name == "Сбой":
            raise RuntimeError("a bug, with +79990000000 in its text")
        return real(arrival, *rest)

    monkeypatch.setattr(effects, "recognise", broken)
    works = [leads.arrival(name=name, phone=f"+790012345{n:02d}") for n, name in enumerate(["Иван", "Сбой", "Мария"])]
    await leads.take(*works)
    rows = [await leads.outcome(work) for work in works]
    assert [row["outcome"] for row in rows] == ["accepted", "quarantined", "accepted"]
    assert rows[1]["reason"] == "internal error: RuntimeError", "the error's text may hold personal data"


async def test_K2_step7_conflict_is_redone_whole_and_then_halved(leads: Leads, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = recording.append, []

    async def conflicting(database: Any, events: Any) -> None:
        calls.append(len(events))
        if len(calls) <= 5:
            raise asyncpg.UniqueViolationError("made by the test")
        await real(database, events)

    monkeypatch.setattr(recording, "append", conflicting)
    works = [leads.arrival(name="Иван", phone=f"+790012345{n:02d}") for n in range(4)]
    await asyncio.gather(*(leads.take(work) for work in works))
    assert [(await leads.outcome(work))["outcome"] for work in works] == ["accepted"] * 4
    assert calls[0] == calls[1] == calls[2] == calls[3] == 20, "redone whole three times"
    assert calls[4] == 10, "then halved"
    assert await leads.pool.fetchval("SELECT count(*) FROM leadline.events WHERE kind <> 'pipeline'") == 20


async def test_K2_step6_position_and_effects_are_one_transaction(leads: Leads) -> None:
    """A batch whose COMMIT was carried out but never answered comes again: its position tells, nothing is doubled."""
    slot = Slot("leads.inbound", 0)
    await leads.pool.execute(
        """INSERT INTO leadline.positions (consumer, build, topic, partition, next_offset, witness)
           VALUES ('leads', 1, 'leads.inbound', 0, 0, $1)""",
        NO_WITNESS,
    )
    headers = [("ce_type", b"leadline.inbound.form"), ("ce_id", str(uuid4()).encode())]
    record = RawRecord("leads.inbound", 0, 0, None, b'{"phone": "+79001234567"}', headers, 1_700_000_000_000)
    work: list[Work] = [leads.reader.direct(record)]
    move = PositionMove("leads", 1, slot, Position(0, NO_WITNESS), record.after())
    batch = Batch([record], [move])
    await leads.batcher.submit(work, batch)
    with pytest.raises(consuming.FencedError):
        await leads.batcher.submit(work, batch)
    assert await leads.pool.fetchval("SELECT count(*) FROM leadline.events WHERE kind <> 'pipeline'") == 5


async def test_G_remembered_states_are_dropped_when_the_store_behind_a_new_connection_is_an_older_one(
    settings: Settings,
) -> None:
    """The pool replaces idle connections without a word: what was remembered of the store may then be ahead of it."""
    memory = Memory(KeyRing(settings.master_key_bytes))
    pool = await open_pool(settings.database_url, service="test", smallest=1, largest=1, on_connect=memory.doubt)
    async with pool, running(settings, pool, memory=memory) as leads:
        lead = await leads.lead_of(name="Иван", phone="+79001234567")
        await leads.send(lead, "see")
        await _older_copy(
            settings,
            f"DELETE FROM leadline.events WHERE originator_id = '{lead}' AND originator_version = 4",
            "DELETE FROM leadline.commands",
        )
        assert (await leads.send(lead, "accept")).first_version == 4, "versions go on from what the store has"


async def test_G_a_version_that_an_older_store_gives_anew_is_read_anew(settings: Settings) -> None:
    text = """
pipeline: small
titles: {ru: "Малая", en: "Small"}
conversion_point: deal
stages:
  - {id: new, titles: {ru: "Новый", en: "New"}, kind: open}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
"""
    stage = '  - {id: %s, titles: {ru: "Второй", en: "Second"}, kind: open}\n  - {id: deal,'
    memory = Memory(KeyRing(settings.master_key_bytes))
    pool = await open_pool(settings.database_url, service="test", smallest=1, largest=1, on_connect=memory.doubt)
    async with pool, running(settings, pool, memory=memory) as leads:

        async def moves(to: str) -> str:
            """What becomes of a new lead's move to a stage of the version in force, the second one."""
            _, number = await publish(pool, SystemClock(), text.replace("  - {id: deal,", stage % to), HEAD)
            assert number == 2
            lead = uuid4()
            await leads.send(lead, "capture", pipeline="small", name="Иван", phone="+79001234567")
            return (await leads.send(lead, "move", to=to)).outcome

        await publish(pool, SystemClock(), text, HEAD)
        assert await moves("work") == "done"
        await _older_copy(
            settings,
            "DELETE FROM leadline.pipeline_versions WHERE pipeline = 'small' AND number = 2",
            "DELETE FROM leadline.events WHERE kind = 'lead' OR (kind = 'pipeline' AND originator_version = 2)",
            "DELETE FROM leadline.open_leads",
        )
        await until(lambda: _answers(pool), "the pool has a new connection")
        assert await moves("talk") == "done"


async def _answers(pool: Pool) -> bool:
    """Whether the pool's connection works; one that was just cut says so once."""
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
        return bool(await pool.fetchval("SELECT true"))
    return False


async def _older_copy(settings: Settings, *gone: str) -> None:
    """The database behind every connection is an older one: something is gone, and the connections with it."""
    other = await asyncpg.connect(settings.database_url.get_secret_value())
    for statement in gone:
        await other.execute(statement)
    await other.execute(
        # of clients alone: autovacuum may be at work, and is nobody's to end
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND datname = $1 AND backend_type = 'client backend'",
        settings.database_url.get_secret_value().rpartition("/")[2],
    )
    await other.close()
