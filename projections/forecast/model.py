"""How leads go on from day to day: learnt from the stage visits of the past and the terms of the pipeline, and run ahead (Q10).

Pure. A stage keeps a lead for a further day with a chance that depends on how long it has been there; where it goes then, on how
often it went there before. Both are counted from visits known at a day's beginning, those still going on included (they tell that
a lead stays at least that long), and drawn towards what the pipeline states where little has been seen: a stage with a term is
left within it by every second lead. New leads come as they came in the last eight weeks, by weekday. Everything is expected
numbers: the model is linear, so people add up to the whole. Invariants: nothing is lost on the way: what is in the stages and
what comes equals what is there at the end and what left; a forecast as of a day depends on nothing later.
Sources: hazards with censoring as of Kaplan and Meier (1958), in days; the spread around it is measured on forecasts of the past
(`projections.forecast.looking_back`), not assumed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

LONGEST: Final = 90
"""Days in a stage that are told apart; beyond, a lead leaves with the chance it has then."""
SEEN_IN_TERMS: Final = 4.0
"""How many leads' worth the terms of the pipeline count beside what has been seen."""
WEEKS: Final = 8
"""Over how many weeks arrivals are averaged."""
ROUNDS: Final = 30
"""How often a lead may change its stage on one day, at most."""
GONE: Final = ""
"""Where a lead is that stands in no stage of the pipeline any more: merged, or handed to another one."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A stage visit in days of the team's calendar. `left` None: it is there still; `first`: the lead came with it."""

    stage: str
    entered: date
    left: date | None = None
    to: str | None = None
    responsible: str | None = None
    first: bool = False


@dataclass(frozen=True, slots=True)
class StageTerms:
    """What the pipeline says of a stage. `days`: by when it should be left, None where it says nothing; `next`: where its leads
    should go; `closed`: its leads stay, unless they were seen to come back."""

    id: str
    closed: bool
    days: float | None = None
    next: tuple[str, ...] = ()


@dataclass(frozen=True)
class Learnt:
    """What was learnt by the beginning of `day`. `hazards`: by stage, the chance to leave by days there; `goes`: where to, as
    shares; `arrivals`: new leads a day, by weekday; `begins`: in which stage they begin, as shares."""

    day: date
    hazards: Mapping[str, Sequence[float]]
    goes: Mapping[str, Mapping[str, float]]
    arrivals: Sequence[float]
    begins: Mapping[str, float]
    shares: Mapping[str | None, float] = field(default_factory=dict)
    """Whose the new leads are, as shares."""


def known_at(visits: Iterable[Visit], day: date) -> list[Visit]:
    """The visits as they were known when the day began."""
    known = []
    for visit in visits:
        if visit.entered >= day:
            continue
        if visit.left is not None and visit.left >= day:
            visit = Visit(visit.stage, visit.entered, None, None, visit.responsible, visit.first)
        known.append(visit)
    return known


def learn(
    visits: Sequence[Visit], stages: Sequence[StageTerms], day: date, *, arrivals_before: date | None = None
) -> Learnt:
    """What the visits known at the beginning of a day, and the terms, say of the days ahead. `arrivals_before`: new leads are
    counted up to here, where the day before `day` is not over yet."""
    at_risk: dict[str, list[float]] = {stage.id: [0.0] * (LONGEST + 1) for stage in stages}
    ended: dict[str, list[float]] = {stage.id: [0.0] * (LONGEST + 1) for stage in stages}
    went: dict[str, dict[str, float]] = {stage.id: defaultdict(float) for stage in stages}
    for visit in known_at(visits, day):
        if visit.stage not in at_risk:
            continue  # a stage of an older version
        # One that is there when the day begins has stayed through every day before: that it will leave today is not known.
        over = (visit.left or day) - visit.entered
        stayed = min(over.days, LONGEST + 1)
        for n in range(stayed):
            at_risk[visit.stage][n] += 1
        if visit.left is not None:
            n = min(stayed, LONGEST)
            at_risk[visit.stage][n] += 1
            ended[visit.stage][n] += 1
            went[visit.stage][visit.to if visit.to in at_risk else GONE] += 1
    hazards, goes = {}, {}
    for stage in stages:
        risk, over_ = at_risk[stage.id], ended[stage.id]
        usual = _usual(stage, sum(risk), sum(over_))
        weight = 0.0 if stage.closed else SEEN_IN_TERMS
        hazards[stage.id] = [
            (e + weight * usual) / (r + weight) if r + weight else 0.0 for r, e in zip(risk, over_, strict=True)
        ]
        goes[stage.id] = _shares(went[stage.id], stage.next)
    return Learnt(day, hazards, goes, *_arrivals(visits, arrivals_before or day))


