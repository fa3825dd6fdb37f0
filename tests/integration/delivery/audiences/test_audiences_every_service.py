"""R4: what is true of the adapters of all four services: what goes wrong on the way, and what is never told."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import orjson
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.delivery.audiences import audience_adapters
from services.delivery.audiences.calling import LARGEST_ANSWER, asked_wait
from services.delivery.audiences.changing import AudienceAdapter
from services.delivery.port import AudienceService, Done, Later, Refused
from services.settings import Settings
from tests.beside_others import free_port, room
from tests.integration.delivery.audiences import audience_case
from tests.integration.delivery.audiences.audience_case import change, people
from tests.integration.delivery.audiences.google_service import LISTS as GOOGLE_LISTS
from tests.integration.delivery.audiences.google_service import GoogleService
from tests.integration.delivery.audiences.meta_service import MetaService
from tests.integration.delivery.audiences.strict_service import StrictService
from tests.integration.delivery.audiences.vk_service import LISTS as VK_LISTS
from tests.integration.delivery.audiences.vk_service import VkService
from tests.integration.delivery.audiences.yandex_service import YandexService

SERVICES: tuple[AudienceService, ...] = ("facebook", "google", "yandex", "vk")
LOOK_UP = {
    "facebook": r"/v25\.0/act_1234567890/customaudiences",
    "google": GOOGLE_LISTS,
    "yandex": "/v1/management/segments",
    "vk": VK_LISTS,
}
MAKE: dict[AudienceService, Callable[[str], AudienceAdapter]] = {
    "facebook": audience_case.facebook,
    "google": audience_case.google,
    "yandex": audience_case.yandex,
    "vk": audience_case.vk,
}


@dataclass
class Way:
    """A service and an adapter that speaks to it; its audience is there."""

    name: AudienceService
    service: StrictService
    adapter: AudienceAdapter

    async def removed(self, *numbers: int) -> list[object]:
        """The outcomes of removals: these need no least number anywhere."""
        return list(await self.adapter.carry_out(people(self.name, "remove", numbers)))


@pytest.fixture(params=SERVICES)
async def way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    name: AudienceService = request.param
    async with AsyncExitStack() as stack:
        service: StrictService
        if name == "facebook":
            service = meta = await stack.enter_async_context(MetaService())
            meta.have("Пробный урок")
        elif name == "google":
            service = google = await stack.enter_async_context(GoogleService())
            google.have("Пробный урок")
        elif name == "yandex":
            service = yandex = await stack.enter_async_context(YandexService())
            yandex.have("Пробный урок")
        else:
            service = vk = await stack.enter_async_context(VkService())
            vk.have("Пробный урок", "phones")
            vk.have("Пробный урок", "emails")
        adapter = MAKE[name](service.url)
        yield Way(name, service, adapter)
        await adapter.close()
    assert service.broken == []


async def test_R4_service_that_is_away_delays_the_whole_provider(way: Way) -> None:
    adapter = MAKE[way.name](f"http://127.0.0.1:{free_port()}")
    assert await adapter.carry_out(people(way.name, "add", [1])) == [Later("no_connection", whole_provider=True)]
    await adapter.close()


@pytest.mark.parametrize(
    ("status", "headers", "after"), [(503, {"Retry-After": "120"}, 120.0), (500, {}, None), (502, {}, None)]
)
async def test_R4_service_in_trouble_delays_the_whole_provider(
    way: Way, status: int, headers: dict[str, str], after: float | None
) -> None:
    way.service.answer_with("GET", LOOK_UP[way.name], status, b"<html>oops</html>", headers)
    expected = Later(f"service_unavailable: {status}", after=after, whole_provider=True)
    assert await way.removed(1, 2) == [expected] * 2


@pytest.mark.parametrize(
    "body", [b"<html>200</html>", b"[]", b'"x"', b"{}", b'{"data": 1, "userLists": 1, "segments": 1, "items": 1}']
)
async def test_R4_answer_that_is_not_what_the_documents_say_is_an_outcome(way: Way, body: bytes) -> None:
    way.service.answer_with("GET", LOOK_UP[way.name], 200, body)
    answers = await way.removed(1)
    if way.name == "google" and body == b"{}":
        assert answers == [Done()]  # proto3 JSON: an empty list is left out, so there is no such audience
    else:
        assert answers == [Later("unreadable_answer", whole_provider=True)]


async def test_R4_answer_without_end_is_not_read_to_its_end(way: Way) -> None:
    way.service.answer_with("GET", LOOK_UP[way.name], 200, b" " * (LARGEST_ANSWER + 1))
    assert await way.removed(1) == [Later("no_answer", whole_provider=True)]


async def test_R4_redirect_takes_no_token_anywhere(way: Way) -> None:
    async with MetaService() as elsewhere:
        way.service.answer_with("GET", LOOK_UP[way.name], 302, {}, {"Location": elsewhere.url})
        assert await way.removed(1) == [Later("unexpected_answer: 302", whole_provider=True)]
        assert elsewhere.asked == []


class Babbler(StrictService):
    """Answers anything at all to whatever is asked; the words are those of the services."""

    chance = random.Random(4)  # noqa: S311 - the same in every run
    words = (
        "error",
        "code",
        "errors",
        "error_type",
        "details",
        "fields",
        "file",
        "base",
        "line_number",
        "reason",
        "status",
        "@type",
    )
    more_words = (
        "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations",
        "field",
        "audience_members[0]",
        "data",
        "id",
        "name",
    )
    values = (
        None,
        True,
        0,
        1,
        100,
        190,
        80003,
        -1,
        2**63 - 1,
        1.5,
        "",
        "1",
        "Пробный урок",
        "CUSTOM",
        "not_found",
        "9" * 5_000,
    )

    def anything(self, depth: int) -> object:
        kind = self.chance.random()
        if depth == 0 or kind < 0.25:
            return self.chance.choice(self.values + self.words + self.more_words)
        if kind < 0.45:
            return [self.anything(depth - 1) for _ in range(self.chance.randrange(3))]
        keys = self.chance.sample(self.words + self.more_words, self.chance.randrange(8))
        return {key: self.anything(depth - 1) for key in keys}

    def envelope(self) -> object:
        """Often of the services' outermost form, with anything inside."""
        if self.chance.random() < 0.2:
            return self.anything(5)
        outer = (
            "error",
            "errors",
            "data",
            "userLists",
            "items",
            "segments",
            "segment",
            "id",
            "requestId",
            "num_received",
            "paging",
        )
        inner = {
            key: self.anything(3) for key in ("code", "error_subcode", "status", "details", "fields", "is_transient")
        }
        return {key: self.anything(4) for key in outer} | ({"error": inner} if self.chance.random() < 0.7 else {})

    async def answer(self, request: Request) -> Response:
        if "token" in request.url.path:
            return JSONResponse({"access_token": "t", "expires_in": 3600})
        deep = self.chance.random() < 0.02
        body = b'{"error":' * 900 + b"1" + b"}" * 900 if deep else orjson.dumps(self.envelope())
        headers = {
            "Retry-After": self.chance.choice(("", "1", "x", "9" * 400)),
            "Date": "Sun, 99 Foo 99999 99:99:99 +9999",
        }
        status = self.chance.choice((200, 200, 200, 400, 400, 401, 403, 404, 413, 429))
        return Response(body, status, headers | {"X-Business-Use-Case-Usage": body[:200].decode("latin-1")})


