"""All SQL of intake: messages as they came, their mends, and the journal of what became of them.

Invariants: a message, its key and its outbox row are one statement, so none is without the others; `intake.ciphertext` is
the body in force, bodies it replaced are in `intake_mends`; `received_at` and `body_hash` are never changed (N18).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from services.channels.share import Counted
from services.database import Database


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be kept. `headers` and `value` are those of its record on `leads.inbound`."""

    inbound_id: UUID
    channel: str
    account: str
    idempotency_key: str | None
    body_hash: bytes
    received_at: datetime
    occurred_at: datetime | None
    actor: str
    """JSON of the actor."""
    ciphertext: bytes
    wrapped_key: bytes
    partition_key: str
    headers: str
    value: bytes


@dataclass(frozen=True, slots=True)
class RefusedCount:
    """Requests that were refused in a minute for a reason. `largest`: bytes, as far as they came or were announced."""

    minute: datetime
    channel: str
    account: str
    reason: str
    requests: int
    largest: int
    last_at: datetime

    def with_(self, other: RefusedCount) -> RefusedCount:
        """Both counts of one key as one."""
        return replace(
            self,
            requests=self.requests + other.requests,
            largest=max(self.largest, other.largest),
            last_at=max(self.last_at, other.last_at),
        )


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One line of the journal, without personal data. `outcome` is `waiting` until the running attempt has one; a line of
    `refused` requests has no message and counts all of a minute."""

    place: UUID
    inbound_id: UUID | None
    channel: str
    account: str
    received_at: datetime
    attempt: int
    outcome: str
    reason: str | None
    lead: UUID | None
    contact: UUID | None
    at: datetime
    """Of the outcome, or of receipt while it waits; the journal's order."""
    count: int


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message in the intake table, with what became of its newest attempt."""

    inbound_id: UUID
    channel: str
    account: str
    received_at: datetime
    occurred_at: datetime | None
    attempt: int
    actor: str
    ciphertext: bytes
    outcome: str
    reason: str | None
    lead: UUID | None
    contact: UUID | None


@dataclass(frozen=True, slots=True)
class Mend:
    """A body that was replaced: as it was until `attempt`, who replaced it, when."""

    attempt: int
    ciphertext: bytes
    actor: str
    at: datetime


async def keep(connection: Database, messages: Sequence[NewMessage]) -> set[UUID]:
    """Store messages, their keys and their outbox rows in one statement. Returns the ids of those stored: of the others the
    idempotency key is taken, by a message stored before or by another one of these."""
    # in the order of the keys: two statements that wait for each other's keys would else wait for ever
    ordered = sorted(messages, key=lambda m: (m.channel, m.account, m.idempotency_key or ""))
    rows = await connection.fetch(
        """WITH kept AS (
               INSERT INTO leadline.intake (id, channel, account, idempotency_key, body_hash, received_at, occurred_at,
                                            actor, ciphertext)
               SELECT id, channel, account, idempotency_key, body_hash, received_at, occurred_at, actor::jsonb, ciphertext
               FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[],
                           $7::timestamptz[], $8::text[], $9::bytea[])
                    AS m (id, channel, account, idempotency_key, body_hash, received_at, occurred_at, actor, ciphertext)
               ON CONFLICT (channel, account, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
               RETURNING id),
           keys AS (
               INSERT INTO vault.keys (id, purpose, wrapped)
               SELECT id, 'message', wrapped FROM unnest($1::uuid[], $10::bytea[]) AS k (id, wrapped) JOIN kept USING (id)),
           out AS (
               INSERT INTO leadline.outbox (topic, key, stream, version, headers, value)
               SELECT 'leads.inbound', key, id, 1, headers::jsonb, value
               FROM unnest($1::uuid[], $11::text[], $12::text[], $13::bytea[]) AS o (id, key, headers, value)
               JOIN kept USING (id))
           SELECT id FROM kept""",
        *(list(column) for column in zip(*map(_COLUMNS, ordered), strict=True)),
    )
    return {row[0] for row in rows}


_COLUMNS = attrgetter(
    "inbound_id", "channel", "account", "idempotency_key", "body_hash", "received_at", "occurred_at", "actor",
    "ciphertext", "wrapped_key", "partition_key", "headers", "value",
)  # fmt: skip


async def kept_under(connection: Database, channel: str, account: str, key: str) -> tuple[UUID, bytes] | None:
    """Id and body hash of the message that holds an idempotency key."""
    row = await connection.fetchrow(
        "SELECT id, body_hash FROM leadline.intake WHERE channel = $1 AND account = $2 AND idempotency_key = $3",
        channel,
        account,
        key,
    )
    return None if row is None else (row[0], row[1])


_JOURNAL = """
    (SELECT o.inbound_id, o.inbound_id, o.channel, o.account, o.received_at, o.attempt, o.outcome, o.reason, o.lead, o.contact,
            o.at, 1
       FROM leadline.inbound_outcomes o LEFT JOIN leadline.intake i ON i.id = o.inbound_id
      WHERE ($1::text IS NULL OR o.outcome = $1) AND (i.id IS NULL OR i.attempt <= o.attempt)
        AND ($2::timestamptz IS NULL OR (o.at, o.inbound_id) < ($2, $3))
        AND ($5::text IS NULL OR o.channel = $5) AND ($6::text IS NULL OR split_part(o.reason, ':', 1) = $6)
      ORDER BY o.at DESC, o.inbound_id DESC LIMIT $4)
    UNION ALL
    (SELECT i.id, i.id, i.channel, i.account, i.received_at, i.attempt, 'waiting', NULL, NULL, NULL, i.received_at, 1
       FROM leadline.intake i LEFT JOIN leadline.inbound_outcomes o ON o.inbound_id = i.id
      WHERE ($1::text IS NULL OR $1 = 'waiting') AND (o.inbound_id IS NULL OR o.attempt < i.attempt)
        AND ($2::timestamptz IS NULL OR (i.received_at, i.id) < ($2, $3))
        AND ($5::text IS NULL OR i.channel = $5) AND $6::text IS NULL
      ORDER BY i.received_at DESC, i.id DESC LIMIT $4)
    UNION ALL
    (SELECT r.id, NULL, r.channel, r.account, r.last_at, 1, 'refused', r.reason, NULL, NULL, r.last_at, r.requests
       FROM leadline.refused_requests r
      WHERE ($1::text IS NULL OR $1 = 'refused')
        AND ($2::timestamptz IS NULL OR (r.last_at, r.id) < ($2, $3))
        AND ($5::text IS NULL OR r.channel = $5) AND ($6::text IS NULL OR r.reason = $6)
      ORDER BY r.last_at DESC, r.id DESC LIMIT $4)
    ORDER BY 11 DESC, 1 DESC LIMIT $4"""


async def journal(
    connection: Database,
    *,
    outcome: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
    channel: str | None = None,
    reason: str | None = None,
) -> list[JournalRow]:
    """Messages and what became of them, newest first; those straight from Kafka too. `before`: a page's last row."""
    at, place = before or (None, None)
    rows = await connection.fetch(_JOURNAL, outcome, at, place, limit, channel, reason)
    return [JournalRow(*row) for row in rows]


