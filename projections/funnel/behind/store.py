"""SQL of the leads behind each number of a funnel: what it counts, by the same condition (M9).

Invariants: the list is as long as the number says; it is paged by an opaque cursor, a malformed one raises ValueError, a number
that does not exist there NoSuchNumberError. Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from projections.funnel.known.store import ASKED
from projections.funnel.numbers.asked import (
    LEAD_NUMBERS,
    SCALE_NUMBERS,
    TOTAL_NUMBERS,
    UNDONE,
    VISIT_NUMBERS,
    Asked,
    By,
)
from projections.funnel.numbers.store import REACHED, SKIPPED, leads_of, visits_of, with_deals
from projections.reading import cursor, cursor_of, live_schema
from services.database import Database

OF_STAGE = (*VISIT_NUMBERS, *LEAD_NUMBERS, *SCALE_NUMBERS, UNDONE)
"""The numbers that belong to a stage."""


@dataclass(frozen=True, slots=True)
class Behind:
    """A visit, or a lead in its present one, that is counted in a number. `left_at` and after: as far as the view goes."""

    lead: UUID
    visit: int
    stage: str
    source: str
    worked_by: str | None
    captured_at: datetime
    entered_at: datetime
    left_at: datetime | None = None
    to_stage: str | None = None
    how: str | None = None


class NoSuchNumberError(LookupError):
    """The funnel has no number of this name there; the text lists those it has."""


@dataclass(frozen=True, slots=True)
class Which:
    """A number: its name; its stage, none for those of the whole pipeline; of `lost` only those with this reject status or for
    this reason; the group of `by` it stands in."""

    number: str
    stage: str | None = None
    status: str | None = None
    reason: str | None = None
    by: By | None = None
    group: str | None = None


async def behind(
    connection: Database, asked: Asked, which: Which, after: str | None = None, limit: int = 50
) -> tuple[list[Behind], str | None]:
    """What a number counts, the latest entered first, and the cursor of the next page."""
    schema = await live_schema(connection, "funnel")
    at, lead, visit = place_after(after)
    source, chosen = _chosen(asked, schema, which)
    rows = await connection.fetch(
        f"""WITH {ASKED},
            which AS (SELECT $11::text AS grp, $12::text AS stage, $13::text AS status, $14::text AS reason), {source}
            SELECT * FROM ({chosen}) AS chosen
            WHERE ($15::timestamptz IS NULL OR (entered_at, lead, visit) < ($15, $16::uuid, $17::int))
            ORDER BY entered_at DESC, lead DESC, visit DESC LIMIT $18""",  # noqa: S608 (texts of ours)
        *asked.arguments,
        which.group,
        which.stage,
        which.status,
        which.reason,
        at,
        lead,
        visit,
        limit + 1,
    )
    page = [Behind(*row) for row in rows[:limit]]
    last = page[-1] if len(rows) > limit and page else None
    return page, f"{cursor_of(last.entered_at, last.lead)}.{last.visit}" if last else None


def _chosen(asked: Asked, schema: str, which: Which) -> tuple[str, str]:
    """What the rows of a number are chosen from, and how."""
    number, by = which.number, which.by
    columns = "lead, visit, stage, source, worked_by, captured_at, entered_at"
    ended = f"{columns}, left_at, to_stage, how"
    group = "($11::text IS NULL OR grp = $11)"
    if which.stage is None and number in TOTAL_NUMBERS:
        return leads_of(asked, schema, by), f"SELECT {columns} FROM t WHERE ({TOTAL_NUMBERS[number]}) AND {group}"  # noqa: S608
    if which.stage is None or number not in OF_STAGE:
        there = TOTAL_NUMBERS if which.stage is None else OF_STAGE
        raise NoSuchNumberError(f"no such number: {number}; there are: {', '.join(there)}")
    if number == UNDONE:
        source = f"v AS ({visits_of(asked, schema, by, undone=True)})"
        return source, f"SELECT {ended} FROM v WHERE entered AND {group} AND stage = $12"  # noqa: S608
    if number in SCALE_NUMBERS:
        source = f"x AS MATERIALIZED ({visits_of(asked, schema, by)})"
        mine = ", ".join(f"x.{column.strip()}" for column in ended.split(","))
        once, order = ("DISTINCT ON (x.lead) ", "ORDER BY x.lead, x.visit") if number == "reached" else ("", "")
        joined = REACHED if number == "reached" else SKIPPED
        where = f"({SCALE_NUMBERS[number]}) AND {group} AND k.stage = $12"
        return source, f"SELECT {once}{mine} FROM {joined} WHERE {where} {order}"  # noqa: S608
    condition = (VISIT_NUMBERS | LEAD_NUMBERS)[number]
    source = with_deals(asked, schema, by) if "deal" in condition else f"v AS ({visits_of(asked, schema, by)})"
    once, order = ("DISTINCT ON (lead) ", "ORDER BY lead, visit") if number in LEAD_NUMBERS else ("", "")
    lost = "($13::text IS NULL OR to_stage = $13) AND ($14::text IS NULL OR left_reason = $14)"
    where = f"({condition}) AND {group} AND stage = $12 AND {lost}"
    return source, f"SELECT {once}{ended} FROM v WHERE {where} {order}"  # noqa: S608


def place_after(after: str | None) -> tuple[datetime | None, UUID | None, int | None]:
    """The place after which a page begins: moment, lead, number within it."""
    if after is None:
        return None, None, None
    place, _, visit = after.rpartition(".")
    at, lead = cursor(place)
    if not (visit.isascii() and visit.isdigit() and len(visit) < 10):
        raise ValueError("this is no cursor of ours: leave `after` out to begin anew")
    return at, lead, int(visit)


async def names(connection: Database, leads: Sequence[UUID]) -> dict[UUID, tuple[str | None, bool]]:
    """Name and whether erased, of these leads, from the board."""
    schema = await live_schema(connection, "board")
    rows = await connection.fetch(
        f"SELECT lead, name, erased FROM {schema}.cards WHERE lead = ANY($1::uuid[])",  # noqa: S608
        leads,
    )
    return {row[0]: (row[1], row[2]) for row in rows}
