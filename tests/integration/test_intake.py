"""K5, N18, M7: intake over HTTP on a real Postgres: stored before «accepted», once per key, mended and run again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from contracts.inbound import REFERENCE_TYPE, InboundReference
from contracts.meta import Actor
from services.channels.intake import Intake
from services.clock import SystemClock
from services.database import Pool
from services.health import Health
from services.privacy.messages import open_message
from services.privacy.store import KeyRing, destroy_keys
from services.settings import Settings
from services.web.app import create_app
from tests.integration.tokens import make_token

FORM = {"name": "Иван Секретов", "phone": "+7 900 123-45-67", "kitchen": "oak"}
EARLIER = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def door(settings: Settings, pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application without a token; `open` is a form that anybody may post."""
    opened = settings.model_copy(update={"open_forms": ["open"]})
    app = create_app(opened, pool, KeyRing(settings.master_key_bytes), Health("door"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door") as client:
        yield client


@pytest.fixture
async def adapter(pool: Pool) -> dict[str, str]:
    """Headers of a channel adapter."""
    return {"Authorization": f"Bearer {await make_token(pool, 'tilda', 'adapter')}"}


@pytest.fixture
async def ops(pool: Pool) -> dict[str, str]:
    """Headers of operations."""
    return {"Authorization": f"Bearer {await make_token(pool, 'olga', 'ops')}"}


async def rows(pool: Pool) -> dict[str, int]:
    """How many rows each table that intake writes has."""
    return {
        table: await pool.fetchval(f"SELECT count(*) FROM {table}")
        for table in ("leadline.intake", "leadline.outbox", "vault.keys", "leadline.intake_mends")
    }


async def quarantine(pool: Pool, inbound_id: str | UUID, attempt: int = 1, outcome: str = "quarantined") -> None:
    """What the aggregate service writes of a message."""
    await pool.execute(
        """INSERT INTO leadline.inbound_outcomes (inbound_id, attempt, outcome, reason, channel, account, received_at, at)
           SELECT id, $2, $3, 'no_contact: neither phone nor e-mail was given', channel, account, received_at, now()
           FROM leadline.intake WHERE id = $1
           ON CONFLICT (inbound_id) DO UPDATE SET attempt = $2, outcome = $3""",
        UUID(str(inbound_id)),
        attempt,
        outcome,
    )


async def test_K5_accepted_means_stored_sealed_and_on_its_way(
    door: httpx.AsyncClient, adapter: dict[str, str], pool: Pool, settings: Settings
) -> None:
    raw = orjson.dumps(FORM)
    answer = await door.post("/inbound/forms/site", content=raw, headers=adapter)
    assert answer.status_code == 202, answer.text
    inbound_id = UUID(answer.json()["inbound_id"])
    kept = await pool.fetchrow("SELECT * FROM leadline.intake WHERE id = $1", inbound_id)
    assert (kept["channel"], kept["account"], kept["attempt"]) == ("form", "site", 1)
    assert orjson.loads(kept["actor"]) == {"id": "tilda", "kind": "adapter", "role": "adapter"}
    ring = KeyRing(settings.master_key_bytes)
    await ring.load(pool, [inbound_id])
    assert open_message(ring.key(inbound_id), inbound_id, kept["ciphertext"]) == raw
    sent = await pool.fetchrow("SELECT * FROM leadline.outbox WHERE stream = $1", inbound_id)
    assert (sent["topic"], sent["version"]) == ("leads.inbound", 1)
    headers = orjson.loads(sent["headers"])
    assert (headers["ce_id"], headers["ce_type"]) == (f"{inbound_id}-1", REFERENCE_TYPE)
    reference = InboundReference.model_validate_json(sent["value"])
    assert (reference.inbound_id, reference.account, reference.received_at) == (inbound_id, "site", kept["received_at"])


async def test_K5_messages_that_come_together_share_commits_and_each_is_stored(
    door: httpx.AsyncClient, adapter: dict[str, str], pool: Pool
) -> None:
    forms = [{**FORM, "name": f"Иван {n}"} for n in range(100)]
    answers = await asyncio.gather(*(door.post("/inbound/forms/site", json=form, headers=adapter) for form in forms))
    assert {answer.status_code for answer in answers} == {202}
    stored = {row[0] for row in await pool.fetch("SELECT id FROM leadline.intake")}
    assert stored == {UUID(answer.json()["inbound_id"]) for answer in answers}
    for table in ("leadline.outbox", "vault.keys"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 100, table
    assert await pool.fetchval("SELECT count(DISTINCT xmin::text) FROM leadline.intake") < 50


async def test_K5_a_message_that_postgres_refuses_fails_alone(settings: Settings, pool: Pool) -> None:
    intake = Intake(pool, SystemClock(), settings.master_key_bytes, settings.pepper_bytes)
    actor = Actor(id="site", kind="adapter")
    accounts = [f"form {n}" for n in range(20)]
    accounts[7] = "no text of Postgres: \0"
    kept = await asyncio.gather(
        *(intake.keep("form", account, b"{}", actor=actor) for account in accounts), return_exceptions=True
    )
    assert [n for n, answer in enumerate(kept) if isinstance(answer, BaseException)] == [7]
    stored = {row[0] for row in await pool.fetch("SELECT account FROM leadline.intake")}
    assert stored == set(accounts) - {accounts[7]}


async def test_M7_nothing_of_a_form_stands_readable_in_any_table(
    door: httpx.AsyncClient, adapter: dict[str, str], pool: Pool
) -> None:
    await door.post("/inbound/forms/site", json=FORM, headers=adapter)
    for table in ("leadline.intake", "leadline.outbox", "vault.keys"):
        for row in await pool.fetch(f"SELECT t::text FROM {table} AS t"):
            for secret in ("Секретов", "9001234567", "900 123"):
                assert secret not in row[0], table
                assert secret.encode().hex() not in row[0], table


async def test_K5_same_key_and_body_is_the_same_message(
    door: httpx.AsyncClient, adapter: dict[str, str], pool: Pool
) -> None:
    headers = {**adapter, "Idempotency-Key": "order-7"}
    first = await door.post("/inbound/forms/site", json=FORM, headers=headers)
    again = await door.post("/inbound/forms/site", json=FORM, headers=headers)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert await rows(pool) == {
        "leadline.intake": 1,
        "leadline.outbox": 1,
        "vault.keys": 1,
        "leadline.intake_mends": 0,
    }
    other_form = await door.post("/inbound/forms/other", json=FORM, headers=headers)
    assert other_form.json() != first.json(), "a key is unique per channel and account"


async def test_K5_same_key_with_another_body_is_refused_and_changes_nothing(
    door: httpx.AsyncClient, adapter: dict[str, str], pool: Pool
) -> None:
    headers = {**adapter, "Idempotency-Key": "order-7"}
    await door.post("/inbound/forms/site", json=FORM, headers=headers)
    before = await rows(pool)
    answer = await door.post("/inbound/forms/site", json={**FORM, "name": "Мария"}, headers=headers)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith(":idempotency-key-reused")
    assert await rows(pool) == before


async def test_K5_fifty_at_once_under_one_key_are_one_message(
    door: httpx.AsyncClient, adapter: dict[str, str], pool: Pool
) -> None:
    headers = {**adapter, "Idempotency-Key": "burst"}
    answers = await asyncio.gather(*(door.post("/inbound/forms/site", json=FORM, headers=headers) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["inbound_id"] for answer in answers}) == 1
    assert (await rows(pool))["leadline.outbox"] == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"name": "x",, }', 400, "not-json"),
        (b'{"name": "\xff"}', 400, "not-json"),
        (b"[]", 422, "not-an-object"),
        (b'{"comment": "' + b"x" * 70_000 + b'"}', 413, "too-large"),
    ],
)
async def test_K5_bad_input_is_a_clear_problem_and_changes_nothing(
    door: httpx.AsyncClient, adapter: dict[str, str], pool: Pool, body: bytes, status: int, code: str
) -> None:
    answer = await door.post("/inbound/forms/site", content=body, headers=adapter)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:leadline:problem:{code}"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["where"]
    assert sum((await rows(pool)).values()) == 0


