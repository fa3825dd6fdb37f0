"""Robots, triggers and effects through the aggregate service: one transaction each, on real Postgres (R1-R6, C7, C9, N1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from contracts import events as e
from contracts.meta import Actor
from services.clock import SystemClock
from services.database import Pool
from services.eventlog.consuming import RawRecord
from services.leads.domain.own_letters import message_id
from services.leads.publishing.archive import archive
from services.pipelines.registry import publish
from services.settings import Settings
from tests.integration.leads_case import HEAD, Leads, running

PIPELINE = """
pipeline: robots
titles: {ru: "Роботы", en: "Robots"}
conversion_point: deal
templates:
  - id: thanks
    titles: {ru: "Спасибо", en: "Thanks"}
    kind: email
    ru: {subject: "Спасибо, {{ lead.name }}", text: "Здравствуйте, {{ lead.name }}! Мы получили заявку."}
    en: {subject: "Thanks", text: "Hello {{ lead.name }}!"}
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    robots:
      - {id: letter, titles: {ru: "Письмо", en: "Letter"}, do: {email: thanks}}
      - id: call
        titles: {ru: "Звонок", en: "Call"}
        do: {plan: call, text: {ru: "Позвонить", en: "Call"}, due: {hours: 1, working: true}}
        start: {after: letter}
      - {id: ads, titles: {ru: "Реклама", en: "Ads"}, do: {audience: Ученики, service: vk}}
      - {id: later, titles: {ru: "Позже", en: "Later"}, do: {tag: old}, start: {delay: {days: 3}}}
  - id: work
    titles: {ru: "В работе", en: "In work"}
    kind: open
    triggers: [{id: answered, titles: {ru: "Ответил на письмо", en: "Answered"}, on: letter}]
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: spam, titles: {ru: "Спам", en: "Spam"}, kind: lost, outcome: bad_data}
  - {id: later, titles: {ru: "Отложен", en: "Later"}, kind: postponed}
"""
DELIVERY = Actor(id="delivery", kind="system")


@pytest.fixture
async def leads(settings: Settings, pool: Pool) -> AsyncIterator[Leads]:
    """The aggregate service with this pipeline as the default one, every robot left to the robots service."""
    await publish(pool, SystemClock(), PIPELINE, HEAD)
    async with running(settings.model_copy(update={"default_pipeline": "robots"}), pool, at_once=False) as service:
        yield service


async def made(leads: Leads, **more: Any) -> UUID:
    """A lead of a form."""
    return await leads.lead_of(
        **{"name": "Анна Смирнова", "phone": "+79161234567", "email": "anna@example.org", **more}
    )


async def by_hand(leads: Leads, **known: Any) -> UUID:
    """A lead entered by a seller, now."""
    lead = uuid4()
    answer = await leads.send(lead, "capture", **known)
    assert answer.outcome == "done", answer
    return lead


async def of(leads: Leads, lead: UUID, *kinds: type[e.Event]) -> list[Any]:
    """The lead's events of these kinds."""
    return [r.data for r in await leads.history(lead) if isinstance(r.data, kinds)]


async def fire(leads: Leads, lead: UUID, robot: str, **more: Any) -> Any:
    """The robots service says that the robot's instant has come."""
    [armed] = [a for a in await of(leads, lead, e.RobotArmed) if a.robot == robot][-1:]
    return await leads.send(lead, "fire", by=Actor(id=robot, kind="robot"), timer=armed.timer, robot=robot, **more)


async def test_R3_a_letter_is_requested_with_all_that_sending_it_needs_and_the_call_waits_for_it(leads: Leads) -> None:
    lead = await made(leads)
    assert [a.robot for a in await of(leads, lead, e.RobotArmed)] == ["letter", "ads", "later"]
    assert (await fire(leads, lead, "letter")).outcome == "done"
    assert not await of(leads, lead, e.RobotSkipped, e.RobotFailed, e.RobotCancelled)
    [letter] = await of(leads, lead, e.EffectRequested)
    assert (letter.subject, letter.text) == (
        "Спасибо, Анна Смирнова",
        "Здравствуйте, Анна Смирнова! Мы получили заявку.",
    )
    assert letter.message_id == message_id(lead, letter.effect, leads.settings.mail_id_domain)
    report = {"effect": letter.effect, "outcome": "done", "attempts": 1, "provider": "smtp"}
    assert (await leads.send(lead, "report", by=DELIVERY, **report)).outcome == "done"
    assert (await of(leads, lead, e.RobotArmed))[-1].after == "letter"
    await fire(leads, lead, "call")
    [planned] = await of(leads, lead, e.ActivityPlanned)
    assert (planned.activity_kind, planned.robot, planned.calendar) == ("call", "call", "sales@1")
    assert (await leads.send(lead, "report", by=DELIVERY, **report)).outcome == "done"
    assert len(await of(leads, lead, e.EffectDone)) == 1, "a repeated report is one fact"


