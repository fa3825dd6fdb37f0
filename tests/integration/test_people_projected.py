"""Merged leads and people in the projections, held against the events by `verify` (N15, N16, C3, M2, M7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from projections.board import store as board
from projections.people import reading as people
from services.database import Pool
from services.settings import Settings
from tests.integration.leads_case import HEAD, running
from tests.integration.test_verify import System

pytestmark = pytest.mark.kafka

PHONE, EMAIL = "+79001234567", "ivan@example.org"


@pytest.fixture
async def system(settings: Settings, pool: Pool) -> AsyncIterator[System]:
    async with running(settings, pool) as leads:
        yield System(settings, pool, leads)


async def counted(system: System) -> dict[str, int]:
    async with system.pool.acquire() as connection:
        return {column.stage: column.count for column in await board.columns(connection, "classic")}


async def found(system: System, **by: str) -> list[people.Person]:
    async with system.pool.acquire() as connection:
        return await people.search(connection, **by)  # type: ignore[arg-type]


async def up_to_date(system: System) -> None:
    await system.publish()
    await system.project()
    report = await system.verify()
    assert list(map(str, report.differences)) == []


async def contact_of(system: System, lead: UUID) -> UUID:
    contact: UUID = (await system.leads.history(lead))[0].data.contact
    return contact


async def test_N16_merge_and_its_undoing_leave_board_search_and_verify_right(system: System) -> None:
    leads = system.leads
    one = await leads.lead_of(name="Иван", email=EMAIL)
    other = await leads.lead_of(name="Иван Петров", phone=PHONE)
    await leads.send(other, "merge", by=HEAD, into=one)
    await leads.lead_of(name="Иван", phone=PHONE, comment="ещё")
    await up_to_date(system)
    assert await counted(system) == {"new": 1}
    [person] = await found(system, phone=PHONE)
    assert (person.contact, person.phones, person.emails) == (await contact_of(system, one), [PHONE], [EMAIL])
    assert set(person.leads) == {one, other}
    async with system.pool.acquire() as connection:
        cards, _ = await board.cards(connection, "classic", "new")
    assert [card.lead for card in cards] == [one]
    await leads.send(other, "unmerge", by=HEAD)
    await up_to_date(system)
    assert await counted(system) == {"new": 2}
    [person] = await found(system, phone=PHONE)
    assert (person.contact, person.leads) == (await contact_of(system, other), [other])
    await leads.erase(await contact_of(system, other))
    await up_to_date(system)
    assert [p.erased for p in await found(system, email=EMAIL)] == [False]


async def test_M7_erased_merged_person_leaves_nothing_readable_anywhere(system: System) -> None:
    leads = system.leads
    one = await leads.lead_of(name="Иван", email=EMAIL)
    other = await leads.lead_of(name="Иван Петров", phone=PHONE)
    await leads.send(other, "merge", by=HEAD, into=one)
    await leads.lead_of(name="Иван", phone=PHONE, comment="ещё")
    await leads.erase(await contact_of(system, other))
    await up_to_date(system)
    assert await found(system, phone=PHONE) == await found(system, email=EMAIL) == []
    assert await system.pool.fetchval("SELECT count(*) FROM vault.keys WHERE wrapped IS NOT NULL") == 0


async def test_C3_suspected_duplicates_are_listed_until_somebody_decides(system: System) -> None:
    leads = system.leads
    one = await leads.lead_of(name="Иван", phone=PHONE)
    maria = await leads.lead_of(name="Мария", phone=PHONE)
    pyotr = await leads.lead_of(name="Пётр", phone=PHONE)
    await up_to_date(system)
    async with system.pool.acquire() as connection:
        listed, _ = await people.duplicates(connection)
    assert {(d.lead, d.other_leads[0]) for d in listed} == {(maria, one), (pyotr, one)}
    await leads.send(maria, "dismiss", by=HEAD, other_contact=await contact_of(system, one))
    await leads.send(pyotr, "merge", by=HEAD, into=one)
    await up_to_date(system)
    async with system.pool.acquire() as connection:
        assert await people.duplicates(connection) == ([], None)
    assert await system.pool.fetchval("SELECT shared FROM leadline.identities"), "Мария uses it still"
