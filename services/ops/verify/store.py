"""All SQL of `verify`: reads only, in one REPEATABLE READ snapshot; and the second read, after the topics.

Invariants: every statement is bounded by a range of stream ids or by a page, so that memory is too; nothing is written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from contracts.topics import LEADS_REFUSALS
from services.database import CONNECT_SECONDS, Database
from services.settings import Settings

STATEMENT_SECONDS = 900.0
PAGE = 10_000
FIRST = UUID(int=0)
LAST = UUID(int=2**128 - 1)


class EventRow(NamedTuple):
    """A row of the event store, as it is."""

    stream: UUID
    version: int
    type: str
    kind: str
    state: bytes
    recorded_at: Any
    digest: bytes


class TimerRow(NamedTuple):
    """A timer that is armed and not closed, as the robots service keeps it."""

    stream: UUID
    kind: str
    pipeline: str
    robot: str
    due_at: Any
    armed_version: int


class SeenRow(NamedTuple):
    """Up to where a consumer has applied a stream."""

    consumer: str
    build: int
    stream: UUID
    version: int
    digest: bytes


@asynccontextmanager
async def snapshot(settings: Settings) -> AsyncIterator[Database]:
    """A connection in a REPEATABLE READ, read-only transaction whose snapshot is taken. Raises one of `LOST`."""
    connection = await asyncpg.connect(
        settings.database_url.get_secret_value(),
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        server_settings={
            "application_name": "leadline-verify",
            "idle_in_transaction_session_timeout": "0",  # the topics are read while this snapshot stays open
            "jit": "off",
        },
    )
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.fetchval("SELECT count(*) FROM leadline.positions")  # the first query takes the snapshot
            yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def second_read(settings: Settings) -> AsyncIterator[Database]:
    """A connection outside the snapshot: it sees what came after."""
    connection = await asyncpg.connect(
        settings.database_url.get_secret_value(),
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        server_settings={"application_name": "leadline-verify"},
    )
    try:
        yield connection
    finally:
        connection.terminate()


async def estimated_events(database: Database) -> int:
    """About how many events there are, for the progress bar."""
    estimate: int = await database.fetchval(
        "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'leadline.events'::regclass"
    )
    return estimate


async def chunk_end(database: Database, begin: UUID, events: int) -> UUID:
    """The last stream of a range that begins at `begin` and holds about `events` events; `LAST` at the end."""
    last: UUID | None = await database.fetchval(
        """SELECT originator_id FROM leadline.events WHERE originator_id >= $1
           ORDER BY originator_id, originator_version OFFSET $2 LIMIT 1""",
        begin,
        events,
    )
    return last or LAST


async def events_between(database: Database, begin: UUID, end: UUID) -> list[EventRow]:
    """The events of the streams from `begin` to `end`, both included, in (stream, version) order."""
    rows = await database.fetch(
        """SELECT originator_id, originator_version, topic, kind, state, recorded_at, digest FROM leadline.events
           WHERE originator_id BETWEEN $1 AND $2 ORDER BY originator_id, originator_version""",
        begin,
        end,
    )
    return [EventRow(*row) for row in rows]


async def events_named(database: Database, names: Sequence[tuple[UUID, int]]) -> dict[tuple[UUID, int], EventRow]:
    """These events, those that are there."""
    rows = await database.fetch(
        """SELECT e.originator_id, e.originator_version, e.topic, e.kind, e.state, e.recorded_at, e.digest
           FROM unnest($1::uuid[], $2::bigint[]) AS w (stream, version)
           JOIN leadline.events AS e ON e.originator_id = w.stream AND e.originator_version = w.version""",
        [name[0] for name in names],
        [name[1] for name in names],
    )
    return {(row[0], row[1]): EventRow(*row) for row in rows}


async def outbox(database: Database) -> AsyncIterator[list[tuple[str, str, UUID, int, bytes | None]]]:
    """The outbox in pages: (topic, key, stream, version, value or None for an event)."""
    after = -1
    while True:
        rows = await database.fetch(
            """SELECT n, topic, key, stream, version, value FROM leadline.outbox
               WHERE n > $1 ORDER BY n LIMIT $2""",
            after,
            PAGE,
        )
        if not rows:
            return
        after = rows[-1][0]
        yield [tuple(row)[1:] for row in rows]


async def open_leads_between(database: Database, begin: UUID, end: UUID) -> dict[UUID, tuple[UUID, str]]:
    """Open-lead claims by lead: (contact, pipeline)."""
    rows = await database.fetch(
        "SELECT lead, contact, pipeline FROM leadline.open_leads WHERE lead BETWEEN $1 AND $2", begin, end
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def person_leads_between(database: Database, begin: UUID, end: UUID) -> dict[UUID, tuple[UUID, str, Any]]:
    """Whose leads are, by lead: (contact, pipeline, captured at)."""
    rows = await database.fetch(
        "SELECT lead, contact, pipeline, captured_at FROM leadline.person_leads WHERE lead BETWEEN $1 AND $2",
        begin,
        end,
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


async def merged_between(database: Database, begin: UUID, end: UUID) -> dict[UUID, tuple[UUID, UUID, UUID]]:
    """Merged contacts: (into which, who is said to go on, who does by following the chain)."""
    rows = await database.fetch(
        """WITH RECURSIVE chain AS (
               SELECT contact, into_contact AS at, 1 AS steps FROM leadline.merged_contacts WHERE contact BETWEEN $1 AND $2
               UNION ALL
               SELECT chain.contact, m.into_contact, steps + 1
               FROM chain JOIN leadline.merged_contacts AS m ON m.contact = chain.at WHERE steps < 1000)
           SELECT DISTINCT ON (m.contact) m.contact, m.into_contact, m.head, chain.at
           FROM leadline.merged_contacts AS m JOIN chain USING (contact) ORDER BY m.contact, chain.steps DESC""",
        begin,
        end,
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


async def heads(database: Database, contacts: Sequence[UUID]) -> dict[UUID, UUID]:
    """Of those of these contacts that were merged: the one that goes on for them."""
    rows = await database.fetch(
        "SELECT contact, head FROM leadline.merged_contacts WHERE contact = ANY($1::uuid[])", contacts
    )
    return {row[0]: row[1] for row in rows}


async def identities_between(database: Database, begin: UUID, end: UUID) -> dict[UUID, dict[bytes, tuple[str, bool]]]:
    """Identity claims by contact: HMAC to (kind, shared)."""
    rows = await database.fetch(
        "SELECT contact, hmac, kind, shared FROM leadline.identities WHERE contact BETWEEN $1 AND $2", begin, end
    )
    found: dict[UUID, dict[bytes, tuple[str, bool]]] = {}
    for row in rows:
        found.setdefault(row[0], {})[row[1]] = (row[2], row[3])
    return found


async def company_identities_between(database: Database, begin: UUID, end: UUID) -> dict[UUID, dict[bytes, str]]:
    """What finds companies, by company: HMAC to kind."""
    rows = await database.fetch(
        "SELECT company, hmac, kind FROM leadline.company_identities WHERE company BETWEEN $1 AND $2", begin, end
    )
    found: dict[UUID, dict[bytes, str]] = {}
    for row in rows:
        found.setdefault(row[0], {})[row[1]] = row[2]
    return found


async def keys_named(database: Database, ids: Sequence[UUID]) -> dict[UUID, bool]:
    """Whether these keys still exist; an id without a row is not in the answer."""
    rows = await database.fetch("SELECT id, wrapped IS NOT NULL FROM vault.keys WHERE id = ANY($1::uuid[])", ids)
    return {row[0]: row[1] for row in rows}


async def seen_between(database: Database, begin: UUID, end: UUID) -> list[SeenRow]:
    """Up to where each consumer has applied the streams of a range."""
    rows = await database.fetch(
        "SELECT consumer, build, stream, version, digest FROM leadline.seen WHERE stream BETWEEN $1 AND $2 "
        "AND consumer NOT LIKE 'rebuild-%'",  # builds that are not live may stand where they were left
        begin,
        end,
    )
    return [SeenRow(*row) for row in rows]


async def timers_seen(database: Database, begin: UUID, end: UUID) -> dict[UUID, int]:
    """Up to which version the robots service has applied the streams of a range."""
    rows = await database.fetch(
        "SELECT stream, version FROM leadline.seen WHERE consumer = 'robots' AND build = 1 AND stream BETWEEN $1 AND $2",
        begin,
        end,
    )
    return {row[0]: row[1] for row in rows}


async def timers_between(database: Database, begin: UUID, end: UUID) -> dict[UUID, TimerRow]:
    """The timers' rows of the streams of a range, by timer."""
    rows = await database.fetch(
        """SELECT timer, stream, kind, pipeline, robot, due_at, armed_version FROM leadline.timers
           WHERE stream BETWEEN $1 AND $2""",
        begin,
        end,
    )
    return {row[0]: TimerRow(*tuple(row)[1:]) for row in rows}


