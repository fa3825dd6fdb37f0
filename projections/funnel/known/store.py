"""SQL of the stage visits as they were known at a moment, and as far as they had happened by one (M1, M9).

Invariants: every reader of the funnel takes its visits from here, so that a past figure counts what the figure of then did;
without such a moment it is the table itself, with its indexes. Visits that were undone are left out, or alone asked for.
"""

from __future__ import annotations

from typing import Final

from projections.funnel.numbers.asked import Asked
from projections.funnel.rows import END_COLUMNS

ASKED: Final = """asked AS (SELECT $1::text AS pipeline, $2::timestamptz AS first, $3::timestamptz AS beyond,
        $4::timestamptz AS known, $5::timestamptz AS until, $6::text AS responsible),
    steps AS (SELECT * FROM unnest($7::int[], $8::text[], $9::int[], $10::bool[]) AS s (version, stage, place, deal))"""
"""The arguments of `Asked`, named once and for all: the first part of every WITH."""

PERIOD: Final = "($2::timestamptz IS NULL OR {0} >= $2) AND ($3::timestamptz IS NULL OR {0} < $3)"

_BEGUN = """lead, visit, pipeline_version, stage, kind, basis, source, captured_at, worked_by, entered_at"""


def visits_known(asked: Asked, schema: str, *, undone: bool = False) -> str:
    """The visits of the pipeline that are asked of, to stand in a FROM."""
    where = f"pipeline = $1 AND {'' if undone else 'NOT '}undone"
    if asked.until is not None:
        where += " AND entered_at < $5"
    over = "left_at < $5" if asked.until is not None else "true"
    if asked.known is None:
        ends = ", ".join(END_COLUMNS if asked.until is None else (_while(over, c) for c in END_COLUMNS))
        return f"(SELECT {_BEGUN}, {ends} FROM {schema}.visits WHERE {where})"  # noqa: S608 (names of ours)
    ends = ", ".join(_while(f"left_known_at <= $4 AND {over}", column) for column in END_COLUMNS)
    return f"""(SELECT {_BEGUN}, {ends} FROM {schema}.visits WHERE {where} AND known_from <= $4
        UNION ALL
        SELECT {_BEGUN}, {ends} FROM {schema}.past_visits WHERE {where} AND known_from <= $4 AND $4 < known_to)"""  # noqa: S608


def _while(condition: str, column: str) -> str:
    return f"CASE WHEN {condition} THEN {column} END AS {column}"
