"""Load and forecast (Q10): what is learnt, what is lost on the way (nothing), and how good it is on a process that is known."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.pipeline import Period
from projections.forecast.forecast import forecast, in_days, terms_of
from projections.forecast.looking_back import bounds, look_back
from projections.forecast.model import GONE, StageTerms, Visit, learn, run, standing_at
from services.pipelines.language import read_pipeline

TODAY = date(2026, 3, 2)
DAY = timedelta(days=1)
STAGES = (
    StageTerms("new", closed=False, next=("work",)),
    StageTerms("work", closed=False, days=5.0, next=("won",)),
    StageTerms("won", closed=True),
    StageTerms("lost", closed=True),
)
PIPELINE = read_pipeline(
    """
pipeline: ahead
titles: {ru: "Прогноз", en: "Forecast"}
conversion_point: won
stages:
  - {id: new, titles: {ru: "Новый", en: "New"}, kind: open}
  - {id: work, titles: {ru: "В работе", en: "In work"}, kind: open, limit: {after: {days: 5}}}
  - {id: won, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: lost, titles: {ru: "Отказ", en: "Lost"}, kind: lost}
"""
)


class Process:
    """A sales process that is known: each day a lead leaves with a chance of its stage's; the oracle of the forecast."""

    LEAVES: ClassVar = {"new": 0.5, "work": 0.15}
    GOES: ClassVar = {"new": [("work", 0.7), ("lost", 0.3)], "work": [("won", 0.4), ("lost", 0.5), ("new", 0.1)]}

    def __init__(self, seed: int, a_day: int = 6) -> None:
        self.random, self.a_day = random.Random(seed), a_day  # noqa: S311 (a process, no secret)
        self.there: list[tuple[str, date, bool, str]] = []
        self.ended: list[Visit] = []
        self.entries: Counter[tuple[str, date]] = Counter()

    def run(self, first: date, days: int) -> None:
        for n in range(days):
            day = first + n * DAY
            here, self.there = self.there, []
            if day.weekday() < 5:
                here += [("new", day, True, self.random.choice(("anna", "boris"))) for _ in range(self.a_day)]
                self.entries[("new", day)] += self.a_day
            for lead in here:
                self._live(lead, day)

    def _live(self, lead: tuple[str, date, bool, str], day: date) -> None:
        stage, since, first, who = lead
        while stage in self.LEAVES and self.random.random() < self.LEAVES[stage]:
            to = self.random.choices(*zip(*self.GOES[stage], strict=True))[0]
            self.ended.append(Visit(stage, since, day, to, who, first))
            self.entries[(to, day)] += 1
            stage, since, first = to, day, False
        self.there.append((stage, since, first, who))

    def visits(self) -> list[Visit]:
        return self.ended + [Visit(stage, since, None, None, who, first) for stage, since, first, who in self.there]


def lived(seed: int, until: date = TODAY, weeks: int = 26) -> Process:
    process = Process(seed)
    process.run(until - timedelta(weeks=weeks), weeks * 7)
    return process


def test_Q10_what_is_expected_is_what_the_process_brings_on_the_average() -> None:
    known = lived(1)
    ahead = run(learn(known.visits(), STAGES, TODAY), standing_at(known.visits(), TODAY), 28)
    brought: Counter[str] = Counter()
    futures = 200
    for seed in range(futures):
        future = Process(1_000 + seed)
        future.there = [(s, since, first, who) for s, since, first, who in known.there]
        future.run(TODAY, 28)
        for (stage, _), number in future.entries.items():
            brought[stage] += number
    for stage in ("new", "work", "won", "lost"):
        assert ahead.total(stage) == pytest.approx(brought[stage] / futures, rel=0.12), stage


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_Q10_nothing_is_lost_on_the_way(seed: int, days: int) -> None:
    known = lived(seed, weeks=4).visits()
    learnt, standing = learn(known, STAGES, TODAY), standing_at(known, TODAY)
    ahead = run(learnt, standing, days)
    came = sum(learnt.arrivals[(TODAY + n * DAY).weekday()] for n in range(days))
    assert sum(standing.values()) + came == pytest.approx(sum(ahead.there.values()) + ahead.gone)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_Q10_a_forecast_as_of_a_day_sees_nothing_later(seed: int) -> None:
    earlier = lived(seed, weeks=6)
    then = learn(earlier.visits(), STAGES, TODAY), standing_at(earlier.visits(), TODAY)
    earlier.run(TODAY, 21)
    assert (learn(earlier.visits(), STAGES, TODAY), standing_at(earlier.visits(), TODAY)) == then


