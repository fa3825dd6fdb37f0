"""The HTTP side of intake: `POST /inbound/forms/{form}` (spec I). Who may post is the caller's to say (`admit`).

Invariants: the body is read up to `FORM_BYTES` and for at most `BODY_SECONDS`; 202 means stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel

from contracts.inbound import FormBody
from contracts.meta import Actor
from services.channels.errors import UnacceptableError
from services.channels.forms import FORM_BYTES, form_name, too_large
from services.channels.intake import Intake

BODY_SECONDS = 30.0
"""How long a sender may take over a form."""

Admit = Callable[[Request, str], Awaitable[Actor]]
"""Who posts this form; raises when nobody may."""


class InboundAccepted(BaseModel):
    """The message is stored and will be interpreted; ask `GET /api/intake/{inbound_id}` what became of it."""

    inbound_id: UUID


_FORM_SCHEMA = FormBody.model_json_schema()
_BODY_DOC = {
    "requestBody": {
        "required": True,
        "description": "Any further field is kept. Without phone and e-mail it is accepted too, and waits in quarantine.",
        "content": {
            "application/json": {"schema": _FORM_SCHEMA},
            "application/x-www-form-urlencoded": {"schema": _FORM_SCHEMA},
        },
    },
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Makes a repeat harmless: the same key and body give the same inbound_id.",
            "schema": {"type": "string", "maxLength": 200},
        }
    ],
}


def inbound_router(intake: Intake, admit: Admit) -> APIRouter:
    """The routes of intake."""
    router = APIRouter(tags=["inbound"])

    @router.post(
        "/inbound/forms/{form}",
        status_code=202,
        response_model=InboundAccepted,
        openapi_extra=_BODY_DOC,
        summary="Post a form",
    )
    async def post_form(request: Request, form: str) -> InboundAccepted:
        actor = await admit(request, form_name(form))
        if request.headers.get("content-encoding", "identity") != "identity":
            raise UnacceptableError(415, "encoding", "send the form without Content-Encoding", where="header")
        accepted = await intake.receive_form(
            form,
            request.headers.get("content-type"),
            await read_body(request),
            idempotency_key=request.headers.get("idempotency-key"),
            actor=actor,
        )
        return InboundAccepted(inbound_id=accepted.inbound_id)

    return router


async def read_body(request: Request, limit: int = FORM_BYTES) -> bytes:
    """The whole body. Raises UnacceptableError: 413 above the limit (bytes), 408 when it does not come in time."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > limit):
        raise too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > limit:
                    raise too_large()
    except TimeoutError:
        raise UnacceptableError(408, "too-slow", f"the body did not come within {BODY_SECONDS:.0f} s") from None
    return bytes(body)