async def outcome_counts(connection: Database, begin: datetime, end: datetime, repeats: Sequence[str]) -> list[Counted]:
    """Messages received from `begin` to before `end`, by channel, outcome and reason, but for those of reasons `repeats`."""
    rows = await connection.fetch(
        """SELECT o.channel, o.outcome, split_part(o.reason, ':', 1), count(*)
             FROM leadline.inbound_outcomes o LEFT JOIN leadline.intake i ON i.id = o.inbound_id
            WHERE o.received_at >= $1 AND o.received_at < $2 AND (i.id IS NULL OR i.attempt <= o.attempt)
              AND (o.reason IS NULL OR split_part(o.reason, ':', 1) <> ALL ($3::text[]))
            GROUP BY 1, 2, 3
           UNION ALL
           SELECT i.channel, 'waiting', NULL, count(*)
             FROM leadline.intake i LEFT JOIN leadline.inbound_outcomes o ON o.inbound_id = i.id
            WHERE i.received_at >= $1 AND i.received_at < $2 AND (o.inbound_id IS NULL OR o.attempt < i.attempt)
            GROUP BY 1
           UNION ALL
           SELECT channel, 'refused', reason, sum(requests)::bigint FROM leadline.refused_requests
            WHERE last_at >= $1 AND last_at < $2 GROUP BY 1, 3""",
        begin,
        end,
        repeats,
    )
    return [Counted(*row) for row in rows]