async def test_N1_a_robot_that_is_fired_at_once_by_many_has_one_effect(leads: Leads) -> None:
    lead = await made(leads)
    answers = await asyncio.gather(*(fire(leads, lead, "letter") for _ in range(8)))
    assert sorted(a.outcome for a in answers) == ["done"] + ["refused"] * 7
    assert {a.refusal.rules for a in answers if a.refusal} == {("N1.once_per_visit",)}
    assert len(await of(leads, lead, e.EffectRequested)) == len(await of(leads, lead, e.RobotRan)) == 1
    told = await leads.pool.fetchval("SELECT count(*) FROM leadline.outbox WHERE topic = 'leads.refusals'")
    assert told == 7, "each suppressed repeat is a public fact"


async def test_N1_the_same_command_again_gets_the_same_answer(leads: Leads) -> None:
    lead, command = await made(leads), uuid4()
    first = await fire(leads, lead, "letter", id=command)
    again = await fire(leads, lead, "letter", id=command)
    assert first == again
    assert len(await of(leads, lead, e.RobotRan)) == 1


async def test_R1_only_our_own_services_fire_and_report(leads: Leads) -> None:
    lead = await made(leads)
    [armed, *_] = await of(leads, lead, e.RobotArmed)
    for name, body in (
        ("fire", {"timer": armed.timer, "robot": "letter"}),
        ("report", {"effect": uuid4(), "outcome": "done", "attempts": 1}),
    ):
        answer = await leads.send(lead, name, by=HEAD, **body)
        assert answer.refusal is not None
        assert answer.refusal.rules == ("R1.machines_only",)


async def test_C7_a_refusal_stops_letters_and_takes_the_client_out_of_audiences_on_every_lead(leads: Leads) -> None:
    lead = await made(leads)
    await fire(leads, lead, "letter")
    await fire(leads, lead, "ads")
    await leads.send(lead, "permit", channel="all", allowed=False, how="call", words="удалите меня отовсюду")
    [stopped] = [f for f in await of(leads, lead, e.EffectFailed) if f.effect_kind == "email"]
    assert stopped.reason == "contact_refused"
    last = (await of(leads, lead, e.EffectRequested))[-1]
    assert (last.effect_kind, last.action, last.service, last.audience) == ("audience", "remove", "vk", "Ученики")
    second = await made(leads, comment="ещё раз")
    assert second == lead
    skipped = await of(leads, lead, e.RobotSkipped)
    assert skipped == []
    answer = await leads.send(lead, "repeat", effect=stopped.effect)
    assert answer.refusal is not None
    assert answer.refusal.rules == ("C7.refusal_of_contact",)


RUN_ANYWAY = "start: {after: letter}\n        when_predecessor_did_not_run: run"
OTHER = PIPELINE.replace("pipeline: robots", "pipeline: other").replace("start: {after: letter}", RUN_ANYWAY)
"""A pipeline of its own, whose call is made whether or not the letter went out."""


async def test_C7_what_follows_a_stopped_letter_follows_on_every_lead_under_its_own_version(leads: Leads) -> None:
    await publish(leads.pool, SystemClock(), OTHER, HEAD)
    here, there = await made(leads), await by_hand(leads, pipeline="other", name="Анна", phone="+79161234567")
    # The next version would skip the call; the lead that stands in the first one goes on under it.
    await publish(leads.pool, SystemClock(), OTHER.replace(RUN_ANYWAY, "start: {after: letter}"), HEAD)
    await leads.send(there, "record", fields={"email": "anna@example.org"})
    for lead in (here, there):
        assert (await fire(leads, lead, "letter")).outcome == "done"
    command = uuid4()
    refusal = {"channel": "email", "allowed": False, "how": "call", "words": "не пишите мне"}
    assert (await leads.send(here, "permit", id=command, **refusal)).outcome == "done"
    for lead in (here, there):
        [stopped] = await of(leads, lead, e.EffectFailed)
        assert stopped.reason == "contact_refused"
    assert [a.robot for a in await of(leads, here, e.RobotArmed)][3:] == [], "a person may want it repeated: it waits"
    call = (await of(leads, there, e.RobotArmed))[-1]
    assert (call.robot, call.after, call.because) == ("call", "letter", "after_robot")
    last = (await leads.history(there))[-1].meta
    assert (last.type, last.command, last.pipeline) == ("leadline.lead.robot_armed", command, "other@1")
    assert (await fire(leads, there, "call")).outcome == "done"
    count = len(await leads.history(there))
    assert (await leads.send(here, "permit", id=command, **refusal)).outcome == "done"
    assert len(await leads.history(there)) == count, "a repeat has no effect"


