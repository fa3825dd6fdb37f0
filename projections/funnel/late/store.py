"""SQL of what became known of a closed period afterwards: late records, undone moves, merges taken back (M1, M9).

A closed report counts what had happened by the period's end, as it was known when it was closed; `restated` by what is known now.
Invariant: no lead whose visits say the same both ways is named. Reads only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from projections.funnel import projection as funnel
from projections.funnel.behind.store import place_after
from projections.funnel.known.store import ASKED, PERIOD, visits_known
from projections.funnel.numbers.asked import Asked
from projections.reading import cursor_of, live_schema
from services.database import Database

EVENTS = [funnel.CAPTURED, funnel.ENTERED, funnel.MERGED, funnel.UNMERGED]
"""Events that can change a closed report. Who is responsible is of now, whenever it was said."""

_SAID = "stage, pipeline_version, basis, entered_at, left_at, left_how, to_stage, left_reason"


@dataclass(frozen=True, slots=True)
class LateEvent:
    """An event that was recorded after the report was closed, and changed it."""

    lead: UUID
    version: int
    type: str
    happened_at: datetime
    recorded_at: datetime
    actor: str


async def leads_restated(connection: Database, closed: Asked) -> list[UUID]:
    """The leads whose visits in the period are known now to be otherwise. `closed`: with `known` and `until`."""
    schema = await live_schema(connection, "funnel")
    was, now = visits_known(closed, schema), visits_known(replace(closed, known=None), schema)
    of_view = (
        PERIOD.format("captured_at")
        if closed.view == "cohort"
        else "($2::timestamptz IS NULL OR left_at IS NULL OR left_at >= $2)"
    )
    rows = await connection.fetch(
        f"""WITH {ASKED},
            late AS MATERIALIZED (
                SELECT DISTINCT lead FROM {schema}.visits
                WHERE pipeline = $1 AND entered_at < $5
                  AND (known_from - entered_at >= interval '1 hour' OR left_known_at - left_at >= interval '1 hour')
                  AND (known_from > $4 OR (left_known_at > $4 AND left_at < $5))),
            was AS (SELECT lead, visit, {_SAID} FROM {was} AS s JOIN late USING (lead) WHERE {of_view}),
            now AS (SELECT lead, visit, {_SAID} FROM {now} AS s JOIN late USING (lead) WHERE {of_view})
            SELECT DISTINCT lead FROM (
                (TABLE was EXCEPT TABLE now) UNION ALL (TABLE now EXCEPT TABLE was)) AS different ORDER BY lead""",  # noqa: S608
        *closed.arguments,
    )
    return [row[0] for row in rows]


async def late_events(
    connection: Database, closed: Asked, leads: list[UUID], after: str | None = None, limit: int = 50
) -> tuple[list[LateEvent], str | None]:
    """The events that changed these leads' part of the report, as they were recorded, and the cursor of the next page."""
    schema = await live_schema(connection, "timeline")
    at, lead, version = place_after(after)
    rows = await connection.fetch(
        f"""SELECT lead, version, type, happened_at, recorded_at, actor_id FROM {schema}.entries
            WHERE lead = ANY($1::uuid[]) AND type = ANY($2::text[]) AND recorded_at > $3
              AND (happened_at < $4 OR type = $5 OR data ->> 'undoes' IS NOT NULL)
              AND ($6::timestamptz IS NULL OR (recorded_at, lead, version) > ($6, $7::uuid, $8::bigint))
            ORDER BY recorded_at, lead, version LIMIT $9""",  # noqa: S608
        leads,
        EVENTS,
        closed.known,
        closed.until,
        funnel.UNMERGED,
        at,
        lead,
        version,
        limit + 1,
    )
    page = [LateEvent(*row) for row in rows[:limit]]
    last = page[-1] if len(rows) > limit and page else None
    return page, f"{cursor_of(last.recorded_at, last.lead)}.{last.version}" if last else None
