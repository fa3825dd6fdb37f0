"""The playbook's page: what a seller does in each status, to look at, to print and to download (P2, spec U).

Invariants: it is of the version in force; the downloads hold the same table, in the reader's language.
"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.leads.playbook import HEADINGS, MEDIA_TYPES, Language, file_name, rows, written
from services.web.door import TheDoor, current_pipeline
from services.web.pages import Visiting, render

router = APIRouter()


@router.get("/pipelines/{pipeline}/playbook")
async def playbook_page(request: Request, door: TheDoor, visitor: Visiting, pipeline: str) -> HTMLResponse:
    """The table."""
    async with door.pool.acquire() as connection:
        known, number = await current_pipeline(connection, pipeline)
    language: Language = visitor.words.language
    return render(
        request,
        visitor,
        "playbook.html",
        pipeline=known,
        number=number,
        headings=HEADINGS[language],
        rows=rows(known, language),
        forms=tuple(MEDIA_TYPES),
    )


@router.get("/pipelines/{pipeline}/playbook.{form}")
async def playbook_file(
    door: TheDoor, visitor: Visiting, pipeline: str, form: Literal["md", "html", "csv"]
) -> Response:
    """The table as a file."""
    async with door.pool.acquire() as connection:
        known, _ = await current_pipeline(connection, pipeline)
    return Response(
        written(known, form, visitor.words.language).encode(),
        media_type=MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{file_name(known, form)}"'},
    )
