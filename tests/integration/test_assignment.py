"""Assignment through the aggregate service on real Postgres: turns given once whatever happens, the pool, the idle, the missed,
whoever leaves (C4, N19, N25)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from contracts import commands as c
from contracts import events as e
from contracts.meta import Actor
from projections.schema import prepare
from services.calendars.publishing import publish as publish_calendar
from services.database import Pool
from services.ops.place import OpsError
from services.ops.teams.command import Typed
from services.ops.teams.handing_over import handover
from services.pipelines.registry import publish
from services.settings import Settings
from services.teams.publishing import publish as publish_team
from tests.integration.leads_case import HEAD, Leads, running
from tests.integration.robots_case import HandClock
from tests.integration.test_unmerge_many import behind
from tests.integration.web_case import Web, project

MONDAY = datetime(2026, 11, 30, 7, tzinfo=UTC)
"""Ten in the morning in Moscow."""
ROOT = Path(__file__).resolve().parents[2]
ROBOTS = Actor(id="robots", kind="system")
PIPELINE = """
pipeline: given
titles: {{ru: "Раздача", en: "Given"}}
conversion_point: deal
{assignment}
fields:
  - {{id: language, titles: {{ru: "Язык", en: "Language"}}}}
stages:
  - id: new
    titles: {{ru: "Новый", en: "New"}}
    kind: open
    exit: [{{fact: seen}}]
    {deadlines}
  - {{id: work, titles: {{ru: "В работе", en: "In work"}}, kind: open}}
  - {{id: deal, titles: {{ru: "Сделка", en: "Deal"}}, kind: won}}
  - {{id: poor, titles: {{ru: "Некачественный", en: "Poor"}}, kind: lost, outcome: refused}}
"""
CALL = """deadlines:
      - id: first_call
        titles: {ru: "Первый звонок", en: "First call"}
        within: [{period: {hours: 1, working: true}}]
        done: [{fact: call_held}]
"""


def team(*members: str, **more: str) -> str:
    """A team's file."""
    lines = [
        "team: sales",
        'titles: {ru: "Продажи", en: "Sales"}',
        *(f"{name}: {value}" for name, value in more.items()),
    ]
    return "\n".join([*lines, "members:", *(f"  - {member}" for member in members), ""])


class Given:
    """The service with this assignment, on a clock moved by hand."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self.settings = settings.model_copy(update={"default_pipeline": "given"})
        self.pool, self.clock, self.stack = pool, HandClock(MONDAY), AsyncExitStack()
        self.leads: list[Leads] = []
        self.count = 0

    async def begin(self, assignment: str = "", deadlines: str = "", services: int = 1) -> Leads:
        """Put the pipeline in force and start so many services."""
        text = PIPELINE.format(assignment=f"assignment: {assignment}" if assignment else "", deadlines=deadlines)
        await publish(self.pool, self.clock, text, HEAD)
        for _ in range(services):
            self.leads.append(await self.stack.enter_async_context(running(self.settings, self.pool, self.clock)))
        return self.leads[0]

    async def team(self, *members: str, **more: str) -> None:
        """Put a team in force."""
        await publish_team(self.pool, self.clock, team(*members, **more), HEAD)

    async def lead(self, **form: Any) -> UUID:
        """A new lead of a new client."""
        self.count += 1
        return await self.leads[0].lead_of(**{"name": f"Иван {self.count}", "phone": f"+7900{self.count:07}", **form})

    async def of(self, lead: UUID, *kinds: type[e.Event]) -> list[Any]:
        """The lead's events of these kinds."""
        return [r.data for r in await self.leads[0].history(lead) if isinstance(r.data, kinds)]

    async def responsible(self, lead: UUID) -> str | None:
        """Whose the lead is, as the store of places has it."""
        found: str | None = await self.pool.fetchval(
            "SELECT responsible FROM leadline.lead_places WHERE lead = $1", lead
        )
        return found

    async def fire(self, lead: UUID, name: str) -> Any:
        """The robots service says that the instant of this robot or deadline has come; the clock stands there."""
        waiting = [v for v in await self.of(lead, e.RobotArmed) if v.robot == name]
        waiting += [v for v in await self.of(lead, e.DeadlineSet) if v.deadline == name]
        self.clock.at = max(self.clock.at, waiting[-1].due_at)
        return await self.leads[0].send(lead, "fire", by=ROBOTS, timer=waiting[-1].timer, robot=name)

    async def hand_over(self, lead: UUID, of: str, to: str | None = None) -> Any:
        """The command of `leadline team handover`."""
        command = c.Command(id=uuid4(), lead=lead, actor=HEAD, body=c.HandOver(of=of, to=to))
        done = (await self.leads[0].batcher.submit([self.leads[0].reader.command(command)]))[0]
        assert done.result is not None, done.error
        return done.result


