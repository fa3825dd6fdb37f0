"""Teams in force: read, cached by number and fingerprint for ever (a version never changes).

Invariants: `current` sees a version as soon as it is published. A team that does not exist raises `NoSuchTeamError`, naming
those that do.
"""

from __future__ import annotations

from datetime import date

from contracts.team import DEFAULT_TEAM, Team
from services.database import Database
from services.teams import store
from services.teams.team_file import read_team

_read: dict[tuple[str, int, str], Team] = {}
"""Teams by (id, number, SHA-256 of the text)."""


class NoSuchTeamError(LookupError):
    """There is no team of this id or number."""


async def current(database: Database, team: str = DEFAULT_TEAM) -> tuple[Team, int]:
    """The version in force and its number. Raises NoSuchTeamError."""
    found = await store.newest_number(database, team)
    if found is None:
        there = ", ".join(await store.teams(database)) or "none yet; run: leadline prepare"
        raise NoSuchTeamError(f"no team {team}; there are: {there}")
    number, sha256 = found
    held = _read.get((team, number, sha256))
    return (held if held is not None else await version(database, team, number)), number


async def everybody(database: Database, today: date) -> tuple[str, ...]:
    """Everybody of every team who has not left, the default team first, heads after their members."""
    found: dict[str, None] = {}
    for name in sorted(await store.teams(database), key=lambda team: (team != DEFAULT_TEAM, team)):
        team, _ = await current(database, name)
        found |= {member.name: None for member in team.members if member.left is None or member.left > today}
        found |= {} if team.head is None else {team.head: None}
    return tuple(found)


async def version(database: Database, team: str, number: int) -> Team:
    """A version by its number. Raises NoSuchTeamError."""
    found = await store.source(database, team, number)
    if found is None:
        raise NoSuchTeamError(f"no version {number} of the team {team}")
    text, sha256 = found
    held = _read.get((team, number, sha256))
    if held is None:
        held = _read[(team, number, sha256)] = read_team(text, f"{team}@{number}")
    return held
