"""The funnel's pages: a picture, a table whose every number opens what it counts, that list, and what became known late
(spec U, M9, C5, M1).

Invariants: everything works without JavaScript; the whole question is in the address; the picture is drawn here, as SVG without
styles of its own, and says nothing that the table does not say in numbers.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from contracts.pipeline import Pipeline, Titles
from projections.funnel.behind.store import Which
from projections.funnel.projection import HOW
from services.web import store
from services.web.api_funnels import PAGE
from services.web.door import TheDoor, current_pipeline
from services.web.pages import Visiting, render
from services.web.pipelines_in_force import of_deals
from services.web.reading_funnel import Question, asked_of, behind_of, funnel_of, late_of
from services.web.shapes_funnel import FunnelGroup

BAR_WIDTH, ROW_HEIGHT, LABEL_WIDTH = 520, 34, 170
"""Measures of the picture, in its own units."""

BASES = ("overridden", "adopted", "imported", "undone")
"""Numbers that stand under a stage's entries where there are any."""

Counting = Literal["visited", "reached"]
"""What the picture shows: the leads that were in a stage, or in it or any later one."""

router = APIRouter()

Text = Annotated[str, Query(max_length=100)]


def question(
    start: Annotated[str, Query(alias="from", max_length=40)] = "",
    end: Annotated[str, Query(alias="to", max_length=40)] = "",
    view: Text = "cohort",
    by: Text = "",
    as_of: Text = "",
    until: Text = "",
    responsible: Text = "",
) -> Question:
    """The question in the address. An unknown view or grouping is as none."""
    return Question(
        "activity" if view == "activity" else "cohort",
        "source" if by == "source" else "responsible" if by == "responsible" else None,
        start,
        end,
        as_of,
        until,
        responsible,
    )


Questioned = Annotated[Question, Depends(question)]


@router.get("/funnels")
async def default_funnel(door: TheDoor, visitor: Visiting) -> Response:
    """The default pipeline's funnel."""
    return RedirectResponse(f"/funnels/{door.settings.default_pipeline}", 303)


@router.get("/funnels/{pipeline}")
async def funnel_page(
    request: Request, door: TheDoor, visitor: Visiting, pipeline: str, asked_for: Questioned, counting: Text = "visited"
) -> HTMLResponse:
    """The page."""
    now, grace = await door.clock.now(), timedelta(hours=door.settings.funnel_grace_hours)
    drawn: Counting = "reached" if counting == "reached" else "visited"
    async with door.pool.acquire() as connection:
        known, number = await current_pipeline(connection, pipeline)
        visitor = visitor.about(await of_deals(connection, known.pipeline))
        asked = await asked_of(connection, known, number, asked_for, ZoneInfo(door.settings.time_zone))
        funnel = await funnel_of(connection, known, number, asked, asked_for, now, grace, f"/funnels/{pipeline}")
        pipelines = await store.pipelines(connection)
    return render(
        request,
        visitor,
        "funnel.html",
        funnel=funnel,
        ways=HOW,
        bases=BASES,
        groups=[funnel.total, *funnel.groups],
        bars=bars(funnel.total, drawn),
        counting=drawn,
        measures={"width": BAR_WIDTH, "row": ROW_HEIGHT, "label": LABEL_WIDTH},
        pipelines=pipelines,
        stage_titles=stage_titles(known),
        reason_titles=reason_titles(known),
        chosen=asked_for,
        address=asked_for.address | ({"by": asked_for.by} if asked_for.by else {}),
    )


@router.get("/funnels/{pipeline}/leads")
async def behind_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    pipeline: str,
    asked_for: Questioned,
    number: Text,
    stage: Annotated[str | None, Query(max_length=60)] = None,
    status: Annotated[str | None, Query(max_length=60)] = None,
    reason: Annotated[str | None, Query(max_length=60)] = None,
    group: Annotated[str | None, Query(max_length=200)] = None,
    after: Annotated[str | None, Query(max_length=300)] = None,
) -> HTMLResponse:
    """What a number counts, page by page."""
    which = Which(number, stage, status, reason, asked_for.by, group)
    async with door.pool.acquire() as connection:
        known, version = await current_pipeline(connection, pipeline)
        visitor = visitor.about(await of_deals(connection, known.pipeline))
        asked = await asked_of(connection, known, version, asked_for, ZoneInfo(door.settings.time_zone))
        found = await behind_of(connection, asked, which, after or None, PAGE)
    said = {"number": number, "stage": stage, "status": status, "reason": reason, "by": asked_for.by}
    link = {**asked_for.address, **{name: value for name, value in said.items() if value}}
    return render(
        request,
        visitor,
        "funnel_leads.html",
        pipeline=known,
        rows=found.items,
        next=found.next,
        number=number,
        stage=known.by_id.get(stage or ""),
        rejected_as=known.by_id.get(status or ""),
        reason=reason_titles(known).get(reason or ""),
        stage_titles=stage_titles(known),
        chosen=asked_for,
        group=group,
        link=link if group is None else {**link, "group": group},
        address=asked_for.address | ({"by": asked_for.by} if asked_for.by else {}),
    )


@router.get("/funnels/{pipeline}/late")
async def late_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    pipeline: str,
    asked_for: Questioned,
    after: Annotated[str | None, Query(max_length=300)] = None,
) -> HTMLResponse:
    """The events that changed a closed report, page by page."""
    now, grace = await door.clock.now(), timedelta(hours=door.settings.funnel_grace_hours)
    async with door.pool.acquire() as connection:
        known, version = await current_pipeline(connection, pipeline)
        visitor = visitor.about(await of_deals(connection, known.pipeline))
        asked = await asked_of(connection, known, version, asked_for, ZoneInfo(door.settings.time_zone))
        found = await late_of(connection, asked, now, grace, after or None, PAGE)
    return render(
        request,
        visitor,
        "funnel_late.html",
        pipeline=known,
        rows=found.items,
        next=found.next,
        chosen=asked_for,
        address=asked_for.address,
    )


def stage_titles(pipeline: Pipeline) -> dict[str, Titles]:
    """Titles of the stages, by id."""
    return {stage.id: stage.titles for stage in pipeline.stages}


def reason_titles(pipeline: Pipeline) -> dict[str, Titles]:
    """Titles of the reasons for losses and pauses, by id."""
    return {reason.id: reason.titles for stage in pipeline.stages for reason in stage.reasons}


def bars(total: FunnelGroup, counting: Counting) -> list[dict[str, object]]:
    """The picture's bars: for each stage on the scale the leads counted so, as long as their part of the largest."""
    stages = [stage for stage in total.stages if stage.stage.kind in ("open", "won")]
    numbers = [stage.reached if counting == "reached" else stage.leads for stage in stages]
    largest = max([total.received.count, *(number.count for number in numbers), 1])
    return [
        {
            "stage": stage.stage,
            "count": number.count,
            "link": number.leads,
            "width": round(BAR_WIDTH * number.count / largest, 1),
            "y": ROW_HEIGHT * n,
        }
        for n, (stage, number) in enumerate(zip(stages, numbers, strict=True))
    ]
