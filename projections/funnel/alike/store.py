"""SQL that finds leads alike: for every number of a funnel they count the same, so one stands for all of them.

A funnel's numbers depend on what a lead's visits were (stage, how and to where each ended), on the groups asked for, and on
which side of the period's ends a moment lies; on nothing else of a lead. Leads that agree in all of it are alike; 100,000 leads
have a few hundred histories. Invariants: every column and every comparison of a time that a number's condition uses stands in
the likeness (a lead's responsible is its last visit's `worked_by`); the likeness is the text itself, no digest of it, so the
numbers stay exact. Reads only.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from services.database import Database

WORK_MEM = "32MB"
"""For this and the reads after it in the transaction: what Postgres has by default spills a funnel of 100,000 leads to disk."""

_LIKENESS = ("visit::text", "stage", "kind", *(f"coalesce({c}, '')" for c in ("left_how", "left_by", "to_stage")))
"""Of a visit. None of these texts holds a separator."""

_GROUPS = {  # free texts, which might hold our separators: told apart by their length
    "source": "length(source) || ':' || source",
    "responsible": "coalesce(length(worked_by) || ':' || worked_by, '')",
}


class Alike(NamedTuple):
    """`leads[n]` stands for `weights[n]` leads, itself among them."""

    leads: list[UUID]
    weights: list[int]


async def alike(
    connection: Database,
    schema: str,
    pipeline: str,
    view: str,
    by: Literal["source", "responsible"] | None,
    start: datetime | None,
    end: datetime | None,
) -> Alike:
    """The leads of a pipeline by likeness, as far as these groups and this period (either end may be open) tell them apart.

    `view` cohort: only those received in the period.
    """
    await connection.execute(f"SET LOCAL work_mem = '{WORK_MEM}'")
    seen = {"cohort": ("captured_at",), "activity": ("captured_at", "entered_at", "left_at")}[view]
    parts = [*_LIKENESS, *([_GROUPS[by]] if by else [])]
    parts += [
        f"CASE WHEN {column} < {end_of}::timestamptz THEN '<' WHEN {column} IS NULL THEN '' ELSE '>' END"
        for end_of, moment in (("$2", start), ("$3", end))
        for column in seen
        if moment is not None and view == "activity"
    ]
    received = """($2::timestamptz IS NULL OR captured_at >= $2) AND ($3::timestamptz IS NULL OR captured_at < $3)"""
    rows = await connection.fetch(
        f"""SELECT any_value(lead), count(*) FROM (
                SELECT lead, string_agg({" || '|' || ".join(parts)}, '/' ORDER BY visit) AS likeness
                FROM {schema}.visits WHERE pipeline = $1 AND {received if view == "cohort" else "($2 < $3) IS NOT FALSE"}
                GROUP BY lead) AS l
            GROUP BY likeness""",  # noqa: S608 (texts of ours)
        pipeline,
        start,
        end,
        timeout=60,
    )
    return Alike([row[0] for row in rows], [row[1] for row in rows])
