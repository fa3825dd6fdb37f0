"""Pipelines as pages: which there are, what each version changed, where their leads stand (M3, N14).

Invariants: everything works without JavaScript; a version of the past is shown as it was published.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from services.web.api_pipelines import pipelines_of, version_of, whole_of
from services.web.door import TheDoor
from services.web.pages import Visiting, render
from services.web.pipelines_in_force import of_deals

router = APIRouter()


@router.get("/pipelines")
async def pipelines_page(request: Request, door: TheDoor, visitor: Visiting) -> HTMLResponse:
    """All pipelines."""
    async with door.pool.acquire() as connection:
        found = await pipelines_of(door, connection)
    return render(request, visitor, "pipelines.html", pipelines=found)


@router.get("/pipelines/{pipeline}")
async def pipeline_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    pipeline: str,
    version: Annotated[int | None, Query(ge=1)] = None,
) -> HTMLResponse:
    """A pipeline, and one of its versions (the one in force unless another is asked for) with its changes and its text."""
    async with door.pool.acquire() as connection:
        whole = await whole_of(door, connection, pipeline)
        visitor = visitor.about(await of_deals(connection, pipeline))
        shown = await version_of(connection, pipeline, version or whole.number)
    return render(request, visitor, "pipeline.html", whole=whole, shown=shown, page_path=f"/pipelines/{pipeline}")
