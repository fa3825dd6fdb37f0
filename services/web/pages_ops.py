"""The system's page, and the demo's «post a form» page."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from contracts.meta import Actor
from services.web.api_ops import ClockAsked, move_clock, status_of
from services.web.door import TheDoor, is_open
from services.web.pages import Visiting, check_origin, posted, read_fields, render, render_plain, visiting
from services.web.problems import ProblemError
from services.web.tokens import MOVE_CLOCK, OPERATE, POST_INBOUND

DEMO_FORM = "website"
DEMO_FIELDS = ("name", "phone", "email", "company", "comment")

router = APIRouter()


@router.get("/ops")
async def ops_page(request: Request, door: TheDoor, visitor: Visiting) -> HTMLResponse:
    """Notices, parked records, lag, the practice clock."""
    visitor.holder.must(OPERATE, "read the state of operations")
    system = await status_of(door)
    local = system.now.astimezone(ZoneInfo(door.settings.time_zone))
    return render(
        request,
        visitor,
        "ops.html",
        system=system,
        local_now=f"{local:%Y-%m-%dT%H:%M}",
        may_move_clock=system.practice and visitor.holder.role in MOVE_CLOCK,
    )


@router.post("/ops/practice")
async def ops_clock(request: Request, door: TheDoor, visitor: Visiting) -> Response:
    """Move the practice clock on, to a time on the team's wall."""
    fields = await posted(request, visitor)
    try:
        moment = datetime.fromisoformat(fields.get("to", ""))
    except ValueError:
        raise ProblemError(422, "invalid", "to: a date and time, for example 2026-11-22T09:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(door.settings.time_zone))
    await move_clock(door, visitor.holder, ClockAsked(to=moment))
    return RedirectResponse("/ops", 303)


@router.get("/demo/form")
async def demo_page(request: Request, door: TheDoor) -> Response:
    """A form as a company's site would have it."""
    if not door.demo:
        raise ProblemError(404, "no-such-path", "the demo's pages are shown by: leadline up --demo")
    if is_open(door.settings, "form", DEMO_FORM):
        return render_plain(request, "demo.html", fields=DEMO_FIELDS, sent=None)
    return render(request, await visiting(request, door), "demo.html", fields=DEMO_FIELDS, sent=None)


@router.post("/demo/form")
async def demo_form(request: Request, door: TheDoor) -> Response:
    """Takes the demo's form in by the same intake as any other."""
    if not door.demo:
        raise ProblemError(404, "no-such-path", "the demo's pages are shown by: leadline up --demo")
    visitor = None
    if is_open(door.settings, "form", DEMO_FORM):
        check_origin(request)
        fields = await read_fields(request)
        actor = Actor(id=f"form:{DEMO_FORM}", kind="client")
    else:
        visitor = await visiting(request, door)
        visitor.holder.must(POST_INBOUND, "post inbound messages")
        fields, actor = await posted(request, visitor), visitor.holder.actor
    body = {name: fields[name].strip() for name in DEMO_FIELDS if fields.get(name, "").strip()}
    accepted = await door.intake.receive(
        "form",
        DEMO_FORM,
        "application/json",
        orjson.dumps(body),
        idempotency_key=fields.get("key") or None,
        actor=actor,
    )
    if visitor is not None:
        return render(request, visitor, "demo.html", status=202, fields=DEMO_FIELDS, sent=accepted.inbound_id)
    return render_plain(request, "demo.html", status=202, fields=DEMO_FIELDS, sent=accepted.inbound_id)