async def timer_counts(database: Database) -> dict[tuple[str, str, str, str], int]:
    """The timers' counts that are not zero, by kind, pipeline, robot and column."""
    rows = await database.fetch(
        """SELECT c.kind, c.pipeline, c.robot, n.name, n.number FROM leadline.timer_counts AS c,
                  LATERAL (VALUES ('armed', armed), ('ran', ran), ('skipped', skipped), ('cancelled', cancelled),
                                  ('failed', failed)) AS n (name, number) WHERE n.number <> 0"""
    )
    return {tuple(row)[:4]: row[4] for row in rows}


async def parked_by_reason(database: Database) -> list[tuple[str, int, str, int, str]]:
    """Parked records: (consumer, build, reason, how many, one of them as topic[partition]@offset)."""
    rows = await database.fetch(
        """SELECT consumer, build, reason, count(*), min(topic || '[' || partition || ']@' || "offset")
           FROM leadline.parked GROUP BY consumer, build, reason ORDER BY 1, 2, 3"""
    )
    return [tuple(row) for row in rows]


async def without_outcome(database: Database) -> AsyncIterator[list[tuple[UUID, int]]]:
    """Messages received that have no outcome of their last attempt: (id, attempt), in pages."""
    after = FIRST
    while True:
        rows = await database.fetch(
            """SELECT i.id, i.attempt FROM leadline.intake AS i
               LEFT JOIN leadline.inbound_outcomes AS o ON o.inbound_id = i.id
               WHERE i.id > $1 AND (o.inbound_id IS NULL OR (o.outcome IN ('quarantined', 'no_lead') AND o.attempt < i.attempt))
               ORDER BY i.id LIMIT $2""",
            after,
            PAGE,
        )
        if not rows:
            return
        after = rows[-1][0]
        yield [(row[0], row[1]) for row in rows]


