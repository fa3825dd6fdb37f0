"""Rebuilding a projection beside the live one: same rows, no failed read, nothing that differs swapped in, the way back (M8)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import pytest

from contracts.events import ContactMerged, DuplicateDismissed, DuplicateSuspected, LeadAbsorbed, LeadMerged
from contracts.events.contact import IdentityConfirmed, IdentityShared
from contracts.meta import GENESIS, Stored, digest_of
from projections.all import PROJECTIONS
from projections.board import store as board
from projections.board.store import BOARD
from projections.builds import store as builds
from projections.funnel.store import FUNNEL
from projections.projection import Projection, schema_of
from projections.rebuild.run import RebuildBusyError, RebuildRefusedError, Rebuilt, rebuild, roll_back
from projections.timeline.store import TIMELINE
from services.database import Pool
from services.eventlog.recording import store as recording
from services.health import Health
from services.privacy.store import KeyRing
from services.settings import Settings
from tests.builders import Keys, Made, Stream, by_itself, company, contact, enter, erased, lead, offer, send
from tests.builders_of_work import arrived, to_do, whole_journal
from tests.integration.test_projections import projections, seen, until

pytestmark = pytest.mark.kafka
KILLED_IN = """
import asyncio, os, signal, sys
from projections.all import PROJECTIONS
from projections.rebuild import run
from services.database import open_pool
from services.privacy.store import KeyRing
from services.settings import Settings

async def main():
    settings = Settings()
    pool = await open_pool(settings.database_url, service="test")
    run.RANGE_STREAMS = 20
    place = sys.argv[1]
    if place == "filling":
        def progress(step, done, total):
            if "filling" in step and done >= 40:
                os.kill(os.getpid(), signal.SIGKILL)
    else:
        def progress(step, done, total):
            pass
        module, name = {"comparing": (run.Joining, "_judge"), "swapping": (run.builds, "go_live")}[place]
        old = getattr(module, name)
        async def dying(*arguments, **named):
            await old(*arguments, **named)
            os.kill(os.getpid(), signal.SIGKILL)
        setattr(module, name, dying)
    board = next(p for p in PROJECTIONS if p.name == "board")
    await run.rebuild(pool, KeyRing(settings.master_key_bytes), board, settings.kafka_partitions, progress=progress)

asyncio.run(main())
"""


async def keep(pool: Pool, made: Sequence[Made]) -> None:
    """Put events in the store, as the writer does."""
    rows = []
    for event in made:
        meta = orjson.loads(event.value)["meta"]
        recorded_at = datetime.fromisoformat(meta["recorded_at"])
        rows.append(
            Stored(event.stream, event.version, meta["type"], meta["kind"], event.value, recorded_at, event.digest)
        )
    async with pool.acquire() as connection, connection.transaction():
        await recording.append(connection, rows)


class World:
    """Events in the store and on the topics, and the projections' service over them."""

    def __init__(self, settings: Settings, pool: Pool, keys: Keys) -> None:
        self.settings, self.pool, self.keys = settings, pool, keys

    async def happen(self, *streams: Stream) -> None:
        """All that these streams made since the last time: stored and published."""
        made = [event for stream in streams for event in stream.made]
        for stream in streams:
            stream.made.clear()
        await keep(self.pool, made)
        await send(self.settings, made)

    async def rebuild(self, projection: Projection, **how: Any) -> Rebuilt:
        ring = KeyRing(self.settings.master_key_bytes)
        return await rebuild(self.pool, ring, projection, self.settings.kafka_partitions, **how)

    async def roll_back(self, projection: Projection) -> Rebuilt:
        ring = KeyRing(self.settings.master_key_bytes)
        return await roll_back(self.pool, ring, projection, self.settings.kafka_partitions)

    def environment(self) -> dict[str, str]:
        """Of another process that works on this system."""
        return {
            **os.environ,
            "DATABASE_URL": self.settings.database_url.get_secret_value(),
            "KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "KAFKA_TOPIC_PREFIX": self.settings.kafka_topic_prefix,
            "KAFKA_PARTITIONS": str(self.settings.kafka_partitions),
            "LEADLINE_MASTER_KEY": self.settings.master_key.get_secret_value(),
        }

    async def command(self, *arguments: str) -> tuple[int, Any]:
        """`leadline ARGUMENTS --json`, as a process of its own: exit status and what it says."""
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "services.ops.main", *arguments, "--json"],
            env=self.environment(),
            capture_output=True,
            timeout=120,
        )
        assert done.returncode in (0, 1), done.stderr.decode()
        return done.returncode, orjson.loads(done.stdout)

    async def live(self) -> dict[str, int]:
        async with self.pool.acquire() as connection:
            return await builds.live(connection)

    async def checksum(self, projection: Projection, build: int) -> bytes:
        async with self.pool.acquire() as connection:
            return await projection.checksum(connection, build)

    async def rows(self, schema: str, table: str) -> list[str]:
        return [row[0] for row in await self.pool.fetch(f"SELECT t::text FROM {schema}.{table} AS t ORDER BY 1")]


