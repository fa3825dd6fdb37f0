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
from tests.integration.web_case import Web, door_over

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
    """API and pages over the aggregate service's own door, with this pipeline."""
    async with door_over(settings, pool) as made:
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
    assert said.endswith("nothing was refused\n")
