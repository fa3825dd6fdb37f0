"""Calendars for tests: intervals as people write them, any calendar, and an oracle that looks at the wall clock alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from services.calendars.calendar import Calendar, Hours

ZONES = ("Europe/Moscow", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
NIGHTS = (
    *(("Europe/Berlin", "2026-03-29"), ("Europe/Berlin", "2026-10-25"), ("America/New_York", "2026-03-08")),
    *(("America/New_York", "2026-11-01"), ("Australia/Lord_Howe", "2026-04-05"), ("America/Havana", "2026-11-01")),
)
"""Days on which the clocks are changed, by zone."""
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def hours(*texts: str) -> tuple[Hours, ...]:
    """Intervals as people write them: `9:00-18:00`."""
    return tuple(Hours(*(time.fromisoformat(part.zfill(5)) for part in text.split("-"))) for text in texts)


def at(text: str, zone: str = "Europe/Moscow") -> datetime:
    """A wall clock's time as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


OFFICE = (*[hours("9:00-13:00", "14:00-18:00")] * 5, (), ())
MOSCOW = Calendar(
    "sales", 1, ZoneInfo("Europe/Moscow"), OFFICE, {date(2026, 5, 1): (), date(2026, 5, 2): hours("10:00-14:00")}
)

TIMES = st.integers(0, 24 * 4).map(lambda quarter: quarter * 15)


@st.composite
def days(draw: st.DrawFn) -> tuple[Hours, ...]:
    """Any day of quarter-hour intervals."""
    marks = sorted(draw(st.sets(TIMES, max_size=6)))
    return tuple(Hours(_time(a), _time(b)) for a, b in zip(marks[::2], marks[1::2], strict=False))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Any week of quarter-hour intervals in any zone, with some days that differ and some absences."""
    zone = draw(st.sampled_from(ZONES))
    differ = {date(2026, 3, 20) + DAY * draw(st.integers(0, 20)): draw(days()) for _ in range(draw(st.integers(0, 3)))}
    away = date(2026, 3, 20) + DAY * draw(st.integers(0, 20))
    week = tuple(draw(days()) for _ in range(7))
    return Calendar("any", 1, ZoneInfo(zone), week, differ, {"anna": ((away, away + DAY * 2),)})


@st.composite
def nights(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    """A day on which the clocks are changed, worked at any times, most of them about the change; and a minute about it."""
    zone, day = draw(st.sampled_from(NIGHTS))
    marks = sorted(draw(st.sets(st.integers(0, 16).map(lambda quarter: quarter * 15), min_size=2, max_size=8)))
    worked = tuple(Hours(_time(a), _time(b)) for a, b in zip(marks[::2], marks[1::2], strict=False))
    return Calendar("night", 1, ZoneInfo(zone), (worked,) * 7), at(day, zone) + MINUTE * draw(st.integers(-600, 600))


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
