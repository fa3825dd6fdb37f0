"""Robots started for leads that came to stand where they are without them: imported ones, and after a new version (N5)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts import events as e
from contracts.commands import Command, CommandResult
from contracts.meta import Actor
from services.clock import SystemClock
from services.database import Pool
from services.leads.batcher import AwayError, Batcher
from services.leads.domain.state import LeadState, lead_from
from services.leads.memory import Memory
from services.leads.starting import run as starting
from services.leads.starting.asking import STARTING, Asked, CannotStartError
from services.leads.starting.preview import Preview, preview
from services.leads.starting.run import Started, Starter
from services.ops.place import OpsError
from services.ops.robots.command import Typed, start
from services.ops.verify.run import verify
from services.pipelines import registry
from services.pipelines.bundled import pipeline_file
from services.privacy.store import KeyRing
from services.settings import Colleague, Settings
from tests.eventlog_builders import until
from tests.integration.deals_case import won
from tests.integration.import_case import Given, environment, run_command, written
from tests.integration.leads_case import HEAD, Leads
from tests.integration.publishing_case import unique
from tests.integration.robots_case import HandClock

DELIVERY = Actor(id="delivery", kind="system")
US = Actor(id=STARTING, kind="system", on_behalf_of="tests")
DAY = timedelta(days=1)
NOW = datetime.now(UTC).replace(microsecond=0)

PIPELINE = """
pipeline: NAME
titles: {ru: "Старые лиды", en: "Old leads"}
conversion_point: deal
fields:
  - {id: visit_on, type: date, titles: {ru: "Дата визита", en: "Day of the visit"}}
templates:
  - id: hello
    titles: {ru: "Привет", en: "Hello"}
    kind: email
    ru: {subject: "Здравствуйте", text: "{{ lead.name }}, мы помним о вас."}
    en: {subject: "Hello", text: "{{ lead.name }}, we remember you."}
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    robots:
      - {id: letter, titles: {ru: "Письмо", en: "Letter"}, do: {email: hello}}
      - id: call
        titles: {ru: "Звонок", en: "Call"}
        do: {plan: call, text: {ru: "Позвонить", en: "Call"}, due: {hours: 1, working: true}}
        start: {after: letter, delay: {days: 2}}
      - {id: ads, titles: {ru: "Реклама", en: "Ads"}, do: {audience: Старые, service: vk}, start: {delay: {days: 1}}}
      - id: rich
        titles: {ru: "Богатым", en: "For the rich"}
        do: {tag: rich}
        when: "lead.company != ''"
      - {id: remind, titles: {ru: "Напомнить", en: "Remind"}, do: {tag: visit}, start: {date: visit_on}}
      - {id: far, titles: {ru: "Далеко", en: "Far"}, do: {tag: far}, start: {delay: {days: 30}}}
  - id: work
    titles: {ru: "В работе", en: "In work"}
    kind: open
    robots:
      - id: look
        titles: {ru: "Посмотреть", en: "Look"}
        do: {notify_head: {ru: "Лид стоит", en: "The lead stands still"}}
        start: {delay: {days: 3}}
      - {id: back, titles: {ru: "Назад", en: "Back"}, do: {move: new}, start: {after: look, delay: {days: 1}}}
  - id: quiet
    titles: {ru: "Тихо", en: "Quiet"}
    kind: open
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: lost, titles: {ru: "Отказ", en: "Lost"}, kind: lost}
  - {id: later, titles: {ru: "Отложен", en: "Later"}, kind: postponed}
