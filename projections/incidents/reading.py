"""What pages read of the journals: a person's journal, lists, what was not told, weak places and people (Q6, Q9, N20).

Reads take a connection and use the live build. Times are UTC instants, `missed_s` is working time in seconds. Lists are paged by
a cursor (`after`), opaque to the caller; a malformed one raises ValueError. Each raises NotBuiltError before the first build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import orjson

from contracts.events import Term
from projections.incidents.store import NAME
from projections.reading import cursor, cursor_of, live_schema
from services.database import Database

IncidentState = Literal["untold", "open", "acknowledged", "excused"]
"""untold: the person has not been told; open: told, neither acknowledged nor excused."""


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident. The verdict stands as it was made (`due_at`, `counts`, `strike`); `verdict` and `restated_…`: the last
    restatement beside it. `strike` n of `strikes` within `days`; None: it counts not, or was not told yet. `escalation`: the one
    it belongs to. `notice`: what became of its letter: requested, done or failed; None: none was asked for."""

    journal: UUID
    incident: UUID
    employee: str
    kind: str
    lead: UUID | None
    of_deal: bool
    pipeline: str | None
    stage: str | None
    rule: str
    because: str | None
    due_at: datetime
    missed_s: int
    cause: str
    counts: bool
    turn: int | None
    begun_at: datetime | None
    term: Term | None
    calendar: str | None
    text: str | None
    recorded_at: datetime
    told_at: datetime | None
    told_via: str | None
    strike: int | None
    strikes: int | None
    days: int | None
    acknowledged_at: datetime | None
    comment: str | None
    excused_at: datetime | None
    excused_by: str | None
    excuse: str | None
    restated_at: datetime | None
    restated_by: str | None
    verdict: str | None
    restated_due_at: datetime | None
    restated_calendar: str | None
    restated_strike: int | None
    restatement: str | None
    restatements: int
    escalation: UUID | None
    notice: str | None

    @property
    def state(self) -> IncidentState:
        """Where it stands with the person."""
        if self.excused_at is not None:
            return "excused"
        if self.told_at is None:
            return "untold"
        return "open" if self.acknowledged_at is None else "acknowledged"

    @property
    def strike_now(self) -> int | None:
        """Its number among the strikes of the period as it stands now: restated where it was, none where it was excused."""
        if self.excused_at is not None:
            return None
        return self.strike if self.verdict is None else self.restated_strike


_INCIDENT = tuple(f.name for f in fields(Incident) if f.name not in ("escalation", "notice"))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents of a list: those that meet all conditions given. `since`, `until`: of the due instant, the latter not
    included. `strikes`: only those that count as strikes now."""

    employee: str | None = None
    employees: Sequence[str] | None = None
    stage: str | None = None
    pipeline: str | None = None
    kind: str | None = None
    lead: UUID | None = None
    rule: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: IncidentState | None = None
    strikes: bool = False


_WANTED = """($1::text IS NULL OR i.employee = $1) AND ($2::text[] IS NULL OR i.employee = ANY($2))
    AND ($3::text IS NULL OR i.stage = $3) AND ($4::text IS NULL OR i.pipeline = $4) AND ($5::text IS NULL OR i.kind = $5)
    AND ($6::uuid IS NULL OR i.lead = $6) AND ($7::text IS NULL OR i.rule = $7)
    AND ($8::timestamptz IS NULL OR i.due_at >= $8) AND ($9::timestamptz IS NULL OR i.due_at < $9)
    AND CASE $10::text WHEN 'untold' THEN i.told_at IS NULL AND i.excused_at IS NULL
        WHEN 'open' THEN i.told_at IS NOT NULL AND i.acknowledged_at IS NULL AND i.excused_at IS NULL
        WHEN 'acknowledged' THEN i.acknowledged_at IS NOT NULL AND i.told_at IS NOT NULL AND i.excused_at IS NULL
        WHEN 'excused' THEN i.excused_at IS NOT NULL ELSE true END
    AND (NOT $11::boolean OR (i.excused_at IS NULL AND CASE WHEN i.verdict IS NULL THEN i.strike IS NOT NULL
                                                           ELSE i.restated_strike IS NOT NULL END))"""


def _select(schema: str) -> str:
    return f"""SELECT {", ".join(f"i.{name}" for name in _INCIDENT)},
                      (SELECT x.escalation FROM {schema}.escalated AS x WHERE x.incident = i.incident
                       ORDER BY x.added_at, x.escalation LIMIT 1) AS escalation,
                      (SELECT n.state FROM {schema}.notices AS n WHERE n.incident = i.incident AND n.about = 'incident'
                       ORDER BY n.requested_at DESC, n.effect LIMIT 1) AS notice
               FROM {schema}.incidents AS i"""  # noqa: S608 (names of ours)


async def incidents(
    connection: Database, wanted: Wanted, *, after: str | None = None, limit: int = 50
) -> tuple[list[Incident], str | None]:
    """Q6: incidents that meet all conditions, the latest recorded first, and the cursor of the next page (None: no more)."""
    at, last = cursor(after)
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""{_select(schema)} WHERE {_WANTED} AND ($12::timestamptz IS NULL OR (i.recorded_at, i.incident) < ($12, $13::uuid))
            ORDER BY i.recorded_at DESC, i.incident DESC LIMIT $14""",
        *_conditions(wanted),
        at,
        last,
        limit + 1,
    )
    page = [_incident(row) for row in rows[:limit]]
    more = len(rows) > limit and page
    return page, cursor_of(page[-1].recorded_at, page[-1].incident) if more else None


