"""A team's calendar: working hours of each weekday in one time zone, days that differ, absences of people (decision 12, C2).

Pure; given moments and answers are UTC instants. Invariants: working time is a union of intervals, and everything is computed
from these, never by stepping through minutes; a minute is worked when the wall clock shows a time within an interval, also
where a change of the clocks skips an hour or shows one twice. A calendar without a working minute in two years raises
`NoWorkingTimeError`: a deadline would never come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.calendars.months import add_months

HORIZON = timedelta(days=731)
"""How far ahead, or back, working time is looked for."""
DAY = timedelta(days=1)
WEEK = 7


class NoWorkingTimeError(ValueError):
    """There is no working time where it was looked for; the message names the calendar and what to add."""


@dataclass(frozen=True, slots=True)
class Hours:
    """An interval of a day on the team's wall clock; `end` midnight is the end of the day."""

    start: time
    end: time


@dataclass(frozen=True)
class Calendar:
    """Working time of a team. `number` is the calendar's version; a deadline says under which it was fixed."""

    team: str
    number: int
    zone: ZoneInfo
    week: tuple[tuple[Hours, ...], ...]
    """By weekday from Monday: seven tuples of intervals, in order, apart from one another."""
    days: Mapping[date, tuple[Hours, ...]] = field(default_factory=dict)
    """Days that differ: holidays (no interval) and working Saturdays alike."""
    absences: Mapping[str, tuple[tuple[date, date], ...]] = field(default_factory=dict)
    """By person: first and last day of each absence."""

    @property
    def version(self) -> str:
        """`sales@3`: what a deadline is fixed under."""
        return f"{self.team}@{self.number}"

    def hours(self, day: date, person: str | None = None) -> tuple[Hours, ...]:
        """The intervals of a day, on the wall clock; none for a day off, or one on which the person is absent."""
        if person is not None and any(first <= day <= last for first, last in self.absences.get(person, ())):
            return ()
        return self.days.get(day, self.week[day.weekday()])

    def is_working_day(self, day: date, person: str | None = None) -> bool:
        """Whether anybody (or this person) works on the day."""
        return bool(self.hours(day, person))

    def intervals(
        self, begin: datetime, end: datetime, person: str | None = None
    ) -> Iterator[tuple[datetime, datetime]]:
        """Working intervals between two instants, in order, cut at both ends."""
        day = self.local(begin).date()
        last = self.local(end).date()
        while day <= last:
            yield from _cut(self._of_day(day, person), begin, end)
            day += DAY

    def working_between(self, begin: datetime, end: datetime, person: str | None = None) -> timedelta:
        """How much working time lies between two instants; nothing where the second is not later."""
        return sum((closes - opens for opens, closes in self.intervals(begin, end, person)), timedelta())

    def after(self, begin: datetime, working: timedelta, person: str | None = None) -> datetime:
        """The instant at which so much working time has passed since `begin`; none at all: the next working instant.

        A term that ends with an interval ends there, not with the beginning of the next one. Raises NoWorkingTimeError.
        """
        left = working
        for opens, closes in self._ahead(begin, working, person):
            if left <= closes - opens:
                return opens + left
            left -= closes - opens
        raise self._no_working_time(begin, person)

    def before(self, end: datetime, working: timedelta, person: str | None = None) -> datetime:
        """The latest instant from which so much working time passes until `end`; none at all: the last working instant.

        The other way round than `after`: a term that begins with an interval begins there, not with the end of the one before.
        Raises NoWorkingTimeError.
        """
        left = working
        for opens, closes in self._back(end, working, person):
            if left <= closes - opens:
                return closes - left
            left -= closes - opens
        raise self._no_working_time(end, person, "before")

    def next_working(self, moment: datetime, person: str | None = None) -> datetime:
        """This instant where it is working time, else when the next interval begins. Raises NoWorkingTimeError."""
        return self.after(moment, timedelta(), person)

    def last_working(self, moment: datetime, person: str | None = None) -> datetime:
        """This instant where work goes on until it, else when the last interval before it ends. Raises NoWorkingTimeError."""
        return self.before(moment, timedelta(), person)

    def next_working_morning(self, moment: datetime, person: str | None = None) -> datetime:
        """When work begins on the first working day after this one. Raises NoWorkingTimeError."""
        return self._morning(self.local(moment).date() + DAY, person)

    def working_days_after(self, moment: datetime, days: int, person: str | None = None) -> datetime:
        """The same time of day so many working days later («in 2 working days»); outside working hours, the next instant within.

        The day it begins on counts as none; what begins outside working hours begins with the next instant within, so that what
        begins on Saturday never ends before what began on Friday. Raises NoWorkingTimeError.
        """
        local = self.local(moment if self._is_within(moment, person) else self.next_working(moment, person))
        day, left = local.date(), days
        limit = day + HORIZON
        while left > 0:
            day += DAY
            if day > limit:
                raise self._no_working_time(moment, person)
            left -= self.is_working_day(day, person)
        ends = self.instant(day, local.time()) if days else local.astimezone(UTC)
        return ends if self._is_within(ends, person) else self.next_working(ends, person)

    def working_days_before(self, moment: datetime, days: int, person: str | None = None) -> datetime:
        """The same time of day so many working days earlier; outside working hours, the last instant within.

        The other way round than `working_days_after`. Raises NoWorkingTimeError.
        """
        local = self.local(moment if self._is_within(moment, person) else self.last_working(moment, person))
        day, left = local.date(), days
        limit = day - HORIZON
        while left > 0:
            day -= DAY
            if day < limit:
                raise self._no_working_time(moment, person, "before")
            left -= self.is_working_day(day, person)
        begins = self.instant(day, local.time()) if days else local.astimezone(UTC)
        return begins if self._is_within(begins, person) else self.last_working(begins, person)

    def months_after(self, moment: datetime, months: int, person: str | None = None) -> datetime:
        """The same day and time so many calendar months later, the last day where there is none; a day off moves to the next
        working morning (C2). Raises NoWorkingTimeError."""
        local = self.local(moment)
        day = add_months(local.date(), months)
        if not self.is_working_day(day, person):
            return self._morning(day, person)
        return self.instant(day, local.time())

    def months_before(self, moment: datetime, months: int, person: str | None = None) -> datetime:
        """The same day and time so many calendar months earlier, the last day where there is none; a day off moves back to the
        morning of the last working day before it, so that it is never less. Raises NoWorkingTimeError."""
        local = self.local(moment)
        day = add_months(local.date(), -months)
        for back in range(HORIZON.days):
            hours = self.hours(day - back * DAY, person)
            if hours:
                return self.instant(day - back * DAY, hours[0].start if back else local.time())
        raise self._no_working_time(moment, person, "before")

    def local(self, moment: datetime) -> datetime:
        """An instant on the team's wall clock."""
        return moment.astimezone(self.zone)

    def instant(self, day: date, at: time) -> datetime:
        """A wall clock's time as an instant: the first of two, where it comes twice; where the clocks skip it, when they do."""
        first, second = self._readings(day, at)
        return self._change(second, first) if second < first else first

    def _is_within(self, moment: datetime, person: str | None) -> bool:
        """Whether it is working time, or begins or ends with this instant."""
        day = self.local(moment).date()
        around = (span for near in (day - DAY, day) for span in self._of_day(near, person))
        return any(opens <= moment <= closes for opens, closes in around)

    def _of_day(self, day: date, person: str | None) -> list[tuple[datetime, datetime]]:
        """The spans of a day in order: in an hour that comes twice, those of several intervals take turns."""
        return sorted(span for hours in self.hours(day, person) for span in self._spans(day, hours))

    def _spans(self, day: date, hours: Hours) -> Iterator[tuple[datetime, datetime]]:
        """The instants at which the wall clock shows a time within the interval: two spans where it shows an end of it twice."""
        closing = day + DAY if hours.end == time(0) else day
        opens, again = self._readings(day, hours.start)
        closes, closes_again = self._readings(closing, hours.end)
        if again <= opens and closes_again <= closes:
            yield self.instant(day, hours.start), self.instant(closing, hours.end)
        elif again > opens and closes_again > closes:
            yield opens, closes
            yield again, closes_again
        elif again > opens:
            yield opens, self._change(opens, again)
            yield again, closes
        else:
            yield opens, closes
            yield self._change(closes, closes_again), closes_again

    def _readings(self, day: date, at: time) -> tuple[datetime, datetime]:
        """A wall clock's time as an instant before and after a change of the clocks; the same twice where there is none."""
        wall = datetime.combine(day, at, self.zone)
        return wall.astimezone(UTC), wall.replace(fold=1).astimezone(UTC)

    def _change(self, before: datetime, behind: datetime) -> datetime:
        """When the clocks are changed between two instants, to the second."""
        then, seconds = self.local(before).utcoffset(), int((behind - before).total_seconds())
        low, high = 0, seconds
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (
                (middle, high) if self.local(before + timedelta(seconds=middle)).utcoffset() == then else (low, middle)
            )
        return before + timedelta(seconds=high)

    def _ahead(self, begin: datetime, working: timedelta, person: str | None) -> Iterator[tuple[datetime, datetime]]:
        """Intervals from an instant on, as far as the term can reach."""
        return self.intervals(begin, begin + _reach(working), person)

    def _back(self, end: datetime, working: timedelta, person: str | None) -> Iterator[tuple[datetime, datetime]]:
        """Intervals up to an instant, the last first, as far back as the term can reach."""
        begin = end - _reach(working)
        day, first = self.local(end).date(), self.local(begin).date()
        while day >= first:
            yield from reversed(list(_cut(self._of_day(day, person), begin, end)))
            day -= DAY

    def _morning(self, day: date, person: str | None) -> datetime:
        for ahead in range(HORIZON.days):
            hours = self.hours(day + ahead * DAY, person)
            if hours:
                return self.instant(day + ahead * DAY, hours[0].start)
        raise self._no_working_time(self.instant(day, time(0)), person)

    def _no_working_time(self, moment: datetime, person: str | None, side: str = "after") -> NoWorkingTimeError:
        of = f" for {person}" if person else ""
        return NoWorkingTimeError(
            f"the calendar {self.version} has no working time{of} in the two years {side} {moment:%Y-%m-%d}; "
            "give it hours, or end the absence"
        )


def _cut(
    spans: Iterable[tuple[datetime, datetime]], begin: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """What of these spans lies between two instants."""
    for opens, closes in spans:
        opens, closes = max(opens, begin), min(closes, end)
        if opens < closes:
            yield opens, closes


def _reach(working: timedelta) -> timedelta:
    """How far a term can reach: two weeks for every working hour of it, at least two years, at most fifty."""
    return min(HORIZON + working * 400, timedelta(days=365 * 50))


ROUND_THE_CLOCK = Calendar("always", 0, ZoneInfo("UTC"), ((Hours(time(0), time(0)),),) * WEEK)
"""Where no team's time is meant: every minute is worked, days and months are those of UTC."""
