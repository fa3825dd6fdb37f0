"""P7, P8, P10, C8, N9, N10, N12: working on leads by the API and the pages, over the real aggregate service and Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4, uuid5

import httpx
import pytest

from services.database import Pool
from services.settings import Settings
from tests.integration.web_case import Forms, Web, command, door_over
from tests.integration.workshop_case import publish_workshop


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    """API and pages over the aggregate service's own door, with the pipeline `workshop`."""
    async with door_over(settings, pool) as made:
        await publish_workshop(pool)
        yield made


async def entered(api: httpx.AsyncClient, name: str = "Иван", phone: str = "+79001234567", **more: Any) -> UUID:
    body = {"pipeline": "workshop", "name": name, "phone": phone, **more}
    answer = await api.post("/api/leads", json=body)
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["lead"])


async def shown(api: httpx.AsyncClient, lead: UUID) -> Any:
    return (await api.get(f"/api/leads/{lead}")).json()


async def test_P10_lead_is_entered_by_hand_once_and_a_second_names_the_first(web: Web) -> None:
    key = str(uuid4())
    body = {"pipeline": "workshop", "company": "ООО «Дуб»", "source": "выставка", "card": {"length": "2 400 мм"}}
    async with web.api("seller") as api:
        first = await api.post("/api/leads", json=body, headers={"Idempotency-Key": key})
        again = await api.post("/api/leads", json=body, headers={"Idempotency-Key": key})
        assert (first.status_code, again.status_code) == (201, 201), first.text
        assert first.json() == again.json()
        made = first.json()
        assert made["lead"] == str(uuid5(UUID(key), "lead"))
        assert first.headers["location"] == f"/api/leads/{made['lead']}"
        types = [event["type"].rpartition(".")[2] for event in made["events"]]
        assert types[:3] == ["captured", "stage_entered", "card_recorded"]
        lead = await shown(api, UUID(made["lead"]))
        assert (lead["company"], lead["name"], lead["card"]) == ("ООО «Дуб»", None, {"length": "2400"})

        known = await entered(api)
        second = await api.post("/api/leads", json={"pipeline": "workshop", "phone": "8 900 123-45-67"})
        assert (second.status_code, second.json()["rule"], second.json()["lead"]) == (
            409,
            "C3.one_open_lead",
            str(known),
        )
        for bad in ({}, {"name": "x", "typo": 1}, {"name": "a\u0000b"}, {"phone": "abc"}):
            assert (await api.post("/api/leads", json=bad)).status_code == 422, bad
    async with web.api("auditor") as api:
        assert (await api.post("/api/leads", json=body)).status_code == 403


