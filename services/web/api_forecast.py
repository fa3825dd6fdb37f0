"""`/api/reports/forecast/{pipeline}`: what comes to each stage and person, and what will close (Q10)."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query

from services.web.door import Asking, TheDoor, current_pipeline
from services.web.reading_forecast import DAYS, MOST_DAYS, ForecastOut, forecast_of
from services.web.tokens import READ

router = APIRouter(tags=["reports"])


@router.get("/api/reports/forecast/{pipeline}", summary="What comes to each stage and person in the days ahead")
async def read_forecast(
    door: TheDoor,
    holder: Asking,
    pipeline: str,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="How many days ahead")] = DAYS,
) -> ForecastOut:
    holder.must(READ, "read forecasts")
    now, zone = await door.clock.now(), ZoneInfo(door.settings.time_zone)
    async with door.pool.acquire() as connection:
        known, _ = await current_pipeline(connection, pipeline)
        return await forecast_of(connection, known, now, zone, days)
