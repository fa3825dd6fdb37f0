"""Lengths of time that a pipeline states, counted from a moment (C2, P4).

Pure. A month is a calendar month; where the day does not exist in it, its last day is meant. Working time needs a team's
calendar and is not counted here.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta

from contracts.pipeline import Period


def after(moment: datetime, period: Period) -> datetime:
    """The moment so long after another one."""
    months = moment.year * 12 + moment.month - 1 + period.months
    year, month = divmod(months, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    shifted = moment.replace(year=year, month=month + 1, day=day)
    return shifted + timedelta(days=period.days, hours=period.hours, minutes=period.minutes)