@pytest.fixture
async def world(settings: Settings, pool: Pool) -> World:
    return World(settings, pool, Keys())


async def people_and_leads(world: World, leads: int = 60) -> tuple[list[Stream], list[Stream]]:
    """Three people, a company of one of them, many leads on many paths; nothing has happened yet. One lead is merged away."""
    names = ("Анна", "Борис", "Вера")
    people = [contact(world.keys, name=name, phone=f"+7900000000{n}") for n, name in enumerate(names)]
    people[1].add(IdentityShared(identity_kind="phone", value="+79000000001", other_contact=people[0].id))
    people[2].add(
        IdentityConfirmed(identity_kind="phone", value="+79000000002", proof="answered_call", inbound_id=uuid4())
    )
    paths = [("new",), ("new", "processing", "proposal"), ("new", "processing", "price"), ("new", "paused"), ("new", "processing", "proposal", "converted")]  # fmt: skip  # noqa: E501
    made = [
        lead(world.keys, people[n % 3].id, name=names[n % 3], phone=f"+7900000000{n % 3}", stages=paths[n % len(paths)])
        for n in range(leads)
    ]
    for one in made[::7]:
        by_itself(one)
        to_do(one)
    made.append(arrived(world.keys, people[0].id))
    suspected = DuplicateSuspected(identity_kind="phone", other_contact=people[1].id)
    made[0].add(suspected)
    made[3].add(suspected)
    made[3].add(DuplicateDismissed(other_contact=people[1].id, comment="сестра"))
    made[2].add(LeadMerged(into=made[0].id, into_contact=people[0].id))
    people[2].add(ContactMerged(into=people[0].id))
    made[0].add(LeadAbsorbed(lead=made[2].id, contact=people[2].id))
    people += [company(world.keys, people[1]), whole_journal(world.keys, "anna")]
    await world.keys.store(world.pool, world.settings)
    return people, made


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda p: p.name)
async def test_M8_a_rebuild_gives_the_same_rows(world: World, projection: Projection) -> None:
    people, leads = await people_and_leads(world)
    async with projections(world.settings):
        await world.happen(*people, *leads)
        await seen(world.pool, *people, *leads)
        made = await world.rebuild(projection)
        assert (made.build, made.was) == (2, 1)
        assert made.comparison is not None
        assert made.comparison.equal, made.comparison.named
        assert all(
            live == new for table, (live, new) in made.comparison.rows.items() if table not in ("counts", "sums")
        )
        assert (await world.live())[projection.name] == 2
        old, new = schema_of(projection.name, 1), schema_of(projection.name, 2)
        assert await world.checksum(projection, 1) == await world.checksum(projection, 2)
        tables = await world.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", new)
        for (table,) in tables:
            if table not in ("counts", "sums"):  # these hold zeros where something was once
                assert await world.rows(old, table) == await world.rows(new, table) != []
        # the live service goes on with the new build, without a restart; the old one stands still
        before = await world.checksum(projection, 1)
        late, note = arrived(world.keys, people[0].id), whole_journal(world.keys, "boris")
        by_itself(late)
        to_do(late)
        await world.happen(late, note)
        await seen(world.pool, late, note)
        assert await world.checksum(projection, 1) == before != await world.checksum(projection, 2)
        again = await world.rebuild(projection)
        assert (again.build, again.was) == (3, 2)
        assert await world.checksum(projection, 3) == await world.checksum(projection, 2)
        assert not await world.pool.fetchval("SELECT to_regnamespace($1) IS NOT NULL", old)  # two are kept


