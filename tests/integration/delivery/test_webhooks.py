"""Webhooks out, against a real server that checks the signature as its owner would, and tries to lead us astray (R3)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.delivery.port import Call, Done, Later, Outcome, Refused
from services.delivery.webhooks import Resolve, WebhookAdapter, look_up
from services.ways_out import OutgoingWebhook
from tests.beside_others import free_port, room
from tests.integration.delivery.http_peer import Asked, Certificates, Peer, answer, hang_up, listening, say_nothing

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = '{"lead":"0190","имя":"Анна"}'.encode()
PUBLIC = "93.184.216.34"


def call(body: bytes = BODY, webhook: str = "crm") -> Call:
    """A call to make."""
    return Call(effect=uuid4(), webhook=webhook, body=body)


@asynccontextmanager
async def webhook(
    url: str, *, private: bool = True, timeout: float = 10.0, **given: Any
) -> AsyncIterator[WebhookAdapter]:
    """Our side."""
    ours = WebhookAdapter(
        "crm",
        OutgoingWebhook.model_validate({"url": url, "secret": SECRET, "allow_private": private, "timeout": timeout}),
        **given,
    )
    try:
        yield ours
    finally:
        await ours.close()


async def send(ours: WebhookAdapter, made: Call | None = None) -> Outcome:
    """One outcome."""
    async with asyncio.timeout(60):
        (outcome,) = await ours.carry_out([made or call()])
        return outcome


def local(peer: Peer) -> str:
    """A URL of the peer."""
    return f"http://127.0.0.1:{peer.port}/in?key=1"


def answering(*rounds: Sequence[str]) -> tuple[Resolve, list[tuple[str, int]]]:
    """A resolver that gives these addresses, look-up by look-up, and what it was asked."""
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return rounds[min(len(asked), len(rounds)) - 1]

    return resolve, asked


def verify(asked: Asked) -> str:
    """Check a call as Standard Webhooks tells its receivers to; its id."""
    stamp = asked.headers["webhook-timestamp"]
    assert abs(time.time() - int(stamp)) < 300
    signed = f"{asked.headers['webhook-id']}.{stamp}.".encode() + asked.body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    versions = [one.split(",", 1) for one in asked.headers["webhook-signature"].split(" ")]
    assert any(version == "v1" and hmac.compare_digest(mac, expected) for version, mac in versions)
    return asked.headers["webhook-id"]


async def test_R3_a_call_is_signed_and_the_same_effect_bears_the_same_id() -> None:
    made = call()
    async with listening() as peer, webhook(local(peer)) as ours:
        assert ours.provider == "webhook:crm"
        assert await send(ours, made) == Done()
        assert await send(ours, made) == Done()
    assert [verify(asked) for asked in peer.asked] == [str(made.effect)] * 2
    (asked, _) = peer.asked
    assert asked.line == "POST /in?key=1 HTTP/1.1"
    assert asked.headers["host"] == f"127.0.0.1:{peer.port}"
    assert asked.headers["content-type"] == "application/json"
    assert asked.body == BODY


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Done()),
        (204, {}, Done()),
        (299, {}, Done()),
        (410, {}, Refused("webhook_gone: 410")),
        (404, {}, Refused("webhook_refused: 404")),
        (400, {}, Refused("webhook_refused: 400")),
        (401, {}, Refused("webhook_refused: 401")),
        (301, {"Location": "https://example.org/"}, Refused("webhook_refused: 301")),
        (304, {}, Refused("webhook_refused: 304")),
        (408, {}, Later("webhook_failed: 408")),
        (429, {}, Later("webhook_busy: 429", whole_provider=True)),
        (429, {"Retry_After": "9"}, Later("webhook_busy: 429", after=9.0, whole_provider=True)),
        (500, {}, Later("webhook_failed: 500")),
        (503, {"Retry_After": "9"}, Later("webhook_busy: 503", after=9.0, whole_provider=True)),
        (504, {}, Later("webhook_failed: 504")),
    ],
)
async def test_R3_what_each_answer_means(status: int, headers: dict[str, str], outcome: Outcome) -> None:
    body = b"" if status in (204, 304) else b"thrown away"
    async with listening(answer(status, body, **headers)) as peer, webhook(local(peer)) as ours:
        assert await send(ours) == outcome
    assert len(peer.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_R3_a_redirect_to_a_private_address_is_not_followed(status: int) -> None:
    async with listening() as inside:
        script = answer(status, Location=f"http://127.0.0.1:{inside.port}/latest/meta-data/")
        async with listening(script) as peer, webhook(local(peer)) as ours:
            assert await send(ours) == Refused(f"webhook_refused: {status}")
        assert inside.connections == 0


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("localhost", "loopback"),
        ("2130706433", "loopback"),
        ("0x7f.1", "loopback"),
        ("0177.0.0.1", "loopback"),
        ("[::1]", "loopback"),
        ("[::ffff:127.0.0.1]", "embedded"),
        ("[64:ff9b::7f00:1]", "embedded"),
        ("[::127.0.0.1]", "embedded"),
        ("0.0.0.0", "unspecified"),  # noqa: S104
        ("10.0.0.1", "private"),
        ("169.254.169.254", "metadata"),
        ("100.64.0.1", "carrier_nat"),
        ("[fe80::1]", "link_local"),
    ],
)
async def test_R3_an_address_of_our_own_network_is_refused_however_it_is_written(host: str, kind: str) -> None:
    async with listening() as peer, webhook(f"https://{host}:{peer.port}/", private=False) as ours:
        assert await send(ours) == Refused(f"webhook_address_refused: {kind}")
        assert peer.connections == 0


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "::", "224.0.0.1", "::ffff:127.0.0.1", "168.63.129.16"]
)
async def test_R3_no_permission_reaches_metadata_or_the_like(address: str) -> None:
    resolve, _ = answering([address])
    async with webhook("https://hooks.example/", private=True, resolve=resolve) as ours:
        outcome = await send(ours)
        assert isinstance(outcome, Refused)
        assert outcome.reason.startswith("webhook_address_refused: ")


@pytest.mark.parametrize(
    "addresses", [[PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], [PUBLIC, "2606:4700::1", "10.0.0.1"]]
)
async def test_R3_one_inner_address_among_a_host_s_addresses_refuses_the_host(addresses: list[str]) -> None:
    async with listening() as peer:
        resolve, asked = answering(addresses)
        async with webhook(f"https://hooks.example:{peer.port}/", private=False, resolve=resolve) as ours:
            outcome = await send(ours)
        assert isinstance(outcome, Refused)
        assert peer.connections == 0
        assert asked == [("hooks.example", peer.port)]


async def test_R3_plain_http_stays_on_this_machine_whatever_the_name_says() -> None:
    async with listening() as peer:
        for address in ("10.0.0.1", PUBLIC):
            resolve, _ = answering([address])
            async with webhook(f"http://localhost:{peer.port}/", resolve=resolve) as ours:
                assert await send(ours) == Refused("webhook_address_refused: plain http leads off this machine")
        async with webhook(f"http://localhost:{peer.port}/", resolve=look_up) as ours:
            assert await send(ours) == Done()  # also where localhost is ::1 first: nobody listens there


async def test_R3_the_address_that_was_looked_at_is_the_one_called_and_the_name_stays(tmp_path: Path) -> None:
    """DNS rebinding: a second look-up would lead elsewhere. No resolver knows the name, so the connection cannot come of one."""
    made = Certificates.made(tmp_path, "hooks.example")
    async with listening(context=made.server()) as peer:
        resolve, asked = answering(["127.0.0.1"], ["127.0.0.2"])
        async with webhook(f"https://hooks.example:{peer.port}/in", resolve=resolve, context=made.client()) as ours:
            assert await send(ours) == Done()
        assert asked == [("hooks.example", peer.port)]
        assert peer.names == ["hooks.example"]
        assert peer.asked[0].headers["host"] == f"hooks.example:{peer.port}"
        verify(peer.asked[0])


async def test_R3_the_certificate_must_be_of_the_name_and_not_of_the_address(tmp_path: Path) -> None:
    made = Certificates.made(tmp_path, "127.0.0.1", "other.example")
    async with listening(context=made.server()) as peer:
        resolve, _ = answering(["127.0.0.1"])
        async with webhook(f"https://hooks.example:{peer.port}/", resolve=resolve, context=made.client()) as ours:
            assert await send(ours) == Later("webhook_certificate", whole_provider=True)
        async with webhook(f"https://other.example:{peer.port}/", resolve=resolve, context=made.client()) as ours:
            assert await send(ours) == Done()
        async with webhook(
            f"https://other.example:{peer.port}/", resolve=resolve
        ) as ours:  # nobody this machine trusts
            assert await send(ours) == Later("webhook_certificate", whole_provider=True)
    assert len(peer.asked) == 1


async def test_R3_an_address_that_does_not_answer_is_followed_by_the_next_but_a_sent_call_is_not() -> None:
    async with listening() as peer:
        resolve, _ = answering(["127.0.0.2", "127.0.0.1"])  # nobody listens at the first
        async with webhook(f"http://localhost:{peer.port}/", resolve=resolve) as ours:
            assert await send(ours) == Done()
    async with listening(hang_up) as peer:
        resolve, _ = answering(["127.0.0.1", "127.0.0.1"])
        async with webhook(f"http://localhost:{peer.port}/", resolve=resolve) as ours:
            assert await send(ours) == Later("webhook_no_answer")
        assert len(peer.asked) == 1


async def test_R3_an_address_that_accepts_and_is_silent_leaves_time_for_the_next(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    made = Certificates.made(tmp_path, "hooks.example")
    async with listening(context=made.server()) as peer:
        dead = await asyncio.start_server(silent, "127.0.0.2", peer.port)
        try:
            url = f"https://hooks.example:{peer.port}/"
            resolve, _ = answering(["127.0.0.2", "127.0.0.1"])
            async with webhook(url, resolve=resolve, context=made.client(), timeout=2.0) as ours:
                assert await send(ours) == Done()
            resolve, _ = answering(["127.0.0.2"])
            async with webhook(url, resolve=resolve, context=made.client(), timeout=0.3) as ours:
                assert await send(ours) == Later("webhook_no_connection", whole_provider=True)
        finally:
            dead.close()


async def test_R3_an_address_of_ipv6_is_called_too() -> None:
    peer = Peer()
    try:
        server = await asyncio.start_server(peer.serve, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = server.sockets[0].getsockname()[1]
    try:
        async with webhook(f"http://[::1]:{port}/a%20b") as ours:
            assert await send(ours) == Done()
    finally:
        server.close()
    assert peer.asked[0].line == "POST /a%20b HTTP/1.1"
    assert peer.asked[0].headers["host"] == f"[::1]:{port}"


async def test_R3_no_name_no_server_and_no_answer_are_tried_later() -> None:
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError

    async def slow(_host: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    nameless = Later("webhook_no_address: its host is not found", whole_provider=True)
    async with webhook("https://hooks.example/", resolve=unknown) as ours:
        assert await send(ours) == nameless
    async with webhook("https://hooks.example/", resolve=slow, timeout=0.2) as ours:
        assert await send(ours) == nameless
    async with webhook(f"http://127.0.0.1:{free_port()}/") as ours:
        assert await send(ours) == Later("webhook_no_connection", whole_provider=True)
    async with listening(say_nothing) as peer, webhook(local(peer), timeout=0.3) as ours:
        assert await send(ours) == Later("webhook_no_answer")


async def test_R3_an_endless_answer_is_read_to_64_kb_and_thrown_away() -> None:
    given = 0

    async def endless(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal given
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()
            given += 4096

    begun = time.monotonic()
    async with listening(endless) as peer, webhook(local(peer)) as ours:
        assert await send(ours) == Done()
    assert time.monotonic() - begun < room(5)
    assert given < 16 * 1024 * 1024  # buffers of the line, not a stream


async def test_R3_another_webhook_s_call_is_not_made() -> None:
    async with listening() as peer, webhook(local(peer)) as ours:
        assert await send(ours, call(webhook="billing")) == Refused("webhook_unknown: the settings do not name it")
        assert peer.connections == 0


async def test_R3_connections_are_not_kept_for_the_next_host() -> None:
    async with listening() as peer, webhook(local(peer)) as ours:
        await send(ours)
        await send(ours)
        assert peer.connections == 2


async def test_R3_neither_secret_nor_body_nor_address_is_in_an_outcome_or_a_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    said: list[Outcome] = []
    for status in (200, 302, 404, 429, 500):
        async with listening(answer(status, BODY)) as peer, webhook(local(peer)) as ours:
            said.append(await send(ours))
    written = repr(said)
    assert all(word not in written for word in ("Анна", SECRET, "key=1", "127.0.0.1"))
    assert all(word not in caplog.text for word in ("Анна", SECRET))
