"""Quality control and activities through the aggregate service: one transaction each, on real Postgres (Q5, S4, N6, M7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from contracts import events as e
from contracts.meta import Actor
from services.clock import SystemClock
from services.database import Pool
from services.leads.domain.activities.following import REMINDER
from services.leads.domain.deals import deal_of
from services.leads.domain.state import LeadState
from services.leads.reading import lead_state
from services.pipelines.registry import publish
from services.privacy.store import KeyRing
from services.settings import Settings
from tests.integration.leads_case import HEAD, Leads, running
from tests.integration.web_case import command, door_over

REVIEWED = """
pipeline: reviewed
titles: {ru: "С проверкой", en: "Reviewed"}
conversion_point: deal
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    robots:
      - {id: silent, titles: {ru: "Молчит", en: "Silent"}, do: {reject: poor}, start: {delay: {days: 30}}}
  - {id: work, titles: {ru: "В работе", en: "In work"}, kind: open}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won, deal: {pipeline: reviewed_deals}}
  - {id: poor, titles: {ru: "Некачественный", en: "Poor"}, kind: lost, review: true}
"""
OF_DEALS = """
pipeline: reviewed_deals
titles: {ru: "Сделки с проверкой", en: "Reviewed deals"}
conversion_point: paid
stages:
  - {id: talks, titles: {ru: "Переговоры", en: "Talks"}, kind: open}
  - {id: paid, titles: {ru: "Оплачено", en: "Paid"}, kind: won}
  - {id: broken, titles: {ru: "Сорвалась", en: "Broken"}, kind: lost, review: true}
"""
NOW = datetime.now(UTC)
PERSON = {"name": "Анна Смирнова", "phone": "+79161234567"}


@pytest.fixture
async def leads(settings: Settings, pool: Pool) -> AsyncIterator[Leads]:
    """The aggregate service with these pipelines."""
    await publish(pool, SystemClock(), OF_DEALS, HEAD)
    await publish(pool, SystemClock(), REVIEWED, HEAD)
    async with running(settings.model_copy(update={"default_pipeline": "reviewed"}), pool) as service:
        yield service


async def done(leads: Leads, lead: UUID, name: str, /, **more: Any) -> UUID:
    """A command that must be done; its id."""
    command = more.pop("id", uuid4())
    answer = await leads.send(lead, name, id=command, **more)
    assert answer.outcome == "done", answer.refusal
    return command


async def made(leads: Leads) -> UUID:
    """A lead entered by a seller."""
    lead = uuid4()
    await done(leads, lead, "capture", **PERSON)
    return lead


async def of(leads: Leads, stream: UUID, *kinds: type[e.Event]) -> list[Any]:
    """The stream's events of these kinds."""
    return [recorded.data for recorded in await leads.history(stream) if isinstance(recorded.data, kinds)]


async def state_of(leads: Leads, stream: UUID) -> LeadState:
    """The lead or deal as it is read from the store by somebody who knows nothing of it."""
    async with leads.pool.acquire() as database:
        state = await lead_state(database, KeyRing(leads.settings.master_key_bytes), stream)
    assert state is not None
    return state


async def test_Q5_heads_who_return_a_lead_at_once_return_it_once(leads: Leads) -> None:
    lead = await made(leads)
    await done(leads, lead, "reject", status="poor")
    commands = [uuid4() for _ in range(6)]
    judged = {"by": HEAD, "decision": "return", "reason": "позвоните ещё раз"}
    answers = await asyncio.gather(*(leads.send(lead, "review", id=one, **judged) for one in commands))
    assert sorted(answer.outcome for answer in answers) == ["done"] + ["refused"] * 5
    assert all("Q5.something_to_review" in answer.refusal.rules for answer in answers if answer.refusal)
    again = await asyncio.gather(*(leads.send(lead, "review", id=one, **judged) for one in commands))
    assert list(again) == list(answers), "a command that comes again has the answer it had"
    (returned,) = await of(leads, lead, e.ReviewReturned)
    (task,) = await of(leads, lead, e.ActivityPlanned)
    assert (returned.reason, task.reason) == ("позвоните ещё раз", "returned")
    assert task.text == "Вернул руководитель: позвоните ещё раз"
    state = await state_of(leads, lead)
    assert (state.stage, state.reviews[2].verdict) == ("new", "returned")


