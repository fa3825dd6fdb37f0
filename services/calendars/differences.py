"""What a new calendar of a team changes for the days to come, and hours and days in words.

Pure. Invariants: every change is told in Russian and English and names what it is about; the order is zone, hours, days,
absences. What is over already is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TypeVar

from services.calendars.calendar import Calendar, Hours
from services.calendars.day_hours import written
from services.yaml_words import Words

WEEKDAYS = tuple(
    Words(en, ru)
    for en, ru in zip(
        ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), ("пн", "вт", "ср", "чт", "пт", "сб", "вс"), strict=True
    )
)
Each = TypeVar("Each")
OFF = Words("off", "выходной")


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `what`: a stable word for programs (zone, hours, day, absence); `at`: the weekdays, day or person."""

    what: str
    at: str
    ru: str
    en: str


def differences(old: Calendar, new: Calendar, since: date) -> Sequence[Change]:
    """What changes from one calendar to another, of days from `since` on."""
    return (*_zone(old, new), *_hours(old, new), *_days(old, new, since), *_absences(old, new, since))


def hours_in_words(hours: Sequence[Hours]) -> Words:
    """`09:00–13:00, 14:00–18:00`, or that it is a day off."""
    text = ", ".join(written(one).replace("-", "–") for one in hours)
    return Words(text, text) if text else OFF


def day_in_words(day: date) -> Words:
    """`Thu 2026-12-31`, «чт 31.12.2026»."""
    weekday = WEEKDAYS[day.weekday()]
    return Words(f"{weekday.en} {day.isoformat()}", f"{weekday.ru} {day:%d.%m.%Y}")


def week_in_words(calendar: Calendar) -> Sequence[Words]:
    """Hours of the week, weekdays alike and next to each other together: `Mon–Fri 09:00–18:00`."""
    told = []
    for hours, days in _runs(calendar.week):
        at, text = _weekdays(days), hours_in_words(hours)
        told.append(Words(f"{at.en} {text.en}", f"{at.ru} {text.ru}"))
    return told


def _zone(old: Calendar, new: Calendar) -> Iterator[Change]:
    if old.zone.key != new.zone.key:
        yield Change(
            "zone",
            new.zone.key,
            f"часовой пояс: был {old.zone.key}, стал {new.zone.key}",
            f"time zone: was {old.zone.key}, now {new.zone.key}",
        )


def _hours(old: Calendar, new: Calendar) -> Iterator[Change]:
    for (was, now), days in _runs(tuple(zip(old.week, new.week, strict=True))):
        if was != now:
            yield _changed("hours", _weekdays(days).en.lower(), _weekdays(days), was, now)


def _days(old: Calendar, new: Calendar, since: date) -> Iterator[Change]:
    for day in sorted(old.days.keys() | new.days.keys()):
        was, now = old.hours(day), new.hours(day)
        if day >= since and was != now:
            yield _changed("day", day.isoformat(), day_in_words(day), was, now)


def _absences(old: Calendar, new: Calendar, since: date) -> Iterator[Change]:
    for who in sorted(old.absences.keys() | new.absences.keys()):
        was, now = set(old.absences.get(who, ())), set(new.absences.get(who, ()))
        for first, last in sorted(away for away in was ^ now if away[1] >= since):
            ru, en = f"{first:%d.%m.%Y}–{last:%d.%m.%Y}", f"{first.isoformat()} to {last.isoformat()}"
            if (first, last) in now:
                yield Change("absence", who, f"{who}: отсутствует {ru}", f"{who}: away {en}")
            else:
                yield Change("absence", who, f"{who}: больше не отсутствует {ru}", f"{who}: no longer away {en}")


def _changed(what: str, at: str, named: Words, was: Sequence[Hours], now: Sequence[Hours]) -> Change:
    before, after = hours_in_words(was), hours_in_words(now)
    return Change(
        what,
        at,
        f"{named.ru}: было {before.ru}, стало {after.ru}",
        f"{named.en}: was {before.en}, now {after.en}",
    )


def _runs(week: Sequence[Each]) -> Iterator[tuple[Each, list[int]]]:
    """Weekdays next to each other that have the same."""
    for value, days in groupby(range(len(week)), key=lambda n: week[n]):
        yield value, list(days)


def _weekdays(days: Sequence[int]) -> Words:
    first, last = WEEKDAYS[days[0]], WEEKDAYS[days[-1]]
    if len(days) == 1:
        return first
    sign = "–" if len(days) > 2 else ", "
    return Words(first.en + sign + last.en, first.ru + sign + last.ru)