async def journal(
    connection: Database, employee: str, *, after: str | None = None, limit: int = 50
) -> tuple[list[Incident], str | None]:
    """A person's journal over all quarters, as `incidents`."""
    return await incidents(connection, Wanted(employee=employee), after=after, limit=limit)


async def incident(connection: Database, incident: UUID) -> Incident | None:
    """One incident; None: the projection has not seen it."""
    schema = await live_schema(connection, NAME)
    row = await connection.fetchrow(f"{_select(schema)} WHERE i.incident = $1", incident)
    return None if row is None else _incident(row)


async def untold(connection: Database, employee: str, *, limit: int = 100) -> list[Incident]:
    """Q6: what the person has not been told of yet, the oldest first: the application shows it, and says so (`told`)."""
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""{_select(schema)} WHERE i.employee = $1 AND i.told_at IS NULL AND i.excused_at IS NULL
            ORDER BY i.recorded_at, i.incident LIMIT $2""",
        employee,
        limit,
    )
    return [_incident(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Counted:
    """Q9: incidents of an employee at a stage, of a kind and rule, due in the week that begins on Monday `week` (in the zone
    asked for). `misses`: as recorded, `strikes`: of them those that counted when told, `excused` of them; `misses_now`,
    `strikes_now`: after restatements and excuses. `missed_s`: working time, added up. `causes`: by cause, as recorded."""

    employee: str
    pipeline: str | None
    stage: str | None
    kind: str
    rule: str
    week: date
    misses: int
    strikes: int
    untold: int
    excused: int
    misses_now: int
    strikes_now: int
    missed_s: int
    causes: dict[str, int]


async def counts(connection: Database, wanted: Wanted, zone: str) -> list[Counted]:
    """Q9: weak places and people: employee × stage × kind × rule × week, the latest week first. `zone`: a time zone's name.

    A restated incident stays in the week it was first said to be due in, so that both verdicts stand in one row."""
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT employee, pipeline, stage, kind, rule, week, sum(n)::bigint, sum(strikes)::bigint, sum(untold)::bigint,
                   sum(excused)::bigint, sum(misses_now)::bigint, sum(strikes_now)::bigint, sum(missed_s)::bigint,
                   jsonb_object_agg(cause, n)
            FROM (SELECT i.employee, i.pipeline, i.stage, i.kind, i.rule, i.cause,
                         date_trunc('week', i.due_at AT TIME ZONE $12)::date AS week, count(*) AS n,
                         count(i.strike) AS strikes, count(*) FILTER (WHERE i.told_at IS NULL) AS untold,
                         count(i.excused_at) AS excused,
                         count(*) FILTER (WHERE i.excused_at IS NULL AND coalesce(i.verdict, 'stands') = 'stands') AS misses_now,
                         count(CASE WHEN i.verdict IS NULL THEN i.strike ELSE i.restated_strike END)
                             FILTER (WHERE i.excused_at IS NULL) AS strikes_now,
                         sum(i.missed_s) AS missed_s
                  FROM {schema}.incidents AS i WHERE {_WANTED} GROUP BY 1, 2, 3, 4, 5, 6, 7) AS by_cause
            GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY week DESC, employee, pipeline, stage, kind, rule""",  # noqa: S608
        *_conditions(wanted),
        zone,
    )
    return [Counted(*(*tuple(row)[:-1], orjson.loads(row[-1]))) for row in rows]


def _conditions(wanted: Wanted) -> tuple[Any, ...]:
    employees = None if wanted.employees is None else list(wanted.employees)
    return (
        wanted.employee, employees, wanted.stage, wanted.pipeline, wanted.kind, wanted.lead, wanted.rule, wanted.since,
        wanted.until, wanted.state, wanted.strikes,
    )  # fmt: skip


def _incident(row: Any) -> Incident:
    values = dict(row)
    term = values["term"]
    return Incident(**{**values, "term": None if term is None else Term.model_validate_json(term)})
