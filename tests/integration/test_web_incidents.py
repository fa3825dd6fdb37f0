"""Q5, Q6, Q9, S4, N21, S2, S6, Q11, C4, U: what people see of incidents, tasks, the head's queue, reports and teams, through the
application over real projections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest

from contracts import events as e
from contracts.journal import journal_of, quarter_of
from contracts.meta import Actor
from services.clock import SystemClock
from services.database import Pool
from services.pipelines.registry import publish
from services.settings import Settings
from services.teams import publishing as teams
from tests.integration.leads_case import HEAD
from tests.integration.web_case import Forms, Web, command, door_over, project

PIPELINE = """
pipeline: desk
titles: {ru: "Стол", en: "Desk"}
conversion_point: deal
groups: [{id: main, titles: {ru: "Главное", en: "Main"}}]
fields:
  - {id: budget, titles: {ru: "Бюджет", en: "Budget"}, type: number, personal: false, group: main}
  - {id: colour, titles: {ru: "Цвет", en: "Colour"}, type: text, personal: false, group: main}
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    robots:
      - {id: no_try, titles: {ru: "Нет попыток", en: "No attempt"}, do: {incident: {ru: "Не звонили", en: "Nobody called"}}}
    mandatory: [budget]
  - {id: work, titles: {ru: "В работе", en: "In work"}, kind: open}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - id: poor
    titles: {ru: "Некачественный", en: "Poor"}
    kind: lost
    review: true
    reasons: [{id: no_money, titles: {ru: "Нет бюджета", en: "No budget"}}]
  - {id: later, titles: {ru: "Отложен", en: "Later"}, kind: postponed}
"""
MACHINE = Actor(id="incidents", kind="system")
PAGES_OF_HEADS = (
    *("/work", "/queue", "/queue?all=1", "/incidents", "/reports", "/reports/response-times", "/teams/sales"),
    *(
        "/reports/response-times?by=hour",
        "/reports/people-stages?pipeline=desk",
        "/reports/reviews",
        "/reports/card/desk",
    ),
)


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    """API and pages over the aggregate service's own door, with this pipeline."""
    async with door_over(settings, pool, at_once=False) as made:
        await publish(pool, SystemClock(), PIPELINE, HEAD)
        yield made


async def made(web: Web, **more: Any) -> UUID:
    """A lead of anna's, who entered it."""
    body = {"pipeline": "desk", "name": "Пётр", "phone": "+79161234567", **more}
    async with web.api("seller") as api:
        answer = await api.post("/api/leads", json=body)
        assert answer.status_code == 201, answer.text
        lead = UUID(answer.json()["lead"])
        assert (await command(api, lead, "assign", {"to": "anna"})).status_code == 200
    return lead


async def missed(web: Web, lead: UUID) -> UUID:
    """The lead's robot says that something went wrong: an incident of anna's."""
    [armed] = [r.data for r in await web.leads.history(lead) if isinstance(r.data, e.RobotArmed)]
    actor = Actor(id="no_try", kind="robot")
    assert (await web.leads.send(lead, "fire", by=actor, timer=armed.timer, robot="no_try")).outcome == "done"
    [raised] = [r.data for r in await web.leads.history(lead) if isinstance(r.data, e.IncidentRaised)]
    return raised.incident


async def listed(api: httpx.AsyncClient, path: str) -> list[Any]:
    answer = await api.get(path)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def journal() -> UUID:
    """Anna's journal of this quarter."""
    return journal_of("anna", quarter_of(datetime.now(UTC), ZoneInfo("Europe/Moscow")))


