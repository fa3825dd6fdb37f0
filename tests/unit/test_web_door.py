"""I, K2: forwarding of commands, roles, sessions, problem details, and what protects the door."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import SecretStr, ValidationError
from starlette.exceptions import HTTPException

from contracts.commands import Command, CommandResult, Missing, Move, Offer, Plan, Refusal, See
from contracts.meta import Actor
from services.web.form_reading import body_of
from services.web.forwarding import LeadsDoor, command_id
from services.web.problems import ProblemError, of_validation, refused
from services.web.sessions import SESSION_SECONDS, Sessions, from_our_page, local_path, same_csrf
from services.web.shield import BODY_BYTES, Receive, Scope, Send, Shield
from services.web.telling import linked
from services.web.tokens import ASSIGN_OTHERS, COMMAND, ERASE, Holder, hash_of

ZONE = ZoneInfo("Europe/Moscow")

ANNA = Actor(id="anna", kind="person", role="seller")
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
Answer = Callable[[bytes], Awaitable[bytes]]


def command() -> Command:
    return Command(id=uuid4(), lead=uuid4(), actor=ANNA, body=See())


def http_answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


@asynccontextmanager
async def leads_door(answer: Answer) -> AsyncIterator[tuple[LeadsDoor, list[bytes]]]:
    """A server on a real socket in the place of the internal door; each request is answered by `answer`, b"" cuts it off."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                )
                asked.append(head + await reader.readexactly(length))
                said = await answer(asked[-1])
                if not said:
                    break
                writer.write(said)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    door = LeadsDoor.at(f"http://127.0.0.1:{port}", SecretStr("inside"))
    try:
        yield door, asked
    finally:
        await door.client.aclose()
        server.close()


async def test_K2_command_is_forwarded_with_the_internal_token_and_its_result_comes_back() -> None:
    sent = command()
    result = CommandResult(command=sent.id, stream=sent.lead, outcome="done", first_version=2, last_version=3, at=NOW)

    async def answer(_: bytes) -> bytes:
        return http_answer(200, result.model_dump_json().encode())

    async with leads_door(answer) as (door, asked):
        assert await door.command(sent) == result
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /commands ")
    assert b"authorization: bearer inside" in head.lower()
    assert Command.model_validate_json(body) == sent


async def test_K2_connection_cut_off_is_tried_once_more_under_the_same_id() -> None:
    sent = command()
    result = CommandResult(command=sent.id, stream=sent.lead, outcome="done", at=NOW)
    calls = 0

    async def answer(_: bytes) -> bytes:
        nonlocal calls
        calls += 1
        return b"" if calls == 1 else http_answer(200, result.model_dump_json().encode())

    async with leads_door(answer) as (door, asked):
        assert (await door.command(sent)).command == sent.id
    bodies = [json.loads(request.partition(b"\r\n\r\n")[2])["id"] for request in asked]
    assert bodies == [str(sent.id)] * 2


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (503, b"{}", 503, "away"),
        (500, b"oops", 500, "failed"),
        (401, b"{}", 503, "away"),
        (200, b"not json", 503, "away"),
        (422, b'{"detail": "same id, other body"}', 422, "idempotency-key-reused"),
    ],
)
async def test_K2_what_the_internal_door_cannot_do_is_said_with_the_id_to_repeat(
    status: int, body: bytes, expected: int, code: str
) -> None:
    async def answer(_: bytes) -> bytes:
        return http_answer(status, body)

    sent = command()
    async with leads_door(answer) as (door, _):
        with pytest.raises(ProblemError) as caught:
            await door.command(sent)
    assert (caught.value.status, caught.value.code) == (expected, code)
    assert caught.value.extra["command"] == str(sent.id)
    if expected == 503:
        assert caught.value.headers["Retry-After"]
        assert str(sent.id) in caught.value.detail


async def test_K2_door_that_is_not_there_is_503() -> None:
    async def answer(_: bytes) -> bytes:
        return b""

    async with leads_door(answer) as (door, _):
        pass
    gone = LeadsDoor.at(str(door.client.base_url), SecretStr("x"))
    with pytest.raises(ProblemError) as caught:
        await gone.command(command())
    await gone.client.aclose()
    assert caught.value.status == 503


async def test_K2_parked_command_is_500_not_a_success() -> None:
    sent = command()
    result = CommandResult(command=sent.id, stream=sent.lead, outcome="parked", at=NOW)

    async def answer(_: bytes) -> bytes:
        return http_answer(200, result.model_dump_json().encode())

    async with leads_door(answer) as (door, _):
        with pytest.raises(ProblemError) as caught:
            await door.command(sent)
    assert (caught.value.status, caught.value.code) == (500, "parked")


def test_K2_refusal_becomes_a_problem_with_rule_and_missing() -> None:
    lack = Missing(what="field", id="needs", ru="потребности", en="needs")
    refusal = Refusal(rules=("S2.exit_criteria", "S1.x"), ru="Нельзя.", en="Not yet.", missing=(lack,), status=422)
    result = CommandResult(command=uuid4(), stream=uuid4(), outcome="refused", refusal=refusal, at=NOW)
    body = refused(result, "en").body()
    assert (body["status"], body["rule"], body["rules"]) == (422, "S2.exit_criteria", ["S2.exit_criteria", "S1.x"])
    assert body["missing"] == [lack.model_dump(mode="json")]
    assert (body["detail"], body["ru"], body["en"]) == ("Not yet.", "Нельзя.", "Not yet.")
    assert refused(result, "ru").body()["detail"] == "Нельзя."
    assert refused(result, "ru").response().media_type == "application/problem+json"


