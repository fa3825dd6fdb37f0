"""The forecast's question and its answer, as the API gives it and the page shows it (Q10).

Invariants: what is given is expected, never promised: each number of a week comes with its bounds, and each stage with how
forecasts of the past did; days are those of the company's time zone."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from contracts.pipeline import Pipeline, Titles
from projections.forecast import store
from projections.forecast.forecast import Forecast, OfPerson, OfStage, forecast
from services.database import Database
from services.web.shapes import StageOut, stage_out

DAYS, MOST_DAYS = 28, 84


class WeekOut(BaseModel):
    """Seven days ahead: how many leads are expected to enter the stage; of ten such weeks eight lie within `low` and `high`."""

    first: date
    days: int
    expected: float
    low: float
    high: float


class LookOut(BaseModel):
    """A week of the past, forecast again from what was known then, and what came."""

    first: date
    expected: float
    low: float
    high: float
    came: int
    within: bool


class StageAhead(BaseModel):
    """A stage ahead. `spread`: variance of what came in the past as a multiple of what was expected; 1 is chance alone."""

    stage: StageOut
    now: int
    weeks: list[WeekOut]
    daily: list[float]
    spread: float
    past: list[LookOut]


class PersonAhead(BaseModel):
    """A person ahead: what comes to them in each week, what they usually end in a week, and the most they did. `overloaded`: the
    first week that brings more than that."""

    person: str
    now: int
    weeks: list[float]
    usual: float
    busiest: int
    overloaded: date | None


class Expected(BaseModel):
    """How many, and within which bounds."""

    expected: float
    low: float
    high: float


class ForecastOut(BaseModel):
    """What is expected of a pipeline. `few`: little has been seen yet, its terms speak for most of it."""

    pipeline: str
    titles: Titles
    day: date
    days: int
    stages: list[StageAhead]
    people: list[PersonAhead]
    won: Expected
    lost: Expected
    amounts: dict[str, float]
    few: bool
    made_at: datetime


async def forecast_of(
    connection: Database, pipeline: Pipeline, now: datetime, zone: ZoneInfo, days: int
) -> ForecastOut:
    """The forecast from tomorrow on. The reckoning leaves the loop alone: it takes up to some seconds."""
    visits = await store.visits(connection, pipeline.pipeline, now, str(zone))
    amounts = await store.amounts(connection, pipeline.pipeline, now, str(zone))
    today = now.astimezone(zone).date()
    seen = await asyncio.to_thread(forecast, pipeline, visits, today, days, amounts)
    return _out(pipeline, seen, now)


def _out(pipeline: Pipeline, seen: Forecast, now: datetime) -> ForecastOut:
    return ForecastOut(
        pipeline=pipeline.pipeline,
        titles=pipeline.titles,
        day=seen.day,
        days=seen.days,
        stages=[_stage(pipeline, stage) for stage in seen.stages],
        people=[_person(person) for person in seen.people],
        won=_expected(seen.won),
        lost=_expected(seen.lost),
        amounts={currency: round(amount, 2) for currency, amount in seen.amounts.items()},
        few=seen.few,
        made_at=now,
    )


def _stage(pipeline: Pipeline, seen: OfStage) -> StageAhead:
    return StageAhead(
        stage=stage_out(pipeline, seen.stage),
        now=seen.now,
        weeks=[
            WeekOut(first=week.first, days=week.days, expected=round(week.expected, 1), low=week.low, high=week.high)
            for week in seen.weeks
        ],
        daily=[round(number, 2) for number in seen.daily],
        spread=round(seen.record.spread, 2),
        past=[
            LookOut(
                first=look.first,
                expected=round(look.expected, 1),
                low=look.low,
                high=look.high,
                came=look.came,
                within=look.within,
            )
            for look in seen.record.looks
        ],
    )


def _person(seen: OfPerson) -> PersonAhead:
    return PersonAhead(
        person=seen.person,
        now=seen.now,
        weeks=[round(number, 1) for number in seen.weeks],
        usual=seen.usual,
        busiest=seen.busiest,
        overloaded=seen.overloaded,
    )


def _expected(found: tuple[float, float, float]) -> Expected:
    return Expected(expected=round(found[0], 1), low=found[1], high=found[2])
