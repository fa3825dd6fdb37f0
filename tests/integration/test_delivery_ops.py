"""What people are told of outward effects, and how they repeat dead letters: pages, `leadline effects`, `verify` (R3, M2)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.commands import Command, CommandResult, Refusal, Repeat
from contracts.events import EffectDone, EffectRepeated
from services.database import Pool
from services.delivery.adapters import Way
from services.health import Health
from services.ops import effects as effects_command
from services.ops.place import OpsError, Place
from services.ops.verify.run import verify
from services.privacy.store import KeyRing
from services.serving import serve_http
from services.settings import Settings
from services.web.app import create_app
from services.web.forwarding import LeadsDoor
from tests.beside_others import free_port
from tests.integration.delivery_case import OUTSIDE, House, Outside, delivering, until
from tests.integration.tokens import make_token
from tests.integration.web_case import Forms

pytestmark = pytest.mark.kafka


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    made = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, enable_idempotence=True)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def house(settings: Settings, pool: Pool, producer: AIOKafkaProducer) -> House:
    await pool.execute(OUTSIDE)
    return House(settings, pool, producer)


class AggregateDoor:
    """The door of the aggregate service, for `repeat`: it notes the commands, and refuses where told to."""

    def __init__(self, token: str) -> None:
        self.token, self.commands, self.refusal = token, list[Command](), None
        self.app = Starlette(routes=[Route("/commands", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        assert request.headers["authorization"] == f"Bearer {self.token}"
        command = Command.model_validate_json(await request.body())
        self.commands.append(command)
        result = CommandResult(
            command=command.id,
            stream=command.lead,
            outcome="refused" if self.refusal else "done",
            refusal=self.refusal,
            at=datetime.now(UTC),
        )
        return Response(result.model_dump_json(), media_type="application/json")


REFUSED = Refusal(rules=("C7.refused",), ru="Клиент отказался от писем.", en="The client refused letters.")


async def some_of_each(settings: Settings, house: House) -> dict[str, Any]:
    """A dead letter, one that waits for its way, one in doubt, one that is done."""
    script = {"dead@example.org": "refused", "doubt@example.org": "doubt"}
    url = settings.database_url.get_secret_value()
    adapter = Outside(url, "email", script=lambda order, size: script.get(order.to, "done"))
    async with delivering(settings, Way("email", adapter)):
        made = {
            "failed": await house.ask(email="dead@example.org"),
            "waiting": await house.ask("sms"),
            "doubtful": await house.ask(email="doubt@example.org"),
            "done": await house.ask(),
        }
        await house.settled(made["failed"], made["done"])

        async def in_doubt() -> bool:
            return bool((await house.row(made["doubtful"]))["in_doubt"])

        await until(in_doubt, "one is in doubt")
    return made


async def test_R3_the_page_lists_dead_letters_and_repeats_them(settings: Settings, pool: Pool, house: House) -> None:
    made = await some_of_each(settings, house)
    leads = AggregateDoor(settings.internal_token.get_secret_value())
    door = LeadsDoor.at("http://leads", settings.internal_token, transport=httpx.ASGITransport(app=leads.app))
    app = create_app(settings, pool, KeyRing(settings.master_key_bytes), Health("door"), leads=door)
    browsers = {}
    for role in ("seller", "head", "ops", "auditor"):
        token = await make_token(pool, f"a-{role}", role)
        browser = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door")
        assert (await browser.post("/login", data={"token": token})).status_code == 303
        browsers[role] = browser
        api = {"Authorization": f"Bearer {token}"}
        answer = await browser.get("/api/effects", params={"which": "waiting"}, headers=api)
        assert answer.status_code == (403 if role == "seller" else 200)
        stream = house.of[made["waiting"]][0].id
        (of_lead,) = (await browser.get(f"/api/leads/{stream}/effects", headers=api)).json()
        assert (of_lead["state"], of_lead["last_reason"], of_lead["expected_at"]) == ("waiting", "not_configured", None)
    assert (await browsers["seller"].get("/ops/effects")).status_code == 403
    for language, words in (("ru", "Не удалось: 1"), ("en", "Dead letters: 1")):
        for role in ("head", "ops", "auditor"):
            page = await browsers[role].get("/ops/effects", params={"lang": language})
            assert words in page.text
            assert f"/leads/{house.of[made['failed']][0].id}" in page.text
            assert "@example.org" not in page.text
            assert ("/ops/effects/repeat" in page.text) == (role != "auditor")
    fields = Forms((await browsers["head"].get("/ops/effects")).text).to("/ops/effects/repeat")
    assert fields["effect"] == str(made["failed"])
    foreign = await browsers["head"].post("/ops/effects/repeat", data=fields | {"csrf": "x"})
    assert (foreign.status_code, leads.commands) == (403, [])
    leads.refusal = REFUSED
    refused = await browsers["head"].post("/ops/effects/repeat", data=fields)
    assert (refused.status_code, REFUSED.en in refused.text) == (422, True)
    leads.refusal = None
    for _ in range(2):
        assert (await browsers["head"].post("/ops/effects/repeat", data=fields)).status_code == 303
    assert len({command.id for command in leads.commands}) == 1, "pressed twice, it is one command"
    command = leads.commands[0]
    assert command.body == Repeat(effect=made["failed"])
    assert (command.lead, command.actor.id) == (house.of[made["failed"]][0].id, "a-head")
    other = await browsers["head"].post("/ops/effects/repeat", data=fields | {"effect": str(made["done"])})
    assert (other.status_code, "no dead letter any more" in other.text) == (409, True)
    for browser in browsers.values():
        await browser.aclose()
    await door.client.aclose()


class Here(Place):
    """The test's own system."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(None)
        object.__setattr__(self, "found", settings)

    def settings(self) -> Settings:
        found: Settings = self.found  # type: ignore[attr-defined]
        return found


