"""R6, N4, M5, C6, U: what people see of robots, triggers and effects: `why`, the API, the lead's page, the automation page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts import events as e
from contracts.meta import Actor
from services.clock import SystemClock
from services.database import Pool
from services.ops.why import why
from services.pipelines.registry import publish
from services.settings import Settings
from tests.integration.import_case import Given
from tests.integration.leads_case import HEAD, Leads
from tests.integration.web_case import Forms, Web, command, door_over

PIPELINE = """
pipeline: robots
titles: {ru: "Роботы", en: "Robots"}
conversion_point: deal
fields:
  - {id: budget, titles: {ru: "Бюджет", en: "Budget"}, type: number, personal: false}
templates:
  - id: thanks
    titles: {ru: "Спасибо", en: "Thanks"}
    kind: email
    ru: {subject: "Спасибо, {{ lead.first_name }}", text: "Привет, {{ lead.name }}!", html: "<p>Привет, {{ lead.name }}!</p>"}
    en: {subject: "Thanks", text: "Hello {{ lead.name }}!\\nYour budget: {{ card.budget }}", html: "<p>Hello!</p>"}
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    robots:
      - {id: letter, titles: {ru: "Письмо", en: "Letter"}, do: {email: thanks}}
      - id: call
        titles: {ru: "Звонок", en: "Call"}
        do: {plan: call, text: {ru: "Позвонить", en: "Ring"}, due: {hours: 1, working: true}}
        start: {after: letter}
      - {id: rich, titles: {ru: "Богатый", en: "Rich"}, do: {tag: rich}, when: card.budget > 100}
      - {id: later, titles: {ru: "Позже", en: "Later"}, do: {tag: old}, start: {delay: {days: 3}}}
  - id: work
    titles: {ru: "В работе", en: "In work"}
    kind: open
    triggers: [{id: wrote, titles: {ru: "Написал", en: "Wrote"}, on: letter, when: has(card.budget)}]
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: poor, titles: {ru: "Некачественный", en: "Poor"}, kind: lost}
  - {id: later, titles: {ru: "Отложен", en: "Later"}, kind: postponed}
"""
DELIVERY = Actor(id="delivery", kind="system")


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    """API and pages over the aggregate service's own door, with this pipeline, every robot waiting to be fired."""
    async with door_over(settings, pool, at_once=False) as made:
        await publish(pool, SystemClock(), PIPELINE, HEAD)
        yield made


async def made(web: Web, **more: Any) -> UUID:
    """A lead that a seller entered."""
    body = {"pipeline": "robots", "name": "Anna", "phone": "+79161234567", "email": "anna@example.org", **more}
    async with web.api("seller") as api:
        answer = await api.post("/api/leads", json=body)
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["lead"])


async def fire(leads: Leads, lead: UUID, robot: str) -> Any:
    """The robots service says that the robot's instant has come."""
    armed = [r.data for r in await leads.history(lead) if isinstance(r.data, e.RobotArmed) and r.data.robot == robot]
    return await leads.send(lead, "fire", by=Actor(id=robot, kind="robot"), timer=armed[-1].timer, robot=robot)


async def report(leads: Leads, lead: UUID, outcome: str, **more: Any) -> None:
    """The delivery service says what came of the newest effect."""
    [*_, asked] = [r.data for r in await leads.history(lead) if isinstance(r.data, e.EffectRequested)]
    body = {"effect": asked.effect, "outcome": outcome, "attempts": 3, "provider": "smtp.example.org", **more}
    assert (await leads.send(lead, "report", by=DELIVERY, **body)).outcome == "done"


async def shown(api: httpx.AsyncClient, lead: UUID) -> Any:
    return (await api.get(f"/api/leads/{lead}")).json()


