"""What heads read of the journals: escalations, the day's digests, reviews of cards that are due (Q6, D6, Q11).

Reads take a connection and use the live build. Times are UTC instants. Lists are paged by a cursor, as in `reading`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from contracts.journal import journal_of, quarter_before, quarters_at
from projections.incidents.store import NAME
from projections.reading import cursor, cursor_of, live_schema
from services.database import Database

QUARTERS = 5
"""How far back the journals of a head are looked through for digests and card reviews: a year and what is running."""


@dataclass(frozen=True, slots=True)
class Member:
    """An incident of an escalation: one that opened it, or a later one; `strike`: its number when it was added."""

    incident: UUID
    strike: int | None
    added_at: datetime
    opening: bool


@dataclass(frozen=True, slots=True)
class Escalation:
    """Q6: misses of an employee that their manager is told of (None: nobody is named, it stands in every head's queue).
    `journal`: the stream to send a command about it to."""

    journal: UUID
    escalation: UUID
    employee: str
    manager: str | None
    strike: int
    days: int
    opened_at: datetime
    closed_at: datetime | None
    closed_how: str | None
    closed_by: str | None
    comment: str | None
    notice: str | None
    """What became of its latest letter: requested, done or failed."""
    incidents: tuple[Member, ...]


async def escalations(
    connection: Database,
    *,
    manager: str | None = None,
    employee: str | None = None,
    open_only: bool = True,
    after: str | None = None,
    limit: int = 50,
) -> tuple[list[Escalation], str | None]:
    """Escalations, the latest opened first, and the cursor of the next page. `manager`: theirs, and those that nobody is named
    for."""
    at, last = cursor(after)
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        _escalations(schema)
        + """ WHERE ($1::text IS NULL OR e.manager = $1 OR e.manager IS NULL) AND ($2::text IS NULL OR e.employee = $2)
              AND (NOT $3::boolean OR e.closed_at IS NULL)
              AND ($4::timestamptz IS NULL OR (e.opened_at, e.escalation) < ($4, $5::uuid))
              ORDER BY e.opened_at DESC, e.escalation DESC LIMIT $6""",
        manager,
        employee,
        open_only,
        at,
        last,
        limit + 1,
    )
    page = [_escalation(row) for row in rows[:limit]]
    more = len(rows) > limit and page
    return page, cursor_of(page[-1].opened_at, page[-1].escalation) if more else None


async def escalation(connection: Database, escalation: UUID) -> Escalation | None:
    """One escalation; None: the projection has not seen it."""
    schema = await live_schema(connection, NAME)
    row = await connection.fetchrow(_escalations(schema) + " WHERE e.escalation = $1", escalation)
    return None if row is None else _escalation(row)


def _escalations(schema: str) -> str:
    return f"""SELECT e.journal, e.escalation, e.employee, e.manager, e.strike, e.days, e.opened_at, e.closed_at,
                      e.closed_how, e.closed_by, e.comment,
                      (SELECT n.state FROM {schema}.notices AS n WHERE n.escalation = e.escalation
                       ORDER BY n.requested_at DESC, n.effect LIMIT 1),
                      (SELECT jsonb_agg(jsonb_build_array(x.incident, x.strike, x.added_at, x.opening)
                                        ORDER BY x.added_at, x.strike NULLS FIRST, x.incident)
                       FROM {schema}.escalated AS x WHERE x.escalation = e.escalation)
               FROM {schema}.escalations AS e"""  # noqa: S608 (names of ours)


@dataclass(frozen=True, slots=True)
class Digest:
    """D6: the day's list of overdue tasks as a head was told it. `people`: overdue tasks by person."""

    team: str
    day: date
    made_at: datetime
    overdue: int
    people: dict[str, int]


async def digests(connection: Database, head: str, now: datetime, *, limit: int = 10) -> list[Digest]:
    """A head's digests, the latest first."""
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT team, day, made_at, overdue, people FROM {schema}.digests WHERE journal = ANY($1::uuid[])
            ORDER BY made_at DESC, version DESC LIMIT $2""",  # noqa: S608
        _journals(head, now),
        limit,
    )
    return [Digest(*(*tuple(row)[:-1], orjson.loads(row[-1]))) for row in rows]


@dataclass(frozen=True, slots=True)
class CardReview:
    """Q11: a look over the card of a pipeline. `journal`: the stream to send `finish_card_review` to."""

    journal: UUID
    review: UUID
    pipeline: str
    period_start: date
    period_end: date
    asked_at: datetime
    done_at: datetime | None
    done_by: str | None
    comment: str | None


async def card_reviews(
    connection: Database, head: str | None, now: datetime, *, pipeline: str | None = None, open_only: bool = True
) -> list[CardReview]:
    """Looks over cards that a head was asked for (None: all heads), the latest first."""
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT {", ".join(f.name for f in fields(CardReview))} FROM {schema}.card_reviews
            WHERE ($1::uuid[] IS NULL OR journal = ANY($1)) AND ($2::text IS NULL OR pipeline = $2)
              AND (NOT $3::boolean OR done_at IS NULL) ORDER BY asked_at DESC, review LIMIT 500""",  # noqa: S608
        None if head is None else _journals(head, now),
        pipeline,
        open_only,
    )
    return [CardReview(*row) for row in rows]


def _journals(person: str, now: datetime) -> list[UUID]:
    """The person's journals of this quarter, wherever it began already, and those before it."""
    quarter, found = quarters_at(now)[-1], list[UUID]()
    for _ in range(QUARTERS):
        found.append(journal_of(person, quarter))
        quarter = quarter_before(quarter)
    return found


def _escalation(row: Any) -> Escalation:
    values = tuple(row)
    members = tuple(
        Member(UUID(incident), strike, datetime.fromisoformat(at), opening)
        for incident, strike, at, opening in orjson.loads(values[-1] or "[]")
    )
    return Escalation(*(*values[:-1], members))
