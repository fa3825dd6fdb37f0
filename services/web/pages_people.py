"""A person's page, and the list of suspected duplicates (C3, C7, C9, N16).

Invariants: what a person decides here is a command on a lead, like everywhere else; the pages themselves change nothing.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from projections.people import reading as people
from services.web.api_people import person_detail
from services.web.door import TheDoor, place_in_list
from services.web.pages import Visiting, render
from services.web.problems import ProblemError
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
