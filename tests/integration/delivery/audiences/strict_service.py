"""An ad service on a port of this machine that takes nothing its documents do not allow, for tests of the adapters.

Each service of its own (`meta_service` and so on) says with `rule` what its documents ask; a request against one is answered as
the service would, and noted in `broken`, which every test finds empty at its end. Faults are put in before a request comes: an
answer instead of the work (`answer_with`), the work without an answer (`lose_answer`), something that happens first (`first`).
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

HANG = 30.0
"""Longer than any adapter of a test waits."""
DROP = 0.1
SHA256 = re.compile(r"[0-9a-f]{64}")
MD5 = re.compile(r"[0-9a-f]{32}")


class RuleBrokenError(Exception):
    """The request is against the service's documents."""


@dataclass
class _Fault:
    method: str
    path: str
    response: Response | None = None
    lost: bool = False
    first: Callable[[], object] | None = None


@dataclass
class StrictService:
    """A service that listens while it is entered."""

    broken: list[str] = field(default_factory=list)
    """Rules that requests broke."""
    asked: list[str] = field(default_factory=list)
    """Method and path of each request."""
    bodies: list[bytes] = field(default_factory=list)
    """Everything that was sent: address and body of each request."""
    _faults: list[_Fault] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            self._app, log_config=None, lifespan="off", access_log=False, interface="asgi3", date_header=False
        )
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            await asyncio.sleep(0.001)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = self._server.force_exit = True
        await self._task
        self._socket.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def answer_with(
        self, method: str, path: str, status: int, body: Any = None, headers: dict[str, str] | None = None
    ) -> None:
        """Answer the next request of this method and path (a pattern) so, and do nothing."""
        response = (
            JSONResponse(body, status, headers) if not isinstance(body, bytes) else Response(body, status, headers)
        )
        self._faults.append(_Fault(method, path, response=response))

    def lose_answer(self, method: str, path: str) -> None:
        """Do what the next such request asks, and never answer it."""
        self._faults.append(_Fault(method, path, lost=True))

    def drip_answer(self, method: str, path: str) -> None:
        """Answer the next such request byte by byte, without end."""

        async def drops() -> AsyncIterator[bytes]:
            for _ in range(int(HANG / DROP)):
                yield b" "
                await asyncio.sleep(DROP)

        self._faults.append(_Fault(method, path, response=StreamingResponse(drops(), media_type="application/json")))

    def first(self, method: str, path: str, happens: Callable[[], object]) -> None:
        """Let something happen just before the next such request is carried out."""
        self._faults.append(_Fault(method, path, first=happens))

    def count(self, method: str, path: str) -> int:
        """How many such requests came."""
        return sum(re.fullmatch(f"{method} {path}", one) is not None for one in self.asked)

    def rule(self, holds: bool, said: str) -> None:
        """What the documents ask; `said`: in which words and where."""
        if not holds:
            self.broken.append(said)
            raise RuleBrokenError(said)

    async def answer(self, request: Request) -> Response:
        """The answer of the service itself."""
        raise NotImplementedError

    def against_rules(self, said: str) -> Response:
        """What the service answers to a request that it does not understand."""
        return JSONResponse({"error": said}, 400)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        self.bodies.append(f"{request.url}\n".encode() + body)
        fault = next((f for f in self._faults if f.method == request.method and re.fullmatch(f.path, path)), None)
        if fault is not None:
            self._faults.remove(fault)
            if fault.first is not None:
                fault.first()
        if fault is not None and fault.response is not None:
            response = fault.response
        else:
            try:
                response = await self.answer(request)
            except RuleBrokenError as error:
                response = self.against_rules(str(error))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                self.broken.append(f"the request is not of the form that the documents show: {error!r}")
                response = self.against_rules("")
        if fault is not None and fault.lost:
            await asyncio.sleep(HANG)
        await response(scope, receive, send)
