"""SQL of the builds: the live ones, and the record of each.

Invariants: `leadline.live_builds` says what readers see and what the live consumer writes; who writes rows in a transaction holds
these rows FOR SHARE (`hold_live`), a swap FOR UPDATE, so no batch is ever written half to the one build and half to the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from services.database import Database


@dataclass(frozen=True, slots=True)
class Build:
    """A build. `upto`: filled up to this stream; `seen_build`: the number under which `leadline.seen` says what it holds."""

    projection: str
    build: int
    status: str
    fingerprint: str
    upto: UUID | None
    filled: bool
    seen_build: int | None
    events: int


_COLUMNS = "projection, build, status, fingerprint, upto, filled, seen_build, events"


async def live(connection: Database) -> dict[str, int]:
    """The live build of each projection that has one."""
    return {row[0]: row[1] for row in await connection.fetch("SELECT projection, build FROM leadline.live_builds")}


async def hold_live(connection: Database) -> dict[str, int]:
    """The same, and until the transaction ends no other build becomes live."""
    rows = await connection.fetch("SELECT projection, build FROM leadline.live_builds FOR SHARE")
    return {row[0]: row[1] for row in rows}


async def stop_live(connection: Database, projection: str) -> int | None:
    """The live build of a projection; until the transaction ends nobody writes any build that is live."""
    rows = await connection.fetch("SELECT projection, build FROM leadline.live_builds ORDER BY projection FOR UPDATE")
    return {row[0]: row[1] for row in rows}.get(projection)


async def builds(connection: Database, projection: str) -> list[Build]:
    """All builds of a projection, the newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM leadline.builds WHERE projection = $1 ORDER BY build DESC",  # noqa: S608
        projection,
    )
    return [Build(*row) for row in rows]


async def begin(connection: Database, projection: str, fingerprint: str) -> Build:
    """A new build, without tables yet; its number is above all there are."""
    row = await connection.fetchrow(
        f"""INSERT INTO leadline.builds (projection, build, status, fingerprint, seen_build)
            SELECT $1, n, 'building', $2, n FROM (
                SELECT coalesce(max(build), 0) + 1 AS n FROM leadline.builds WHERE projection = $1) AS next
            RETURNING {_COLUMNS}""",  # noqa: S608
        projection,
        fingerprint,
    )
    assert row is not None
    return Build(*row)


async def make_first(connection: Database, projection: str, fingerprint: str) -> int:
    """The first build of a projection in a system that has no events yet: live at once."""
    await connection.execute(
        """INSERT INTO leadline.builds (projection, build, status, fingerprint, filled, live_at)
           VALUES ($1, 1, 'live', $2, true, now())""",
        projection,
        fingerprint,
    )
    await connection.execute("INSERT INTO leadline.live_builds (projection, build) VALUES ($1, 1)", projection)
    return 1


async def restamp(connection: Database, projection: str, build: int, fingerprint: str) -> None:
    """The tables of a build that held nothing were made anew."""
    await connection.execute(
        "UPDATE leadline.builds SET fingerprint = $3 WHERE projection = $1 AND build = $2",
        projection,
        build,
        fingerprint,
    )


async def filled_up_to(connection: Database, build: Build, stream: UUID | None, events: int, *, whole: bool) -> None:
    """Note how far a build is filled, in the transaction of its rows. `events`: applied since the last note."""
    await connection.execute(
        """UPDATE leadline.builds SET upto = coalesce($3, upto), filled = $4, events = events + $5
           WHERE projection = $1 AND build = $2""",
        build.projection,
        build.build,
        stream,
        whole,
        events,
    )


async def refuse(connection: Database, build: Build, report: dict[str, Any]) -> None:
    """The build is not as it should be: kept to be looked at, never live."""
    await connection.execute(
        "UPDATE leadline.builds SET status = 'refused', report = $3::jsonb WHERE projection = $1 AND build = $2",
        build.projection,
        build.build,
        orjson.dumps(report, default=str).decode(),
    )


async def go_live(connection: Database, build: Build, was: int | None, report: dict[str, Any]) -> None:
    """Make the build live and keep the one before, which from here on stands still at what the new one has seen."""
    if was is not None:
        await connection.execute(
            """UPDATE leadline.builds SET status = 'kept', left_at = now(), seen_build = $3
               WHERE projection = $1 AND build = $2""",
            build.projection,
            was,
            build.seen_build,
        )
    await connection.execute(
        """UPDATE leadline.builds SET status = 'live', live_at = now(), left_at = NULL, seen_build = NULL,
                  report = $3::jsonb
           WHERE projection = $1 AND build = $2""",
        build.projection,
        build.build,
        orjson.dumps(report, default=str).decode(),
    )
    await connection.execute(
        """INSERT INTO leadline.live_builds (projection, build) VALUES ($1, $2)
           ON CONFLICT (projection) DO UPDATE SET build = excluded.build""",
        build.projection,
        build.build,
    )


async def forget(connection: Database, build: Build, consumer: str) -> None:
    """Forget a build whose tables are gone, and what it had seen unless another build stands at the same."""
    await connection.execute(
        "DELETE FROM leadline.builds WHERE projection = $1 AND build = $2", build.projection, build.build
    )
    await connection.execute("DELETE FROM leadline.live_builds WHERE projection = $1 AND build = $2", build.projection, build.build)  # fmt: skip  # noqa: E501
    await connection.execute(
        """DELETE FROM leadline.seen WHERE consumer = $1 AND build = $2 AND NOT EXISTS (
               SELECT FROM leadline.builds WHERE projection = $3 AND seen_build = $2)""",
        consumer,
        build.seen_build,
        build.projection,
    )
