"""The forecast's page: what comes, to whom, what will close, and how such forecasts did (Q10, spec U).

Invariants: everything works without JavaScript; the picture is drawn as SVG and says nothing that the table does not say in
numbers."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.web import store
from services.web.door import TheDoor, current_pipeline
from services.web.pages import Visiting, render
from services.web.pipelines_in_force import of_deals
from services.web.reading_forecast import DAYS, MOST_DAYS, StageAhead, forecast_of

BAR_WIDTH, ROW_HEIGHT, LABEL_WIDTH = 500, 34, 200
"""Measures of the picture, in its own units, as of the funnel's."""

router = APIRouter()


@router.get("/forecast")
async def default_forecast(door: TheDoor, visitor: Visiting) -> Response:
    """The default pipeline's forecast."""
    return RedirectResponse(f"/forecast/{door.settings.default_pipeline}", 303)


@router.get("/forecast/{pipeline}")
async def forecast_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    pipeline: str,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = DAYS,
) -> HTMLResponse:
    """The page."""
    now, zone = await door.clock.now(), ZoneInfo(door.settings.time_zone)
    async with door.pool.acquire() as connection:
        known, _ = await current_pipeline(connection, pipeline)
        visitor = visitor.about(await of_deals(connection, known.pipeline))
        seen = await forecast_of(connection, known, now, zone, days)
        pipelines = await store.pipelines(connection)
    return render(
        request,
        visitor,
        "forecast.html",
        seen=seen,
        bars=bars(seen.stages),
        lengths=(7, 28, 84),
        measures={"width": BAR_WIDTH, "row": ROW_HEIGHT, "label": LABEL_WIDTH},
        pipelines=pipelines,
    )


def bars(stages: list[StageAhead]) -> list[dict[str, object]]:
    """The picture's bars: what the first week brings to each stage on the scale, and the bounds as a line over it."""
    drawn = [stage for stage in stages if stage.stage.kind in ("open", "won") and stage.weeks]
    largest = max([*(stage.weeks[0].high for stage in drawn), 1.0])
    return [
        {
            "stage": stage.stage,
            "week": stage.weeks[0],
            "width": round(BAR_WIDTH * stage.weeks[0].expected / largest, 1),
            "low": round(BAR_WIDTH * stage.weeks[0].low / largest, 1),
            "high": round(BAR_WIDTH * stage.weeks[0].high / largest, 1),
            "y": ROW_HEIGHT * n,
        }
        for n, stage in enumerate(drawn)
    ]
