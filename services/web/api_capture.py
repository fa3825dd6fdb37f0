"""`POST /api/leads`: a lead is entered by hand, a person or a company without one (P7, P10).

Invariants: the new lead's id follows from the command's, so a repeat under the same key makes no second lead; whoever has an open
lead in the pipeline already is refused, and the answer names that lead.
"""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID, uuid5

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime

from contracts.commands import Capture, Command, CommandResult
from services.web.api_leads import IdempotencyKey, done, refuse_nul
from services.web.door import Asking, Door, TheDoor, language_of
from services.web.forwarding import command_id
from services.web.problems import refused
from services.web.shapes import CommandDone
from services.web.tokens import COMMAND, Holder

router = APIRouter(tags=["leads"])


class CapturePosted(Capture):
    """A lead entered by hand. `happened_at`: when the client was met, if not now."""

    happened_at: AwareDatetime | None = None


@router.post(
    "/api/leads",
    status_code=201,
    summary="Enter a lead by hand: a person, or a company without one (P7, P10)",
    responses={409: {"description": "The person has an open lead in this pipeline; `lead` names it"}},
)
async def capture_lead(
    request: Request,
    response: Response,
    door: TheDoor,
    holder: Asking,
    posted: CapturePosted,
    key: IdempotencyKey = None,
) -> CommandDone:
    given = posted.model_dump(exclude_unset=True)
    refuse_nul(given)
    happened_at = given.pop("happened_at", None)
    result = await capture(door, holder, Capture.model_validate(given), key=key, happened_at=happened_at)
    if result.outcome == "refused":
        problem = refused(result, language_of(request, door.settings))
        if (there := open_lead_of(result)) is not None:
            problem.extra["lead"] = str(there)
        raise problem
    response.headers["Location"] = f"/api/leads/{result.stream}"
    return await done(door, result)


async def capture(
    door: Door, holder: Holder, body: Capture, *, key: str | None, happened_at: datetime | None = None
) -> CommandResult:
    """Enter a lead by hand in the holder's name; its id follows from the command's. Raises ProblemError like `carry_out`."""
    holder.must(COMMAND, "enter leads")
    command = command_id(holder.actor, key)
    return await door.leads.command(
        Command(id=command, lead=uuid5(command, "lead"), actor=holder.actor, body=body, happened_at=happened_at)
    )


def open_lead_of(result: CommandResult) -> UUID | None:
    """The open lead that a refusal names (C3)."""
    refusal = result.refusal
    if refusal is None or "C3.one_open_lead" not in refusal.rules:
        return None
    found = re.search(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", refusal.en)
    return UUID(found[0]) if found else None