def _usual(stage: StageTerms, risk: float, ended: float) -> float:
    """The chance to leave on a day of which nothing has been seen: by the stage's term, else as on all its other days."""
    if stage.days is not None:
        return float(1.0 - 0.5 ** (1.0 / max(stage.days, 0.5)))
    return (ended + 1.0) / (risk + 7.0)  # once a week, until more is seen


def _shares(went: Mapping[str, float], stated: Sequence[str]) -> dict[str, float]:
    counted = dict(went)
    for stage in stated:
        counted[stage] = counted.get(stage, 0.0) + SEEN_IN_TERMS / 2 / len(stated)
    whole = sum(counted.values())
    return {stage: count / whole for stage, count in sorted(counted.items())} if whole else {}


def _arrivals(visits: Sequence[Visit], day: date) -> tuple[list[float], dict[str, float], dict[str | None, float]]:
    came = [visit for visit in visits if visit.first and visit.entered < day]
    since = max(day - timedelta(weeks=WEEKS), min((visit.entered for visit in came), default=day))
    lately = [visit for visit in came if visit.entered >= since]
    days = [0] * 7
    for n in range((day - since).days):
        days[(since + timedelta(days=n)).weekday()] += 1
    on = [0] * 7
    for visit in lately:
        on[visit.entered.weekday()] += 1
    mean = len(lately) / max(1, sum(days))
    arrivals = [(count + mean) / (number + 1) if number else mean for count, number in zip(on, days, strict=True)]
    begins: dict[str, float] = defaultdict(float)
    shares: dict[str | None, float] = defaultdict(float)
    for visit in lately:
        begins[visit.stage] += 1 / len(lately)
        shares[visit.responsible] += 1 / len(lately)
    return arrivals, dict(begins), dict(shares)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is expected. `entries`: by stage, leads that enter it on each of the days; `there`: how many stand in each at the end;
    `gone`: how many stand nowhere any more."""

    entries: Mapping[str, Sequence[float]]
    there: Mapping[str, float]
    gone: float

    def total(self, stage: str, first: int = 0, days: int | None = None) -> float:
        """Entries of a stage over days of the forecast."""
        row = self.entries.get(stage, ())
        return float(sum(row[first : None if days is None else first + days]))


def run(learnt: Learnt, standing: Mapping[tuple[str, date], float], days: int, *, share: float = 1.0) -> Ahead:
    """The days ahead. `standing`: how many leads stand in a stage since a day; `share`: of the new leads, how large a part comes
    to these."""
    stages = list(learnt.hazards)
    there: dict[str, list[float]] = {stage: [0.0] * (LONGEST + 1) for stage in stages}
    entries: dict[str, list[float]] = {stage: [0.0] * days for stage in stages}
    gone = 0.0
    for (stage, since), number in standing.items():
        if stage in there:
            there[stage][min((learnt.day - since).days, LONGEST)] += number
        else:
            gone += number
    for n in range(days):
        weekday = (learnt.day + timedelta(days=n)).weekday()
        come = {stage: share * learnt.arrivals[weekday] * part for stage, part in learnt.begins.items()}
        for stage in stages:
            row, hazard = there[stage], learnt.hazards[stage]
            left = [count * chance for count, chance in zip(row, hazard, strict=True)]
            stayed = [count - out for count, out in zip(row, left, strict=True)]
            there[stage] = [0.0, *stayed[:-1]]
            there[stage][LONGEST] += stayed[LONGEST]
            gone += _send(learnt, stage, sum(left), come)
        stay: dict[str, float] = defaultdict(float)
        for round_ in range(ROUNDS):
            moved: dict[str, float] = {}
            for stage, number in come.items():
                if stage not in entries:
                    gone += number
                    continue
                entries[stage][n] += number
                on = number * learnt.hazards[stage][0] if round_ < ROUNDS - 1 else 0.0
                stay[stage] += number - on
                gone += _send(learnt, stage, on, moved)
            come = moved
            if not come:
                break
        for stage, number in stay.items():
            there[stage][1] += number
    return Ahead(entries, {stage: sum(row) for stage, row in there.items()}, gone)


def _send(learnt: Learnt, stage: str, number: float, come: dict[str, float]) -> float:
    """Let so many leave a stage; how many of them stand nowhere after it."""
    if number <= 1e-12:
        return number
    goes = learnt.goes[stage]
    if not goes:
        return number
    for to, part in goes.items():
        if to != GONE:
            come[to] = come.get(to, 0.0) + number * part
    return number * goes.get(GONE, 0.0)


def standing_at(visits: Iterable[Visit], day: date) -> dict[tuple[str, date], float]:
    """Who stands where, and since when, at the beginning of a day."""
    found: dict[tuple[str, date], float] = defaultdict(float)
    for visit in known_at(visits, day):
        if visit.left is None:
            found[(visit.stage, visit.entered)] += 1
    return dict(found)