"""
PAUSED_UNTIL = (NOW + 5 * DAY).date()


class Old:
    """A pipeline with robots, the aggregate service on a clock moved by hand, and leads that were imported into it."""

    def __init__(self, settings: Settings, pool: Pool, clock: HandClock, leads: Leads, pipeline: str) -> None:
        self.settings, self.pool, self.clock, self.leads, self.pipeline = settings, pool, clock, leads, pipeline

    async def imported(self, folder: Path, numbers: Sequence[int] = range(12)) -> None:
        """Leads 0, 1, 2 … in `new`, `work`, `quiet` and `later` by turns; every third without e-mail, lead 4 with a visit."""
        rows = ["case,activity,at,name,phone,email,until,reason,visit"]
        for number in numbers:
            stages = (["new"], ["new", "work"], ["new", "work", "quiet"], ["new", "later"])[number % 4]
            visit = str((NOW + 4 * DAY).date()) if number == 4 else ""
            for step, stage in enumerate(stages):
                at = (NOW - 40 * DAY + timedelta(hours=step)).isoformat()
                email = "" if number % 3 == 2 else f"client{number}@example.org"
                until, reason = (str(PAUSED_UNTIL), "в отпуске") if stage == "later" else ("", "")
                rows.append(f"{number},{stage},{at},Клиент {number},+7900{number:07d},{email},{until},{reason},{visit}")
        file = folder / f"old{numbers[0]}.csv"
        file.write_text("\n".join(rows) + "\n", "utf-8")
        mapping = folder / "mapping.yaml"
        mapping.write_text("fields: {visit_on: visit}\n", "utf-8")
        asked = {"pipeline": self.pipeline, "source": "old", "mapping": mapping}
        assert await run_command(self.settings, file, **asked) == 0

    async def at(self, stage: str) -> list[UUID]:
        """The leads in a stage."""
        found = await self.pool.fetch(
            "SELECT lead FROM leadline.lead_places WHERE pipeline = $1 AND stage = $2 ORDER BY lead",
            self.pipeline,
            stage,
        )
        return [row[0] for row in found]

    async def all(self) -> list[UUID]:
        """Every lead."""
        found = await self.pool.fetch("SELECT lead FROM leadline.lead_places WHERE pipeline = $1", self.pipeline)
        return [row[0] for row in found]

    async def state(self, lead: UUID) -> LeadState:
        """A lead as it stands."""
        state = lead_from(await self.leads.history(lead))
        assert state is not None
        return state

    async def armed(self) -> Counter[str]:
        """Robots armed so far."""
        return Counter(event.robot for _, event in await self.events(e.RobotArmed))

    async def events(self, *kinds: type[e.Event]) -> list[tuple[Any, Any]]:
        """Events of these kinds of all leads: envelope and data."""
        found = []
        for lead in await self.all():
            found += [(r.meta, r.data) for r in await self.leads.history(lead) if isinstance(r.data, kinds)]
        return found

    def asked(self, **more: Any) -> Asked:
        """A start as of now."""
        return Asked(self.pipeline, **{"at": self.clock.at, **more})

    async def preview(self, asked: Asked) -> Preview:
        """What would happen."""
        return await preview(self.settings, self.pool, self.clock.at, asked, US, self.leads.reader.command)

    async def start(self, asked: Asked, send: Any = None) -> Started:
        """Have it happen."""
        made = self.leads.reader.command
        return await Starter(self.settings, self.pool, self.clock, asked, US, made, send or self.send).run()

    async def send(self, commands: Sequence[Command]) -> list[CommandResult | None]:
        """Commands by the door."""
        done = await asyncio.gather(*(self.leads.batcher.submit([self.leads.reader.command(c)]) for c in commands))
        return [answer[0].result for answer in done]

    async def days_pass(self, until: datetime) -> None:
        """Every robot comes to its instant, and what goes out arrives at once."""
        for lead in await self.all():
            self.clock.at = NOW
            while due := [a for a in (await self.state(lead)).automation.armed.values() if a.due_at <= until]:
                armed = min(due, key=lambda a: (a.due_at, a.robot))
                self.clock.at = max(self.clock.at, armed.due_at)
                by = Actor(id=armed.robot, kind="robot")
                assert (
                    await self.leads.send(lead, "fire", by=by, timer=armed.timer, robot=armed.robot)
                ).outcome == "done"
                for effect, known in (await self.state(lead)).automation.effects.items():
                    if known.state == "requested":
                        report: dict[str, Any] = {"effect": effect, "outcome": "done", "attempts": 1}
                        assert (await self.leads.send(lead, "report", by=DELIVERY, **report)).outcome == "done"


@pytest.fixture
async def old(settings: Settings, pool: Pool) -> AsyncIterator[Old]:
    """The aggregate service on a clock of the test's own, new leads coming to this pipeline, every robot waiting to be fired."""
    name = unique("old")
    mine = settings.model_copy(
        update={"default_pipeline": name, "staff": [Colleague(name="helen", role="head", email="helen@example.org")]}
    )
    await registry.publish_bundled(pool, SystemClock())
    await registry.publish(pool, SystemClock(), PIPELINE.replace("NAME", name), HEAD)
    clock = HandClock(NOW)
    batcher = Batcher(mine, pool, clock, Memory(KeyRing(mine.master_key_bytes)), at_once=False)
    task = asyncio.create_task(batcher.run())
    yield Old(mine, pool, clock, Leads(mine, pool, batcher), name)
    batcher.close()
    await asyncio.wait_for(task, 60)


