"""`/api/deals/{deal}`: a deal as its events make it, its history, what it may do, and the commands (C6, D1).

Invariants: a deal is read and worked on as a lead is, by the same code (`services.web.api_leads`); an id that is no deal's is not
found here, whatever else goes by it.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from fastapi.routing import APIRoute

from services.web import api_leads, store
from services.web.door import Asking, TheDoor
from services.web.problems import ProblemError
from services.web.tokens import READ

OF_LEADS, OF_DEALS = "/api/leads/{lead}", "/api/deals/{lead}"


async def a_deal(
    door: TheDoor, holder: Asking, lead: Annotated[UUID, Path(description="The deal's id: `deals` of its lead")]
) -> None:
    """Nothing but deals is found here. Raises ProblemError (404)."""
    holder.must(READ, "read deals")
    async with door.pool.acquire() as connection:
        if not await store.is_deal(connection, lead):
            raise ProblemError(404, "no-such-deal", "there is no deal of this id; the lead that became it names it")


router = APIRouter(tags=["deals"], dependencies=[Depends(a_deal)])


def _add_routes() -> None:
    """What there is for one lead, for one deal."""
    for route in api_leads.router.routes:
        if isinstance(route, APIRoute) and route.path.startswith(OF_LEADS):
            router.add_api_route(
                OF_DEALS + route.path.removeprefix(OF_LEADS),
                route.endpoint,
                methods=sorted(route.methods or ()),
                response_model=route.response_model,
                summary=(route.summary or "").replace("lead", "deal"),
                openapi_extra=route.openapi_extra,
            )


_add_routes()
