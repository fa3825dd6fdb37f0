"""SQL of filling a topic: what it has (a temporary table of this session), and what of the store it lacks.

Invariants: what waits in the outbox is not lacking, the relay brings it; events come in (stream, version) order; cursors keep
memory bounded, so the `lacking_*` need a transaction around them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.database import Database

WHOLE_SECONDS: Final = 600.0
"""Limit of a statement that looks at a whole table."""


async def begin_inventory(database: Database) -> None:
    """An empty list of what a topic has, for this session alone."""
    await database.execute(
        "CREATE TEMP TABLE IF NOT EXISTS relay_present (stream uuid NOT NULL, version bigint NOT NULL)"
    )
    await database.execute("TRUNCATE relay_present")


async def note_present(database: Database, records: Sequence[tuple[UUID, int]]) -> None:
    """Add to the list of what a topic has."""
    await database.copy_records_to_table("relay_present", records=records, columns=["stream", "version"])


async def count_present(database: Database) -> tuple[int, int]:
    """How many records were noted, and how many different ones."""
    await database.execute("ANALYZE relay_present", timeout=WHOLE_SECONDS)
    row = await database.fetchrow(
        "SELECT coalesce(sum(times), 0), count(*) FROM (SELECT count(*) AS times FROM relay_present GROUP BY stream, version)",
        timeout=WHOLE_SECONDS,
    )
    return int(row[0]), int(row[1])


async def allow_joins(database: Database) -> None:
    """For the rest of the transaction: plans for work on everything, instead of the session's for work by key."""
    await database.execute("SET LOCAL enable_seqscan = on; SET LOCAL work_mem = '64MB'")


_LACKING = """NOT EXISTS (SELECT FROM relay_present AS p WHERE p.stream = {0} AND p.version = {1})
              AND NOT EXISTS (SELECT FROM leadline.outbox AS o WHERE o.topic = $1 AND o.stream = {0} AND o.version = {1})"""


async def lacking_events(
    database: Database, topic: str, kinds: Sequence[str]
) -> AsyncIterator[tuple[bytes, bytes, datetime]]:
    """State, digest and time of events a topic has not and the outbox will not bring, in (stream, version) order."""
    lacking = _LACKING.format("e.originator_id", "e.originator_version")
    async for row in database.cursor(
        f"""SELECT e.state, e.digest, e.recorded_at FROM leadline.events AS e
            WHERE e.kind = ANY($2::text[]) AND {lacking}
            ORDER BY e.originator_id, e.originator_version""",  # noqa: S608 - constants
        topic,
        kinds,
        prefetch=1_000,
        timeout=WHOLE_SECONDS,
    ):
        yield row[0], row[1], row[2]


async def lacking_refusals(database: Database, topic: str) -> AsyncIterator[tuple[str, str, bytes]]:
    """Key, headers (JSON) and value of refusals a topic has not and the outbox will not bring."""
    lacking = _LACKING.format("r.command", "1")
    async for row in database.cursor(
        f"""SELECT r.key, r.headers::text, r.value FROM leadline.refusals AS r WHERE {lacking}
            ORDER BY r.command""",  # noqa: S608 - constants
        topic,
        prefetch=1_000,
        timeout=WHOLE_SECONDS,
    ):
        yield row[0], row[1], row[2]


async def lacking_intake(database: Database, topic: str) -> AsyncIterator[tuple[UUID, int, str, str, datetime]]:
    """Id, attempt, channel, account and time of receipt of messages without an outcome that a topic has not."""
    lacking = _LACKING.format("i.id", "i.attempt")
    async for row in database.cursor(
        f"""SELECT i.id, i.attempt, i.channel, i.account, i.received_at FROM leadline.intake AS i
            LEFT JOIN leadline.inbound_outcomes AS x ON x.inbound_id = i.id
            WHERE (x.inbound_id IS NULL OR x.attempt < i.attempt) AND {lacking} ORDER BY i.id""",  # noqa: S608 - constants
        topic,
        prefetch=1_000,
        timeout=WHOLE_SECONDS,
    ):
        yield row[0], row[1], row[2], row[3], row[4]


async def count_stored(database: Database, kinds: Sequence[str]) -> int:
    """How many events of these kinds there are."""
    found: int = await database.fetchval(
        "SELECT count(*) FROM leadline.events WHERE kind = ANY($1::text[])", kinds, timeout=WHOLE_SECONDS
    )
    return found
