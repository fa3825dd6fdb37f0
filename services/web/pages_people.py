"""A person's page, the list of suspected duplicates, and what a merge would do (C3, C7, C9, N16).

Invariants: what a person decides here is a command on a lead, like everywhere else; the pages themselves change nothing.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from contracts.commands import Merge, Unmerge
from contracts.pipeline import Pipeline
from projections.people import reading as people
from services.database import Database
from services.pipelines import registry
from services.web.api_merging import preview
from services.web.api_people import person_detail
from services.web.door import Door, TheDoor, place_in_list
from services.web.pages import Visiting, Visitor, render, telling
from services.web.problems import ProblemError
from services.web.shapes import EventOut
from services.web.shapes_people import MergePreview
from services.web.tokens import COMMAND

PAGE = 50

router = APIRouter()


@router.get("/people/{contact}")
async def person_page(request: Request, door: TheDoor, visitor: Visiting, contact: UUID) -> HTMLResponse:
    """Who somebody is to us."""
    person = await person_detail(door, contact)
    if person is None:
        raise ProblemError(404, "no-such-person", "there is no person of this id")
    return render(request, visitor, "person.html", page_path=f"/people/{contact}", person=person)


@router.get("/duplicates")
async def duplicates_page(
    request: Request, door: TheDoor, visitor: Visiting, after: Annotated[str | None, Query(max_length=300)] = None
) -> HTMLResponse:
    """Leads that may be of one person; somebody decides."""
    async with door.pool.acquire() as connection:
        with place_in_list():
            found, following = await people.duplicates(connection, after=after or None, limit=PAGE)
    return render(
        request,
        visitor,
        "duplicates.html",
        duplicates=found,
        next=following,
        may_act=visitor.holder.role in COMMAND,
    )


@router.get("/leads/{lead}/merge")
async def merge_page(
    request: Request, door: TheDoor, visitor: Visiting, lead: UUID, into: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """What merging a lead into another would do; from here it is done. `into`: an id, or the address of that lead's page."""
    try:
        other = UUID(into.strip().rstrip("/").rpartition("/")[2])
    except ValueError:
        raise ProblemError(422, "into", "query.into: this is no id of a lead, nor the address of its page") from None
    shown = await preview(door, visitor.holder, lead, Merge(into=other))
    return await _preview_page(request, door, visitor, "merge", shown, other)


@router.get("/leads/{lead}/unmerge")
async def unmerge_page(request: Request, door: TheDoor, visitor: Visiting, lead: UUID) -> Response:
    """What undoing the merge of a lead would do, and what goes with it; from here it is done."""
    shown = await preview(door, visitor.holder, lead, Unmerge())
    return await _preview_page(request, door, visitor, "unmerge", shown, shown.into)


async def _preview_page(
    request: Request, door: Door, visitor: Visitor, name: str, shown: MergePreview, into: UUID | None
) -> HTMLResponse:
    tell = telling(door, visitor.words)
    async with door.pool.acquire() as connection:
        moved = [tell.tell(event, await _pipeline_of(connection, event)) for event in shown.moved]
    return render(
        request,
        visitor,
        "merging.html",
        page_path=f"/leads/{shown.lead}",
        command=name,
        preview=shown,
        into=into,
        moved=moved,
        may_act=visitor.holder.role in COMMAND,
    )


async def _pipeline_of(connection: Database, event: EventOut) -> Pipeline:
    """The pipeline version that an event of a lead happened under."""
    name, _, number = (event.pipeline or "").partition("@")
    return await registry.version(connection, name, int(number or "1"))
