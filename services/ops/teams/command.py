"""`leadline team check|publish|show|list` (C4, N19).

Exit status 0: the file is right, or its team is in force, or teams were shown; 2: the file cannot be read or is no team, there is
no such team, no system answers. Nothing is written but by `publish`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from services.ops.pipeline_files import read_text
from services.ops.place import BAD_INPUT, OpsError, Place, load_settings
from services.ops.terminal import console, plain, print_json, user

if TYPE_CHECKING:
    from services.teams.team_file import TeamFileError

Language = Literal["ru", "en"]
DONE = 0


@dataclass(frozen=True, slots=True)
class Typed:
    """How it is printed. `language`: None: the settings'."""

    json: bool = False
    language: Language | None = None


def check(place: Place, typed: Typed, path: Path) -> int:
    """Say what a team's file means, or what is wrong with it. Raises OpsError."""
    from services.ops.teams import telling
    from services.teams.team_file import TeamFileError, read_team

    language = typed.language or cast(Language, load_settings().language)
    try:
        found = read_team(read_text(path), str(path))
    except TeamFileError as error:
        return _wrong(path, error, typed, language)
    if typed.json:
        print_json({"file": str(path), "ok": True, **telling.as_object(found, None, {})})
    else:
        say = telling.Say(language)
        _print([say("fits", file=path, team=found.team), *telling.summary(found, {}, say)])
    return DONE


async def publish(place: Place, typed: Typed, path: Path) -> int:
    """Put a file's team in force. Raises OpsError."""
    from contracts.meta import Actor
    from services.ops.connect import clock_of_system, ops_pool
    from services.ops.teams import telling
    from services.ops.teams.differences import differences
    from services.teams.publishing import publish as publishing
    from services.teams.team_file import TeamFileError

    settings = place.settings()
    text, language = read_text(path), typed.language or cast(Language, settings.language)
    actor = Actor(id=user(), kind="person", role="ops")
    try:
        async with ops_pool(settings) as pool:
            made = await publishing(pool, await clock_of_system(settings, pool), text, actor, str(path))
    except TeamFileError as error:
        return _wrong(path, error, typed, language)
    changes = differences(made.before[0], made.team) if made.before is not None else ()
    if typed.json:
        told = [{"what": change.what, "at": change.at, "ru": change.ru, "en": change.en} for change in changes]
        print_json({"new": made.new, "changes": told, **telling.as_object(made.team, made.number, {})})
    else:
        say = telling.Say(language)
        _print([*telling.changed(made, changes, say), *telling.summary(made.team, {}, say)])
    return DONE


async def show(place: Place, typed: Typed, team: str) -> int:
    """Show the team in force. Raises OpsError."""
    from services.ops.connect import ops_pool
    from services.ops.teams import store, telling
    from services.teams.registry import NoSuchTeamError, current

    settings = place.settings()
    async with ops_pool(settings) as pool, pool.acquire() as database:
        try:
            found, number = await current(database, team)
        except NoSuchTeamError as error:
            raise OpsError(str(error)) from None
        loads = await store.open_leads(database, list(found.by_name))
    if typed.json:
        print_json(telling.as_object(found, number, loads))
    else:
        say = telling.Say(typed.language or cast(Language, settings.language))
        _print([say("head", team=found.team, number=number), *telling.summary(found, loads, say)])
    return DONE


async def listing(place: Place, typed: Typed) -> int:
    """List the teams in force. Raises OpsError."""
    from services.ops.connect import ops_pool
    from services.ops.teams import telling
    from services.teams import store
    from services.teams.registry import current

    settings = place.settings()
    async with ops_pool(settings) as pool, pool.acquire() as database:
        found = [await current(database, team) for team in await store.teams(database)]
    if typed.json:
        print_json([telling.as_object(team, number, {}) for team, number in found])
    else:
        say = telling.Say(typed.language or cast(Language, settings.language))
        _print([telling.one_line(team, number, say) for team, number in found])
    return DONE


def _wrong(path: Path, error: TeamFileError, typed: Typed, language: Language) -> int:
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
