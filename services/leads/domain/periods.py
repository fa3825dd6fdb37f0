"""Lengths of time that a pipeline states, counted from a moment (C2, P4).

Pure. A month is a calendar month; where the day does not exist in it, its last day is meant. Working time needs a team's
calendar and is not counted here.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from contracts.pipeline import Period
from services.calendars.months import add_months


def after(moment: datetime, period: Period) -> datetime:
    """The moment so long after another one."""
    day = add_months(moment.date(), period.months)
    shifted = moment.replace(year=day.year, month=day.month, day=day.day)
    return shifted + timedelta(days=period.days, hours=period.hours, minutes=period.minutes)
