"""The intake pages: what became of inbound messages, the share that became no lead, mending (spec U, C3, N18)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from contracts.inbound import TYPE_OF_CHANNEL
from services.channels.journal import RUN_AGAIN, Outcome
from services.web.api_intake import MessageOut, message_out, share_out
from services.web.door import TheDoor
from services.web.pages import Visiting, posted, render
from services.web.problems import ProblemError
from services.web.tokens import JOURNAL, OPEN_BODIES

PAGE = 50
SHARE_DAYS = 30
"""Days that the share shows at first."""
EARLIEST, LATEST = date(1970, 1, 2), date(9999, 1, 1)
MENDABLE = {
    "form": ("name", "phone", "email", "company", "comment"),
    "call": ("from", "to", "started_at", "recording_url", "agent"),
    "message": ("channel", "sender_id", "name", "phone", "text"),
    "visit": ("identity", "page", "place", "at"),
    "mail": ("sender", "sender_name", "subject", "text"),
}
"""The fields of each channel's body that the page mends; the API mends all."""

router = APIRouter()


@router.get("/intake")
async def intake_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    outcome: Outcome = "quarantined",
    channel: Annotated[str | None, Query(max_length=20)] = None,
    reason: Annotated[str | None, Query(max_length=60)] = None,
    after: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """The journal, one outcome at a time."""
    visitor.holder.must(JOURNAL, "read the intake journal")
    channel, reason = channel or None, reason or None
    rows, following = await door.journal.page(outcome=outcome, channel=channel, reason=reason, after=after, limit=PAGE)
    kept = {name: value for name, value in (("channel", channel), ("reason", reason)) if value}
    return render(
        request,
        visitor,
        "intake.html",
        rows=rows,
        next=following,
        chosen=outcome,
        outcomes=("quarantined", "no_lead", "refused", "waiting", "accepted", "joined"),
        channels=sorted({*TYPE_OF_CHANNEL, "unknown"}),
        channel=channel,
        reason=reason,
        filters=f"&{urlencode(kept)}" if kept else "",
        may_open=visitor.holder.role in OPEN_BODIES,
    )


@router.get("/intake/share")
async def share_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    begin: Annotated[date | None, Query(alias="from")] = None,
    end: Annotated[date | None, Query(alias="to")] = None,
) -> HTMLResponse:
    """The share of inbound that became no lead, day by day of the team's calendar, the last day included."""
    visitor.holder.must(JOURNAL, "read the intake journal")
    zone = ZoneInfo(door.settings.time_zone)
    last = end or (await door.clock.now()).astimezone(zone).date()
    first = begin or last - timedelta(days=SHARE_DAYS - 1)
    if last < first:
        first, last = last, first
    if not EARLIEST <= first <= last <= LATEST:
        raise ProblemError(422, "period", f"query: give days from {EARLIEST} to {LATEST}")
    found = await door.journal.share(
        datetime.combine(first, time.min, zone), datetime.combine(last + timedelta(days=1), time.min, zone)
    )
    return render(
        request,
        visitor,
        "share.html",
        items=[share_out(channel) for channel in found],
        begin=first.isoformat(),
        end=last.isoformat(),
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
        mendable=mendable(shown),
        can_mend=shown.outcome in RUN_AGAIN and not shown.erased,
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
        if opened is None:
            raise ProblemError(404, "no-such-message", "intake holds no message of this id")
        shown = message_out(opened)
        before = _values(shown)
        typed = {name: fields[f"f_{name}"].strip() for name in mendable(shown) if f"f_{name}" in fields}
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
    return {name: str(body[name]) for name in mendable(message) if body.get(name) is not None}


def mendable(message: MessageOut) -> tuple[str, ...]:
    """The fields that can be mended; what came under no type of ours becomes a form."""
    return MENDABLE.get(message.channel, MENDABLE["form"])
