"""A team's working time against an oracle that steps through minutes (C2, Q3, N22, decision 12)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.calendars.calendar import ROUND_THE_CLOCK, Calendar, NoWorkingTimeError
from services.calendars.months import add_months
from tests.unit.given_calendar import (
    DAY,
    MINUTE,
    MOMENTS,
    MOSCOW,
    OFFICE,
    PEOPLE,
    at,
    calendars,
    hours,
    nights,
    works,
)


@pytest.mark.parametrize(
    ("begin", "minutes", "end"),
    [
        ("2026-04-30 10:00", 60, "2026-04-30 11:00"),
        ("2026-04-30 12:30", 60, "2026-04-30 14:30"),
        ("2026-04-30 12:00", 60, "2026-04-30 13:00"),
        ("2026-04-30 13:30", 60, "2026-04-30 15:00"),
        ("2026-04-30 17:30", 60, "2026-05-02 10:30"),
        ("2026-05-02 13:30", 60, "2026-05-04 09:30"),
        ("2026-04-30 07:00", 0, "2026-04-30 09:00"),
        ("2026-04-30 18:00", 0, "2026-05-02 10:00"),
        ("2026-04-30 03:00", 16 * 60, "2026-05-04 13:00"),
    ],
)
def test_Q3_a_term_in_working_time(begin: str, minutes: int, end: str) -> None:
    assert MOSCOW.after(at(begin), timedelta(minutes=minutes)) == at(end)


@pytest.mark.parametrize(
    ("begin", "days", "end"),
    [
        ("2026-04-29 10:00", 2, "2026-05-02 10:00"),
        ("2026-04-29 17:00", 2, "2026-05-04 09:00"),
        ("2026-05-03 12:00", 1, "2026-05-05 09:00"),  # begun on Sunday: on Monday morning
        ("2026-05-02 20:00", 1, "2026-05-05 09:00"),
        ("2026-05-04 18:00", 1, "2026-05-05 18:00"),
        ("2026-04-30 12:00", 0, "2026-04-30 12:00"),
        ("2026-04-30 13:30", 0, "2026-04-30 14:00"),
    ],
)
def test_R1_working_days_keep_the_time_of_day(begin: str, days: int, end: str) -> None:
    assert MOSCOW.working_days_after(at(begin), days) == at(end)


@pytest.mark.parametrize(
    ("begin", "months", "end"),
    [
        ("2026-01-30 12:00", 1, "2026-03-02 09:00"),  # 28 February is a Saturday
        ("2028-01-31 12:00", 1, "2028-02-29 12:00"),
        ("2026-04-01 12:00", 1, "2026-05-02 10:00"),  # 1 May is a holiday
        ("2026-03-15 12:00", 1, "2026-04-15 12:00"),
    ],
)
def test_C2_a_calendar_month_and_a_day_off_moves_to_the_next_working_morning(begin: str, months: int, end: str) -> None:
    assert MOSCOW.months_after(at(begin), months) == at(end)


@pytest.mark.parametrize(
    ("end", "minutes", "begin"),
    [
        ("2026-04-30 11:00", 60, "2026-04-30 10:00"),
        ("2026-04-30 14:30", 60, "2026-04-30 12:30"),
        ("2026-04-30 15:00", 60, "2026-04-30 14:00"),
        ("2026-05-02 10:30", 60, "2026-04-30 17:30"),
        ("2026-05-04 10:00", 60, "2026-05-04 09:00"),
        ("2026-05-04 08:00", 60, "2026-05-02 13:00"),
        ("2026-05-04 09:00", 0, "2026-05-02 14:00"),
        ("2026-04-30 12:00", 0, "2026-04-30 12:00"),
    ],
)
def test_R1_working_time_before_a_moment(end: str, minutes: int, begin: str) -> None:
    assert MOSCOW.before(at(end), timedelta(minutes=minutes)) == at(begin)


@pytest.mark.parametrize(
    ("end", "days", "begin"),
    [
        ("2026-05-04 10:00", 2, "2026-04-30 10:00"),
        ("2026-05-04 12:00", 1, "2026-05-02 12:00"),
        ("2026-05-04 17:00", 1, "2026-05-02 14:00"),
        ("2026-05-05 13:30", 1, "2026-05-04 13:00"),
        ("2026-05-04 09:00", 1, "2026-04-30 18:00"),  # Saturday begins at ten
        ("2026-05-05 09:00", 1, "2026-05-04 09:00"),
        ("2026-05-03 12:00", 1, "2026-04-30 14:00"),  # counted from the end of Saturday
        ("2026-04-30 13:30", 0, "2026-04-30 13:00"),
    ],
)
def test_R1_working_days_before_a_moment(end: str, days: int, begin: str) -> None:
    assert MOSCOW.working_days_before(at(end), days) == at(begin)


@pytest.mark.parametrize(
    ("end", "months", "begin"),
    [
        ("2026-06-02 11:30", 1, "2026-05-02 11:30"),
        ("2026-06-01 11:30", 1, "2026-04-30 09:00"),  # 1 May is a holiday
        ("2028-03-31 12:00", 1, "2028-02-29 12:00"),
        ("2026-03-31 12:00", 1, "2026-02-27 09:00"),  # 28 February is a Saturday
    ],
)
def test_R1_a_calendar_month_before_a_moment_is_never_less(end: str, months: int, begin: str) -> None:
    assert MOSCOW.months_before(at(end), months) == at(begin)


def test_Q3_next_working_morning_and_absences() -> None:
    assert MOSCOW.next_working_morning(at("2026-04-30 08:00")) == at("2026-05-02 10:00")
    away = Calendar("sales", 1, MOSCOW.zone, OFFICE, {}, {"anna": ((date(2026, 5, 4), date(2026, 5, 8)),)})
    assert away.after(at("2026-05-01 17:00"), timedelta(hours=2), "anna") == at("2026-05-11 10:00")
    assert away.after(at("2026-05-01 17:00"), timedelta(hours=2), "boris") == at("2026-05-04 10:00")
    assert away.working_between(at("2026-05-04 00:00"), at("2026-05-09 00:00"), "anna") == timedelta()


def test_N22_the_hour_that_clocks_skip_and_the_one_that_comes_twice() -> None:
    night = Calendar("night", 1, ZoneInfo("Europe/Berlin"), tuple([hours("00:00-06:00")] * 7))
    spring, autumn = (at(f"{day} 00:00", "Europe/Berlin") for day in ("2026-03-29", "2026-10-25"))
    assert night.working_between(spring, spring + timedelta(hours=23)) == timedelta(hours=5)
    assert night.working_between(autumn, autumn + timedelta(hours=25)) == timedelta(hours=7)
    assert night.after(spring, timedelta(hours=5)) == at("2026-03-29 06:00", "Europe/Berlin")
    assert night.after(autumn, timedelta(hours=7)) == at("2026-10-25 06:00", "Europe/Berlin")


@pytest.mark.parametrize(
    ("zone", "day", "interval", "minutes"),
    [
        ("Europe/Berlin", "2026-10-25", "01:00-02:15", 60 + 15 + 15),
        ("Europe/Berlin", "2026-10-25", "02:15-04:00", 45 + 45 + 60),
        ("Europe/Berlin", "2026-10-25", "02:15-02:45", 30 + 30),
        ("Europe/Berlin", "2026-03-29", "01:00-02:15", 60),
        ("Europe/Berlin", "2026-03-29", "02:15-04:00", 60),
        ("Europe/Berlin", "2026-03-29", "02:15-02:45", 0),
        ("Australia/Lord_Howe", "2026-04-05", "01:45-02:15", 15 + 15 + 15),
    ],
)
def test_N22_an_interval_that_begins_or_ends_in_a_changed_hour(
    zone: str, day: str, interval: str, minutes: int
) -> None:
    calendar = Calendar("c", 1, ZoneInfo(zone), tuple([hours(interval)] * 7))
    begin = at(f"{day} 00:00", zone)
    counted = sum(works(calendar, begin + MINUTE * n, None) for n in range(20 * 60))
    assert counted == minutes
    assert calendar.working_between(begin, begin + timedelta(hours=20)) == MINUTE * minutes


def test_Q3_a_calendar_without_working_time_says_so() -> None:
    never = Calendar("nobody", 3, ZoneInfo("UTC"), ((),) * 7)
    for ask in (never.next_working, never.next_working_morning):
        with pytest.raises(NoWorkingTimeError, match="nobody@3 has no working time in the two years after"):
            ask(at("2026-05-01 00:00"))
    with pytest.raises(NoWorkingTimeError):
        never.working_days_after(at("2026-05-01 00:00"), 1)
    for back in (
        never.last_working,
        lambda end: never.working_days_before(end, 1),
        lambda e: never.months_before(e, 1),
    ):
        with pytest.raises(NoWorkingTimeError, match="nobody@3 has no working time in the two years before"):
            back(at("2026-05-01 00:00"))


# --- against an oracle that steps through minutes ------------------------------------------------------------------


@given(calendars(), MOMENTS, st.integers(0, 2 * 24 * 60), PEOPLE)
@settings(max_examples=150, deadline=None)
def test_N22_working_time_between_is_what_stepping_counts(
    calendar: Calendar, begin: datetime, minutes: int, person: str | None
) -> None:
    counted = sum(works(calendar, begin + MINUTE * n, person) for n in range(minutes))
    assert calendar.working_between(begin, begin + MINUTE * minutes, person) == MINUTE * counted


@given(calendars(), MOMENTS, st.integers(1, 600), PEOPLE)
@settings(max_examples=150, deadline=None)
def test_N22_a_term_ends_where_stepping_ends(
    calendar: Calendar, begin: datetime, minutes: int, person: str | None
) -> None:
    left, moment, limit = minutes, begin, begin + 14 * DAY
    while left and moment < limit:
        left -= works(calendar, moment, person)
        moment += MINUTE
    assume(not left)
    assert calendar.after(begin, MINUTE * minutes, person) == moment


@given(calendars(), MOMENTS, st.integers(1, 600), PEOPLE)
@settings(max_examples=150, deadline=None)
def test_N22_a_term_begins_where_stepping_back_ends(
    calendar: Calendar, end: datetime, minutes: int, person: str | None
) -> None:
    left, moment, limit = minutes, end, end - 14 * DAY
    while left and moment > limit:
        moment -= MINUTE
        left -= works(calendar, moment, person)
    assume(not left)
    assert calendar.before(end, MINUTE * minutes, person) == moment


@given(nights(), st.integers(1, 240))
@settings(max_examples=150, deadline=None)
def test_N22_terms_over_a_night_in_which_the_clocks_are_changed(night: tuple[Calendar, datetime], minutes: int) -> None:
    calendar, begin = night
    spans = list(calendar.intervals(begin - DAY, begin + DAY))
    assert all(closes <= opens for (_, closes), (opens, _) in pairwise(spans)), "in order, and apart"
    assume(calendar.working_between(begin, begin + 2 * DAY) >= MINUTE * minutes)
    left, moment = minutes, begin
    while left:
        left -= works(calendar, moment, None)
        moment += MINUTE
    assert calendar.after(begin, MINUTE * minutes) == moment
    assume(calendar.working_between(begin - 2 * DAY, begin) >= MINUTE * minutes)
    left, moment = minutes, begin
    while left:
        moment -= MINUTE
        left -= works(calendar, moment, None)
    assert calendar.before(begin, MINUTE * minutes) == moment


def test_N22_intervals_that_take_turns_in_the_hour_that_comes_twice() -> None:
    night = Calendar("night", 1, ZoneInfo("Europe/Berlin"), (hours("01:00-02:15", "02:30-04:00"),) * 7)
    begin = at("2026-10-25 01:00", "Europe/Berlin")
    assert night.after(begin, MINUTE * 100) == begin + MINUTE * 115
    assert night.before(begin + MINUTE * 115, MINUTE * 100) == begin


@given(calendars(), MOMENTS, st.integers(1, 600), PEOPLE)
@settings(max_examples=150, deadline=None)
def test_R1_before_is_the_inverse_of_after_within_working_time(
    calendar: Calendar, moment: datetime, minutes: int, person: str | None
) -> None:
    assume(any(calendar.week))
    begin = calendar.next_working(moment, person)
    assert calendar.before(calendar.after(begin, MINUTE * minutes, person), MINUTE * minutes, person) == begin
    end = calendar.last_working(moment, person)
    assert calendar.after(calendar.before(end, MINUTE * minutes, person), MINUTE * minutes, person) == end


@given(calendars(), MOMENTS, st.integers(0, 600), st.integers(0, 600), st.integers(0, 2_000))
@settings(max_examples=150, deadline=None)
def test_R1_working_time_before_a_moment_is_monotone_and_adds_up(
    calendar: Calendar, end: datetime, some: int, more: int, later: int
) -> None:
    assume(any(calendar.week))
    last = calendar.before(end, MINUTE * some)
    both = calendar.before(end, MINUTE * (some + more))
    assert both <= last <= end
    assert last <= calendar.before(end + MINUTE * later, MINUTE * some)
    assert calendar.working_between(last, end) == MINUTE * some
    if more:
        assert calendar.before(last, MINUTE * more) == both


@given(calendars(), MOMENTS, st.integers(0, 8), PEOPLE)
@settings(max_examples=150, deadline=None)
def test_R1_working_days_before_are_as_many_as_those_after_and_lead_back(
    calendar: Calendar, moment: datetime, days: int, person: str | None
) -> None:
    assume(any(calendar.week))
    earlier = calendar.working_days_before(moment, days, person)
    first, last = calendar.local(earlier).date(), calendar.local(moment).date()
    between = [first + DAY * n for n in range((last - first).days)]
    assert earlier <= moment
    assert sum(calendar.is_working_day(day, person) for day in between) >= days
    same_time = calendar.local(earlier).time() == calendar.local(moment).time()
    if (
        same_time and (last - first).days and calendar.is_working_day(last, person)
    ):  # else it leads to the next one that is
        begun = calendar.working_days_after(earlier, days, person)
        assert begun == moment or calendar.local(moment).fold, "the same time of day on both: there and back"


@given(MOMENTS, st.integers(0, 3_000))
def test_P4_round_the_clock_every_minute_is_worked(moment: datetime, minutes: int) -> None:
    assert ROUND_THE_CLOCK.after(moment, MINUTE * minutes) == moment + MINUTE * minutes
    assert ROUND_THE_CLOCK.before(moment, MINUTE * minutes) == moment - MINUTE * minutes


@given(calendars(), MOMENTS, st.integers(0, 600), st.integers(0, 600))
@settings(max_examples=150, deadline=None)
def test_Q3_a_longer_term_never_ends_earlier_and_terms_add_up(
    calendar: Calendar, begin: datetime, some: int, more: int
) -> None:
    assume(any(calendar.week))
    first = calendar.after(begin, MINUTE * some)
    both = calendar.after(begin, MINUTE * (some + more))
    assert begin <= first <= both
    assert calendar.working_between(begin, both) >= MINUTE * (some + more)
    if more:
        assert calendar.after(first, MINUTE * more) == both


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(0, 60))
def test_C2_months_keep_the_day_or_take_the_last_one(day: date, months: int) -> None:
    later = add_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert add_months(later.replace(day=1), -months) == day.replace(day=1)
    assert later.day == day.day or (later + DAY).month != later.month
