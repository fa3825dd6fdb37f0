"""The instant at which a robot starts, and the event that fixes it (R1, C2). Pure.

Invariants: an instant follows from the lead's events and a version of the team's calendar alone; each arming of a robot in a
stage visit has a timer of its own, whose id follows from lead, visit, robot and the number of the arming (N1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final
from uuid import UUID, uuid5

from contracts import events as e
from contracts.pipeline import Period, Robot
from services.calendars import terms
from services.calendars.calendar import ROUND_THE_CLOCK, Calendar, NoWorkingTimeError
from services.leads.domain.state import LeadState

MORNING: Final = time(9)
"""When a day begins on which nobody works."""


@dataclass(frozen=True, slots=True)
class Times:
    """What instants are counted from: the moment of the batch, and the calendar of the team."""

    now: datetime
    calendar: Calendar

    @property
    def name(self) -> str:
        """The calendar and its version."""
        return self.calendar.version


def due(times: Times, begin: datetime, period: Period, person: str | None = None) -> datetime:
    """When a period that begins then has passed, in the working time of a person, else of the team, else around the clock:
    nothing stands still because somebody, or everybody, never works."""
    for calendar, who in ((times.calendar, person), (times.calendar, None)):
        try:
            return terms.due(begin, period, calendar, who)
        except NoWorkingTimeError:
            continue
    return terms.due(begin, period, ROUND_THE_CLOCK)


def in_hours(times: Times, moment: datetime) -> datetime:
    """This instant where the team works, else when it begins next; the instant itself where it never does."""
    try:
        return terms.in_hours(moment, times.calendar)
    except NoWorkingTimeError:
        return moment


def instant(robot: Robot, begin: datetime, state: LeadState, times: Times) -> datetime | None:
    """When a robot starts whose time begins to count at `begin`; None where it goes by a date that the card has not yet."""
    start, calendar = robot.start, times.calendar
    at = begin
    if start.date is not None:
        day = date_on_card(state, start.date)
        if day is None:
            return None
        clock = _time(state, start.time) if start.time is not None else None
        hours = calendar.hours(day)
        at = calendar.instant(day, clock or (hours[0].start if hours else MORNING))
    elif start.day is not None:
        at = _next(start.day, begin, calendar)
    if start.before is not None:
        try:
            at = terms.before(at, start.before, calendar)
        except NoWorkingTimeError:
            at = terms.before(at, start.before, ROUND_THE_CLOCK)
    if start.delay is not None:
        at = due(times, at, start.delay)
    return in_hours(times, at) if start.in_hours else at


def _next(day: str, begin: datetime, calendar: Calendar) -> datetime:
    """The next such day of the year, after the one on which it begins to count; 29 February is looked for until there is one."""
    month, number = int(day[:2]), int(day[3:])
    today = calendar.local(begin).date()
    for year in range(today.year, today.year + 9):  # over 1900 and 2100 eight years lie between two leap days
        try:
            found = date(year, month, number)
        except ValueError:
            continue
        if found > today:
            hours = calendar.hours(found)
            return calendar.instant(found, hours[0].start if hours else MORNING)
    return begin


def timer_of(state: LeadState, robot: str, visit: int) -> UUID:
    """The id under which a robot is armed next in a stage visit."""
    number = state.automation.armings.get((visit, robot), 0) + 1
    return uuid5(state.lead, f"robot:{visit}:{robot}:{number}")


def had(state: LeadState, robot: Robot) -> bool:
    """Whether the robot waits, or is over, in the stage visit the lead is in; one that comes again is never over."""
    if robot.start.every is not None:
        return state.automation.waits(state.root, robot.id)
    return state.automation.had(state.root, robot.id)


def arm(
    state: LeadState,
    robot: str,
    due_at: datetime,
    because: Any,
    *,
    calendar: str | None,
    visit: int | None = None,
    after: str | None = None,
    replaces: UUID | None = None,
) -> e.RobotArmed:
    """The event that has a robot wait. `calendar`: the one that its instant was counted in, by name and version."""
    visit = state.root if visit is None else visit
    return e.RobotArmed(
        robot=robot,
        timer=timer_of(state, robot, visit),
        visit=visit,
        due_at=due_at,
        because=because,
        after=after,
        calendar=calendar,
        replaces=replaces,
    )


def counted_in(robot: Robot, times: Times) -> str | None:
    """The calendar that a robot's instant is counted in; None where it is plain time."""
    start = robot.start
    periods = (start.delay, start.before)
    counted = (
        start.in_hours or start.date is not None or any(p is not None and (p.working or p.months) for p in periods)
    )
    return times.name if counted else None


def date_on_card(state: LeadState, field: str) -> date | None:
    """A date on the card; None where it is empty or unknown."""
    try:
        return date.fromisoformat(state.card.get(field, ""))
    except ValueError:
        return None


def _time(state: LeadState, field: str) -> time | None:
    try:
        return time.fromisoformat(state.card.get(field, ""))
    except ValueError:
        return None
