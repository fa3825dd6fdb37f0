"""What the projections' reads share: the live build, cursors of pages, checksums over tables."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from datetime import datetime
from typing import Final
from uuid import UUID

from projections.builds import store
from projections.projection import schema_of
from services.database import Database

LOOK_SECONDS: Final = 0.25
"""For how long a connection trusts what it knows of the live builds. The build before stays readable far longer."""

_known: dict[int, tuple[float, dict[str, int]]] = {}
"""By the connection's server process: when it looked, and what was live."""


class NotBuiltError(LookupError):
    """The projection has no live build yet: the projections' service makes it when it starts."""


async def live_schema(connection: Database, projection: str) -> str:
    """The schema of a projection's live build. Raises NotBuiltError when there is none."""
    process, now = connection.get_server_pid(), time.monotonic()
    looked, builds = _known.get(process, (now - LOOK_SECONDS, {}))
    if now - looked >= LOOK_SECONDS or projection not in builds:
        builds = await store.live(connection)
        if len(_known) > 1_000:
            _known.clear()
        _known[process] = (now, builds)
    if projection not in builds:
        raise NotBuiltError(f"the projection {projection} is not built yet")
    return schema_of(projection, builds[projection])


def cursor_of(at: datetime, row: UUID) -> str:
    """The place after a row in a list ordered by time and id."""
    return base64.urlsafe_b64encode(f"{at.isoformat()} {row}".encode()).decode().rstrip("=")


def cursor(text: str | None) -> tuple[datetime | None, UUID | None]:
    """What `cursor_of` was made from; (None, None) for the beginning. Raises ValueError for any other text."""
    if text is None:
        return None, None
    try:
        at, _, row = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
        return datetime.fromisoformat(at), UUID(row)
    except (ValueError, binascii.Error) as error:
        raise ValueError("this is no cursor of ours: leave `after` out to begin anew") from error


async def checksum_of(connection: Database, *selects: str) -> bytes:
    """32 bytes over all rows of these selects (one text column `line` each), the same in whatever order they come.

    Each row's SHA-256 is added up in four parts in the database, so that no row travels.
    """
    digest = hashlib.sha256()
    parts = ", ".join(
        f"coalesce(sum(('x' || substr(h, {1 + 16 * n}, 16))::bit(64)::bigint::numeric), 0)::text" for n in range(4)
    )
    for select in selects:
        row = await connection.fetchrow(
            f"""SELECT count(*), {parts}
                FROM (SELECT encode(sha256(convert_to(line, 'UTF8')), 'hex') AS h FROM ({select}) AS s) AS d"""  # noqa: S608
        )
        assert row is not None
        digest.update(("|".join(str(value) for value in row) + ";").encode())
    return digest.digest()
