"""A team's calendar as people write it, in YAML: hours, zone, public holidays, days that differ, absences (C2, decision 12).

Pure but for the zones and holidays of this machine's libraries. Invariants: what is read is a calendar with working time; faults
are told together, each with file, line, path and the way out, in English and Russian. Raises `TeamFileError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from contracts.pipeline.names import Misfit, misfits, there_are, there_are_ru
from contracts.pipeline.parts import ID_PATTERN, Model
from services.calendars.calendar import Calendar, Hours, NoWorkingTimeError
from services.calendars.day_hours import Day, DayHours, as_day, refused
from services.calendars.public_holidays import (
    countries,
    near_country,
    near_subdivision,
    public_days,
    subdivisions,
)
from services.strict_yaml import YamlError, read_written
from services.yaml_words import Words

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
BUSINESS_DAYS: Final = WEEKDAYS[:5]
YEARS_BACK: Final = 1
YEARS_AHEAD: Final = 11
"""Years about the present for which public holidays are written out: the longest term there is takes ten years."""
EXAMPLES: Final = {
    "team": "team: sales",
    "time_zone": "time_zone: Europe/Moscow",
    "hours": 'hours: {weekdays: ["09:00-18:00"]}',
    "country": "country: RU",
    "who": "who: olga",
    "from": "from: 2026-12-01",
    "to": "to: 2026-12-14",
}
A_NAME: Final = re.compile(r"^[\x21-\x7e]([\x20-\x7e]{0,98}[\x21-\x7e])?$")


Value = TypeVar("Value")


class TeamFileError(ValueError):
    """A team's calendar is wrong; the message says where and how to mend it. `ru`: the same in Russian."""

    def __init__(self, en: str, ru: str | None = None) -> None:
        super().__init__(en)
        self.ru = ru if ru is not None else en


def _fitting(value: Value, found: Iterable[Misfit]) -> Value:
    """The value where nothing about it is wrong. Raises what strict reading tells, each with its path."""
    if (error := misfits(found)) is not None:
        raise error
    return value


def _person(value: Any) -> Any:
    if not isinstance(value, str) or not A_NAME.match(value):
        raise refused(
            f'"{value}" is no name of a person here; write it as in LEADLINE_RESPONSIBLES, for example olga',
            f"«{value}» — не имя сотрудника; пишите как в LEADLINE_RESPONSIBLES, например olga",
        )
    return value


def _texts(value: Any) -> Any:
    """Keys as texts, whatever YAML took them for."""
    return {str(key): day for key, day in value.items()} if isinstance(value, dict) else value


def _dated(days: dict[str, DayHours]) -> dict[str, DayHours]:
    return _fitting(
        days,
        (
            Misfit(
                (day,),
                f'"{day}" is no date; write year-month-day, for example 2026-12-31: ["09:00-15:00"]',
                f'«{day}» — не дата; пишите год-месяц-день, например 2026-12-31: ["09:00-15:00"]',
            )
            for day in days
            if as_day(day) is None
        ),
    )


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _known_zone(meant: str) -> str:
    if meant in _zones():
        return meant
    places = {zone.casefold(): zone for zone in sorted(_zones())}
    places |= {zone.rpartition("/")[2].casefold(): zone for zone in sorted(_zones()) if "/" in zone}
    near = get_close_matches(meant.casefold().replace(" ", "_"), places, 1, 0.7)
    guess, guess_ru = (f"; did you mean {places[near[0]]}?", f"; может быть, {places[near[0]]}?") if near else ("", "")
    raise refused(
        f'there is no time zone "{meant}"{guess}; write it as continent and city (IANA), for example Europe/Moscow',
        f"часового пояса «{meant}» нет{guess_ru}; пишите материк и город (IANA), например Europe/Moscow",
    )


def _no_holidays(asked: PublicHolidays) -> Iterator[Misfit]:
    parts = subdivisions(asked.country)
    if parts is None:
        near = near_country(asked.country)
        named = f"{near} ({countries()[near]})" if near else ""
        guess, guess_ru = (f"; did you mean {named}?", f"; может быть, {named}?") if near else ("", "")
        yield Misfit(
            ("country",),
            f'no holidays of a country "{asked.country}" are known{guess}; write its two letters (ISO 3166), for example RU, '
            "or leave holidays out and write days",
            f"праздники страны «{asked.country}» неизвестны{guess_ru}; пишите две буквы (ISO 3166), например RU, "
            "или уберите holidays и перечислите дни в days",
        )
    elif asked.subdivision is not None and asked.subdivision not in parts:
        meant = near_subdivision(asked.country, asked.subdivision) or asked.subdivision
        none = not parts
        yield Misfit(
            ("subdivision",),
            f'{asked.country} has no part "{asked.subdivision}" with holidays of its own'
            + ("; leave subdivision out" if none else there_are(parts, meant)),
            f"у {asked.country} нет части «{asked.subdivision}» со своими праздниками"
            + ("; уберите subdivision" if none else there_are_ru(parts, meant)),
        )