async def outcomes(database: Database) -> AsyncIterator[list[tuple[UUID, str, str | None, UUID | None, bool]]]:
    """What became of inbound messages, in pages: (id, outcome, reason, lead, whether the message is in the intake table)."""
    after = FIRST
    while True:
        rows = await database.fetch(
            """SELECT o.inbound_id, o.outcome, o.reason, o.lead, i.id IS NOT NULL FROM leadline.inbound_outcomes AS o
               LEFT JOIN leadline.intake AS i ON i.id = o.inbound_id
               WHERE o.inbound_id > $1 ORDER BY o.inbound_id LIMIT $2""",
            after,
            PAGE,
        )
        if not rows:
            return
        after = rows[-1][0]
        yield [tuple(row) for row in rows]


async def import_rows(database: Database) -> AsyncIterator[list[tuple[UUID, UUID, int | None, int | None]]]:
    """Rows of imports, in pages: (id, lead, first and last version of what it made; None: it was refused)."""
    after = FIRST
    while True:
        rows = await database.fetch(
            """SELECT id, lead, first_version, last_version FROM leadline.import_rows
               WHERE id > $1 ORDER BY id LIMIT $2""",
            after,
            PAGE,
        )
        if not rows:
            return
        after = rows[-1][0]
        yield [tuple(row) for row in rows]


async def positions(database: Database, topic: str) -> dict[int, int]:
    """By partition, from where on the slowest consumer of a topic has not read it."""
    rows = await database.fetch(
        "SELECT partition, min(next_offset) FROM leadline.positions WHERE topic = $1 GROUP BY partition", topic
    )
    return {row[0]: row[1] for row in rows}


async def refused_commands(database: Database) -> AsyncIterator[list[tuple[UUID, str, bytes | None]]]:
    """Refused commands in pages: (id, refusal as JSON, its record, published or in the outbox, or None)."""
    after = FIRST
    while True:
        rows = await database.fetch(
            """WITH page AS (
                   SELECT id, refusal FROM leadline.commands WHERE outcome = 'refused' AND id > $1 ORDER BY id LIMIT $2)
               SELECT p.id, coalesce(p.refusal, 'null')::text, coalesce(r.value, o.value) FROM page AS p
               LEFT JOIN leadline.refusals AS r ON r.command = p.id
               LEFT JOIN leadline.outbox AS o ON o.topic = $3 AND o.stream = p.id AND r.command IS NULL
               ORDER BY p.id""",
            after,
            PAGE,
            LEADS_REFUSALS.name,
        )
        if not rows:
            return
        after = rows[-1][0]
        yield [tuple(row) for row in rows]


async def published_refusals(database: Database) -> AsyncIterator[list[tuple[UUID, str, bytes]]]:
    """Refusals kept as they were published, in pages: (command, key, value)."""
    after = FIRST
    while True:
        rows = await database.fetch(
            "SELECT command, key, value FROM leadline.refusals WHERE command > $1 ORDER BY command LIMIT $2",
            after,
            PAGE,
        )
        if not rows:
            return
        after = rows[-1][0]
        yield [tuple(row) for row in rows]


async def refusals_named(database: Database, commands: Sequence[UUID]) -> dict[UUID, tuple[str, bytes]]:
    """The records of these refusals that are in the store, published or in the outbox: (key, value)."""
    rows = await database.fetch(
        """SELECT command, key, value FROM leadline.refusals WHERE command = ANY($1::uuid[])
           UNION ALL
           SELECT stream, key, value FROM leadline.outbox
           WHERE topic = $2 AND stream = ANY($1::uuid[]) AND value IS NOT NULL""",
        commands,
        LEADS_REFUSALS.name,
    )
    return {row[0]: (row[1], row[2]) for row in rows}
