"""I, K2, K6, M7: the API over the real aggregate service and Postgres."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.database import Pool
from services.health import Health
from services.privacy.store import KeyRing
from services.settings import Settings
from services.web.app import create_app
from tests.integration.web_case import Web, command, door_over


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    """API and pages over the aggregate service's own door; no Kafka, so lists stay empty."""
    async with door_over(settings, pool) as made:
        yield made


async def test_K2_a_lead_goes_all_the_way_by_the_api(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567")
    async with web.api("seller") as api:
        refused = await command(api, lead, "move", {"to": "processing"})
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
        problem = refused.json()
        assert (problem["rule"], [m["id"] for m in problem["missing"]]) == ("S2.exit_criteria", ["seen", "accepted"])
        assert problem["detail"] == problem["en"] != problem["ru"]
        check = (await api.get(f"/api/leads/{lead}/check", params={"to": "processing"})).json()
        assert (check["allowed"], check["missing"]) == (False, problem["missing"])

        seen = await command(api, lead, "see")
        assert seen.status_code == 200, seen.text
        assert [e["type"] for e in seen.json()["events"]] == ["leadline.lead.seen"]
        assert seen.json()["events"][0]["actor"] == {
            "id": "anna",
            "kind": "person",
            "on_behalf_of": None,
            "role": "seller",
        }
        steps: list[tuple[str, Any]] = [
            ("accept", None),
            ("move", {"to": "processing"}),
            ("record", {"fields": {"needs": "столешница", "order_details": "дуб"}}),
            ("move", {"to": "proposal"}),
            ("offer", {"volume": "2", "price": {"amount": "12500.50", "currency": "RUB"}, "delivery_days": 14}),
            ("move", {"to": "closing"}),
            ("answer", {"answer": "consent"}),
            ("convert", None),
        ]
        for name, body in steps:
            done = await command(api, lead, name, body)
            assert done.status_code == 200, (name, done.text)
        shown = (await api.get(f"/api/leads/{lead}")).json()
        assert (shown["stage"]["id"], shown["stage"]["place"], shown["version"]) == (
            "converted",
            5,
            done.json()["version"],
        )
        assert shown["offer"]["price"] == {"amount": "12500.50", "currency": "RUB"}
        history = (await api.get(f"/api/leads/{lead}/history")).json()
        assert [e["version"] for e in history["items"]] == list(range(1, shown["version"] + 1))
        assert history["next"] is None
        page = (await api.get(f"/api/leads/{lead}/history", params={"limit": 3, "after": 2})).json()
        assert ([e["version"] for e in page["items"]], page["next"]) == ([3, 4, 5], 5)


async def test_K6_history_as_of_a_moment(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567")
    async with web.api("seller") as api:
        before = datetime.now(UTC)
        await command(api, lead, "see")
        now = (await api.get(f"/api/leads/{lead}/history")).json()["items"]
        then = (await api.get(f"/api/leads/{lead}/history", params={"as_of": before.isoformat()})).json()["items"]
        assert now[: len(then)] == then
        assert len(now) == len(then) + 1
        long_ago = (before - timedelta(days=400)).isoformat()
        assert (await api.get(f"/api/leads/{lead}/history", params={"as_of": long_ago})).status_code == 404


async def test_K2_same_key_is_carried_out_once_and_another_body_is_refused(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567")
    async with web.api("seller") as api:
        for key in (str(uuid4()), "my-own-key"):
            body = {"fields": {"needs": f"key {key}"}}
            first = await command(api, lead, "record", body, **{"Idempotency-Key": key})
            again = await command(api, lead, "record", body, **{"Idempotency-Key": key})
            assert first.json() == again.json()
            assert len(first.json()["events"]) == 1
            other = await command(api, lead, "record", {"fields": {"needs": "x"}}, **{"Idempotency-Key": key})
            assert (other.status_code, other.json()["type"]) == (422, "urn:leadline:problem:idempotency-key-reused")
        refused_once = await command(api, lead, "convert", None, **{"Idempotency-Key": "no"})
        refused_again = await command(api, lead, "convert", None, **{"Idempotency-Key": "no"})
        assert refused_once.status_code == 422
        assert refused_once.json() == refused_again.json()


async def test_K2_stale_command_is_409(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567")
    async with web.api("seller") as api:
        version = (await api.get(f"/api/leads/{lead}")).json()["version"]
        assert (await command(api, lead, "see", None, **{"If-Match": f'"{version}"'})).status_code == 200
        by_header = await command(api, lead, "accept", None, **{"If-Match": f'"{version}"'})
        by_body = await command(api, lead, "accept", {"expected_version": version})
        assert {by_header.status_code, by_body.status_code} == {409}
        assert by_header.json()["rule"] == "K2.current_version"
        assert (await command(api, lead, "see", None, **{"If-Match": "abc"})).status_code == 422


@pytest.mark.parametrize(
    ("name", "raw", "status", "where"),
    [
        ("offer", b"{", 400, None),
        ("offer", b'{"volume": "\xff"}', 400, None),
        (
            "offer",
            b'{"volume": "2", "price": {"amount": "1", "currency": "rub"}, "delivery_days": 1}',
            422,
            "price.currency",
        ),
        ("move", b'{"to": "x", "typo": 1}', 422, "typo"),
        ("move", b"{}", 422, "to"),
        ("record", b'{"fields": {"needs": "a\\u0000b"}}', 422, None),
        ("see", b"[]", 422, None),
    ],
)
async def test_I_malformed_command_is_a_problem_that_names_the_place(
    web: Web, name: str, raw: bytes, status: int, where: str | None
) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567")
    before = await web.pool.fetchval("SELECT count(*) FROM leadline.events")
    async with web.api("seller") as api:
        answer = await api.post(f"/api/leads/{lead}/commands/{name}", content=raw)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    if where:
        assert where in [error["where"] for error in answer.json()["errors"]]
    assert await web.pool.fetchval("SELECT count(*) FROM leadline.events") == before


async def test_I_no_token_nothing_is_read_or_changed(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567")
    async with web.client() as nobody:
        paths = (await nobody.get("/openapi.json")).json()["paths"]
        asked = 0
        for path, operations in paths.items():
            concrete = re.sub(r"\{[a-z_]+\}", str(lead), path)
            for method in operations:
                answer = await nobody.request(method, concrete)
                assert answer.status_code == 401, (method, path, answer.text)
                assert answer.headers["content-type"] == "application/problem+json"
                asked += 1
        assert asked >= 20
        for page in ("/", "/boards/classic", "/leads", f"/leads/{lead}", "/intake", f"/intake/{lead}", "/ops"):
            answer = await nobody.get(page)
            assert (answer.status_code, answer.headers["location"].startswith("/login")) == (303, True), page


async def test_I_roles_do_what_they_may(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567")
    expected = {
        ("GET", f"/api/leads/{lead}"): {"seller", "head", "ops", "auditor"},
        ("POST", f"/api/leads/{lead}/commands/see"): {"seller", "head"},
        ("GET", "/ops/status"): {"head", "ops", "auditor"},
        ("GET", "/api/people?name=x"): {"seller", "head", "ops", "auditor"},
        ("POST", f"/api/people/{uuid4()}/erase"): {"ops"},
    }
    for (method, path), may in expected.items():
        for role in web.tokens:
            async with web.api(role) as api:
                status = (await api.request(method, path)).status_code
            assert (status != 403) == (role in may), (method, path, role, status)
    async with web.api("seller") as api:
        assert (await command(api, lead, "assign", {"to": "boris"})).status_code == 403
        assert (await command(api, lead, "assign", {"to": "anna"})).status_code == 200
    async with web.api("head") as api:
        assert (await command(api, lead, "assign", {"to": "boris"})).status_code == 200


async def test_I_actor_comes_from_the_token_never_from_the_body(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567")
    async with web.api("seller") as api:
        forged = await command(api, lead, "see", {"actor": {"id": "helen", "kind": "person", "role": "head"}})
        assert forged.status_code == 422
        assert (await command(api, lead, "see")).json()["events"][0]["actor"]["id"] == "anna"


async def test_M7_erasing_a_person_by_the_api(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567")
    async with web.api("ops") as ops:
        contact = (await ops.get(f"/api/leads/{lead}")).json()["contact"]
        key = {"Idempotency-Key": str(uuid4())}
        erased = await ops.post(f"/api/people/{contact}/erase", json={"reason": "asked"}, headers=key)
        assert erased.status_code == 200, erased.text
        assert (
            await ops.post(f"/api/people/{contact}/erase", json={"reason": "asked"}, headers=key)
        ).json() == erased.json()
        shown = (await ops.get(f"/api/leads/{lead}")).json()
        assert (shown["erased"], shown["name"], shown["phone"]) == (True, None, None)
        history = await ops.get(f"/api/leads/{lead}/history")
        assert "Иван" not in history.text
        assert {"name", "phone"} <= set(history.json()["items"][0]["erased"])
    async with web.api("seller") as seller:
        assert (await command(seller, lead, "see")).status_code == 410
    browser = await web.signed_in("seller")
    page = await browser.get(f"/leads/{lead}")
    assert page.status_code == 200
    assert "Иван" not in page.text
    await browser.aclose()


async def test_I_practice_clock_is_moved_on_only_in_a_practice_system(web: Web, settings: Settings, pool: Pool) -> None:
    async with web.api("ops") as ops:
        answer = await ops.post("/ops/clock", json={"to": "2027-01-01T00:00:00Z"})
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:leadline:problem:no-practice-system")
    start = datetime(2026, 11, 22, 6, tzinfo=UTC)
    await pool.execute("INSERT INTO leadline.clock (practice_now) VALUES ($1)", start)
    practice = settings.model_copy(update={"clock": start})
    web.app = create_app(practice, pool, KeyRing(settings.master_key_bytes), Health("door"))
    async with web.api("ops") as ops:
        moved = await ops.post("/ops/clock", json={"to": "2026-11-23T09:00:00+03:00"})
        assert (moved.status_code, moved.json()["now"]) == (200, "2026-11-23T06:00:00Z")
        back = await ops.post("/ops/clock", json={"to": "2026-11-22T12:00:00Z"})
        assert (back.status_code, back.json()["type"]) == (409, "urn:leadline:problem:clock-goes-forward")
        assert (await ops.get("/ops/status")).json()["now"] == "2026-11-23T06:00:00Z"
        assert (await ops.post("/ops/clock", json={"to": "2026-11-24T12:00:00"})).status_code == 422, (
            "no zone, no instant"
        )


async def test_I_ops_status_tells_notices_parked_and_lag(web: Web) -> None:
    await web.pool.execute(
        """INSERT INTO leadline.notices (service, severity, code, detail) VALUES ('relay', 'error', 'refused', 'it differs');
           INSERT INTO leadline.parked (consumer, build, topic, partition, "offset", timestamp_ms, headers, reason, detail, at)
               VALUES ('projections', 1, 'leads.events', 0, 7, 0, '[]', 'gap', 'x', now());
           INSERT INTO leadline.relay_positions VALUES ('leads.events', 0, 10, 'x'), ('leads.events', 1, 5, 'x');
           INSERT INTO leadline.positions
               VALUES ('projections', 1, 'leads.events', 0, 7, ''), ('projections', 1, 'leads.events', 1, 6, '')"""
    )
    async with web.api("auditor") as api:
        status = (await api.get("/ops/status")).json()
    assert [n["code"] for n in status["notices"]] == ["refused"]
    assert [(p["reason"], p["count"]) for p in status["parked"]] == [("gap", 1)]
    assert [(lag["consumer"], lag["topic"], lag["behind"]) for lag in status["lag"]] == [
        ("projections", "leads.events", 3)
    ]
    browser = await web.signed_in("ops")
    page = await browser.get("/ops")
    assert "it differs" in page.text
    await browser.aclose()


async def test_N7_the_backlog_of_each_robot_is_on_the_operations_page(web: Web) -> None:
    await web.pool.execute(
        """INSERT INTO leadline.timer_counts VALUES ('lead', 'classic', 'first_letter', 9, 4, 1, 1, 0);
           INSERT INTO leadline.timers (timer, stream, kind, pipeline, robot, due_at, armed_version, correlation, autodepth)
               SELECT gen_random_uuid(), gen_random_uuid(), 'lead', 'classic', 'first_letter', due, 1, 'c', 0
               FROM unnest(ARRAY[now() - interval '1 hour', now() - interval '1 minute', now() + interval '1 hour']) AS due"""
    )
    async with web.api("auditor") as api:
        (row,) = (await api.get("/ops/status")).json()["robots"]
    assert (row["robot"], row["armed"], row["ran"], row["waiting"], row["due"], row["sent"]) == (
        "first_letter", 9, 4, 3, 2, 0
    )  # fmt: skip
    browser = await web.signed_in("ops")
    page = (await browser.get("/ops")).text
    assert "Таймеры роботов" in page
    assert "classic/first_letter" in page
    await browser.aclose()


async def test_I_health_metrics_docs(web: Web) -> None:
    lead = await web.leads.lead_of(name="Иван", phone="+79001234567")
    async with web.api("seller") as api:
        await api.get(f"/api/leads/{lead}")
        assert (await api.get("/health/live")).status_code == 200
        assert (await api.get("/health/ready")).status_code == 503, "no part of this health was ever ready"
        metrics = (await api.get("/metrics")).text
        assert 'leadline_http_requests_total{method="GET",route="/api/leads/{lead}",status="200"}' in metrics
        assert str(lead) not in metrics
        docs = await api.get("/docs")
        assert docs.status_code == 200
        for path in ("/inbound/forms/{form}", "/api/leads/{lead}/commands/move", "/api/boards/{pipeline}"):
            assert path in docs.text
        assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", docs.text), "nothing is loaded from elsewhere"
        unknown = await api.get("/api/nothing")
        assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
        wrong = await api.put(f"/api/leads/{lead}")
        assert (wrong.status_code, wrong.headers["content-type"]) == (405, "application/problem+json")
        nul = await api.get("/api/boards/%00")
        assert nul.status_code == 400


async def test_I_read_side_that_is_not_built_yet_is_503_not_a_failure(web: Web) -> None:
    await web.pool.execute("DROP SCHEMA proj_board_1 CASCADE")
    async with web.api("seller") as api:
        for path in ("/api/boards/classic", "/api/leads"):
            answer = await api.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2"), path
    browser = await web.signed_in("seller")
    page = await browser.get("/boards/classic")
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    await browser.aclose()