async def test_N5_an_import_starts_no_robot_and_says_how_they_are_started(
    old: Old, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await old.imported(tmp_path)
    assert not await old.armed()
    out = capsys.readouterr().out
    assert f"leadline robots start {old.pipeline} --source imported" in out


async def test_N5_the_preview_is_what_then_happens(old: Old, tmp_path: Path) -> None:
    await old.imported(tmp_path)
    refusing = (await old.at("new"))[0]
    await old.leads.send(refusing, "permit", channel="email", allowed=False)
    for lead, who in zip(sorted(await old.all()), ("anna", "boris") * 3, strict=False):
        await old.leads.send(lead, "assign", to=who, by=HEAD)
    await old.leads.send((await old.at("new"))[1], "record", fields={"company": "ООО «Ромашка»"})
    asked = old.asked(at=NOW + DAY)
    before = await written(old.pool)
    said = await old.preview(asked)
    assert await written(old.pool) == before, "a preview writes nothing"
    assert (said.looked_at, said.starting, dict(said.left)) == (12, 9, {"none": 3})
    assert {(o.stage, o.robot): o.leads for o in said.robots.values()} == {
        ("new", "letter"): 3, ("new", "ads"): 3, ("new", "rich"): 3, ("new", "far"): 3, ("new", "remind"): 1,
        ("work", "look"): 3, ("later", "pause"): 3,
    }  # fmt: skip
    assert said.first == NOW + DAY
    assert len(said.refusing) == 1
    assert said.skipped["contact_refused"] == 1 + 0

    made = await old.start(asked)
    assert (made.leads, made.left, made.refused) == (9, 3, {})
    armed = [(meta, data) for meta, data in await old.events(e.RobotArmed)]
    assert {data.because for _, data in armed} == {"started"}
    assert Counter((data.robot) for _, data in armed) == Counter({o.robot: o.leads for o in said.robots.values()})
    assert made.robots == len(armed)
    assert min(data.due_at for _, data in armed) == said.first
    assert {(meta.actor.id, meta.actor.on_behalf_of) for meta, _ in armed} == {(STARTING, "tests")}

    versions = {lead: (await old.state(lead)).version for lead in await old.all()}
    days_end = datetime.combine(said.days[-1] + DAY, datetime.min.time(), UTC) - timedelta(hours=3, microseconds=1)
    await old.days_pass(days_end)
    happened = Happened()
    for lead in await old.all():
        happened.tell(await old.leads.history(lead), versions[lead])
    assert happened.did == said.did
    assert happened.skipped == said.skipped
    assert happened.tasks == said.tasks
    assert said.did.total() > 20
    assert set(said.tasks) == {None, "anna", "boris", "helen"}
    assert said.did["come_back"] == 3
    assert said.did["move"] == 3


class Happened:
    """What the events of leads say that robots did, counted as the preview counts it."""

    def __init__(self) -> None:
        self.did: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.tasks: dict[str | None, Counter[date]] = {}

    def tell(self, history: Sequence[Any], after: int) -> None:
        """One lead's events after a version."""
        for number, recorded in enumerate(history):
            if recorded.meta.version <= after:
                continue
            match recorded.data:
                case e.RobotRan() as ran:
                    self.did[ran.did] += 1
                case e.RobotSkipped() as skipped:
                    self.skipped[skipped.reason] += 1
                case e.ActivityPlanned() as planned:
                    state = lead_from(history[: number + 1])
                    assert state is not None
                    who = planned.assignee or state.responsible
                    day = (recorded.meta.recorded_at + timedelta(hours=3)).date()  # the team's clock is Moscow's
                    self.tasks.setdefault(who, Counter())[day] += 1


async def test_N5_a_start_that_was_interrupted_goes_on_and_repeats_nothing(
    old: Old, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await old.imported(tmp_path)
    monkeypatch.setattr(starting, "CHUNK", 5)
    asked, sent = old.asked(), list[Command]()

    async def breaks(commands: Sequence[Command]) -> list[CommandResult | None]:
        sent.extend(commands)
        if len(sent) > 5:
            await old.send(commands[:1])  # one was carried out, and nobody was told
            raise AwayError("the database is away")
        return await old.send(commands)

    with pytest.raises(AwayError):
        await old.start(asked, breaks)
    half = (await old.armed()).total()
    said = await old.preview(asked)
    assert 0 < said.starting < 9
    assert said.left["had"] == 9 - said.starting
    made = await old.start(asked)
    assert made.leads == said.starting
    assert (await old.armed()).total() == half + made.robots
    assert await old.armed() == {"remind": 1, **dict.fromkeys(("letter", "ads", "rich", "far", "look", "pause"), 3)}
    again = await old.send(sent)
    assert {result.outcome for result in again if result} == {"done"}, "the first run's commands, once more"
    assert (await old.armed()).total() == half + made.robots
    assert (await old.start(old.asked(at=NOW + DAY))).leads == 0, "nor by a run of its own"
    assert {data.visit for _, data in await old.events(e.RobotArmed)} >= {1}


async def test_N5_robots_are_started_by_stage_by_robot_and_by_source(old: Old, tmp_path: Path) -> None:
    await old.imported(tmp_path)
    by_form = await old.leads.lead_of(name="Новый", phone="+79990000001")
    had = await old.armed()
    assert had == Counter(letter=1, ads=1, rich=1, far=1)
    assert (await old.start(old.asked(stages=("new",), robot="ads"))).robots == 3
    assert await old.armed() - had == Counter(ads=3)
    imported = await old.preview(old.asked(source="imported"))
    assert (imported.starting, imported.left["other_source"]) == (9, 1)
    assert (await old.start(old.asked(stages=("work", "later"), source="imported"))).robots == 6
    assert await old.armed() - had == Counter(ads=3, look=3, pause=3)
    assert (await old.preview(old.asked(robot="remind"))).left["undated"] == 3
    paused = await old.state((await old.at("later"))[0])
    [pause] = paused.automation.armed.values()
    assert (pause.robot, pause.due_at.astimezone(UTC).date() >= PAUSED_UNTIL) == ("pause", True)
    await old.leads.send(by_form, "move", by=HEAD, to="work", override="так надо")
    assert (await old.preview(old.asked(stages=("work",)))).starting == 0
    for named, words in ((("nowhere",), "nowhere"), ((), "call")):
        with pytest.raises(CannotStartError, match=words):
            await old.preview(old.asked(stages=named, robot=None if named else "call"))


async def test_N5_what_a_person_cancelled_is_left_alone_and_a_new_version_adds_what_is_new(
    old: Old, tmp_path: Path
) -> None:
    await old.imported(tmp_path, range(0, 12, 4))
    await old.start(old.asked())
    lead = (await old.at("new"))[0]
    [timer] = [a.timer for a in (await old.state(lead)).automation.armed.values() if a.robot == "ads"]
    assert (await old.leads.send(lead, "cancel_robot", timer=timer)).outcome == "done"
    fresh = "      - {id: fresh, titles: {ru: а, en: b}, do: {tag: b}}\n      - {id: far"
    text = PIPELINE.replace("NAME", old.pipeline).replace("      - {id: far", fresh)
    _, number = await registry.publish(old.pool, SystemClock(), text, HEAD)
    assert (await old.preview(old.asked())).starting == 0, "the leads are under the version before still"
    for one in await old.all():
        await old.leads.send(one, "adopt", by=HEAD, pipeline=old.pipeline, number=number)
    before = await old.armed()
    assert (await old.start(old.asked())).leads == 3
    assert await old.armed() - before == Counter(fresh=3)


async def test_N5_a_lead_that_moves_in_that_moment_is_looked_at_anew(old: Old, tmp_path: Path) -> None:
    await old.imported(tmp_path, range(0, 12, 4))
    first, second, third = await old.at("new")
    calls: list[list[UUID]] = []

    async def send(commands: Sequence[Command]) -> list[CommandResult | None]:
        calls.append([command.lead for command in commands])
        if len(calls) == 1:
            assert (await old.leads.send(first, "record", fields={"company": "ООО «Ромашка»"})).outcome == "done"
            assert (await old.leads.send(second, "move", by=HEAD, to="work", override="так")).outcome == "done"
        return await old.send(commands)

    made = await old.start(old.asked(stages=("new",)), send)
    assert (made.leads, made.left, made.refused) == (2, 1, {})
    assert calls == [[first, second, third], [first]], "the one that moved has the robots of the stage it went to"
    assert [a.robot for a in (await old.state(second)).automation.armed.values()] == ["look"]


async def test_N5_robots_are_started_for_deals_too(old: Old) -> None:
    _, deal = await won(old.leads)
    file = pipeline_file("trial_lesson")
    assert file is not None
    fresh = "    robots:\n      - {id: fresh, titles: {ru: а, en: b}, do: {tag: fresh}}\n"
    text = file.read_text(encoding="utf-8").replace("    robots:\n", fresh, 1)
    _, number = await registry.publish(old.pool, SystemClock(), text, HEAD)
    adopted = await old.leads.send(deal, "adopt", by=HEAD, pipeline="trial_lesson", number=number)
    assert adopted.outcome == "done", adopted.refusal
    said = await old.preview(Asked("trial_lesson", NOW))
    assert ([(o.robot, o.leads) for o in said.robots.values()], said.did) == ([("fresh", 1)], {"tag": 1})
    assert (await old.start(Asked("trial_lesson", NOW))).robots == 1
    armed = [r.data.robot for r in await old.leads.history(deal) if isinstance(r.data, e.RobotArmed)]
    assert armed[-1] == "fresh"
    assert (await old.preview(Asked("trial_lesson", NOW))).left == {"had": 1}


async def test_N5_a_killed_start_goes_on_with_the_same_command(old: Old, tmp_path: Path) -> None:
    await old.imported(tmp_path, range(0, 1600, 4))
    line = [sys.executable, "-m", "services.ops.main", "robots", "start", old.pipeline, "--yes", "--json"]
    armed = "SELECT count(DISTINCT originator_id) FROM leadline.events WHERE topic = 'leadline.lead.robot_armed'"
    first = await asyncio.create_subprocess_exec(
        *line, env=environment(old.settings), stdout=asyncio.subprocess.DEVNULL
    )
    try:

        async def begun() -> bool:
            return bool(await old.pool.fetchval(armed))

        await until(begun, "robots of the first leads are started", 30)
    finally:
        first.kill()
        await first.wait()
    half = await old.pool.fetchval(armed)
    assert 0 < half < 400
    second = await asyncio.create_subprocess_exec(*line, env=environment(old.settings), stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(second.communicate(), 60)
    told = json.loads(out)
    assert (second.returncode, told["started"]["refused"]) == (0, [])
    assert (told["preview"]["left"]["had"], told["started"]["leads"]) == (half, 400 - half)
    robots = await old.pool.fetch(
        """SELECT originator_id, convert_from(state, 'UTF8')::jsonb -> 'data' ->> 'robot' FROM leadline.events
           WHERE topic = 'leadline.lead.robot_armed'
             AND convert_from(state, 'UTF8')::jsonb -> 'data' ->> 'because' = 'started'"""
    )
    assert len(robots) == len(set(map(tuple, robots))) == 400 * 4 + 1


@pytest.mark.kafka
async def test_N5_the_command_says_what_would_happen_and_does_it(
    old: Old, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await old.imported(tmp_path)
    capsys.readouterr()
    place = Given(old.settings)
    assert await start(place, Typed(old.pipeline, dry_run=True)) == 0
    out = capsys.readouterr().out
    assert "Ничего не записано" in out
    assert "helen" in out
    assert "█" in out
    assert "писем: 6" in out, (
        "of two leads in `new`, two that a robot moves back there, two that come back from a pause"
    )
    assert not await old.armed()
    with pytest.raises(OpsError, match="say --yes"):
        await start(place, Typed(old.pipeline))
    capsys.readouterr()
    assert await start(place, Typed(old.pipeline, yes=True, json=True)) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["preview"]["starting"], told["started"]["leads"], told["started"]["refused"]) == (9, 9, [])
    armed = Counter(event.because for _, event in await old.events(e.RobotArmed))
    assert armed == {"started": told["started"]["robots"], "after_robot": 1}, (
        "one at once, after a letter without an address"
    )
    assert await start(place, Typed(old.pipeline, yes=True, language="en")) == 0
    assert "There is nothing to start" in capsys.readouterr().out
    with pytest.raises(OpsError, match="no pipeline nowhere"):
        await start(place, Typed("nowhere"))
    assert (await verify(old.settings)).ok


async def test_N5_Q7_deadlines_begin_for_imported_leads_and_the_preview_counts_their_tasks(
    old: Old, pool: Pool, tmp_path: Path
) -> None:
    quiet = 'titles: {ru: "Тихо", en: "Quiet"}\n    kind: open\n'
    due = """    deadlines:
      - id: in_time
        titles: {ru: "В срок", en: "In time"}
        task: {ru: "Позвонить", en: "Call"}
        within: [{period: {hours: 4, working: true}}]
"""
    old.pipeline = unique("due")
    text = PIPELINE.replace("NAME", old.pipeline, 1).replace(quiet, quiet + due, 1)
    await registry.publish(pool, SystemClock(), text, HEAD)
    await old.imported(tmp_path)
    assert await old.events(e.DeadlineSet) == [], "an import begins nothing"
    said = await old.preview(old.asked(robot="in_time"))
    assert (said.starting, said.robots[("quiet", "in_time")].leads) == (3, 3)
    assert sum(by_day.total() for by_day in said.tasks.values()) == 3
    assert (await old.start(old.asked(robot="in_time"))).robots == 3
    begun = await old.events(e.DeadlineSet)
    assert {event.because for _, event in begun} == {"started"}
    assert len(begun) == 3
    again = await old.preview(old.asked(robot="in_time"))
    assert (again.starting, again.left["had"]) == (0, 3)
