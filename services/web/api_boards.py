"""`/api/boards/{pipeline}`: columns with counts, sums and cards, page by page (spec I, K4, S6).

Reads the board's projection; the stages and their titles come from the pipeline in force. Invariant: a stage that holds leads
is shown even when the newest version of the pipeline no longer has it.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from projections.board import store as board
from services.database import Database
from services.pipelines import registry
from services.web.door import Asking, AtLeast, TheDoor, current_pipeline, place_in_list, wait_for
from services.web.problems import ProblemError
from services.web.shapes import BoardOut, ColumnOut, LeadList, PeopleOut, PersonRow, card_out, stage_out
from services.web.tokens import OPERATE, READ

CARDS = 20
LARGEST_COLUMN = 200

router = APIRouter(tags=["boards"])

Cards = Annotated[int, Query(ge=1, le=LARGEST_COLUMN, description="Cards per column")]


@router.get("/api/boards/{pipeline}", summary="A pipeline's board")
async def read_board(
    door: TheDoor,
    holder: Asking,
    pipeline: str,
    limit: Cards = CARDS,
    lead: Annotated[UUID | None, Query(description="The lead that `at_least` is about")] = None,
    at_least: AtLeast = None,
    as_of: Annotated[str | None, Query(include_in_schema=False)] = None,
) -> BoardOut:
    holder.must(READ, "read boards")
    if as_of is not None:
        raise ProblemError(501, "later", "boards as of a past moment are not in this release; leave as_of out")
    if at_least is not None and lead is None:
        raise ProblemError(422, "invalid", "query.lead: at_least is a version of one lead; name it with lead=ID")
    if lead is not None:
        await wait_for(door, lead, at_least)
    async with door.pool.acquire() as connection:
        return await board_of(connection, pipeline, limit=limit)


@router.get("/api/boards/{pipeline}/people", summary="How many leads of whom stand in which stage (S6)")
async def read_people(door: TheDoor, holder: Asking, pipeline: str) -> PeopleOut:
    holder.must(OPERATE, "see people and stages")
    async with door.pool.acquire() as connection:
        return await people_of(connection, pipeline)


@router.get("/api/boards/{pipeline}/stages/{stage}", summary="More cards of one column")
async def read_column(
    door: TheDoor,
    holder: Asking,
    pipeline: str,
    stage: str,
    after: Annotated[str | None, Query(max_length=300)] = None,
    limit: Cards = CARDS,
) -> LeadList:
    holder.must(READ, "read boards")
    async with door.pool.acquire() as connection:
        known, _ = await current_pipeline(connection, pipeline)
        with place_in_list():
            cards, following = await board.cards(connection, pipeline, stage, after=after, limit=limit)
    return LeadList(items=[card_out(card, {pipeline: known}) for card in cards], next=following)


async def board_of(
    connection: Database, pipeline: str, *, limit: int, limits: dict[str, int] | None = None
) -> BoardOut:
    """The whole board. `limits`: other numbers of cards for some columns. Raises ProblemError (404)."""
    known, number = await current_pipeline(connection, pipeline)
    totals = {column.stage: column for column in await board.columns(connection, pipeline)}
    stages = [stage.id for stage in known.stages] + sorted(set(totals) - set(known.by_id))
    past = (
        [v.pipeline for v in await registry.versions(connection, pipeline)] if len(stages) > len(known.stages) else []
    )
    columns: list[ColumnOut] = []
    for stage in stages:
        total = totals.get(stage)
        wanted = (limits or {}).get(stage, limit)
        cards, following = (
            await board.cards(connection, pipeline, stage, after=None, limit=wanted) if total else ([], None)
        )
        columns.append(
            ColumnOut(
                stage=stage_out(known, stage, past),
                count=total.count if total else 0,
                sums=dict(total.sums) if total else {},
                erased=total.erased if total else 0,
                cards=[card_out(card, {pipeline: known}) for card in cards],
                next=following,
                more=f"/api/boards/{pipeline}/stages/{stage}?after={following}" if following else None,
            )
        )
    return BoardOut(pipeline=pipeline, pipeline_version=number, titles=known.titles, columns=columns)


async def people_of(connection: Database, pipeline: str) -> PeopleOut:
    """People × stages of a pipeline, now; nobody last. Raises ProblemError (404)."""
    known, _ = await current_pipeline(connection, pipeline)
    found = await board.people(connection, pipeline)
    stages = [stage.id for stage in known.stages]
    stages += sorted({held.stage for held in found} - set(stages))
    counts: dict[str | None, dict[str, int]] = {}
    for held in found:
        counts.setdefault(held.responsible, {})[held.stage] = held.count
    people = [
        PersonRow(responsible=name, counts=counts[name], total=sum(counts[name].values()))
        for name in sorted(counts, key=lambda name: (name is None, name or ""))
    ]
    totals = {stage: sum(row.counts.get(stage, 0) for row in people) for stage in stages}
    return PeopleOut(
        pipeline=pipeline,
        titles=known.titles,
        stages=[stage_out(known, stage) for stage in stages],
        people=people,
        totals=totals,
        total=sum(totals.values()),
    )
