"""What pages read of tasks: a person's tasks, what is overdue (D6), the deadlines of a lead, how much everyone has to do.

Reads take a connection and use the live builds of `tasks` and `board`: who is responsible, where the lead stands and what it is
called comes from its card. Leads that were merged away and withdrawn deals are left out. `now` is the moment of reading (UTC).
Lists are paged by a cursor (`after`), opaque to the caller; a malformed one raises ValueError. Each raises NotBuiltError before
the first build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from contracts.events import Term
from projections.board.store import NAME as BOARD
from projections.reading import cursor, cursor_of, live_schema
from projections.tasks.store import NAME
from services.database import Database

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Stands for no due instant in a list's order: behind all others."""


@dataclass(frozen=True, slots=True)
class Task:
    """A planned activity with its lead's card. `doer`: the assignee, else the responsible; None: nobody. `name` is None where
    unknown or erased. `moved`: how often; `outcome`: done or closed (`closed_reason`), None: to be done."""

    lead: UUID
    activity: UUID
    kind: str
    reason: str
    planned_at: datetime
    planned_by: str
    first_due_at: datetime | None
    due_at: datetime | None
    moved: int
    assignee: str | None
    robot: str | None
    deadline: str | None
    visit: int | None
    is_key: bool
    remind_at: datetime | None
    recurring: bool
    outcome: str | None
    closed_at: datetime | None
    closed_by: str | None
    closed_reason: str | None
    doer: str | None
    responsible: str | None
    pipeline: str
    stage: str
    name: str | None
    amount: Decimal | None
    currency: str | None
    deal_of: UUID | None

    def overdue(self, now: datetime) -> bool:
        """Whether it should have been done by now."""
        return self.outcome is None and self.due_at is not None and self.due_at < now


OF_CARD = ("doer", "responsible", "pipeline", "stage", "name", "amount", "currency", "deal_of")
_TASK = tuple(f.name for f in fields(Task) if f.name not in OF_CARD)
CARD = """c.responsible, c.pipeline, c.stage, nullif(coalesce(c.name, l.name), '') AS name, c.amount, c.currency, c.deal_of"""


@dataclass(frozen=True, slots=True)
class TasksWanted:
    """Which tasks of a list: those to be done that meet all conditions given. `person`: who is to do them; `due_before`: what is
    overdue then, for `now`; `kinds`: of these kinds alone."""

    person: str | None = None
    people: Sequence[str] | None = None
    nobody: bool = False
    pipeline: str | None = None
    due_before: datetime | None = None
    kinds: Sequence[str] | None = None


async def tasks(
    connection: Database, wanted: TasksWanted, *, after: str | None = None, limit: int = 50
) -> tuple[list[Task], str | None]:
    """S4, D6: tasks to be done, the soonest due first and those without an instant last, and the cursor of the next page."""
    at, last = cursor(after)
    schema, board = await live_schema(connection, NAME), await live_schema(connection, BOARD)
    rows = await connection.fetch(
        f"""{_tasks(schema, board)}
            WHERE a.outcome IS NULL AND c.merged_into IS NULL AND NOT c.withdrawn
              AND ($1::text IS NULL OR a.assignee = $1
                   OR (a.assignee IS NULL AND a.lead IN (SELECT lead FROM {board}.cards WHERE responsible = $1)))
              AND ($2::text[] IS NULL OR coalesce(a.assignee, c.responsible) = ANY($2))
              AND (NOT $3::boolean OR coalesce(a.assignee, c.responsible) IS NULL)
              AND ($4::text IS NULL OR c.pipeline = $4) AND ($5::timestamptz IS NULL OR a.due_at < $5)
              AND ($6::text[] IS NULL OR a.kind = ANY($6))
              AND ($7::timestamptz IS NULL OR (coalesce(a.due_at, $9), a.activity) > ($7, $8::uuid))
            ORDER BY coalesce(a.due_at, $9::timestamptz), a.activity LIMIT $10""",  # noqa: S608 (names of ours)
        wanted.person,
        None if wanted.people is None else list(wanted.people),
        wanted.nobody,
        wanted.pipeline,
        wanted.due_before,
        None if wanted.kinds is None else list(wanted.kinds),
        at,
        last,
        NEVER,
        limit + 1,
    )
    page = [Task(*row) for row in rows[:limit]]
    more = len(rows) > limit and page
    return page, cursor_of(page[-1].due_at or NEVER, page[-1].activity) if more else None