async def test_M8_under_load_no_board_read_fails_and_nothing_is_missing(world: World) -> None:
    people, leads = await people_and_leads(world, 400)  # one more that arrived; one is merged into another
    stop, reads = asyncio.Event(), 0

    async def read_boards() -> None:
        nonlocal reads
        while not stop.is_set():
            async with world.pool.acquire() as connection:
                columns = await board.columns(connection, "classic")
                cards, _ = await board.cards(connection, "classic", "new", limit=20)
            assert sum(column.count for column in columns) >= 400
            assert cards
            reads += 1

    more: list[Stream] = []

    async def load() -> None:
        while not stop.is_set():
            fresh = [lead(world.keys, people[0].id, stages=("new", "processing")) for _ in range(10)]
            for old in leads[:5]:
                offer(old, "7.00")
            more.extend(fresh)
            await world.happen(*fresh, *leads[:5])

    async with projections(world.settings):
        await world.happen(*people, *leads)
        await seen(world.pool, *people, *leads)
        tasks = [asyncio.create_task(read_boards()), asyncio.create_task(load())]
        try:
            for build in (2, 3):
                status, told = await world.command("rebuild", "all")
                assert status == 0, [one for one in told if "refused" in one]
                for made in told:
                    assert (made["build"], made["was"], made["comparison"]["equal"]) == (build, build - 1, True)
                    assert made["stopped_seconds"] < 1.0
        finally:
            stop.set()
            await asyncio.gather(*tasks)
        await seen(world.pool, *people, *leads, *more)
        assert reads > 50
        assert not await world.pool.fetchval("SELECT count(*) FROM leadline.parked")
        async with world.pool.acquire() as connection:
            assert sum(c.count for c in await board.columns(connection, "classic")) == 400 + len(more)
        for projection in PROJECTIONS:  # and it stayed right after the swap
            live = (await world.live())[projection.name]
            assert await world.checksum(projection, (await world.rebuild(projection)).build) == await world.checksum(
                projection, live
            )


async def test_M8_an_event_in_other_bytes_that_say_the_same_is_opened(world: World) -> None:
    """Where the id of the key stands is guessed from the bytes; where the guess fails, it is looked up."""
    person = contact(world.keys, name="Глеб")
    stream = lead(world.keys, person.id, name="Глеб")
    await world.keys.store(world.pool, world.settings)
    digest = GENESIS
    for n, made in enumerate(stream.made):
        spaced = json.dumps(orjson.loads(made.value)).encode()  # blanks after colons
        digest = digest_of(digest, spaced)
        headers = [(name, digest.hex().encode() if name == "ce_digest" else value) for name, value in made.headers]
        stream.made[n] = replace(made, value=spaced, headers=headers, digest=digest)
    async with projections(world.settings):
        await world.happen(person, stream)
        await seen(world.pool, person, stream)
        made_anew = await world.rebuild(BOARD)
        assert made_anew.comparison is not None
        assert made_anew.comparison.equal, made_anew.comparison.named
        async with world.pool.acquire() as connection:
            card = await board.card(connection, stream.id)
        assert card is not None
        assert card.name == "Глеб"