async def test_Q6_an_incident_is_told_when_its_employee_sees_it_and_nobody_else(web: Web) -> None:
    incident = await missed(web, await made(web))
    await project(web)
    anna, helen = await web.signed_in("seller"), await web.signed_in("head")
    page = (await anna.get("/work?lang=ru")).text
    told = f"/incidents/{incident}/commands/told"
    assert "Новое в журнале инцидентов" in page
    assert "Инцидент по правилу: «Нет попыток»" in page
    assert f'action="{told}"' in page
    assert "data-told" in page
    assert f'action="{told}"' not in (await helen.get("/work")).text, "another's page tells nothing"
    stolen = {**Forms((await helen.get("/work")).text).to("/logout"), "back": "/work"}
    assert (await helen.post(told, data=stolen)).status_code == 403
    fields = Forms(page).to(told)
    for _ in range(2):  # a repeat is harmless
        assert (await anna.post(told, data=fields)).status_code == 303
    events = [r.data for r in await web.leads.history(journal())]
    assert [event.via for event in events if isinstance(event, e.IncidentTold)] == ["app"]
    await project(web)
    page = (await anna.get("/work?lang=ru")).text
    assert "Новое в журнале инцидентов" not in page
    assert "1-й из 3 за 30 дн." in page
    acknowledge = f"/incidents/{incident}/commands/acknowledge"
    fields = {**Forms(page).to(acknowledge), "comment": "была на выезде"}
    assert (await anna.post(acknowledge, data=fields)).status_code == 303
    await project(web)
    assert acknowledge not in (await anna.get("/work")).text
    one = (await anna.get(f"/incidents/{incident}?lang=ru")).text
    assert "была на выезде" in one
    assert "Сообщено сотруднику: на странице. Пропуск 1-й из 3 за 30 дн." in one
    for browser in (anna, helen):
        await browser.aclose()


async def test_Q6_sellers_see_their_own_incidents_heads_and_auditors_all(web: Web) -> None:
    incident = await missed(web, await made(web))
    other, boris = uuid4(), journal_of("boris", quarter_of(datetime.now(UTC), ZoneInfo("Europe/Moscow")))
    raised = {
        "kind": "silent_channel",
        "employee": "boris",
        "rule": "site",
        "due_at": datetime.now(UTC),
        "text": "тихо",
    }
    assert (await web.leads.send(boris, "raise", by=MACHINE, incident=other, **raised)).outcome == "done"
    await project(web)
    async with web.api("seller") as api:
        assert [item["incident"] for item in await listed(api, "/api/incidents")] == [str(incident)]
        assert (await api.get("/api/incidents?employee=boris")).status_code == 403
        assert (await api.get(f"/api/incidents/{other}")).status_code == 404
        shown = (await api.get(f"/api/incidents/{incident}")).json()
        assert (shown["titles"]["en"], shown["state"], shown["employee"]) == ("No attempt", "untold", "anna")
        assert (await api.post(f"/api/incidents/{incident}/commands/excuse", json={"reason": "x"})).status_code == 403
        assert (await api.post(f"/api/incidents/{other}/commands/told")).status_code == 403
    for role in ("head", "auditor"):
        async with web.api(role) as api:
            assert len(await listed(api, "/api/incidents")) == 2
            assert [item["employee"] for item in await listed(api, "/api/incidents?kind=silent_channel")] == ["boris"]
            assert [item["rule"] for item in await listed(api, "/api/incidents?stage=new")] == ["no_try"]
    async with web.api("auditor") as api:
        assert (await api.post(f"/api/incidents/{incident}/commands/told")).status_code == 403
    browser = await web.signed_in("seller")
    assert "site" not in (await browser.get("/incidents")).text
    assert (await browser.get("/incidents?employee=boris")).status_code == 403
    await browser.aclose()


async def test_Q6_commands_of_the_journal_are_repeated_under_one_key_and_described(web: Web) -> None:
    incident = await missed(web, await made(web))
    await project(web)
    told, excuse = (f"/api/incidents/{incident}/commands/{name}" for name in ("told", "excuse"))
    key = {"Idempotency-Key": "told-once"}
    async with web.api("seller") as api:
        first, again = (await api.post(told, headers=key), await api.post(told, headers=key))
        assert (first.status_code, first.json()) == (200, again.json())
        described = (await api.get("/openapi.json")).json()
    assert {
        "/api/incidents", "/api/incidents/{incident}", "/api/tasks", "/api/queue", "/api/escalations",
        "/api/reports/response-times", "/api/reports/people-stages", "/api/reports/reviews",
        "/api/reports/card/{pipeline}", "/api/teams/{team}", "/api/incidents/{incident}/commands/restate",
    } <= set(described["paths"])  # fmt: skip
    async with web.api("head") as api:
        wrong = await api.post(excuse, json={})
        assert (wrong.status_code, wrong.json()["type"]) == (422, "urn:leadline:problem:invalid")
        assert (await api.post(f"/api/incidents/{uuid4()}/commands/excuse", json={"reason": "x"})).status_code == 404
        assert (await api.post(excuse, json={"reason": "сбой связи"})).status_code == 200
    await project(web)
    async with web.api("head") as api:
        [one] = await listed(api, "/api/incidents?state=excused")
        assert (one["excuse"], one["strike"], one["strike_now"]) == ("сбой связи", 1, None)


