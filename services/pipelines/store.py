"""The SQL of pipeline versions and the archive. Versions are only added; the events of pipelines say the same on Kafka."""

from __future__ import annotations

from datetime import datetime

from services.database import Database


async def newest(database: Database, pipeline: str) -> tuple[int, str, str] | None:
    """(number, YAML text, its SHA-256) of the version in force, or None."""
    row = await database.fetchrow(
        """SELECT number, source, sha256 FROM leadline.pipeline_versions WHERE pipeline = $1 ORDER BY number DESC LIMIT 1""",
        pipeline,
    )
    return None if row is None else (row[0], row[1], row[2])


async def newest_number(database: Database, pipeline: str) -> tuple[int, str] | None:
    """(number, SHA-256 of its YAML text) of the version in force, or None."""
    row = await database.fetchrow(
        "SELECT number, sha256 FROM leadline.pipeline_versions WHERE pipeline = $1 ORDER BY number DESC LIMIT 1",
        pipeline,
    )
    return None if row is None else (row[0], row[1])


async def source(database: Database, pipeline: str, number: int) -> str | None:
    """The YAML text of a version, or None."""
    text: str | None = await database.fetchval(
        "SELECT source FROM leadline.pipeline_versions WHERE pipeline = $1 AND number = $2", pipeline, number
    )
    return text


async def add(database: Database, pipeline: str, number: int, text: str, sha256: str, at: datetime) -> None:
    """Add a version. Raises UniqueViolationError when the number is taken."""
    await database.execute(
        """INSERT INTO leadline.pipeline_versions (pipeline, number, source, sha256, published_at)
           VALUES ($1, $2, $3, $4, $5)""",
        pipeline,
        number,
        text,
        sha256,
        at,
    )


async def numbered(database: Database, pipeline: str) -> list[tuple[int, str, datetime]]:
    """All versions, the first first: (number, YAML text, published at)."""
    rows = await database.fetch(
        """SELECT number, source, published_at FROM leadline.pipeline_versions WHERE pipeline = $1 ORDER BY number""",
        pipeline,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def archived_at(database: Database, pipeline: str) -> datetime | None:
    """Since when a pipeline is archived; None while it is in force."""
    at: datetime | None = await database.fetchval(
        "SELECT archived_at FROM leadline.archived_pipelines WHERE pipeline = $1", pipeline
    )
    return at


async def set_archived(database: Database, pipeline: str, at: datetime | None) -> None:
    """Put a pipeline into the archive, or take it out (None)."""
    if at is None:
        await database.execute("DELETE FROM leadline.archived_pipelines WHERE pipeline = $1", pipeline)
    else:
        await database.execute(
            "INSERT INTO leadline.archived_pipelines (pipeline, archived_at) VALUES ($1, $2)", pipeline, at
        )


async def names(database: Database) -> list[str]:
    """Ids of all pipelines, in order."""
    return [
        row[0] for row in await database.fetch("SELECT DISTINCT pipeline FROM leadline.pipeline_versions ORDER BY 1")
    ]
