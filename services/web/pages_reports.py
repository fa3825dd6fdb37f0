"""Reports for heads: response times, people × stages, quality control, the quality of a card (S2, S6, Q5, Q11).

Invariants: the whole question is in the address; times counted in working time name the version of the calendar.
"""

from __future__ import annotations

from typing import Annotated, get_args
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from projections.response.arrival import STEPS
from projections.response.reading import ArrivalsWanted
from projections.response.times import By
from services.web import store
from services.web.door import TheDoor, current_pipeline
from services.web.pages import Visiting, render
from services.web.pipelines_in_force import of_deals
from services.web.reading_reports import (
    CARD_DAYS,
    card_report,
    people_stages,
    period_of,
    response_times,
    reviews_of,
)
from services.web.tokens import OPERATE

WAYS: tuple[By, ...] = get_args(By)

router = APIRouter()

Text = Annotated[str, Query(max_length=100)]
Start = Annotated[str, Query(alias="from", max_length=40)]
End = Annotated[str, Query(alias="to", max_length=40)]


@router.get("/reports")
async def reports_page(request: Request, door: TheDoor, visitor: Visiting) -> HTMLResponse:
    """What reports there are."""
    visitor.holder.must(OPERATE, "read reports")
    return render(request, visitor, "reports.html", pipeline=door.settings.default_pipeline)


@router.get("/reports/response-times")
async def response_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    by: Text = "source",
    pipeline: Text = "",
    source: Text = "",
    person: Text = "",
    start: Start = "",
    end: End = "",
) -> HTMLResponse:
    """S2: arrival to seen, accepted, first contact. An unknown `by` is as none."""
    visitor.holder.must(OPERATE, "read reports")
    period = period_of(start, end, ZoneInfo(door.settings.time_zone), await door.clock.now())
    wanted = ArrivalsWanted(period.since, period.until, pipeline or None, source or None, person or None)
    async with door.pool.acquire() as connection:
        report = await response_times(connection, wanted, by if by in WAYS else None)
        pipelines = await store.pipelines(connection)
    return render(
        request,
        visitor,
        "report_response.html",
        report=report,
        period=period,
        ways=WAYS,
        steps=STEPS,
        pipelines=pipelines,
        asked={"by": by, "pipeline": pipeline, "source": source, "person": person},
    )


@router.get("/reports/people-stages")
async def people_stages_page(request: Request, door: TheDoor, visitor: Visiting, pipeline: Text = "") -> HTMLResponse:
    """S6: whose leads stand in which stage, the stages nearest to the decision first; each number opens those leads."""
    visitor.holder.must(OPERATE, "see people and stages")
    async with door.pool.acquire() as connection:
        known, _ = await current_pipeline(connection, pipeline or door.settings.default_pipeline)
        visitor = visitor.about(await of_deals(connection, known.pipeline))
        report = await people_stages(connection, known)
        pipelines = await store.pipelines(connection)
    now = await door.clock.now()
    return render(request, visitor, "report_people.html", report=report, pipelines=pipelines, now=now)


@router.get("/reports/reviews")
async def reviews_page(
    request: Request, door: TheDoor, visitor: Visiting, pipeline: Text = "", start: Start = "", end: End = ""
) -> HTMLResponse:
    """Q5: how leads made poor were judged, by person."""
    visitor.holder.must(OPERATE, "read reports")
    period = period_of(start, end, ZoneInfo(door.settings.time_zone), await door.clock.now())
    async with door.pool.acquire() as connection:
        report = await reviews_of(connection, period, pipeline or None)
        pipelines = await store.pipelines(connection)
    return render(
        request, visitor, "report_reviews.html", report=report, period=period, pipelines=pipelines, pipeline=pipeline
    )


@router.get("/reports/card")
async def default_card(door: TheDoor) -> Response:
    """The default pipeline's card."""
    return RedirectResponse(f"/reports/card/{door.settings.default_pipeline}", 303)


@router.get("/reports/card/{pipeline}")
async def card_page(
    request: Request, door: TheDoor, visitor: Visiting, pipeline: str, start: Start = "", end: End = ""
) -> HTMLResponse:
    """Q11: fill rates, time to fill, declined answers, what clients think, what nothing uses."""
    visitor.holder.must(OPERATE, "read reports")
    period = period_of(start, end, ZoneInfo(door.settings.time_zone), await door.clock.now(), CARD_DAYS)
    async with door.pool.acquire() as connection:
        known, _ = await current_pipeline(connection, pipeline)
        report = await card_report(connection, known, period)
        pipelines = await store.pipelines(connection)
    return render(request, visitor, "report_card.html", report=report, period=period, pipelines=pipelines)