async def of_lead(connection: Database, lead: UUID) -> list[Task]:
    """All activities of a lead or deal, those to be done first by their due instant, then what is over, the latest first."""
    schema, board = await live_schema(connection, NAME), await live_schema(connection, BOARD)
    rows = await connection.fetch(
        f"""{_tasks(schema, board)} WHERE a.lead = $1
            ORDER BY a.outcome IS NOT NULL, CASE WHEN a.outcome IS NULL THEN a.due_at END NULLS LAST, a.closed_at DESC,
                     a.activity""",
        lead,
    )
    return [Task(*row) for row in rows]


def _tasks(schema: str, board: str) -> str:
    return f"""SELECT {", ".join(f"a.{name}" for name in _TASK)}, coalesce(a.assignee, c.responsible) AS doer, {CARD}
               FROM {schema}.activities AS a JOIN {board}.cards AS c ON c.lead = a.lead
               LEFT JOIN {board}.cards AS l ON l.lead = c.deal_of"""  # noqa: S608 (names of ours)


@dataclass(frozen=True, slots=True)
class Running:
    """A turn of a deadline with its lead's card. `counted_for`: in whose working time; `lacks`: ids of what is asked for again,
    or was lacking at its end; `outcome`: met, asked, missed or dropped, None: it runs. `missed_by`: who was responsible at the
    due instant. `misses`: how many turns of it were missed in this stage visit before it, the first due at `missed_since`."""

    lead: UUID
    timer: UUID
    deadline: str
    visit: int
    turn: int
    because: str
    begun_at: datetime
    due_at: datetime
    term: Term
    clause: str | None
    calendar: str | None
    counted_for: str | None
    warn_at: datetime | None
    activity: UUID | None
    raises: bool
    lacks: tuple[str, ...]
    outcome: str | None
    closed_at: datetime | None
    closed_reason: str | None
    result: str | None
    left_s: int | None
    late_ms: int | None
    missed_by: str | None
    cause: str | None
    running: int | None
    incident: UUID | None
    misses: int
    missed_since: datetime | None
    responsible: str | None
    pipeline: str
    stage: str
    name: str | None
    amount: Decimal | None
    currency: str | None
    deal_of: UUID | None


_TURN = tuple(f.name for f in fields(Running) if f.name not in ("misses", "missed_since", *OF_CARD))