@pytest.mark.parametrize("name", SERVICES)
async def test_R4_whatever_a_service_says_is_an_outcome_without_its_words(name: AudienceService) -> None:
    async with Babbler() as service:
        adapter = MAKE[name](service.url)
        for turn in range(120):
            changes = people(name, "remove" if turn % 2 else "add", range(30))
            answers = await adapter.carry_out(changes)
            assert len(answers) == len(changes)
            for one in answers:
                assert isinstance(one, Done | Refused | Later)
                assert isinstance(one, Done) or len(one.reason) < 100
                assert not isinstance(one, Later) or one.after is None or 0 <= one.after <= 86_400
        await adapter.close()
        assert service.broken == []


@pytest.mark.parametrize("drips", [False, True])
async def test_R4_service_that_never_ends_its_answer_is_waited_for_a_limited_time(way: Way, drips: bool) -> None:
    (way.service.drip_answer if drips else way.service.lose_answer)("GET", LOOK_UP[way.name])
    began = time.monotonic()
    assert await way.removed(1) == [Later("no_answer", whole_provider=True)]
    assert time.monotonic() - began < room(5)


async def test_R4_refusal_of_any_kind_tells_codes_alone(way: Way) -> None:
    lists = 2 if way.name == "vk" else 1
    for _ in range(lists):
        way.service.answer_with("GET", LOOK_UP[way.name], 422, {"error": "person.1@example.org +79990000001 is bad"})
    assert await way.removed(1) == [Refused("service_refused: 422")]
    raw = "person.1@example.org"
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": raw}
    error = {"code": raw, "status": raw, "details": [reason], "fields": {"file": [{"code": raw}]}}
    for _ in range(lists):
        way.service.answer_with("GET", LOOK_UP[way.name], 422, {"error": error, "errors": [{"error_type": raw}]})
    # Meta's codes are numbers: what is none is no code, and the status stands for it
    assert await way.removed(1) == [Refused("service_refused: 422" if way.name == "facebook" else "service_refused")]