def test_K2_idempotency_key_makes_the_command_id() -> None:
    key = str(uuid4())
    assert command_id(ANNA, key) == UUID(key)
    assert command_id(ANNA, "order-7") == command_id(ANNA, "order-7")
    assert command_id(ANNA, "order-7") != command_id(Actor(id="boris", kind="person"), "order-7")
    assert command_id(ANNA, None) != command_id(ANNA, None)
    for strange in ("", "a b", "я", "x" * 201, "a\r\nb"):
        with pytest.raises(ProblemError):
            command_id(ANNA, strange)


def test_I_validation_problem_names_places_and_repeats_nothing() -> None:
    error = RequestValidationError(
        [{"type": "missing", "loc": ("body", "price", "amount"), "msg": "Field required", "input": "Secretov"}]
    )
    body = of_validation(error).body()
    assert body["errors"] == [{"where": "body.price.amount", "what": "Field required"}]
    assert "Secretov" not in json.dumps(body)


def test_I_roles_say_who_may() -> None:
    def holder(role: str) -> Holder:
        return Holder("anna", role, b"")  # type: ignore[arg-type]

    holder("seller").must(COMMAND, "work")
    for role, roles in (("ops", COMMAND), ("auditor", COMMAND), ("adapter", COMMAND), ("seller", ASSIGN_OTHERS)):
        with pytest.raises(ProblemError) as caught:
            holder(role).must(roles, "do this")
        assert caught.value.status == 403
    with pytest.raises(ProblemError):
        holder("head").must(ERASE, "erase")
    assert holder("adapter").actor.kind == "adapter"
    assert holder("head").actor == Actor(id="anna", kind="person", role="head")
    with pytest.raises(ProblemError):
        _ = Holder("Анна", "seller", b"").actor


def test_I_session_cookie_holds_no_token_and_opens_only_whole_and_in_time() -> None:
    now = [1_000_000.0]
    sessions = Sessions(b"p" * 32, lambda: now[0])
    cookie = sessions.new(hash_of("ll_secret"))
    assert "secret" not in cookie
    opened = sessions.open(cookie)
    assert opened is not None
    assert opened.token_hash == hash_of("ll_secret")
    assert same_csrf(opened, opened.csrf)
    assert not same_csrf(opened, None)
    assert not same_csrf(opened, "я")
    again = sessions.open(sessions.new(hash_of("ll_secret")))
    assert again is not None
    assert not same_csrf(opened, again.csrf), "the CSRF text is the session's own"
    assert Sessions(b"q" * 32, lambda: now[0]).open(cookie) is None
    for broken in (None, "", "x", cookie[:-2], "A" + cookie[1:], "я" * 20, "=" * 2000):
        assert sessions.open(broken) is None
    now[0] += SESSION_SECONDS + 1
    assert sessions.open(cookie) is None


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("/boards/classic?show=new:40", "/boards/classic?show=new:40"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("/x\n", "/"),
        ("", "/"),
        (None, "/"),
        ("/" + "x" * 2000, "/"),
    ],
)
def test_I_sign_in_leads_on_only_to_our_own_pages(asked: str | None, given: str) -> None:
    assert local_path(asked) == given


def test_I_forms_from_elsewhere_are_told_by_the_browser() -> None:
    assert from_our_page(None, None, "x:1")
    assert from_our_page("http://x:1", "same-origin", "x:1")
    assert not from_our_page("http://evil", None, "x:1")
    assert not from_our_page("null", None, "x:1")
    assert not from_our_page(None, "cross-site", "x:1")
    assert not from_our_page(None, "same-site", "x:1")


async def ask(app: Any, **arguments: Any) -> httpx.Response | None:
    """Post to an application; None when it gave no answer at all."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
        try:
            return await client.post("/api/x", **arguments)
        except AssertionError:
            return None


async def test_I_failure_is_a_problem_without_the_text_of_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("Secretov +79001234567")

    answer = await ask(Shield(app))
    assert answer is not None
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "Secretov" not in answer.text + "".join(capsys.readouterr())
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


async def test_I_body_without_end_is_not_read() -> None:
    caught: list[HTTPException] = []
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal taken
        try:
            while True:
                taken += len((await receive())["body"])
        except HTTPException as error:
            caught.append(error)

    await ask(Shield(app), content=endless())
    assert caught[0].status_code == 413
    assert taken <= BODY_BYTES


def test_S2_offer_form_of_the_page_makes_the_command() -> None:
    given = {"volume": "2 столешницы", "amount": "12 500,50", "currency": "rub", "delivery_days": "14", "comment": " "}
    body = body_of("offer", Offer, given, ZONE)
    assert isinstance(body, Offer)
    assert (str(body.price.amount), body.price.currency, body.delivery_days) == ("12500.50", "RUB", 14)
    assert body_of("move", Move, {"to": "closing"}, ZONE) == Move(to="closing")


def test_S4_planned_activity_is_due_on_the_teams_wall() -> None:
    body = body_of("plan", Plan, {"kind": "call", "due_at": "2026-03-02T09:00", "text": " "}, ZONE)
    assert body == Plan(kind="call", due_at=datetime(2026, 3, 2, 6, 0, tzinfo=UTC))
    with pytest.raises(ValidationError):
        body_of("plan", Plan, {"kind": "call", "due_at": "завтра"}, ZONE)


@pytest.mark.parametrize("address", [None, "", "javascript:alert(1)", "ftp://x", "//x", " https://x"])
def test_C3_only_http_addresses_are_linked(address: str | None) -> None:
    assert linked(address) is None
    assert linked("https://pbx.example.org/1.mp3") == "https://pbx.example.org/1.mp3"
