"""Around every request: limits of size and time, headers that keep browsers from doing harm, counts, and the last catch.

Invariants: no body above `BODY_BYTES` is read (intake has a smaller limit of its own), none for longer than `BODY_SECONDS`;
no request runs longer than `REQUEST_SECONDS`; whatever fails, the client gets problem details and the log gets the kind of error
and its place, never its text, which may hold what a person wrote.
"""

from __future__ import annotations

import asyncio
import re
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import orjson
import structlog
from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException

from services.web.problems import MEDIA_TYPE, ProblemError

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Scope]]
Send: TypeAlias = Callable[[Scope], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_BYTES = 512 * 1024
BODY_SECONDS = 30.0
REQUEST_SECONDS = 45.0

SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
NO_STORE = (b"cache-control", b"no-store")

REQUESTS = Counter("leadline_http_requests_total", "HTTP requests", ["method", "route", "status"])
SECONDS = Histogram(
    "leadline_http_seconds",
    "Time to answer, by route",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_API = re.compile(r"/(api|inbound|health|static)(/|$)|/(ops/status|ops/clock|metrics|openapi\.json)$")
FAILED_PAGE = """<!doctype html>
<html lang="ru"><head><meta charset="utf-8"><title>Leadline</title><link rel="stylesheet" href="/static/style.css"></head>
<body><main><section class="narrow panel"><h1>%d</h1>
<p>Не получилось. Повторите через минуту; подробности — в журнале системы.</p>
<p>This failed. Repeat in a minute; the system's log has the details.</p>
<p><code>%s</code> · <a href="/">Leadline</a></p></section></main></body></html>
""".encode()
"""What a person sees when not even the error page could be made."""

log = structlog.get_logger(__name__)


def is_page_path(path: str) -> bool:
    """Whether errors at this path are shown as a page, not as problem details."""
    return _API.match(path) is None


class Shield:
    """ASGI middleware; see the module's text."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = _Guarded(scope, receive, send)
        if "\x00" in scope["path"] or b"%00" in scope.get("query_string", b""):
            await guarded.fail(400, "nul", "an address may not hold the NUL character")  # no text of Postgres can
            return
        begun = time.monotonic()
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await self._app(scope, guarded.receive, guarded.send)
        except TimeoutError:
            log.error("request took too long", route=_route(scope), seconds=REQUEST_SECONDS)
            await guarded.fail(503, "too-slow", "this took too long and was given up; try again in a moment")
        except Exception as error:
            log.error("request failed", route=_route(scope), error=type(error).__name__, place=_place(error))
            await guarded.fail(500, "failed", "this failed on our side; the log says where, under this time and route")
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            REQUESTS.labels(method, _route(scope), str(guarded.status)).inc()
            SECONDS.labels(_route(scope)).observe(time.monotonic() - begun)


class _Guarded:
    """One request's `receive` and `send`."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._taken = 0
        self._whole = False
        self._until = time.monotonic() + BODY_SECONDS
        self.status = 0

    async def receive(self) -> Scope:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._until - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not come within {BODY_SECONDS:.0f} s") from None
        self._taken += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._taken > BODY_BYTES:
            raise HTTPException(413, f"a request may have {BODY_BYTES // 1024} KB")
        return message

    async def send(self, message: Scope) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            names = {name for name, _ in message.get("headers", ())}
            extra = [pair for pair in SECURITY_HEADERS if pair[0] not in names]
            if b"cache-control" not in names:
                extra.append(NO_STORE)
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        await self._send(message)

    async def fail(self, status: int, code: str, detail: str) -> None:
        if self.status:
            return  # the answer has begun: the server cuts it off
        kind, body = MEDIA_TYPE, orjson.dumps(ProblemError(status, code, detail).body())
        if is_page_path(self._scope["path"]):
            kind, body = "text/html; charset=utf-8", FAILED_PAGE % (status, code.encode())
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _route(scope: Scope) -> str:
    """The route's pattern, never the path itself: a path may hold what a person typed."""
    return str(getattr(scope.get("route"), "path", "other"))


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames[-3:]))
