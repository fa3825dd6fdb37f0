"""What pages read of quality control: what a head is to judge, and how it was judged, by person (Q5).

Reads take a connection and use the live builds of `tasks` and `board`. Lists are paged by a cursor, as in `reading`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from projections.board.store import NAME as BOARD
from projections.reading import cursor, cursor_of, live_schema
from projections.tasks.reading import CARD, OF_CARD
from projections.tasks.store import NAME
from services.database import Database


@dataclass(frozen=True, slots=True)
class Review:
    """A poor lead. `judged`: whose work it judges; `automatic`: made poor by a robot, a limit or a deadline's check; `decision`:
    confirmed, returned or dropped (`dropped_by`), None: it waits."""

    lead: UUID
    visit: int
    status: str
    reason: str | None
    automatic: bool
    judged: str | None
    opened_at: datetime
    decision: str | None
    decided_at: datetime | None
    decided_by: str | None
    dropped_by: str | None
    responsible: str | None
    pipeline: str
    stage: str
    name: str | None
    amount: Decimal | None
    currency: str | None
    deal_of: UUID | None


_REVIEW = ", ".join(
    "r.responsible AS judged" if f.name == "judged" else f"r.{f.name}"
    for f in fields(Review)
    if f.name not in OF_CARD
)  # fmt: skip


async def waiting(
    connection: Database,
    *,
    pipeline: str | None = None,
    judged: str | None = None,
    automatic: bool | None = None,
    after: str | None = None,
    limit: int = 50,
) -> tuple[list[Review], str | None]:
    """Q5: leads that wait for the head's word, the longest waiting first, and the cursor of the next page."""
    at, last = cursor(after)
    schema, board = await live_schema(connection, NAME), await live_schema(connection, BOARD)
    rows = await connection.fetch(
        f"""SELECT {_REVIEW}, {CARD}
            FROM {schema}.reviews AS r JOIN {board}.cards AS c ON c.lead = r.lead
            LEFT JOIN {board}.cards AS l ON l.lead = c.deal_of
            WHERE r.decision IS NULL AND c.merged_into IS NULL AND NOT c.withdrawn
              AND ($1::text IS NULL OR c.pipeline = $1) AND ($2::text IS NULL OR r.responsible = $2)
              AND ($3::boolean IS NULL OR r.automatic = $3)
              AND ($4::timestamptz IS NULL OR (r.opened_at, r.lead) > ($4, $5::uuid))
            ORDER BY r.opened_at, r.lead LIMIT $6""",  # noqa: S608 (names of ours)
        pipeline,
        judged,
        automatic,
        at,
        last,
        limit + 1,
    )
    page = [Review(*row) for row in rows[:limit]]
    more = len(rows) > limit and page
    return page, cursor_of(page[-1].opened_at, page[-1].lead) if more else None


@dataclass(frozen=True, slots=True)
class Judged:
    """How a person's poor leads of a period were judged (None: nobody's). `automatic`: those that no person had made poor,
    counted apart from the others. `waiting`: opened in the period and not judged yet; dropped ones count nowhere."""

    person: str | None
    automatic: bool
    confirmed: int
    returned: int
    waiting: int

    @property
    def share_returned(self) -> float | None:
        """Of those judged; None: none was."""
        judged = self.confirmed + self.returned
        return self.returned / judged if judged else None


async def by_person(
    connection: Database, since: datetime, until: datetime, *, pipeline: str | None = None
) -> list[Judged]:
    """Q5: reviews opened from `since` on and before `until`, by person, automatic ones apart; nobody's last."""
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT responsible, automatic, count(*) FILTER (WHERE decision = 'confirmed'),
                   count(*) FILTER (WHERE decision = 'returned'), count(*) FILTER (WHERE decision IS NULL)
            FROM {schema}.reviews
            WHERE opened_at >= $1 AND opened_at < $2 AND decision IS DISTINCT FROM 'dropped'
              AND ($3::text IS NULL OR pipeline = $3)
            GROUP BY 1, 2 ORDER BY 1 NULLS LAST, 2""",  # noqa: S608 (names of ours)
        since,
        until,
        pipeline,
    )
    return [Judged(*row) for row in rows]