async def deadlines(
    connection: Database,
    *,
    person: str | None = None,
    people: Sequence[str] | None = None,
    pipeline: str | None = None,
    due_before: datetime | None = None,
    missed: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> tuple[list[Running], str | None]:
    """Q7: deadlines that run, the soonest due first, and the cursor of the next page. `person`: who is responsible now; `missed`:
    only those not done in time already, which go on with another turn."""
    at, last = cursor(after)
    schema, board = await live_schema(connection, NAME), await live_schema(connection, BOARD)
    rows = await connection.fetch(
        f"""{_deadlines(schema, board)}
            WHERE d.outcome IS NULL AND c.merged_into IS NULL AND NOT c.withdrawn
              AND ($1::text IS NULL OR d.lead IN (SELECT lead FROM {board}.cards WHERE responsible = $1))
              AND ($2::text[] IS NULL OR c.responsible = ANY($2)) AND ($3::text IS NULL OR c.pipeline = $3)
              AND ($4::timestamptz IS NULL OR d.due_at < $4) AND (NOT $5::boolean OR m.misses > 0)
              AND ($6::timestamptz IS NULL OR (d.due_at, d.timer) > ($6, $7::uuid))
            ORDER BY d.due_at, d.timer LIMIT $8""",  # noqa: S608 (names of ours)
        person,
        None if people is None else list(people),
        pipeline,
        due_before,
        missed,
        at,
        last,
        limit + 1,
    )
    page = [_running(row) for row in rows[:limit]]
    more = len(rows) > limit and page
    return page, cursor_of(page[-1].due_at, page[-1].timer) if more else None


async def deadlines_of(connection: Database, lead: UUID) -> list[Running]:
    """All turns of a lead's deadlines: those that run first by their due instant, then the latest."""
    schema, board = await live_schema(connection, NAME), await live_schema(connection, BOARD)
    rows = await connection.fetch(
        f"""{_deadlines(schema, board)} WHERE d.lead = $1
            ORDER BY d.outcome IS NOT NULL, CASE WHEN d.outcome IS NULL THEN d.due_at END, d.closed_at DESC, d.timer""",
        lead,
    )
    return [_running(row) for row in rows]


def _deadlines(schema: str, board: str) -> str:
    return f"""SELECT {", ".join(f"d.{name}" for name in _TURN)}, m.misses, m.missed_since, {CARD}
               FROM {schema}.deadlines AS d JOIN {board}.cards AS c ON c.lead = d.lead
               LEFT JOIN {board}.cards AS l ON l.lead = c.deal_of
               LEFT JOIN LATERAL (SELECT count(*) AS misses, min(p.due_at) AS missed_since FROM {schema}.deadlines AS p
                                  WHERE p.lead = d.lead AND p.deadline = d.deadline AND p.visit = d.visit
                                    AND p.outcome = 'missed' AND p.turn < d.turn) AS m ON true"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Load:
    """How much somebody has to do (None: what is nobody's). `leads`: open leads and deals; `tasks`, `overdue`: to be done, and of
    these overdue; `deadlines`: running ones; `soon`: of these due before the moment asked for; `missed`: of these missed
    before."""

    person: str | None
    leads: int
    tasks: int
    overdue: int
    deadlines: int
    soon: int
    missed: int


async def load(connection: Database, now: datetime, soon: datetime, *, pipeline: str | None = None) -> list[Load]:
    """D6: everyone's load now, in the order of their names, nobody's last."""
    schema, board = await live_schema(connection, NAME), await live_schema(connection, BOARD)
    rows = await connection.fetch(
        f"""WITH cards AS (SELECT lead, responsible, kind FROM {board}.cards
                           WHERE merged_into IS NULL AND NOT withdrawn AND ($3::text IS NULL OR pipeline = $3))
            SELECT person, sum(leads)::bigint, sum(tasks)::bigint, sum(overdue)::bigint, sum(deadlines)::bigint,
                   sum(soon)::bigint, sum(missed)::bigint
            FROM (SELECT responsible AS person, count(*) AS leads, 0 AS tasks, 0 AS overdue, 0 AS deadlines, 0 AS soon,
                         0 AS missed
                  FROM cards WHERE kind = 'open' GROUP BY 1
                  UNION ALL
                  SELECT coalesce(a.assignee, c.responsible), 0, count(*), count(*) FILTER (WHERE a.due_at < $1), 0, 0, 0
                  FROM {schema}.activities AS a JOIN cards AS c USING (lead) WHERE a.outcome IS NULL GROUP BY 1
                  UNION ALL
                  SELECT c.responsible, 0, 0, 0, count(*), count(*) FILTER (WHERE d.due_at < $2),
                         count(*) FILTER (WHERE EXISTS (SELECT FROM {schema}.deadlines AS p
                             WHERE p.lead = d.lead AND p.deadline = d.deadline AND p.visit = d.visit
                               AND p.outcome = 'missed' AND p.turn < d.turn))
                  FROM {schema}.deadlines AS d JOIN cards AS c USING (lead) WHERE d.outcome IS NULL GROUP BY 1) AS loads
            GROUP BY person ORDER BY person NULLS LAST""",  # noqa: S608 (names of ours)
        now,
        soon,
        pipeline,
    )
    return [Load(*row) for row in rows]


def _running(row: Any) -> Running:
    values = dict(row)
    term, lacks = Term.model_validate_json(values["term"]), tuple(orjson.loads(values["lacks"]))
    return Running(**{**values, "term": term, "lacks": lacks})
