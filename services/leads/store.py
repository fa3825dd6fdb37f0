"""The aggregate service's SQL beside the event store: commands, claims, outcomes of inbound messages.

Invariants: all of it runs in the batch's transaction, one statement per table; rows that two batches could touch are touched
in sorted order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from contracts.commands import CommandResult, Refusal
from services.database import Database
from services.leads.domain.arrivals import Referred


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command's stored answer."""

    body_hash: bytes
    result: CommandResult


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """Whose an identity is, and one of that person's open leads with its pipeline; none of both where there is none."""

    hmac: bytes
    contact: UUID
    shared: bool
    head: UUID
    """The contact that goes on for that one (N16)."""
    lead: UUID | None
    pipeline: str | None


@dataclass(frozen=True, slots=True)
class IntakeRow:
    """A raw message as `services.channels` keeps it, or as we keep one that came straight on Kafka."""

    id: UUID
    channel: str
    account: str
    received_at: datetime
    actor: dict[str, Any]
    ciphertext: bytes
    attempt: int


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What became of an inbound message."""

    inbound_id: UUID
    attempt: int
    outcome: str
    reason: str | None
    lead: UUID | None
    contact: UUID | None
    channel: str
    account: str
    received_at: datetime
    at: datetime


async def done_before(database: Database, ids: Sequence[UUID]) -> dict[UUID, CommandRow]:
    """Stored answers of these commands."""
    if not ids:
        return {}
    rows = await database.fetch(
        """SELECT id, stream, body_hash, outcome, refusal, first_version, last_version, at
           FROM leadline.commands WHERE id = ANY($1::uuid[])""",
        ids,
    )
    return {
        row["id"]: CommandRow(
            row["body_hash"],
            CommandResult(
                command=row["id"],
                stream=row["stream"],
                outcome=row["outcome"],
                first_version=row["first_version"],
                last_version=row["last_version"],
                refusal=Refusal.model_validate_json(row["refusal"]) if row["refusal"] else None,
                at=row["at"],
            ),
        )
        for row in rows
    }


_COMMAND_COLUMNS = (
    "id", "stream", "body_hash", "outcome", "rule_ids", "refusal", "first_version", "last_version", "by_person", "at",
)  # fmt: skip


async def remember(database: Database, rows: Sequence[tuple[CommandRow, bool]]) -> None:
    """Store the answers of commands; the second of each pair says whether a person gave it."""
    if not rows:
        return
    await database.copy_records_to_table(
        "commands",
        schema_name="leadline",
        columns=_COMMAND_COLUMNS,
        records=[
            (
                result.command,
                result.stream,
                row.body_hash,
                result.outcome,
                result.refusal.rules if result.refusal else (),
                result.refusal.model_dump_json() if result.refusal else None,
                result.first_version,
                result.last_version,
                by_person,
                result.at,
            )
            for row, by_person in rows
            for result in (row.result,)
        ],
    )


async def forget_old_commands(database: Database, before: datetime, most: int = 10_000) -> int:
    """Drop answers to people's commands older than this; those of machines, whose ids come again, stay. How many went."""
    tag: str = await database.execute(
        """DELETE FROM leadline.commands WHERE id IN (
               SELECT id FROM leadline.commands WHERE by_person AND at < $1 ORDER BY at LIMIT $2)""",
        before,
        most,
    )
    return int(tag.rpartition(" ")[2])


async def owners(database: Database, hmacs: Sequence[bytes]) -> list[OwnerRow]:
    """Who owns these identities: a row for each of their open leads, one row where there is none."""
    if not hmacs:
        return []
    rows = await database.fetch(
        """SELECT i.hmac, i.contact, i.shared, coalesce(m.head, i.contact), o.lead, o.pipeline FROM leadline.identities AS i
           LEFT JOIN leadline.merged_contacts AS m ON m.contact = i.contact
           LEFT JOIN leadline.open_leads AS o ON o.contact = coalesce(m.head, i.contact)
           WHERE i.hmac = ANY($1::bytea[])""",
        hmacs,
    )
    return [OwnerRow(*row) for row in rows]


