"""Team calendars in force: read, cached by number and fingerprint for ever (a version's calendar never changes).

Invariants: `current` sees a version as soon as it is published. A calendar that does not exist raises `NoSuchCalendarError`,
naming those that do.
"""

from __future__ import annotations

from typing import Final

from services.calendars import store, stored
from services.calendars.calendar import Calendar
from services.database import Database

DEFAULT_TEAM: Final = "sales"
"""The team that has a calendar from the first start on."""

_read: dict[tuple[str, int, str], Calendar] = {}
"""Calendars by (team, number, fingerprint)."""


class NoSuchCalendarError(LookupError):
    """There is no calendar of this team or number."""


async def current(database: Database, team: str = DEFAULT_TEAM) -> Calendar:
    """The calendar in force; its `number` is the version. Raises NoSuchCalendarError."""
    found = await store.newest_number(database, team)
    if found is None:
        there = ", ".join(await store.teams(database)) or "none yet; run: leadline prepare"
        raise NoSuchCalendarError(f"no calendar of a team {team}; there are: {there}")
    return await _calendar(database, team, *found)


async def version(database: Database, team: str, number: int) -> Calendar:
    """A version by its number. Raises NoSuchCalendarError."""
    sha256 = await store.fingerprint(database, team, number)
    if sha256 is None:
        raise NoSuchCalendarError(f"no version {number} of the calendar of {team}")
    return await _calendar(database, team, number, sha256)


async def _calendar(database: Database, team: str, number: int, sha256: str) -> Calendar:
    held = _read.get((team, number, sha256))
    if held is None:
        held = _read[(team, number, sha256)] = stored.read(await store.body(database, team, number), number)
    return held
