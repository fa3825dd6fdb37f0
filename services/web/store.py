"""All SQL of the web: tokens, what the operations page shows, the practice clock. Reads of leads are others' to offer.

Invariants: nothing personal is read here; every statement has Postgres' `command_timeout`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.database import Database


@dataclass(frozen=True, slots=True)
class Notice:
    """Something operations must know, not yet cleared."""

    id: int
    service: str
    severity: str
    code: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ParkedCount:
    """How many records of a consumer wait for a person, by reason, since when."""

    consumer: str
    build: int
    reason: str
    count: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a consumer is behind what the relay knows to be on a topic (records)."""

    consumer: str
    build: int
    topic: str
    behind: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What has not reached Kafka yet, and the intake without outcome."""

    outbox: int
    quarantined: int


async def is_deal(connection: Database, stream: UUID) -> bool:
    """Whether a deal goes by this id."""
    return bool(
        await connection.fetchval(
            """SELECT EXISTS (SELECT FROM leadline.events
                              WHERE originator_id = $1 AND originator_version = 1 AND kind = 'deal')""",
            stream,
        )
    )


async def token_holder(connection: Database, token_hash: bytes) -> tuple[str, str] | None:
    """(name, role) of a token that was not revoked, by its SHA-256."""
    row = await connection.fetchrow(
        "SELECT name, role FROM leadline.tokens WHERE hash = $1 AND revoked_at IS NULL", token_hash
    )
    return None if row is None else (row[0], row[1])


async def notices(connection: Database, limit: int) -> list[Notice]:
    """The newest notices that nobody cleared."""
    rows = await connection.fetch(
        """SELECT id, service, severity, code, detail, at FROM leadline.notices
           WHERE cleared_at IS NULL ORDER BY at DESC, id DESC LIMIT $1""",
        limit,
    )
    return [Notice(*row) for row in rows]


async def parked(connection: Database) -> list[ParkedCount]:
    """Records that wait for a person, by consumer and reason."""
    rows = await connection.fetch(
        """SELECT consumer, build, reason, count(*), min(at) FROM leadline.parked
           WHERE released_at IS NULL GROUP BY consumer, build, reason ORDER BY consumer, build, reason"""
    )
    return [ParkedCount(*row) for row in rows]


async def lag(connection: Database) -> list[Lag]:
    """Behind, by consumer and topic: what the relay knows to be on the broker's disk less what the consumer has taken.

    It knows of its own records only: what adapters write straight to Kafka is not in these figures.
    """
    rows = await connection.fetch(
        """SELECT p.consumer, p.build, p.topic, sum(greatest(r.next_offset - p.next_offset, 0))::bigint
           FROM leadline.positions AS p JOIN leadline.relay_positions AS r USING (topic, partition)
           GROUP BY p.consumer, p.build, p.topic ORDER BY p.consumer, p.build, p.topic"""
    )
    return [Lag(*row) for row in rows]


async def waiting(connection: Database) -> Waiting:
    """Counts of what waits: outbox rows (acknowledged ones stay 10 s), messages in quarantine."""
    row = await connection.fetchrow(
        """SELECT (SELECT count(*) FROM leadline.outbox),
                  (SELECT count(*) FROM leadline.inbound_outcomes WHERE outcome = 'quarantined')"""
    )
    return Waiting(row[0], row[1])


async def pipelines(connection: Database) -> list[str]:
    """Ids of all pipelines."""
    rows = await connection.fetch("SELECT DISTINCT pipeline FROM leadline.pipeline_versions ORDER BY pipeline")
    return [row[0] for row in rows]


async def move_clock(connection: Database, to: datetime) -> bool:
    """Move the practice clock on. False: it stands later than that already (or there is none)."""
    moved = await connection.fetchval(
        "UPDATE leadline.clock SET practice_now = $1 WHERE practice_now <= $1 RETURNING practice_now", to
    )
    return moved is not None
