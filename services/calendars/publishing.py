"""Putting team calendars in force: a person's file, the default made of the settings, and both anew as years go by.

Invariants: a new number whenever the calendar changes, its public holidays included, and only then; who publishes holds the
calendar's lock, so that numbers have no gaps. Refused with `TeamFileError` before anything is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import eq
from typing import Literal

import structlog

from services.calendars import store, stored
from services.calendars.calendar import Calendar
from services.calendars.public_holidays import countries
from services.calendars.registry import DEFAULT_TEAM
from services.calendars.team_file import TeamFileError, calendar_of, read_team_file
from services.clock import Clock
from services.database import Database, Pool
from services.eventlog.recording import store as recording
from services.settings import Settings

log = structlog.get_logger(__name__)

Origin = Literal["default", "file"]
SYSTEM = "leadline"


@dataclass(frozen=True, slots=True)
class Published:
    """The calendar in force, and the one that was before: None, an older version, or the same one where nothing changed."""

    calendar: Calendar
    before: Calendar | None

    @property
    def new(self) -> bool:
        """Whether it is in force only now."""
        return self.before is None or self.before.number != self.calendar.number


async def publish(pool: Pool, clock: Clock, text: str, by: str, file: str = "calendar.yaml") -> Published:
    """Put the calendar in a person's file in force. `by`: who does it. A text that means the calendar in force keeps its number.

    Raises TeamFileError; nothing was written then.
    """
    return await _publish(pool, clock, text, by, file, "file")


async def _publish(
    pool: Pool,
    clock: Clock,
    text: str,
    by: str,
    file: str,
    origin: Origin,
    stands: Callable[[store.Row | None], bool] = lambda _: True,
) -> Published:
    """The same; `stands`: whether it is still wanted, given what is in force under the lock."""
    team_file = read_team_file(text, file)
    team, now = team_file.team, await clock.now()
    body = stored.written(calendar_of(team_file, 1, now))
    sha256 = stored.fingerprint(body)
    async with pool.acquire() as database, database.transaction():
        await hold(database, team)
        there = await store.newest(database, team)
        before = None if there is None else stored.read(await store.body(database, team, there.number), there.number)
        if there is not None and before is not None and (there.sha256 == sha256 or not stands(there)):
            if stands(there) and (there.source, there.origin) != (text, origin):
                await store.set_source(database, team, there._replace(source=text, origin=origin), by)
            return Published(before, before)
        number = there.number + 1 if there is not None else 1
        await store.add(database, team, store.Row(number, sha256, text, origin), body, by, now)
    return Published(stored.read(body, number), before)


async def hold(database: Database, team: str) -> None:
    """Nobody else publishes a calendar of this team until the transaction ends."""
    name = hashlib.sha256(f"calendar:{team}".encode()).digest()
    await recording.lock(database, {recording.lock_number(name)})


async def renew(pool: Pool, clock: Clock, settings: Settings) -> None:
    """Have a calendar for the default team, and write out the public holidays of all calendars for the years to come.

    A file that this release cannot read any more stays in force as it is, with a warning in the log. Raises TeamFileError where
    the settings make no calendar.
    """
    async with pool.acquire() as database:
        there = {team: await store.newest(database, team) for team in await store.teams(database)}
    for team, row in there.items():
        if row is not None and row.origin == "file":
            file = f"{team}@{row.number}"
            try:
                await _publish(pool, clock, row.source, SYSTEM, file, "file", partial(eq, row))
            except TeamFileError as error:
                log.warning("calendar_not_renewed", calendar=file, problem=str(error))
    default = there.get(DEFAULT_TEAM)
    if default is None or default.origin == "default":
        text = default_text(settings)
        await _publish(pool, clock, text, SYSTEM, "the default calendar", "default", partial(eq, default))


def default_text(settings: Settings) -> str:
    """The calendar of a company that has published none: nine to six from Monday to Friday, in its zone and country."""
    lines = [f"team: {DEFAULT_TEAM}", f'time_zone: "{settings.time_zone}"', 'hours: {weekdays: ["09:00-18:00"]}']
    country = settings.default_region.upper()
    if country in countries():
        lines.append(f'holidays: {{country: "{country}"}}')
    return "\n".join([*lines, ""])
