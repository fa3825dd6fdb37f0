"""U, N18: the pages over the real aggregate service and Postgres: signing in, forms, escaping, both languages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from services.database import Pool
from services.settings import Settings
from tests.integration.web_case import Forms, Web, door_over

XSS = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    """API and pages over the aggregate service's own door; no Kafka, so lists stay empty."""
    async with door_over(settings, pool) as made:
        yield made


async def test_U_sign_in_sets_a_strict_cookie_without_the_token(web: Web) -> None:
    async with web.client() as browser:
        page = await browser.get("/login", params={"next": "//evil.example"})
        assert Forms(page.text).to("/login")["next"] == "/"
        wrong = await browser.post("/login", data={"token": "ll_guess"})
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (403, False)
        adapter = await browser.post("/login", data={"token": web.tokens["adapter"]})
        assert adapter.status_code == 403
        answer = await browser.post("/login", data={"token": web.tokens["seller"], "next": "//evil.example"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert web.tokens["seller"] not in cookie
        foreign = {"Origin": "http://evil.example"}
        assert (await browser.post("/login", data={"token": web.tokens["seller"]}, headers=foreign)).status_code == 403
        await web.pool.execute("UPDATE leadline.tokens SET revoked_at = now()")
        web.app.state.door.book._found.clear()  # the 10 s of the cache
        assert (await browser.get("/leads")).status_code == 303, "a revoked token ends the session"


async def test_U_forms_need_the_sessions_csrf_text(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567")
    browser, other = await web.signed_in("seller"), await web.signed_in("head")
    see = f"/leads/{lead}/commands/see"
    fields = Forms((await browser.get(f"/leads/{lead}")).text).to(see)
    stolen = Forms((await other.get(f"/leads/{lead}")).text).to(see)
    version = await web.pool.fetchval(
        "SELECT max(originator_version) FROM leadline.events WHERE originator_id = $1", lead
    )
    for bad in ({"key": "x"}, {**fields, "csrf": ""}, {**fields, "csrf": stolen["csrf"]}):
        assert (await browser.post(see, data=bad)).status_code == 403
    elsewhere = {"Origin": "http://evil.example"}
    assert (await browser.post(see, data=fields, headers=elsewhere)).status_code == 403
    assert (await browser.post(see, data=fields, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
    assert version == await web.pool.fetchval(
        "SELECT max(originator_version) FROM leadline.events WHERE originator_id = $1", lead
    )
    assert (await browser.post(see, data=fields, headers={"Origin": "http://door"})).status_code == 303
    api_with_cookie = await browser.post(f"/api/leads/{lead}/commands/accept")
    assert api_with_cookie.status_code == 401, "the API takes no cookie"
    await browser.aclose()
    await other.aclose()


async def test_U_lead_page_shows_what_is_missing_and_takes_the_steps(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567", comment="две столешницы")
    browser = await web.signed_in("seller")
    page = await browser.get(f"/leads/{lead}")
    assert page.status_code == 200, page.text
    assert "менеджер увидел заявку" in page.text
    assert "две столешницы" in page.text, "the timeline tells what the form said"

    move = f"/leads/{lead}/commands/move"
    assert f"/leads/{lead}/move?to=processing" in page.text
    asked = await browser.get(f"/leads/{lead}/move", params={"to": "processing"})
    assert Forms(asked.text).to(move)["first-0-type"] == "see", "exactly what is missing is asked for"
    refused = await browser.post(move, data={**Forms(asked.text).to(move), "first-0-done": "", "first-1-done": ""})
    assert refused.status_code == 422
    assert "Стадия «Новый» ещё не закончена" in refused.text
    assert "S2.exit_criteria" in refused.text
    assert Forms(refused.text).to(move)["first-1-type"] == "accept", "the form is there again"

    for name in ("see", "accept", "move"):
        page = await browser.get(f"/leads/{lead}")
        fields = Forms(page.text).to(f"/leads/{lead}/commands/{name}")
        first = await browser.post(f"/leads/{lead}/commands/{name}", data=fields)
        again = await browser.post(f"/leads/{lead}/commands/{name}", data=fields)
        assert (first.status_code, again.status_code) == (303, 303), (name, first.text)
    history = [recorded.meta.type for recorded in await web.leads.history(lead)]
    assert history.count("leadline.lead.seen") == history.count("leadline.lead.accepted") == 1
    assert history.count("leadline.lead.stage_entered") == 2, "a form sent twice moves once"

    page = await browser.get(f"/leads/{lead}")
    stale = Forms(page.text).to(f"/leads/{lead}/commands/record")
    await web.leads.send(lead, "record", fields={"needs": "от другого"})
    answer = await browser.post(f"/leads/{lead}/commands/record", data={**stale, "f_needs": "моё"})
    assert answer.status_code == 409
    assert "моё" in answer.text, "what was typed is still there"

    wrong = {**Forms((await browser.get(f"/leads/{lead}")).text).to(f"/leads/{lead}/commands/offer")}
    answer = await browser.post(
        f"/leads/{lead}/commands/offer", data={**wrong, "volume": "2", "amount": "дорого", "delivery_days": "3"}
    )
    assert answer.status_code == 422
    assert "price.amount" in answer.text
    await browser.aclose()


async def test_U_pages_escape_what_people_wrote_and_carry_no_script(web: Web) -> None:
    lead = await web.leads.lead_of(name=XSS, phone="+79001234567", comment=XSS, company=XSS, extra=XSS)
    browser = await web.signed_in("head")
    await web.leads.send(lead, "record", fields={"needs": XSS})
    async with web.api("adapter") as adapter:
        inbound_id = (await adapter.post("/inbound/forms/site", json={"name": XSS, "comment": XSS})).json()[
            "inbound_id"
        ]
    pages = [
        f"/leads/{lead}",
        f"/intake/{inbound_id}",
        f"/leads?q={XSS}",
        "/login?next=" + XSS,
        "/boards/" + "%3Cscript%3E",
    ]
    for path in pages:
        for language in ("ru", "en"):
            answer = await browser.get(path, params={"lang": language} if "?" not in path else None)
            assert "<script>alert" not in answer.text, path
            assert "onerror=alert(1)>" not in answer.text, path
            policy = answer.headers["content-security-policy"]
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy
            assert not re.search(r"<script(?! src=\"/static/)", answer.text), path
            assert not re.search(r"<[^>]+\s(?:style|on[a-z]+)=", re.sub(r'"[^"]*"', "", answer.text)), path
    await browser.aclose()


async def test_U_every_page_stands_in_both_languages(web: Web) -> None:
    lead = await web.leads.lead_of(name="Ivan", phone="+79001234567")
    browser = await web.signed_in("head")
    for path in ("/leads", f"/leads/{lead}", "/intake", "/ops", "/demo/form", "/nothing-here", "/login", "/docs"):
        russian = await browser.get(path, params={"lang": "ru"})
        english = await browser.get(path, params={"lang": "en"})
        assert 'lang="ru"' in russian.text, path
        assert 'lang="en"' in english.text, path
        if path == "/docs":
            continue  # the contracts' own words
        left = re.findall(r"[А-Яа-я]{3,}", english.text.replace("Русский", "").replace("Европа", ""))
        assert not left, (path, left)
    remembered = await browser.get(f"/leads/{lead}")
    assert 'lang="en"' in remembered.text, "the choice is kept in a cookie"
    await browser.aclose()


async def test_N18_quarantine_is_mended_on_its_page(web: Web) -> None:
    async with web.api("adapter") as adapter:
        inbound_id = (await adapter.post("/inbound/forms/site", json={"name": "Иван", "x": "y"})).json()["inbound_id"]
    await web.pool.execute(
        """INSERT INTO leadline.inbound_outcomes (inbound_id, attempt, outcome, reason, channel, account, received_at, at)
           SELECT id, 1, 'quarantined', 'no_contact: neither', channel, account, received_at, now() FROM leadline.intake"""
    )
    browser = await web.signed_in("head")
    assert "no_contact: neither" in (await browser.get("/intake")).text
    page = await browser.get(f"/intake/{inbound_id}")
    action = f"/intake/{inbound_id}/mend"
    fields = {**Forms(page.text).to(action), "f_phone": "+7 900 123-45-67"}
    assert fields["f_name"] == "Иван"
    answer = await browser.post(action, data=fields)
    assert answer.status_code == 303
    shown = await browser.get(answer.headers["location"])
    assert "+7 900 123-45-67" in shown.text
    assert (await browser.post(action, data=fields)).status_code == 409, "a repeat runs nothing twice"
    await browser.aclose()


async def test_U_demo_form_is_taken_in(web: Web) -> None:
    browser = await web.signed_in("seller")
    fields = Forms((await browser.get("/demo/form")).text).to("/demo/form")
    for _ in range(2):
        answer = await browser.post("/demo/form", data={**fields, "name": "Иван", "phone": "+79001234567"})
        assert answer.status_code == 202, answer.text
    assert await web.pool.fetchval("SELECT count(*) FROM leadline.intake") == 1, "the same form twice is one message"
    await browser.aclose()


async def test_P2_the_playbook_is_a_page_with_downloads_linked_from_the_board(web: Web) -> None:
    browser = await web.signed_in("seller")
    assert 'href="/pipelines/services/playbook"' in (await browser.get("/boards/services")).text
    page = await browser.get("/pipelines/services/playbook", params={"lang": "ru"})
    assert page.status_code == 200, page.text
    assert len(re.findall("<tr>", page.text)) == 10
    for part in ("Критерии перехода", "Контакт/ заинтересовать", "Узнать имя директора", "версия 1"):
        assert part in page.text
    for form, kind in (("md", "text/markdown"), ("html", "text/html"), ("csv", "text/csv")):
        assert f'href="/pipelines/services/playbook.{form}"' in page.text
        file = await browser.get(f"/pipelines/services/playbook.{form}")
        assert (file.status_code, file.headers["content-type"].partition(";")[0]) == (200, kind)
        assert file.headers["content-disposition"] == f'attachment; filename="playbook-services.{form}"'
        assert "Встреча" in file.text
    english = await browser.get("/pipelines/services/playbook", params={"lang": "en"})
    assert "Seller&#39;s steps" in english.text
    assert (await browser.get("/pipelines/none/playbook")).status_code == 404
    assert (await browser.get("/pipelines/services/playbook.exe")).status_code == 422
    await browser.aclose()
    async with web.client() as stranger:
        assert (await stranger.get("/pipelines/services/playbook")).status_code == 303


async def test_M3_every_bundled_pipeline_is_published_once_and_scenarios_are_none(web: Web) -> None:
    rows = await web.pool.fetch("SELECT pipeline, number FROM leadline.pipeline_versions ORDER BY pipeline")
    bundled = ("classic", "countertops", "english", "loans", "qualification", "services", "trial_lesson")
    assert [tuple(row) for row in rows] == [(pipeline, 1) for pipeline in bundled]