async def test_I_without_a_token_only_open_forms_may_be_posted(
    door: httpx.AsyncClient, pool: Pool, adapter: dict[str, str]
) -> None:
    closed = await door.post("/inbound/forms/site", json=FORM)
    assert closed.status_code == 401
    assert closed.headers["www-authenticate"].startswith("Bearer")
    wrong = await door.post("/inbound/forms/open", json=FORM, headers={"Authorization": "Bearer ll_guess"})
    assert wrong.status_code == 401, "a bad token is an error, not nobody"
    auditor = {"Authorization": f"Bearer {await make_token(pool, 'audit', 'auditor')}"}
    assert (await door.post("/inbound/forms/site", json=FORM, headers=auditor)).status_code == 403
    assert sum((await rows(pool)).values()) == 0
    opened = await door.post("/inbound/forms/open", data={"name": "Иван", "phone": "+79001234567"})
    assert opened.status_code == 202, opened.text
    actor = orjson.loads(await pool.fetchval("SELECT actor FROM leadline.intake"))
    assert actor == {"id": "form:open", "kind": "client"}


async def test_I_revoked_token_is_no_token(door: httpx.AsyncClient, pool: Pool, adapter: dict[str, str]) -> None:
    await pool.execute("UPDATE leadline.tokens SET revoked_at = now()")
    assert (await door.post("/inbound/forms/site", json=FORM, headers=adapter)).status_code == 401


