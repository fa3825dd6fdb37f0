"""The aggregate service on a real Postgres: rules, claims, repeats, refusals, erasure (K2, C3, S1-S3, M7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from contracts.events import StageEntered
from contracts.meta import Actor
from contracts.personal import ERASED
from services.database import Pool
from services.leads import store
from services.leads.work import OtherBodyError
from services.settings import Settings
from tests.integration.leads_case import HEAD, Leads, running


@pytest.fixture
async def leads(settings: Settings, pool: Pool) -> AsyncIterator[Leads]:
    async with running(settings, pool) as it:
        yield it


async def to_closing(leads: Leads) -> object:
    lead = await leads.lead_of(name="Иван", phone="8 900 123-45-67")
    for name, body in (
        ("see", {}),
        ("accept", {}),
        ("move", {"to": "processing"}),
        ("record", {"fields": {"needs": "столешница"}}),
        ("move", {"to": "proposal"}),
        ("record", {"fields": {"order_details": "дуб, 2,4 м"}}),
        ("offer", {"volume": "1 шт.", "price": {"amount": "45000", "currency": "RUB"}, "delivery_days": 14}),
        ("move", {"to": "closing"}),
    ):
        result = await leads.send(lead, name, **body)
        assert result.outcome == "done", (name, result.refusal)
    return lead


async def test_S1_lead_runs_from_form_to_deal(leads: Leads) -> None:
    lead = await to_closing(leads)
    await leads.send(lead, "answer", answer="consent")
    result = await leads.send(lead, "convert")
    assert result.outcome == "done"
    assert (await leads.types(lead))[-2:] == ["converted", "stage_entered"]
    assert (await leads.types(lead))[:3] == ["captured", "stage_entered", "assigned"]


async def test_S2_move_without_exit_criteria_is_refused_naming_them_and_changes_nothing(leads: Leads) -> None:
    lead = await leads.lead_of(name="Иван", email="ivan@example.org")
    before = await leads.types(lead)
    result = await leads.send(lead, "move", to="processing")
    assert result.outcome == "refused"
    assert result.refusal is not None
    assert result.refusal.rules == ("S2.exit_criteria",)
    assert [m.id for m in result.refusal.missing] == ["seen", "accepted"]
    assert await leads.types(lead) == before
    row = await leads.pool.fetchrow("SELECT key, value FROM leadline.outbox WHERE topic = 'leads.refusals'")
    assert row["key"] == str(lead)
    assert b"S2.exit_criteria" in row["value"]


async def test_K2_repeat_of_a_command_gets_the_stored_answer(leads: Leads) -> None:
    lead = await leads.lead_of(name="Иван", email="ivan@example.org")
    command = uuid4()
    first = await leads.send(lead, "see", id=command)
    second = await leads.send(lead, "see", id=command)
    assert first == second
    assert (await leads.types(lead)).count("seen") == 1
    with pytest.raises(OtherBodyError):
        await leads.send(lead, "accept", id=command)


async def test_K2_stale_command_is_refused_as_409(leads: Leads) -> None:
    lead = await leads.lead_of(name="Иван", email="ivan@example.org")
    result = await leads.send(lead, "see", version=1)
    assert result.refusal is not None
    assert result.refusal.status == 409


async def test_C3_second_form_of_a_known_person_joins_the_open_lead(leads: Leads) -> None:
    lead = await leads.lead_of(name="Иван", phone="8 900 123-45-67")
    work = leads.arrival(name="Иван Петров", phone="+7 (900) 1234567", comment="Ещё вопрос")
    await leads.take(work)
    outcome = await leads.outcome(work)
    assert (outcome["outcome"], outcome["lead"]) == ("joined", lead)
    assert (await leads.types(lead))[-1] == "inbound_joined"


async def test_C3_phone_of_a_person_of_another_name_joins_nothing_unseen(leads: Leads) -> None:
    lead = await leads.lead_of(name="Иван", phone="8 900 123-45-67")
    other = await leads.lead_of(name="Мария", phone="8 900 123-45-67")
    assert other != lead
    assert "duplicate_suspected" in await leads.types(other)
    third = await leads.lead_of(name="Иван", phone="8 900 123-45-67")
    assert third not in (lead, other), "a shared phone never joins by itself"


async def test_C3_closed_lead_frees_the_person_for_a_new_one_and_reopening_claims_again(leads: Leads) -> None:
    lead = await leads.lead_of(name="Иван", phone="8 900 123-45-67")
    assert (await leads.send(lead, "reject", status="no_contact")).outcome == "done"
    second = await leads.lead_of(name="Иван", phone="8 900 123-45-67")
    assert second != lead
    refused = await leads.send(lead, "reopen", by=HEAD)
    assert refused.refusal is not None
    assert refused.refusal.rules == ("C3.one_open_lead",)
    await leads.send(second, "reject", status="price")
    assert (await leads.send(lead, "reopen", by=HEAD)).outcome == "done"


async def test_C3_a_message_joins_the_persons_open_lead_in_whichever_pipeline_it_is(leads: Leads) -> None:
    lead, again = uuid4(), uuid4()
    who = {"name": "Анна", "phone": "+79001115577"}
    assert (await leads.send(lead, "capture", pipeline="services", **who)).outcome == "done"
    assert await leads.lead_of(**who, comment="Когда вы позвоните?") == lead
    await leads.send(again, "capture", pipeline="english", **who)
    assert await leads.lead_of(**who) == again, "of several the newest"
    usual = uuid4()
    await leads.send(usual, "capture", **who)
    assert await leads.lead_of(**who) == usual, "and before all that of the pipeline that messages come to"


async def test_P4_the_clients_own_word_brings_a_closed_lead_back_in_whichever_pipeline_it_is(leads: Leads) -> None:
    lead = uuid4()
    who = {"name": "Анна", "phone": "+79001115588"}
    await leads.send(lead, "capture", pipeline="services", **who)
    rejected = await leads.send(lead, "reject", by=HEAD, status="closed", reason="not_interested")
    assert rejected.outcome == "done", rejected
    assert await leads.lead_of(**who) == lead
    assert (await leads.types(lead)).count("reopened") == 1


async def test_C3_two_forms_of_one_new_person_in_one_batch_are_one_lead(leads: Leads) -> None:
    works = [leads.arrival(name="Иван", phone="8 900 123-45-67", comment=str(n)) for n in range(20)]
    await leads.take(*works)
    assert await leads.pool.fetchval("SELECT count(DISTINCT lead) FROM leadline.inbound_outcomes") == 1


@pytest.mark.parametrize("rounds", [50])
async def test_C3_two_batchers_at_once_for_one_known_person_make_one_lead(
    leads: Leads, settings: Settings, pool: Pool, rounds: int
) -> None:
    async with running(settings, pool) as other:
        other.offset = 1_000_000
        for n in range(rounds):
            phone = f"+7900{n:07d}"
            lead = await leads.lead_of(name="Иван", phone=phone)
            await leads.send(lead, "reject", status="price")
            first, second = leads.arrival(name="Иван", phone=phone), other.arrival(name="Иван", phone=phone)
            await asyncio.gather(leads.take(first), other.take(second))
            one, two = await leads.outcome(first), await leads.outcome(second)
            assert one["lead"] == two["lead"] != lead
            assert {one["outcome"], two["outcome"]} == {"accepted", "joined"}


async def test_K5_form_without_contact_is_quarantined_with_the_reason(leads: Leads) -> None:
    work = leads.arrival(name="Иван", comment="Позвоните!")
    await leads.take(work)
    outcome = await leads.outcome(work)
    assert outcome["outcome"] == "quarantined"
    assert outcome["reason"].startswith("no_contact")
    assert await leads.pool.fetchval("SELECT count(*) FROM leadline.intake") == 1


async def test_C4_responsibles_get_leads_in_turn_and_the_event_says_why(leads: Leads) -> None:
    got = []
    for n in range(4):
        lead = await leads.lead_of(name="Иван", phone=f"+7900111000{n}")
        assigned = next(r for r in await leads.history(lead) if r.meta.type.endswith("assigned"))
        got.append((assigned.data.to, assigned.data.reason, assigned.data.candidates))
    assert [to for to, _, _ in got] == ["anna", "boris", "anna", "boris"]
    assert got[0][1:] == ("in_turn", ("anna", "boris"))


async def test_S3_pause_keeps_its_date_and_reopens_to_the_stage_it_left(leads: Leads) -> None:
    lead = await to_closing(leads)
    until = (datetime.now(UTC) + timedelta(days=30)).date()
    assert (await leads.send(lead, "pause", until=until, reason="отпуск")).outcome == "done"
    assert (await leads.send(lead, "reopen")).outcome == "done"
    entered = [r.data for r in await leads.history(lead) if isinstance(r.data, StageEntered)][-1]
    assert (entered.stage, entered.direction) == ("closing", "return")


async def test_M7_erased_person_is_unreadable_and_commands_are_refused(leads: Leads) -> None:
    lead = await leads.lead_of(name="Иван", phone="8 900 123-45-67")
    contact = (await leads.history(lead))[0].data.contact
    assert (await leads.erase(contact)).outcome == "done"
    assert (await leads.history(lead))[0].data.name is ERASED
    result = await leads.send(lead, "see")
    assert result.refusal is not None
    assert (result.refusal.rules, result.refusal.status) == (("M7.not_erased",), 410)
    assert await leads.lead_of(name="Иван", phone="8 900 123-45-67") != lead
    assert await leads.pool.fetchval("SELECT count(*) FROM vault.keys WHERE destroyed_at IS NOT NULL") == 2


async def test_K1_digest_chain_holds_over_every_stream(leads: Leads) -> None:
    from contracts.meta import digest_of

    await to_closing(leads)
    rows = await leads.pool.fetch("SELECT * FROM leadline.events ORDER BY originator_id, originator_version")
    last: dict[object, bytes] = {}
    for row in rows:
        stream = row["originator_id"]
        assert row["digest"] == digest_of(last.get(stream, b""), row["state"])
        last[stream] = row["digest"]
    assert await leads.pool.fetchval("SELECT count(*) FROM leadline.outbox WHERE value IS NULL") == len(rows)


async def test_N15_phone_written_on_the_card_finds_the_person_later(leads: Leads) -> None:
    lead = await leads.lead_of(name="Иван", email="ivan@example.org")
    await leads.send(lead, "record", fields={"phone": "8 900 555-55-55"})
    assert await leads.lead_of(name="Иван", phone="+79005555555") == lead


async def test_K2_answers_to_people_are_kept_90_days_and_to_machines_for_ever(leads: Leads) -> None:
    lead = await leads.lead_of(name="Иван", phone="+79001234567")
    robot = Actor(id="robot:1", kind="robot")
    await leads.send(lead, "see")
    await leads.send(lead, "assign", by=robot, to="anna")
    async with leads.pool.acquire() as database:
        assert await store.forget_old_commands(database, datetime.now(UTC) - timedelta(days=90)) == 0
        assert await store.forget_old_commands(database, datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert await leads.pool.fetchval("SELECT count(*) FROM leadline.commands WHERE NOT by_person") == 1
