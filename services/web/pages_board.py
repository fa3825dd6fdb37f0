"""The board and the list of leads (spec U, S6).

Invariants: everything works without JavaScript; the columns' lengths are in the address, so a reload shows the same; a move that
was just made is waited for up to 2 s, and the page says so when the board is still behind.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from contracts.pipeline import Pipeline
from projections.board import store as board
from projections.board.store import Card
from projections.people import reading as people
from projections.tasks.marks import Mark, marks
from services.calendars import registry as calendars
from services.calendars.terms import due
from services.database import Database
from services.leads.domain.identities import normalise_email, normalise_phone
from services.leads.domain.rules import ways_closed
from services.pipelines import registry
from services.web import store
from services.web.api_boards import CARDS, LARGEST_COLUMN, board_of
from services.web.api_leads import Sort, sorted_leads
from services.web.door import AT_LEAST_SECONDS, Door, TheDoor
from services.web.pages import Visiting, Visitor, render
from services.web.pages_reports import people_stages_page
from services.web.shapes import BoardOut, StageOut, card_out
from services.web.team_view import SOON
from services.web.tokens import COMMAND, OPERATE

PAGE = 50
MARKED = timedelta(days=30)
"""How long an incident is marked on the card of its lead."""

router = APIRouter()


@router.get("/")
async def home(door: TheDoor, visitor: Visiting) -> Response:
    """The default pipeline's board."""
    return RedirectResponse(f"/boards/{door.settings.default_pipeline}", 303)


@router.get("/boards/{pipeline}")
async def board_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    pipeline: str,
    show: Annotated[list[str] | None, Query(max_length=60)] = None,
    lead: UUID | None = None,
    at_least: Annotated[int | None, Query(ge=1)] = None,
) -> HTMLResponse:
    """The board. `show=STAGE:N` makes a column N cards long."""
    lengths = _lengths(show or [])
    behind = False
    if lead is not None and at_least is not None:
        behind = not await board.wait_for(door.pool, lead, at_least, AT_LEAST_SECONDS)
    async with door.pool.acquire() as connection:
        shown = await board_of(connection, pipeline, limit=CARDS, limits=lengths)
        names = await store.pipelines(connection)
        known, _ = await registry.current(connection, pipeline)
        now = await door.clock.now()
        marked = await _marks(connection, known, shown, now)
    may_move = visitor.holder.role in COMMAND
    columns = [
        {
            "column": column,
            "says": known.by_id.get(column.stage.id),
            "longer": _address(pipeline, {**lengths, column.stage.id: lengths.get(column.stage.id, CARDS) + CARDS})
            if column.next and lengths.get(column.stage.id, CARDS) < LARGEST_COLUMN
            else None,
            "targets": _targets(known, column.stage, shown, visitor) if may_move else [],
        }
        for column in shown.columns
    ]
    return render(
        request,
        visitor,
        "board.html",
        board=shown,
        columns=columns,
        pipelines=names,
        now=now,
        marks=marked,
        behind=behind,
        moved=lead,
        may_move=may_move,
        sees_people=visitor.holder.role in OPERATE,
    )


async def _marks(connection: Database, known: Pipeline, shown: BoardOut, now: datetime) -> dict[UUID, Mark]:
    """What the cards of open stages are marked with, where the pipeline has deadlines at all."""
    if not known.deadlines_by_id:
        return {}
    near = due(now, SOON, await calendars.current(connection))
    leads = [card.lead for column in shown.columns for card in column.cards if card.kind == "open"]
    return await marks(connection, leads, near, now - MARKED)


def _targets(known: Pipeline, here: StageOut, shown: BoardOut, visitor: Visitor) -> list[tuple[StageOut, str]]:
    """The stages that cards of a column may be moved to, and those they may not, with the reason; those they may come first.

    Only what holds for every card there is told; what a card lacks is asked for once a stage is chosen. A head may override.
    """
    words, found = visitor.words, list[tuple[StageOut, str]]()
    for column in shown.columns:
        stage = column.stage
        if stage.id == here.id or stage.id not in known.by_id:
            continue
        against = ways_closed(known, here.id, stage.id)
        why = words(f"no_move.{_NO_MOVE[against[0]]}") if against else ""
        overridable = stage.kind in ("open", "won")
        found.append((stage, "" if visitor.holder.role == "head" and overridable else why))
    return sorted(found, key=lambda pair: bool(pair[1]))


_NO_MOVE = {"S1.one_step_forward": "step", "P4.stated_moves": "stated", "P4.stated_outcomes": "stated"}


@router.get("/boards/{pipeline}/people")
async def people_page(request: Request, door: TheDoor, visitor: Visiting, pipeline: str) -> HTMLResponse:
    """S6: how many leads of whom stand in which stage; the report, beside its board."""
    return await people_stages_page(request, door, visitor, pipeline)


def _lengths(show: list[str]) -> dict[str, int]:
    lengths: dict[str, int] = {}
    for part in show[:60]:
        stage, _, number = part.partition(":")
        if number.isascii() and number.isdigit() and len(number) < 5:
            lengths[stage[:60]] = max(1, min(int(number), LARGEST_COLUMN))
    return lengths


def _address(pipeline: str, lengths: dict[str, int]) -> str:
    return f"/boards/{pipeline}?" + "&".join(f"show={stage}:{number}" for stage, number in lengths.items())


@router.get("/leads")
async def leads_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    q: Annotated[str, Query(max_length=320)] = "",
    stage: Annotated[str | None, Query(max_length=60)] = None,
    responsible: Annotated[str | None, Query(max_length=100)] = None,
    pipeline: Annotated[str | None, Query(max_length=60)] = None,
    nobody: bool = False,
    sort: Sort = "newest",
    after: Annotated[str | None, Query(max_length=300)] = None,
) -> HTMLResponse:
    """Leads found by phone, e-mail, name, stage or responsible."""
    chosen: dict[str, Any] = {"stage": stage or None, "responsible": responsible or None, "pipeline": pipeline or None}
    async with door.pool.acquire() as connection:
        ids = await _ids(door, connection, q.strip()) if q.strip() else None
        cards, following, pipelines = list[Card](), None, dict[str, Pipeline]()
        if ids != []:
            wanted = board.Chosen(**chosen, nobody=nobody, ids=ids)
            cards, following, pipelines = await sorted_leads(connection, wanted, sort, after or None, PAGE)
    return render(
        request,
        visitor,
        "leads.html",
        cards=[card_out(card, pipelines) for card in cards],
        stages={(name, s.id): s.titles for name, known in pipelines.items() for s in known.stages},
        q=q,
        chosen=chosen,
        nobody=nobody,
        sort=sort,
        next=following,
        now=await door.clock.now(),
    )


async def _ids(door: Door, connection: Any, q: str) -> list[UUID]:
    email = normalise_email(q) if "@" in q else None
    phone = None if email else normalise_phone(q, door.settings.default_region)
    found = await people.search(connection, phone=phone, email=email, name=None if phone or email else q)
    return [lead for person in found for lead in person.leads]