async def test_N20_a_restated_verdict_stands_beside_the_original_one(web: Web) -> None:
    incident = await missed(web, await made(web))
    await project(web)
    async with web.api("seller") as api:
        assert (await api.post(f"/api/incidents/{incident}/commands/told")).status_code == 200
    await project(web)
    await web.pool.execute(
        """UPDATE proj_incidents_1.incidents SET verdict = 'in_time', restated_at = now(), restated_by = 'helen',
           restated_due_at = '2026-03-02T09:00:00Z', restated_calendar = 'sales@2', restatement = 'праздник', restatements = 1"""
    )
    helen = await web.signed_in("head")
    for path in ("/incidents", f"/incidents/{incident}"):
        page = (await helen.get(f"{path}?lang=ru")).text
        assert "1-й из 3 за 30 дн." in page, path
        assert "пересчитан: сделано вовремя, верный срок 02.03.2026 12:00" in page, path
    assert "1 → 0" in (await helen.get("/incidents?lang=ru")).text, "the picture has both"
    async with web.api("head") as api:
        [one] = await listed(api, "/api/incidents")
        assert (one["strike"], one["strike_now"], one["verdict"]) == (1, None, "in_time")
    await helen.aclose()


async def test_Q6_the_third_miss_escalates_into_the_heads_queue_and_is_closed_there(web: Web) -> None:
    leads = [await made(web, phone=f"+7916123456{n}") for n in range(3)]
    incidents = [await missed(web, lead) for lead in leads]
    await project(web)
    async with web.api("seller") as api:
        for incident in incidents:
            assert (await api.post(f"/api/incidents/{incident}/commands/told")).status_code == 200
    await project(web)
    helen = await web.signed_in("head")
    page = (await helen.get("/queue?all=1&lang=ru")).text
    assert "anna: пропуск 3 за 30 дн., всего в эскалации 3" in page
    assert "Порядок: 1) ближе к решению" in page
    async with web.api("head") as api:
        [escalation] = [item for item in await listed(api, "/api/queue?all=1") if item["kind"] == "escalation"]
        assert (escalation["who"], escalation["steps"]) == ("anna", 2), "it stands where the nearest of its leads does"
    close = f"/incidents/{escalation['id']}/commands/close_escalation"
    assert (await helen.post(close, data={**Forms(page).to(close), "comment": "поговорили"})).status_code == 303
    await project(web)
    async with web.api("head") as api:
        assert [item for item in await listed(api, "/api/queue?all=1") if item["kind"] == "escalation"] == []
    await helen.aclose()


async def test_Q5_N21_a_poor_lead_waits_in_the_queue_and_goes_back_to_work_with_a_reason(web: Web) -> None:
    far, near = await made(web, name="Дальний"), await made(web, name="Ближний", phone="+79161234560")
    async with web.api("seller") as api:
        assert (await command(api, near, "record", {"fields": {"budget": "5"}})).status_code == 200
        assert (await command(api, near, "move", {"to": "work"})).status_code == 200
        for lead in (far, near):
            rejected = await command(api, lead, "reject", {"status": "poor", "reason": "no_money"})
            assert rejected.status_code == 200, rejected.text
    await project(web)
    helen, anna = await web.signed_in("head"), await web.signed_in("seller")
    async with web.api("head") as api:
        reviews = [item for item in await listed(api, "/api/queue") if item["kind"] == "review"]
        assert [(item["name"], item["stage"], item["steps"]) for item in reviews] == [
            ("Ближний", "work", 1), ("Дальний", "new", 2),
        ]  # fmt: skip
        shown = (await api.get(f"/api/leads/{near}")).json()["review"]
        assert (shown["status"], shown["reason_titles"]["en"], shown["responsible"]) == ("poor", "No budget", "anna")
    assert "Ближний" in (await helen.get("/queue")).text
    review = f"/leads/{near}/commands/review"
    assert f'action="{review}"' not in (await anna.get(f"/leads/{near}")).text, "only a head judges"
    page = (await helen.get(f"/leads/{near}?back=/queue")).text
    [_, back_to_work] = [fields for to, fields in Forms(page).forms if to == review]
    assert (await helen.post(review, data={**back_to_work, "reason": " "})).status_code == 422
    back_to_work["key"] = str(uuid4())
    answer = await helen.post(review, data={**back_to_work, "reason": "бюджет не спросили"})
    assert (answer.status_code, answer.headers.get("location")) == (303, "/queue"), answer.text
    await project(web)
    async with web.api("head") as api:
        assert [item["id"] for item in await listed(api, "/api/queue") if item["kind"] == "review"] == [str(far)]
        judged = (await api.get("/api/reports/reviews")).json()["people"]
        assert [(one["person"], one["returned"], one["waiting"]) for one in judged] == [("anna", 1, 1)]
    for browser in (helen, anna):
        await browser.aclose()


