"""Brings the database to this release's schema (Alembic with plain SQL files; projections are rebuilt, not migrated).

Invariants: idempotent. A database that is at the newest revision already is only looked at: importing Alembic takes longer
than all else of a warm start's preparation. Raises MigrationError, with the place and the way out.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import asyncpg

from services.settings import Settings

CONNECT_SECONDS: Final = 10
SCRIPTS: Final = Path(__file__).parent / "migrations"


class MigrationError(Exception):
    """The schema could not be brought to this release's. The text names the place and the way out, never a secret."""


async def migrate(settings: Settings) -> None:
    """Bring `settings.database_url` to the newest schema. Raises MigrationError."""
    url = settings.database_url.get_secret_value()
    if await _revision(url) == newest_revision():
        return
    from services.eventlog.upgrade import migrate_now

    await asyncio.to_thread(migrate_now, url)


def newest_revision() -> str:
    """The revision of this release: revisions are numbered by their files' names."""
    return max(file.name.partition("_")[0] for file in (SCRIPTS / "versions").glob("[0-9]*_*.py"))


async def _revision(url: str) -> str | None:
    """The revision a database is at; None where that cannot be read, which the upgrade then tells about."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None
    try:
        if await connection.fetchval("SELECT to_regclass('public.leadline_schema_version')") is None:
            return None
        revision: str | None = await connection.fetchval(
            "SELECT version_num FROM public.leadline_schema_version"  # Alembic's own table (`migrations/env.py`)
        )
        return revision
    finally:
        await connection.close()