@pytest.fixture
async def given(settings: Settings, pool: Pool) -> AsyncIterator[Given]:
    """Nothing runs yet."""
    made = Given(settings, pool)
    async with made.stack:
        yield made


async def circle(pool: Pool, name: str = "sales") -> dict[str, tuple[int, int]]:
    """By person: leads had and the number of the last turn; "": of the whole circle."""
    rows = await pool.fetch("SELECT person, had, turn FROM leadline.rotation WHERE circle = $1", name)
    return {row[0]: (row[1], row[2]) for row in rows}


async def assignments(pool: Pool) -> list[dict[str, Any]]:
    """The data of every LeadAssigned, in the order of the store."""
    rows = await pool.fetch(
        "SELECT state FROM leadline.events WHERE topic = 'leadline.lead.assigned' ORDER BY originator_id, originator_version"
    )
    return [orjson.loads(row[0])["data"] for row in rows]


async def test_C4_services_side_by_side_give_each_turn_once(given: Given, pool: Pool) -> None:
    await given.team("{name: anna}", "{name: boris}", "{name: vera}")
    await given.begin(services=2)
    works = [
        [leads.arrival(name=f"Иван {n}", phone=f"+7901{n:07}") for n in range(start, start + 5)]
        for leads, start in ((given.leads[k % 2], 5 * k) for k in range(20))
    ]
    await asyncio.gather(*(given.leads[k % 2].take(*work) for k, work in enumerate(works)))
    found = await assignments(pool)
    assert sorted(one["turn"] for one in found) == list(range(100)), "each turn once, none left out"
    assert Counter(one["to"] for one in found) == {"anna": 34, "boris": 33, "vera": 33}
    in_order = [one["to"] for one in sorted(found, key=lambda one: one["turn"])]
    assert in_order == ["anna", "boris", "vera"] * 33 + ["anna"], "in one order, however the batches were made"
    assert await circle(pool) == {"": (100, 100), "anna": (34, 100), "boris": (33, 98), "vera": (33, 99)}


KILLED = """
import asyncio, os, signal, sys
from services.clock import SystemClock
from services.database import open_pool
from services.leads import assigning
from services.settings import Settings
from tests.integration.leads_case import running

write = assigning.write

async def killed(batch, database):
    await write(batch, database)
    if killed.left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    killed.left -= 1

killed.left = 2
assigning.write = killed

async def main():
    settings = Settings(default_pipeline="given")
    async with await open_pool(settings.database_url, service="killed") as pool, running(settings, pool) as leads:
        for n in range(20):
            await leads.take(leads.arrival(f"form-{n}", name=f"Иван {n}", phone=f"+7902{n:07}"))

asyncio.run(main())
"""


async def test_N1_killed_in_the_middle_of_an_assignment_every_turn_is_had_once(given: Given, pool: Pool) -> None:
    leads = await given.begin()
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": given.settings.database_url.get_secret_value(),
        "LEADLINE_MASTER_KEY": given.settings.master_key.get_secret_value(),
        "LEADLINE_PEPPER": given.settings.pepper.get_secret_value(),
    }
    process = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED], env=env, cwd=ROOT, capture_output=True, timeout=120, check=False
    )
    assert process.returncode == -9, process.stderr.decode()[-2000:]
    assert len(await assignments(pool)) == 2, "two were given, and the third was not: nothing of it is there"
    assert (await circle(pool))[""] == (2, 2)
    await leads.take(*(leads.arrival(f"form-{n}", name=f"Иван {n}", phone=f"+7902{n:07}") for n in range(20)))
    found = await assignments(pool)
    assert sorted(one["turn"] for one in found) == list(range(20))
    assert Counter(one["to"] for one in found) == {"anna": 10, "boris": 10}
    assert await circle(pool) == {"": (20, 20), "anna": (10, 19), "boris": (10, 20)}