async def test_R3_leadline_effects_lists_and_repeats(
    settings: Settings, house: House, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    made = await some_of_each(settings, house)
    port, stop = free_port(), asyncio.Event()
    leads = AggregateDoor(settings.internal_token.get_secret_value())
    place = Here(settings.model_copy(update={"leads_url": f"http://127.0.0.1:{port}"}))
    serving = asyncio.create_task(serve_http(leads.app, host="127.0.0.1", port=port, stop=stop))
    try:
        assert await effects_command.effects(place, ["failed", "waiting", "doubtful"], None, True) == 0
        told = json.loads(capfdbinary.readouterr().out.rpartition(b"\n}\n")[0].partition(b"{")[2].join([b"{", b"}"]))
        assert told["counts"] == {"failed": 1, "waiting": 2, "doubtful": 1}
        assert [row["effect"] for row in told["failed"]] == [str(made["failed"])]
        assert [row["effect"] for row in told["doubtful"]] == [str(made["doubtful"])]
        assert {row["effect"] for row in told["waiting"]} == {str(made["waiting"]), str(made["doubtful"])}
        assert {(way["provider"], way["configured"]) for way in told["providers"]} == {("email", True), ("sms", False)}
        assert await effects_command.effects(place, ["failed"], None, False) == 0
        said = capfdbinary.readouterr().out.decode()
        assert "not configured" in said
        assert "no_such_address: 550" in said
        with pytest.raises(OpsError, match="only what failed"):
            await effects_command.repeat(place, made["done"], False, None)
        for wrong in ((None, False, None), (made["failed"], True, "email"), (None, True, None)):
            with pytest.raises(OpsError, match="--provider"):
                await effects_command.repeat(place, *wrong)
        assert leads.commands == []
        assert await effects_command.repeat(place, made["failed"], False, None) == 0
        assert await effects_command.repeat(place, None, True, "email") == 0
        assert [c.body for c in leads.commands] == [Repeat(effect=made["failed"])] * 2
        leads.refusal = REFUSED
        assert await effects_command.repeat(place, None, True, "email") == 1
    finally:
        stop.set()
        await asyncio.wait_for(serving, 60)


async def found_by(settings: Settings) -> set[tuple[str, str]]:
    """The differences of `verify` about effects (the streams of these tests are no whole leads)."""
    report = await verify(settings, range_events=3)
    return {(each.kind, each.about) for each in report.differences if each.place == "effects"}


async def test_M2_verify_holds_the_ledger_against_the_events(settings: Settings, pool: Pool, house: House) -> None:
    made = await some_of_each(settings, house)
    assert await found_by(settings) == set()
    report = await verify(settings)
    assert report.counts["effects"] == 4
    assert "1 effects may have gone out more than once; see: leadline effects --doubtful" in report.notes
    failed, waiting, done = (str(made[name]) for name in ("failed", "waiting", "done"))
    spoiled = [
        ("DELETE FROM leadline.effects WHERE effect = $1", waiting, {("missing", waiting)}),
        ("DELETE FROM leadline.effects WHERE effect = $1", done, set()),
        ("UPDATE leadline.effects SET state = 'waiting' WHERE effect = $1", done, {("differs", done)}),
        ("UPDATE leadline.effects SET state = 'done' WHERE effect = $1", failed, {("differs", failed)}),
        ("UPDATE leadline.effects SET state = 'closed' WHERE effect = $1", waiting, {("differs", waiting)}),
        ("UPDATE leadline.effects SET round = 1 WHERE effect = $1", failed, {("differs", failed)}),
    ]
    for sql, effect, differences in spoiled:
        row = await house.row(made[next(name for name, each in made.items() if str(each) == effect)])
        await pool.execute(sql, effect)
        assert await found_by(settings) == differences, sql
        await pool.execute("DELETE FROM leadline.effects WHERE effect = $1", effect)
        await pool.execute(
            f"INSERT INTO leadline.effects ({', '.join(row.keys())}) "
            f"VALUES ({', '.join(f'${n}' for n in range(1, len(row) + 1))})",
            *row.values(),
        )
    stranger = await pool.fetchval(
        """INSERT INTO leadline.effects (effect, stream, kind, version, effect_kind, provider, correlation, requested_at,
                                         opened_at, next_at, report, state)
           VALUES (gen_random_uuid(), gen_random_uuid(), 'lead', 1, 'sms', 'sms', 'c', now(), now(), now(),
                   gen_random_uuid(), 'waiting') RETURNING effect"""
    )
    assert await found_by(settings) == {("unexpected", str(stranger))}
    await pool.execute("DELETE FROM leadline.effects WHERE effect = $1", stranger)
    # what no aggregate may write: an effect closed twice in one round, one opened while it is open
    twice = house.of[made["done"]][0]
    await house.publish([twice.add(EffectDone(effect=made["done"], effect_kind="email", attempts=1))])
    opened = house.of[made["waiting"]][0]
    await house.publish([opened.add(EffectRepeated(effect=made["waiting"], effect_kind="sms"))])
    assert await found_by(settings) == {
        ("repeated", f"{twice.id}-{twice.version}"),
        ("repeated", f"{opened.id}-{opened.version}"),
    }
