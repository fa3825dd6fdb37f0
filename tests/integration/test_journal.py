"""The incident journal through the aggregate service, on real servers: one escalation in whatever race (Q6, N20, N21)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts import events as e
from contracts.journal import journal_of
from contracts.meta import Actor
from services.calendars import publishing as calendars
from services.clock import SystemClock
from services.database import Pool
from services.pipelines.registry import publish
from services.settings import Settings
from services.teams import publishing as teams
from tests.integration.journal_case import DELIVERY, OLGA, PIPELINE, QUARTER, TEAM, WATCH, House, house
from tests.integration.leads_case import ANNA, HEAD

MINUTE = timedelta(minutes=1)
ASSIGNED = PIPELINE.replace("NAME", "pooled") + "assignment: {team: sales}\n"
HOLIDAY = """\
team: sales
time_zone: Europe/Moscow
hours: {weekdays: ["09:00-18:00"]}
days: {2026-11-16: []}
"""


@pytest.fixture
async def one(settings: Settings, pool: Pool) -> AsyncIterator[House]:
    """One service."""
    async with house(settings, pool) as running:
        yield running


def _rules(result: Any) -> tuple[str, ...]:
    assert result.refusal is not None, result
    return result.refusal.rules


async def _missed(house: House, count: int = 1) -> list[Any]:
    """So many leads, none taken in time; what the journal has."""
    leads = [await house.lead(n) for n in range(count)]
    house.clock.move(MINUTE)
    for lead in leads:
        assert (await house.fire(lead)).outcome == "done"
    return await house.events(e.IncidentRecorded)


async def test_Q6_a_miss_is_in_the_journal_in_the_transaction_that_decides_it(one: House) -> None:
    lead = await one.lead()
    one.clock.move(MINUTE)
    await one.fire(lead)
    [missed] = [r for r in await one.any().history(lead) if isinstance(r.data, e.DeadlineMissed)]
    [recorded] = await one.events(e.IncidentRecorded)
    assert (recorded.incident, recorded.lead, recorded.because) == (missed.data.incident, lead, missed.meta.event_id)
    assert (recorded.employee, recorded.text, recorded.counts) == ("anna", "Взять в работу", True)
    history = await one.any().history(journal_of("anna", QUARTER))
    assert {r.meta.command for r in history} == {missed.meta.command}
    assert {r.meta.person for r in history} == {None}
    published = await one.any().pool.fetchval(
        "SELECT count(*) FROM leadline.outbox WHERE topic = 'incidents.events' AND stream = $1",
        journal_of("anna", QUARTER),
    )
    assert published == 2, "the record and its notice wait for the relay"


async def test_Q6_the_same_command_again_records_nothing_more(one: House) -> None:
    [recorded] = await _missed(one)
    stream, body = await one.stream(), {"effect": (await one.notices())[0].effect, "outcome": "done", "attempts": 1}
    command = uuid4()
    first = await one.any().send(stream, "report", by=DELIVERY, id=command, **body)
    assert first == await one.any().send(stream, "report", by=DELIVERY, id=command, **body)
    again = await one.any().send(stream, "report", by=DELIVERY, **body)
    assert (again.outcome, again.first_version) == ("done", None)
    assert [told.incident for told in await one.events(e.IncidentTold)] == [recorded.incident]


async def test_Q6_misses_on_several_leads_told_and_judged_by_commands(one: House) -> None:
    recorded = await _missed(one, 4)
    stream = await one.stream()
    for record in recorded[:3]:
        told = await one.any().send(stream, "told", by=ANNA, incident=record.incident)
        assert told.outcome == "done"
    [opened] = await one.events(e.EscalationOpened)
    assert (opened.to, set(opened.incidents)) == ("olga", {record.incident for record in recorded[:3]})
    assert opened.incidents[-1] == recorded[2].incident, "the one that opened it stands last"
    last = recorded[3].incident
    assert _rules(await one.any().send(stream, "told", by=OLGA, incident=last)) == ("Q6.in_ones_own_name",)
    assert (await one.any().send(stream, "acknowledge", by=ANNA, incident=last, comment="да")).outcome == "done"
    assert len(await one.events(e.EscalationExtended)) == 1
    assert _rules(await one.any().send(stream, "excuse", by=ANNA, incident=last, reason="x")) == ("Q6.by_the_head",)
    close = {"escalation": opened.escalation, "comment": "поговорили"}
    assert (await one.any().send(stream, "close_escalation", by=OLGA, **close)).outcome == "done"
    assert _rules(await one.any().send(stream, "close_escalation", by=OLGA, **close)) == ("Q6.open_escalation",)
    for record in recorded:
        excused = await one.any().send(stream, "excuse", by=OLGA, incident=record.incident, reason="сбой")
        assert excused.outcome == "done"
    book = await one.journal()
    assert not any(incident.is_strike for incident in book.incidents.values())


async def test_Q6_what_is_no_journal_or_no_command_of_one_is_refused(one: House) -> None:
    [recorded] = await _missed(one)
    stream = await one.stream()
    nowhere = await one.any().send(uuid4(), "told", by=ANNA, incident=recorded.incident)
    assert _rules(nowhere) == ("Q6.known_journal",)
    on_lead = await one.any().send(recorded.lead, "told", by=ANNA, incident=recorded.incident)
    assert _rules(on_lead) == ("Q6.known_journal",)
    assert _rules(await one.any().send(stream, "see", by=ANNA)) == ("K2.lead_exists",)
    stale = await one.any().send(stream, "told", by=ANNA, incident=recorded.incident, version=1)
    assert _rules(stale) == ("K2.current_version",)
    body = {"incident": uuid4(), "kind": "silent_channel", "rule": "mail", "due_at": one.clock.at, "text": "молчит"}
    assert _rules(await one.any().send(stream, "raise", by=OLGA, employee="anna", **body)) == ("R1.machines_only",)
    assert _rules(await one.any().send(stream, "raise", by=WATCH, employee="olga", **body)) == ("Q6.own_journal",)


async def test_Q6_an_incident_of_no_lead_begins_the_heads_journal(one: House) -> None:
    stream = journal_of("olga", QUARTER)
    body = {"incident": uuid4(), "kind": "silent_channel", "rule": "mail", "due_at": one.clock.at, "text": "молчит"}
    for _ in range(2):
        assert (await one.any().send(stream, "raise", by=WATCH, employee="olga", **body)).outcome == "done"
    [recorded] = await one.events(e.IncidentRecorded, employee="olga")
    assert (recorded.cause, recorded.text, recorded.lead) == ("channel", "молчит", None)


async def test_Q6_C2_a_robot_raises_an_incident_and_a_letter_given_up_is_one_of_the_head(one: House) -> None:
    lead = await one.lead()
    one.clock.move(timedelta(days=3))
    for _ in range(3):
        await one.fire(lead)
    raised = (await one.events(e.IncidentRecorded))[-1]
    assert (raised.incident_kind, raised.rule, raised.text) == (
        "raised",
        "no_attempt",
        "Ни одной попытки связаться",
    )
    [asked] = [r.data for r in await one.any().history(lead) if isinstance(r.data, e.EffectRequested)]
    report = {"effect": asked.effect, "outcome": "failed", "attempts": 9, "reason": "gave_up: 503"}
    await one.any().send(lead, "report", by=DELIVERY, **report)
    [letter] = await one.events(e.IncidentRecorded, employee="olga")
    assert (letter.incident_kind, letter.lead, letter.counts) == ("dead_letter", lead, False)


async def test_Q6_a_notice_that_failed_is_repeated_by_a_person(one: House) -> None:
    await _missed(one)
    stream, effect = await one.stream(), (await one.notices())[0].effect
    failed = {"effect": effect, "outcome": "failed", "attempts": 0, "reason": "no_address: …"}
    assert (await one.any().send(stream, "report", by=DELIVERY, **failed)).outcome == "done"
    assert await one.events(e.IncidentTold) == []
    assert (await one.any().send(stream, "repeat", by=OLGA, effect=effect)).outcome == "done"
    done = {"effect": effect, "outcome": "done", "attempts": 1}
    assert (await one.any().send(stream, "report", by=DELIVERY, **done)).outcome == "done"
    assert [told.via for told in await one.events(e.IncidentTold)] == ["mail"]


async def test_N20_a_verdict_is_restated_under_the_corrected_calendar(one: House, pool: Pool) -> None:
    recorded = await _missed(one, 2)
    stream = await one.stream()
    await calendars.publish(pool, SystemClock(), HOLIDAY, "olga")
    body = {"incident": recorded[0].incident, "reason": "праздник не был учтён"}
    assert _rules(await one.any().send(stream, "restate", by=ANNA, **body)) == ("N20.by_head_or_ops",)
    unknown = await one.any().send(stream, "restate", by=OLGA, calendar=99, **body)
    assert _rules(unknown) == ("N20.known_calendar",)
    one.clock.move(timedelta(hours=2))
    assert (await one.any().send(recorded[0].lead, "accept", by=ANNA)).outcome == "done"
    one.clock.move(timedelta(days=2))
    for record in recorded:
        done = await one.any().send(stream, "restate", by=OLGA, **{**body, "incident": record.incident})
        assert done.outcome == "done"
    restated = await one.events(e.IncidentRestated)
    assert [one.verdict for one in restated] == ["in_time", "stands"]


async def test_Q6_misses_in_parallel_three_due_in_one_second_by_several_services_are_one_escalation(
    settings: Settings, pool: Pool
) -> None:
    async with house(settings, pool, 3) as many:
        leads = [await many.lead(n) for n in range(12)]
        many.clock.move(MINUTE)
        fired = await asyncio.gather(*(many.fire(lead, s) for lead in leads for s in many.services))
        assert sum(result.outcome == "done" for result in fired) == 12
        recorded = await many.events(e.IncidentRecorded)
        assert sorted(str(record.lead) for record in recorded) == sorted(map(str, leads))
        stream, notices = await many.stream(), await many.notices()

        async def told(service: Any, requested: e.NoticeRequested) -> None:
            body = {"effect": requested.effect, "outcome": "done", "attempts": 1}
            assert (await service.send(stream, "report", by=DELIVERY, **body)).outcome == "done"
            await service.send(stream, "told", by=ANNA, incident=requested.incident)

        await asyncio.gather(*(told(service, notice) for notice in notices for service in many.services))
        strikes = sorted(one.strike for one in await many.events(e.IncidentTold))
        assert strikes == list(range(1, 13))
        [opened] = await many.events(e.EscalationOpened)
        extended = await many.events(e.EscalationExtended)
        assert len({*opened.incidents, *(one.incident for one in extended)}) == len(opened.incidents) + len(extended)
        assert (len(opened.incidents), len(extended)) == (3, 9)
        to_the_head = [one for one in await many.notices() if one.to == "olga"]
        assert len({one.effect for one in to_the_head}) == len(to_the_head) == 10


async def test_C4_a_lead_that_waited_too_long_in_the_pool_is_an_incident_of_the_teams_head(
    settings: Settings, pool: Pool
) -> None:
    async with house(settings, pool, name="pooled") as one:
        nobody = TEAM.replace("{name: anna}, {name: boris}", "{name: anna, takes: false}")
        await teams.publish(pool, SystemClock(), nobody, OLGA)
        await publish(pool, SystemClock(), ASSIGNED, HEAD)
        lead = await one.any().lead_of(name="Клиент", phone="+79160000001")
        [waits] = [
            r.data
            for r in await one.any().history(lead)
            if isinstance(r.data, e.DeadlineSet) and r.data.deadline == "pool"
        ]
        one.clock.at = waits.due_at
        actor = Actor(id="pool", kind="robot")
        fired = await one.any().send(lead, "fire", by=actor, timer=waits.timer, robot="pool")
        assert fired.outcome == "done"
        of_nobody = await one.events(e.IncidentRecorded, employee="olga")
        assert [record.rule for record in of_nobody] == ["no_attempt", "pool", "take"], (
            "nobody took it into work either"
        )
        recorded = of_nobody[1]  # the first robot was overdue when the form came
        assert (recorded.incident_kind, recorded.lead, recorded.cause) == ("pool", lead, "nobody_responsible")
        assert not recorded.counts
        subjects = {(notice.to, notice.subject) for notice in await one.notices("olga")}
        assert ("olga", "Лид без ответственного: Лид ждёт, и взять его некому") in subjects
