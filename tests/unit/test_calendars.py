"""A team's working time against an oracle that steps through minutes (C2, Q3, N22, decision 12)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.calendars.calendar import Calendar, Hours, NoWorkingTimeError
from services.calendars.months import add_months

ZONES = ("Europe/Moscow", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def hours(*texts: str) -> tuple[Hours, ...]:
    """Intervals as people write them: `9:00-18:00`."""
    return tuple(Hours(*(time.fromisoformat(part.zfill(5)) for part in text.split("-"))) for text in texts)


OFFICE = (*[hours("9:00-13:00", "14:00-18:00")] * 5, (), ())
MOSCOW = Calendar(
    "sales", 1, ZoneInfo("Europe/Moscow"), OFFICE, {date(2026, 5, 1): (), date(2026, 5, 2): hours("10:00-14:00")}
)


def at(text: str, zone: str = "Europe/Moscow") -> datetime:
    """A wall clock's time as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


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
        ("2026-05-03 12:00", 1, "2026-05-04 12:00"),
        ("2026-04-30 12:00", 0, "2026-04-30 12:00"),
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


# --- against an oracle that steps through minutes ------------------------------------------------------------------

TIMES = st.integers(0, 24 * 4).map(lambda quarter: quarter * 15)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Any week of quarter-hour intervals in any zone, with some days that differ and some absences."""

    def day() -> tuple[Hours, ...]:
        marks = sorted(draw(st.sets(TIMES, max_size=4)))
        pairs = zip(marks[::2], marks[1::2], strict=False)
        return tuple(Hours(_time(a), _time(b)) for a, b in pairs)

    zone = draw(st.sampled_from(ZONES))
    differ = {date(2026, 3, 20) + DAY * draw(st.integers(0, 20)): day() for _ in range(draw(st.integers(0, 3)))}
    away = date(2026, 3, 20) + DAY * draw(st.integers(0, 20))
    return Calendar(
        "any", 1, ZoneInfo(zone), tuple(day() for _ in range(7)), differ, {"anna": ((away, away + DAY * 2),)}
    )


def _time(minutes: int) -> time:
    return time(minutes // 60 % 24, minutes % 60)


MOMENTS = st.sampled_from(("2026-03-27", "2026-10-24", "2028-02-28", "2026-04-03")).flatmap(
    lambda day: st.integers(0, 3 * 24 * 60).map(
        lambda minute: datetime.fromisoformat(day).replace(tzinfo=UTC) + MINUTE * minute
    )
)
PEOPLE = st.sampled_from((None, "anna"))


def works(calendar: Calendar, moment: datetime, person: str | None) -> bool:
    """Whether the minute that begins at this instant is worked: by the wall clock's reading alone."""
    local = moment.astimezone(calendar.zone)
    absent = person and any(first <= local.date() <= last for first, last in calendar.absences.get(person, ()))
    wall = local.hour * 60 + local.minute
    for interval in () if absent else calendar.days.get(local.date(), calendar.week[local.weekday()]):
        start = interval.start.hour * 60 + interval.start.minute
        end = interval.end.hour * 60 + interval.end.minute or 24 * 60
        if start <= wall < end:
            return True
    return False


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
    assert later.day == day.day or (later + DAY).month != later.month
