"""The SQL of calendars' versions. A version's calendar never changes; what it was read from may be written anew."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from services.database import Database


class Row(NamedTuple):
    """The version in force: its number, the fingerprint of its body, the text it was read from, and who that is by."""

    number: int
    sha256: str
    source: str
    origin: str
    """`default`: made of the settings; `file`: published by a person."""


async def newest(database: Database, team: str) -> Row | None:
    """The version in force, or None."""
    row = await database.fetchrow(
        """SELECT number, sha256, source, origin FROM leadline.calendars
           WHERE team = $1 ORDER BY number DESC LIMIT 1""",
        team,
    )
    return None if row is None else Row(*row)


async def newest_number(database: Database, team: str) -> tuple[int, str] | None:
    """(number, fingerprint) of the version in force, or None."""
    row = await database.fetchrow(
        "SELECT number, sha256 FROM leadline.calendars WHERE team = $1 ORDER BY number DESC LIMIT 1", team
    )
    return None if row is None else (row[0], row[1])


async def fingerprint(database: Database, team: str, number: int) -> str | None:
    """The fingerprint of a version's body, or None."""
    found: str | None = await database.fetchval(
        "SELECT sha256 FROM leadline.calendars WHERE team = $1 AND number = $2", team, number
    )
    return found


async def body(database: Database, team: str, number: int) -> str:
    """The text of a version that is there."""
    text: str = await database.fetchval(
        "SELECT body FROM leadline.calendars WHERE team = $1 AND number = $2", team, number
    )
    return text


async def add(database: Database, team: str, row: Row, text: str, by: str, at: datetime) -> None:
    """Add a version with its body. Raises UniqueViolationError when the number is taken."""
    await database.execute(
        """INSERT INTO leadline.calendars (team, number, body, sha256, source, origin, published_by, at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        team,
        row.number,
        text,
        row.sha256,
        row.source,
        row.origin,
        by,
        at,
    )


async def set_source(database: Database, team: str, row: Row, by: str) -> None:
    """Say what a version is read from: a text that means the same calendar."""
    await database.execute(
        "UPDATE leadline.calendars SET source = $3, origin = $4, published_by = $5 WHERE team = $1 AND number = $2",
        team,
        row.number,
        row.source,
        row.origin,
        by,
    )


async def teams(database: Database) -> list[str]:
    """Teams that have a calendar, in order."""
    return [row[0] for row in await database.fetch("SELECT DISTINCT team FROM leadline.calendars ORDER BY 1")]
