"""Dates and lengths of time as people write them in scenarios, in Russian and English."""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, timedelta
from typing import Final

UNITS: Final = (
    (r"минут\w*|minutes?", "minutes", 1),
    (r"час\w*|hours?", "hours", 1),
    (r"д(?:ень|ня|ней)|сут\w*|days?", "days", 1),
    (r"недел\w*|weeks?", "days", 7),
    (r"месяц\w*|months?", "months", 1),
    (r"год\w*|лет|years?", "months", 12),
)
PERIOD = re.compile(r"(?:(?P<n>\d{1,5})\s+)?(?P<unit>\w+)", re.IGNORECASE)
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


def _months(moment: datetime, number: int) -> datetime:
    months = moment.year * 12 + moment.month - 1 + number
    year, month = months // 12, months % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))
