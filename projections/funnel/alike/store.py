"""SQL that finds leads alike: for every number of a funnel they count the same, so one stands for all of them.

A funnel's numbers depend on what a lead's visits were (stage, how and to where each ended), on the groups asked for, and on
which side of the period's ends a moment lies; on nothing else of a lead. Leads that agree in all of it are alike; 100,000 leads
have a few hundred histories. Invariants: every column and every comparison of a time that a number's condition uses stands in
the likeness (a lead's responsible is its last visit's `worked_by`); the likeness is the text itself, no digest of it, so the
numbers stay exact. Reads only.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from uuid import UUID

from projections.funnel.known.store import ASKED, PERIOD, visits_known
from projections.funnel.numbers.asked import Asked, By
from services.database import Database

WORK_MEM = "32MB"
"""For this and the reads after it in the transaction: what Postgres has by default spills a funnel of 100,000 leads to disk."""

_LIKENESS: Final = (
    *("visit::text", "pipeline_version::text", "stage", "kind", "basis"),
    *(f"coalesce({column}, '')" for column in ("left_how", "left_by", "to_stage", "left_reason")),
    "coalesce(left_version::text, '')",
)
"""Of a visit. None of these texts holds a separator."""

_GROUPS = {  # free texts, which might hold our separators: told apart by their length
    "source": "length(source) || ':' || source",
    "responsible": "coalesce(length(worked_by) || ':' || worked_by, '')",
}


class Alike(NamedTuple):
    """`leads[n]` stands for `weights[n]` leads, itself among them."""

    leads: list[UUID]
    weights: list[int]


async def alike(connection: Database, schema: str, asked: Asked, by: By | None) -> Alike:
    """The leads of a pipeline by likeness, as far as these groups and this period tell them apart."""
    await connection.execute(f"SET LOCAL work_mem = '{WORK_MEM}'")
    parts = [*_LIKENESS, *([_GROUPS[by]] if by else [])]
    if asked.responsible is not None:
        parts.append("(coalesce(worked_by, '') = $6)::text")
    if asked.view == "activity":
        parts += [
            f"CASE WHEN {column} < {end_of}::timestamptz THEN '<' WHEN {column} IS NULL THEN '' ELSE '>' END"
            for end_of, moment in (("$2", asked.start), ("$3", asked.end))
            for column in ("captured_at", "entered_at", "left_at")
            if moment is not None
        ]
    received = PERIOD.format("captured_at") if asked.view == "cohort" else "true"
    rows = await connection.fetch(
        f"""WITH {ASKED}
            SELECT any_value(lead), count(*) FROM (
                SELECT lead, string_agg({" || '|' || ".join(parts)}, '/' ORDER BY visit) AS likeness
                FROM {visits_known(asked, schema)} AS s WHERE {received} GROUP BY lead) AS l
            GROUP BY likeness""",  # noqa: S608 (texts of ours)
        *asked.arguments,
        timeout=60,
    )
    return Alike([row[0] for row in rows], [row[1] for row in rows])
