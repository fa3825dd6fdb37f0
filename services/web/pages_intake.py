"""The intake page: what became of inbound messages, mending those in quarantine and running them again (spec U, N18)."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.channels.journal import Outcome
from services.web.api_intake import MessageOut, message_out
from services.web.door import TheDoor
from services.web.pages import Visiting, posted, render
from services.web.problems import ProblemError
from services.web.tokens import JOURNAL, OPEN_BODIES

PAGE = 50
MENDABLE = ("name", "phone", "email", "company", "comment")

router = APIRouter()


@router.get("/intake")
async def intake_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    outcome: Outcome = "quarantined",
    after: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """The journal, one outcome at a time."""
    visitor.holder.must(JOURNAL, "read the intake journal")
    rows, following = await door.journal.page(outcome=outcome, after=after, limit=PAGE)
    return render(
        request,
        visitor,
        "intake.html",
        rows=rows,
        next=following,
        chosen=outcome,
        outcomes=("quarantined", "waiting", "accepted", "joined"),
        may_open=visitor.holder.role in OPEN_BODIES,
    )


@router.get("/intake/{inbound_id}")
async def message_page(
    request: Request, door: TheDoor, visitor: Visiting, inbound_id: UUID, ran: int | None = None
) -> HTMLResponse:
    """One message, its body, and the form to mend it."""
    visitor.holder.must(OPEN_BODIES, "open inbound messages")
    opened = await door.journal.opened(inbound_id)
    if opened is None:
        raise ProblemError(404, "no-such-message", "intake holds no message of this id")
    shown = message_out(opened)
    return render(
        request,
        visitor,
        "message.html",
        message=shown,
        values=_values(shown),
        mendable=MENDABLE,
        can_mend=shown.outcome == "quarantined" and not shown.erased,
        ran=ran,
    )


@router.post("/intake/{inbound_id}/{act}")
async def run_again(request: Request, door: TheDoor, visitor: Visiting, inbound_id: UUID, act: str) -> Response:
    """Mend and run again, or run again as it is."""
    fields = await posted(request, visitor)
    visitor.holder.must(OPEN_BODIES, "run inbound messages again")
    if act not in ("mend", "rerun"):
        raise ProblemError(404, "no-such-path", "there is nothing at this path")
    looked_at = fields.get("attempt", "")
    changes: dict[str, Any] | None = None
    if act == "mend":
        opened = await door.journal.opened(inbound_id)
        before = _values(message_out(opened)) if opened else {}
        typed = {name: fields[f"f_{name}"].strip() for name in MENDABLE if f"f_{name}" in fields}
        # null removes what was emptied
        changes = {name: text or None for name, text in typed.items() if text != before.get(name, "")} or None
    attempt = await door.journal.run_again(
        inbound_id,
        actor=visitor.holder.actor,
        fields=changes,
        attempt=int(looked_at) if looked_at.isascii() and looked_at.isdigit() and len(looked_at) < 9 else None,
    )
    return RedirectResponse(f"/intake/{inbound_id}?ran={attempt}", 303)


def _values(message: MessageOut) -> dict[str, str]:
    """What the mending form shows first."""
    body = message.body if isinstance(message.body, dict) else {}
    return {name: str(body[name]) for name in MENDABLE if body.get(name) is not None}
