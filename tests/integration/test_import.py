"""`leadline import` on real servers: order, repeats, bad rows, crash and resume, two at once, leads as they are (spec I, N26)."""

from __future__ import annotations

import asyncio
import csv
import json
import stat
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts import events as e
from services.clock import SystemClock
from services.database import Pool
from services.leads.imports import effects
from services.ops.imports.mapping import Mapping
from services.ops.place import OpsError
from services.ops.verify.run import verify
from services.ops.why import why
from services.pipelines.registry import publish_bundled
from services.settings import Settings
from tests.integration.import_case import (
    Given,
    arguments,
    environment,
    events,
    facts,
    reached,
    run_command,
    run_import,
    written,
)
from tests.integration.leads_case import Leads, running

pytestmark = pytest.mark.kafka

SMALL = Path(__file__).parent / "loans_small.csv"
OPEN = ("SUBMITTED", "PARTLYSUBMITTED", "PREACCEPTED", "ACCEPTED", "FINALIZED")


@pytest.fixture(autouse=True)
async def _pipelines(pool: Pool) -> None:
    await publish_bundled(pool, SystemClock())


@pytest.fixture
async def leads(settings: Settings, pool: Pool) -> AsyncIterator[Leads]:
    async with running(settings, pool) as it:
        yield it


def small(tmp_path: Path, text: str | None = None, name: str = "loans.csv") -> Path:
    """The small log (or another text) in a folder that may be written to."""
    file = tmp_path / name
    file.write_text(SMALL.read_text("utf-8") if text is None else text, "utf-8")
    return file


def log(cases: int, stages: tuple[str, ...] = OPEN) -> str:
    """A log of that many cases, each going through these stages, one a minute."""
    rows = [
        f"{case},{stage},2012-01-01T00:{minute:02d}:00Z" for case in range(cases) for minute, stage in enumerate(stages)
    ]
    return "\n".join(["case,activity,at", *rows]) + "\n"


def rejected(file: Path) -> list[dict[str, str]]:
    """The rows of a file of rejected rows."""
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