async def test_N4_why_says_what_ran_what_did_not_and_what_waits_for_which(
    web: Web, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = await made(web)
    for robot in ("letter", "rich", "letter"):
        await fire(web.leads, lead, robot)
    await report(web.leads, lead, "failed", reason="recipient_refused: 550 5.1.1")
    assert await why(Given(settings), lead, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    robots = {robot["robot"]: robot for robot in told["robots"]}
    assert {name: robot["outcome"] for name, robot in robots.items()} == {
        "letter": "ran", "rich": "skipped", "later": "armed", "call": "waiting",
    }  # fmt: skip
    assert (robots["rich"]["clause"], robots["rich"]["values"]) == ("card.budget > 100", {"card.budget": "—"})
    assert (robots["call"]["waits_for"], robots["call"]["after"]) == ("failed", "letter")
    [effect] = told["effects"]
    assert (effect["state"], effect["attempts"], effect["reason"]) == ("failed", 3, "recipient_refused: 550 5.1.1")
    assert [repeat["actor"]["id"] for repeat in told["repeats"]] == ["letter"], "the suppressed repeat is told"
    assert told["refusals"] == []
    assert await why(Given(settings), lead, as_json=False) == 0
    said = capsys.readouterr().out
    assert "Звонок («Новый», заход 1)  ждёт, пока уйдёт «Письмо»: не ушло, повторите отправку" in said
    assert "условие не выполнено: «Бюджет» > 100; было: «Бюджет»: —" in said
    assert "повторов, которые ничего не сделали: 1" in said
    assert said.endswith("Отказов не было.\n")


async def test_R6_the_api_says_what_happened_by_itself_and_openapi_describes_it(web: Web) -> None:
    lead = await made(web)
    await fire(web.leads, lead, "letter")
    async with web.api("seller") as api:
        assert (await command(api, lead, "tag", {"tag": "vip"})).status_code == 200
        told = await shown(api, lead)
        described = (await api.get("/openapi.json")).json()["components"]["schemas"]
    outcomes = {robot["robot"]: robot["outcome"] for robot in told["robots"]}
    assert outcomes == {"letter": "ran", "rich": "armed", "later": "armed", "call": "waiting"}
    assert (told["tags"], told["effects"][0]["state"], told["triggers"]) == (["vip"], "requested", [])
    assert {"tags", "robots", "effects", "triggers"} <= set(described["LeadOut"]["properties"])
    assert {"outcome", "waits_for", "clause", "due_at", "ru", "en"} <= set(described["RobotOut"]["properties"])


async def test_R6_a_robot_is_cancelled_on_the_page_and_what_failed_is_repeated_there(web: Web) -> None:
    lead = await made(web)
    for robot in ("letter", "rich"):
        await fire(web.leads, lead, robot)
    await report(web.leads, lead, "failed", reason="recipient_refused: 550 5.1.1")
    browser = await web.signed_in("seller")
    page = await browser.get(f"/leads/{lead}?lang=ru")
    assert page.status_code == 200, page.text
    assert "не ушло: recipient_refused: 550 5.1.1, попыток: 3" in page.text
    assert "ждёт, пока уйдёт «Письмо»: не ушло, повторите отправку" in page.text
    assert "условие не выполнено: «Бюджет» &gt; 100; было: «Бюджет»: —" in page.text
    assert "Робот «Богатый» не сработал" in page.text, "the history tells it too"
    repeat, cancel = (f"/leads/{lead}/commands/{name}" for name in ("repeat", "cancel_robot"))
    assert (await browser.post(repeat, data=Forms(page.text).to(repeat))).status_code == 303
    page = await browser.get(f"/leads/{lead}")
    assert "повторов по просьбе человека: 1" in page.text
    assert f'action="{repeat}"' not in page.text, "what is on its way is not repeated"
    await report(web.leads, lead, "done", doubtful=True)
    assert (await browser.post(cancel, data=Forms(page.text).to(cancel))).status_code == 303
    page = await browser.get(f"/leads/{lead}")
    assert "отменил человек, anna" in page.text
    assert "принято почтовым сервером" in page.text
    assert "могло уйти дважды" in page.text
    types = await web.leads.types(lead)
    assert (types.count("effect_repeated"), types.count("robot_cancelled")) == (1, 1)
    await browser.aclose()


async def test_C6_a_call_task_shows_the_letter_before_it_and_a_button_that_dials(web: Web) -> None:
    lead = await made(web)
    await fire(web.leads, lead, "letter")
    await report(web.leads, lead, "done")
    await fire(web.leads, lead, "call")
    browser = await web.signed_in("seller")
    page = (await browser.get(f"/leads/{lead}?lang=ru")).text
    task = page[page.index('id="activities"') : page.index('id="robots"')]
    assert 'href="tel:+79161234567"' in task
    assert "Письмо «Спасибо»: принято почтовым сервером" in task
    assert "по роботу «Звонок»" in task
    async with web.api("seller") as api:
        refusal = {"channel": "phone", "allowed": False, "how": "call", "words": "не звоните"}
        assert (await command(api, lead, "permit", refusal)).status_code == 200
    page = (await browser.get(f"/leads/{lead}?lang=ru")).text
    assert "tel:+79161234567" not in page, "C7: who asked not to be called is not called by a button either"
    assert "клиент просил не обращаться к нему так: звонки" in page
    await browser.aclose()


async def test_R2_tags_are_put_on_and_taken_off_on_the_page(web: Web) -> None:
    lead = await made(web)
    browser = await web.signed_in("seller")
    tag = f"/leads/{lead}/commands/tag"
    for on, expected in (("true", ["vip"]), ("false", [])):
        page = await browser.get(f"/leads/{lead}")
        fields = {**Forms(page.text).to(tag), "tag": "vip", "on": on}
        assert (await browser.post(tag, data=fields)).status_code == 303
        async with web.api("seller") as api:
            assert (await shown(api, lead))["tags"] == expected
    wrong = await browser.post(tag, data={**fields, "tag": "", "on": "true"})
    assert wrong.status_code == 422
    async with web.api("auditor") as api:
        assert (await command(api, lead, "tag", {"tag": "vip"})).status_code == 403
    looks = await web.signed_in("auditor")
    assert f'action="{tag}"' not in (await looks.get(f"/leads/{lead}")).text
    await browser.aclose()
    await looks.aclose()


@pytest.mark.parametrize("role", ["seller", "head"])
async def test_U_pages_of_robots_stand_in_both_languages(web: Web, role: str) -> None:
    lead = await made(web, name="Ivan")
    for robot in ("letter", "rich"):
        await fire(web.leads, lead, robot)
    await report(web.leads, lead, "failed", reason="recipient_refused: 550 5.1.1")
    browser = await web.signed_in(role)
    for path in (f"/leads/{lead}", "/pipelines/robots/automation"):
        for language in ("ru", "en"):
            answer = await browser.get(f"{path}?lang={language}")
            assert answer.status_code == 200, (path, answer.text)
            if language == "en":
                text = answer.text
                for ours in ("Русский", "Письмо клиенту не ушло", "Спасибо, Ivan", "Привет, Ivan"):
                    text = text.replace(ours, "")  # a task and a letter are in the language they were written in
                left = [word for word in text.split() if any("а" <= c <= "я" for c in word)]
                assert not left, (path, left)
    await browser.aclose()


async def test_U_the_automation_page_says_what_happens_by_itself_with_counts(web: Web) -> None:
    lead = await made(web)
    async with web.pool.acquire() as connection:
        schema = "proj_robots_1"
        for robot, outcome in (("letter", "ran"), ("letter", None), ("rich", "skipped")):
            await connection.execute(
                f"""INSERT INTO {schema}.runs (lead, timer, pipeline, robot, visit, because, armed_at, due_at, outcome, closed_at)
                    VALUES ($1, gen_random_uuid(), 'robots', $2, 1, 'entry', now(), now(), $3,
                            CASE WHEN $3::text IS NULL THEN NULL ELSE now() END)""",
                lead,
                robot,
                outcome,
            )
    browser = await web.signed_in("seller")
    page = (await browser.get("/pipelines/robots/automation?lang=ru")).text
    new, work = (page[page.index(f'data-stage="{stage}"') :] for stage in ("new", "work"))
    new = new[: len(new) - len(work)]
    for said in (
        "сразу при входе в стадию",
        "отправить письмо «Спасибо»",
        "после робота «Письмо»",
        "запланировать звонок: Позвонить; срок — 1 рабочий час",
        "«Бюджет» &gt; 100",
        "через 3 дня после входа в стадию",
        "сработал 1",
        "ждёт 1",
        "пропущен 1",
    ):
        assert said in new, said
    assert "Пришло письмо клиента: переводит сюда из любой открытой стадии раньше этой" in work
    assert "«Бюджет» заполнено" in work
    assert (await browser.get("/pipelines/nowhere/automation")).status_code == 404
    await browser.aclose()


async def test_R3_a_template_is_previewed_on_a_real_lead_with_what_is_wrong_and_where(web: Web) -> None:
    lead = await made(web, name="Анна<script>")
    browser = await web.signed_in("head")
    path = "/pipelines/robots/automation"
    asked = {"template": "thanks", "lead": f"https://crm.example.org/leads/{lead}", "language": "ru", "lang": "ru"}
    answer = await browser.get(path, params=asked)
    page = answer.text
    assert "Спасибо, Анна" in page
    assert "Анна<script>" not in page, "the frame's document is text of an attribute, escaped twice"
    frame = page[page.index("<iframe") : page.index("</iframe>")]
    assert " sandbox " in frame
    assert "allow-" not in frame
    assert "&lt;p&gt;Привет, Анна&amp;lt;script" in frame
    assert "unsafe" not in answer.headers["content-security-policy"]
    english = (await browser.get(path, params={**asked, "language": "en"})).text
    assert "текст, строка 2" in english, "the budget is not known: the line says where"
    assert "card.budget" in english
    unknown = (await browser.get(path, params={**asked, "lead": "нет такого"})).text
    assert "Такого лида или сделки нет." in unknown
    await browser.aclose()


async def test_M7_of_an_erased_person_robots_are_told_without_what_they_saw(
    web: Web, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = await made(web)
    async with web.api("seller") as api:
        assert (await command(api, lead, "record", {"fields": {"budget": "90"}})).status_code == 200
        for robot in ("letter", "rich"):
            await fire(web.leads, lead, robot)
        contact = UUID((await shown(api, lead))["contact"])
        async with web.api("ops") as ops:
            erased = await ops.post(
                f"/api/people/{contact}/erase", json={"reason": "asked"}, headers={"Idempotency-Key": str(contact)}
            )
        assert erased.status_code == 200, erased.text
        told = await shown(api, lead)
    robots = {robot["robot"]: robot for robot in told["robots"]}
    assert (robots["rich"]["outcome"], robots["rich"]["values"]) == ("skipped", {})
    assert "90" not in robots["rich"]["ru"]
    assert "call" not in robots, "nothing waits for an erased person"
    browser = await web.signed_in("head")
    page = await browser.get(f"/leads/{lead}?lang=ru")
    assert (page.status_code, "anna@example.org" in page.text) == (200, False)
    assert "не сработал: условие не выполнено" in page.text
    preview = await browser.get(f"/pipelines/robots/automation?template=thanks&lead={lead}&lang=ru")
    assert "Данные этого клиента удалены." in preview.text
    await browser.aclose()
    assert await why(Given(settings), lead, as_json=True) == 0
    assert "anna@example.org" not in capsys.readouterr().out


async def test_R3_the_api_says_the_same_of_a_pipelines_automation_and_previews_its_templates(web: Web) -> None:
    lead = await made(web)
    path = "/api/pipelines/robots"
    async with web.api("seller") as api:
        told = (await api.get(f"{path}/automation")).json()
        new, work = told["stages"][:2]
        assert [robot["robot"] for robot in new["robots"]] == ["letter", "call", "rich", "later"]
        assert new["robots"][1]["start"] == {"ru": "после робота «Письмо»", "en": "after the robot “Letter”"}
        assert (new["robots"][2]["when"]["en"], work["triggers"][0]["trigger"]) == ("“Budget” > 100", "wrote")
        shown = (await api.get(f"{path}/templates/thanks/preview", params={"lead": str(lead)})).json()
        assert (shown["subject"], shown["text"], shown["html"]) == (
            "Спасибо, Anna",
            "Привет, Anna!",
            "<p>Привет, Anna!</p>",
        )
        english = await api.get(f"{path}/templates/thanks/preview", params={"lead": str(lead), "language": "en"})
        wrong = next(one for one in english.json()["problems"] if one["severity"] == "error")
        assert (english.json()["text"], wrong["part"], wrong["line"]) == (None, "text", 2)
        for name, code in (("none", "no-such-template"), ("thanks", "no-such-lead")):
            at = f"{path}/templates/{name}/preview"
            answer = await api.get(at, params={"lead": str(UUID(int=5))})
            assert (answer.status_code, answer.json()["type"].rpartition("/")[2].rpartition(":")[2]) == (404, code)


async def test_R3_the_page_and_why_say_until_when_a_letter_waits_and_why(
    web: Web, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = await made(web)
    await fire(web.leads, lead, "letter")
    [asked] = [r for r in await web.leads.history(lead) if isinstance(r.data, e.EffectRequested)]
    await web.pool.execute(
        """INSERT INTO leadline.effects (effect, stream, kind, version, effect_kind, provider, correlation, requested_at,
                                         opened_at, report, state, attempts, next_at, last_reason)
           VALUES ($1, $2, 'lead', $3, 'email', 'email', 'test', now(), now(), gen_random_uuid(), 'waiting', 4,
                   '2099-01-02T09:00:00Z', 'connection: refused')""",
        asked.data.effect,
        lead,
        asked.meta.version,
    )
    await web.pool.execute(
        "INSERT INTO leadline.effect_providers (provider, configured, paused_until, pause_reason) "
        "VALUES ('email', true, '2099-01-02T10:00:00Z', 'away')"
    )
    browser = await web.signed_in("seller")
    page = (await browser.get(f"/leads/{lead}?lang=ru")).text
    said = page[page.index('id="effects"') :]
    assert "ждёт отправки с " in said
    assert "попыток: 4, последняя: connection: refused" in said
    assert "сервис не тревожим до 02.01.2099 13:00; следующая попытка 02.01.2099 13:00" in said
    await browser.aclose()
    assert await why(Given(settings), lead, as_json=False) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "попыток: 4, последняя: connection: refused; сервис не тревожим до 02.01.2099 13:00; следующая попытка" in said
    )
    assert await why(Given(settings), lead, as_json=True) == 0
    [told] = json.loads(capsys.readouterr().out)["on_their_way"]
    assert (told["effect"], told["attempts"], told["reason"]) == (str(asked.data.effect), 4, "connection: refused")
    assert told["paused_until"] == told["expected_at"]
