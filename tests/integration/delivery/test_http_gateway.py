"""Short messages by HTTP, against a real server that holds us to the document we publish (R3)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import jsonschema_rs
import pytest
import yaml

from services.delivery.port import Done, Later, Outcome, Refused, ShortMessage
from services.delivery.sms.http_gateway import HttpGateway
from services.ways_out import SmsGateway
from tests.beside_others import free_port, room
from tests.integration.delivery.http_peer import Asked, Certificates, Peer, answer, hang_up, listening, say_nothing

DOCUMENT: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[3] / "services/delivery/sms/gateway.openapi.yaml").read_text()
)
MESSAGE = jsonschema_rs.validator_for(DOCUMENT["components"]["schemas"]["Message"], validate_formats=True)
PHONE, TEXT, TOKEN = "+79161234567", "Анна, ждём вас завтра в 10:00 🎓", "tok-1234567890"


def message() -> ShortMessage:
    """A message to send."""
    return ShortMessage(effect=uuid4(), phone=PHONE, text=TEXT)


@asynccontextmanager
async def gateway(url: str, timeout: float = 10.0, **given: Any) -> AsyncIterator[HttpGateway]:
    """Our side."""
    ours = HttpGateway(
        SmsGateway.model_validate({"kind": "http", "url": url, "token": TOKEN, "sender": "Firma", "timeout": timeout}),
        **given,
    )
    try:
        yield ours
    finally:
        await ours.close()


async def send(peer: Peer, sent: ShortMessage | None = None, timeout: float = 10.0) -> Outcome:
    """Send one message to a peer."""
    async with gateway(f"http://127.0.0.1:{peer.port}/v1/messages?tenant=7", timeout) as ours:
        (outcome,) = await ours.carry_out([sent or message()])
        return outcome


async def test_R3_the_request_is_the_document_s() -> None:
    sent = message()
    async with listening(answer(202, b'{"id": "gw-17"}')) as peer:
        assert await send(peer, sent) == Done("gw-17")
    (asked,) = peer.asked
    assert asked.line == "POST /v1/messages?tenant=7 HTTP/1.1"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["idempotency-key"] == str(sent.effect)
    body = json.loads(asked.body)
    MESSAGE.validate(body)
    assert body == {"id": str(sent.effect), "to": PHONE, "text": TEXT, "sender": "Firma"}


async def test_R3_the_key_is_the_same_at_every_try_and_a_repeat_is_done() -> None:
    seen: dict[str, int] = {}

    async def once(asked: Asked, writer: asyncio.StreamWriter) -> None:
        key = asked.headers["idempotency-key"]
        seen[key] = seen.get(key, 0) + 1
        await (hang_up if seen[key] == 1 else answer(409, b'{"id": "gw-1"}'))(asked, writer)

    sent = message()
    async with listening(once) as peer:
        first = await send(peer, sent)
        assert first == Later("gateway_no_answer")
        assert isinstance(first, Later)
        assert not first.in_doubt
        assert await send(peer, sent) == Done("gw-1")
    assert list(seen.values()) == [2]


@pytest.mark.parametrize(
    ("status", "body", "headers", "outcome"),
    [
        (200, b'{"id": "a"}', {}, Done("a")),
        (201, b'{"id": "a", "more": 1}', {}, Done("a")),
        (202, b"", {}, Done()),
        (202, b"<html>", {}, Done()),
        (202, b"[1]", {}, Done()),
        (202, b'{"id": 17}', {}, Done()),
        (202, b'{"id": "with space"}', {}, Done()),
        (409, b'{"code": "taken"}', {}, Done()),
        (400, b'{"code": "bad_phone"}', {}, Refused("gateway_refused: 400 bad_phone")),
        (404, b"", {}, Refused("gateway_refused: 404")),
        (422, b'{"code": "Anna +79161234567"}', {}, Refused("gateway_refused: 422")),
        (422, b'{"code": "79161234567"}', {}, Refused("gateway_refused: 422")),
        (422, b'{"code": {"a": 1}}', {}, Refused("gateway_refused: 422")),
        (413, b"", {}, Refused("gateway_refused: 413")),
        (401, b"", {}, Later("gateway_key_refused: 401", whole_provider=True)),
        (403, b"", {}, Later("gateway_key_refused: 403", whole_provider=True)),
        (429, b"", {}, Later("gateway_busy: 429", whole_provider=True)),
        (429, b"", {"Retry_After": "17"}, Later("gateway_busy: 429", after=17.0, whole_provider=True)),
        (
            429,
            b"",
            {"Date": "Thu, 26 Nov 2026 10:00:00 GMT", "Retry_After": "Thu, 26 Nov 2026 10:01:30 GMT"},
            Later("gateway_busy: 429", after=90.0, whole_provider=True),
        ),
        (
            429,
            b"",
            {"Date": "Thu, 26 Nov 2026 10:00:00 GMT", "Retry_After": "Thu, 26 Nov 2026 09:00:00 GMT"},
            Later("gateway_busy: 429", after=0.0, whole_provider=True),
        ),
        (429, b"", {"Retry_After": "soon"}, Later("gateway_busy: 429", whole_provider=True)),
        (429, b"", {"Retry_After": "9" * 400}, Later("gateway_busy: 429", after=86_400.0, whole_provider=True)),
        (429, b"", {"Retry_After": "-5"}, Later("gateway_busy: 429", whole_provider=True)),
        (500, b"", {}, Later("gateway_failed: 500")),
        (502, b"", {}, Later("gateway_failed: 502")),
        (503, b"", {"Retry_After": "60"}, Later("gateway_failed: 503", after=60.0, whole_provider=True)),
        (302, b"", {"Location": "http://127.0.0.1:1/"}, Later("gateway_is_elsewhere: 302", whole_provider=True)),
        (204, b"", {}, Later("gateway_is_elsewhere: 204", whole_provider=True)),
    ],
)
async def test_R3_what_each_answer_means(status: int, body: bytes, headers: dict[str, str], outcome: Outcome) -> None:
    async with listening(answer(status, body, **headers)) as peer:
        assert await send(peer) == outcome
    assert len(peer.asked) == 1  # nothing is followed or tried again by itself


async def test_R3_no_gateway_is_a_matter_of_the_whole_gateway() -> None:
    assert await send(Peer(port=free_port())) == Later("gateway_no_connection", whole_provider=True)


async def test_R3_a_gateway_that_says_nothing_is_given_up_in_time() -> None:
    begun = time.monotonic()
    async with listening(say_nothing) as peer:
        assert await send(peer, timeout=0.3) == Later("gateway_no_answer")
    assert time.monotonic() - begun < room(5)


async def test_R3_headers_that_drip_for_ever_are_given_up_in_time() -> None:
    async def drip(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"X-A: b\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    begun = time.monotonic()
    async with listening(drip) as peer:
        assert await send(peer, timeout=0.3) == Later("gateway_no_answer")
    assert time.monotonic() - begun < room(5)


async def test_R3_a_body_that_breaks_off_or_never_ends_changes_nothing_about_the_status() -> None:
    async def broken(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{"id"')
        await writer.drain()
        await say_nothing(asked, writer)

    async def endless(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100000000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 10_000)
            await writer.drain()

    async with listening(broken) as peer:
        assert await send(peer, timeout=room(0.3)) == Done()
    begun = time.monotonic()
    async with listening(endless) as peer:
        assert await send(peer, timeout=15) == Done()
    assert time.monotonic() - begun < room(5)


@pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 50, b""])
async def test_R3_what_is_no_http_is_no_answer(garbage: bytes) -> None:
    async def babble(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)
        await writer.drain()
        writer.close()

    async with listening(babble) as peer:
        assert await send(peer) == Later("gateway_no_answer")


async def test_R3_several_go_side_by_side_in_their_order() -> None:
    async def by_id(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await answer(202, json.dumps({"id": json.loads(asked.body)["id"]}).encode())(asked, writer)

    many = [message() for _ in range(20)]
    async with listening(by_id) as peer, gateway(f"http://127.0.0.1:{peer.port}/") as ours:
        assert await ours.carry_out(many) == [Done(str(one.effect)) for one in many]


async def test_R3_https_trusts_whom_it_is_told_to(tmp_path: Path) -> None:
    right = Certificates.made(tmp_path, "localhost")
    async with listening(answer(202), right.server()) as peer:
        async with gateway(f"https://localhost:{peer.port}/", context=right.client()) as ours:
            assert await ours.carry_out([message()]) == [Done()]
        for url, context in (
            (f"https://localhost:{peer.port}/", None),
            (f"https://127.0.0.1:{peer.port}/", right.client()),
        ):
            async with gateway(url, context=context) as ours:
                assert await ours.carry_out([message()]) == [Later("gateway_certificate", whole_provider=True)]
    assert len(peer.asked) == 1


async def test_R3_a_cookie_of_the_gateway_is_not_kept() -> None:
    async with (
        listening(answer(202, Set_Cookie="who=anna")) as peer,
        gateway(f"http://127.0.0.1:{peer.port}/") as ours,
    ):
        for _ in range(2):
            assert await ours.carry_out([message()]) == [Done()]
    assert all("cookie" not in asked.headers for asked in peer.asked)


async def test_R3_nothing_personal_is_in_an_outcome_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    echo = json.dumps({"code": f"no {PHONE}", "id": TEXT}).encode()
    outcomes: list[Outcome] = []
    for status in (202, 400, 401, 409, 422, 429, 500):
        async with listening(answer(status, echo)) as peer:
            outcomes.append(await send(peer))
    outcomes.append(await send(Peer(port=free_port())))
    written = repr(outcomes) + caplog.text
    assert all(word not in written for word in (PHONE, PHONE[1:], "Анна", TOKEN))


def test_R3_the_document_says_what_the_code_does() -> None:
    operation = DOCUMENT["paths"]["/"]["post"]
    assert set(operation["responses"]) == {
        "200", "201", "202", "400", "401", "403", "404", "409", "422", "429", "default",
    }  # fmt: skip
    MESSAGE.validate(operation["requestBody"]["content"]["application/json"]["example"])
    jsonschema_rs.validator_for({"$ref": "https://json-schema.org/draft/2020-12/schema"}).validate(
        DOCUMENT["components"]["schemas"]["Message"]
    )
