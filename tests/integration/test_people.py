"""Merging, un-merging and the person behind leads, on a real Postgres (N15, N16, N17, C1, C3, C7, C9, P4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from contracts import events as e
from contracts.commands import Command, Refusal, Unmerge
from contracts.meta import Actor
from contracts.personal import ERASED
from services.clock import SystemClock
from services.database import Pool
from services.leads.batch import LeadBatch
from services.leads.domain.merging import unmerge
from services.leads.memory import Memory
from services.leads.people.looking_up import look_up_persons, stale
from services.leads.people.reading import merge_case
from services.leads.reading import lead_state
from services.pipelines.registry import publish
from services.privacy.store import KeyRing
from services.settings import Settings
from tests.integration.leads_case import ANNA, HEAD, Leads, running
from tests.unit.given_lead import THEN

PHONE, EMAIL = "+79001234567", "ivan@example.org"


@pytest.fixture
async def leads(settings: Settings, pool: Pool) -> AsyncIterator[Leads]:
    async with running(settings, pool) as it:
        yield it


async def two(leads: Leads) -> tuple[UUID, UUID]:
    """Two leads of one man, who is two persons to us: by his e-mail, and by his phone."""
    return await leads.lead_of(name="Иван", email=EMAIL), await leads.lead_of(name="Иван Петров", phone=PHONE)


async def contact_of(leads: Leads, lead: UUID) -> UUID:
    contact: UUID = (await leads.history(lead))[0].data.contact
    return contact


async def done(leads: Leads, lead: UUID, name: str, **more: object) -> None:
    result = await leads.send(lead, name, **{"by": HEAD, **more})  # type: ignore[arg-type]
    assert result.outcome == "done", result.refusal


async def refused(leads: Leads, lead: UUID, name: str, **more: object) -> str:
    result = await leads.send(lead, name, **{"by": HEAD, **more})  # type: ignore[arg-type]
    assert result.refusal is not None
    assert result.refusal.ru
    assert result.refusal.en
    return result.refusal.rules[0]


async def claims(leads: Leads) -> set[tuple[UUID, UUID]]:
    rows = await leads.pool.fetch("SELECT contact, lead FROM leadline.open_leads")
    return {(row[0], row[1]) for row in rows}


async def heads(leads: Leads) -> dict[UUID, UUID]:
    rows = await leads.pool.fetch("SELECT contact, head FROM leadline.merged_contacts")
    return {row[0]: row[1] for row in rows}


async def test_N15_messages_of_either_identity_go_to_the_lead_that_goes_on(leads: Leads) -> None:
    one, other = await two(leads)
    await done(leads, other, "merge", into=one)
    assert await leads.lead_of(name="Иван", phone=PHONE) == one
    assert await leads.lead_of(name="Иван", email=EMAIL) == one
    assert (await leads.types(other))[-1] == "merged"
    assert "absorbed" in await leads.types(one)
    assert await claims(leads) == {(await contact_of(leads, one), one)}


async def test_N16_undone_merge_leaves_both_as_before_and_names_what_came_by_the_other(leads: Leads) -> None:
    one, other = await two(leads)
    before = await leads.types(other)
    await done(leads, other, "merge", into=one)
    await leads.lead_of(name="Иван", phone=PHONE, comment="по телефону другого")
    by_phone = (await leads.history(one))[-1].meta
    await leads.lead_of(name="Иван", email=EMAIL, comment="по своей почте")
    assert by_phone.person == await contact_of(leads, other), "it is sealed under the key of whom it came by"
    await done(leads, other, "unmerge")
    released = (await leads.history(one))[-1].data
    assert released.moved == (by_phone.version,)
    assert (await leads.types(other))[: len(before)] == before
    entered = (await leads.history(other))[-1].data
    assert (entered.stage, entered.cause, entered.basis) == ("new", "unmerged", "correction")
    assert await leads.lead_of(name="Иван", phone=PHONE) == other
    assert await leads.lead_of(name="Иван", email=EMAIL) == one
    assert await claims(leads) == {(await contact_of(leads, lead), lead) for lead in (one, other)}


async def test_N16_person_set_apart_again_can_be_erased_alone_with_what_came_by_them(leads: Leads) -> None:
    one, other = await two(leads)
    await done(leads, other, "merge", into=one)
    await leads.lead_of(name="Иван", phone=PHONE, comment="секрет")
    await leads.lead_of(name="Иван", email=EMAIL, comment="своё")
    await done(leads, other, "unmerge")
    await leads.erase(await contact_of(leads, other))
    joined = [r.data.comment for r in await leads.history(one) if r.meta.type.endswith("inbound_joined")]
    assert joined == [ERASED, "своё"]


async def test_M7_erasing_the_one_that_goes_on_erases_whom_it_absorbed(leads: Leads) -> None:
    one, other = await two(leads)
    await done(leads, other, "merge", into=one)
    assert (await leads.erase(await contact_of(leads, one))).outcome == "done"
    for lead in (one, other):
        assert (await leads.history(lead))[0].data.name is ERASED
    for contact in (await contact_of(leads, one), await contact_of(leads, other)):
        assert (await leads.types(contact))[-1] == "person_erased"
    assert await leads.lead_of(name="Иван", phone=PHONE) not in (one, other)


async def test_C3_merge_settles_a_shared_phone_and_its_undoing_brings_the_mark_back(leads: Leads) -> None:
    one = await leads.lead_of(name="Иван", phone=PHONE)
    other = await leads.lead_of(name="Пётр", phone=PHONE, email=EMAIL)
    assert await leads.pool.fetchval("SELECT shared FROM leadline.identities WHERE kind = 'phone'")
    await done(leads, other, "merge", into=one)
    assert not await leads.pool.fetchval("SELECT shared FROM leadline.identities WHERE kind = 'phone'")
    assert await leads.lead_of(name="Иван", phone=PHONE) == one
    await done(leads, other, "unmerge")
    assert await leads.pool.fetchval("SELECT shared FROM leadline.identities WHERE kind = 'phone'")


async def test_C3_two_people_with_one_phone_are_dismissed_as_duplicates_once(leads: Leads) -> None:
    one = await leads.lead_of(name="Иван", phone=PHONE)
    other = await leads.lead_of(name="Мария", phone=PHONE)
    contact = await contact_of(leads, one)
    await done(leads, other, "dismiss", other_contact=contact)
    await done(leads, other, "dismiss", other_contact=contact)
    assert (await leads.types(other)).count("duplicate_dismissed") == 1
    assert await refused(leads, one, "dismiss", other_contact=contact) == "C3.suspected_duplicate"


async def test_N16_merges_that_would_lose_something_are_refused_in_words(leads: Leads) -> None:
    one, other = await two(leads)
    assert await refused(leads, one, "merge", into=one) == "N16.into_a_lead"
    assert await refused(leads, one, "merge", into=UUID(int=7)) == "N16.into_a_lead"
    assert await refused(leads, one, "unmerge") == "N16.is_merged"
    third = await leads.lead_of(name="Олег", phone="+79005550000")
    await done(leads, other, "merge", into=one)
    assert await refused(leads, other, "merge", into=third) == "N16.not_merged_yet"
    assert await refused(leads, third, "merge", into=other) == "N16.into_a_lead"
    assert await refused(leads, other, "see") == "N16.not_merged"
    await done(leads, one, "merge", into=third)
    assert await refused(leads, other, "unmerge") == "N16.last_first"
    await done(leads, one, "unmerge")
    await done(leads, other, "unmerge")
    await done(leads, third, "reject", status="price")
    assert await refused(leads, one, "merge", into=third) == "N16.into_the_livelier"
    await done(leads, third, "merge", into=one)


async def test_N16_undoing_a_merge_that_a_later_one_rests_on_is_refused_until_that_one_is_undone(
    leads: Leads, settings: Settings
) -> None:
    first = await leads.lead_of(name="Иван", email=EMAIL)
    await done(leads, first, "reject", status="price")
    second = await leads.lead_of(name="Иван", email=EMAIL)
    await done(leads, second, "reject", status="price")
    pyotr = await leads.lead_of(name="Пётр", phone=PHONE)
    await done(leads, pyotr, "reject", status="price")
    olga = await leads.lead_of(name="Ольга", phone="+79005550000")
    of_ivan, of_pyotr, of_olga = [await contact_of(leads, lead) for lead in (first, pyotr, olga)]
    await done(leads, first, "merge", into=pyotr)
    await done(leads, second, "merge", into=olga)
    before = await heads(leads)
    assert before == {of_ivan: of_olga, of_pyotr: of_olga}
    command = Command(id=uuid4(), lead=first, actor=HEAD, body=Unmerge())
    ring = KeyRing(settings.master_key_bytes)
    async with leads.pool.acquire() as database:
        state = await lead_state(database, ring, first)
        assert state is not None
        shown = unmerge(await merge_case(database, ring, command, state))
    assert isinstance(shown, Refusal), "who looks first sees the same"
    assert shown.rules == ("N16.last_first",)
    assert await refused(leads, first, "unmerge") == "N16.last_first"
    assert await heads(leads) == before
    await done(leads, second, "unmerge")
    assert await heads(leads) == {of_ivan: of_pyotr}
    await done(leads, first, "unmerge")
    assert await heads(leads) == {}
    assert await leads.lead_of(name="Ольга", phone="+79005550000") == olga
    assert await claims(leads) == {(of_olga, olga)}


async def test_N16_seller_merges_own_leads_only(leads: Leads) -> None:
    one, other = await two(leads)
    assert await refused(leads, other, "merge", into=one, by=ANNA) == "N16.own_leads"
    await done(leads, other, "assign", to="anna")
    await done(leads, one, "assign", to="anna")
    await done(leads, other, "merge", into=one, by=ANNA)


async def test_N16_undoing_that_would_give_one_person_two_open_leads_is_refused(leads: Leads) -> None:
    one, other = await two(leads)
    await done(leads, other, "merge", into=one)
    await done(leads, one, "reject", status="price")
    again = await leads.lead_of(name="Иван", phone=PHONE)
    assert again not in (one, other)
    assert await refused(leads, other, "unmerge") == "C3.one_open_lead"
    await done(leads, again, "reject", status="price")
    await done(leads, other, "unmerge")
    assert await leads.lead_of(name="Иван", phone=PHONE) == other


async def test_N17_merge_copies_nothing(leads: Leads) -> None:
    one, other = await two(leads)
    count = "SELECT count(*) FROM leadline.events WHERE topic NOT LIKE '%merged' AND topic NOT LIKE '%absorbed'"
    before = await leads.pool.fetchval(count)
    await done(leads, other, "merge", into=one)
    assert await leads.pool.fetchval(count) == before


@pytest.mark.parametrize("rounds", [50])
async def test_N16_merge_while_a_message_arrives_never_loses_it_nor_makes_a_second_lead(
    leads: Leads, settings: Settings, pool: Pool, rounds: int
) -> None:
    async with running(settings, pool) as door:
        door.offset = 1_000_000
        for n in range(rounds):
            phone = f"+7900{n:07d}"
            one = await leads.lead_of(name="Иван", email=f"ivan{n}@example.org")
            other = await leads.lead_of(name="Иван", phone=phone)
            work = door.arrival(name="Иван", phone=phone)
            merged, _ = await asyncio.gather(leads.send(other, "merge", by=HEAD, into=one), door.take(work))
            assert merged.outcome == "done", merged.refusal
            outcome = await door.outcome(work)
            assert outcome["outcome"] == "joined"
            types = await leads.types(other)
            if outcome["lead"] == other:
                assert types.index("inbound_joined") < types.index("merged"), "nothing joins a lead that has ended"
            else:
                assert outcome["lead"] == one
    assert await leads.pool.fetchval("SELECT count(*) FROM leadline.open_leads") == rounds


async def test_N16_batch_that_read_a_chain_before_it_grew_sees_under_the_locks_that_it_did(
    leads: Leads, settings: Settings
) -> None:
    olga = await leads.lead_of(name="Ольга", phone="+79005550000")
    ivan, third = await two(leads)
    of_olga, of_ivan, of_third = [await contact_of(leads, lead) for lead in (olga, ivan, third)]
    await done(leads, third, "merge", into=ivan)
    await done(leads, ivan, "merge", into=olga)
    memory = Memory(KeyRing(settings.master_key_bytes))
    async with leads.pool.acquire() as database, database.transaction():
        batch = LeadBatch(settings, memory.ring, memory.cache, [], [], THEN)
        batch.persons.put({of_third: of_ivan})  # as it was read, without locks, before the second merge
        await look_up_persons(batch, database, {of_third})
        assert stale(batch, batch.persons) >= {of_ivan, of_olga}, "the batch begins again, with the locks of both"


async def test_C7_refusal_is_kept_on_the_person_with_its_proof(leads: Leads) -> None:
    lead = await leads.lead_of(name="Иван", phone=PHONE)
    await done(leads, lead, "permit", channel="all", allowed=False, how="call", words="не звоните")
    await done(leads, lead, "permit", channel="all", allowed=False, how="call", words="не звоните")
    recorded = [r.data for r in await leads.history(await contact_of(leads, lead)) if "permission" in r.meta.type]
    assert [p.channel for p in recorded] == ["phone", "sms", "email", "messenger", "ads"]
    assert {(p.allowed, p.how, p.words, p.lead) for p in recorded} == {(False, "call", "не звоните", lead)}


async def test_C9_person_confirms_or_denies_a_phone_and_an_unknown_one_is_refused(leads: Leads) -> None:
    lead = await leads.lead_of(name="Иван", phone=PHONE)
    contact = await contact_of(leads, lead)
    await done(leads, lead, "confirm", kind="phone", value="8 900 123-45-67")
    await done(leads, lead, "confirm", kind="phone", value=PHONE)
    assert (await leads.types(contact)).count("identity_confirmed") == 1
    await done(leads, lead, "confirm", kind="phone", value=PHONE, right=False)
    assert (await leads.types(contact))[-1] == "identity_wrong"
    assert await refused(leads, lead, "confirm", kind="email", value="other@example.org") == "C9.known_identity"


RETURNING = """
pipeline: returning
titles: {ru: "С возвратом", en: "With returns"}
conversion_point: deal
stages:
  - {id: call, titles: {ru: "Контакт", en: "Contact"}, kind: open}
  - {id: work, titles: {ru: "Работа", en: "Work"}, kind: open}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: closed, titles: {ru: "Закрыто", en: "Closed"}, kind: lost, reopen: {client: true, to: call}}
  - {id: final, titles: {ru: "Навсегда", en: "For good"}, kind: lost}
  - {id: garbage, titles: {ru: "Плохие данные", en: "Bad data"}, kind: lost, outcome: bad_data}
  - {id: later, titles: {ru: "Отложен", en: "Put off"}, kind: postponed, reopen: {client: true}}