async def test_R4_contact_of_which_nothing_can_be_told_is_refused_alone(way: Way) -> None:
    nobody = [change(way.name, "remove"), change(way.name, "remove", phone="8 999 000-00-01", email="no address")]
    answers = await way.adapter.carry_out([nobody[0], *people(way.name, "remove", [1]), nobody[1]])
    assert [one if isinstance(one, Refused) else type(one) for one in answers] == [
        Refused("no_usable_contact"),
        Done,
        Refused("no_usable_contact"),
    ]
    assert await way.adapter.carry_out(nobody) == [Refused("no_usable_contact")] * 2
    assert await way.adapter.carry_out([]) == []


async def test_R4_ten_thousand_go_in_one_call_and_more_or_unlike_ones_are_the_callers_mistake(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience_case, "SECONDS", 30.0)
    patient = MAKE[way.name](way.service.url)
    many = people(way.name, "remove", range(patient.most))
    assert {type(one) for one in await patient.carry_out(many)} == {Done}
    await patient.close()
    with pytest.raises(ValueError, match="10000"):
        await way.removed(*range(way.adapter.most + 1))
    for unlike in (people(way.name, "add", [2]), people(way.name, "remove", [2], "Другая")):
        with pytest.raises(ValueError, match="one audience"):
            await way.adapter.carry_out([*people(way.name, "remove", [1]), *unlike])


async def test_C7_removal_is_done_again_without_harm(way: Way) -> None:
    for _ in range(2):
        assert {type(one) for one in await way.removed(1, 2)} == {Done}
        if isinstance(way.service, YandexService):
            way.service.process()