async def open_leads(database: Database, pairs: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], UUID]:
    """Open leads by (contact, pipeline)."""
    if not pairs:
        return {}
    rows = await database.fetch(
        """SELECT o.contact, o.pipeline, o.lead FROM leadline.open_leads AS o
           JOIN unnest($1::uuid[], $2::text[]) AS w (contact, pipeline) USING (contact, pipeline)""",
        [contact for contact, _ in pairs],
        [pipeline for _, pipeline in pairs],
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def claim_identities(database: Database, rows: Sequence[tuple[bytes, str, UUID]]) -> None:
    """Give identities to contacts: (HMAC, kind, contact). Raises UniqueViolationError when one has an owner."""
    if rows:
        ordered = sorted(rows)
        await database.execute(
            """INSERT INTO leadline.identities (hmac, kind, contact)
               SELECT * FROM unnest($1::bytea[], $2::text[], $3::uuid[])""",
            [row[0] for row in ordered],
            [row[1] for row in ordered],
            [row[2] for row in ordered],
        )


async def share_identities(database: Database, hmacs: Sequence[bytes]) -> None:
    """Mark identities as used by several people (C3)."""
    if hmacs:
        await database.execute("UPDATE leadline.identities SET shared = true WHERE hmac = ANY($1::bytea[])", hmacs)


async def claim_open_leads(database: Database, rows: Sequence[tuple[UUID, str, UUID]]) -> None:
    """Claim (contact, pipeline) for a lead. Raises UniqueViolationError when the person has an open lead."""
    if rows:
        ordered = sorted(rows)
        await database.execute(
            """INSERT INTO leadline.open_leads (contact, pipeline, lead)
               SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[])""",
            [row[0] for row in ordered],
            [row[1] for row in ordered],
            [row[2] for row in ordered],
        )


async def free_open_leads(database: Database, leads: Sequence[UUID]) -> None:
    """These leads are closed: their persons may have another open one."""
    if leads:
        await database.execute("DELETE FROM leadline.open_leads WHERE lead = ANY($1::uuid[])", sorted(leads))


async def forget_identities(database: Database, contact: UUID) -> None:
    """M7: nothing finds this person any more."""
    await database.execute("DELETE FROM leadline.identities WHERE contact = $1", contact)


async def referred(database: Database, hmacs: Sequence[bytes]) -> dict[bytes, Referred]:
    """Where the messages went that can be named by these keyed hashes."""
    if not hmacs:
        return {}
    rows = await database.fetch(
        "SELECT hmac, inbound_id, contact, lead FROM leadline.inbound_references WHERE hmac = ANY($1::bytea[])", hmacs
    )
    return {row[0]: Referred(row[1], row[2], row[3]) for row in rows}


async def remember_references(
    database: Database, rows: Sequence[tuple[bytes, str, UUID, UUID | None, UUID | None]]
) -> None:
    """Remember by what messages can be named: (HMAC, kind, inbound id, contact, lead). The last row of an HMAC counts."""
    ordered = sorted({row[0]: row for row in rows}.values(), key=lambda row: row[0])
    if ordered:
        await database.execute(
            """INSERT INTO leadline.inbound_references (hmac, kind, inbound_id, contact, lead)
               SELECT * FROM unnest($1::bytea[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[])
               ON CONFLICT (hmac) DO UPDATE SET contact = excluded.contact, lead = excluded.lead
                   WHERE inbound_references.lead IS NULL OR inbound_references.kind = 'line'""",
            *(list(column) for column in zip(*ordered, strict=True)),
        )


async def forget_references(database: Database, contact: UUID) -> None:
    """M7: nothing leads from a message's id to this person any more; that there was such a message stays known."""
    await database.execute(
        "UPDATE leadline.inbound_references SET contact = NULL, lead = NULL WHERE contact = $1", contact
    )


async def intake(database: Database, ids: Sequence[UUID]) -> dict[UUID, IntakeRow]:
    """Raw messages by id."""
    if not ids:
        return {}
    rows = await database.fetch(
        """SELECT id, channel, account, received_at, actor, ciphertext, attempt FROM leadline.intake
           WHERE id = ANY($1::uuid[])""",
        ids,
    )
    return {row[0]: IntakeRow(row[0], row[1], row[2], row[3], orjson.loads(row[4]), row[5], row[6]) for row in rows}


async def keep_direct(database: Database, rows: Sequence[tuple[UUID, str, str, bytes, datetime, str, bytes]]) -> None:
    """Messages that came straight on Kafka: (id, channel, account, body hash, received at, actor JSON, ciphertext)."""
    if rows:
        await database.execute(
            """INSERT INTO leadline.intake (id, channel, account, body_hash, received_at, actor, ciphertext)
               SELECT id, channel, account, body_hash, received_at, actor::jsonb, ciphertext
               FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::timestamptz[], $6::text[], $7::bytea[])
                    AS i (id, channel, account, body_hash, received_at, actor, ciphertext)
               ON CONFLICT (id) DO NOTHING""",
            *(list(column) for column in zip(*rows, strict=True)),
        )


async def outcomes(database: Database, ids: Sequence[UUID]) -> dict[UUID, OutcomeRow]:
    """What became of these messages already."""
    if not ids:
        return {}
    rows = await database.fetch(
        """SELECT inbound_id, attempt, outcome, reason, lead, contact, channel, account, received_at, at
           FROM leadline.inbound_outcomes WHERE inbound_id = ANY($1::uuid[])""",
        ids,
    )
    return {row[0]: OutcomeRow(*row) for row in rows}


async def set_outcomes(database: Database, rows: Sequence[OutcomeRow]) -> None:
    """Record what became of messages; a later attempt at one that became no lead replaces its outcome."""
    if rows:
        await database.execute(
            """INSERT INTO leadline.inbound_outcomes
                   (inbound_id, attempt, outcome, reason, lead, contact, channel, account, received_at, at)
               SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[],
                                    $8::text[], $9::timestamptz[], $10::timestamptz[])
               ON CONFLICT (inbound_id) DO UPDATE SET attempt = excluded.attempt, outcome = excluded.outcome,
                   reason = excluded.reason, lead = excluded.lead, contact = excluded.contact, at = excluded.at""",
            *(
                [getattr(row, name) for row in rows]
                for name in ("inbound_id", "attempt", "outcome", "reason", "lead", "contact")
            ),
            *([getattr(row, name) for row in rows] for name in ("channel", "account", "received_at", "at")),
        )