async def test_N19_the_event_says_candidates_loads_exclusions_rule_and_reason(given: Given, pool: Pool) -> None:
    await given.team(
        "{name: anna, languages: [en]}",
        "{name: boris, languages: [en], quota: {open: 1}}",
        "{name: vera, languages: [ru, en]}",
        "{name: gleb}",
        "{name: inga, left: 2026-11-01}",
    )
    await given.begin(
        "{by: least_loaded, rules: [{id: english, titles: {ru: Английский, en: English}, "
        "when: \"has(card.language) && card.language == 'en'\", languages: [en]}]}"
    )
    await given.leads[0].send(first := await given.lead(), "assign", by=HEAD, to="boris")
    lead = await given.lead(fields={"language": "en"})
    [event] = await given.of(lead, e.LeadAssigned)
    assert (event.to, event.reason, event.rule, event.team) == ("anna", "least_loaded", "english", "sales@2")
    assert (event.candidates, event.loads) == (("anna", "vera"), {"anna": 0, "vera": 0})
    assert event.excluded == {"boris": "quota_open", "gleb": "languages", "inga": "left"}
    again = await given.of(await given.lead(fields={"language": "en"}), e.LeadAssigned)
    assert (again[0].to, again[0].loads) == ("vera", {"anna": 1, "vera": 0}), "loads are exact at once"
    await given.leads[0].send(first, "reject", by=HEAD, status="poor")
    freed = await given.of(await given.lead(fields={"language": "en"}), e.LeadAssigned)
    assert (freed[0].to, freed[0].loads) == ("boris", {"anna": 1, "boris": 0, "vera": 1})
    rows = await pool.fetch(
        "SELECT responsible, count(*) FROM leadline.lead_places WHERE kind = 'open' GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [("anna", 1), ("boris", 1), ("vera", 1)]


async def test_C4_the_quota_of_a_day_counts_from_midnight_on_the_teams_clock(given: Given) -> None:
    await given.team("{name: anna, quota: {day: 2}}")
    await given.begin("{by: in_turn}")
    assert [await given.responsible(await given.lead()) for _ in range(3)] == ["anna", "anna", None]
    given.clock.at = datetime(2026, 11, 30, 21, tzinfo=UTC)
    assert await given.responsible(await given.lead()) == "anna"


async def test_C4_a_known_clients_next_lead_goes_to_whoever_had_the_last(given: Given) -> None:
    await given.team("{name: anna}", "{name: boris}", "{name: vera}")
    await given.begin("{sticky: true}")
    client = {"name": "Мария", "phone": "+79035554433"}
    first = await given.lead(**client)
    await given.leads[0].send(first, "assign", by=HEAD, to="vera")
    await given.leads[0].send(first, "reject", by=HEAD, status="poor")
    second = await given.lead(**client)
    [event] = await given.of(second, e.LeadAssigned)
    assert (event.to, event.reason, event.turn) == ("vera", "owner", None)
    await given.leads[0].send(second, "reject", by=HEAD, status="poor")
    await given.team("{name: anna}", "{name: boris}", "{name: vera, left: 2026-11-30}")
    [event] = await given.of(await given.lead(**client), e.LeadAssigned)
    assert (event.to, event.reason, event.excluded) == ("boris", "in_turn", {"vera": "left"})


async def test_C4_nobody_may_have_it_it_waits_in_the_pool_and_is_an_incident_of_the_head_in_an_hour(
    given: Given,
) -> None:
    await given.team("{name: anna, quota: {open: 1}}", head="olga")
    leads = await given.begin("{by: in_turn}")
    first, lead = await given.lead(), await given.lead()
    [pooled] = await given.of(lead, e.LeadPooled)
    assert (pooled.team, pooled.excluded) == ("sales@2", {"anna": "quota_open"})
    [term] = await given.of(lead, e.DeadlineSet)
    assert (term.deadline, term.because, term.due_at, term.responsible) == (
        "pool",
        "pool",
        MONDAY + timedelta(hours=1),
        None,
    )
    [armed] = await given.of(lead, e.RobotArmed)
    assert (armed.robot, armed.because, armed.due_at) == ("pool", "pool", MONDAY + timedelta(minutes=15))
    assert (await leads.send(lead, "fire", by=ROBOTS, timer=armed.timer, robot="pool")).outcome == "refused", "not due"
    given.clock.at = armed.due_at
    assert (await leads.send(lead, "fire", by=ROBOTS, timer=armed.timer, robot="pool")).outcome == "done"
    [skipped] = await given.of(lead, e.RobotSkipped)
    assert skipped.rules == ("C4.somebody_to_assign",)
    again = (await given.of(lead, e.RobotArmed))[-1]
    assert again.due_at == MONDAY + timedelta(minutes=30)
    given.clock.at = term.due_at
    await leads.send(lead, "fire", by=ROBOTS, timer=term.timer, robot="pool")
    [missed] = await given.of(lead, e.DeadlineMissed)
    assert (missed.deadline, missed.cause, missed.responsible) == ("pool", "nobody_responsible", None)
    assert missed.incident is not None
    await leads.send(first, "reject", by=HEAD, status="poor")
    given.clock.move(timedelta(minutes=1))
    await leads.send(lead, "fire", by=ROBOTS, timer=again.timer, robot="pool")
    [assigned] = await given.of(lead, e.LeadAssigned)
    assert (assigned.to, assigned.reason) == ("anna", "in_turn")
    [ran] = await given.of(lead, e.RobotRan)
    assert (ran.robot, ran.did) == ("pool", "assign_again")
    assert await given.responsible(lead) == "anna"


async def test_C4_somebody_takes_it_from_the_pool_in_time(given: Given) -> None:
    await given.team("{name: anna, takes: false}", "{name: boris, quota: {open: 0}}")
    leads = await given.begin("{by: in_turn}")
    accepted, assigned = await given.lead(), await given.lead()
    given.clock.move(timedelta(minutes=20))
    anna = Actor(id="anna", kind="person", role="seller")
    assert (await leads.send(accepted, "accept", by=anna)).outcome == "done"
    await leads.send(assigned, "assign", by=HEAD, to="boris")
    for lead, to, reason in ((accepted, "anna", "from_pool"), (assigned, "boris", "by_hand")):
        [event] = await given.of(lead, e.LeadAssigned)
        assert (event.to, event.reason) == (to, reason)
        [met] = await given.of(lead, e.DeadlineMet)
        assert (met.deadline, met.left_s) == ("pool", 40 * 60)
        [over] = await given.of(lead, e.RobotCancelled)
        assert (over.robot, over.by) == ("pool", "over")
        assert await given.responsible(lead) == to


async def test_C4_in_the_evening_the_pool_is_looked_at_when_work_begins(given: Given) -> None:
    await given.team("{name: anna, quota: {open: 0}}")
    given.clock.at = datetime(2026, 11, 27, 18, tzinfo=UTC)  # Friday, nine in the evening
    await given.begin("{pool_within: {minutes: 30, working: true}}")
    lead = await given.lead()
    [armed], [term] = await given.of(lead, e.RobotArmed), await given.of(lead, e.DeadlineSet)
    assert (armed.due_at, term.due_at) == (
        datetime(2026, 11, 30, 6, tzinfo=UTC),
        datetime(2026, 11, 30, 6, 30, tzinfo=UTC),
    )


IDLE = "{idle: {within: {hours: 4, working: true}}}"


async def test_C4_a_lead_that_nobody_touches_goes_to_somebody_else(given: Given) -> None:
    await given.team("{name: anna}", "{name: boris}")
    await given.begin(IDLE)
    lead = await given.lead()
    [armed] = await given.of(lead, e.RobotArmed)
    assert (armed.robot, armed.because, armed.due_at) == ("idle", "idle", MONDAY + timedelta(hours=4))
    await given.fire(lead, "idle")
    taken = (await given.of(lead, e.LeadAssigned))[-1]
    assert (taken.to, taken.previous, taken.reason, taken.excluded) == ("boris", "anna", "idle", {"anna": "replaced"})
    [ran] = await given.of(lead, e.RobotRan)
    assert ran.did == "assign_again"
    again = (await given.of(lead, e.RobotArmed))[-1]
    assert again.due_at == MONDAY + timedelta(hours=8), "he has as long as she had"


async def test_N25_what_a_person_does_or_plans_touches_a_lead_and_what_robots_and_the_client_do_does_not(
    given: Given,
) -> None:
    await given.team("{name: anna}", "{name: boris}")
    leads = await given.begin(IDLE)
    lead = await given.lead(name="Пётр", phone="+79051112233")
    given.clock.move(timedelta(hours=1))
    await leads.take(
        leads.arrival(name="Пётр", phone="+79051112233", comment="Ещё вопрос")
    )  # the client, who touches nothing
    given.clock.at = MONDAY + timedelta(hours=2)
    await leads.send(lead, "see")
    assert len(await given.of(lead, e.RobotArmed)) == 1, "a touch costs no event"
    await given.fire(lead, "idle")
    [moved] = await given.of(lead, e.RobotCancelled)
    armed = (await given.of(lead, e.RobotArmed))[-1]
    assert (moved.by, armed.due_at) == ("retimed", MONDAY + timedelta(hours=6))
    given.clock.at = MONDAY + timedelta(hours=5)
    tomorrow = datetime(2026, 12, 1, 9, tzinfo=UTC)
    await leads.send(lead, "plan", kind="call", due_at=tomorrow, text="Позвонить, когда вернётся")
    await given.fire(lead, "idle")
    armed = (await given.of(lead, e.RobotArmed))[-1]
    assert armed.due_at == tomorrow + timedelta(hours=4), "a planned call counts as touched until it is due"
    await given.fire(lead, "idle")
    assert [v.reason for v in await given.of(lead, e.LeadAssigned)] == ["in_turn", "idle"]


async def test_C4_with_nobody_else_an_untouched_lead_stays_and_is_looked_at_again(given: Given) -> None:
    await given.team("{name: anna}")
    await given.begin(IDLE)
    lead = await given.lead()
    await given.fire(lead, "idle")
    [skipped] = await given.of(lead, e.RobotSkipped)
    assert skipped.rules == ("C4.somebody_to_assign",)
    assert await given.responsible(lead) == "anna"
    assert (await given.of(lead, e.RobotArmed))[-1].due_at == MONDAY + timedelta(hours=8)


async def test_C4_missed_twice_running_the_lead_goes_to_somebody_else_and_the_incidents_stay(given: Given) -> None:
    await given.team("{name: anna}", "{name: boris}")
    await given.begin("{missed_running: 2}", CALL)
    lead = await given.lead()
    await given.fire(lead, "first_call")
    assert await given.responsible(lead) == "anna"
    await given.fire(lead, "first_call")
    misses = await given.of(lead, e.DeadlineMissed)
    assert [(miss.responsible, miss.running) for miss in misses] == [("anna", 1), ("anna", 2)]
    given_to = (await given.of(lead, e.LeadAssigned))[-1]
    assert (given_to.to, given_to.previous, given_to.reason) == ("boris", "anna", "missed_running")
    assert given_to.excluded == {"anna": "replaced"}
    await given.fire(lead, "first_call")
    last = (await given.of(lead, e.DeadlineMissed))[-1]
    assert (last.responsible, last.running) == ("boris", 1), "he begins anew"


async def test_C4_whoever_left_gets_nothing_and_loses_nothing_until_it_is_handed_over(given: Given) -> None:
    await given.team("{name: anna}", "{name: boris}", "{name: vera}")
    leads = await given.begin("{sticky: false}")
    theirs = [await given.lead() for _ in range(6)]
    mine = [lead for lead in theirs if await given.responsible(lead) == "anna"]
    await leads.send(mine[0], "plan", kind="task", text="Смета", assignee="anna")
    await given.team("{name: anna, left: 2026-11-30}", "{name: boris}", "{name: vera}")
    later = [await given.responsible(await given.lead()) for _ in range(4)]
    assert sorted(map(str, later)) == ["boris", "boris", "vera", "vera"]
    assert [await given.responsible(lead) for lead in mine] == ["anna", "anna"]
    refused = await given.hand_over(mine[0], "anna", "anna")
    assert refused.refusal.rules == ("C4.known_responsible",)
    assert (await given.hand_over(mine[0], "anna", "vera")).outcome == "done"
    event = (await given.of(mine[0], e.LeadAssigned))[-1]
    assert (event.to, event.previous, event.reason) == ("vera", "anna", "handed_over")
    assert [planned.assignee for planned in await given.of(mine[0], e.ActivityPlanned)] == ["anna", "vera"]
    assert (await given.hand_over(mine[1], "anna")).outcome == "done"
    event = (await given.of(mine[1], e.LeadAssigned))[-1]
    assert (event.previous, event.reason, event.excluded) == ("anna", "handed_over", {"anna": "left"})
    before = await leads.types(mine[0])
    assert (await given.hand_over(mine[0], "anna", "boris")).outcome == "done", "nothing of hers is there any more"
    assert await leads.types(mine[0]) == before


async def test_C4_absences_stand_in_the_teams_calendar(given: Given) -> None:
    await publish_calendar(
        given.pool,
        given.clock,
        'team: sales\ntime_zone: Europe/Moscow\nhours: {weekdays: ["09:00-18:00"]}\n'
        "absences: [{who: anna, from: 2026-11-30, to: 2026-12-02}]\n",
        "olga",
    )
    await given.begin()
    decisions = [(await given.of(await given.lead(), e.LeadAssigned))[0] for _ in range(3)]
    assert [(d.to, d.excluded) for d in decisions] == [("boris", {"anna": "absent"})] * 3
    given.clock.at = datetime(2026, 12, 3, 7, tzinfo=UTC)
    back = [(await given.of(await given.lead(), e.LeadAssigned))[0].to for _ in range(4)]
    assert back == ["anna", "boris", "anna", "boris"], "no burst after an absence"


async def test_C4_a_lead_entered_by_hand_is_whoevers_who_found_it_else_it_goes_as_every_lead(given: Given) -> None:
    await given.team("{name: anna}", "{name: boris}", "{name: olga, takes: false}")
    leads = await given.begin("{by: in_turn}")
    found = {}
    for who, role in (("boris", "seller"), ("olga", "head"), ("olga", "head")):
        lead = uuid4()
        by = Actor.model_validate({"id": who, "kind": "person", "role": role})
        given.count += 1
        await leads.send(lead, "capture", by=by, name=f"Анна {given.count}", phone=f"+7904{given.count:07}")
        [event] = await given.of(lead, e.LeadAssigned)
        found[lead] = (event.to, event.reason)
    assert list(found.values()) == [("boris", "by_hand"), ("anna", "in_turn"), ("boris", "in_turn")]


async def test_C4_what_somebody_has_is_handed_over_by_one_command_with_a_preview(
    given: Given, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with given.pool.acquire() as connection:
        await prepare(connection)
    await given.team("{name: anna}", "{name: boris}", "{name: vera}")
    leads = await given.begin("{sticky: false}")
    web = Web(None, given.pool, leads)
    theirs = [await given.lead() for _ in range(12)]
    await leads.send(theirs[0], "reject", by=HEAD, status="poor")
    his, to_call = [lead for lead in theirs if await given.responsible(lead) == "boris"][:2]
    soon = given.clock.at + timedelta(days=1)
    for lead, who in ((his, "anna"), (his, "anna"), (his, "vera"), (to_call, "anna")):
        await leads.send(lead, "plan", kind="call", due_at=soon, assignee=who)
    await given.pool.execute("INSERT INTO leadline.clock (practice_now) VALUES ($1)", given.clock.at)
    await project(web)
    await given.team("{name: anna, left: 2026-11-30}", "{name: boris}", "{name: vera, quota: {open: 5}}")
    async with behind(leads, monkeypatch) as here:
        say = Typed(language="en")
        assert await handover(here, say, "anna", None, True) == 0  # type: ignore[arg-type]
        assert capsys.readouterr().out.splitlines() == [
            "anna: 3 open and paused leads",
            "  boris would get 2",
            "  vera would get 1",
            "anna: 3 tasks on leads of others",
            "  boris would get 3",
            "Nothing was changed; leave --preview out to hand over.",
        ]
        assert sum([await given.responsible(lead) == "anna" for lead in theirs]) == 4
        assert await handover(here, say, "anna", None, False) == 0  # type: ignore[arg-type]
        assert capsys.readouterr().out.splitlines() == [
            "anna: 3 open and paused leads",
            "  boris got 2",
            "  vera got 1",
            "anna: 3 tasks on leads of others",
            "  boris got 3",
        ]
        assert await given.responsible(his) == "boris"
        named = [planned.assignee for planned in await given.of(his, e.ActivityPlanned)]
        assert named == ["anna", "anna", "vera", None, None], "the responsible's from now on"
        assert [lead for lead in theirs if await given.responsible(lead) == "anna"] == [theirs[0]], (
            "closed ones stay hers"
        )
        assert await handover(here, say, "anna", None, False) == 0, "begun again"  # type: ignore[arg-type]
        assert capsys.readouterr().out.splitlines() == ["anna: 0 open and paused leads"], "before the projections know"
        assert len(await given.of(his, e.ActivityPlanned)) == 5
        await project(web)
        assert await handover(here, Typed(language="ru"), "anna", None, True) == 0  # type: ignore[arg-type]
        assert capsys.readouterr().out.splitlines()[0] == "anna: открытых и отложенных лидов 0"
        assert await handover(here, say, "boris", "nobody", False) == 1  # type: ignore[arg-type]
        assert "stays: No such responsible. There are: boris, vera." in capsys.readouterr().out
        with pytest.raises(OpsError, match="igor has no open lead or task, and is in no team"):
            await handover(here, say, "igor", None, True)  # type: ignore[arg-type]
