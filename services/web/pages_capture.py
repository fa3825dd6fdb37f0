"""Entering a lead by hand on a page (P7, P10): who it is, where from, and what the first stage asks for.

Invariants: the form's key makes a repeat harmless; whoever has an open lead already is named with a link to it, and what was
typed is still there.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from contracts.commands import Capture
from services.web.api_capture import capture, open_lead_of
from services.web.door import Door, TheDoor, current_pipeline
from services.web.form_reading import card_of
from services.web.forms import FormMaker
from services.web.inputs import Input
from services.web.lead_view import Attempt
from services.web.pages import Visiting, Visitor, posted, render
from services.web.problems import where_of
from services.web.tokens import COMMAND

CARD = "card_"
"""What the names of the card's inputs begin with."""

router = APIRouter()


@router.get("/leads/new")
async def new_lead(
    request: Request, door: TheDoor, visitor: Visiting, pipeline: Annotated[str, Query(max_length=60)] = ""
) -> HTMLResponse:
    """The form."""
    visitor.holder.must(COMMAND, "enter leads")
    return await _page(request, door, visitor, pipeline or door.settings.default_pipeline)


@router.post("/leads/new")
async def add_lead(request: Request, door: TheDoor, visitor: Visiting) -> Response:
    """Enter the lead, then to its page."""
    fields = await posted(request, visitor)
    name = fields.get("pipeline") or door.settings.default_pipeline
    given = {field: value for field, value in fields.items() if field not in ("key", "pipeline")}
    texts = {field: value.strip() for field, value in given.items() if value.strip() and not field.startswith(CARD)}
    card = {field: text for field, text in card_of(given, CARD).items() if text}
    try:
        body = Capture.model_validate({**texts, "pipeline": name, "card": card})
    except ValidationError as error:
        where = ", ".join(sorted({where_of(fault["loc"]) for fault in error.errors() if fault["loc"]}))
        said = "" if where else visitor.words("new_lead_help")
        attempt = Attempt("capture", given, invalid=where or None, said=said or None)
        return await _page(request, door, visitor, name, attempt)
    result = await capture(door, visitor.holder, body, key=fields.get("key") or None)
    if result.outcome == "refused":
        attempt = Attempt("capture", given, refusal=result.refusal)
        return await _page(request, door, visitor, name, attempt, open_lead_of(result))
    return RedirectResponse(f"/leads/{result.stream}", 303)


async def _page(
    request: Request,
    door: Door,
    visitor: Visitor,
    name: str,
    attempt: Attempt | None = None,
    open_lead: UUID | None = None,
) -> HTMLResponse:
    async with door.pool.acquire() as connection:
        pipeline, _ = await current_pipeline(connection, name)
    words, first = visitor.words, pipeline.first
    maker = FormMaker(pipeline, words, visitor.holder.role)
    wanted = [*(a.field for a in first.mandatory), *(a.field for a in first.desirable)]
    wanted = wanted or [field.id for field in pipeline.fields]
    fields = [pipeline.fields_by_id[field] for field in dict.fromkeys(wanted)]
    person = (
        Input("name", words("name")),
        Input("company", words("company")),
        Input("phone", words("phone"), "phone"),
        Input("email", words("email"), "email"),
        Input("source", words("source_by_hand"), hint=words("source_hint")),
        Input("comment", words("comment"), "long"),
    )
    return render(
        request,
        visitor,
        "lead_new.html",
        status=attempt.status if attempt else 200,
        pipeline=name,
        titles=pipeline.titles,
        person=person,
        card=tuple(maker.field(field, prefix=CARD) for field in fields if visitor.holder.role in field.by),
        attempt=attempt,
        given=attempt.given if attempt else {},
        open_lead=open_lead,
    )
