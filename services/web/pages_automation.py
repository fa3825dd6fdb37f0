"""The automation of a pipeline as a page: what happens by itself at each stage, how it went, how its letters come out (R1-R5, U).

Invariants: what a template writes is shown in a frame that can do nothing (sandboxed, under the page's own
Content-Security-Policy); everything works without JavaScript.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from projections.robots import store as robots
from services.web.automation_view import COUNTED, columns_of, shown_on
from services.web.door import TheDoor, current_pipeline
from services.web.pages import Visiting, render

router = APIRouter()


@router.get("/pipelines/{pipeline}/automation")
async def automation_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    pipeline: str,
    template: Annotated[str, Query(max_length=60)] = "",
    lead: Annotated[str, Query(max_length=300)] = "",
    language: Annotated[Literal["", "ru", "en"], Query()] = "",
) -> HTMLResponse:
    """The page; with `template` the preview for a lead, given by its id or by the address of its page."""
    written = language or visitor.words.language
    async with door.pool.acquire() as connection:
        known, number = await current_pipeline(connection, pipeline)
        since = await door.clock.now() - COUNTED
        counted, pulled = await robots.counts(connection, known.pipeline, since)
        chosen = known.templates_by_id.get(template)
        shown = await shown_on(door, connection, known, chosen, lead, written) if chosen is not None else None
    return render(
        request,
        visitor,
        "automation.html",
        page_path=f"/pipelines/{known.pipeline}/automation",
        pipeline=known,
        number=number,
        columns=columns_of(known, counted, pulled),
        shown=shown,
        asked={"template": template, "lead": lead, "language": written},
    )
