"""The head's queue: all that waits for them in one list, with the formula of its order; the team as it stands (N21, Q5, C4).

Invariants: the order is `services.web.queue_order`'s and is said on the page; each thing opens where it is decided.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from contracts.team import DEFAULT_TEAM
from services.teams import store as teams
from services.web.door import TheDoor
from services.web.pages import Visiting, render
from services.web.pipelines_in_force import in_force
from services.web.queue_reading import queue_of
from services.web.team_view import team_now
from services.web.tokens import JUDGE, OPERATE

router = APIRouter()


@router.get("/queue")
async def queue_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    everyone: Annotated[str, Query(alias="all", max_length=1)] = "",
) -> HTMLResponse:
    """The queue of the head who looks at it; `all=1`: what waits for any head."""
    visitor.holder.must(OPERATE, "see the head's queue")
    now = await door.clock.now()
    head = visitor.holder.name if visitor.holder.role == "head" and everyone != "1" else None
    async with door.pool.acquire() as connection:
        queue = await queue_of(connection, head, now)
    return render(
        request,
        visitor,
        "queue.html",
        queue=queue,
        everyone=head is None,
        is_head=visitor.holder.role == "head",
        may_judge=visitor.holder.role in JUDGE,
        now=now,
    )


@router.get("/teams")
async def default_team() -> Response:
    """The default team."""
    return RedirectResponse(f"/teams/{DEFAULT_TEAM}", 303)


@router.get("/teams/{team}")
async def team_page(request: Request, door: TheDoor, visitor: Visiting, team: str) -> HTMLResponse:
    """Who is of the team, who is here today, what everyone has to do, the pool."""
    visitor.holder.must(OPERATE, "see teams")
    now = await door.clock.now()
    async with door.pool.acquire() as connection:
        found = await team_now(connection, team, now)
        names = await teams.teams(connection)
        known = await in_force(connection, (card.pipeline for card in found.pool))
    return render(
        request,
        visitor,
        "team.html",
        now_of=found,
        team=found.team,
        names=names,
        stages={(name, stage.id): stage.titles for name, pipeline in known.items() for stage in pipeline.stages},
        now=now,
    )
