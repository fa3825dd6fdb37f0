"""Every channel from its HTTP door to the lead, on a real Postgres (K5, C2, C3, C9, S4, N18)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.channels import limits
from services.channels.refusals import KEYS, Refusals
from services.clock import SystemClock
from services.database import Pool
from services.settings import Settings
from tests.integration.web_case import Forms, Web, command, deliver, door_over

AT = "2026-03-02T09:00:00+03:00"
CALL = {
    "call_id": "c1",
    "direction": "in",
    "from": "8 916 123-45-67",
    "to": "+74951112233",
    "answered": False,
    "started_at": AT,
}
CHAT = {"channel": "telegram", "sender_id": "777", "name": "Анна", "text": "Сколько стоит столешница?"}
VISIT = {"identity": "+79161234567", "page": "https://example.com/prices", "at": AT}


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    """The door over the aggregate service."""
    async with door_over(settings, pool) as made:
        yield made


@pytest.fixture
async def adapter(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    """A channel adapter's client."""
    async with web.api("adapter") as client:
        yield client


@pytest.fixture
async def head(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    """The head's client."""
    async with web.api("head") as client:
        yield client


@asynccontextmanager
async def closing(browser: httpx.AsyncClient) -> AsyncIterator[None]:
    """Close a browser at the end."""
    try:
        yield
    finally:
        await browser.aclose()


async def post(adapter: httpx.AsyncClient, path: str, body: Any, **headers: str) -> UUID:
    """Post and be accepted."""
    answer = await adapter.post(path, json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["inbound_id"])


async def outcome(pool: Pool, inbound_id: UUID) -> Any:
    """What became of a message."""
    return await pool.fetchrow("SELECT * FROM leadline.inbound_outcomes WHERE inbound_id = $1", inbound_id)


async def test_C3_call_message_and_visit_of_one_person_are_one_lead(
    web: Web, adapter: httpx.AsyncClient, head: httpx.AsyncClient
) -> None:
    first = await post(adapter, "/inbound/calls", CALL)
    await deliver(web)
    made = await outcome(web.pool, first)
    assert (made["outcome"], made["channel"], made["account"]) == ("accepted", "call", "tilda")
    lead = made["lead"]
    assert await web.leads.types(lead) == ["captured", "stage_entered", "call_recorded", "assigned", "activity_planned"]
    recording = {**CALL, "answered": True, "recording_url": "https://pbx.example.org/1.mp3"}
    ids = [
        await post(adapter, "/inbound/calls", recording),
        await post(adapter, "/inbound/messages", {**CHAT, "phone": "+7 916 123 45 67"}),
        await post(adapter, "/inbound/visits", VISIT),
    ]
    await deliver(web)
    for inbound_id in ids:
        row = await outcome(web.pool, inbound_id)
        assert (row["outcome"], row["lead"]) == ("joined", lead)
    assert (await web.leads.types(lead))[5:] == ["call_updated", "activity_done", "inbound_joined", "visit_recorded"]
    contact = made["contact"]
    assert "identity_confirmed" in await web.leads.types(contact)
    shown = (await head.get(f"/api/leads/{lead}")).json()
    assert [(c["direction"], c["answered"], c["recording"]) for c in shown["calls"]] == [
        ("in", True, "https://pbx.example.org/1.mp3")
    ]
    assert [(a["kind"], a["reason"], bool(a["done_at"])) for a in shown["activities"]] == [
        ("call", "missed_call", True)
    ]


async def test_C3_further_report_in_the_same_batch_doubles_nothing(web: Web, adapter: httpx.AsyncClient) -> None:
    ids = [await post(adapter, "/inbound/calls", CALL) for _ in range(3)]
    ids.append(await post(adapter, "/inbound/calls", {**CALL, "answered": True}))
    await deliver(web)
    rows = [await outcome(web.pool, inbound_id) for inbound_id in ids]
    assert [(row["outcome"], row["reason"]) for row in rows] == [
        ("accepted", None),
        ("joined", "same_call"),
        ("joined", "same_call"),
        ("joined", "further_report"),
    ]
    assert len({row["lead"] for row in rows}) == 1


async def test_C3_messages_of_one_account_join_and_are_ordered_by_their_sender(
    web: Web, adapter: httpx.AsyncClient
) -> None:
    ids = [await post(adapter, "/inbound/messages", {**CHAT, "text": f"{n}"}) for n in range(3)]
    keys = {row[0] for row in await web.pool.fetch("SELECT key FROM leadline.outbox WHERE topic = 'leads.inbound'")}
    assert len(keys) == 1
    await deliver(web)
    rows = [await outcome(web.pool, inbound_id) for inbound_id in ids]
    assert [row["outcome"] for row in rows] == ["accepted", "joined", "joined"]
    assert len({row["lead"] for row in rows}) == 1
    kind = await web.pool.fetchval("SELECT kind FROM leadline.identities")
    assert kind == "messenger"


async def test_C3_what_became_no_lead_is_run_again_when_the_person_is_known(
    web: Web, adapter: httpx.AsyncClient, head: httpx.AsyncClient
) -> None:
    out = {**CALL, "direction": "out", "from": "+74951112233", "to": "+79161234567"}
    called = await post(adapter, "/inbound/calls", out)
    visited = await post(adapter, "/inbound/visits", VISIT)
    await deliver(web)
    reasons = [(await outcome(web.pool, i))["reason"].partition(":")[0] for i in (called, visited)]
    assert reasons == ["outbound_to_unknown", "unknown_visitor"]
    assert not await web.pool.fetchval("SELECT count(*) FROM leadline.open_leads")
    form = await post(adapter, "/inbound/forms/site", {"phone": "+79161234567"})
    await deliver(web)
    lead = (await outcome(web.pool, form))["lead"]
    for inbound_id in (called, visited):
        again = await head.post(f"/api/intake/{inbound_id}/rerun")
        assert again.status_code == 202, again.text
    await deliver(web)
    for inbound_id in (called, visited):
        row = await outcome(web.pool, inbound_id)
        assert (row["outcome"], row["lead"], row["attempt"]) == ("joined", lead, 2)


async def test_N18_call_that_does_not_fit_waits_and_is_mended(
    web: Web, adapter: httpx.AsyncClient, head: httpx.AsyncClient
) -> None:
    inbound_id = await post(adapter, "/inbound/calls", {**CALL, "recording_url": "javascript:alert(1)"})
    await deliver(web)
    row = await outcome(web.pool, inbound_id)
    assert (row["outcome"], "recording_url" in row["reason"]) == ("quarantined", True)
    mended = await head.post(f"/api/intake/{inbound_id}/mend", json={"fields": {"recording_url": None}})
    assert mended.status_code == 202, mended.text
    await deliver(web)
    assert (await outcome(web.pool, inbound_id))["outcome"] == "accepted"


async def test_K5_repeat_under_a_key_is_one_message_on_every_channel(web: Web, adapter: httpx.AsyncClient) -> None:
    for path, body in (("calls", CALL), ("messages", CHAT), ("visits", VISIT)):
        ids = {await post(adapter, f"/inbound/{path}", body, **{"Idempotency-Key": "k"}) for _ in range(2)}
        assert len(ids) == 1
        other = await adapter.post(f"/inbound/{path}", json={**body, "x": 1}, headers={"Idempotency-Key": "k"})
        assert (other.status_code, other.json()["type"][-22:]) == (422, "idempotency-key-reused")


async def test_I_visits_are_open_only_where_the_settings_say_so(settings: Settings, pool: Pool) -> None:
    for opened, status in ((False, 401), (True, 202)):
        async with door_over(settings.model_copy(update={"open_visits": opened}), pool) as web, web.client() as nobody:
            assert (await nobody.post("/inbound/visits", json=VISIT)).status_code == status
            for path, body in (("calls", CALL), ("messages", CHAT)):
                assert (await nobody.post(f"/inbound/{path}", json=body)).status_code == 401


async def test_M7_erasure_takes_calls_and_what_names_them(web: Web, adapter: httpx.AsyncClient) -> None:
    inbound_id = await post(adapter, "/inbound/calls", CALL)
    await deliver(web)
    row = await outcome(web.pool, inbound_id)
    await web.leads.erase(row["contact"])
    late = await post(adapter, "/inbound/calls", {**CALL, "recording_url": "https://pbx.example.org/1.mp3"})
    await deliver(web)
    after = await outcome(web.pool, late)
    assert after["lead"] != row["lead"]
    for event in await web.leads.history(row["lead"]):
        assert "9161234567" not in str(event.data)


async def test_S4_activities_are_planned_and_done_by_api(
    web: Web, adapter: httpx.AsyncClient, head: httpx.AsyncClient
) -> None:
    inbound_id = await post(adapter, "/inbound/messages", CHAT)
    await deliver(web)
    lead = (await outcome(web.pool, inbound_id))["lead"]
    due = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    planned = await command(
        head, lead, "plan", {"kind": "meeting", "text": "замер", "due_at": due, "assignee": "boris"}
    )
    assert planned.status_code == 200, planned.text
    activity = planned.json()["events"][0]["data"]["activity"]
    refused = await command(head, lead, "complete", {"activity": str(uuid4()), "result": "x"})
    assert (refused.status_code, refused.json()["rule"]) == (422, "S4.known_activity")
    done = await command(head, lead, "complete", {"activity": activity, "result": "размеры сняты"})
    assert done.status_code == 200, done.text
    shown = (await head.get(f"/api/leads/{lead}")).json()
    assert (shown["stage"]["id"], shown["activities"][0]["result"]) == ("new", "размеры сняты")


# --- limits and refusals -------------------------------------------------------------------------------------------


async def refused_rows(web: Web) -> list[tuple[Any, ...]]:
    """What was counted of refused requests."""
    await web.app.state.door.refusals.settle()
    return [
        tuple(row)
        for row in await web.pool.fetch(
            "SELECT channel, account, reason, requests FROM leadline.refused_requests ORDER BY 1, 3"
        )
    ]


async def test_K5_refused_requests_are_answered_clearly_and_counted(
    web: Web, adapter: httpx.AsyncClient, head: httpx.AsyncClient
) -> None:
    answers = [
        await adapter.post("/inbound/calls", content=b'{"call_id": "' + b"x" * 70_000 + b'"}'),
        await adapter.post("/inbound/calls", content=b"{}", headers={"Content-Type": "text/xml"}),
        await adapter.post("/inbound/calls", content=b"not json"),
        await adapter.post("/inbound/messages", content=b"[]"),
        await adapter.post("/inbound/messages", content=b"[]"),
    ]
    assert [answer.status_code for answer in answers] == [413, 415, 400, 422, 422]
    assert "64 KB" in answers[0].json()["detail"]
    assert await refused_rows(web) == [
        ("call", "tilda", "media-type", 1),
        ("call", "tilda", "not-json", 1),
        ("call", "tilda", "too-large", 1),
        ("message", "tilda", "not-an-object", 2),
    ]
    journal = (await head.get("/api/intake", params={"outcome": "refused", "channel": "message"})).json()["items"]
    assert [(i["inbound_id"], i["reason"], i["count"], i["account"]) for i in journal] == [
        (None, "not-an-object", 2, "tilda")
    ]
    assert not await web.pool.fetchval("SELECT count(*) FROM leadline.intake")


async def test_K5_too_many_at_once_are_told_when_to_come_back(settings: Settings, pool: Pool) -> None:
    made = settings.model_copy(update={"open_forms": ["*"], "rate_peer": 0.5, "rate_peer_burst": 3, "rate_token": 0.0})
    async with door_over(made, pool) as web, web.client() as nobody, web.api("adapter") as adapter:
        answers = [await nobody.post("/inbound/forms/site", json={"phone": "+79161234567"}) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
        assert answers[3].headers["retry-after"] == "2"
        assert "too-many" in answers[3].json()["type"]
        for _ in range(10):
            await post(adapter, "/inbound/forms/site", {"phone": "+79161234567"})
        assert await refused_rows(web) == [("form", "", "too-many", 2)]
        metrics = (await nobody.get("/metrics")).text
        assert 'leadline_inbound_requests_total{answer="too-many",channel="form"}' in metrics


async def test_N18_a_stranger_cannot_fill_the_disk_with_refusals(pool: Pool) -> None:
    refusals = Refusals(pool, SystemClock())
    await asyncio.gather(*(refusals.note("form", f"form-{n}", "too-large", n) for n in range(KEYS * 3)))
    await refusals.settle()
    rows = await pool.fetch("SELECT account, requests FROM leadline.refused_requests")
    assert len(rows) <= 2 * (KEYS + 1), "a minute may turn in the middle"
    assert sum(row["requests"] for row in rows) == KEYS * 3, "none is lost"


def test_K5_limit_is_a_bucket_per_sender_and_bounded() -> None:
    now = 0.0
    limit = limits.RateLimit(2.0, 4, lambda: now)
    assert [limit.take("a") for _ in range(5)] == [0, 0, 0, 0, 1]
    assert limit.take("b") == 0
    now = 1.0
    assert [limit.take("a") for _ in range(3)] == [0, 0, 1]
    for n in range(limits.SENDERS + 50):
        limit.take(str(n))
    assert len(limit._buckets) == limits.SENDERS
    assert limits.peer_of("2001:db8:1:2:3::4") == limits.peer_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert limits.peer_of(None) == limits.peer_of("testclient") == "unknown"


# --- the journal and the share -------------------------------------------------------------------------------------


async def test_C3_share_that_became_no_lead_by_channel_and_reason(
    web: Web, adapter: httpx.AsyncClient, head: httpx.AsyncClient
) -> None:
    for n in range(3):
        await post(adapter, "/inbound/calls", {**CALL, "call_id": f"in{n}"})
    await post(adapter, "/inbound/calls", {**CALL, "call_id": "in0", "answered": True})  # a further report
    await post(adapter, "/inbound/calls", {**CALL, "call_id": "h", "from": "anonymous"})
    await post(adapter, "/inbound/visits", {**VISIT, "identity": "nobody-knows"})
    await post(adapter, "/inbound/forms/site", {"name": "Анна"})
    await adapter.post("/inbound/forms/site", content=b"nothing")
    await deliver(web)
    await web.app.state.door.refusals.settle()
    await post(adapter, "/inbound/messages", CHAT)
    now = datetime.now(UTC)
    period = {"from": (now - timedelta(hours=1)).isoformat(), "to": (now + timedelta(hours=1)).isoformat()}
    answer = await head.get("/api/intake/share", params=period)
    assert answer.status_code == 200, answer.text
    found = {item["channel"]: item for item in answer.json()["items"]}
    assert (found["call"]["accepted"], found["call"]["joined"], found["call"]["share"]) == (1, 2, 0.25)
    assert found["call"]["reasons"] == [{"outcome": "no_lead", "reason": "hidden_number", "count": 1, "share": 0.25}]
    assert (found["visit"]["share"], found["visit"]["reasons"][0]["reason"]) == (1.0, "unknown_visitor")
    assert {(r["outcome"], r["reason"]) for r in found["form"]["reasons"]} == {
        ("quarantined", "no_contact"),
        ("refused", "not-json"),
    }
    assert (found["message"]["waiting"], found["message"]["share"]) == (1, None)
    rows = await web.pool.fetch(
        """SELECT channel, sum(messages) FILTER (WHERE outcome NOT IN ('accepted', 'joined')) / sum(messages) AS share
           FROM bi.inbound WHERE NOT repeats GROUP BY channel"""
    )
    assert {row[0]: None if row[1] is None else float(row[1]) for row in rows} == {
        channel: item["share"] for channel, item in found.items() if item["share"] is not None
    }
    backwards = await head.get("/api/intake/share", params={"from": period["to"], "to": period["from"]})
    assert backwards.status_code == 422


async def test_N18_journal_is_filtered_and_paged(web: Web, adapter: httpx.AsyncClient, head: httpx.AsyncClient) -> None:
    for n in range(7):
        await post(adapter, "/inbound/visits", {**VISIT, "identity": f"browser-{n}"})
        await post(adapter, "/inbound/calls", {**CALL, "call_id": f"c{n}", "from": "anonymous"})
    await deliver(web)

    async def pages(**filters: str) -> list[str]:
        found, after = [], None
        while True:
            query = {"limit": "3", **filters, **({"after": after} if after else {})}
            page = (await head.get("/api/intake", params=query)).json()
            found += [item["inbound_id"] for item in page["items"]]
            after = page["next"]
            if after is None:
                return found

    assert len(set(await pages(outcome="no_lead"))) == 14
    assert len(set(await pages(channel="visit"))) == 7
    assert len(set(await pages(reason="hidden_number"))) == 7
    assert await pages(channel="visit", reason="hidden_number") == []
    assert await pages(outcome="accepted") == []


async def test_U_intake_pages_show_outcomes_and_the_share_in_both_languages(
    web: Web, adapter: httpx.AsyncClient
) -> None:
    for n in range(2):
        await post(adapter, "/inbound/visits", {**VISIT, "identity": f"browser-{n}"})
    call = await post(adapter, "/inbound/calls", {**CALL, "recording_url": "https://pbx.example.org/1.mp3"})
    await adapter.post("/inbound/calls", content=b"x")
    await deliver(web)
    await web.app.state.door.refusals.settle()
    browser = await web.signed_in("head")
    async with closing(browser):
        said = {"ru": ("Не стали лидом", "посетитель неизвестен"), "en": ("Became no lead", "of nobody known")}
        for language, words in said.items():
            page = await browser.get("/intake", params={"outcome": "no_lead", "lang": language})
            assert page.status_code == 200
            assert all(word in page.text for word in words), page.text
            assert (await browser.get("/intake", params={"outcome": "refused", "lang": language})).status_code == 200
            share = await browser.get("/intake/share", params={"lang": language})
            assert share.status_code == 200
            assert "<svg" in share.text
            assert "100" in share.text
        opened = await browser.get(f"/intake/{call}")
        assert "pbx.example.org" in opened.text
        lead = (await outcome(web.pool, call))["lead"]
        page = await browser.get(f"/leads/{lead}")
        assert page.status_code == 200
        assert 'href="https://pbx.example.org/1.mp3"' in page.text
        assert 'rel="noopener noreferrer"' in page.text


async def test_N18_quarantined_call_is_mended_on_its_page(web: Web, adapter: httpx.AsyncClient) -> None:
    inbound_id = await post(adapter, "/inbound/calls", {**CALL, "from": "sip:anna"})
    await deliver(web)
    browser = await web.signed_in("head")
    async with closing(browser):
        page = await browser.get(f"/intake/{inbound_id}")
        fields = Forms(page.text).to(f"/intake/{inbound_id}/mend")
        answer = await browser.post(f"/intake/{inbound_id}/mend", data={**fields, "f_from": "+79161234567"})
        assert answer.status_code == 303, answer.text
    await deliver(web)
    assert (await outcome(web.pool, inbound_id))["outcome"] == "accepted"