NOBODY = """
team: sales
titles: {ru: "Продажи", en: "Sales"}
members: [{name: anna, takes: false}, {name: boris, left: 2026-01-01}]
"""


async def test_C4_a_lead_that_nobody_may_have_waits_in_the_pool_says_why_and_is_taken_there(web: Web) -> None:
    await teams.publish(web.pool, SystemClock(), NOBODY, HEAD)
    lead = await web.leads.lead_of(name="Ничей", phone="+79161234561")
    await project(web)
    async with web.api("head") as api:
        assert [item["name"] for item in await listed(api, "/api/queue") if item["kind"] == "pool"] == ["Ничей"]
        team = (await api.get("/api/teams/sales")).json()
        assert [card["lead"] for card in team["pool"]] == [str(lead)]
        assert [(one["name"], one["standing"], one["takes"]) for one in team["members"]] == [
            ("anna", team["members"][0]["standing"], False), ("boris", "left", True),
        ]  # fmt: skip
    anna = await web.signed_in("seller")
    page = (await anna.get(f"/leads/{lead}?lang=ru")).text
    for said in ("Лид в пуле", "Почему не anna", "лидов не берёт", "Почему не boris", "уже не работает"):
        assert said in page, said
    take = f"/leads/{lead}/commands/assign"
    fields = Forms(page[page.index('id="pool"') :]).to(take)
    assert (await anna.post(take, data=fields)).status_code == 303
    page = (await anna.get(f"/leads/{lead}?lang=ru")).text
    assert "Ответственный: anna" in page
    assert 'id="pool"' not in page
    await anna.aclose()


NORTH = 'team: north\ntitles: {ru: "Север", en: "North"}\nhead: nora\nmembers: [{name: igor, takes: false}]\n'


async def test_C4_each_team_has_the_pool_of_its_own_pipelines(web: Web) -> None:
    await teams.publish(web.pool, SystemClock(), f"{NOBODY}head: helen\n", HEAD)
    await teams.publish(web.pool, SystemClock(), NORTH, HEAD)
    leads = {}
    for number, (name, team) in enumerate((("desk", "sales"), ("cold", "north"), ("lost", "west"))):
        text = PIPELINE.replace("pipeline: desk", f"pipeline: {name}") + f"assignment: {{team: {team}}}\n"
        await publish(web.pool, SystemClock(), text, HEAD)
        async with web.api("seller") as api:
            made = await api.post("/api/leads", json={"pipeline": name, "name": name, "phone": f"+7916123456{number}"})
            assert made.status_code == 201, made.text
            leads[name] = made.json()["lead"]
    await project(web)
    async with web.api("head") as api:
        for team, wanted in (("sales", ["desk", "lost"]), ("north", ["cold"])):
            answer = (await api.get(f"/api/teams/{team}")).json()
            assert sorted(card["lead"] for card in answer["pool"]) == sorted(leads[name] for name in wanted), team
        mine = [item for item in await listed(api, "/api/queue") if item["kind"] == "pool"]
        assert {item["name"]: item["detail"] for item in mine} == {
            "desk": {"teams": ["sales"]}, "lost": {"teams": ["sales"]},
        }  # fmt: skip
    helen = await web.signed_in("head")
    page = (await helen.get("/queue?lang=ru")).text
    assert "Ждёт команду: Продажи" in page
    assert leads["cold"] not in page
    assert "Ждёт команду: Север" in (await helen.get("/queue?all=1&lang=ru")).text
    north = (await helen.get("/teams/north?lang=ru")).text
    assert leads["cold"] in north
    assert leads["desk"] not in north
    await helen.aclose()


