"""Hours and days of a calendar as people write them: `09:00-13:00`, `2026-12-24` (C2).

Pure. Invariants: the intervals of a day are in order and apart from one another; the last ends with the day at
the latest. What is none is refused in English and Russian, with the way out.
"""

from __future__ import annotations

import re
from datetime import date, time
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

from contracts.pipeline.names import Misfit, misfits
from services.calendars.calendar import Hours

INTERVAL: Final = re.compile(r"^(\d{1,2}):(\d\d) ?[-–] ?(\d{1,2}):(\d\d)$")
ISO_DAY: Final = re.compile(r"^\d{4}-\d{2}-\d{2}$")


def refused(en: str, ru: str) -> Exception:
    """The error of a value, in both languages."""
    error = misfits([Misfit((), en, ru)])
    assert error is not None
    return error


def _minutes(hour: str, minute: str) -> int | None:
    """A time of day in minutes; 24:00 is the end of the day."""
    counted = int(hour) * 60 + int(minute)
    return counted if int(minute) < 60 and counted <= 24 * 60 else None


def _interval(value: Any) -> Any:
    """`09:00-13:00`. The end may be 24:00 (or 00:00): the end of the day."""
    found = INTERVAL.match(value.strip()) if isinstance(value, str) else None
    start, end = (_minutes(*found.group(1, 2)), _minutes(*found.group(3, 4))) if found else (None, None)
    if start is None or end is None or start == 24 * 60:
        raise refused(
            f'"{value}" is no interval of a day; write "09:00-13:00", the day ends at 24:00',
            f"«{value}» — не промежуток дня; пишите «09:00-13:00», день кончается в 24:00",
        )
    end = end or 24 * 60
    if end <= start:
        raise refused(
            f'"{value}" ends before it begins; what goes on past midnight is written in two parts: '
            f'"{_clock(start)}-24:00" here and "00:00-{_clock(end)}" on the day after',
            f"«{value}» кончается раньше, чем начинается; то, что идёт за полночь, пишут двумя частями: "
            f"«{_clock(start)}-24:00» здесь и «00:00-{_clock(end)}» в следующем дне",
        )
    return Hours(_time(start), _time(end))


def _time(minutes: int) -> time:
    return time(minutes // 60 % 24, minutes % 60)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _end(hours: Hours) -> int:
    return hours.end.hour * 60 + hours.end.minute or 24 * 60


def written(hours: Hours) -> str:
    """An interval as people write it."""
    return f"{hours.start:%H:%M}-{_clock(_end(hours))}"


def _apart(day: tuple[Hours, ...]) -> tuple[Hours, ...]:
    """In order, those that touch as one. Refuses those that overlap."""
    made: list[Hours] = []
    for hours in sorted(day, key=lambda interval: interval.start):
        if made and (hours.start < made[-1].end or made[-1].end == time(0)):
            raise refused(
                f'"{written(made[-1])}" and "{written(hours)}" overlap; write them as one, or move one of them',
                f"«{written(made[-1])}» и «{written(hours)}» пересекаются; запишите одним промежутком или сдвиньте один",
            )
        if made and hours.start == made[-1].end:
            made[-1] = Hours(made[-1].start, hours.end)
        else:
            made.append(hours)
    return tuple(made)


def _day(value: Any) -> Any:
    """`2026-12-24`."""
    day = as_day(value)
    if day is None:
        raise refused(
            f'"{value}" is no date; write year-month-day, for example 2026-12-24',
            f"«{value}» — не дата; пишите год-месяц-день, например 2026-12-24",
        )
    return day


def as_day(value: Any) -> date | None:
    """The day of an ISO date; None for what is none."""
    if not isinstance(value, str) or not ISO_DAY.match(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


Interval = Annotated[Hours, BeforeValidator(_interval)]
DayHours = Annotated[tuple[Interval, ...], AfterValidator(_apart)]
Day = Annotated[date, BeforeValidator(_day)]