def with_triggers(**of: str) -> str:
    """That pipeline with a trigger on a kind of event at each of these stages: `EVENT from STAGE`."""
    made = OTHER.replace(
        '    triggers: [{id: answered, titles: {ru: "Ответил на письмо", en: "Answered"}, on: letter}]\n', ""
    )
    for stage, said in of.items():
        event, _, stands = said.partition(" from ")
        trigger = f"{{id: to_{stage}, titles: {{ru: а, en: b}}, on: event, type: leadline.lead.{event}, from_stages: [{stands}]}}"
        made = made.replace(f"  - id: {stage}\n", f"  - id: {stage}\n    triggers: [{trigger}]\n")
        made = made.replace(f"  - {{id: {stage},", f"  - {{id: {stage}, triggers: [{trigger}],")
    return made


async def test_C7_a_stopped_letter_moves_another_lead_of_the_person_as_its_trigger_says(leads: Leads) -> None:
    await publish(leads.pool, SystemClock(), with_triggers(deal="effect_failed from work"), HEAD)
    here, known = await made(leads), {"name": "Анна", "phone": "+79161234567", "email": "anna@example.org"}
    there = await by_hand(leads, pipeline="other", **known)
    await fire(leads, there, "letter")
    await leads.send(there, "move", to="work")
    await leads.send(here, "permit", channel="email", allowed=False, how="call", words="не пишите мне")
    [fired] = await of(leads, there, e.TriggerFired)
    assert (fired.trigger, fired.to_stage) == ("to_deal", "deal")
    held = await leads.pool.fetch("SELECT lead FROM leadline.open_leads")
    assert [row[0] for row in held] == [here], "the lead that was closed holds its person's place no more"
    assert await by_hand(leads, pipeline="other", **known) != there


async def test_C3_a_refusal_brings_no_lead_back_beside_the_one_that_its_person_has_open(leads: Leads) -> None:
    await publish(leads.pool, SystemClock(), with_triggers(work="effect_failed from deal"), HEAD)
    here, known = await made(leads), {"name": "Анна", "phone": "+79161234567", "email": "anna@example.org"}
    won = await by_hand(leads, pipeline="other", **known)
    await fire(leads, won, "letter")
    for stage in ("work", "deal"):
        await leads.send(won, "move", to=stage)
    there = await by_hand(leads, pipeline="other", **known)
    answer = await leads.send(here, "permit", channel="email", allowed=False, how="call", words="не пишите мне")
    assert answer.outcome == "done"
    [stood] = await of(leads, won, e.TriggerRefused)
    assert "C3.one_open_lead" in stood.rules
    held = await leads.pool.fetch("SELECT lead FROM leadline.open_leads")
    assert {row[0] for row in held} == {here, there}


async def test_N3_a_refusal_moves_another_lead_ten_times_at_most(leads: Leads) -> None:
    back_and_forth = with_triggers(work="effect_failed from new", new="trigger_fired from work")
    again = "{id: again, titles: {ru: а, en: b}, on: event, type: leadline.lead.trigger_fired, from_stages: [new]}"
    await publish(leads.pool, SystemClock(), back_and_forth.replace("[{id: to_work", f"[{again}, {{id: to_work"), HEAD)
    here = await made(leads)
    there = await by_hand(leads, pipeline="other", name="Анна", phone="+79161234567", email="anna@example.org")
    await fire(leads, there, "letter")
    await leads.send(here, "permit", channel="email", allowed=False, how="call", words="не пишите мне")
    assert len(await of(leads, there, e.TriggerFired)) == 10
    assert {refused.reason for refused in await of(leads, there, e.TriggerRefused)} == {"loop"}


