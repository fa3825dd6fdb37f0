"""A pipeline's load and outcome in the days ahead, put together for those who plan (Q10).

Pure. Expected numbers with the bounds that eight of ten weeks lie within, measured on forecasts of the past; by person how much
comes against what they have managed in a week so far. Invariant: people add up to the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Final

from contracts.pipeline import Period, Pipeline, Stage
from projections.forecast.looking_back import LOOKS, Record, bounds, look_back
from projections.forecast.model import Learnt, StageTerms, Visit, known_at, learn, run, standing_at

WORKING_HOURS_A_DAY: Final = 8.0
NOBODY: Final = ""
FEW: Final = 30
"""With fewer visits that ended than this, a forecast rests on the terms of the pipeline more than on what was seen."""


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days ahead, the last week maybe fewer: how many leads are expected to enter a stage, and within which bounds."""

    first: date
    days: int
    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class OfStage:
    """A stage ahead. `now`: how many stand there; `daily`: entries expected on each day; `record`: how forecasts of it did."""

    stage: str
    now: int
    weeks: tuple[Week, ...]
    daily: tuple[float, ...]
    record: Record


@dataclass(frozen=True, slots=True)
class OfPerson:
    """A person ahead: what comes to them in open stages, week by week, against what they have managed. `usual`, `busiest`:
    visits that they ended in a week, of the last eight: the median and the most. `overloaded`: in which week they are to get
    more than in their busiest week; None: in none."""

    person: str
    now: int
    weeks: tuple[float, ...]
    usual: float
    busiest: int
    overloaded: date | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """A pipeline ahead. `won`, `lost`: leads that end so; `amounts`: what those that stand open now are expected to bring, by
    currency; `few`: little has been seen yet, the terms of the pipeline speak for most of it."""

    day: date
    days: int
    stages: tuple[OfStage, ...]
    people: tuple[OfPerson, ...]
    won: tuple[float, float, float]
    """(expected, low, high)"""
    lost: tuple[float, float, float]
    amounts: Mapping[str, float]
    few: bool


def terms_of(pipeline: Pipeline) -> list[StageTerms]:
    """What a pipeline states of its stages: terms in days, and where leads should go next."""
    return [
        StageTerms(stage.id, stage.kind in ("won", "lost"), _term(stage), _next(pipeline, stage))
        for stage in pipeline.stages
    ]


def _term(stage: Stage) -> float | None:
    """The longest of the stage's terms, in days: by then every second lead should have gone on."""
    periods = [within.period for deadline in stage.deadlines for within in deadline.within]
    if stage.limit is not None:
        periods.append(stage.limit.after)
    return max(map(in_days, periods), default=None)


def in_days(period: Period) -> float:
    """A period in days, as exactly as a plan by days needs it: working hours are an eighth of a day, a week has five working
    days."""
    hours = period.hours + period.minutes / 60
    if period.working:
        return period.days * 7 / 5 + hours / WORKING_HOURS_A_DAY * 7 / 5
    return period.months * 30.4 + period.days + hours / 24


def _next(pipeline: Pipeline, stage: Stage) -> tuple[str, ...]:
    if stage.kind != "open":
        return ()
    place = pipeline.place(stage.id) or 0
    onwards = [move.to for move in stage.moves or () if (pipeline.place(move.to) or 0) > place]
    if stage.moves is not None:
        return tuple(onwards)
    following = [other.id for other in pipeline.stages if (pipeline.place(other.id) or 0) == place + 1]
    return tuple(following)


def forecast(
    pipeline: Pipeline,
    visits: Sequence[Visit],
    today: date,
    days: int,
    amounts: Mapping[str, Mapping[tuple[str, date], float]] | None = None,
) -> Forecast:
    """What is expected from tomorrow on, over so many days; who stands where, is as of now."""
    terms, begins = terms_of(pipeline), today + timedelta(days=1)
    learnt = learn(visits, terms, begins, arrivals_before=today)
    standing = standing_at(visits, begins)
    records = look_back(visits, terms, today)
    whole = run(learnt, standing, days)
    kinds = {stage.id: stage.kind for stage in pipeline.stages}
    now: dict[str, int] = {}
    for (stage, _), number in standing.items():
        now[stage] = now.get(stage, 0) + int(number)
    stages = tuple(
        OfStage(
            stage.id,
            now.get(stage.id, 0),
            _weeks(whole.entries[stage.id], begins, records[stage.id].spread),
            tuple(whole.entries[stage.id]),
            records[stage.id],
        )
        for stage in pipeline.stages
    )
    ended = sum(visit.left is not None for visit in known_at(visits, begins))
    return Forecast(
        begins,
        days,
        stages,
        _people(visits, today, days, learnt, kinds),
        _outcome(stages, kinds, "won"),
        _outcome(stages, kinds, "lost"),
        {
            currency: sum(
                run(learnt, sums, days, share=0.0).total(stage) for stage, kind in kinds.items() if kind == "won"
            )
            for currency, sums in sorted((amounts or {}).items())
        },
        ended < FEW,
    )


def _weeks(entries: Sequence[float], today: date, spread: float) -> tuple[Week, ...]:
    weeks = []
    for n in range(0, len(entries), 7):
        part = entries[n : n + 7]
        low, high = bounds(sum(part), spread)
        weeks.append(Week(today + timedelta(days=n), len(part), sum(part), low, high))
    return tuple(weeks)


def _outcome(stages: Sequence[OfStage], kinds: Mapping[str, str], kind: str) -> tuple[float, float, float]:
    ends = [stage for stage in stages if kinds[stage.stage] == kind]
    expected = sum(sum(stage.daily) for stage in ends)
    spread = max((stage.record.spread for stage in ends), default=1.0)
    return (expected, *bounds(expected, spread))


def _people(
    visits: Sequence[Visit], today: date, days: int, learnt: Learnt, kinds: Mapping[str, str]
) -> tuple[OfPerson, ...]:
    begins = learnt.day
    theirs: dict[str | None, list[Visit]] = {}
    for visit in visits:
        theirs.setdefault(visit.responsible, []).append(visit)
    since = today - timedelta(weeks=LOOKS)
    found = []
    for person in sorted(theirs, key=lambda name: name or NOBODY):
        own = theirs[person]
        standing = {place: n for place, n in standing_at(own, begins).items() if kinds.get(place[0]) == "open"}
        share = learnt.shares.get(person, 0.0)
        if not standing and not share:
            continue  # nothing is theirs, and nothing comes to them
        ahead = run(learnt, standing, days, share=share)
        coming = [
            sum(ahead.total(stage, n, 7) for stage, kind in kinds.items() if kind == "open") for n in range(0, days, 7)
        ]
        managed = [0] * LOOKS
        for visit in own:
            if visit.left is not None and since <= visit.left < today and kinds.get(visit.stage) == "open":
                managed[(visit.left - since).days // 7] += 1
        busiest = max(managed)
        over = next((n for n, number in enumerate(coming) if busiest and number > busiest), None)
        found.append(
            OfPerson(
                person or NOBODY,
                int(sum(standing.values())),
                tuple(coming),
                float(median(managed)),
                busiest,
                None if over is None else begins + timedelta(days=7 * over),
            )
        )
    return tuple(found)