async def test_N18_quarantined_message_is_mended_and_run_again_with_its_time_of_receipt(
    door: httpx.AsyncClient, adapter: dict[str, str], ops: dict[str, str], pool: Pool
) -> None:
    posted = await door.post("/inbound/forms/site", json={"name": "Иван", "kitchen": "oak"}, headers=adapter)
    inbound_id = posted.json()["inbound_id"]
    await pool.execute("UPDATE leadline.intake SET received_at = $1", EARLIER)
    await pool.execute("DELETE FROM leadline.outbox")
    await quarantine(pool, inbound_id)

    journal = (await door.get("/api/intake", params={"outcome": "quarantined"}, headers=ops)).json()
    assert [(i["inbound_id"], i["reason"][:10]) for i in journal["items"]] == [(inbound_id, "no_contact")]
    shown = (await door.get(f"/api/intake/{inbound_id}", headers=ops)).json()
    assert (shown["body"], shown["outcome"]) == ({"name": "Иван", "kitchen": "oak"}, "quarantined")

    mend = {"fields": {"phone": "+79001234567"}, "attempt": 1}
    answer = await door.post(f"/api/intake/{inbound_id}/mend", json=mend, headers=ops)
    assert (answer.status_code, answer.json()["attempt"]) == (202, 2), answer.text
    sent = await pool.fetchrow("SELECT version, headers, value FROM leadline.outbox")
    reference = InboundReference.model_validate_json(sent["value"])
    assert (reference.attempt, reference.received_at, sent["version"]) == (2, EARLIER, 2)
    assert orjson.loads(sent["headers"])["ce_id"] == f"{inbound_id}-2"

    shown = (await door.get(f"/api/intake/{inbound_id}", headers=ops)).json()
    assert shown["body"] == {"name": "Иван", "kitchen": "oak", "phone": "+79001234567"}
    assert [(m["attempt"], m["body"], m["actor"]["id"]) for m in shown["mends"]] == [
        (1, {"name": "Иван", "kitchen": "oak"}, "olga")
    ], "the original is kept"
    assert shown["outcome"] == "waiting"

    for path in ("mend", "rerun"):
        again = await door.post(f"/api/intake/{inbound_id}/{path}", json=mend if path == "mend" else None, headers=ops)
        assert again.status_code == 409, "it waits: a repeat of the mend runs nothing twice"
    assert await pool.fetchval("SELECT count(*) FROM leadline.outbox") == 1
    await quarantine(pool, inbound_id, attempt=2)
    stale = await door.post(f"/api/intake/{inbound_id}/rerun", json={"attempt": 1}, headers=ops)
    assert (stale.status_code, stale.json()["type"]) == (409, "urn:leadline:problem:stale")
    rerun = await door.post(f"/api/intake/{inbound_id}/rerun", headers=ops)
    assert rerun.json()["attempt"] == 3


