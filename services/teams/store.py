"""The SQL of teams' versions. Versions are only added; the events of teams say the same on Kafka."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from services.database import Database


class Row(NamedTuple):
    """The version in force: its number, its YAML text with the SHA-256, and who that is by."""

    number: int
    source: str
    sha256: str
    origin: str
    """`default`: made of the settings; `file`: published by a person."""


async def newest(database: Database, team: str) -> Row | None:
    """The version in force, or None."""
    row = await database.fetchrow(
        "SELECT number, source, sha256, origin FROM leadline.teams WHERE team = $1 ORDER BY number DESC LIMIT 1", team
    )
    return None if row is None else Row(*row)


async def newest_number(database: Database, team: str) -> tuple[int, str] | None:
    """(number, SHA-256) of the version in force, or None."""
    row = await database.fetchrow(
        "SELECT number, sha256 FROM leadline.teams WHERE team = $1 ORDER BY number DESC LIMIT 1", team
    )
    return None if row is None else (row[0], row[1])


async def source(database: Database, team: str, number: int) -> tuple[str, str] | None:
    """(YAML text, SHA-256) of a version, or None."""
    row = await database.fetchrow(
        "SELECT source, sha256 FROM leadline.teams WHERE team = $1 AND number = $2", team, number
    )
    return None if row is None else (row[0], row[1])


async def add(database: Database, team: str, row: Row, by: str, at: datetime) -> None:
    """Add a version. Raises UniqueViolationError when the number is taken."""
    await database.execute(
        """INSERT INTO leadline.teams (team, number, source, sha256, origin, published_by, at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        team,
        *row,
        by,
        at,
    )


async def set_origin(database: Database, team: str, number: int, origin: str, by: str) -> None:
    """Say who stands behind a version whose text stays the same."""
    await database.execute(
        "UPDATE leadline.teams SET origin = $3, published_by = $4 WHERE team = $1 AND number = $2",
        team,
        number,
        origin,
        by,
    )


async def teams(database: Database) -> list[str]:
    """Teams that there are, in order."""
    return [row[0] for row in await database.fetch("SELECT DISTINCT team FROM leadline.teams ORDER BY 1")]


async def calendars(database: Database) -> list[str]:
    """Teams that have a calendar, in order."""
    return [row[0] for row in await database.fetch("SELECT DISTINCT team FROM leadline.calendars ORDER BY 1")]
