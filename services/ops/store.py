"""The SQL of the `leadline` command: tokens, the practice clock, identities, refusals, parked records.

Invariants: a token is stored by its SHA-256 only; nothing here writes events. Each function is one statement in the caller's
transaction; on failure nothing of it has happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.database import Database


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A command that was refused or parked. `refusal` is `contracts.commands.Refusal` as JSON."""

    command: UUID
    outcome: str
    rules: tuple[str, ...]
    refusal: dict[str, Any] | None
    by_person: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row of an import that the rules did not allow. `refusal` is `contracts.commands.Refusal` as JSON."""

    row: UUID
    source: str
    file: str
    line: int
    stage: str
    refusal: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that a consumer could not apply. `stream` and `version` are None where it names none."""

    id: int
    consumer: str
    build: int
    stream: UUID | None
    version: int | None
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    at: datetime
    released_at: datetime | None


@dataclass(frozen=True, slots=True)
class Merged:
    """A lead that is merged into another: since which version of its stream, and when that was."""

    lead: UUID
    version: int
    at: datetime


async def merged_leads(
    database: Database, by: str | None, since: datetime | None, leads: list[UUID] | None
) -> list[Merged]:
    """Leads that are merged still, the newest merge first: by this actor, recorded since, among these; None: any."""
    rows = await database.fetch(
        """SELECT m.originator_id, m.originator_version, m.recorded_at FROM leadline.events AS m
           WHERE m.topic = 'leadline.lead.merged' AND ($2::timestamptz IS NULL OR m.recorded_at >= $2)
             AND ($3::uuid[] IS NULL OR m.originator_id = ANY($3))
             AND ($1::text IS NULL OR convert_from(m.state, 'UTF8')::jsonb -> 'meta' -> 'actor' ->> 'id' = $1)
             AND NOT EXISTS (SELECT FROM leadline.events AS u
                             WHERE u.originator_id = m.originator_id AND u.originator_version > m.originator_version
                               AND u.topic = 'leadline.lead.unmerged')
           ORDER BY m.recorded_at DESC, m.originator_id""",
        by,
        since,
        leads,
    )
    return [Merged(*row) for row in rows]


async def add_token(database: Database, sha256: bytes, name: str, role: str, at: datetime) -> None:
    """Store a token by its digest (32 bytes)."""
    await database.execute(
        "INSERT INTO leadline.tokens (hash, name, role, made_at) VALUES ($1, $2, $3, $4)", sha256, name, role, at
    )


async def revoke_tokens(database: Database, name: str, at: datetime) -> int:
    """Revoke all tokens of a name; how many there were."""
    rows = await database.fetch(
        "UPDATE leadline.tokens SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL RETURNING 1", name, at
    )
    return len(rows)


async def start_clock(database: Database, moment: datetime) -> datetime:
    """Set the practice clock where there is none yet; the moment it is at."""
    await database.execute("INSERT INTO leadline.clock (practice_now) VALUES ($1) ON CONFLICT DO NOTHING", moment)
    now: datetime = await database.fetchval("SELECT practice_now FROM leadline.clock")
    return now


async def practice_now(database: Database) -> datetime | None:
    """The moment the practice clock is at; None: it is a real system."""
    now: datetime | None = await database.fetchval("SELECT practice_now FROM leadline.clock")
    return now


async def contacts_of(database: Database, hmacs: list[bytes]) -> list[UUID]:
    """The contacts that own these identities."""
    rows = await database.fetch(
        "SELECT DISTINCT contact FROM leadline.identities WHERE hmac = ANY($1::bytea[]) ORDER BY 1", hmacs
    )
    return [row[0] for row in rows]


async def unfinished_commands(database: Database, stream: UUID) -> list[Unfinished]:
    """Refused and parked commands of a lead, oldest first."""
    rows = await database.fetch(
        """SELECT id, outcome, rule_ids, refusal, by_person, at FROM leadline.commands
           WHERE stream = $1 AND outcome <> 'done' ORDER BY at, id""",
        stream,
    )
    return [
        Unfinished(row[0], row[1], tuple(row[2]), orjson.loads(row[3]) if row[3] else None, row[4], row[5])
        for row in rows
    ]


async def refused_rows(database: Database, lead: UUID) -> list[RefusedRow]:
    """Rows of imports that were refused on a lead, oldest first."""
    rows = await database.fetch(
        """SELECT r.id, i.source, i.file, r.line, r.stage, r.refusal, r.at
           FROM leadline.import_rows AS r JOIN leadline.imports AS i ON i.id = r.import
           WHERE r.lead = $1 AND r.outcome = 'refused' ORDER BY r.at, r.line""",
        lead,
    )
    return [RefusedRow(row[0], row[1], row[2], row[3], row[4], orjson.loads(row[5]), row[6]) for row in rows]


async def unsent(database: Database, topic: str, key: str) -> list[bytes]:
    """Values of messages of a key that still wait for the relay, in order. `topic` without its prefix."""
    rows = await database.fetch(
        "SELECT value FROM leadline.outbox WHERE topic = $1 AND key = $2 AND value IS NOT NULL ORDER BY n", topic, key
    )
    return [row[0] for row in rows]


async def exists(database: Database, stream: UUID) -> bool:
    """Whether the stream has any event."""
    found: bool = await database.fetchval(
        "SELECT EXISTS (SELECT FROM leadline.events WHERE originator_id = $1)", stream
    )
    return found


async def parked(database: Database, *, limit: int) -> list[Parked]:
    """Parked records in the order they were parked; with `released_at`, one that is asked for to be tried again."""
    rows = await database.fetch(
        """SELECT id, consumer, build, stream, version, topic, partition, "offset", reason, detail, at, released_at
           FROM leadline.parked ORDER BY id LIMIT $1""",
        limit,
    )
    return [Parked(*row) for row in rows]