async def test_S4_tasks_are_planned_moved_and_closed_on_the_page_and_listed_by_due(web: Web) -> None:
    lead = await made(web)
    anna = await web.signed_in("seller")
    plan, replan, close = (f"/leads/{lead}/commands/{name}" for name in ("plan", "replan", "close_activity"))
    for day, kind in ((2, "meeting"), (1, "call")):
        page = (await anna.get(f"/leads/{lead}")).text
        due = (datetime.now(UTC) + timedelta(days=day)).strftime("%Y-%m-%dT10:00")
        fields = {**Forms(page).to(plan), "kind": kind, "due_at": due, "text": kind}
        if kind == "meeting":
            fields["every"] = "week"
        assert (await anna.post(plan, data=fields)).status_code == 303
    await project(web)
    async with web.api("seller") as api:
        assert [item["kind"] for item in await listed(api, "/api/tasks")] == ["call", "meeting"]
        assert (await api.get("/api/tasks?person=boris")).status_code == 403
    page = (await anna.get("/work?lang=ru")).text
    assert page.index("звонок") < page.index("встреча")
    page = (await anna.get(f"/leads/{lead}?lang=ru")).text
    assert "повторять: 7 дней" in page
    [_, second] = [fields for to, fields in Forms(page).forms if to == replan]
    later = (datetime.now(UTC) + timedelta(days=5)).strftime("%Y-%m-%dT10:00")
    moved = await anna.post(replan, data={**second, "due_at": later, "reason": "просил позже"})
    assert moved.status_code == 303, moved.text
    [closing, _] = [fields for to, fields in Forms(page).forms if to == close]
    assert (await anna.post(close, data=closing)).status_code == 303
    page = (await anna.get(f"/leads/{lead}?lang=ru")).text
    assert "переносили: 1" in page
    assert "Перенесено: звонок" in page
    assert "Больше не нужно: встреча" in page
    await project(web)
    async with web.api("seller") as api:
        [task] = await listed(api, "/api/tasks")
        assert (task["kind"], task["moved"], task["doer"]) == ("call", 1, "anna")
    await anna.aclose()


async def test_Q7_a_key_action_is_put_off_and_closed_by_a_head_with_a_reason_that_the_history_shows(web: Web) -> None:
    lead = await made(web)
    soon, later = (datetime.now(UTC) + timedelta(days=days) for days in (2, 5))
    async with web.api("seller") as api:
        planned = {"kind": "call", "text": "замер", "due_at": soon.isoformat(), "key": True}
        assert (await command(api, lead, "plan", planned)).status_code == 200
    replan, close = (f"/leads/{lead}/commands/{name}" for name in ("replan", "close_activity"))
    anna, helen = await web.signed_in("seller"), await web.signed_in("head")
    page = (await anna.get(f"/leads/{lead}?lang=ru")).text
    assert "Ключевое дело: продлить срок или снять его может руководитель" in page
    forms = [to for to, _ in Forms(page).forms]
    assert (replan in forms, close in forms) == (True, False)
    asked = {**Forms(page).to(replan), "due_at": later.strftime("%Y-%m-%dT10:00"), "reason": "не успеваю"}
    refused = await anna.post(replan, data=asked)
    assert refused.status_code == 422
    assert "попросите руководителя" in refused.text
    page = (await helen.get(f"/leads/{lead}?lang=ru")).text
    fields = {**Forms(page).to(replan), "due_at": later.strftime("%Y-%m-%dT10:00"), "reason": "клиент в отъезде"}
    assert (await helen.post(replan, data=fields)).status_code == 303
    page = (await helen.get(f"/leads/{lead}?lang=ru")).text
    fields = {**Forms(page).to(close), "reason": "клиент замерил сам"}
    assert (await helen.post(close, data=fields)).status_code == 303
    page = (await anna.get(f"/leads/{lead}?lang=ru")).text
    for said in ("клиент в отъезде", "клиент замерил сам", "Больше не нужно: звонок"):
        assert said in page, said
    for browser in (anna, helen):
        await browser.aclose()