async def mail(leads: Leads, **body: Any) -> UUID:
    """A letter that came straight on Kafka."""
    leads.offset += 1
    headers = [
        ("ce_type", b"leadline.inbound.mail"),
        ("ce_source", b"leads@company.example"),
        ("ce_id", str(uuid4()).encode()),
    ]
    value = {
        "message_id": f"<{uuid4()}@example.org>",
        "subject": "Re",
        "text": "да",
        "to": ["leads@company.example"],
        **body,
    }
    record = RawRecord("leads.inbound", 0, leads.offset, None, orjson.dumps(value), headers, 1_700_000_000_000)
    work = leads.reader.direct(record)
    await leads.take(work)
    row = await leads.outcome(work)
    assert row["outcome"] == "joined", row["reason"]
    lead: UUID = row["lead"]
    return lead


async def test_R5_an_answer_to_our_letter_finds_the_lead_and_its_trigger_moves_it(leads: Leads) -> None:
    lead = await made(leads)
    await fire(leads, lead, "letter")
    [letter] = await of(leads, lead, e.EffectRequested)
    found = await mail(
        leads, sender="anna.work@example.org", sender_name="Анна Смирнова", in_reply_to=letter.message_id
    )
    assert found == lead
    [fired] = await of(leads, lead, e.TriggerFired)
    assert (fired.trigger, fired.from_stage, fired.to_stage) == ("answered", "new", "work")
    moved = [r for r in await leads.history(lead) if isinstance(r.data, e.StageEntered)][-1]
    assert (moved.data.stage, moved.meta.actor.id, moved.meta.actor.kind, moved.meta.autodepth) == (
        "work",
        "answered",
        "trigger",
        1,
    )
    assert [c.robot for c in await of(leads, lead, e.RobotCancelled)] == ["ads", "later"]
    assert (await of(leads, lead, e.LetterReceived))[0].reply


async def test_C9_a_bounce_of_our_letter_is_told_on_its_lead_with_a_task(leads: Leads) -> None:
    lead = await made(leads)
    await fire(leads, lead, "letter")
    [letter] = await of(leads, lead, e.EffectRequested)
    await leads.send(lead, "report", by=DELIVERY, effect=letter.effect, outcome="done", attempts=1)
    await mail(
        leads,
        sender="mailer-daemon@example.org",
        kind="bounce",
        references=[letter.message_id],
        bounced=[{"address": "anna@example.org", "status": "5.1.1", "permanent": True, "diagnostic": ""}],
    )
    [bounced] = await of(leads, lead, e.EffectBounced)
    assert (bounced.effect, bounced.status, bounced.permanent) == (letter.effect, "5.1.1", True)
    [task] = await of(leads, lead, e.ActivityPlanned)
    assert (task.activity_kind, task.reason) == ("task", "bounced")
    assert await of(leads, lead, e.EffectDone), "nothing is undone by it"


@pytest.mark.parametrize(
    ("about", "tasks"),
    [
        ({"status": "5.7.1", "permanent": False, "still_trying": False}, 1),
        ({"status": "4.4.7", "permanent": False, "still_trying": False}, 1),
        ({"status": "5.2.2", "permanent": False}, 1),
        ({"status": "4.4.1", "permanent": False, "still_trying": True}, 0),
        ({"status": "4.4.1", "permanent": False}, 0),
        (None, 1),
    ],
)
async def test_C9_a_letter_that_will_not_arrive_is_a_task_also_when_the_address_is_right(
    leads: Leads, about: dict[str, Any] | None, tasks: int
) -> None:
    lead = await made(leads)
    await fire(leads, lead, "letter")
    [letter] = await of(leads, lead, e.EffectRequested)
    await leads.send(lead, "report", by=DELIVERY, effect=letter.effect, outcome="done", attempts=1)
    bounced = [] if about is None else [{"address": "anna@example.org", **about}]
    await mail(
        leads,
        sender="mailer-daemon@example.org",
        kind="bounce",
        references=[letter.message_id],
        bounced=bounced,
    )
    [fact] = await of(leads, lead, e.EffectBounced)
    assert (fact.what, fact.given_up) == (("failed", True) if tasks else ("delayed", False))
    assert len(await of(leads, lead, e.ActivityPlanned)) == tasks
    assert await of(leads, lead, e.EffectDone), "nothing is undone by it"


async def test_C1_a_robot_that_deletes_bad_data_closes_its_timer_and_erases_the_person(leads: Leads) -> None:
    spam = PIPELINE.replace(
        "      - {id: later, titles",
        "      - {id: junk, titles: {ru: а, en: b}, do: {reject: spam}}\n      - {id: later, titles",
    )
    await publish(leads.pool, SystemClock(), spam.replace("pipeline: robots", "pipeline: junkyard"), HEAD)
    lead = await by_hand(leads, pipeline="junkyard", name="Иван", phone="+79161234567")
    assert (await fire(leads, lead, "junk")).outcome == "done"
    assert [r.robot for r in await of(leads, lead, e.RobotRan)] == ["junk"]
    assert await leads.pool.fetchval("SELECT count(*) FROM vault.keys WHERE destroyed_at IS NOT NULL") == 1
    answer = await fire(leads, lead, "letter")
    assert answer.refusal is not None, "leaving the stage had cancelled it"