"""


@pytest.fixture
async def returning(settings: Settings, pool: Pool) -> AsyncIterator[Leads]:
    """Leads of a pipeline that lets clients come back, and that deletes bad data."""
    await publish(pool, SystemClock(), RETURNING, Actor(id="test", kind="system"))
    async with running(settings.model_copy(update={"default_pipeline": "returning"}), pool) as it:
        yield it


async def test_P4_client_reopens_a_closed_lead_at_once_to_the_stage_stated(returning: Leads) -> None:
    lead = await returning.lead_of(name="Иван", phone=PHONE)
    await done(returning, lead, "move", to="work")
    await done(returning, lead, "reject", status="closed")
    assert await returning.lead_of(name="Иван", phone=PHONE, comment="я передумал") == lead
    history = await returning.history(lead)
    assert [r.meta.type.rpartition(".")[2] for r in history[-3:]] == ["inbound_joined", "reopened", "stage_entered"]
    entered = history[-1]
    assert (entered.data.stage, entered.data.cause, entered.data.direction) == ("call", "reopened", "return")
    assert entered.meta.actor.kind == "system"
    assert await claims(returning) == {(await contact_of(returning, lead), lead)}
    assert await returning.lead_of(name="Иван", phone=PHONE) == lead


async def test_N12_client_brings_a_postponed_lead_back_to_the_stage_it_left(returning: Leads) -> None:
    lead = await returning.lead_of(name="Иван", phone=PHONE)
    await done(returning, lead, "move", to="work")
    await done(returning, lead, "pause", until="2099-01-01", reason="отпуск", status="later")
    assert await returning.lead_of(name="Иван", phone=PHONE) == lead
    entered = [r.data for r in await returning.history(lead) if isinstance(r.data, e.StageEntered)]
    assert entered[-1].stage == "work"


async def test_N15_lead_whose_stage_says_nothing_of_the_client_stays_closed(returning: Leads) -> None:
    first = await returning.lead_of(name="Иван", phone=PHONE)
    await done(returning, first, "reject", status="closed")
    second = await returning.lead_of(name="Иван", phone=PHONE)
    assert second == first
    await done(returning, first, "reject", status="final")
    third = await returning.lead_of(name="Иван", phone=PHONE)
    assert third != first
    await done(returning, third, "reject", status="closed")
    works = [returning.arrival(name="Иван", phone=PHONE, comment=str(n)) for n in range(5)]
    await returning.take(*works)
    assert {(await returning.outcome(work))["lead"] for work in works} == {third}, "the one that was closed last"
    assert (await returning.types(third)).count("reopened") == 1


async def test_C1_bad_data_is_deleted_at_once_and_the_lead_still_counts(returning: Leads) -> None:
    lead = await returning.lead_of(name="asdf", phone=PHONE)
    contact = await contact_of(returning, lead)
    await done(returning, lead, "reject", status="garbage", comment="мусор")
    history = await returning.history(lead)
    assert history[0].data.name is ERASED
    assert next(r.data for r in history if r.meta.type.endswith(".rejected")).outcome == "bad_data"
    erased = (await returning.history(contact))[-1]
    assert (erased.data.reason, erased.meta.command) == ("bad_data", history[-1].meta.command)
    assert await returning.lead_of(name="Иван", phone=PHONE) != lead


async def test_C1_bad_data_is_refused_while_the_person_has_another_lead(returning: Leads) -> None:
    first = await returning.lead_of(name="Иван", phone=PHONE)
    await done(returning, first, "reject", status="final")
    second = await returning.lead_of(name="Иван", phone=PHONE)
    await done(returning, second, "move", to="work")
    await done(returning, second, "convert")
    third = await returning.lead_of(name="Иван", phone=PHONE)
    assert third not in (first, second)
    before = await returning.types(third)
    assert await refused(returning, third, "reject", status="garbage") == "C1.only_lead_of_person"
    assert await returning.types(third) == before


async def test_P7_recommendation_stands_on_both_leads(returning: Leads) -> None:
    by, new = await returning.lead_of(name="Иван", phone=PHONE), uuid4()
    await done(returning, new, "capture", company="ООО «Олег»", phone="+79005550000", recommended_by=by)
    assert (await returning.history(new))[0].data.recommended_by == by
    assert (await returning.history(by))[-1].data.lead == new
    assert (
        await refused(returning, uuid4(), "capture", company="Яна", recommended_by=UUID(int=7))
        == "P7.known_recommender"
    )


async def test_N16_merge_cut_off_midway_is_whole_or_not_at_all(leads: Leads) -> None:
    cut = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
                   AND backend_type = 'client backend'"""
    for n in range(15):
        one = await leads.lead_of(name="Иван", email=f"ivan{n}@example.org")
        other = await leads.lead_of(name="Иван", phone=f"+7900{n:07d}")
        command = uuid4()
        merging = asyncio.create_task(leads.send(other, "merge", by=HEAD, id=command, into=one))
        await asyncio.sleep(0.001 * n)
        await leads.pool.execute(cut)
        # whatever the door was told, the same command sent again is done once
        await asyncio.gather(merging, return_exceptions=True)
        repeat = await leads.send(other, "merge", by=HEAD, id=command, into=one)
        assert repeat.outcome == "done"
        assert (await leads.types(other)).count("merged") == 1
        assert (await leads.types(one)).count("absorbed") == 1
        merged = await leads.pool.fetchval(
            "SELECT head FROM leadline.merged_contacts WHERE contact = $1", await contact_of(leads, other)
        )
        assert merged == await contact_of(leads, one)
    assert len(await claims(leads)) == 15
