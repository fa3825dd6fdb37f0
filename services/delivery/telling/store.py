"""SQL of what is told of effects: state, attempts, next try, until when a provider is paused, why (R3).

Invariants: reads only, bounded; nothing personal is in the ledger, so nothing is here. What waits for a way that the settings do
not have says `not_configured`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from services.database import Database
from services.delivery.domain import NOT_REQUESTED

Which = Literal["failed", "waiting", "doubtful"]
KINDS: Final[tuple[Which, ...]] = ("failed", "waiting", "doubtful")
NOT_CONFIGURED: Final = "not_configured"


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of an effect. Times are UTC, of business time. `stream`: the lead (or deal) it belongs to.

    `expected_at`: when it will be tried at the earliest, as far as can be told: the next try, the end of its provider's pause, or
    its place in the queue of a limited provider; None: it is under way, answered or closed, or its way is not configured.
    """

    effect: UUID
    stream: UUID
    kind: str
    version: int
    effect_kind: str
    provider: str
    audience: str | None
    action: str | None
    robot: str | None
    state: str
    round: int
    attempts: int
    requested_at: datetime
    next_at: datetime
    last_reason: str | None
    in_doubt: bool
    outcome: str | None
    closed_at: datetime | None
    paused_until: datetime | None
    pause_reason: str | None
    per_minute: int | None
    expected_at: datetime | None


_FIELDS: Final = f"""e.effect, e.stream, e.kind, e.version, e.effect_kind, e.provider, e.audience, e.action, e.robot, e.state,
    e.round, e.attempts, e.requested_at, e.next_at,
    CASE WHEN e.state = 'waiting' AND p.configured IS NOT TRUE THEN '{NOT_CONFIGURED}' ELSE e.last_reason END,
    e.in_doubt, e.outcome, e.closed_at,
    CASE WHEN e.state = 'waiting' THEN p.paused_until END, CASE WHEN e.state = 'waiting' THEN p.pause_reason END,
    p.per_minute,
    CASE WHEN e.state = 'waiting' AND p.configured THEN greatest(e.next_at, p.paused_until{{queue}}) END"""
_IN_LISTS: Final = _FIELDS.replace("{queue}", "")
# how long those before it take, where its provider is limited and it is due ($2: now)
_ALONE: Final = _FIELDS.replace(
    "{queue}",
    """, CASE WHEN p.per_minute IS NOT NULL AND e.next_at <= $2 THEN $2 + make_interval(secs => 60.0 / p.per_minute * (
        SELECT count(*) FROM leadline.effects AS b
        WHERE b.provider = e.provider AND b.state = 'waiting' AND (b.next_at, b.effect) < (e.next_at, e.effect))) END""",
)
_FROM: Final = "leadline.effects AS e LEFT JOIN leadline.effect_providers AS p USING (provider)"
_WHICH: Final[dict[Which, tuple[str, str]]] = {
    "failed": ("e.state = 'failed'", "e.closed_at, e.effect"),
    "waiting": ("e.state IN ('waiting', 'working', 'answered')", "e.requested_at, e.effect"),
    "doubtful": ("e.in_doubt", "e.requested_at, e.effect"),
}


def _told(row: Any) -> Told:
    return Told(*row)


async def told_of(database: Database, effect: UUID, now: datetime) -> Told | None:
    """One effect; None: the ledger does not have it (yet). Of one due at a limited provider, its place in the queue counts."""
    row = await database.fetchrow(
        f"SELECT {_ALONE} FROM {_FROM} WHERE e.effect = $1",  # noqa: S608 - constants
        effect,
        now,
    )
    return None if row is None else _told(row)


async def told_one(database: Database, effect: UUID) -> Told | None:
    """One effect, without its place in a queue."""
    row = await database.fetchrow(
        f"SELECT {_IN_LISTS} FROM {_FROM} WHERE e.effect = $1",  # noqa: S608 - constants
        effect,
    )
    return None if row is None else _told(row)


async def told_of_streams(database: Database, streams: Sequence[UUID], now: datetime) -> list[Told]:
    """All effects of these leads and deals, in the order of their requests."""
    rows = await database.fetch(
        f"""SELECT {_ALONE} FROM {_FROM} WHERE e.stream = ANY($1::uuid[])
            ORDER BY e.stream, e.version""",  # noqa: S608 - constants
        list(streams),
        now,
    )
    return [_told(row) for row in rows]


async def listed(database: Database, which: Which, limit: int, provider: str | None = None) -> list[Told]:
    """Dead letters, what waits, or what may have gone out twice; the oldest first."""
    condition, order = _WHICH[which]
    rows = await database.fetch(
        f"""SELECT {_IN_LISTS} FROM {_FROM} WHERE {condition} AND ($1::text IS NULL OR e.provider = $1)
            ORDER BY {order} LIMIT $2""",  # noqa: S608 - constants
        provider,
        limit,
    )
    return [_told(row) for row in rows]


async def counts(database: Database) -> dict[Which, int]:
    """How many there are of each."""
    row = await database.fetchrow(
        """SELECT (SELECT count(*) FROM leadline.effects WHERE state = 'failed'),
                  (SELECT count(*) FROM leadline.effects WHERE state IN ('waiting', 'working', 'answered')),
                  (SELECT count(*) FROM leadline.effects WHERE in_doubt)"""  # each by an index of its own
    )
    return {"failed": row[0], "waiting": row[1], "doubtful": row[2]}


@dataclass(frozen=True, slots=True)
class Provider:
    """A way out: whether it is configured, until when nothing goes there and why, its limit, how many effects wait for it."""

    provider: str
    configured: bool
    paused_until: datetime | None
    pause_reason: str | None
    per_minute: int | None
    waiting: int


async def providers(database: Database) -> list[Provider]:
    """Every way that is configured, was, or has effects waiting."""
    rows = await database.fetch(
        """SELECT provider, coalesce(p.configured, false), p.paused_until, p.pause_reason, p.per_minute,
                  coalesce(w.count, 0)
           FROM leadline.effect_providers AS p
           FULL JOIN (SELECT provider, count(*) AS count FROM leadline.effects WHERE state IN ('waiting', 'working')
                      GROUP BY provider) AS w USING (provider)
           ORDER BY provider"""
    )
    return [Provider(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the ledger, as `verify` holds it against the events. `refused`: its report was refused for good; `unasked`: it is
    closed because no event requested it."""

    effect: UUID
    stream: UUID
    version: int
    round: int
    state: str
    in_doubt: bool
    refused: bool
    unasked: bool


async def ledger_between(database: Database, begin: UUID, end: UUID) -> dict[UUID, Row]:
    """The effects of a range of streams, by id."""
    rows = await database.fetch(
        """SELECT e.effect, e.stream, e.version, e.round, e.state, e.in_doubt, r.report IS NOT NULL,
                  coalesce(e.state = 'closed' AND starts_with(e.last_reason, $3), false)
           FROM leadline.effects AS e LEFT JOIN leadline.effect_refusals AS r USING (report)
           WHERE e.stream BETWEEN $1 AND $2""",
        begin,
        end,
        NOT_REQUESTED,
    )
    return {row[0]: Row(*row) for row in rows}
