"""`POST /demo/sms`: the demo's gateway for short messages, as `services/delivery/sms/gateway.openapi.yaml` has it (R3).

Invariants: there is none outside of the demo; only who holds the token of the setting may post; a message is kept once for each
id.
"""

from __future__ import annotations

import hmac
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field

from services.ways_out import SmsGateway
from services.web.door import TheDoor
from services.web.problems import ProblemError

PATH = "/demo/sms"

router = APIRouter()


class ShortMessage(BaseModel):
    """What a gateway is asked to send."""

    id: UUID
    to: str = Field(max_length=100)
    text: str = Field(max_length=10_000)
    sender: str = Field(max_length=100)


@router.post(PATH, status_code=202)
async def take(door: TheDoor, message: ShortMessage, authorization: Annotated[str, Header()] = "") -> dict[str, str]:
    """Make a file of a short message. Raises ProblemError: 404, 401."""
    sms = door.settings.sms_out
    if door.demo_out is None or not isinstance(sms, SmsGateway):
        raise ProblemError(404, "no-such-path", "short messages are kept here by: leadline up --demo")
    wanted = f"Bearer {sms.token.get_secret_value()}"
    if not hmac.compare_digest(authorization.encode(), wanted.encode()):
        raise ProblemError(401, "token", "only the demo's own delivery service may post here")
    await door.demo_out.short_message(message.id, message.to, message.text)
    return {"id": str(message.id)}
