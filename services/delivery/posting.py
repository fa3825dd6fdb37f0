"""One POST to somebody else's server, and what came of it: the common ground of the HTTP gateway and the webhooks.

Invariants: it ends within its limit whatever the other side does; no redirect is followed, no cookie kept, no proxy of the
environment used; of an answer at most `READ_AT_MOST` bytes are read, and a body that breaks off changes nothing about the
status that came before it. What the network does is `NoAnswerError`, with words that hold nothing of the request.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, Literal, cast

import httpx

READ_AT_MOST: Final = 64 * 1024
LONGEST_WAIT: Final = 24 * 3600.0
"""Seconds: whoever asks for a longer pause is asked again after this one."""

CLOSE_SECONDS: Final = 1.0

Fault = Literal["no_connection", "certificate", "no_answer"]


class NoAnswerError(Exception):
    """No status came. `no_connection`, `certificate` (it is not of that host, or nobody we trust signed it): nothing was sent;
    `no_answer`: the request may have arrived."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault: Fault = fault

    @property
    def sent(self) -> bool:
        """Whether anything of the request may have arrived."""
        return self.fault == "no_answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said."""

    status: int
    body: bytes
    """Its beginning, as far as it came."""
    after: float | None = None
    """Seconds it asks to wait (Retry-After, RFC 9110, 10.2.3)."""


def client(context: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """A client for `post`. Connections are not kept: the next call may be for another host behind the same address, whose
    certificate this one did not show. `context`: whom to trust; none: whom this machine trusts."""
    return httpx.AsyncClient(
        verify=context or ssl.create_default_context(),
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # noqa: S113  `post` limits the whole
        limits=httpx.Limits(max_keepalive_connections=0),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"Accept-Encoding": "identity", "User-Agent": "Leadline"},
    )


async def post(
    through: httpx.AsyncClient,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    within: float,
    extensions: Mapping[str, Any] | None = None,
) -> Answer:
    """Post JSON. `within`: seconds for all of it, half of them for the connection, so that another address can be tried in the
    other half. Raises NoAnswerError."""
    answer: httpx.Response | None = None
    read = bytearray()
    try:
        async with asyncio.timeout(within):
            request = through.build_request(
                "POST",
                url,
                content=body,
                headers={"Content-Type": "application/json", **headers},
                extensions=None if extensions is None else dict(extensions),
                timeout=httpx.Timeout(None, connect=within / 2),
            )
            answer = await through.send(request, stream=True)
            async with aclosing(cast(AsyncGenerator[bytes, None], answer.aiter_raw())) as pieces:
                async for piece in pieces:
                    read += piece
                    if len(read) >= READ_AT_MOST:
                        break
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise NoAnswerError("certificate" if _certificate(error) else "no_connection") from None
    except (httpx.HTTPError, TimeoutError, OSError):
        if answer is None:
            raise NoAnswerError("no_answer") from None
    finally:
        if answer is not None:
            with suppress(httpx.HTTPError, OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await answer.aclose()
    return Answer(answer.status_code, bytes(read[:READ_AT_MOST]), _retry_after(answer.headers))


def _certificate(error: BaseException) -> bool:
    """Whether the other side's certificate is why there is no connection."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, ssl.SSLCertVerificationError):
            return True
        at = at.__cause__ or at.__context__
    return False


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds to wait; a date is counted from the other side's own Date, so that its clock and ours need not agree."""
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said[:9]), LONGEST_WAIT)
    until, now = _instant(said), _instant(headers.get("Date", ""))
    if until is None or now is None:
        return None
    return min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT)


def _instant(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
