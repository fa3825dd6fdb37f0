"""The page of what is sent to the outside: dead letters with a button to repeat them, what waits and until when (R3).

Invariants: nothing personal stands on it, only links to leads; a repeat is a command in the visitor's name, once for each round
of an effect however often the button is pressed.
"""

from __future__ import annotations

from uuid import UUID, uuid5

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from contracts.commands import Command, Repeat
from services.delivery.telling import store
from services.web.door import TheDoor
from services.web.pages import Visiting, Visitor, posted, render
from services.web.problems import ProblemError
from services.web.tokens import OPERATE, REPEAT_EFFECTS

LISTED = 200

router = APIRouter()


@router.get("/ops/effects")
async def effects_page(request: Request, door: TheDoor, visitor: Visiting) -> HTMLResponse:
    """Dead letters, what waits, what may have gone out twice."""
    visitor.holder.must(OPERATE, "see what is sent out")
    return await _page(request, door, visitor)


@router.post("/ops/effects/repeat")
async def repeat_effect(request: Request, door: TheDoor, visitor: Visiting) -> Response:
    """Have a dead letter tried again."""
    visitor.holder.must(REPEAT_EFFECTS, "repeat what failed")
    fields = await posted(request, visitor)
    try:
        effect = UUID(fields.get("effect", ""))
    except ValueError:
        raise ProblemError(422, "invalid", "effect: the id of one") from None
    async with door.pool.acquire() as connection:
        told = await store.told_one(connection, effect)
    if told is None or told.state != "failed":
        return await _page(request, door, visitor, status=409, said=visitor.words("effects.gone"))
    command = Command(
        id=uuid5(effect, f"repeat:{told.round}:{visitor.holder.name}"),
        lead=told.stream,
        actor=visitor.holder.actor,
        body=Repeat(effect=effect),
    )
    result = await door.leads.command(command)
    if result.refusal is not None:
        return await _page(request, door, visitor, status=result.refusal.status, said=visitor.words.of(result.refusal))
    return RedirectResponse("/ops/effects", 303)


async def _page(
    request: Request, door: TheDoor, visitor: Visitor, *, status: int = 200, said: str = ""
) -> HTMLResponse:
    async with door.pool.acquire() as connection:
        lists = [(which, await store.listed(connection, which, LISTED)) for which in store.KINDS]
        counts, providers = await store.counts(connection), await store.providers(connection)
    return render(
        request,
        visitor,
        "effects.html",
        status=status,
        said=said,
        page_path="/ops/effects",
        demo_folder=door.demo_out.folder if door.demo_out is not None else None,
        lists=lists,
        counts=counts,
        providers=providers,
        now=await door.clock.now(),
        most=LISTED,
        may_repeat=visitor.holder.role in REPEAT_EFFECTS,
    )