async def test_P8_S2_every_fact_by_the_api_and_the_lead_says_last_and_next_step(web: Web) -> None:
    async with web.api("seller") as api, web.api("head") as head:
        lead = await entered(api)
        fresh = await shown(api, lead)
        assert fresh["pipeline_titles"] == {"ru": "Мастерская", "en": "Workshop"}
        assert [(item["met"], item["missing"]["id"]) for item in fresh["checklist"]] == [
            (False, "seen"),
            (False, "accepted"),
        ]
        assert (fresh["next_step"]["en"], fresh["client"]["en"]) == ("See it and take it", "Waits for a call")
        assert fresh["last_step"]["type"] == "leadline.lead.stage_entered"

        both = [{"type": "see"}, {"type": "accept"}]
        moved = await command(api, lead, "move", {"to": "measure", "first": both})
        assert moved.status_code == 200, moved.text
        assert [e["type"].rpartition(".")[2] for e in moved.json()["events"]] == ["seen", "accepted", "stage_entered"]

        here = await shown(api, lead)
        fields = {field["id"]: field for field in here["fields"]}
        assert (fields["length"]["type"], fields["length"]["unit"]["ru"], fields["length"]["mandatory"]) == (
            "number",
            "мм",
            True,
        )
        assert [option["id"] for option in fields["material"]["options"]] == ["oak", "stone"]
        assert (fields["wanted"]["desirable"], fields["measuring"]["may_be_unknown"]) == (True, True)
        assert (
            fields["margin"]["writable"],
            {f["id"] for f in (await shown(head, lead))["fields"] if f["writable"]},
        ) == (
            False,
            set(fields),
        )
        assert here["completeness"] == {"mandatory": {"filled": 0, "of": 3}, "desirable": {"filled": 0, "of": 2}}
        facts = {"length": "unknown", "material": "Дуб", "budget": "120 000 €", "measuring": "unknown"}
        assert (await command(api, lead, "record", {"fields": facts})).status_code == 200
        here = await shown(api, lead)
        assert here["completeness"] == {"mandatory": {"filled": 2, "of": 3}, "desirable": {"filled": 0, "of": 2}}
        assert [f["unknown"] for f in here["fields"] if f["id"] == "length"] == [True]

        for name, body in (
            ("record", {"fields": {"length": "2400"}}),
            ("hold", {"kind": "call", "comment": "поговорили"}),
            ("establish", {"fact": "interest", "value": "hot"}),
        ):
            done = await command(api, lead, name, body)
            assert done.status_code == 200, (name, done.text)
        here = await shown(api, lead)
        assert [(p["stage"], p["fact"], p["allowed"]) for p in here["proposals"]] == [("agreement", "interest", True)]
        assert here["facts"][0]["option"] == {"ru": "просит счёт", "en": "asks for an invoice"}
        assert here["last_step"]["ru"] == "Записано: интерес клиента — просит счёт"
        assert (await command(api, lead, "withdraw", {"fact": "interest"})).status_code == 200
        assert (await shown(api, lead))["proposals"] == []
        assert (await command(api, lead, "move", {"to": "agreement"})).status_code == 200
        for name, body in (
            ("hold", {"kind": "meeting", "result": "agreed"}),
            ("send", {"document": "contract", "via": "email"}),
            ("attach", {"name": "Договор.pdf", "link": "https://files.example.org/1"}),
        ):
            assert (await command(api, lead, name, body)).status_code == 200, name
        assert (await command(api, lead, "approve")).json()["rule"] == "K2.approval_by_head"
        assert (await command(head, lead, "approve")).status_code == 200
        check = (await api.get(f"/api/leads/{lead}/check", params={"to": "deal"})).json()
        assert (check["allowed"], check["overridable"]) == (True, False)


async def test_N10_head_overrides_with_a_reason_and_undoes_by_the_api(web: Web) -> None:
    async with web.api("seller") as api, web.api("head") as head:
        lead = await entered(api)
        check = (await api.get(f"/api/leads/{lead}/check", params={"to": "agreement"})).json()
        assert (check["allowed"], check["overridable"]) == (False, True)
        jump = {"to": "agreement", "override": "клиент директора"}
        assert (await command(api, lead, "move", jump)).status_code == 422
        moved = await command(head, lead, "move", jump)
        assert moved.status_code == 200, moved.text
        assert moved.json()["events"][-1]["data"]["basis"] == "override"
        assert (await shown(api, lead))["can_undo"] is True
        undone = await command(api, lead, "undo", {"reason": "не тот лид"})
        assert undone.json()["events"][-1]["data"]["basis"] == "correction"
        after = await shown(api, lead)
        assert (after["stage"]["id"], after["can_undo"]) == ("fresh", False)

        refused = await command(api, lead, "reject", {"status": "poor"})
        assert refused.json()["missing"][0]["values"] == ["not_ours", "later", "wrong"]
        paused = await command(api, lead, "pause", {"until": "2099-01-01", "reason": "отпуск", "reason_id": "holiday"})
        assert paused.status_code == 200, paused.text
        assert (await command(api, lead, "reopen")).status_code == 200
        assert (await command(api, lead, "reject", {"status": "poor", "reason": "later"})).status_code == 200
        assert (await shown(api, lead))["outcome"] == "contact"