def test_Q10_without_a_past_the_terms_of_the_pipeline_speak() -> None:
    standing = {("work", TODAY): 100.0}
    ahead = run(learn([], STAGES, TODAY), standing, 5)
    assert 100 - ahead.there["work"] == pytest.approx(50, abs=0.5), (
        "every second lead has gone on when the term is over"
    )
    assert ahead.total("won") == pytest.approx(100 - ahead.there["work"])


def test_Q10_leads_still_there_tell_that_they_stay() -> None:
    """Of ten, one left on the second day; nine have been there for twenty: the chance to leave early is a tenth, not one."""
    stayed = [Visit("new", TODAY - 20 * DAY) for _ in range(90)]
    left = [Visit("new", TODAY - 20 * DAY, TODAY - 18 * DAY, "work") for _ in range(10)]
    learnt = learn([*stayed, *left], STAGES, TODAY)
    assert learnt.hazards["new"][2] == pytest.approx(0.1, abs=0.01)
    assert learnt.hazards["new"][10] < 0.01


def test_Q10_leads_that_left_the_pipeline_are_counted_as_gone() -> None:
    left = [Visit("new", TODAY - 3 * DAY, TODAY - 2 * DAY, None) for _ in range(50)]
    learnt = learn(left, STAGES, TODAY)
    assert learnt.goes["new"][GONE] > 0.9
    assert run(learnt, {("new", TODAY - DAY): 10.0}, 5).gone > 0


def test_Q10_forecasts_of_the_past_are_judged_by_what_came() -> None:
    records = look_back(lived(7, weeks=30).visits(), STAGES, TODAY)
    for stage in ("work", "lost"):
        assert len(records[stage].looks) == 8
        assert records[stage].within >= 5, (stage, records[stage])
        assert all(look.first < TODAY for look in records[stage].looks)
    assert look_back([], STAGES, TODAY)["work"].looks == ()


def test_Q10_a_process_that_jumps_is_told_less_surely() -> None:
    """Every second week nothing comes: the spread grows, and with it the bounds."""
    visits = [
        Visit("new", day, None, None, None, True)
        for n in range(26 * 7)
        if ((day := TODAY - (n + 1) * DAY) - date(2020, 1, 6)).days // 7 % 2 == 0
        for _ in range(8)
    ]
    assert look_back(visits, STAGES, TODAY)["new"].spread > 5
    assert bounds(40, 10)[0] < bounds(40, 1)[0] < 40 < bounds(40, 1)[1] < bounds(40, 10)[1]


def test_Q10_people_add_up_and_who_gets_more_than_ever_is_named() -> None:
    known = lived(3).visits()
    seen = forecast(PIPELINE, known, TODAY, 28)
    entries = sum(sum(stage.daily) for stage in seen.stages if stage.stage in ("new", "work"))
    assert sum(sum(person.weeks) for person in seen.people) == pytest.approx(entries)
    assert {person.person for person in seen.people} == {"anna", "boris"}
    flood = [Visit("new", TODAY - DAY, None, None, "anna", True) for _ in range(200)]
    over = {person.person: person.overloaded for person in forecast(PIPELINE, [*known, *flood], TODAY, 28).people}
    assert over["anna"] == TODAY + DAY


def test_Q10_who_came_today_stands_there_already_and_today_is_no_whole_day_of_arrivals() -> None:
    known = lived(9).visits()
    today = [Visit("new", TODAY, None, None, "anna", True) for _ in range(3)]
    before, after = forecast(PIPELINE, known, TODAY, 7), forecast(PIPELINE, [*known, *today], TODAY, 7)
    assert after.day == TODAY + DAY
    assert after.stages[0].now == before.stages[0].now + 3
    expected = sum(before.stages[0].daily)  # of the three a few will come back to the stage
    assert sum(after.stages[0].daily) == pytest.approx(expected, abs=0.5), "as many new ones are expected"


def test_Q10_what_will_close_is_told_with_its_bounds_and_amounts() -> None:
    known = lived(5).visits()
    amounts = {"RUB": {("work", TODAY - DAY): 1_000_000.0}}
    seen = forecast(PIPELINE, known, TODAY, 28, amounts)
    expected, low, high = seen.won
    assert low < expected < high
    assert 250_000 < seen.amounts["RUB"] < 500_000, "of leads in work four of ten are won in the end"
    assert not seen.few
    assert forecast(PIPELINE, known[:5], TODAY, 7).few


def test_Q10_terms_are_counted_in_days() -> None:
    assert in_days(Period(hours=4, working=True)) == pytest.approx(0.7)
    assert in_days(Period(days=5, working=True)) == 7
    assert in_days(Period(days=2, hours=12)) == 2.5
    assert {terms.id: (terms.days, terms.next) for terms in terms_of(PIPELINE)} == {
        "new": (None, ("work",)),
        "work": (5.0, ("won",)),
        "won": (None, ()),
        "lost": (None, ()),
    }
