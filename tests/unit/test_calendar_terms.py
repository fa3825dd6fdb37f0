"""Terms of a pipeline on a team's calendar: order of the parts, plain and working time, and back again (C2, Q3, R1, P4)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contracts.pipeline import Period
from services.calendars.calendar import ROUND_THE_CLOCK, Calendar, NoWorkingTimeError
from services.calendars.terms import before, due, in_hours, working_left
from tests.unit.given_calendar import MINUTE, MOMENTS, MOSCOW, OFFICE, PEOPLE, at, calendars

BERLIN = Calendar("sales", 1, ZoneInfo("Europe/Berlin"), OFFICE)


def period(**parts: int | bool) -> Period:
    """A period by its parts."""
    return Period.model_validate(parts)


@pytest.mark.parametrize(
    ("begin", "parts", "end"),
    [
        ("2026-04-30 17:30", {"hours": 1, "working": True}, "2026-05-02 10:30"),
        ("2026-04-30 17:30", {"hours": 1, "minutes": 30, "working": True}, "2026-05-02 11:00"),
        ("2026-04-30 17:30", {"hours": 1}, "2026-04-30 18:30"),
        ("2026-04-29 10:00", {"days": 2, "working": True}, "2026-05-02 10:00"),
        ("2026-04-29 17:00", {"days": 1, "hours": 2, "working": True}, "2026-05-02 11:00"),
        ("2026-04-29 10:00", {"days": 2}, "2026-05-01 10:00"),
        ("2026-04-01 12:00", {"months": 1}, "2026-05-02 10:00"),
        ("2026-04-01 12:00", {"months": 1, "days": 1, "hours": 1}, "2026-05-03 11:00"),
        ("2028-01-31 12:00", {"months": 1}, "2028-02-29 12:00"),
        ("2028-01-31 12:00", {"months": 1, "days": 1}, "2028-03-01 12:00"),
    ],
)
def test_C2_a_period_is_added_months_first_then_days_then_hours(begin: str, parts: dict[str, int], end: str) -> None:
    assert due(at(begin), period(**parts), MOSCOW) == at(end)


@pytest.mark.parametrize(
    ("moment", "parts", "begin"),
    [
        ("2026-05-04 11:00", {"days": 2}, "2026-05-02 11:00"),
        ("2026-05-04 11:00", {"days": 2, "working": True}, "2026-04-30 11:00"),
        ("2026-05-04 11:00", {"hours": 3, "working": True}, "2026-05-02 13:00"),
        ("2026-05-04 11:00", {"days": 1, "hours": 3, "working": True}, "2026-04-30 13:00"),
        ("2026-05-04 11:00", {"hours": 3}, "2026-05-04 08:00"),
        ("2026-06-01 11:00", {"months": 1}, "2026-04-30 09:00"),
        ("2026-06-03 12:00", {"months": 1, "days": 1, "hours": 1}, "2026-05-02 11:00"),
    ],
)
def test_R1_a_period_before_a_date_is_taken_off_hours_first(moment: str, parts: dict[str, int], begin: str) -> None:
    assert before(at(moment), period(**parts), MOSCOW) == at(begin)


@pytest.mark.parametrize(
    ("begin", "parts", "end"),
    [
        ("2026-03-28 12:00", {"days": 1}, "2026-03-29 12:00"),
        ("2026-03-28 12:00", {"hours": 24}, "2026-03-29 13:00"),
        ("2026-10-24 12:00", {"days": 1}, "2026-10-25 12:00"),
        ("2026-10-24 12:00", {"hours": 24}, "2026-10-25 11:00"),
        ("2026-03-28 02:30", {"days": 1}, "2026-03-29 03:00"),  # there is no 02:30 on that day
        ("2026-03-27 12:00", {"days": 1, "working": True}, "2026-03-30 12:00"),
    ],
)
def test_N22_a_plain_day_keeps_the_wall_clock_and_a_plain_hour_does_not(
    begin: str, parts: dict[str, int], end: str
) -> None:
    assert due(at(begin, "Europe/Berlin"), period(**parts), BERLIN) == at(end, "Europe/Berlin")
    if begin != "2026-03-28 02:30":
        assert before(at(end, "Europe/Berlin"), period(**parts), BERLIN) == at(begin, "Europe/Berlin")


def test_Q3_a_person_who_is_away_has_the_term_of_their_own_days() -> None:
    away = Calendar("sales", 1, MOSCOW.zone, OFFICE, {}, {"olga": ((date(2026, 12, 1), date(2026, 12, 14)),)})
    begin, hour, day = at("2026-11-30 17:30"), period(hours=1, working=True), period(days=1, working=True)
    assert due(begin, hour, away, "olga") == at("2026-12-15 09:30")
    assert due(begin, day, away, "olga") == at("2026-12-15 17:30")
    assert due(begin, hour, away) == at("2026-12-01 09:30")
    assert in_hours(at("2026-12-01 10:00"), away, "olga") == at("2026-12-15 09:00")
    assert before(at("2026-12-15 09:30"), hour, away, "olga") == begin
    assert due(begin, period(months=0, days=2), away, "olga") == at("2026-12-02 17:30")


def test_Q3_how_much_working_time_is_left_and_by_how_much_a_term_is_overdue() -> None:
    end = at("2026-05-02 11:00")
    assert working_left(at("2026-04-30 17:30"), end, MOSCOW) == timedelta(hours=1, minutes=30)
    assert working_left(end, end, MOSCOW) == timedelta()
    assert working_left(at("2026-05-04 10:00"), end, MOSCOW) == -timedelta(hours=4)
    assert working_left(at("2026-05-02 20:00"), at("2026-05-02 15:00"), MOSCOW) == timedelta()


def test_Q3_without_working_time_only_what_needs_none_is_counted() -> None:
    never = Calendar("nobody", 3, ZoneInfo("UTC"), ((),) * 7)
    begin = datetime(2026, 5, 1, 12, tzinfo=UTC)
    for parts in ({"hours": 1, "working": True}, {"days": 1, "working": True}, {"months": 1}):
        for count in (due, before):
            with pytest.raises(NoWorkingTimeError):
                count(begin, period(**parts), never)
    assert due(begin, period(days=1, hours=1), never) == datetime(2026, 5, 2, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("begin", "parts", "end"),
    [
        ("2026-01-31T10:00", {"months": 1}, "2026-02-28T10:00"),
        ("2026-03-28T23:30", {"days": 2, "hours": 1}, "2026-03-31T00:30"),
        ("2024-02-29T10:00", {"months": 12}, "2025-02-28T10:00"),
    ],
)
def test_P4_round_the_clock_a_month_or_a_day_moves_nowhere(begin: str, parts: dict[str, int], end: str) -> None:
    moment = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    assert due(moment, period(**parts), ROUND_THE_CLOCK) == datetime.fromisoformat(end).replace(tzinfo=UTC)


PERIODS = st.builds(
    lambda months, days, hours, minutes, working: period(
        months=0 if working else months, days=days, hours=hours, minutes=max(minutes, 1), working=working
    ),
    st.integers(0, 3),
    st.integers(0, 5),
    st.integers(0, 12),
    st.integers(0, 59),
    st.booleans(),
)


@given(calendars(), MOMENTS, PERIODS, PEOPLE)
@settings(max_examples=150, deadline=None)
def test_C2_a_term_ends_later_and_begins_earlier_and_working_terms_within_working_time(
    calendar: Calendar, moment: datetime, length: Period, person: str | None
) -> None:
    assume(any(calendar.week))
    end, begin = due(moment, length, calendar, person), before(moment, length, calendar, person)
    assert begin < moment < end
    if length.working:
        assert calendar.working_between(end - MINUTE, end, person) > timedelta()
        assert calendar.working_days_before(begin, 0, person) == begin


@given(calendars(), MOMENTS, MOMENTS, PERIODS)
@settings(max_examples=150, deadline=None)
def test_R1_terms_that_begin_later_end_no_earlier(
    calendar: Calendar, one: datetime, other: datetime, length: Period
) -> None:
    assume(any(calendar.week))
    assume(not length.months)  # 30 and 31 January both end on 28 February, each at its own time of day
    first, second = sorted((one, other))
    for count in (calendar.next_working, calendar.last_working, lambda moment: moment):
        # within an hour that comes twice the wall clock goes back, and with it whatever keeps the time of day
        walls = [calendar.local(count(moment)).replace(tzinfo=None) for moment in (first, second)]
        assume(walls == sorted(walls))
    assert due(first, length, calendar) <= due(second, length, calendar)
    assert before(first, length, calendar) <= before(second, length, calendar)