async def test_I_openapi_describes_what_the_lead_says(web: Web) -> None:
    async with web.api("seller") as api:
        described = (await api.get("/openapi.json")).json()
    lead = described["components"]["schemas"]["LeadOut"]["properties"]
    assert {"facts", "proposals", "fields", "checklist", "can_undo", "last_step", "next_step", "client"} <= set(lead)
    assert "201" in described["paths"]["/api/leads"]["post"]["responses"]
    for name in ("hold", "send", "attach", "approve", "establish", "withdraw", "undo"):
        assert f"/api/leads/{{lead}}/commands/{name}" in described["paths"]
    assert "/api/leads/{lead}/commands/capture" not in described["paths"], "there is no lead yet to capture"


async def test_N9_page_asks_for_exactly_what_is_missing_and_moves_in_one_act(web: Web) -> None:
    async with web.api("seller") as api:
        lead = await entered(api)
        await command(api, lead, "move", {"to": "measure", "first": [{"type": "see"}, {"type": "accept"}]})
    browser = await web.signed_in("seller")
    to = f"/leads/{lead}/commands/move"
    page = await browser.get(f"/leads/{lead}/move", params={"to": "agreement"})
    asked = Forms(page.text).to(to)
    names = {name for name in asked if name.startswith("first-")}
    record = {"first-0-type", "first-0-f_length", "first-0-f_budget"}
    assert names == {*record, "first-1-type", "first-1-kind", "first-1-done"}, names
    assert 'name="first-0-f_material"' in page.text
    assert 'name="first-0-f_budget.currency"' in page.text
    assert "first-0-f_wanted" not in page.text, "what is only desirable holds nobody up"

    some = {**asked, "first-0-f_length": "2,4 м", "first-0-f_material": "oak", "first-0-f_budget": "120 000"}
    wrong = await browser.post(to, data={**some, "first-0-f_budget.currency": "EUR"})
    assert wrong.status_code == 422
    assert "нужно число (мм)" in wrong.text
    assert 'value="2,4 м"' in wrong.text, "what was typed is still there"
    before = await web.leads.types(lead)
    good = {**some, "first-0-f_length": "2400", "first-0-f_budget.currency": "EUR", "first-1-done": "1"}
    moved = await browser.post(to, data={**good, "key": str(uuid4())})
    assert moved.status_code == 303, moved.text
    assert (await web.leads.types(lead))[len(before) :] == ["card_recorded", "call_held", "stage_entered"]
    page = await browser.get(f"/leads/{lead}")
    assert "120\u00a0000\u00a0EUR" in page.text
    assert "2400\u00a0мм" in page.text

    page = await browser.get(f"/leads/{lead}/move", params={"to": "deal", "back": "javascript:alert(1)"})
    assert "javascript:" not in page.text
    assert "Ждёт согласования руководителя" in page.text
    assert "Перевести вопреки правилам" not in page.text, "a seller overrides nothing"
    head = await web.signed_in("head")
    page = await head.get(f"/leads/{lead}/move", params={"to": "deal"})
    assert "Перевести вопреки правилам" in page.text
    override = {
        "csrf": Forms(page.text).to(to)["csrf"],
        "key": str(uuid4()),
        "to": "deal",
        "override": "подпишем завтра",
    }
    assert (await head.post(to, data=override)).status_code == 303
    page = await head.get(f"/leads/{lead}")
    assert "Вопреки правилам, решением руководителя" in page.text
    assert "подпишем завтра" in page.text
    assert "Из стадии выходят вперёд, когда выполнены её критерии." in page.text, "the rules broken are told in words"
    undo = f"/leads/{lead}/commands/undo"
    assert "Отменить последний переход" in page.text
    assert (await head.post(undo, data=Forms(page.text).to(undo))).status_code == 303
    page = await head.get(f"/leads/{lead}")
    assert "Переход отменён как ошибка" in page.text
    await browser.aclose()
    await head.aclose()


