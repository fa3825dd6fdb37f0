"""`leadline publish` on real Postgres: versions, refusals, live leads over a mapping, kill and again (M3, N13, N14, N26)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from contracts import events as e
from services.clock import SystemClock
from services.database import Pool
from services.leads.publishing import store as places
from services.ops.imports.mapping import Mapping
from services.ops.place import OpsError
from services.ops.publishing import archive as archiving
from services.ops.publishing.command import diff
from services.ops.verify.run import verify
from services.pipelines import registry
from services.settings import Settings
from tests.integration.import_case import Given, environment, run_import
from tests.integration.leads_case import ANNA, HEAD, Leads, running
from tests.integration.publishing_case import (
    MAPPING,
    History,
    fourteen,
    run_publish,
    seven,
    text_of,
    typed_mapping,
    unique,
)

pytestmark = pytest.mark.kafka


@pytest.fixture
def pipeline() -> str:
    return unique("fourteen")


@pytest.fixture
async def leads(settings: Settings, pool: Pool, pipeline: str) -> AsyncIterator[Leads]:
    """The aggregate service, new leads coming to the pipeline of 14 stages."""
    mine = settings.model_copy(update={"default_pipeline": pipeline})
    await registry.publish(pool, SystemClock(), fourteen(pipeline), HEAD)
    async with running(mine, pool) as it:
        yield it


@pytest.fixture
def file(tmp_path: Path, pipeline: str) -> Path:
    """The text of 7 stages."""
    made = tmp_path / "seven.yaml"
    made.write_text(seven(pipeline), "utf-8")
    return made


async def fill(settings: Settings, pool: Pool, tmp_path: Path, pipeline: str, **history: Any) -> History:
    """Leads in every stage, by an import of their history."""
    made = History(**history)
    log = tmp_path / "history.csv"
    log.write_text(made.csv(), "utf-8")
    summary = await run_import(settings, pool, log, pipeline=pipeline, mapping=Mapping())
    assert (summary.refused, summary.bad) == (0, 0), summary
    return made


async def standing(pool: Pool, pipeline: str) -> Counter[tuple[int, str]]:
    """Leads by version and stage."""
    async with pool.acquire() as database:
        found = await places.standing(database, pipeline)
    counts: Counter[tuple[int, str]] = Counter()
    for row in found:
        counts[row.number, row.stage] += row.leads
    return counts


async def recorded(pool: Pool, topic: str) -> list[dict[str, Any]]:
    rows = await pool.fetch(
        "SELECT state FROM leadline.events WHERE topic = $1 ORDER BY originator_id, originator_version", topic
    )
    return [orjson.loads(row[0]) for row in rows]


async def test_M3_fourteen_stages_with_leads_in_each_are_published_onto_seven(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path, pipeline: str, file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    history = await fill(settings, pool, tmp_path, pipeline, live=200, closed=30)
    status = await run_publish(settings, file, mapping=typed_mapping(), adopt=True)
    out = capsys.readouterr().out
    assert status == 0, out
    expected: Counter[tuple[int, str]] = Counter()
    for stage, count in history.stands.items():
        expected[(1, "deal") if stage == "deal" else (2, MAPPING.get(stage, stage))] += count
    assert await standing(pool, pipeline) == expected
    adopted = await recorded(pool, e.LeadAdopted.TOPIC)
    assert Counter(event["data"]["number"] for event in adopted) == {2: 220}, "each once; won ones not at all"
    entered = [event for event in await recorded(pool, e.StageEntered.TOPIC) if event["data"]["cause"] == "adopted"]
    assert {(event["data"]["direction"], event["data"]["basis"]) for event in entered} == {("across", "adoption")}
    assert {event["meta"]["pipeline"] for event in entered} == {f"{pipeline}@2"}
    assert {(a["meta"]["actor"]["id"], a["meta"]["actor"]["kind"]) for a in adopted} == {("publishing", "system")}
    (started,) = await recorded(pool, e.AdoptionStarted.TOPIC)
    assert started["data"]["mapping"] == MAPPING
    assert (await verify(settings)).ok

    async with pool.acquire() as database:
        paused = await database.fetchrow("SELECT lead, returns_to FROM leadline.lead_places WHERE kind = 'postponed'")
    assert paused["returns_to"] in ("s01", "contact", "offer", "closing")
    result = await leads.send(paused["lead"], "reopen", by=HEAD)
    assert result.outcome == "done"
    assert (await leads.history(paused["lead"]))[-1].data.stage == paused["returns_to"], "back to what its stage became"
    again = await run_publish(settings, file, mapping=typed_mapping(), adopt=True)
    assert again == 0
    assert len(await recorded(pool, e.LeadAdopted.TOPIC)) == 220, "a second call moves nobody"
    assert len(await recorded(pool, e.AdoptionStarted.TOPIC)) == 1
    assert len(await recorded(pool, e.PipelinePublished.TOPIC)) >= 2


async def test_N26_a_dry_run_names_who_would_be_refused_and_writes_nothing(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path, pipeline: str, file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    await fill(settings, pool, tmp_path, pipeline, live=40, closed=0)
    tables = ("events", "commands", "outbox", "lead_places", "pipeline_versions")
    before = [await pool.fetchval(f"SELECT count(*) FROM leadline.{table}") for table in tables]
    gone = await pool.fetchrow("SELECT lead, contact FROM leadline.lead_places WHERE stage = 's05' LIMIT 1")
    # Erased behind the back of the places, as between the listing of a lead and its command.
    await pool.execute("UPDATE vault.keys SET wrapped = NULL, destroyed_at = now() WHERE id = $1", gone["contact"])
    assert await run_publish(settings, file, mapping=typed_mapping(), adopt=True, dry_run=True, json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["number"], told["next"], told["would_move"]) == (1, 2, 39)
    assert [(one["lead"], one["refusal"]["rules"]) for one in told["refused"]] == [
        (str(gone["lead"]), ["M7.not_erased"])
    ]
    assert {"stage": "s05", "to": "offer", "kind": "open", "leads": 4} in told["moves"]
    assert [await pool.fetchval(f"SELECT count(*) FROM leadline.{table}") for table in tables] == before
    assert await run_publish(settings, file, mapping=typed_mapping(), adopt=True) == 1
    out = capsys.readouterr().out
    assert f"{gone['lead']}: Данные клиента удалены" in out
    assert "M7.not_erased" in out
    assert (await standing(pool, pipeline))[1, "s05"] == 1, "it stays where it was"


def write(file: Path, text: str) -> None:
    """Another text of the pipeline."""
    file.write_text(text, "utf-8")


async def test_S5_a_dry_run_names_the_robots_that_wait_and_would_wait_no_more(
    settings: Settings, pool: Pool, leads: Leads, pipeline: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    robot = '- {{id: {0}, titles: {{ru: "{0}", en: "{0}"}}, do: {{tag: {0}}}, start: {{delay: {{days: 3000}}}}}}'
    with_robots = seven(pipeline).replace(
        "kind: open}", "kind: open, robots: [" + ", ".join(robot.format(n)[2:] for n in ("stays", "goes")) + "]}", 1
    )
    write(file, with_robots)
    assert await run_publish(settings, file) == 0
    for n in range(3):
        await leads.lead_of(name="Анна", phone=f"+7900000000{n}")
    capsys.readouterr()
    write(file, with_robots.replace(", " + robot.format("goes")[2:], ""))
    assert await run_publish(settings, file, adopt=True, dry_run=True) == 0
    assert "отменятся: goes (3)" in capsys.readouterr().out
    assert await run_publish(settings, file, adopt=True, dry_run=True, json=True) == 0
    assert json.loads(capsys.readouterr().out)["robots_given_up"] == {"goes": 3}
    assert await recorded(pool, e.RobotCancelled.TOPIC) == [], "nothing was written"
    assert await run_publish(settings, file, adopt=True) == 0
    cancelled = await recorded(pool, e.RobotCancelled.TOPIC)
    assert Counter((one["data"]["robot"], one["data"]["by"]) for one in cancelled) == {("goes", "adopted"): 3}


async def test_M7_leads_of_erased_persons_stand_in_nobodys_way(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path, pipeline: str, file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    lead = await leads.lead_of(name="Анна", phone="+79000000001")
    await leads.send(lead, "move", to="s02")
    await leads.erase((await leads.history(lead))[0].data.contact)
    assert await run_publish(settings, file) == 0, "no mapping is asked for what nobody can move"
    assert "удалённых" not in capsys.readouterr().out
    assert await run_publish(settings, file, adopt=True) == 0
    assert "удалённых людей останется по прежней версии: 1" in capsys.readouterr().out
    assert (await verify(settings)).ok


async def test_N14_a_text_that_drops_a_stage_with_leads_in_it_is_refused_and_says_what_to_do(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path, pipeline: str, file: Path
) -> None:
    lead = await leads.lead_of(name="Анна", phone="+79000000001")
    await leads.send(lead, "move", to="s02")
    with pytest.raises(OpsError, match=r"нет стадии «Шаг 2» \(s02\).*--map s02=СТАДИЯ \(можно: s01, contact"):
        await run_publish(settings, file)
    with pytest.raises(OpsError, match="добавьте --adopt-open"):
        await run_publish(settings, file, mapping=["s02=contact"])
    with pytest.raises(OpsError, match="назовите стадию того же вида"):
        await run_publish(settings, file, mapping=["s02=lost_all"], adopt=True)
    with pytest.raises(OpsError, match="Стадии nowhere в новом тексте нет"):
        await run_publish(settings, file, mapping=["s02=nowhere"], adopt=True)
    with pytest.raises(OpsError, match="Стадии s77 в прежних версиях нет"):
        await run_publish(settings, file, mapping=["s77=contact,s02=contact"], adopt=True)
    with pytest.raises(OpsError, match="names s02 twice"):
        await run_publish(settings, file, mapping=["s02=contact", "s02=offer"], adopt=True)
    async with pool.acquire() as database:
        assert (await registry.current(database, pipeline))[1] == 1, "nothing was published"
    assert await run_publish(settings, file, mapping=["s02=contact"], adopt=True) == 0
    assert (await standing(pool, pipeline)) == {(2, "contact"): 1}


async def test_N13_a_stage_id_is_for_ever_of_one_kind(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path, pipeline: str
) -> None:
    def write(name: str, *stages: str) -> Path:
        made = tmp_path / name
        made.write_text(text_of(pipeline, ["s01 open Новая", *stages, "deal won Сделка"]), "utf-8")
        return made

    with pytest.raises(OpsError, match=r"Стадия s02 в версии 1 была открытая.*теперь забракованная.*даётся навсегда"):
        await run_publish(settings, write("kind.yaml", "s02 lost Отказ"))
    assert await run_publish(settings, write("without.yaml")) == 0, "dropped while nobody stands in it"
    with pytest.raises(OpsError, match="Стадия s02 в версии 1 была открытая"):
        await run_publish(settings, write("later.yaml", "s02 lost Отказ"))
    assert await run_publish(settings, write("back.yaml", "s02 open Снова она")) == 0, "it may come back as it was"


async def test_N14_renaming_a_stage_touches_no_history_no_lead_and_no_import(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path, pipeline: str
) -> None:
    await fill(settings, pool, tmp_path, pipeline, live=20, closed=3)
    lead = await leads.lead_of(name="Анна", phone="+79990000001")
    before = [(r.meta.version, r.data) for r in await leads.history(lead)]
    count = await pool.fetchval("SELECT count(*) FROM leadline.events WHERE kind <> 'pipeline'")
    renamed = tmp_path / "renamed.yaml"
    renamed.write_text(fourteen(pipeline).replace('Шаг 1"', 'Заявка"').replace("Дорого", "Не устроила цена"), "utf-8")
    assert await run_publish(settings, renamed) == 0
    assert await pool.fetchval("SELECT count(*) FROM leadline.events WHERE kind <> 'pipeline'") == count
    assert [(r.meta.version, r.data) for r in await leads.history(lead)] == before
    assert (await leads.send(lead, "move", to="s02")).outcome == "done", "work goes on under the version it came by"
    history = History(live=20, closed=3)
    log = tmp_path / "again.csv"
    log.write_text(history.csv(), "utf-8")
    summary = await run_import(settings, pool, log, pipeline=pipeline)
    assert summary.done == 0, "an import of the same rows finds them done, by ids, whatever a stage is called"
    assert (await verify(settings)).ok


async def test_M3_a_publication_killed_in_the_middle_goes_on_and_moves_each_lead_once(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path, pipeline: str, file: Path
) -> None:
    await fill(settings, pool, tmp_path, pipeline, live=1_000, closed=0)
    arguments = [
        sys.executable, "-m", "services.ops.main", "publish", str(file), "--adopt-open", "--yes", "--map", *typed_mapping(),
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *arguments, env=environment(settings), stdout=asyncio.subprocess.DEVNULL
    )
    adopted = "SELECT count(*) FROM leadline.events WHERE topic = 'leadline.lead.adopted'"
    while not await pool.fetchval(adopted):
        assert process.returncode is None, "it ended before it could be killed"
        await asyncio.sleep(0.005)
    process.kill()
    await process.wait()
    first = await pool.fetchval(adopted)
    assert 0 < first < 1_000
    assert await run_publish(settings, file, mapping=typed_mapping(), adopt=True) == 0
    assert await pool.fetchval(adopted) == 1_000
    assert await pool.fetchval(f"{adopted} AND originator_version IS NOT NULL") == len(
        {event["meta"]["stream"] for event in await recorded(pool, e.LeadAdopted.TOPIC)}
    )
    assert {number for number, _ in await standing(pool, pipeline)} == {2}
    assert len(await recorded(pool, e.AdoptionStarted.TOPIC)) == 1
    assert (await verify(settings)).ok


async def test_M3_a_lead_that_is_worked_on_meanwhile_is_moved_as_it_stands_then(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path, pipeline: str, file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    lead = await leads.lead_of(name="Анна", phone="+79000000001")
    await leads.send(lead, "move", to="s02")
    real, worked = places.waiting, False

    async def and_somebody_works(*given: Any) -> Any:
        nonlocal worked
        found = await real(*given)
        if found and not worked:
            worked = True
            for stage in ("s03", "s04", "s05"):
                assert (await leads.send(lead, "move", to=stage)).outcome == "done"
        return found

    monkeypatch.setattr(places, "waiting", and_somebody_works)
    assert await run_publish(settings, file, mapping=typed_mapping(), adopt=True) == 0
    assert (await leads.history(lead))[-1].data.stage == "offer", "by where it stands now, not by where it stood"
    assert await standing(pool, pipeline) == {(2, "offer"): 1}


async def test_M3_without_adopt_open_live_leads_end_under_the_version_they_came_by(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path, pipeline: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    lead = await leads.lead_of(name="Анна", phone="+79000000001")
    more = tmp_path / "more.yaml"
    more.write_text(fourteen(pipeline).replace("  - {id: deal", "  - {id: extra, titles: {ru: Ещё, en: More}, kind: open}\n  - {id: deal"), "utf-8")  # fmt: skip  # noqa: E501
    assert await run_publish(settings, more) == 0
    assert "Без --adopt-open они закончат по той версии" in capsys.readouterr().out
    refused = await leads.send(lead, "move", to="extra")
    assert refused.refusal is not None
    assert refused.refusal.rules == ("S1.known_stage",)
    assert (await leads.history(await leads.lead_of(name="Б", phone="+79000000002")))[
        0
    ].meta.pipeline == f"{pipeline}@2"


async def test_M3_diff_says_in_words_what_changes_and_what_it_means_for_leads(
    settings: Settings, pool: Pool, leads: Leads, pipeline: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = await leads.lead_of(name="Анна", phone="+79000000001")
    await leads.send(lead, "move", to="s02")
    assert await diff(Given(settings), file, (), as_json=False) == 1
    out = capsys.readouterr().out
    for said in ("Новая стадия «Контакт» (contact, открытая)", "Нет больше стадии «Шаг 2» (s02)", "«Шаг 2» (s02): в работе 1", "--map s02="):  # fmt: skip  # noqa: E501
        assert said in out
    assert await diff(Given(settings), file, ("s02=contact",), as_json=False, language="en") == 0
    assert "“Шаг 2 (en)” (s02): 1 → “Контакт (en)” (contact)" in capsys.readouterr().out
    assert await diff(Given(settings), file, ("s02=contact",), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["leads"] == {"s02": {"open": 1}}
    assert {change["what"] for change in told["changes"]} >= {"stage_added", "stage_removed", "stage_renamed"}
    assert told["findings"] == []


async def test_C4_a_pipeline_for_a_team_that_nobody_published_is_told_of_and_published(
    settings: Settings, pool: Pool, leads: Leads, pipeline: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    north = tmp_path / "north.yaml"
    north.write_text(fourteen(pipeline) + "assignment: {team: north}\n", "utf-8")
    await diff(Given(settings), north, (), as_json=True)
    [found] = json.loads(capsys.readouterr().out)["findings"]
    assert (found["rule"], found["path"]) == ("C4.unknown_team", ["assignment", "team"])
    for _ in range(2):  # also where it is in force already
        assert await run_publish(settings, north) == 0
        out = capsys.readouterr().out
        assert "Стоит исправить:" in out
        assert "команды «north» нет, её лиды будут ждать в пуле; есть: sales [C4.unknown_team]" in out


async def test_N14_archive_names_the_leads_in_the_way_and_an_archived_pipeline_takes_none(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = unique("repair")
    stages = ["work open Работа", "deal won Сделка", "no lost Нет", "later postponed Позже"]
    await registry.publish(pool, SystemClock(), text_of(name, stages), HEAD)
    rows = [f"{n},work,2026-01-0{1 + n % 5}T10:00:00+03:00" for n in range(23)]
    log = tmp_path / "log.csv"
    log.write_text("\n".join(["case,activity,at", *rows]) + "\n", "utf-8")
    await run_import(settings, pool, log, pipeline=name)
    place = Given(leads.settings)
    assert await archiving.archive(place, name, as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["in_the_way"], len(told["leads"]), told["archived"]) == (23, 20, False)
    assert await archiving.archive(place, name, as_json=False) == 1
    assert "и ещё 3" in capsys.readouterr().out
    with pytest.raises(OpsError, match="принимает новые заявки"):
        await archiving.archive(place, leads.settings.default_pipeline, as_json=False)
    lost: list[UUID] = [
        row[0] for row in await pool.fetch("SELECT lead FROM leadline.lead_places WHERE pipeline = $1", name)
    ]
    for lead in lost:
        assert (await leads.send(lead, "reject", status="no")).outcome == "done"
    capsys.readouterr()
    assert await archiving.archive(place, name, as_json=False) == 0
    assert await archiving.archive(place, name, as_json=True) == 0
    assert '"changed": false' in capsys.readouterr().out

    reopened = await leads.send(lost[0], "reopen", by=HEAD)
    assert reopened.refusal is not None
    assert reopened.refusal.rules == ("M3.takes_leads",)
    mine = await leads.lead_of(name="Анна", phone="+79000000001")
    moved = await leads.send(mine, "adopt", by=HEAD, pipeline=name, number=1, stage="work")
    assert moved.refusal is not None
    assert moved.refusal.rules == ("M3.takes_leads",)
    now = datetime.now(UTC).isoformat()  # the first comes anew, the second would come back to work
    log.write_text(f"case,activity,at\n99,work,2026-01-01T10:00:00+03:00\n0,work,{now}\n", "utf-8")
    assert (await run_import(settings, pool, log, pipeline=name)).by_reason == {"M3.takes_leads": 2}
    text = tmp_path / "repair.yaml"
    text.write_text(text_of(name, [*stages, "mute lost Молчит"]), "utf-8")
    with pytest.raises(OpsError, match="в архиве"):
        await run_publish(settings, text)
    assert await archiving.pipelines(place, as_json=True) == 0
    listed = {one["pipeline"]: one for one in json.loads(capsys.readouterr().out)}
    assert listed[name]["archived_at"] is not None
    assert listed[name]["leads"] == {"lost": 23}
    assert await archiving.restore(place, name, as_json=False) == 0
    assert (await leads.send(lost[0], "reopen", by=HEAD)).outcome == "done"
    types = [event["meta"]["type"] for event in [*await recorded(pool, e.PipelineArchived.TOPIC), *await recorded(pool, e.PipelineRestored.TOPIC)]]  # fmt: skip  # noqa: E501
    assert types == [e.PipelineArchived.TOPIC, e.PipelineRestored.TOPIC]
    assert (await verify(settings)).ok


async def test_N14_a_merged_lead_stands_in_nobodys_way_until_the_merge_is_undone(
    settings: Settings, pool: Pool, leads: Leads, capsys: pytest.CaptureFixture[str]
) -> None:
    name = unique("repair")
    await registry.publish(pool, SystemClock(), text_of(name, ["work open Работа", "deal won Сделка"]), HEAD)
    place = Given(leads.settings)
    merged = await leads.lead_of(name="Анна", phone="+79000000001")
    goes_on = await leads.lead_of(name="Анна", phone="+79000000002")
    assert (await leads.send(merged, "adopt", by=HEAD, pipeline=name, number=1, stage="work")).outcome == "done"
    assert await archiving.archive(place, name, as_json=False) == 1
    assert (await leads.send(goes_on, "adopt", by=HEAD, pipeline=name, number=1, stage="work")).outcome == "done"
    assert (await leads.send(merged, "merge", by=HEAD, into=goes_on)).outcome == "done"
    assert (await leads.send(goes_on, "move", to="deal")).outcome == "done"
    assert (await verify(settings)).ok
    assert await archiving.archive(place, name, as_json=False) == 0
    undone = await leads.send(merged, "unmerge", by=HEAD)
    assert undone.refusal is not None
    assert undone.refusal.rules == ("M3.takes_leads",)
    assert await archiving.restore(place, name, as_json=False) == 0
    assert (await leads.send(merged, "unmerge", by=HEAD)).outcome == "done"
    capsys.readouterr()
    assert await archiving.archive(place, name, as_json=False) == 1, "it stands by itself again, and in the way"
    assert str(merged) in capsys.readouterr().out
    assert (await verify(settings)).ok


async def test_C3_a_lead_goes_to_another_pipeline_and_one_open_lead_of_a_person_holds(
    settings: Settings, pool: Pool, leads: Leads
) -> None:
    name = unique("repair")
    await registry.publish(pool, SystemClock(), text_of(name, ["work open Работа", "deal won Сделка"]), HEAD)
    first = await leads.lead_of(name="Анна", phone="+79000000001")
    adopt = {"pipeline": name, "number": 1, "stage": "work", "comment": "ремонт, а не продажа"}
    by_seller = await leads.send(first, "adopt", by=ANNA, **adopt)
    assert by_seller.refusal is not None
    assert by_seller.refusal.rules == ("M3.who_adopts",)
    assert (await leads.send(first, "adopt", by=HEAD, **adopt)).outcome == "done"
    assert [tuple(row) for row in await pool.fetch("SELECT pipeline, lead FROM leadline.open_leads")] == [(name, first)]
    assert (await leads.send(first, "adopt", by=HEAD, **adopt)).first_version is None, "it is there already"
    assert await leads.lead_of(name="Анна", phone="+79000000001") == first, "her messages go with it"
    second = uuid4()
    made = await leads.send(second, "capture", name="Анна", phone="+79000000001")
    assert made.outcome == "done", "by hand she has one in each pipeline"
    refused = await leads.send(second, "adopt", by=HEAD, **adopt)
    assert refused.refusal is not None
    assert refused.refusal.rules == ("C3.one_open_lead_there",)
    assert str(first) in refused.refusal.en
    assert (await leads.send(first, "move", to="deal")).outcome == "done"
    assert (await leads.send(second, "adopt", by=HEAD, **adopt)).outcome == "done"
    assert (await verify(settings)).ok


async def test_M3_the_migration_finds_the_places_that_the_events_say(
    settings: Settings, pool: Pool, leads: Leads, tmp_path: Path, pipeline: str
) -> None:
    """What a release before this one left behind: events, and no places."""
    await fill(settings, pool, tmp_path, pipeline, live=60, closed=12)
    paused = await pool.fetchval("SELECT lead FROM leadline.lead_places WHERE kind = 'postponed' LIMIT 1")
    assert (await leads.send(paused, "reopen", by=HEAD)).outcome == "done"
    erased = await leads.lead_of(name="Анна", phone="+79990000001")
    await leads.erase((await leads.history(erased))[0].data.contact)
    kept = await pool.fetch("SELECT * FROM leadline.lead_places ORDER BY lead")
    assert {row["kind"] for row in kept} == {"open", "postponed", "won", "lost"}
    sql = resources.files("services.eventlog.migrations").joinpath("versions/0007_places.sql").read_text("utf-8")
    await pool.execute("TRUNCATE leadline.lead_places")
    await pool.execute(sql[sql.index("WITH captured") :])
    sql = resources.files("services.eventlog.migrations").joinpath("versions/0012_teams.sql").read_text("utf-8")
    await pool.execute(sql[sql.index("WITH given") : sql.index("CREATE INDEX lead_places_responsible")])
    assert await pool.fetch("SELECT * FROM leadline.lead_places ORDER BY lead") == kept
