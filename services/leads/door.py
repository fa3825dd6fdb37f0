"""The HTTP door of the aggregate service: commands from the web service, inside the trust boundary.

Invariants: without the internal token nothing is read or changed; the actor was proven by the web service from the caller's
token. Answers: 200 with the stored result (done and refused alike), 422 for an id used before with another body or a body that
is no command, 503 when the store is away (nothing was written; the same id may be sent again).
"""

from __future__ import annotations

import hmac

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.commands import EraseContact
from services.leads.batcher import AwayError, Batcher
from services.leads.handlers import Reader, read_command
from services.leads.work import OtherBodyError, Work
from services.settings import Settings

BODY_BYTES = 1024 * 1024


def door(settings: Settings, batcher: Batcher, reader: Reader) -> Starlette:
    """The ASGI application of the door."""
    token = settings.internal_token.get_secret_value()
    if not token:
        raise ValueError("LEADLINE_INTERNAL_TOKEN must be set: it guards the command door")

    def allowed(request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())

    async def answer(work: Work) -> Response:
        try:
            done = (await batcher.submit([work]))[0]
        except AwayError as error:
            return JSONResponse({"detail": str(error)}, 503, {"Retry-After": "1"})
        if isinstance(done.error, OtherBodyError):
            return JSONResponse({"detail": str(done.error)}, 422)
        if done.error is not None or done.result is None:
            return JSONResponse({"detail": "the command could not be carried out; the log says why"}, 500)
        return Response(done.result.model_dump_json(), 200, media_type="application/json")

    async def commands(request: Request) -> Response:
        if not allowed(request):
            return JSONResponse({"detail": "the internal token is needed"}, 401)
        try:
            command = read_command(await _body(request))
        except ValueError as error:
            return JSONResponse({"detail": _said(error)}, 422)
        return await answer(reader.command(command))

    async def erase(request: Request) -> Response:
        if not allowed(request):
            return JSONResponse({"detail": "the internal token is needed"}, 401)
        try:
            command = EraseContact.model_validate_json(await _body(request))
        except (ValidationError, ValueError) as error:
            return JSONResponse({"detail": _said(error)}, 422)
        return await answer(reader.erase(command))

    return Starlette(
        routes=[
            Route("/commands", commands, methods=["POST"]),
            Route("/erase", erase, methods=["POST"]),
        ]
    )


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES:
            raise ValueError(f"the body is larger than {BODY_BYTES} bytes")
    return bytes(body)


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors(include_input=False, include_url=False)
        )
    return str(error)
