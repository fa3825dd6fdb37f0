"""Dates and lengths of time as people write them in scenarios, in Russian and English."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from contracts.pipeline import Period
from services.calendars import terms
from services.calendars.calendar import Calendar, Hours

UNITS: Final = (
    (r"минут\w*|minutes?", "minutes", 1),
    (r"час\w*|hours?", "hours", 1),
    (r"д(?:ень|ня|ней)|сут\w*|days?", "days", 1),
    (r"недел\w*|weeks?", "days", 7),
    (r"месяц\w*|months?", "months", 1),
    (r"год\w*|лет|years?", "months", 12),
)
PERIOD = re.compile(r"(?:(?P<n>\d{1,5})\s+)?(?:(?P<working>рабоч\w+|working)\s+)?(?P<unit>\w+)", re.IGNORECASE)
MOMENT = re.compile(r"(?P<day>\S+)\s+(?:в\s+|at\s+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})", re.IGNORECASE)
WORKDAY: Final = (Hours(time(9), time(18)),)
CALENDAR: Final = Calendar("scenario", 1, ZoneInfo("UTC"), (WORKDAY,) * 5 + ((), ()))
"""The working time of every scenario: Monday to Friday, 9 to 18, without holidays."""
DAY = re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})")


def later(moment: datetime, period: str) -> datetime | None:
    """The moment after a length of time («3 дня», «год»); None where it is none. A month is a calendar month."""
    found = PERIOD.fullmatch(period.strip())
    if found is None:
        return None
    for pattern, unit, times in UNITS:
        if re.fullmatch(pattern, found["unit"], re.IGNORECASE):
            number = int(found["n"] or 1) * times
            try:
                if found["working"] and unit != "months":
                    return terms.due(moment, Period(**{unit: number, "working": True}), CALENDAR)
                return _months(moment, number) if unit == "months" else moment + timedelta(**{unit: number})
            except (ValueError, OverflowError):
                return None  # beyond the year 9999
    return None


def day(text: str) -> date | None:
    """A date: 01.09.2026 or 2026-09-01; None where it is none."""
    found = DAY.fullmatch(text.strip())
    try:
        return date(int(found["y"]), int(found["m"]), int(found["d"])) if found else date.fromisoformat(text.strip())
    except ValueError:
        return None


def moment_of(text: str) -> tuple[datetime, bool] | None:
    """A date with a time, «02.03.2026 11:01», or the beginning of a date; and whether it had a time. None where it is neither."""
    found = MOMENT.fullmatch(text.strip())
    on = day(found["day"] if found else text)
    if on is None:
        return None
    try:
        return datetime.combine(on, time(int(found["hour"]), int(found["minute"])) if found else time(0), UTC), bool(
            found
        )
    except ValueError:
        return None


def _months(moment: datetime, number: int) -> datetime:
    months = moment.year * 12 + moment.month - 1 + number
    year, month = months // 12, months % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))
