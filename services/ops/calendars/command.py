"""`leadline calendar FILE` and `leadline calendar --show` (C2, decision 12).

Exit status 0: the file is right (with `--publish`: its calendar is in force), or the days were shown; 2: the file cannot be read
or is no calendar, there is no such team, no system answers. Nothing is written but by `--publish`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from services.ops.pipeline_files import read_text
from services.ops.place import BAD_INPUT, OpsError, Place, load_settings
from services.ops.terminal import console, plain, print_json, user

if TYPE_CHECKING:
    from services.calendars.team_file import TeamFile, TeamFileError

Language = Literal["ru", "en"]
DONE = 0


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed. `language`: of what is printed; None: the settings'."""

    file: Path | None
    publish: bool = False
    show: bool = False
    team: str | None = None
    json: bool = False
    language: Language | None = None


async def calendar(place: Place, typed: Typed) -> int:
    """Check or publish a file, or show the calendar in force. Raises OpsError."""
    if typed.show and (typed.file is not None or typed.publish):
        raise OpsError("--show shows what is in force: leave the file and --publish out")
    if typed.show:
        return await _show(place, typed)
    if typed.file is None:
        raise OpsError("name a calendar's file, or show the one in force: leadline calendar --show")
    if typed.team is not None:
        raise OpsError("the file says whose calendar it is; --team goes with --show")
    if typed.publish:
        return await _publish(place, typed, typed.file)
    return _check(typed, typed.file)


def _check(typed: Typed, path: Path) -> int:
    from services.calendars.team_file import TeamFileError, calendar_of, read_team_file
    from services.ops.calendars import telling

    text, now, language = read_text(path), datetime.now(UTC), _language(typed)
    try:
        team_file = read_team_file(text, str(path))
        found = calendar_of(team_file, 0, now)
    except TeamFileError as error:
        return _wrong(path, error, typed, language)
    today, titles = found.local(now).date(), _titles(team_file, now, language)
    if typed.json:
        days = telling.as_object(found, today, telling.COMING, titles)
        print_json({"file": str(path), "ok": True, **days})
    else:
        say = telling.Say(language)
        _print([say("fits", file=path, team=found.team), *telling.summary(found, today, titles, say)])
    return DONE


async def _publish(place: Place, typed: Typed, path: Path) -> int:
    from services.calendars.differences import differences
    from services.calendars.publishing import publish
    from services.calendars.team_file import TeamFileError, read_team_file
    from services.ops.calendars import telling
    from services.ops.connect import clock_of_system, ops_pool

    settings = place.settings()
    text, language = read_text(path), typed.language or cast(Language, settings.language)
    try:
        async with ops_pool(settings) as pool:
            clock = await clock_of_system(settings, pool)
            now = await clock.now()
            made = await publish(pool, clock, text, user(), str(path))
    except TeamFileError as error:
        return _wrong(path, error, typed, language)
    found = made.calendar
    today = found.local(now).date()
    changes = differences(made.before, found, today) if made.before is not None else ()
    titles = _titles(read_team_file(text, str(path)), now, language)
    if typed.json:
        days = telling.as_object(found, today, telling.COMING, titles)
        print_json({"new": made.new, "changes": telling.changes_object(changes), **days})
    else:
        say = telling.Say(language)
        lines = telling.changed(found.team, found.number, made.before, changes, say)
        _print([*lines, *telling.summary(found, today, titles, say)])
    return DONE


async def _show(place: Place, typed: Typed) -> int:
    from services.calendars import store
    from services.calendars.registry import DEFAULT_TEAM, NoSuchCalendarError, current
    from services.calendars.team_file import TeamFileError, read_team_file
    from services.ops.calendars import telling
    from services.ops.connect import clock_of_system, ops_pool

    settings, team = place.settings(), typed.team or DEFAULT_TEAM
    language = typed.language or cast(Language, settings.language)
    async with ops_pool(settings) as pool:
        now = await (await clock_of_system(settings, pool)).now()
        async with pool.acquire() as database:
            try:
                found = await current(database, team)
            except NoSuchCalendarError as error:
                raise OpsError(str(error)) from None
            row = await store.newest(database, team)
    titles: Mapping[date, str] = {}
    if row is not None:
        try:
            titles = _titles(read_team_file(row.source, team), now, language)
        except TeamFileError:  # written for an older release: days are shown without the names of holidays
            titles = {}
    today = found.local(now).date()
    if typed.json:
        print_json(telling.as_object(found, today, telling.SHOWN, titles))
    else:
        _print(telling.days_to_come(found, today, titles, telling.Say(language)))
    return DONE


def _language(typed: Typed) -> Language:
    return typed.language or cast(Language, load_settings().language)


def _titles(team_file: TeamFile, now: datetime, language: Language) -> Mapping[date, str]:
    """Names of public holidays of this year and the next."""
    from services.calendars.public_holidays import public_days

    asked = team_file.holidays
    if asked is None:
        return {}
    return public_days(asked.country, asked.subdivision, (now.year, now.year + 1), language).off


def _wrong(path: Path, error: TeamFileError, typed: Typed, language: Language) -> int:
    """Say what is wrong with a file."""
    if typed.json:
        invalid = {"ru": error.ru.splitlines(), "en": str(error).splitlines()}
        print_json({"file": str(path), "ok": False, "invalid": invalid})
        return BAD_INPUT
    raise OpsError(error.ru if language == "ru" else str(error))


def _print(lines: Sequence[str]) -> None:
    out = console()
    for line in lines:
        indent = len(line) - len(line.lstrip())
        out.print(" " * indent + plain(line))
