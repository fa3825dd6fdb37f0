"""One HTTP request to an ad service, and what it means for the effects when it does not go as asked.

Invariants: whatever the network or the other side does ends as `CallError` with the outcome the port hears; every wait has a
limit, an answer's size too; no redirect is followed, so that a token goes nowhere else; no proxy of the environment is used. An
outcome's reason holds codes alone: a service's own words may repeat what it was sent.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final, TypeVar

import httpx
import orjson
from pydantic import BaseModel, ValidationError

from services.delivery.port import Later, Refused

REQUEST_SECONDS: Final = 60.0
CONNECT_SECONDS: Final = 10.0
LARGEST_ANSWER: Final = 32 * 1024 * 1024
LONGEST_WAIT: Final = 24 * 3600.0
CODE: Final = re.compile(r"[A-Za-z0-9_]{1,64}")

M = TypeVar("M", bound=BaseModel)


class CallError(Exception):
    """The request did not do what was asked; `lost`: it may have done it all the same."""

    def __init__(self, outcome: Later | Refused, *, lost: bool = False) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome
        self.lost = lost


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """An answer of 2xx or 4xx; `body` is its JSON, None if it has none."""

    status: int
    body: Any
    headers: httpx.Headers = field(default_factory=httpx.Headers)

    @property
    def accepted(self) -> bool:
        """Whether it was done (2xx)."""
        return self.status < 300

    def read(self, model: type[M]) -> M:
        """The body as a model. Raises CallError where it is not: what was asked may have been done."""
        try:
            return model.model_validate(self.body)
        except ValidationError:
            raise unreadable() from None


class ServiceLine:
    """The way to one service: connections that are kept, and limits."""

    def __init__(self, base_url: str, *, seconds: float = REQUEST_SECONDS) -> None:
        self._seconds = seconds
        self._client = httpx.AsyncClient(
            base_url=base_url,
            verify=_certificates(),
            timeout=httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
            trust_env=False,
            follow_redirects=False,
        )

    async def ask(self, method: str, path: str, **content: Any) -> Answer:
        """Ask once. `content`: what `httpx` takes of a request (headers, params, json, data, files).

        Raises CallError for every end but an answer of 2xx or 4xx.
        """
        try:
            async with asyncio.timeout(self._seconds), self._client.stream(method, path, **content) as response:
                body = await _read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol):
            raise CallError(Later("no_connection", whole_provider=True)) from None
        except (httpx.HTTPError, TimeoutError):
            raise CallError(Later("no_answer", whole_provider=True), lost=True) from None
        return _told(response, body)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()


@cache
def _certificates() -> ssl.SSLContext:
    """Whom the lines trust: read once for all of them."""
    return httpx.create_ssl_context(trust_env=False)


def unreadable() -> CallError:
    """An answer that is not what the service's documents say."""
    return CallError(Later("unreadable_answer", whole_provider=True), lost=True)


def limited(after: float | None, code: str | int = "") -> CallError:
    """The service's limit is reached: nothing goes there for `after` seconds."""
    return CallError(Later(_with("limit_reached", code), after=after, whole_provider=True))


def unauthorized(code: str | int = "") -> CallError:
    """The key is not taken: nothing goes there until a person has seen to it."""
    return CallError(Later(_with("auth_refused", code), whole_provider=True))


def refused(code: str | int) -> CallError:
    """The service will not do it, however often it is asked."""
    return CallError(Refused(_with("service_refused", code)))


def asked_wait(headers: httpx.Headers) -> float | None:
    """Seconds of Retry-After (RFC 9110, 10.2.3), of a date as seen by the other side's own clock; None: nothing usable."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:12]), LONGEST_WAIT)
    until, now = _date(value), told_at(headers)
    if until is None or now is None:
        return None
    return min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT)


def told_at(headers: httpx.Headers) -> datetime | None:
    """The moment of the answer by the other side's clock (RFC 9110, 6.6.1)."""
    return _date(headers.get("date", ""))


def place(body: Any, *keys: str) -> Any:
    """What lies under these keys of nested JSON objects; None where there is no such place."""
    for key in keys:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None


def _with(reason: str, code: str | int) -> str:
    """The reason with the service's code, if it looks like one: nothing else of an answer is passed on."""
    text = str(code)
    return f"{reason}: {text}" if CODE.fullmatch(text) else reason


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > LARGEST_ANSWER:
            raise httpx.ReadError("too large")
    return bytes(body)


def _told(response: httpx.Response, body: bytes) -> Answer:
    status = response.status_code
    if status >= 500:
        later = Later(f"service_unavailable: {status}", after=asked_wait(response.headers), whole_provider=True)
        raise CallError(later, lost=True)
    if 300 <= status < 400:
        raise CallError(Later(f"unexpected_answer: {status}", whole_provider=True))
    try:
        content = orjson.loads(body) if body.strip() else None
    except orjson.JSONDecodeError:
        if status < 300:
            raise unreadable() from None
        content = None
    return Answer(status, content, response.headers)
