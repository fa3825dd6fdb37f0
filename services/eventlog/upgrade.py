"""Runs Alembic, for a database that is not at this release's schema yet (`services.eventlog.migrate` asks first).

Invariants: idempotent; one start at a time (advisory lock), the others wait at most `LOCK_SECONDS` and then find nothing to
do; all pending revisions in one transaction. Raises MigrationError, with the place and the way out, when the database
is newer than this release, locked for too long, or refuses; nothing is changed then.
"""

from __future__ import annotations

from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script.revision import ResolutionError
from alembic.util.exc import CommandError
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from services.eventlog.migrate import CONNECT_SECONDS, SCRIPTS, MigrationError

LOCK_SECONDS: Final = 120
LOCK_CLASS: Final = 7303
"""First half of the advisory lock's key; other classes are in `services.eventlog.relay.lock`."""


def migrate_now(url: str) -> None:
    """Bring the database at a plain `postgresql://` URL to the newest schema, blocking. Raises MigrationError."""
    target = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(
        target,
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "leadline-migrate"},
    )
    place = f"{target.host}:{target.port or 5432}/{target.database}"
    try:
        with engine.connect() as connection:
            _upgrade(connection)
    except (ResolutionError, CommandError) as error:
        raise MigrationError(
            f"the schema of {place} is not one that this release knows ({error}): it was made by a newer release; start that "
            "one, or restore the backup taken before it"
        ) from error
    except (DBAPIError, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise MigrationError(f"the schema of {place} could not be brought up to date: {cause}") from error
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{LOCK_SECONDS}s'"))  # bounds the wait for the advisory lock too
    connection.execute(text("SELECT pg_advisory_lock(:class, 0)"), {"class": LOCK_CLASS})
    connection.commit()  # the lock is the session's; Alembic begins its own transaction
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