async def test_R4_no_phone_or_address_leaves_and_no_secret_is_logged_or_in_an_address(
    way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [*await way.removed(*range(30))]
    way.service.answer_with("GET", LOOK_UP[way.name], 400, {"error": {"message": "person.1@example.org"}})
    answers += await way.removed(1)
    told = f"{answers} {caplog.text} {way.adapter!r}".lower()
    for raw in ("person.1", "9990000001", "999000"):
        assert raw.encode() not in b"".join(way.service.bodies).lower()
        assert raw not in told
    for secret in (
        "eaab-test-token",
        "gocspx-test",
        "1//test",
        "y0_test-token",
        "vk-secret",
        "vk-refresh",
        "ya29.",
        "bearer vk-",
    ):
        assert secret not in told
        assert all(secret.encode() not in body.split(b"\n", 1)[0] for body in way.service.bodies)


async def test_R4_call_that_is_stopped_leaves_the_audience_free_for_the_next(way: Way) -> None:
    way.service.lose_answer("GET", LOOK_UP[way.name])
    call = asyncio.create_task(way.adapter.carry_out(people(way.name, "remove", [1])))
    while not way.service.count("GET", LOOK_UP[way.name]):
        await asyncio.sleep(0.001)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert {type(one) for one in await way.removed(1)} == {Done}


async def test_R4_settings_make_an_adapter_of_each_service_they_name() -> None:
    settings = Settings.model_validate(
        {
            "audiences": [
                {"service": "vk", "client_id": "c", "client_secret": "s", "refresh_token": "r"},
                {"service": "yandex", "token": "t"},
                {"service": "facebook", "account": "1", "token": "t"},
                {"service": "google", "account": "1", "client_id": "c", "client_secret": "s", "refresh_token": "r"},
            ]
        }
    )
    adapters = audience_adapters(settings)
    assert {name: adapter.provider for name, adapter in adapters.items()} == {
        name: f"audiences.{name}" for name in SERVICES
    }
    assert not any(secret in repr(settings) for secret in ("='s'", "='r'", "='t'"))
    for adapter in adapters.values():
        began = time.monotonic()
        await adapter.close()
        assert time.monotonic() - began < room(1)
    assert audience_adapters(Settings()) == {}


@pytest.mark.parametrize(
    "url", ["http://graph.example", "ftp://127.0.0.1", "graph.facebook.com", "http://127.0.0.1.example"]
)
def test_R4_token_goes_nowhere_in_the_clear(url: str) -> None:
    account = {"service": "yandex", "token": SecretStr("t"), "base_url": url}
    with pytest.raises(ValueError, match="https"):
        Settings.model_validate({"audiences": [account]})


def test_R4_two_accounts_of_one_service_are_refused_by_name() -> None:
    account = {"service": "yandex", "token": "t"}
    with pytest.raises(ValueError, match="LEADLINE_AUDIENCES names yandex more than once"):
        Settings.model_validate({"audiences": [account, account]})


def test_R4_settings_are_read_from_the_environment_and_what_they_do_not_know_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEADLINE_AUDIENCES", '[{"service": "facebook", "account": "12", "token": "t"}]')
    assert [one.service for one in Settings().audiences] == ["facebook"]
    monkeypatch.setenv("LEADLINE_AUDIENCES", '[{"service": "facebook", "account": "act_12", "tokn": "t"}]')
    with pytest.raises(ValueError, match=r"(?s)account.*token.*tokn"):
        Settings()
    monkeypatch.setenv("LEADLINE_AUDIENCES", '[{"service": "twitter"}]')
    with pytest.raises(ValueError, match="twitter"):
        Settings()


async def test_R4_retry_after_may_be_a_date_of_the_services_own_clock(way: Way) -> None:
    # RFC 9110, 10.2.3
    now = datetime(2020, 2, 29, 12, tzinfo=UTC)
    headers = {
        "Date": format_datetime(now, usegmt=True),
        "Retry-After": format_datetime(now + timedelta(minutes=5), usegmt=True),
    }
    way.service.answer_with("GET", LOOK_UP[way.name], 503, {}, headers)
    assert await way.removed(1) == [Later("service_unavailable: 503", after=300.0, whole_provider=True)]


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "1e9", "٣", "Thu, 32 Nov 2026 09:00:00 GMT", "Thu, 26 Nov 2026 09:00:00 GMT"]
)
def test_R4_retry_after_that_says_nothing_usable_is_none(value: str) -> None:
    assert asked_wait(httpx.Headers([(b"Retry-After", value.encode())])) is None