async def test_M8_what_differs_is_refused_and_named(world: World) -> None:
    people, leads = await people_and_leads(world, 12)
    async with projections(world.settings):
        await world.happen(*people, *leads)
        await seen(world.pool, *people, *leads)
        first, second, third = (stream.id for stream in leads[:3])
        await world.pool.execute("UPDATE proj_board_1.cards SET stage = 'closing', name = 'Ева' WHERE lead = $1", first)
        await world.pool.execute("DELETE FROM proj_board_1.cards WHERE lead = $1", second)
        await world.pool.execute("UPDATE proj_board_1.counts SET leads = leads + 1 WHERE stage = 'new'")
        with pytest.raises(RebuildRefusedError) as refused:
            await world.rebuild(BOARD)
        named = refused.value.comparison.named
        assert f"cards {first}: differs in stage, name" in named
        assert f"cards {second}: only in the new build" in named
        assert not any("Ева" in line or "Анна" in line for line in named)
        assert (await world.live())["board"] == 1
        late = lead(world.keys, people[0].id)
        await world.happen(late)
        await seen(world.pool, late)  # live goes on
        made = await world.rebuild(BOARD, accept=True)  # seen, and wanted: the new one is right
        assert made.build == 2
        assert made.comparison is not None
        assert made.comparison.totals["cards"] == 2
        async with world.pool.acquire() as connection:
            card = await board.card(connection, first)
            assert card is not None
            assert (card.stage, card.name) == ("new", "Анна")
            assert await board.card(connection, late.id) is not None
        made = await world.rebuild(BOARD)
        assert made.build == 3
        # a sum alone is found too, when the live build stands still
        await world.pool.execute("UPDATE proj_board_3.sums SET amount = amount + 1 WHERE amount > 0")
        with pytest.raises(RebuildRefusedError) as refused:
            await world.rebuild(BOARD)
        assert set(refused.value.comparison.totals) == {"sums"}
        assert (await world.live())["board"] == 3
        assert third


async def test_M8_an_event_the_new_build_cannot_apply_is_never_swapped_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, leads = await people_and_leads(world, 12)
    bad = leads[4]

    def faulty(rows: Any, event: Any) -> None:
        if event.stream == str(bad.id) and event.version > 2:
            raise ValueError("a fault of the new release")
        board.apply(rows, event)

    async with projections(world.settings):
        await world.happen(*people, *leads)
        await seen(world.pool, *people, *leads)
        for accept in (False, True):
            with pytest.raises(
                RebuildRefusedError, match="could not apply 1 events that the live build has"
            ) as refused:
                await world.rebuild(replace(BOARD, apply=faulty), accept=accept)
            assert refused.value.comparison.failed == [f"{bad.id}-3: board: ValueError"]
        assert (await world.live())["board"] == 1
        assert (await world.rebuild(BOARD)).comparison


@pytest.mark.parametrize("place", ["filling", "comparing", "swapping"])
async def test_M8_killed_at_any_step_it_leaves_the_live_build_and_the_next_run_ends_it(
    world: World, place: str
) -> None:
    people, leads = await people_and_leads(world, 120)
    async with projections(world.settings):
        await world.happen(*people, *leads)
        await seen(world.pool, *people, *leads)
        killed = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", KILLED_IN, place],
            env=world.environment(),
            capture_output=True,
            timeout=60,
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        assert (await world.live())["board"] == 1
        late = lead(world.keys, people[0].id)
        await world.happen(late)
        await seen(world.pool, late)

        async def free() -> bool:  # Postgres notices the dead session
            try:
                made.append(await world.rebuild(BOARD))
            except RebuildBusyError:
                return False
            return True

        made: list[Rebuilt] = []
        await until(free)
        assert made[0].build == 2  # it went on with the same build
        assert made[0].comparison is not None
        assert made[0].comparison.equal
        if place == "filling":
            assert 0 < made[0].events < sum(stream.version for stream in leads)
        assert await world.checksum(BOARD, 1) == await world.checksum(BOARD, 2)


