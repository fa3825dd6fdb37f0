"""The HTTP side of intake: `POST /inbound/forms/{form}`, `/inbound/calls`, `/inbound/messages`, `/inbound/visits` (spec I).

Who may post is the caller's to say (`admit`). Invariants: a sender's rate is looked at before the body is read, the body is read
up to `FORM_BYTES` and for at most `BODY_SECONDS`; 202 means stored; every refusal is counted and noted (`refusals`), without
what was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from prometheus_client import Counter
from pydantic import BaseModel

from contracts.inbound import CallBody, Channel, FormBody, MessageBody, VisitBody
from contracts.meta import Actor
from services.channels.errors import UnacceptableError
from services.channels.forms import FORM_BYTES, form_name, too_large
from services.channels.intake import Intake
from services.channels.limits import RateLimit
from services.channels.refusals import Refusals

BODY_SECONDS = 30.0
"""How long a sender may take over a body."""
REQUESTS = Counter("leadline_inbound_requests_total", "Inbound requests, by what was answered", ["channel", "answer"])
BYTES = Counter("leadline_inbound_bytes_total", "Bytes of inbound bodies that were read", ["channel"])


@dataclass(frozen=True, slots=True)
class Sender:
    """Who posts: the actor of what follows, whose limit counts (`meter`), and the name the journal knows them by, empty for
    somebody without a token."""

    actor: Actor
    meter: str
    limit: RateLimit
    name: str


Admit = Callable[[Request, Channel, str], Awaitable[Sender]]
"""Who posts to this channel (and form); raises when nobody may."""


class InboundAccepted(BaseModel):
    """The message is stored and will be interpreted; ask `GET /api/intake/{inbound_id}` what became of it."""

    inbound_id: UUID


KEY_DOC = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes a repeat harmless: the same key and body give the same inbound_id.",
    "schema": {"type": "string", "maxLength": 200},
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    413: {"description": "Larger than the limit, which the answer names with the way out"},
    415: {"description": "Another media type, or a Content-Encoding"},
    429: {"description": "Too many in a time; `Retry-After` says when to come back"},
}


def _body_doc(model: type[BaseModel], description: str, *types: str) -> dict[str, Any]:
    schema = model.model_json_schema()
    content = {kind: {"schema": schema} for kind in ("application/json", *types)}
    return {
        "requestBody": {"required": True, "description": description, "content": content},
        "parameters": [KEY_DOC],
    }


CHANNELS: tuple[tuple[Channel, str, type[BaseModel], str, str], ...] = (
    ("call", "/inbound/calls", CallBody, "Report a call", "A call, or a further report of one under its `call_id`."),
    (
        "message",
        "/inbound/messages",
        MessageBody,
        "Post a message of a chat, messenger or social network",
        "`sender_id` names the person within `channel` and the token's account.",
    ),
    (
        "visit",
        "/inbound/visits",
        VisitBody,
        "Report a visit",
        "`identity`: a phone, an e-mail, or a web counter's id of the browser. A visit of nobody known makes no lead.",
    ),
)
"""The channels whose account is the token's name: channel, path, body, summary, what to know."""


def inbound_router(intake: Intake, admit: Admit, refusals: Refusals) -> APIRouter:
    """The routes of intake."""
    router = APIRouter(tags=["inbound"], responses=ANSWERS)

    async def take(request: Request, channel: Channel, form: str = "") -> InboundAccepted:
        known = ""
        with _noted(channel) as noted:
            try:
                sender = await admit(request, channel, form_name(form) if channel == "form" else form)
                account = form if channel == "form" else sender.name or channel
                known = account if sender.name else ""
                return await _take(request, channel, account, sender, intake)
            except UnacceptableError as error:
                noted(error.code)
                await refusals.note(channel, known, error.code, _announced(request))
                raise

    @router.post(
        "/inbound/forms/{form}",
        status_code=202,
        response_model=InboundAccepted,
        openapi_extra=_body_doc(
            FormBody,
            "Any further field is kept. Without phone and e-mail it is accepted too, and waits in quarantine.",
            "application/x-www-form-urlencoded",
        ),
        summary="Post a form",
    )
    async def post_form(request: Request, form: str) -> InboundAccepted:
        return await take(request, "form", form)

    for channel, path, model, summary, description in CHANNELS:
        router.add_api_route(
            path,
            _endpoint(take, channel),
            methods=["POST"],
            status_code=202,
            response_model=InboundAccepted,
            openapi_extra=_body_doc(model, description),
            summary=summary,
        )
    return router


def _endpoint(take: Callable[..., Awaitable[InboundAccepted]], channel: Channel) -> Callable[..., Any]:
    async def post(request: Request) -> InboundAccepted:
        return await take(request, channel)

    post.__name__ = f"post_{channel}"
    return post


async def _take(request: Request, channel: Channel, account: str, sender: Sender, intake: Intake) -> InboundAccepted:
    if wait := sender.limit.take(sender.meter):
        raise UnacceptableError(
            429,
            "too-many",
            f"too many messages at once; come back in {wait} s, or have the limit raised (LEADLINE_RATE_TOKEN, "
            "LEADLINE_RATE_PEER)",
            retry_after=wait,
        )
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnacceptableError(415, "encoding", "send the body without Content-Encoding", where="header")
    raw = await read_body(request)
    BYTES.labels(channel).inc(len(raw))
    accepted = await intake.receive(
        channel,
        account,
        request.headers.get("content-type"),
        raw,
        idempotency_key=request.headers.get("idempotency-key"),
        actor=sender.actor,
    )
    return InboundAccepted(inbound_id=accepted.inbound_id)


@contextmanager
def _noted(channel: str) -> Iterator[Callable[[str], None]]:
    """Count a request by what was answered: accepted, the code of the refusal, or failed."""
    answer = "failed"

    def noted(code: str) -> None:
        nonlocal answer
        answer = code

    try:
        yield noted
        answer = "accepted"
    finally:
        REQUESTS.labels(channel, answer).inc()


def _announced(request: Request) -> int:
    """The bytes that the sender announced; 0 where it did not say."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) <= 15 else 0


async def read_body(request: Request, limit: int = FORM_BYTES) -> bytes:
    """The whole body. Raises UnacceptableError: 413 above the limit (bytes), 408 when it does not come in time."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > limit):
        raise too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > limit:
                    raise too_large(limit)
    except TimeoutError:
        raise UnacceptableError(408, "too-slow", f"the body did not come within {BODY_SECONDS:.0f} s") from None
    return bytes(body)