async def test_Q5_a_robot_makes_the_lead_poor_and_the_head_sees_that_it_did(leads: Leads) -> None:
    lead = await made(leads)
    (armed,) = await of(leads, lead, e.RobotArmed)
    assert armed.robot == "silent"
    leads.batcher._clock = _Ahead(timedelta(days=31))
    await done(leads, lead, "fire", by=Actor(id="silent", kind="robot"), timer=armed.timer, robot="silent")
    (opened,) = await of(leads, lead, e.ReviewOpened)
    assert (opened.status, opened.automatic) == ("poor", True)


class _Ahead:
    """The system's clock, so much later."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    async def now(self) -> datetime:
        return datetime.now(UTC) + self._by


async def test_S4_N6_tasks_close_with_the_lead_and_are_open_again_after_a_mistake(leads: Leads) -> None:
    lead = await made(leads)
    due_at = NOW + timedelta(days=2)
    plan = {"kind": "call", "text": "уточнить", "due_at": due_at, "remind_at": due_at - timedelta(hours=1)}
    call = uuid5(await done(leads, lead, "plan", **plan, every={"days": 7}), "activity")
    moved = await done(leads, lead, "replan", activity=call, due_at=due_at + timedelta(days=1), reason="просил")
    await done(leads, lead, "replan", id=moved, activity=call, due_at=due_at + timedelta(days=1), reason="просил")
    assert [event.times for event in await of(leads, lead, e.ActivityMoved)] == [1]
    await done(leads, lead, "reject", status="poor")
    await done(leads, lead, "undo", reason="не тот лид")
    activity = (await state_of(leads, lead)).activities[call]
    assert (activity.is_open, activity.text, activity.due_at) == (True, "уточнить", due_at + timedelta(days=1))
    reminders = [armed for armed in await of(leads, lead, e.RobotArmed) if armed.robot == REMINDER]
    cancelled = [event.by for event in await of(leads, lead, e.RobotCancelled) if event.robot == REMINDER]
    assert len({armed.timer for armed in reminders}) == 3
    assert cancelled == ["retimed", "over"]
    await done(leads, lead, "complete", activity=call, result="дозвонился")
    anew = (await of(leads, lead, e.ActivityPlanned))[-1]
    assert (anew.reason, anew.replaces, anew.due_at) == ("recurring", call, due_at + timedelta(days=8))


async def test_S4_a_reminder_that_fires_is_a_notice_to_the_responsible(leads: Leads) -> None:
    lead = await made(leads)
    remind_at = NOW + timedelta(hours=1)
    call = uuid5(await done(leads, lead, "plan", kind="task", text="образцы", remind_at=remind_at), "activity")
    (reminder,) = [armed for armed in await of(leads, lead, e.RobotArmed) if armed.robot == REMINDER]
    robot = Actor(id=REMINDER, kind="robot")
    early = await leads.send(lead, "fire", by=robot, timer=reminder.timer, robot=REMINDER)
    assert early.refusal is not None
    assert early.refusal.rules == ("R1.not_due",)
    leads.batcher._clock = _Ahead(timedelta(hours=2))
    await done(leads, lead, "fire", by=robot, timer=reminder.timer, robot=REMINDER)
    (notice,) = await of(leads, lead, e.EffectRequested)
    responsible = (await state_of(leads, lead)).responsible
    assert (notice.effect_kind, notice.service, notice.text) == ("notice", responsible, "Напоминание: задача «образцы»")
    (ran,) = await of(leads, lead, e.RobotRan)
    assert (ran.did, ran.activity, ran.effect) == ("warn", call, notice.effect)


async def test_Q5_D1_a_deal_is_judged_as_a_lead_is(leads: Leads) -> None:
    lead = await made(leads)
    await done(leads, lead, "move", to="work")
    await done(leads, lead, "convert")
    deal = deal_of(lead, "reviewed_deals")
    await done(leads, deal, "plan", kind="task", text="договор")
    await done(leads, deal, "reject", status="broken")
    assert [type(event) for event in await of(leads, deal, e.ReviewOpened, e.ActivityClosed)] == [
        e.OF_DEALS[e.ActivityClosed],
        e.OF_DEALS[e.ReviewOpened],
    ]
    await done(leads, deal, "review", by=HEAD, decision="return", reason="ещё раз")
    state = await state_of(leads, deal)
    assert (state.stage, [a.text for a in state.activities.values() if a.is_open]) == (
        "talks",
        ["Вернул руководитель: ещё раз"],
    )
    await done(leads, lead, "undo", by=HEAD)
    assert [a.text for a in (await state_of(leads, deal)).activities.values() if a.is_open] == []


async def test_M7_N6_an_erasure_leaves_nothing_to_do_and_nothing_to_judge(leads: Leads) -> None:
    lead = await made(leads)
    contact = (await state_of(leads, lead)).contact
    await done(leads, lead, "reject", status="poor")
    call = uuid5(await done(leads, lead, "plan", kind="call", text="поздравить"), "activity")
    assert (await leads.erase(contact)).outcome == "done"
    assert [dropped.by for dropped in await of(leads, lead, e.ReviewDropped)] == ["erased"]
    assert [(c.activity, c.reason) for c in await of(leads, lead, e.ActivityClosed)] == [(call, "erased")]
    answer = await leads.send(lead, "review", by=HEAD, decision="confirm")
    assert answer.refusal is not None
    assert "M7.not_erased" in answer.refusal.rules


async def test_Q5_Q11_S4_the_door_takes_the_commands_and_a_repeat_of_one_has_its_answer(
    settings: Settings, pool: Pool
) -> None:
    await publish(pool, SystemClock(), OF_DEALS, HEAD)
    text = REVIEWED.replace(
        "stages:\n",
        "fields: [{id: budget, titles: {ru: Бюджет, en: Budget}, type: money, declined: true}]\nstages:\n",
    )
    await publish(pool, SystemClock(), text, HEAD)
    lead = uuid4()
    async with door_over(settings.model_copy(update={"default_pipeline": "reviewed"}), pool) as web:
        assert (await web.leads.send(lead, "capture", **PERSON)).outcome == "done"
        async with web.api("seller") as seller, web.api("head") as head:
            ok = [
                await command(seller, lead, "record", {"fields": {"budget": "отказался ответить"}}),
                await command(seller, lead, "rate_card", {"ease": 5, "time": 4, "comfort": 3}),
                await command(seller, lead, "plan", {"kind": "call", "due_at": "2099-01-01T10:00:00+03:00"}),
                await command(seller, lead, "reject", {"status": "poor"}),
            ]
            assert [answer.status_code for answer in ok] == [200] * 4
            refused = await command(seller, lead, "review", {"decision": "confirm"})
            assert (refused.status_code, refused.json()["rules"]) == (422, ["Q5.review_by_head"])
            assert (await command(head, lead, "review", {"decision": "return"})).status_code == 422
            key = {"Idempotency-Key": str(uuid4())}
            judged = [
                await command(head, lead, "review", {"decision": "return", "reason": "ещё раз"}, **key)
                for _ in range(2)
            ]
            assert [answer.status_code for answer in judged] == [200, 200]
            assert judged[0].json() == judged[1].json()
            shown = (await head.get(f"/api/leads/{lead}")).json()
    assert (
        shown["stage"]["id"],
        [activity["text"] for activity in shown["activities"] if not activity["done_at"]],
    ) == (
        "new",
        ["Вернул руководитель: ещё раз"],
    )
    (budget,) = shown["fields"]
    assert (budget["value"], budget["declined"], budget["may_be_declined"]) == ("declined", True, True)
    assert [event.ease for event in await of(web.leads, lead, e.ClientViewRecorded)] == [5]
    assert len(await of(web.leads, lead, e.ReviewReturned)) == 1
