"""`leadline incidents`: what the journals say, and verdicts restated with a preview (Q6, N20)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from contracts import events as e
from services.calendars import publishing as calendars
from services.clock import SystemClock
from services.database import Pool
from services.eventlog.recording import store as recording
from services.ops.history import history
from services.ops.incidents import store
from services.ops.incidents.listing import listing, read_journals
from services.ops.incidents.restating import Typed, restate
from services.ops.place import OpsError
from services.privacy.store import KeyRing
from services.settings import Settings
from tests.integration.journal_case import house
from tests.integration.leads_case import ANNA, HEAD
from tests.integration.test_journal import HOLIDAY, MINUTE
from tests.integration.test_unmerge_many import behind

DAY = date(2026, 11, 16)


async def test_N20_a_calendar_is_corrected_and_every_verdict_of_its_day_restated_after_a_preview(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with house(settings, pool) as one, behind(one.any(), monkeypatch) as here:
        place: Any = here
        leads = [await one.lead(n) for n in range(3)]
        one.clock.move(MINUTE)
        for lead in leads:
            await one.fire(lead)
        recorded = await one.events(e.IncidentRecorded)
        await one.any().send(await one.stream(), "told", by=ANNA, incident=recorded[0].incident)
        one.clock.move(timedelta(hours=1))
        await one.any().send(recorded[0].lead, "accept", by=ANNA)
        assert await listing(place, "anna", False) == 0
        told = capsys.readouterr().out
        assert "3 incidents, 1 of them count; open escalations: 0" in told
        assert str(recorded[1].incident) in told
        assert await history(place, await one.stream(), None, False) == 0
        told = capsys.readouterr().out
        assert "incident-journal (system)" in told
        assert f"incident={recorded[0].incident}" in told.replace("\n", "")
        await calendars.publish(pool, SystemClock(), HOLIDAY, "olga")
        one.clock.at = await SystemClock().now()
        typed = Typed("sales", DAY, DAY, "праздник", preview=True)
        assert await restate(place, typed) == 0
        told = capsys.readouterr().out
        assert "3 incidents would be restated; nothing was written under sales@2: in_time 1, stands 2" in told
        assert await one.events(e.IncidentRestated) == []
        done = Typed("sales", DAY, DAY, "праздник", json=True)
        for _ in range(2):
            assert await restate(place, done) == 0
            answer = orjson.loads(capsys.readouterr().out)
            assert (answer["calendar"], answer["refused"], len(answer["incidents"])) == ("sales@2", [], 3)
        restated = {event.incident: event.verdict for event in await one.events(e.IncidentRestated)}
        assert restated == {
            one.incident: "in_time" if one.incident == recorded[0].incident else "stands" for one in recorded
        }
        assert await listing(place, None, True) == 0
        listed = orjson.loads(capsys.readouterr().out)["incidents"]
        assert sorted(one["restated"]["verdict"] for one in listed) == ["in_time", "stands", "stands"]
        assert {one["due_at"] for one in listed} == {recorded[0].due_at.isoformat().replace("+00:00", "Z")}
        assert await restate(place, Typed("sales", DAY + timedelta(days=1), DAY + timedelta(days=9), "x")) == 0
        assert "0 incidents restated under sales@2: none" in capsys.readouterr().out
        with pytest.raises(OpsError, match="first and the last day"):
            await restate(place, Typed("sales", DAY, DAY - timedelta(days=1), "x"))
        with pytest.raises(OpsError, match="no calendar of a team north"):
            await restate(place, Typed("north", DAY, DAY, "x"))


async def test_Q6_the_journals_are_listed_from_their_index_and_only_the_persons_own_are_read(
    settings: Settings, pool: Pool
) -> None:
    async with house(settings, pool) as one, pool.acquire() as database:
        leads = [await one.lead(n) for n in range(2)]
        await one.any().send(leads[1], "assign", by=HEAD, to="boris")
        one.clock.move(MINUTE)
        for lead in leads:
            await one.fire(lead)
        await database.execute(
            """INSERT INTO leadline.events (originator_id, originator_version, topic, state, kind, recorded_at, digest)
               SELECT lpad(to_hex(n / 4), 32, '0')::uuid, n % 4 + 1, 'leadline.lead.seen', '{}', 'lead', $1,
                      sha256(n::text::bytea) FROM generate_series(0, 79999) AS n""",
            one.clock.at,
        )
        await database.execute("ANALYZE leadline.events")
        plan = "\n".join(row[0] for row in await database.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {store.JOURNALS}"))
        assert "events_journals" in plan, plan
        assert "Sort" not in plan, plan
        assert "Seq Scan" not in plan, plan
        ring = KeyRing(settings.master_key_bytes)
        assert {book.employee for book in await read_journals(database, ring)} == {"anna", "boris"}
        asked: list[UUID] = []
        reading = recording.load_until

        async def noted(connection: Any, stream: UUID, *more: Any) -> Any:
            asked.append(stream)
            return await reading(connection, stream, *more)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(recording, "load_until", noted)
            [book] = await read_journals(database, ring, "boris")
        assert (book.employee, asked) == ("boris", [book.stream])
        assert await read_journals(database, ring, "nobody_here") == []