async def test_N18_two_people_mend_at_once_and_one_attempt_runs(
    door: httpx.AsyncClient, adapter: dict[str, str], ops: dict[str, str], pool: Pool
) -> None:
    inbound_id = (await door.post("/inbound/forms/site", json={}, headers=adapter)).json()["inbound_id"]
    await quarantine(pool, inbound_id)
    answers = await asyncio.gather(
        *(
            door.post(f"/api/intake/{inbound_id}/mend", json={"fields": {"phone": f"+7900123456{n}"}}, headers=ops)
            for n in range(8)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7
    assert await pool.fetchval("SELECT attempt FROM leadline.intake") == 2


@pytest.mark.parametrize("outcome", ["accepted", "joined"])
async def test_N18_only_quarantine_is_run_again(
    door: httpx.AsyncClient, adapter: dict[str, str], ops: dict[str, str], pool: Pool, outcome: str
) -> None:
    inbound_id = (await door.post("/inbound/forms/site", json=FORM, headers=adapter)).json()["inbound_id"]
    await quarantine(pool, inbound_id, outcome=outcome)
    answer = await door.post(f"/api/intake/{inbound_id}/mend", json={"fields": {"name": "x"}}, headers=ops)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:leadline:problem:not-quarantined")
    missing = await door.post(f"/api/intake/{uuid4()}/rerun", headers=ops)
    assert missing.status_code == 404


async def test_N18_message_of_no_known_type_becomes_a_form_by_being_mended(
    door: httpx.AsyncClient, adapter: dict[str, str], ops: dict[str, str], pool: Pool
) -> None:
    inbound_id = (await door.post("/inbound/forms/site", json=FORM, headers=adapter)).json()["inbound_id"]
    await pool.execute("UPDATE leadline.intake SET channel = 'unknown'")
    await quarantine(pool, inbound_id)
    answer = await door.post(f"/api/intake/{inbound_id}/rerun", headers=ops)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:leadline:problem:no-reader")
    answer = await door.post(f"/api/intake/{inbound_id}/mend", json={"fields": {"source": "expo"}}, headers=ops)
    assert answer.status_code == 202, answer.text
    value = await pool.fetchval("SELECT value FROM leadline.outbox ORDER BY n DESC LIMIT 1")
    assert InboundReference.model_validate_json(value).channel == "form"


async def test_M7_erased_message_opens_no_more_and_cannot_be_run(
    door: httpx.AsyncClient, adapter: dict[str, str], ops: dict[str, str], pool: Pool
) -> None:
    inbound_id = (await door.post("/inbound/forms/site", json=FORM, headers=adapter)).json()["inbound_id"]
    await quarantine(pool, inbound_id)
    assert (await door.get(f"/api/intake/{inbound_id}", headers=ops)).json()["erased"] is False
    async with pool.acquire() as connection:
        await destroy_keys(connection, UUID(inbound_id))
    shown = (await door.get(f"/api/intake/{inbound_id}", headers=ops)).json()
    assert (shown["erased"], shown["body"]) == (True, None)
    answer = await door.post(f"/api/intake/{inbound_id}/rerun", headers=ops)
    assert answer.status_code == 410


async def test_K5_journal_tells_what_became_of_every_message_page_by_page(
    door: httpx.AsyncClient, adapter: dict[str, str], ops: dict[str, str], pool: Pool
) -> None:
    ids = [
        (await door.post("/inbound/forms/site", json={**FORM, "n": n}, headers=adapter)).json()["inbound_id"]
        for n in range(7)
    ]
    await quarantine(pool, ids[0], outcome="accepted")
    await quarantine(pool, ids[1])
    straight = uuid4()
    await pool.execute(
        """INSERT INTO leadline.inbound_outcomes (inbound_id, attempt, outcome, channel, account, received_at, at)
           VALUES ($1, 1, 'joined', 'form', 'kafka', now(), now())""",
        straight,
    )

    async def pages(outcome: str | None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            query = {"limit": "3", **({"outcome": outcome} if outcome else {}), **({"after": after} if after else {})}
            answer = await door.get("/api/intake", params=query, headers=ops)
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            after = answer.json()["next"]
            if after is None:
                return found

    assert {i["inbound_id"] for i in await pages("waiting")} == set(ids[2:])
    assert [i["inbound_id"] for i in await pages("quarantined")] == [ids[1]]
    assert [i["inbound_id"] for i in await pages("joined")] == [str(straight)], "also what came straight on Kafka"
    everything = await pages(None)
    assert len(everything) == len({i["inbound_id"] for i in everything}) == 8
    assert everything == sorted(everything, key=lambda i: (i["at"], i["inbound_id"]), reverse=True)
    assert (await door.get("/api/intake?after=nonsense", headers=ops)).status_code == 422
    assert (await door.get("/api/intake?outcome=lost", headers=ops)).status_code == 422


async def test_I_bodies_are_for_head_and_ops_only(door: httpx.AsyncClient, adapter: dict[str, str], pool: Pool) -> None:
    inbound_id = (await door.post("/inbound/forms/site", json=FORM, headers=adapter)).json()["inbound_id"]
    may = {"head": 200, "ops": 200, "auditor": 403, "seller": 403, "adapter": 403}
    for role, status in may.items():
        headers = {"Authorization": f"Bearer {await make_token(pool, role, role)}"}
        assert (await door.get(f"/api/intake/{inbound_id}", headers=headers)).status_code == status, role
        journal = (await door.get("/api/intake", headers=headers)).status_code
        assert journal == (200 if role in ("head", "ops", "auditor") else 403), role
    assert (await door.get(f"/api/intake/{inbound_id}")).status_code == 401