async def count_refused(connection: Database, rows: Sequence[RefusedCount]) -> None:
    """Add up refused requests, by minute and reason."""
    ordered = sorted(rows, key=lambda row: (row.minute, row.channel, row.account, row.reason))
    await connection.execute(
        """INSERT INTO leadline.refused_requests AS r (minute, channel, account, reason, requests, largest, last_at)
           SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
                                $7::timestamptz[])
           ON CONFLICT (minute, channel, account, reason) DO UPDATE SET requests = r.requests + excluded.requests,
               largest = greatest(r.largest, excluded.largest), last_at = greatest(r.last_at, excluded.last_at)""",
        *(
            [getattr(row, name) for row in ordered]
            for name in ("minute", "channel", "account", "reason", "requests", "largest", "last_at")
        ),
    )


async def forget_refused(connection: Database, before: datetime, most: int = 1_000) -> None:
    """Drop counts that are older than this."""
    await connection.execute(
        """DELETE FROM leadline.refused_requests WHERE id IN (
               SELECT id FROM leadline.refused_requests WHERE last_at < $1 ORDER BY last_at LIMIT $2)""",
        before,
        most,
    )


async def message(connection: Database, inbound_id: UUID, *, lock: bool = False) -> KeptMessage | None:
    """A message of the intake table. `lock`: until the end of the transaction, so that one mend at a time runs."""
    row = await connection.fetchrow(
        f"""SELECT i.id, i.channel, i.account, i.received_at, i.occurred_at, i.attempt, i.actor::text, i.ciphertext,
                  CASE WHEN o.attempt >= i.attempt THEN o.outcome ELSE 'waiting' END, o.reason, o.lead, o.contact
             FROM leadline.intake i LEFT JOIN leadline.inbound_outcomes o ON o.inbound_id = i.id
            WHERE i.id = $1{" FOR UPDATE OF i" if lock else ""}""",  # noqa: S608 - one of two constants
        inbound_id,
    )
    return None if row is None else KeptMessage(*row)


async def mends(connection: Database, inbound_id: UUID) -> list[Mend]:
    """The bodies a message had before it was mended, oldest first."""
    rows = await connection.fetch(
        "SELECT attempt, ciphertext, actor::text, at FROM leadline.intake_mends WHERE inbound_id = $1 ORDER BY attempt",
        inbound_id,
    )
    return [Mend(*row) for row in rows]


async def replace_body(
    connection: Database, inbound_id: UUID, *, attempt: int, ciphertext: bytes, actor: str, at: datetime
) -> None:
    """Put a mended body in force and keep the one it replaces, as it was until `attempt`."""
    await connection.execute(
        """INSERT INTO leadline.intake_mends (inbound_id, attempt, ciphertext, actor, at)
           SELECT id, $2, ciphertext, $3::jsonb, $4 FROM leadline.intake WHERE id = $1""",
        inbound_id,
        attempt,
        actor,
        at,
    )
    await connection.execute("UPDATE leadline.intake SET ciphertext = $2 WHERE id = $1", inbound_id, ciphertext)


async def run_again(
    connection: Database, inbound_id: UUID, *, attempt: int, key: str, headers: str, value: bytes
) -> None:
    """Send a message to the aggregate service again, as this attempt."""
    await connection.execute("UPDATE leadline.intake SET attempt = $2 WHERE id = $1", inbound_id, attempt)
    await connection.execute(
        """INSERT INTO leadline.outbox (topic, key, stream, version, headers, value)
           VALUES ('leads.inbound', $1, $2, $3, $4::jsonb, $5)""",
        key,
        inbound_id,
        attempt,
        headers,
        value,
    )
