"""People at the door: a person, what they allow, what a merge would do; the pages in both languages (C3, C7, C9, N16, P7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.database import Pool
from services.settings import Settings
from tests.integration.test_verify import System
from tests.integration.web_case import Forms, Web, command, door_over

PHONE, EMAIL = "+79001234567", "ivan@example.org"


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    async with door_over(settings, pool) as it:
        yield it


async def read(web: Web, path: str) -> Any:
    async with web.api("head") as api:
        answer = await api.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_C7_permission_is_shown_with_its_proof_and_words_of_a_message_only_propose(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone=PHONE, comment="И не звоните мне больше, пожалуйста!")
    contact = (await read(web, f"/api/leads/{lead}"))["contact"]
    person = await read(web, f"/api/people/{contact}")
    assert {c["channel"]: c["allowed"] for c in person["channels"]} == dict.fromkeys(
        ["phone", "sms", "email", "messenger", "ads"], True
    ), "words of a message are not obeyed by themselves"
    [proposal] = person["proposals"]
    assert (proposal["channels"], proposal["words"]) == (["phone"], "не звоните")
    async with web.api("seller") as api:
        body = {"channel": "phone", "allowed": False, "how": "form", "words": "не звоните мне"}
        assert (await command(api, lead, "permit", body)).status_code == 200
    person = await read(web, f"/api/people/{contact}")
    phone = next(c for c in person["channels"] if c["channel"] == "phone")
    assert (phone["allowed"], phone["proof"]["how"], phone["proof"]["by"]) == (False, "form", "anna")
    assert phone["proof"]["words"] == "не звоните мне"
    assert person["proposals"] == [], "it is decided"


async def test_N16_preview_says_what_a_merge_does_and_what_goes_when_it_is_undone(web: Web) -> None:
    one = await web.leads.lead_of(name="Иван", email=EMAIL)
    other = await web.leads.lead_of(name="Иван Петров", phone=PHONE)
    preview = await read(web, f"/api/leads/{other}/merge/preview?into={one}")
    assert (preview["allowed"], preview["people"], preview["identities"]) == (True, True, [f"phone:{PHONE}"])
    before = await web.leads.types(other)
    async with web.api("head") as api:
        assert (await command(api, other, "merge", {"into": str(one)})).status_code == 200
    assert await web.leads.types(other) == [*before, "merged"]
    assert (await read(web, f"/api/leads/{one}"))["absorbed"] == [str(other)]
    assert (await read(web, f"/api/leads/{other}"))["merged_into"] == str(one)
    await web.leads.lead_of(name="Иван", phone=PHONE, comment="по номеру другого")
    await web.leads.lead_of(name="Иван", email=EMAIL, comment="по своей почте")
    preview = await read(web, f"/api/leads/{other}/unmerge/preview")
    assert [event["data"]["comment"] for event in preview["moved"]] == ["по номеру другого"]
    contact = (await read(web, f"/api/leads/{other}"))["contact"]
    person = await read(web, f"/api/people/{contact}")
    assert {lead["lead"] for lead in person["leads"]} == {str(one), str(other)}
    async with web.api("head") as api:
        assert (await command(api, other, "unmerge", {})).status_code == 200
        refused = await api.get(f"/api/leads/{other}/unmerge/preview")
    assert (refused.json()["allowed"], refused.json()["rules"]) == (False, ["N16.is_merged"])


async def test_U_pages_of_people_stand_in_both_languages_and_merge_by_hand(web: Web) -> None:
    one = await web.leads.lead_of(name="Иван", phone=PHONE)
    other = await web.leads.lead_of(name="Мария", phone=PHONE, comment="please unsubscribe me")
    contact = (await read(web, f"/api/leads/{other}"))["contact"]
    browser = await web.signed_in("head")
    for language in ("ru", "en"):
        for path in (f"/leads/{other}", f"/people/{contact}", "/duplicates"):
            page = await browser.get(f"{path}?lang={language}")
            assert page.status_code == 200, page.text
    page = await browser.get(f"/leads/{other}?lang=en")
    assert "This may be a refusal of contact" in page.text
    fields = Forms(page.text).to(f"/leads/{other}/commands/permit")
    answer = await browser.post(
        f"/leads/{other}/commands/permit",
        data={**fields, "channel": "email", "allowed": "false", "how": "form", "words": "unsubscribe"},
    )
    assert answer.status_code == 303, answer.text
    assert f"/leads/{other}/merge" in dict(Forms((await browser.get(f"/leads/{other}")).text).forms)
    for language in ("ru", "en"):
        page = await browser.get(f"/leads/{other}/merge?into=http://door/leads/{one}&lang={language}")
        assert page.status_code == 200, page.text
    assert PHONE in page.text
    fields = Forms(page.text).to(f"/leads/{other}/commands/merge")
    answer = await browser.post(f"/leads/{other}/commands/merge", data=fields)
    assert answer.status_code == 303, answer.text
    await web.leads.lead_of(name="Иван", phone=PHONE, comment="это Иван")
    page = await browser.get(f"/leads/{other}?lang=en")
    assert f"/leads/{one}" in page.text
    assert "Merged into another lead" in page.text
    assert "Lead" in (await browser.get(f"/leads/{one}/unmerge?lang=en")).text, "a refusal is told in words"
    page = await browser.get(f"/leads/{other}/unmerge?lang=en")
    assert "all that came later stays" in page.text, "the phone was Иван's before"
    fields = Forms(page.text).to(f"/leads/{other}/commands/unmerge")
    assert (await browser.post(f"/leads/{other}/commands/unmerge", data=fields)).status_code == 303
    assert "Stands in stage" in (await browser.get(f"/leads/{other}?lang=en")).text


async def test_P7_lead_shows_who_recommended_and_whom(web: Web) -> None:
    by = await web.leads.lead_of(name="Иван", phone=PHONE)
    async with web.api("seller") as api:
        body = {"name": "Олег", "phone": "+79005550000", "recommended_by": str(by)}
        answer = await api.post("/api/leads", json=body)
    assert answer.status_code == 201, answer.text
    new = answer.headers["Location"].rpartition("/")[2]
    assert (await read(web, f"/api/leads/{new}"))["recommended_by"] == str(by)
    assert (await read(web, f"/api/leads/{by}"))["recommended"] == [new]


async def test_C3_unknown_person_is_404(web: Web) -> None:
    async with web.api("head") as api:
        assert (await api.get(f"/api/people/{UUID(int=1)}")).status_code == 404


@pytest.mark.kafka
async def test_P10_company_is_found_by_its_name_with_its_people_and_stands_in_both_languages(
    web: Web, settings: Settings, pool: Pool
) -> None:
    lead = await web.leads.lead_of(name="Иван", phone=PHONE, company="ООО «Ромашка»", site="romashka.ru")
    await web.leads.lead_of(name="Мария", email=EMAIL, company="Ромашка")
    system = System(settings, pool, web.leads)
    await system.publish()
    await system.project()
    contact = (await read(web, f"/api/leads/{lead}"))["contact"]
    [company] = (await read(web, f"/api/people/{contact}"))["companies"]
    assert (await read(web, "/api/companies?name=ром"))["items"] == [
        {"company": company, "name": "ООО «Ромашка»", "people": 2}
    ]
    whole = await read(web, f"/api/companies/{company}")
    assert (whole["sites"], {p["name"] for p in whole["people"]}) == (["romashka.ru"], {"Иван", "Мария"})
    assert str(lead) in {found["lead"] for found in whole["leads"]}
    async with web.api("head") as api:
        assert (await api.get(f"/api/companies/{uuid4()}")).status_code == 404
        assert (await api.get("/api/companies")).status_code == 422
    browser = await web.signed_in("seller")
    for language, words in (("ru", ("Компании", "Кто от неё говорит")), ("en", ("Companies", "Who speaks for it"))):
        for path in (f"/leads/{lead}", f"/people/{contact}", f"/companies?name=ромашка&lang={language}"):
            page = await browser.get(path)
            assert page.status_code == 200, page.text
            assert f'href="/companies/{company}"' in page.text
        assert words[0] in page.text
        page = await browser.get(f"/companies/{company}?lang={language}")
        assert words[1] in page.text
        assert "romashka.ru" in page.text
        assert f'href="/leads/{lead}"' in page.text
