"""C7: the link and the one click of a letter end letters, whoever the lead became; and a letter that asks for it is seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.database import Pool
from services.delivery.mail.composing import compose
from services.delivery.mail.unsubscribing import way_out
from services.privacy.unsubscribing import unsubscribe_token
from services.settings import Settings
from tests.integration.delivery.mail_out_case import a_letter, mail_out
from tests.integration.mail_case import Mail
from tests.integration.mail_case import letter as letter_in
from tests.integration.test_mail_to_lead import taken
from tests.integration.web_case import Forms, Web, command, door_over

PHONE, EMAIL = "+79001234567", "anna@client.example"
ONE_CLICK = "List-Unsubscribe=One-Click"


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    async with door_over(settings, pool) as it:
        yield it


def path_of(web: Web, lead: UUID, channel: Any = "email") -> str:
    return f"/unsubscribe/{unsubscribe_token(web.leads.settings.pepper_bytes, lead, channel)}"


async def contact_of(web: Web, lead: UUID) -> UUID:
    async with web.api("head") as api:
        return UUID((await api.get(f"/api/leads/{lead}")).json()["contact"])


async def permissions(web: Web, contact: UUID) -> list[tuple[str, bool, str, str]]:
    """(channel, allowed, how, by) as recorded, in order."""
    return [
        (r.data.channel, r.data.allowed, r.data.how, r.meta.actor.id)
        for r in await web.leads.history(contact)
        if r.meta.type.endswith("permission_recorded")
    ]


LINK = ("email", False, "link", "unsubscribe-link")


async def test_C7_looking_asks_in_both_languages_and_changes_nothing(web: Web) -> None:
    lead = await web.leads.lead_of(name="Анна", email=EMAIL)
    async with web.client() as browser:
        for language, words in (("ru", "Больше не присылать вам писем?"), ("en", "Shall we send you no more letters?")):
            page = await browser.get(path_of(web, lead), headers={"Accept-Language": language})
            assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
            assert words in page.text
            assert "Анна" not in page.text
            assert EMAIL not in page.text
            assert Forms(page.text).forms == [("", {})]
        assert (await browser.head(path_of(web, lead))).status_code in (200, 405)
        page = await browser.get(path_of(web, lead, "sms") + "?lang=en")
        assert "no more SMS" in page.text
    assert await permissions(web, await contact_of(web, lead)) == []


async def test_C7_the_button_ends_letters_with_the_link_as_proof(web: Web) -> None:
    lead = await web.leads.lead_of(name="Анна", email=EMAIL)
    async with web.client() as browser:
        origin = {"Origin": "http://door", "Sec-Fetch-Site": "same-origin", "Accept-Language": "ru"}
        done = await browser.post(path_of(web, lead), headers=origin)
    assert done.status_code == 200
    assert "писем больше не будет" in done.text
    contact = await contact_of(web, lead)
    assert await permissions(web, contact) == [LINK]
    async with web.api("head") as api:
        channels = (await api.get(f"/api/people/{contact}")).json()["channels"]
    said = {channel["channel"]: channel["allowed"] for channel in channels}
    assert said == {"phone": True, "sms": True, "email": False, "messenger": True, "ads": True}


@pytest.mark.parametrize(
    "body",
    [
        {"content": ONE_CLICK, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {},
    ],
)
async def test_C7_a_mail_program_s_one_click_needs_no_page_cookie_or_origin_of_ours(
    web: Web, body: dict[str, Any]
) -> None:
    lead = await web.leads.lead_of(name="Анна", email=EMAIL)
    async with web.client() as program:
        headers = {"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site", **body.pop("headers", {})}
        done = await program.post(path_of(web, lead), headers=headers, **body)
    assert (done.status_code, done.is_redirect) == (200, False), "RFC 8058 3.1: no redirect"
    assert await permissions(web, await contact_of(web, lead)) == [LINK]


async def test_C7_clicking_again_records_nothing_more_until_letters_were_allowed_again(web: Web) -> None:
    lead = await web.leads.lead_of(name="Анна", email=EMAIL)
    contact = await contact_of(web, lead)
    async with web.client() as program:
        answers = await asyncio.gather(*(program.post(path_of(web, lead)) for _ in range(5)))
        assert {answer.status_code for answer in answers} == {200}
        assert await permissions(web, contact) == [LINK]
        async with web.api("seller") as api:
            allowed = await command(api, lead, "permit", {"channel": "email", "allowed": True, "how": "call"})
            assert allowed.status_code == 200
        assert (await program.post(path_of(web, lead))).status_code == 200
    assert await permissions(web, contact) == [LINK, ("email", True, "call", "anna"), LINK]


async def test_C7_a_token_of_sms_ends_sms(web: Web) -> None:
    lead = await web.leads.lead_of(name="Анна", phone=PHONE)
    async with web.client() as browser:
        done = await browser.post(path_of(web, lead, "sms"), headers={"Accept-Language": "ru"})
    assert "SMS больше не будет" in done.text
    assert await permissions(web, await contact_of(web, lead)) == [("sms", False, "link", "unsubscribe-link")]


async def test_C7_N16_a_link_of_a_lead_that_was_merged_ends_letters_to_the_one_that_goes_on(web: Web) -> None:
    one = await web.leads.lead_of(name="Анна", email=EMAIL)
    other = await web.leads.lead_of(name="Анна Каренина", phone=PHONE)
    third = await web.leads.lead_of(name="Анна К", email="third@client.example")
    async with web.api("head") as api:
        assert (await command(api, other, "merge", {"into": str(one)})).status_code == 200
        assert (await command(api, one, "merge", {"into": str(third)})).status_code == 200
    async with web.client() as program:
        assert (await program.post(path_of(web, other))).status_code == 200
    contact = await contact_of(web, third)
    async with web.api("head") as api:
        channels = (await api.get(f"/api/people/{contact}")).json()["channels"]
    assert next(c["allowed"] for c in channels if c["channel"] == "email") is False


async def test_C7_M7_an_erased_person_reads_the_same_thanks(web: Web) -> None:
    lead = await web.leads.lead_of(name="Анна", email=EMAIL)
    known = await web.leads.lead_of(name="Борис", email="boris@client.example")
    await web.leads.erase(await contact_of(web, lead))
    async with web.client() as browser:
        texts = []
        for path in (path_of(web, lead), path_of(web, known), path_of(web, uuid4())):
            asked, done = await browser.get(path), await browser.post(path)
            assert (asked.status_code, done.status_code) == (200, 200)
            texts.append((asked.text, done.text))
    assert texts[0] == texts[1] == texts[2], "nobody learns who is known"


async def test_C7_what_is_no_token_is_no_page(web: Web) -> None:
    lead = await web.leads.lead_of(name="Анна", email=EMAIL)
    good = path_of(web, lead)
    stranger = unsubscribe_token(b"x" * 32, lead)
    async with web.client() as browser:
        for path in (good[:-1], good + "A", f"/unsubscribe/{lead}", f"/unsubscribe/{stranger}", "/unsubscribe/%00"):
            for answer in (await browser.get(path), await browser.post(path, content=ONE_CLICK)):
                assert answer.status_code in (400, 404), path
                assert "unsubscribe_button" not in answer.text
    assert await permissions(web, await contact_of(web, lead)) == []


async def test_C7_with_the_aggregate_service_away_the_mail_program_is_told_to_come_again(web: Web) -> None:
    lead = await web.leads.lead_of(name="Анна", email=EMAIL)

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("away", request=request)

    client = web.app.state.door.leads.client
    web.app.state.door.leads.client = httpx.AsyncClient(transport=httpx.MockTransport(refuse), base_url="http://leads")
    try:
        async with web.client() as program:
            answer = await program.post(path_of(web, lead), content=ONE_CLICK)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    finally:
        await web.app.state.door.leads.client.aclose()
        web.app.state.door.leads.client = client


async def test_C7_too_many_clicks_of_one_peer_are_slowed_down(settings: Settings, pool: Pool) -> None:
    few = settings.model_copy(update={"rate_peer": 0.001, "rate_peer_burst": 2})
    async with door_over(few, pool) as web:
        lead = await web.leads.lead_of(name="Анна", email=EMAIL)
        async with web.client() as program:
            answers = [await program.post(path_of(web, lead)) for _ in range(3)]
            assert (await program.get(path_of(web, lead))).status_code == 200, "looking costs nothing"
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) > 1


async def test_C7_the_letter_of_a_mail_program_that_knows_no_links_is_seen(
    web: Web, settings: Settings, pool: Pool
) -> None:
    """From our letter's own List-Unsubscribe to a proposal on the person's page."""
    mail = Mail(settings, pool)
    _, _, _, lead = await taken(web, mail, letter_in(headers="Message-ID: <first@client.example>\r\n"))
    assert lead is not None
    out = mail_out()
    way = way_out(out, None, settings.pepper_bytes, lead=lead, thread=str(lead))
    written = compose(a_letter(thread=str(lead), unsubscribe=way), out)
    header = str(message_from_bytes(written.raw, policy=policy.default)["List-Unsubscribe"])
    address, _, subject = header.strip("<>").removeprefix("mailto:").partition("?subject=")
    raw = letter_in("", subject=subject, headers="Message-ID: <u@client.example>\r\n")
    _, outcome, _, joined = await taken(
        web, mail, raw.replace(b"leads@", address.partition("@")[0].encode() + b"@"), to=address
    )
    assert (outcome, joined) == ("joined", lead)
    async with web.api("head") as api:
        person = (await api.get(f"/api/people/{await contact_of(web, lead)}")).json()
    [proposal] = person["proposals"]
    assert (proposal["channels"], proposal["words"]) == (["email"], "unsubscribe")