async def test_C1_rejecting_and_pausing_on_the_page_ask_for_a_reason_and_warn_before_deleting(web: Web) -> None:
    async with web.api("seller") as api:
        lead = await entered(api)
    browser = await web.signed_in("seller")
    page = await browser.get(f"/leads/{lead}")
    reject = f"/leads/{lead}/commands/reject"
    assert "Интересен позже · человек остаётся в базе" in page.text
    fields = Forms(page.text).to(reject)
    fields.pop("sure", None)
    refused = await browser.post(reject, data={**fields, "status": "poor/wrong"})
    assert refused.status_code == 422
    assert "удаляются навсегда" in refused.text
    pause = f"/leads/{lead}/commands/pause"
    paused = await browser.post(
        pause, data={**Forms(page.text).to(pause), "until": "2099-01-01", "status": "waiting/holiday", "reason": ""}
    )
    assert paused.status_code == 303, paused.text
    page = await browser.get(f"/leads/{lead}")
    assert "В отпуске" in page.text
    reopen = f"/leads/{lead}/commands/reopen"
    assert (await browser.post(reopen, data=Forms(page.text).to(reopen))).status_code == 303
    page = await browser.get(f"/leads/{lead}")
    fields = Forms(page.text).to(reject)
    fields.pop("sure", None)
    assert (await browser.post(reject, data={**fields, "status": "poor/later"})).status_code == 303
    page = await browser.get(f"/leads/{lead}")
    assert "Интересен позже" in page.text
    await browser.aclose()


async def test_P10_lead_is_entered_by_hand_on_a_page(web: Web) -> None:
    browser = await web.signed_in("seller")
    page = await browser.get("/leads/new", params={"pipeline": "workshop"})
    fields = Forms(page.text).to("/leads/new")
    empty = await browser.post("/leads/new", data=fields)
    assert empty.status_code == 422
    fields |= {"name": "Пётр", "phone": "+79005554433", "source": "рекомендация", "card_length": "1200"}
    made = await browser.post("/leads/new", data=fields)
    again = await browser.post("/leads/new", data=fields)
    assert (made.status_code, made.headers["location"]) == (303, again.headers["location"]), made.text
    page = await browser.get(made.headers["location"])
    assert "Лид заведён вручную: рекомендация" in page.text
    assert "1200\u00a0мм" in page.text
    second = await browser.post("/leads/new", data={**fields, "key": str(uuid4())})
    assert second.status_code == 409
    assert made.headers["location"] in second.text, "the open lead is linked"
    assert 'value="Пётр"' in second.text
    await browser.aclose()


@pytest.mark.parametrize("role", ["seller", "head"])
async def test_U_pages_of_a_rich_pipeline_stand_in_both_languages(web: Web, role: str) -> None:
    async with web.api("seller") as api:
        lead = await entered(api, "Ivan")
        await command(api, lead, "establish", {"fact": "interest", "value": "none"})
        await command(api, lead, "plan", {"kind": "meeting"})
        await command(api, lead, "send", {"document": "brief"})
    browser = await web.signed_in(role)
    paths = [f"/leads/{lead}", "/leads/new?pipeline=workshop", "/boards/workshop", "/leads?sort=nearness"]
    paths += [f"/leads/{lead}/move?to={stage}" for stage in ("measure", "agreement", "deal", "poor", "waiting")]
    for path in paths:
        for language in ("ru", "en"):
            answer = await browser.get(path + ("&" if "?" in path else "?") + f"lang={language}")
            assert answer.status_code == 200, (path, answer.text)
            if language == "en":
                left = [
                    word for word in answer.text.replace("Русский", "").split() if any("а" <= c <= "я" for c in word)
                ]
                assert not left, (path, left)
    await browser.aclose()
