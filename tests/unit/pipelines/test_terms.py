"""Named periods of a pipeline: one setting for what is promised and what keeps the promise (C6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.pipeline import Period, Pipeline
from services.pipelines.automation_words import period_words
from services.pipelines.language import read_pipeline
from services.pipelines.templates.reading import period_in

TEXT = """
pipeline: school
titles: {ru: "Школа", en: "School"}
conversion_point: deal
fields: [{id: lesson, titles: {ru: "Занятие", en: "Lesson"}, type: date}]
terms:
  - {id: soon, titles: {ru: "Скоро", en: "Soon"}, period: {hours: 1, working: true}}
  - {id: long, titles: {ru: "Долго", en: "Long"}, period: {months: 1}}
stages:
  - id: new
    titles: {ru: "Новая", en: "New"}
    kind: open
    limit: {after: long, warn: soon}
    robots:
      - {id: a, titles: {ru: а, en: a}, start: {delay: soon, every: long}, do: {plan: call, text: {ru: а, en: a}, due: soon}}
      - {id: b, titles: {ru: а, en: a}, start: {after: a}, do: {tag: hot}}
      - {id: c, titles: {ru: а, en: a}, start: {date: lesson, before: soon}, do: {tag: hot}}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: later, titles: {ru: "Позже", en: "Later"}, kind: lost, reopen: {seller_after: long}}
"""
SOON, LONG = Period(hours=1, working=True), Period(months=1)


def test_C6_a_name_stands_for_its_period_wherever_a_period_may_stand() -> None:
    read = read_pipeline(TEXT)
    new, later = read.by_id["new"], read.by_id["later"]
    assert new.limit is not None
    assert later.reopen is not None
    assert (new.limit.after, new.limit.warn, later.reopen.seller_after) == (LONG, SOON, LONG)
    assert (new.robots[0].start.delay, new.robots[0].start.every) == (SOON, LONG)
    assert new.robots[0].do.due == SOON  # type: ignore[union-attr]
    assert new.robots[1].start.after == "a", "a robot's name is no term"
    assert new.robots[2].start.before == SOON
    assert Pipeline.model_validate(read.model_dump(mode="json")) == read, "what is kept needs no names any more"


@pytest.mark.parametrize(
    ("period", "ru", "en", "short"),
    [
        ({"hours": 1, "working": True}, "одного рабочего часа", "one working hour", "1 раб. ч"),
        ({"hours": 2, "working": True}, "двух рабочих часов", "two working hours", "2 раб. ч"),
        ({"minutes": 1, "working": True}, "одной рабочей минуты", "one working minute", "1 раб. мин"),
        ({"minutes": 21}, "21 минуты", "21 minutes", "21 мин"),
        ({"hours": 11}, "11 часов", "11 hours", "11 ч"),
        ({"days": 10, "working": True}, "десяти рабочих дней", "ten working days", "10 раб. дн."),
        ({"months": 1, "days": 14}, "одного месяца и 14 дней", "one month and 14 days", "1 мес. 14 дн."),
    ],
)
def test_C6_a_period_in_words_as_a_letter_promises_it(period: dict[str, int], ru: str, en: str, short: str) -> None:
    read = Period.model_validate(period)
    assert (period_in("ru", read), period_in("en", read), period_words(read).ru) == (ru, en, short)


@given(st.builds(lambda d, h, m, w: Period(days=d, hours=h, minutes=m, working=w),
                 st.integers(0, 400), st.integers(0, 30), st.integers(1, 90), st.booleans()))  # fmt: skip
def test_C6_every_part_of_a_period_is_in_its_words(period: Period) -> None:
    for language in ("ru", "en"):
        words = period_in(language, period)  # type: ignore[arg-type]
        parts = sum(bool(part) for part in (period.days, period.hours, period.minutes))
        assert words.count(" и " if language == "ru" else " and ") == parts - 1
        assert ("рабоч" in words or "working" in words) == period.working
        assert "  " not in words
        assert words == words.strip()