class WeekHours(Model):
    """Hours by weekday; `weekdays`: of those from Monday to Friday that are not written themselves. Left out: a day off."""

    weekdays: DayHours = ()
    mon: DayHours = ()
    tue: DayHours = ()
    wed: DayHours = ()
    thu: DayHours = ()
    fri: DayHours = ()
    sat: DayHours = ()
    sun: DayHours = ()

    def week(self) -> tuple[tuple[Hours, ...], ...]:
        """From Monday on."""
        return tuple(
            self.weekdays if day in BUSINESS_DAYS and day not in self.model_fields_set else getattr(self, day)
            for day in WEEKDAYS
        )


class PublicHolidays(Model):
    """Public holidays of a country, or of a part of it that has its own."""

    country: str
    subdivision: str | None = None

    @model_validator(mode="after")
    def _known(self) -> PublicHolidays:
        return _fitting(self, _no_holidays(self))


class Absence(Model):
    """A person's first and last day away."""

    who: Annotated[str, BeforeValidator(_person)]
    first: Day = Field(alias="from")
    last: Day = Field(alias="to")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Absence:
        if self.last >= self.first:
            return self
        misfit = Misfit(
            ("to",),
            f"the last day away, {self.last}, is before the first, {self.first}; put the later day here",
            f"последний день отсутствия {self.last} раньше первого {self.first}; поставьте сюда день позже",
        )
        return _fitting(self, [misfit])


class TeamFile(Model):
    """A team's calendar as it is written."""

    team: str = Field(pattern=ID_PATTERN)
    time_zone: Annotated[str, AfterValidator(_known_zone)]
    hours: WeekHours
    holidays: PublicHolidays | None = None
    days: Annotated[dict[str, DayHours], BeforeValidator(_texts), AfterValidator(_dated)] = Field(default_factory=dict)
    """Days that differ, by ISO date: no interval is a day off. They go before public holidays."""
    absences: tuple[Absence, ...] = ()

    @model_validator(mode="after")
    def _somebody_works(self) -> TeamFile:
        if any(self.hours.week()) or any(self.days.values()):
            return self
        misfit = Misfit(
            ("hours",),
            'nobody ever works; write hours, for example {weekdays: ["09:00-18:00"]}',
            'никто никогда не работает; напишите часы, например {weekdays: ["09:00-18:00"]}',
        )
        return _fitting(self, [misfit])

    def own_days(self) -> Mapping[date, tuple[Hours, ...]]:
        """Days that differ, by date."""
        return {date.fromisoformat(day): hours for day, hours in self.days.items()}


def read_team_file(text: str, file: str = "calendar.yaml") -> TeamFile:
    """The calendar in a YAML text. `file` names it in errors. Raises TeamFileError."""
    try:
        return read_written(
            text,
            TeamFile,
            file,
            whole=Words("the calendar", "календарь"),
            begins=Words("a calendar begins with `team: sales`", "календарь начинается с `team: sales`"),
            examples=EXAMPLES,
        ).model
    except YamlError as error:
        raise TeamFileError(str(error), error.ru) from error


def calendar_of(file: TeamFile, number: int, now: datetime) -> Calendar:
    """The calendar that a file means, its public holidays written out for the years about `now`.

    A day of rest that the country works in return for another has the hours of the last weekday before it that is worked.
    Raises TeamFileError where nobody works in the two years after `now`.
    """
    zone, week = ZoneInfo(file.time_zone), file.hours.week()
    days: dict[date, tuple[Hours, ...]] = {}
    if file.holidays is not None:
        year = now.astimezone(zone).year
        public = public_days(
            file.holidays.country, file.holidays.subdivision, range(year - YEARS_BACK, year + YEARS_AHEAD + 1)
        )
        days |= dict.fromkeys(public.off, ())
        days |= {day: _hours_instead(week, day) for day in public.worked if not week[day.weekday()]}
    days |= file.own_days()
    differ = {day: hours for day, hours in sorted(days.items()) if hours != week[day.weekday()]}
    absences: dict[str, tuple[tuple[date, date], ...]] = {}
    for who in sorted({absence.who for absence in file.absences}):
        absences[who] = tuple(sorted((one.first, one.last) for one in file.absences if one.who == who))
    calendar = Calendar(file.team, number, zone, week, differ, absences)
    try:
        calendar.next_working(now)
    except NoWorkingTimeError as error:
        raise TeamFileError(
            f"nobody works in the two years after {now:%Y-%m-%d}; write hours, or days to come",
            f"после {now:%Y-%m-%d} два года никто не работает; напишите часы или дни, которые ещё впереди",
        ) from error
    return calendar


def _hours_instead(week: tuple[tuple[Hours, ...], ...], day: date) -> tuple[Hours, ...]:
    return next((week[(day.weekday() - back) % 7] for back in range(1, 7) if week[(day.weekday() - back) % 7]), ())