async def test_M8_rolled_back_to_the_build_before_nothing_is_missing(world: World) -> None:
    people, leads = await people_and_leads(world, 30)
    async with projections(world.settings):
        await world.happen(*people, *leads)
        await seen(world.pool, *people, *leads)
        with pytest.raises(RebuildBusyError, match="no build of funnel is kept"):
            await world.roll_back(FUNNEL)
        await world.rebuild(FUNNEL)
        enter(leads[0], "processing", 2, "new")
        late = lead(world.keys, people[0].id)
        await world.happen(leads[0], late)
        await seen(world.pool, leads[0], late)
        for now, before in ((1, 2), (2, 1), (1, 2)):
            back = await world.roll_back(FUNNEL)
            assert (back.build, back.was) == (now, before)
            assert await world.checksum(FUNNEL, 1) == await world.checksum(FUNNEL, 2)
            late = lead(world.keys, people[0].id)
            await world.happen(late)
            await seen(world.pool, late)
            assert await world.checksum(FUNNEL, 1) != await world.checksum(FUNNEL, 2)
        assert await world.pool.fetchval("SELECT count(*) FROM bi.stage_visits WHERE lead = $1", late.id) == 1
        assert (await world.rebuild(FUNNEL)).build == 3


async def test_M7_a_rebuild_writes_nothing_of_erased_persons(world: World) -> None:
    people, leads = await people_and_leads(world, 12)
    async with projections(world.settings):
        await world.happen(*people, *leads)
        await seen(world.pool, *people, *leads)
        anna = people[0]
        await world.pool.execute("UPDATE vault.keys SET wrapped = NULL, destroyed_at = now() WHERE id = $1", anna.id)
        erased(anna)
        await world.happen(anna)
        await seen(world.pool, anna)
        for projection in PROJECTIONS:
            made = await world.rebuild(projection)
            assert made.comparison is not None
            assert made.comparison.equal, made.comparison.named
    for table in ("proj_board_2.cards", "proj_timeline_2.entries", "proj_people_2.people", "proj_people_2.identities",
                  "proj_people_2.words"):  # fmt: skip
        text = "\n".join(row[0].lower() for row in await world.pool.fetch(f"SELECT t::text FROM {table} AS t"))
        assert "79000000000" not in text
        assert "борис" in text or "79000000001" in text, table
    cards = await world.pool.fetch("SELECT name, erased FROM proj_board_2.cards WHERE contact = $1", anna.id)
    assert {tuple(row) for row in cards} == {(None, True)}


async def test_M8_bi_readers_hold_a_swap_up_but_not_the_live_build(world: World) -> None:
    people, leads = await people_and_leads(world, 12)
    async with projections(world.settings):
        await world.happen(*people, *leads)
        await seen(world.pool, *people, *leads)
        bi = await asyncpg.connect(world.settings.database_bi_url.get_secret_value(), timeout=10)
        report = bi.transaction()
        await report.start()
        await bi.fetch("SELECT * FROM bi.leads")
        swapping = asyncio.create_task(world.rebuild(BOARD))
        async with world.pool.acquire() as connection:
            await until(lambda: filled(connection, "board", 2))
        for _ in range(3):
            late = lead(world.keys, people[0].id)
            began = time.monotonic()
            await world.happen(late)
            await seen(world.pool, late)
            assert time.monotonic() - began < 5.0
        assert not swapping.done()
        await report.rollback()
        await bi.close()
        assert (await asyncio.wait_for(swapping, 30)).build == 2


async def filled(connection: Any, projection: str, build: int) -> bool:
    found = [b for b in await builds.builds(connection, projection) if b.build == build]
    return bool(found and found[0].filled)


