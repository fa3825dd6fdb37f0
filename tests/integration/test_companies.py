"""Companies on real servers: made once, found again, joined by people, projected, verified, erased (P10, C1, M7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contracts.personal import ERASED
from projections.people.companies import reading as companies
from services.database import Pool
from services.leads.reading import read_history
from services.privacy.store import KeyRing
from services.settings import Settings
from tests.integration.import_case import run_import
from tests.integration.leads_case import running
from tests.integration.test_verify import System

pytestmark = pytest.mark.kafka


@pytest.fixture
async def system(settings: Settings, pool: Pool) -> AsyncIterator[System]:
    async with running(settings, pool) as leads:
        yield System(settings, pool, leads)


async def up_to_date(system: System) -> None:
    await system.publish()
    await system.project()
    report = await system.verify()
    assert list(map(str, report.differences)) == []


async def contact_of(system: System, lead: UUID) -> UUID:
    contact: UUID = (await system.leads.history(lead))[0].data.contact
    return contact


async def companies_of(system: System, lead: UUID) -> list[UUID]:
    history = await system.leads.history(await contact_of(system, lead))
    return [r.data.company for r in history if r.meta.type == "leadline.contact.company_joined"]


async def made(system: System) -> list[UUID]:
    rows = await system.pool.fetch(
        "SELECT originator_id FROM leadline.events WHERE topic = 'leadline.company.made' ORDER BY recorded_at"
    )
    return [row[0] for row in rows]


async def test_P10_two_people_of_one_firm_get_one_company_however_its_name_is_written(
    system: System, settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    leads = system.leads
    one = await leads.lead_of(name="Иван", phone="+79000000001", company="ООО «Ромашка»")
    other = await leads.lead_of(
        name="Мария", phone="+79000000002", company="ромашка, ООО", site="https://romashka.ru/a"
    )
    by_hand, later, search = uuid4(), uuid4(), uuid4()
    await leads.send(by_hand, "capture", phone="+79000000003", company='"Ромашка"')
    await leads.send(later, "capture", phone="+79000000004")
    assert await companies_of(system, later) == []
    for _ in range(2):
        await leads.send(later, "record", fields={"company": "ООО РОМАШКА"})
    await leads.send(search, "capture", company="Ромашка")
    file = tmp_path / "leads.csv"
    file.write_text("id,stage,name,phone,company\n1,new,Анна,+79000000005,ООО Ромашка\n", "utf-8")
    await run_import(settings, pool, file, pipeline="classic")
    imported = await pool.fetchval("SELECT lead FROM leadline.import_rows")
    [company] = await made(system)
    for lead in (one, other, by_hand, later, search, imported):
        assert await companies_of(system, lead) == [company]
    await leads.lead_of(name="Иван", phone="+79000000001", company="Ромашка", comment="ещё")
    assert await companies_of(system, one) == [company], "a person joins a company once"
    await up_to_date(system)
    async with pool.acquire() as connection:
        [found] = await companies.search(connection, "ромаш")
        whole = await companies.company(connection, found.company)
    assert whole is not None
    assert (whole.company, whole.name, whole.sites) == (company, "ООО «Ромашка»", ["romashka.ru"])
    assert {lead.lead for lead in whole.leads} == {one, other, by_hand, later, search, imported}
    assert len(whole.people) == 6
    sealed = await pool.fetchval("SELECT count(*) FROM leadline.events WHERE position('омашка'::bytea IN state) > 0")
    assert sealed == 0


async def test_P10_companies_of_one_name_are_told_apart_by_site_and_phone(system: System) -> None:
    leads = system.leads
    first = await leads.lead_of(name="Иван", phone="+79000000001", company="Ромашка", site="romashka-kazan.ru")
    second = await leads.lead_of(name="Мария", phone="+79000000002", company="Ромашка", site="romashka-tula.ru")
    again = await leads.lead_of(name="Пётр", phone="+79000000003", company="Ромашка плюс", site="www.romashka-tula.ru")
    by_name = await leads.lead_of(name="Анна", phone="+79000000004", company="Ромашка")
    phone = {"company": "Ромашка Тула", "company_phone": "8 4872 12-34-56", "site": "romashka-tula.ru"}
    by_phone = {"company": "Без сайта", "company_phone": "+7 4872 123456"}
    await leads.lead_of(name="Олег", phone="+79000000005", **phone)
    called = await leads.lead_of(name="Яна", phone="+79000000006", **by_phone)
    kazan, tula = await made(system)
    found = {lead: await companies_of(system, lead) for lead in (first, second, again, by_name, called)}
    assert found == {first: [kazan], second: [tula], again: [tula], by_name: [kazan], called: [tula]}
    await up_to_date(system)


async def test_P10_two_first_leads_of_a_new_company_at_once_make_one(system: System, settings: Settings) -> None:
    async with running(settings, system.pool) as others:
        for n in range(20):
            said = {"company": f"Фирма {n}", "site": f"firm{n}.ru"}
            one = system.leads.arrival(name="Иван", phone=f"+7901{n:07d}", **said)
            other = others.arrival(name="Мария", phone=f"+7902{n:07d}", **said)
            await asyncio.gather(system.leads.take(one), others.take(other))
            leads = [(await system.leads.outcome(work))["lead"] for work in (one, other)]
            assert (
                await companies_of(system, leads[0])
                == await companies_of(system, leads[1])
                == [(await made(system))[-1]]
            )
    assert len(await made(system)) == 20
    await up_to_date(system)


async def test_M7_erased_person_leaves_the_company_and_an_erased_company_leaves_its_people(system: System) -> None:
    leads = system.leads
    one = await leads.lead_of(name="Иван", phone="+79000000001", company="ИП Иванов", site="ivanov.ru")
    other = await leads.lead_of(name="Мария", phone="+79000000002", company="Иванов")
    [company] = await made(system)
    await leads.erase(await contact_of(system, one))
    await up_to_date(system)
    async with system.pool.acquire() as connection:
        whole = await companies.company(connection, company)
        assert whole is not None
        assert (whole.name, {p.name for p in whole.people}) == ("ИП Иванов", {None, "Мария"})
    result = await leads.erase(company)
    assert result.outcome == "done"
    assert (await leads.erase(company)).outcome == "refused"
    await up_to_date(system)
    async with system.pool.acquire() as connection:
        assert await companies.search(connection, "иванов") == []
        whole = await companies.company(connection, company)
        history = await read_history(connection, KeyRing(leads.settings.master_key_bytes), company)
    assert whole is not None
    assert (whole.name, whole.sites, whole.erased) == (None, [], True)
    assert history[0].data.name is ERASED
    assert (await leads.history(other))[0].data.name == "Мария"
    assert await system.pool.fetchval("SELECT count(*) FROM leadline.company_identities") == 0
    new = await leads.lead_of(name="Пётр", phone="+79000000003", company="Иванов")
    assert await companies_of(system, new) == [(await made(system))[-1]] != [company]
    await up_to_date(system)


async def test_M2_verify_names_a_company_claim_that_no_event_made_and_a_row_that_is_not_right(system: System) -> None:
    await system.leads.lead_of(name="Иван", phone="+79000000001", company="Ромашка")
    await up_to_date(system)
    await system.pool.execute("UPDATE leadline.company_identities SET kind = 'site'")
    await system.pool.execute("UPDATE proj_people_1.companies SET name = 'Чужая'")
    said = [str(difference) for difference in (await system.verify()).differences]
    assert len(said) == 2
    assert "claims" in said[0] + said[1]
    assert "people.companies" in said[0] + said[1]
    assert "Чужая" not in said[0] + said[1]