async def test_M7_the_robots_of_an_erased_person_are_closed_when_their_instant_comes(leads: Leads) -> None:
    lead = await made(leads)
    contact = (await of(leads, lead, e.LeadCaptured))[0].contact
    await leads.erase(contact)
    assert (await fire(leads, lead, "letter")).outcome == "done"
    assert [(c.robot, c.by) for c in await of(leads, lead, e.RobotCancelled)] == [("letter", "erased")]


async def test_N16_the_robots_of_a_merged_lead_wait_no_more_and_go_on_when_it_stands_by_itself_again(
    leads: Leads,
) -> None:
    kept = await made(leads)
    gone = await by_hand(leads, name="Анна С.", phone="+79160000000")
    answer = await leads.send(gone, "merge", by=HEAD, into=kept)
    assert answer.outcome == "done", answer
    assert {c.by for c in await of(leads, gone, e.RobotCancelled)} == {"merged"}
    assert (await leads.send(gone, "unmerge", by=HEAD)).outcome == "done"
    again = [a for a in await of(leads, gone, e.RobotArmed) if a.because == "undone"]
    assert [a.robot for a in again] == ["later"], "what is overdue by now is not made up for"


async def test_M3_a_lead_that_goes_on_under_another_version_keeps_what_waits_and_gets_nothing_new(leads: Leads) -> None:
    lead = await made(leads)
    more = PIPELINE.replace(
        "      - {id: later, titles",
        "      - {id: fresh, titles: {ru: а, en: b}, do: {tag: b}}\n      - {id: later, titles",
    ).replace('      - {id: ads, titles: {ru: "Реклама", en: "Ads"}, do: {audience: Ученики, service: vk}}\n', "")
    _, number = await publish(leads.pool, SystemClock(), more, HEAD)
    assert (await leads.send(lead, "adopt", by=HEAD, pipeline="robots", number=number)).outcome == "done"
    assert [a.robot for a in await of(leads, lead, e.RobotArmed)] == ["letter", "ads", "later"]
    assert [(c.robot, c.by) for c in await of(leads, lead, e.RobotCancelled)] == [("ads", "adopted")]
    assert (await leads.send(lead, "start_robots", by=HEAD)).outcome == "done"
    assert [a.robot for a in await of(leads, lead, e.RobotArmed)][3:] == ["fresh"]


async def test_C7_nobody_plans_a_call_or_a_letter_for_whoever_asked_for_none(leads: Leads) -> None:
    lead = await made(leads)
    await leads.send(lead, "permit", channel="phone", allowed=False, how="call", words="не звоните")
    answer = await leads.send(lead, "plan", kind="call")
    assert answer.refusal is not None
    assert answer.refusal.rules == ("C7.contact_allowed",)
    assert "не звонить" in answer.refusal.ru
    assert (await leads.send(lead, "plan", kind="letter")).outcome == "done"
    assert (await leads.send(lead, "plan", kind="meeting")).outcome == "done"
    await leads.send(lead, "permit", channel="phone", allowed=True, how="call", words="можно")
    assert (await leads.send(lead, "plan", kind="call")).outcome == "done"


async def test_N14_nothing_goes_out_of_an_archived_pipeline(leads: Leads) -> None:
    closing = PIPELINE.replace("pipeline: robots", "pipeline: closing").replace(
        "kind: lost, outcome: bad_data}",
        "kind: lost, robots: [{id: again, titles: {ru: а, en: b}, do: {email: thanks}}]}",
    )
    await publish(leads.pool, SystemClock(), closing, HEAD)
    lead = await by_hand(leads, pipeline="closing", name="Иван", phone="+79160000001", email="ivan@example.org")
    await leads.send(lead, "reject", status="spam")
    await archive(leads.pool, SystemClock(), "closing", HEAD, "robots")
    assert (await fire(leads, lead, "again")).outcome == "done"
    assert [(c.robot, c.by) for c in await of(leads, lead, e.RobotCancelled)][-1:] == [("again", "archived")]
    assert await of(leads, lead, e.EffectRequested) == []