async def test_M8_a_projection_new_or_changed_in_a_release_is_built_at_its_first_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Health, "work", lambda self, part, what: said.append(f"{part}: {what}"))
    people, leads = await people_and_leads(world, 12)
    async with projections(world.settings):
        await world.happen(*people, *leads)
        await seen(world.pool, *people, *leads)
    rows = await world.rows("proj_funnel_1", "visits")
    # a release before this one: no funnel; a timeline, a board and people of other tables, without what the BI views want
    await world.pool.execute(
        "DROP SCHEMA proj_funnel_1 CASCADE; DELETE FROM leadline.builds WHERE projection = 'funnel'"
    )
    await world.pool.execute("DELETE FROM leadline.live_builds WHERE projection = 'funnel'")
    await world.pool.execute(
        "UPDATE leadline.builds SET fingerprint = 'older' WHERE projection IN ('timeline', 'board', 'people')"
    )
    await world.pool.execute("ALTER TABLE proj_people_1.people RENAME COLUMN made_at TO older")
    await world.pool.execute("ALTER TABLE proj_timeline_1.entries ADD COLUMN older text")
    await world.pool.execute("CREATE TABLE proj_board_1.visits (lead uuid, visit int, PRIMARY KEY (lead, visit))")
    await world.pool.execute("INSERT INTO proj_board_1.visits VALUES ($1, 1)", leads[0].id)
    late = lead(world.keys, people[0].id)
    async with projections(world.settings):
        await world.happen(late)
        await seen(world.pool, late)
    others = {"robots": 1, "incidents": 1, "tasks": 1, "response": 1}
    assert await world.live() == {"board": 2, "timeline": 2, "people": 2, "funnel": 1, **others}
    for name in ("board", "timeline", "people", "funnel"):
        assert any(re.match(rf"builds: building {name}: filling.*, 1\d of 1\d streams$", line) for line in said), said
    assert not await world.pool.fetchval("SELECT to_regclass('proj_board_2.visits') IS NOT NULL")
    assert set(rows) < set(await world.rows("proj_funnel_1", "visits"))
    assert await world.pool.fetchval("SELECT count(*) FROM bi.stage_visits WHERE lead = $1", late.id) == 1
    with pytest.raises(RebuildBusyError, match="other tables"):
        await world.roll_back(TIMELINE)


async def test_M8_the_command_refuses_tells_swaps_and_goes_back(world: World) -> None:
    people, leads = await people_and_leads(world, 6)
    async with projections(world.settings):
        await world.happen(*people, *leads)
        await seen(world.pool, *people, *leads)
        await world.pool.execute("UPDATE proj_funnel_1.visits SET left_how = 'won' WHERE left_how = 'lost'")
        await world.pool.execute("DELETE FROM proj_funnel_1.visits WHERE lead = $1 AND visit = 1", leads[1].id)
        status, told = await world.command("rebuild", "funnel")
        assert status == 1
        assert told[0]["differences"] == {"visits": 2}
        assert any("differs in left_how" in line for line in told[0]["named"])
        assert f"visits {leads[1].id} 1: only in the new build" in told[0]["named"]
        assert (await world.live())["funnel"] == 1
        status, told = await world.command("rebuild", "funnel", "--accept")
        assert (status, told[0]["build"], told[0]["was"]) == (0, 2, 1)
        status, told = await world.command("rebuild", "funnel", "--rollback")
        assert (status, told[0]["build"], told[0]["was"]) == (0, 1, 2)
        status, told = await world.command("rebuild", "funnel", "--drop-kept")
        assert (status, told) == (0, [{"projection": "funnel", "dropped": 2}])
        assert not await world.pool.fetchval("SELECT to_regnamespace('proj_funnel_2') IS NOT NULL")


async def test_M8_one_rebuild_of_a_projection_at_a_time(world: World) -> None:
    people, leads = await people_and_leads(world, 4)
    async with projections(world.settings):
        await world.happen(*people, *leads)
        await seen(world.pool, *people, *leads)
        done = await asyncio.gather(world.rebuild(BOARD), world.rebuild(BOARD), return_exceptions=True)
        assert sorted(type(result).__name__ for result in done) == ["RebuildBusyError", "Rebuilt"]