async def test_Q11_the_client_rates_the_card_and_the_report_shows_what_is_filled_and_unused(web: Web) -> None:
    lead = await made(web)
    anna = await web.signed_in("seller")
    rate = f"/leads/{lead}/commands/rate_card"
    fields = {**Forms((await anna.get(f"/leads/{lead}")).text).to(rate), "ease": "4", "time": "2", "comfort": "5"}
    assert (await anna.post(rate, data=fields)).status_code == 303
    async with web.api("seller") as api:
        assert (await command(api, lead, "record", {"fields": {"budget": "7"}})).status_code == 200
        assert (await api.get("/api/reports/card/desk")).status_code == 403
    await project(web)
    async with web.api("head") as api:
        report = (await api.get("/api/reports/card/desk")).json()
    assert report["client"] == {"said": 1, "ease": 4.0, "time": 2.0, "comfort": 5.0}
    fields_of = {field["field"]: field for field in report["fields"]}
    assert (fields_of["budget"]["fill_rate"], fields_of["budget"]["mandatory"]) == (1.0, True)
    assert (fields_of["colour"]["used"], fields_of["colour"]["filled"]) == (False, 0)
    await anna.aclose()


async def test_S2_S6_reports_say_times_people_and_stages(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567")
    await web.leads.send(lead, "see")
    await project(web)
    async with web.api("head") as api:
        times = (await api.get("/api/reports/response-times?by=source&from=2023-11-01&to=2023-12-01")).json()
        assert (times["all"]["leads"], times["all"]["steps"]["seen"]["reached"]) == (1, 1)
        assert times["all"]["steps"]["contact"]["waiting"] == 1
        assert times["calendar"].startswith("sales@")
        assert [group["key"] for group in times["groups"]] == ["contact"]
        people = (await api.get("/api/reports/people-stages?pipeline=classic")).json()
        assert [(row["open"], sum(held["count"] for held in row["stages"].values())) for row in people["people"]] == [
            (1, 1)
        ]
        team = (await api.get("/api/teams/sales")).json()
        assert {member["name"] for member in team["members"]} >= {"anna", "boris"}
        assert (await api.get("/api/teams/none")).status_code == 404
        assert (await api.get("/api/reports/response-times?from=2026-03-02&to=2026-03-01")).status_code == 422
    async with web.api("seller") as api:
        for path in ("queue", "reports/response-times", "reports/people-stages", "reports/reviews", "teams/sales"):
            assert (await api.get(f"/api/{path}")).status_code == 403, path


TIMED = """
pipeline: timed
titles: {ru: "Со сроком", en: "Timed"}
conversion_point: deal
fields: [{id: budget, titles: {ru: "Бюджет", en: "Budget"}, type: number, personal: false}]
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    deadlines:
      - id: qualify
        titles: {ru: "Заполнить карточку", en: "Fill in the card"}
        task: {ru: "Заполнить карточку", en: "Fill in the card"}
        within:
          - {period: {hours: 4, working: true}, when: has(lead.phone), titles: {ru: "есть телефон", en: "there is a phone"}}
          - {period: {days: 5, working: true}}
        done: [{field: budget}]
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
"""


async def test_Q7_the_lead_page_and_the_api_say_what_is_due_why_and_what_is_lacking(web: Web) -> None:
    await publish(web.pool, SystemClock(), TIMED, HEAD)
    lead = await made(web, pipeline="timed")
    await project(web)
    anna = await web.signed_in("seller")
    page = (await anna.get(f"/leads/{lead}?lang=ru")).text
    due = page[page.index('id="deadlines"') : page.index('id="activities"')]
    for said in ("Заполнить карточку", "есть телефон", "рабочего времени", "Бюджет", "инцидент ответственного"):
        assert said in due, said
    async with web.api("seller") as api:
        [shown] = (await api.get(f"/api/leads/{lead}")).json()["deadlines"]
        assert (shown["outcome"], shown["deadline"], shown["lacks"]) == ("due", "qualify", ["budget"])
        [running] = await listed(api, "/api/tasks?what=deadlines")
        assert (running["titles"]["en"], running["doer"], running["turn"]) == ("Fill in the card", "anna", 1)
    work = (await anna.get("/work?lang=ru")).text
    assert work.count("<strong>Заполнить карточку</strong>") == 1, "a deadline and its task stand once"
    record = f"/leads/{lead}/commands/record"
    [fields, *_] = [fields for to, fields in Forms(due).forms if to == record]
    answer = await anna.post(record, data={**fields, "f_budget": "5"})
    assert answer.status_code == 303, answer.text
    page = (await anna.get(f"/leads/{lead}?lang=ru")).text
    assert 'id="deadlines"' not in page, "what was due is done"
    assert "Срок «Заполнить карточку»: выполнено вовремя" in page
    await anna.aclose()


async def test_S6_a_card_of_the_board_is_marked_only_when_a_deadline_is_near_or_missed(web: Web) -> None:
    await publish(web.pool, SystemClock(), TIMED, HEAD)
    far = await made(web, pipeline="timed", name="Дальний", phone="+79161234563")
    near = await made(web, pipeline="timed", name="Ближний", phone="+79161234562")
    await project(web)
    anna = await web.signed_in("seller")
    now = datetime.now(UTC)
    for lead, instant in ((near, now + timedelta(minutes=5)), (far, now + timedelta(days=30))):
        await web.pool.execute("UPDATE proj_tasks_1.deadlines SET due_at = $2 WHERE lead = $1", lead, instant)
    page = (await anna.get("/boards/timed?lang=ru")).text
    cards = {name: page[page.index(f'id="lead-{lead}"') :][:1500] for name, lead in (("far", far), ("near", near))}
    assert 'class="sla amber">до ' in cards["near"].split("</article>")[0]
    assert 'class="sla' not in cards["far"].split("</article>")[0], "quiet until near"
    await web.pool.execute(
        "UPDATE proj_tasks_1.deadlines SET due_at = $2 WHERE lead = $1", near, now - timedelta(hours=1)
    )
    assert 'class="sla red">до ' in (await anna.get("/boards/timed?lang=ru")).text
    await anna.aclose()


async def test_U_the_pages_stand_in_both_languages_and_are_for_their_roles(web: Web) -> None:
    lead = await made(web, name="Peter")
    incident = await missed(web, lead)
    async with web.api("seller") as api:
        await command(api, lead, "plan", {"kind": "call", "due_at": "2099-03-02T10:00:00Z"})
        await command(api, lead, "reject", {"status": "poor", "reason": "no_money"})
    await project(web)
    head, seller = await web.signed_in("head"), await web.signed_in("seller")
    for path in (*PAGES_OF_HEADS, f"/incidents/{incident}", f"/leads/{lead}"):
        for language in ("ru", "en"):
            page = await head.get(f"{path}{'&' if '?' in path else '?'}lang={language}")
            assert page.status_code == 200, (path, page.text)
            if language == "en":
                text = page.text.replace("Русский", "")
                for ours in ("Не звонили", "Инцидент:"):
                    text = text.replace(ours, "")  # a pipeline's words, and a letter in the language it was written in
                left = [word for word in text.split() if any("а" <= letter <= "я" for letter in word)]
                assert not left, (path, left)
    for path in PAGES_OF_HEADS:
        expected = 200 if path in ("/work", "/incidents") else 403
        assert (await seller.get(path)).status_code == expected, path
    for browser in (head, seller):
        await browser.aclose()


async def test_C4_a_task_that_was_handed_over_goes_on_in_the_lists_of_whoever_got_it(web: Web) -> None:
    lead = await made(web)
    done = await web.leads.send(
        lead, "plan", kind="call", due_at=datetime.now(UTC) + timedelta(hours=1), assignee="anna"
    )
    assert done.outcome == "done"
    await project(web)
    assert (await web.leads.send(lead, "hand_over", by=HEAD, of="anna", to="boris")).outcome == "done"
    await project(web)
    async with web.api("head") as api:
        tasks = [task for task in await listed(api, "/api/tasks?person=boris") if task["kind"] == "call"]
        assert [(task["lead"], task["doer"]) for task in tasks] == [(str(lead), "boris")]
        assert [task for task in await listed(api, "/api/tasks?person=anna") if task["lead"] == str(lead)] == []
