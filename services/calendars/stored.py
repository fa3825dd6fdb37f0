"""A calendar as it is stored: JSON, the same text for the same calendar, and its fingerprint.

Pure. Invariants: what is read back counts as the calendar that was written; the number is no part of the text, so that two
versions with one text are the same calendar. `read` raises KeyError or ValueError for a text that this module did not write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from services.calendars.calendar import Calendar, Hours


def written(calendar: Calendar) -> str:
    """The calendar's text."""
    body = {
        "team": calendar.team,
        "time_zone": calendar.zone.key,
        "week": [_written(day) for day in calendar.week],
        "days": {day.isoformat(): _written(hours) for day, hours in calendar.days.items()},
        "absences": {who: [[first, last] for first, last in away] for who, away in calendar.absences.items()},
    }
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()


def fingerprint(body: str) -> str:
    """SHA-256 of a calendar's text."""
    return hashlib.sha256(body.encode()).hexdigest()


def read(body: str, number: int) -> Calendar:
    """The calendar in a text, as the version of this number."""
    found = orjson.loads(body)
    return Calendar(
        found["team"],
        number,
        ZoneInfo(found["time_zone"]),
        tuple(_read(day) for day in found["week"]),
        {date.fromisoformat(day): _read(hours) for day, hours in found["days"].items()},
        {
            who: tuple((date.fromisoformat(first), date.fromisoformat(last)) for first, last in away)
            for who, away in found["absences"].items()
        },
    )


def _written(day: Sequence[Hours]) -> list[list[str]]:
    return [[f"{hours.start:%H:%M}", f"{hours.end:%H:%M}"] for hours in day]


def _read(day: Any) -> tuple[Hours, ...]:
    return tuple(Hours(time.fromisoformat(start), time.fromisoformat(end)) for start, end in day)
