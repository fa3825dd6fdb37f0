"""`/api/funnels/{pipeline}`, the leads behind each of its numbers, and what became known late (spec I, M9, C5, M1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query

from projections.funnel.behind.store import Which
from projections.funnel.numbers.asked import By, View
from services.web.door import Asking, TheDoor, current_pipeline
from services.web.reading_funnel import Question, asked_of, behind_of, funnel_of, late_of
from services.web.shapes_funnel import BehindList, FunnelOut, LateList
from services.web.tokens import READ

PAGE = 50
LARGEST_PAGE = 200

router = APIRouter(tags=["funnels"])


def question(
    start: Annotated[
        str | None, Query(alias="from", max_length=40, description="First day (2026-03-01), or a time with a zone")
    ] = None,
    end: Annotated[
        str | None, Query(alias="to", max_length=40, description="Last day, that day included, or a time with a zone")
    ] = None,
    view: Annotated[
        View, Query(description="cohort: the leads received in the period; activity: what moved in the period")
    ] = "cohort",
    by: Annotated[By | None, Query(description="Also a funnel for each source or responsible")] = None,
    as_of: Annotated[
        str | None, Query(max_length=40, description="As it was known at that moment; left out: as it is known now")
    ] = None,
    until: Annotated[
        str | None, Query(max_length=40, description="As if nothing had happened after that day, or from that time on")
    ] = None,
    responsible: Annotated[str | None, Query(max_length=100, description="Only what is theirs")] = None,
) -> Question:
    """The question in the address."""
    return Question(view, by, start, end, as_of, until, responsible)


Questioned = Annotated[Question, Depends(question)]
After = Annotated[str | None, Query(max_length=300)]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]


@router.get("/api/funnels/{pipeline}", summary="A pipeline's funnel")
async def read_funnel(door: TheDoor, holder: Asking, pipeline: str, asked_for: Questioned) -> FunnelOut:
    holder.must(READ, "read funnels")
    now = await door.clock.now()
    grace = timedelta(hours=door.settings.funnel_grace_hours)
    async with door.pool.acquire() as connection:
        known, number = await current_pipeline(connection, pipeline)
        asked = await asked_of(connection, known, number, asked_for, ZoneInfo(door.settings.time_zone))
        place = f"/api/funnels/{pipeline}"
        return await funnel_of(connection, known, number, asked, asked_for, now, grace, place)


@router.get("/api/funnels/{pipeline}/leads", summary="The visits or leads behind a number of a funnel")
async def read_behind(
    door: TheDoor,
    holder: Asking,
    pipeline: str,
    asked_for: Questioned,
    number: Annotated[str, Query(max_length=40, description="The number's name, for example `lost`, or `received`")],
    stage: Annotated[str | None, Query(max_length=60)] = None,
    status: Annotated[str | None, Query(max_length=60, description="Of `lost`: only by this reject status")] = None,
    reason: Annotated[str | None, Query(max_length=60, description="Of `lost`: only for this reason")] = None,
    group: Annotated[str | None, Query(max_length=200, description="Only of this group of `by`; empty: nobody")] = None,
    after: After = None,
    limit: Limit = PAGE,
) -> BehindList:
    holder.must(READ, "read funnels")
    async with door.pool.acquire() as connection:
        known, version = await current_pipeline(connection, pipeline)
        asked = await asked_of(connection, known, version, asked_for, ZoneInfo(door.settings.time_zone))
        which = Which(number, stage, status, reason, asked_for.by, group)
        return await behind_of(connection, asked, which, after, limit)


@router.get("/api/funnels/{pipeline}/late", summary="The events that changed a closed report of a funnel")
async def read_late(
    door: TheDoor, holder: Asking, pipeline: str, asked_for: Questioned, after: After = None, limit: Limit = PAGE
) -> LateList:
    holder.must(READ, "read funnels")
    now, grace = await door.clock.now(), timedelta(hours=door.settings.funnel_grace_hours)
    async with door.pool.acquire() as connection:
        known, version = await current_pipeline(connection, pipeline)
        asked = await asked_of(connection, known, version, asked_for, ZoneInfo(door.settings.time_zone))
        return await late_of(connection, asked, now, grace, after, limit)