async def test_I_the_small_log_goes_in_and_every_bad_row_is_told_by_line_column_reason_and_way_out(
    settings: Settings, pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = small(tmp_path)
    assert await run_command(settings, file) == 1, "some rows did not go in"
    assert dict(await reached(pool)) == {
        "submitted": 13, "partlysubmitted": 8, "preaccepted": 6, "accepted": 6, "finalized": 6,
        "approved": 6, "registered": 6, "activated": 6, "declined": 1, "cancelled": 1,
    }  # fmt: skip
    orders: dict[str, list[str]] = {}
    for event in await events(pool):
        if event["data"].get("kind") == "won":
            orders.setdefault(event["meta"]["stream"], []).append(event["data"]["stage"])
    assert len({tuple(order) for order in orders.values()}) == 6
    out = capsys.readouterr().out
    assert "2 were repeats" in out
    rows = rejected(tmp_path / "loans.csv.rejected.csv")
    told = {int(row["rejected_line"]): (row["rejected_column"], row["rejected_rule"]) for row in rows}
    assert told == {
        60: ("at", ""),
        61: ("", "S1.one_step_forward"),
        63: ("", "K6.time_holds"),
        65: ("activity", ""),
        66: ("", ""),
        67: ("case", ""),
        68: ("at", ""),
        69: ("", ""),
        71: ("", "S1.one_step_forward"),
    }
    assert all(row["rejected_why"] and row["rejected_way_out"] for row in rows)
    assert "line 60, column at: 'yesterday' is no time" in out
    assert stat.S_IMODE((tmp_path / "loans.csv.rejected.csv").stat().st_mode) == 0o600
    assert (await verify(settings)).ok


async def test_I_the_file_of_rejected_rows_is_mended_and_imported_like_the_first(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    await run_command(settings, small(tmp_path))
    before = await written(pool)
    again = tmp_path / "loans.csv.rejected.csv"
    text = again.read_text("utf-8")
    text = text.replace("yesterday", "2011-10-05T08:02:00Z").replace("2011-10-05T07:59:00Z", "2011-10-05T08:01:00Z")
    again.write_text(text, "utf-8")
    assert await run_command(settings, again) == 1
    stages = await reached(pool)
    assert (stages["submitted"], stages["partlysubmitted"], stages["preaccepted"]) == (13, 10, 7), (
        "refused before, in now"
    )
    assert await written(pool) == before + 3
    left = rejected(tmp_path / "loans.csv.rejected.csv.rejected.csv")
    assert len(left) == 6, "what nobody mended comes out again"
    await run_command(settings, small(tmp_path))
    assert await written(pool) == before + 3, (
        "the first file once more changes nothing: its refused rows stay refused or done"
    )


async def test_I_events_of_an_import_carry_their_own_times_and_say_who_made_them(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    await run_command(settings, small(tmp_path, log(1)), source="bank")
    recorded = await events(pool)
    assert {event["meta"]["actor"]["kind"] for event in recorded} == {"import"}, (
        "by this robots and notices keep silent"
    )
    assert {event["meta"]["actor"]["id"] for event in recorded} == {"import:bank"}
    moves = [event for event in recorded if event["meta"]["type"] == e.StageEntered.TOPIC]
    assert [event["meta"]["happened_at"] for event in moves] == [f"2012-01-01T00:{n:02d}:00Z" for n in range(5)]
    assert all(event["meta"]["recorded_at"] > "2026" for event in recorded)
    assert [event["meta"]["causation"].rpartition(":")[2] for event in moves] == ["2", "3", "4", "5", "6"], "the line"
    assert not [event for event in recorded if event["meta"]["type"] == e.LeadAssigned.TOPIC], "nobody gets it in turn"
    types = {event["meta"]["type"] for event in recorded}
    assert not types & {e.LeadSeen.TOPIC, e.LeadAccepted.TOPIC}, "S2: no import accepts"


async def test_I_a_crash_in_the_middle_and_resume_leave_each_row_once(
    settings: Settings, pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = small(tmp_path, log(1_500) + "bad,NOWHERE,2012-01-01T00:00:00Z\n")
    process = await asyncio.create_subprocess_exec(
        *arguments(file), env=environment(settings), stdout=asyncio.subprocess.DEVNULL
    )
    while not await pool.fetchval("SELECT coalesce(max(taken), 0) FROM leadline.imports"):
        assert process.returncode is None, "it ended before it could be killed"
        await asyncio.sleep(0.01)
    process.kill()
    await process.wait()
    taken = await pool.fetchval("SELECT max(taken) FROM leadline.imports")
    assert 0 < taken < 7_500
    assert not (tmp_path / "loans.csv.rejected.csv").exists(), "half a file has not the name of a whole one"
    assert await run_command(settings, file, resume=True) == 1
    assert "had been taken before" in capsys.readouterr().out
    assert dict(await reached(pool)) == {stage.lower(): 1_500 for stage in OPEN}
    visits = [event for event in await events(pool) if event["meta"]["type"] == e.StageEntered.TOPIC]
    assert len(visits) == 7_500, "none twice"
    assert len(rejected(tmp_path / "loans.csv.rejected.csv")) == 1
    assert (await verify(settings)).ok


async def test_I_a_resumed_import_tells_again_what_its_first_run_was_refused(
    settings: Settings, pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = small(tmp_path)
    await run_command(settings, file)
    first = rejected(tmp_path / "loans.csv.rejected.csv")
    assert await run_command(settings, file, resume=True) == 1
    assert rejected(tmp_path / "loans.csv.rejected.csv") == first
    assert (tmp_path / "loans.csv.rejected.csv.old").exists(), (
        "the file that was there, perhaps mended by hand, is kept"
    )


async def test_I_two_imports_of_one_file_at_once_end_as_one(settings: Settings, pool: Pool, tmp_path: Path) -> None:
    one, other = small(tmp_path, log(800), "one.csv"), small(tmp_path, log(800), "other.csv")
    first, second = await asyncio.gather(
        run_import(settings, pool, one, source="bank"), run_import(settings, pool, other, source="bank")
    )
    assert first.done + second.done == first.repeats + second.repeats == 4_000
    assert dict(await reached(pool)) == {stage.lower(): 800 for stage in OPEN}
    assert (await verify(settings)).ok


async def test_I_dry_run_says_what_an_import_would_do_and_writes_nothing(
    settings: Settings, pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = small(tmp_path)
    tables = ("leadline.imports", "leadline.import_rows", "leadline.outbox", "vault.keys")
    before = [await pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables]
    assert await run_command(settings, file, dry_run=True) == 1
    rehearsed = capsys.readouterr().out
    assert [await pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables] == before
    assert not (tmp_path / "loans.csv.rejected.csv").exists()
    assert await run_command(settings, file) == 1
    real = capsys.readouterr().out
    counts = [line.replace("would be ", "") for line in rehearsed.splitlines() if " rows: " in line]
    assert counts == [line for line in real.splitlines() if " rows: " in line]
    assert await run_command(settings, file, dry_run=True) == 1
    assert "0 new leads" in capsys.readouterr().out, "a dry run knows what is in already"


async def test_K2_step5_a_row_over_which_the_service_fails_is_refused_and_the_others_go_in(
    settings: Settings, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = effects.capture

    def broken(row: Any, *rest: Any) -> Any:
        if row.person.name == "Сбой":
            raise RuntimeError("a bug, with +79990000000 in its text")
        return real(row, *rest)

    monkeypatch.setattr(effects, "capture", broken)
    file = small(tmp_path, "id,stage,name\n1,submitted,Иван\n2,submitted,Сбой\n3,submitted,Мария\n")
    summary = await run_import(settings, pool, file)
    assert (summary.done, summary.refused, summary.by_reason) == (2, 1, {"K2.internal_error": 1})
    assert "+7999" not in (
        await pool.fetchval("SELECT refusal::text FROM leadline.import_rows WHERE refusal IS NOT NULL")
    )
    monkeypatch.setattr(effects, "capture", real)
    mended = await run_import(settings, pool, file, mapping=Mapping(ignore=("none",)))
    assert (mended.done, mended.repeats) == (1, 2), "another import offers the row anew"


CRM = """\
ID;Клиент;Телефон;Почта;Фирма;Этап;Менеджер;Создан;Потребность;Бюджет
17;Анна Иванова;8 916 123-45-67;anna@example.org;ООО Ромашка;Переговоры;Иванова А.;01.03.2026 10:30;столешница;90 000
18;Борис;нет;;;Новый;;02.03.2026 11:00;;
19;Виктор;+7 916 000-00-19;;;Отказ: цена;Петров;03.03.2026 12:00;;
20;Анна Иванова;+7 916 123-45-67;;;Новый;;04.03.2026 12:00;;
21;Галина;+7 916 000-00-21;;;Новый;Никто;04.03.2026 12:00;;
"""
CRM_MAPPING = Mapping(
    kind="leads",
    source="old-crm",
    encoding="windows-1251",
    delimiter=";",
    columns={
        "case": "ID", "stage": "Этап", "created": "Создан", "name": "Клиент", "phone": "Телефон", "email": "Почта",
        "company": "Фирма", "responsible": "Менеджер",
    },
    time_format="%d.%m.%Y %H:%M",
    zone="Europe/Moscow",
    stages={"Переговоры": "proposal", "Отказ: цена": "price"},
    people={"Иванова А.": "anna", "Петров": "boris", "Никто": "nobody"},
    fields={"needs": "Потребность"},
)  # fmt: skip


async def test_I_leads_as_they_are_go_in_with_people_stages_and_custom_fields(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path
) -> None:
    file = tmp_path / "crm.csv"
    file.write_bytes(CRM.encode("windows-1251"))
    summary = await run_import(settings, pool, file, mapping=CRM_MAPPING, source="old-crm", pipeline="classic")
    assert (summary.done, summary.leads, summary.unreadable) == (3, 3, 1)
    assert summary.by_reason == {"C3.one_open_lead": 1, "C4.known_responsible": 1}
    rows = await pool.fetch("SELECT lead, stage FROM leadline.import_rows WHERE outcome = 'done' ORDER BY line")
    anna = await leads.history(rows[0]["lead"])
    assert [recorded.data.TOPIC.rpartition(".")[2] for recorded in anna] == [
        "captured", "stage_entered", "assigned", "card_recorded",
    ]  # fmt: skip
    captured = anna[0].data
    assert (captured.name, captured.phone, captured.company) == ("Анна Иванова", "+79161234567", "ООО Ромашка")
    assert captured.fields == {"Бюджет": "90 000"}, "a column that nothing names is kept"
    assert anna[0].meta.happened_at.isoformat() == "2026-03-01T07:30:00+00:00"
    assert (anna[1].data.stage, anna[1].data.cause) == ("proposal", "captured")
    assert (anna[2].data.to, anna[2].data.reason) == ("anna", "imported")
    assert anna[3].data.values == {"needs": "столешница"}
    assert (await leads.history(rows[1]["lead"]))[0].data.phone == "нет", "kept as it was written"
    assert await pool.fetchval("SELECT count(*) FROM leadline.open_leads") == 2
    sealed = await pool.fetchval("SELECT count(*) FROM leadline.events WHERE position('Анна'::bytea IN state) > 0")
    assert sealed == 0, "personal data is sealed like anywhere"
    with file.with_suffix(".rejected.csv").open(encoding="windows-1251", newline="") as text:
        kept = list(csv.DictReader(text, delimiter=";"))
    assert [row["Клиент"] for row in kept] == ["Анна Иванова", "Галина"]
    assert (await verify(settings)).ok

    joined = await leads.lead_of(name="Анна Иванова", phone="+79161234567")
    assert joined == rows[0]["lead"], "C3: an imported person who writes is known"


async def test_I_a_later_export_with_another_stage_overwrites_nothing_and_says_so(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    file = small(tmp_path, "id,stage,name\n1,submitted,Иван\n")
    await run_import(settings, pool, file)
    before = await facts(pool)
    later = small(tmp_path, "id,stage,name\n1,accepted,Иван\n2,accepted,Мария\n", "later.csv")
    summary = await run_import(settings, pool, later)
    assert (summary.done, summary.by_reason) == (1, {"K2.same_row": 1})
    assert before == (await facts(pool))[: len(before)] or set(before) < set(await facts(pool))


async def test_C3_a_second_case_of_a_person_is_theirs_once_the_first_is_closed(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path
) -> None:
    text = """case,activity,at,name,phone
1,submitted,2020-01-01T00:00:00Z,Иван,+79001234567
1,declined,2020-01-02T00:00:00Z,Иван,+79001234567
2,submitted,2021-01-01T00:00:00Z,Иван,8 900 123-45-67
3,submitted,2021-02-01T00:00:00Z,Мария,+79001234567
"""
    summary = await run_import(settings, pool, small(tmp_path, text))
    assert summary.done == 4
    captured = [r for r in await events(pool) if r["meta"]["type"] == e.LeadCaptured.TOPIC]
    contacts = Counter(event["data"]["contact"] for event in captured)
    assert sorted(contacts.values()) == [1, 2], (
        "one person's two cases; another name on the same phone is another person"
    )
    suspected = [r for r in await events(pool) if r["meta"]["type"] == e.DuplicateSuspected.TOPIC]
    assert len(suspected) == 1
    assert (await verify(settings)).ok


async def test_M7_an_erased_person_does_not_come_back_by_the_same_file(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path
) -> None:
    text = "case,activity,at,name,phone\n1,submitted,2020-01-01T00:00:00Z,Иван,+79001234567\n"
    await run_import(settings, pool, small(tmp_path, text))
    lead = await pool.fetchval("SELECT lead FROM leadline.import_rows")
    await leads.erase((await leads.history(lead))[0].data.contact)
    before = await written(pool)
    longer = text + "1,partlysubmitted,2020-01-02T00:00:00Z,Иван,+79001234567\n"
    summary = await run_import(settings, pool, small(tmp_path, longer))
    assert (summary.repeats, summary.by_reason) == (1, {"M7.not_erased": 1})
    assert await written(pool) == before
    assert await pool.fetchval("SELECT count(*) FROM leadline.identities") == 0


async def test_C1_bad_data_of_an_import_is_deleted_at_once_and_the_leads_still_count(
    settings: Settings, pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """case,activity,at,name,phone
1,contacts,2020-01-01T00:00:00Z,Иван,+79001234567
1,bad_data,2020-01-02T00:00:00Z,Иван,+79001234567
1,contacts,2020-01-03T00:00:00Z,Иван,+79001234567
2,bad_data,2020-01-01T00:00:00Z,Мария,+79001234568
3,contacts,2020-01-01T00:00:00Z,Пётр,+79001234569
3,future_contact,2020-01-02T00:00:00Z,Пётр,+79001234569
4,contacts,2020-01-03T00:00:00Z,Пётр,+79001234569
4,bad_data,2020-01-04T00:00:00Z,Пётр,+79001234569
5,contacts,2020-01-03T00:00:00Z,Анна,+79001234560
6,bad_data,2020-01-04T00:00:00Z,Анна,+79001234560
7,contacts,2020-01-05T00:00:00Z,Иван,+79001234567
"""
    file = small(tmp_path, text)
    assert await run_command(settings, file, pipeline="qualification", dry_run=True) == 1
    rehearsed = capsys.readouterr().out
    summary = await run_import(settings, pool, file, pipeline="qualification")
    assert summary.by_reason == {"M7.not_erased": 1, "C1.only_lead_of_person": 1}, (
        "Peter's contact is kept for the future"
    )
    assert summary.done == 9
    assert "9 would be imported" in rehearsed
    erased = [event for event in await events(pool) if event["meta"]["type"] == e.PersonErased.TOPIC]
    assert [event["data"]["reason"] for event in erased] == ["bad_data"] * 3
    assert await pool.fetchval("SELECT count(*) FROM leadline.person_leads") == 7
    kept = await pool.fetchval("SELECT count(*) FROM leadline.identities")
    assert kept == 3, "Peter's, whose contact is kept, Anna's, Ivan's anew"
    assert (await verify(settings)).ok


async def test_S2_an_import_is_held_to_the_moves_but_not_to_proof_that_no_history_carries(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path
) -> None:
    text = """case,activity,at
1,new,2020-01-01T00:00:00Z
1,processing,2020-01-02T00:00:00Z
1,closing,2020-01-03T00:00:00Z
"""
    summary = await run_import(settings, pool, small(tmp_path, text), pipeline="classic")
    assert (summary.done, summary.by_reason) == (2, {"S1.one_step_forward": 1})
    lead = await pool.fetchval("SELECT lead FROM leadline.import_rows LIMIT 1")
    by_hand = await leads.send(lead, "move", to="proposal")
    assert by_hand.refusal is not None
    assert by_hand.refusal.rules == ("S2.exit_criteria",), "what comes after the import is held to everything"


async def test_I_what_cannot_be_imported_at_all_says_so_and_writes_nothing(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("kind: history\ncolumns: {case: nr}\n", "utf-8")
    file, damaged = small(tmp_path), tmp_path / "damaged.csv.gz"
    damaged.write_bytes(b"\x1f\x8b\x08\x00damaged")
    for asked, said in (
        ({"file": file, "pipeline": "nothing"}, "no pipeline nothing; there are: classic, .*loans"),
        ({"file": tmp_path / "none.csv"}, "cannot be read"),
        ({"file": damaged}, "cannot be read"),
        ({"file": file, "mapping": mapping}, "no column 'nr' for case; it has: case, activity, at"),
        ({"file": file, "source": "Банк"}, "cannot name a source"),
    ):
        given = {"file": file, **asked}
        with pytest.raises(OpsError, match=said):
            await run_command(settings, given.pop("file"), **given)
    assert await pool.fetchval("SELECT count(*) FROM leadline.imports") == 0
    assert await written(pool) == 0


async def test_M5_why_tells_the_rows_of_an_import_that_were_refused(
    settings: Settings, pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "case,activity,at\n1,submitted,2020-01-01T00:00:00Z\n1,accepted,2020-01-02T00:00:00Z\n"
    await run_import(settings, pool, small(tmp_path, text), source="bank")
    lead = await pool.fetchval("SELECT lead FROM leadline.import_rows LIMIT 1")
    assert await why(Given(settings), lead, as_json=True) == 0
    (told,) = json.loads(capsys.readouterr().out)["refusals"]
    assert told["type"] == "import of loans.csv, line 3, to accepted"
    assert (told["actor"]["id"], told["refusal"]["rules"]) == ("import:bank", ["S1.one_step_forward"])
    assert await why(Given(settings), lead, as_json=False) == 0
    assert "line 3" in capsys.readouterr().out


async def test_M2_verify_finds_rows_of_an_import_and_events_that_do_not_agree(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    await run_import(settings, pool, small(tmp_path))
    assert (await verify(settings)).ok
    one, other, third = await pool.fetch(
        "SELECT id FROM leadline.import_rows WHERE outcome = 'done' AND first_version > 1 ORDER BY id LIMIT 3"
    )
    await pool.execute("DELETE FROM leadline.import_rows WHERE id = $1", one[0])
    await pool.execute("UPDATE leadline.import_rows SET last_version = last_version + 1 WHERE id = $1", other[0])
    await pool.execute("UPDATE leadline.import_rows SET id = $2 WHERE id = $1", third[0], UUID(int=5))
    found = {(difference.kind, difference.about) for difference in (await verify(settings)).differences}
    assert found == {
        ("unexpected", str(one[0])),
        ("differs", str(other[0])),
        ("unexpected", str(third[0])),
        ("missing", str(UUID(int=5))),
    }
