"""How forecasts of the past did: each made of what was known then, held against what came; from that, how far one is off (Q10).
Pure.

Invariants: a forecast of the past sees nothing later; the spread that judges one of them is measured on the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from typing import Final

from projections.forecast.model import StageTerms, Visit, learn, run, standing_at

LOOKS: Final = 8
"""How many weeks of the past are forecast again."""
FEWEST: Final = 2
"""Forecasts of the past with less than this many are no measure of the spread."""
Z80: Final = 1.2815515655446004
"""Eight of ten lie within so many standard deviations (normal distribution)."""


@dataclass(frozen=True, slots=True)
class Look:
    """A week of the past: what was expected of a stage, within which bounds, and what came."""

    first: date
    expected: float
    low: float
    high: float
    came: int

    @property
    def within(self) -> bool:
        """Whether it came as expected."""
        return self.low <= self.came <= self.high


@dataclass(frozen=True, slots=True)
class Record:
    """How forecasts of a stage did. `spread`: the variance of what comes, as a multiple of what is expected; 1 is chance
    alone."""

    spread: float
    looks: tuple[Look, ...]

    @property
    def within(self) -> int:
        """How many came as expected; of ten it should be eight."""
        return sum(look.within for look in self.looks)


def bounds(expected: float, spread: float) -> tuple[float, float]:
    """Between which eight of ten lie, in whole leads."""
    wide = Z80 * sqrt(max(spread * expected, 0.0))
    low, high = max(0.0, expected - wide), expected + wide
    return float(int(low)), float(-int(-high // 1))


def look_back(visits: Sequence[Visit], stages: Sequence[StageTerms], today: date) -> dict[str, Record]:
    """For each stage: the weeks before `today` that were begun with at least as many weeks of visits before them, forecast
    again."""
    begun = min((visit.entered for visit in visits), default=today)
    weeks = [today - timedelta(weeks=n) for n in range(LOOKS, 0, -1)]
    weeks = [first for first in weeks if (first - begun).days >= 14]
    pairs: dict[str, list[tuple[date, float, int]]] = {stage.id: [] for stage in stages}
    for first in weeks:
        ahead = run(learn(visits, stages, first), standing_at(visits, first), 7)
        came = _entries(visits, first, first + timedelta(days=7))
        for stage in stages:
            pairs[stage.id].append((first, ahead.total(stage.id), came.get(stage.id, 0)))
    return {stage: _record(found) for stage, found in pairs.items()}


def _entries(visits: Sequence[Visit], first: date, beyond: date) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for visit in visits:
        if first <= visit.entered < beyond:
            found[visit.stage] = found.get(visit.stage, 0) + 1
    return found


def _record(found: Sequence[tuple[date, float, int]]) -> Record:
    looks = []
    for n, (first, expected, came) in enumerate(found):
        others = [(e, c) for m, (_, e, c) in enumerate(found) if m != n]
        low, high = bounds(expected, _spread(others))
        looks.append(Look(first, expected, low, high, came))
    return Record(_spread([(e, c) for _, e, c in found]), tuple(looks))


def _spread(pairs: Sequence[tuple[float, int]]) -> float:
    if len(pairs) < FEWEST:
        return 1.0
    return max(1.0, sum((came - expected) ** 2 / max(expected, 0.5) for expected, came in pairs) / len(pairs))
