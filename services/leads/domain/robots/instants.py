"""The instant at which a robot starts, and the event that fixes it (R1, C2). Pure.

Invariants: an instant follows from the lead's events and a version of the team's calendar alone; each arming of a robot in a
stage visit has a timer of its own, whose id follows from lead, visit, robot and the number of the arming (N1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from contracts import events as e
from contracts.pipeline import Period, Robot, Start
from services.calendars import terms
from services.calendars.calendar import ROUND_THE_CLOCK, Calendar, NoWorkingTimeError
from services.calendars.months import add_months
from services.leads.domain.robots.standing import Settled
from services.leads.domain.state import LeadState

MOST_TIMES: Final = 1_000
"""How many times that are over already are passed over to find the next of what comes again."""
MORNING: Final = time(9)
"""When a day begins on which nobody works."""
MOST_AGAIN: Final = 100_000
"""How often a robot comes again at most: every day, for longer than anything lasts."""


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


def next_by_months(
    times: Times, first: datetime, every: Period, after: datetime, person: str | None = None
) -> datetime:
    """The next time of what comes again every so many months, after an instant. Counted from the first time, so that the 31st
    comes back after February, and a day off moves one time alone."""
    for number in range(1, MOST_TIMES + 1):
        # beyond what a pipeline may state, where the first is long ago
        so_far = Period.model_construct(months=every.months * number, days=every.days * number)
        at = due(times, first, so_far, person)
        if at > after:
            return at
    return due(times, after, every, person)


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
        at = _of_date(state, start, day, calendar)
    elif start.day is not None:
        at = _morning(_next(start.day, calendar.local(begin).date() + timedelta(days=1)), calendar)
    if start.before is not None:
        return _before(at, start.before, times, within=start.in_hours)
    if start.delay is not None:
        at = due(times, at, start.delay)
    return in_hours(times, at) if start.in_hours else at


def _of_date(state: LeadState, start: Start, day: date, calendar: Calendar) -> datetime:
    clock = _time(state, start.time) if start.time is not None else None
    return calendar.instant(day, clock) if clock is not None else _morning(day, calendar)


def _morning(day: date, calendar: Calendar) -> datetime:
    hours = calendar.hours(day)
    return calendar.instant(day, hours[0].start if hours else MORNING)


def _before(at: datetime, period: Period, times: Times, *, within: bool) -> datetime:
    """So long before an instant. `within`: outside the team's hours it moves back to the last ones, so that it stays before;
    where those are over already, on to the next."""
    try:
        moment = terms.before(at, period, times.calendar)
    except NoWorkingTimeError:
        moment = terms.before(at, period, ROUND_THE_CLOCK)
    if not within:
        return moment
    try:
        back = times.calendar.last_working(moment)
    except NoWorkingTimeError:
        return moment
    return back if back >= times.now else in_hours(times, max(moment, times.now))


def is_past(robot: Robot, state: LeadState, times: Times) -> bool:
    """Whether a robot that is to start before a date comes too late for it: the date's time has come, or, without a time, its day
    is over."""
    start, calendar = robot.start, times.calendar
    day = date_on_card(state, start.date) if start.before is not None and start.date is not None else None
    if day is None:
        return False
    clock = _time(state, start.time) if start.time is not None else None
    return calendar.instant(day, clock) <= times.now if clock is not None else calendar.local(times.now).date() > day


def next_time(robot: Robot, last: Settled, times: Times) -> datetime:
    """P7: when a robot comes again: so many whole periods after its first instant, so that a short month or a day off moves one
    time and not all that follow; after a long outage once, not for every time that was missed. One that goes by a day of the
    year comes on that day; working days are counted from the last time."""
    start, every = robot.start, robot.start.every
    assert every is not None, "it comes again"
    assert last.series is not None, "and was armed"
    after = max(times.now, last.due_at)
    if start.day is not None:
        return _on_the_day(start, start.day, every, last.due_at, after, times)
    if every.working:
        at = due(times, last.due_at, every)
        at = at if at > after else due(times, after, every)
    else:
        at = next(
            at
            for n in range(last.series.again + 1, MOST_AGAIN)
            if (at := due(times, last.series.first, _times(every, n))) > after
        )
    return in_hours(times, at) if start.in_hours else at


def _on_the_day(start: Start, day: str, every: Period, last: datetime, after: datetime, times: Times) -> datetime:
    calendar = times.calendar
    was = calendar.local(last).date()
    found = next(one for year in range(was.year, was.year - 9, -1) if (one := _in_year(day, year)) and one <= was)
    found = add_months(found, every.months) + timedelta(days=every.days)
    while True:
        found = _next(day, found)
        at = _morning(found, calendar)
        at = due(times, at, start.delay) if start.delay is not None else at
        at = in_hours(times, at) if start.in_hours else at
        if at > after:
            return at
        found += timedelta(days=1)


def _times(period: Period, n: int) -> Period:
    """The period so many times; longer than one that may be written."""
    return Period.model_construct(
        months=period.months * n,
        days=period.days * n,
        hours=period.hours * n,
        minutes=period.minutes * n,
        working=period.working,
    )


def _next(day: str, soonest: date) -> date:
    """The next such day of the year, on `soonest` or after it; 29 February is looked for until there is one."""
    years = range(soonest.year, soonest.year + 9)  # over 1900 and 2100 eight years lie between two leap days
    return next(found for year in years if (found := _in_year(day, year)) and found >= soonest)


def _in_year(day: str, year: int) -> date | None:
    """That day of a year; None for 29 February of most."""
    try:
        return date(year, int(day[:2]), int(day[3:]))
    except ValueError:
        return None


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


def counted_in(robot: Robot, times: Times, *, again: bool = False) -> str | None:
    """The calendar that a robot's instant is counted in, of its first time or of one that comes again; None where it is plain
    time. A day of the year or of the card begins when the team's work does, in its zone."""
    start = robot.start
    periods, day = (start.delay, start.before), start.date is not None or start.day is not None
    if again:
        periods, day = (start.every, start.delay if start.day else None), start.day is not None
    counted = start.in_hours or day or any(p is not None and (p.working or p.months) for p in periods)
    return times.name if counted else None


def lost_its_date(state: LeadState, robot: Robot, visit: int) -> bool:
    """Whether it was cancelled in a stage visit because its date was taken off the card: it waits for another one."""
    settled = state.automation.settled.get((visit, robot.id))
    return (
        robot.start.date is not None and settled is not None and (settled.how, settled.by) == ("cancelled", "retimed")
    )


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
