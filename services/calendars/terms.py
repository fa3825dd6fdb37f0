"""Terms that a pipeline states, counted on a team's calendar: when one ends, and how long before a moment it begins (C2, Q3, R1).

Pure; moments given and answers are UTC instants. Invariants: parts of a period are added in one order, months, days, then hours
with minutes, and taken off in the other; a plain day keeps the time on the wall clock also where the clocks are changed, a plain
hour is sixty minutes; a calendar month whose day is off moves to the next working morning (C2). What is counted in working time,
or falls on a day off, raises `NoWorkingTimeError` where nobody ever works.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from contracts.pipeline import Period
from services.calendars.calendar import Calendar


def due(begin: datetime, period: Period, calendar: Calendar, person: str | None = None) -> datetime:
    """When a period that begins at an instant has passed, in the working time of the team or of a person of it.

    Working days keep the time of day; where that is outside working hours, the next instant within is meant.
    Raises NoWorkingTimeError.
    """
    moment = begin
    if period.months:
        moment = calendar.months_after(moment, period.months, person)
    if period.days:
        if period.working:
            moment = calendar.working_days_after(moment, period.days, person)
        else:
            moment = _same_time(moment, period.days, calendar)
    length = timedelta(hours=period.hours, minutes=period.minutes)
    if length and period.working:
        return calendar.after(moment, length, person)
    return moment + length


def before(moment: datetime, period: Period, calendar: Calendar, person: str | None = None) -> datetime:
    """The instant so long before another one: «two days before the date on the card» (R1).

    Never less than the period: what falls outside working time moves back, to the last working instant before it, or, of a
    calendar month, to the morning of the last working day. Raises NoWorkingTimeError.
    """
    length = timedelta(hours=period.hours, minutes=period.minutes)
    if length and period.working:
        moment = calendar.before(moment, length, person)
    else:
        moment -= length
    if period.days:
        if period.working:
            moment = calendar.working_days_before(moment, period.days, person)
        else:
            moment = _same_time(moment, -period.days, calendar)
    if period.months:
        moment = calendar.months_before(moment, period.months, person)
    return moment


def in_hours(moment: datetime, calendar: Calendar, person: str | None = None) -> datetime:
    """This instant where it is working time, else when work begins next. Raises NoWorkingTimeError."""
    return calendar.next_working(moment, person)


def working_left(now: datetime, end: datetime, calendar: Calendar, person: str | None = None) -> timedelta:
    """How much working time is left until a term ends; below nothing: by how much it is overdue."""
    if end < now:
        return -calendar.working_between(end, now, person)
    return calendar.working_between(now, end, person)


def _same_time(moment: datetime, days: int, calendar: Calendar) -> datetime:
    """The same time on the wall clock so many days later (below 0: earlier)."""
    local = calendar.local(moment)
    return calendar.instant(local.date() + timedelta(days=days), local.time())
