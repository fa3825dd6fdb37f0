"""SQL of the funnel's numbers (M9, C5, N11): which visits and leads each counts stands in `asked`.

Invariants: a lead is one deal, and won once, when it first enters such a stage, in the version its visit was of: neither a second
win nor another conversion point in a later version adds one. Leads alike are counted at once (`projections.funnel.alike`);
times are of every visit. Reads only, in the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from projections.funnel.alike.store import Alike
from projections.funnel.alike.store import alike as leads_alike
from projections.funnel.known.store import ASKED, PERIOD, visits_known
from projections.funnel.numbers.asked import (
    LEAD_NUMBERS,
    SCALE_NUMBERS,
    TOTAL_NUMBERS,
    VISIT_NUMBERS,
    Asked,
    By,
)
from projections.reading import live_schema
from services.database import Database

_GROUPS: Final[dict[By | None, str]] = {None: "''", "source": "source", "responsible": "coalesce(worked_by, '')"}
_MINE = "($6::text IS NULL OR coalesce(worked_by, '') = $6)"


@dataclass(frozen=True, slots=True)
class StageNumbers:
    """A stage's numbers in a group: `visits` by `VISIT_NUMBERS`, `leads` by `LEAD_NUMBERS`, `scale` by `SCALE_NUMBERS`. Times
    are seconds, of the `ended` visits that ended; None where there is none. `lost_to`, `lost_for`: visits that ended lost, by
    reject status and by reason; `undone`: visits that count for nothing."""

    group: str
    stage: str
    visits: dict[str, int]
    leads: dict[str, int]
    scale: dict[str, int]
    ended: int
    median_seconds: float | None
    p90_seconds: float | None
    lost_to: dict[str, int] = field(default_factory=dict)
    lost_for: dict[str, int] = field(default_factory=dict)
    undone: int = 0


async def alike(connection: Database, asked: Asked, by: By | None = None) -> Alike:
    """For `stages` and `totals` of the same question: which leads stand for how many."""
    return await leads_alike(connection, await live_schema(connection, "funnel"), asked, by)


_ALIKE = "alike AS (SELECT * FROM unnest($11::uuid[], $12::bigint[]) AS a (lead, weight))"


def visits_of(asked: Asked, schema: str, by: By | None, *, weighted: bool = False, undone: bool = False) -> str:
    """The visits of the view: `entered` (in the period), `how` it ended (in the view). `weighted`: of the leads in `alike`
    alone, with how many each stands for (`weight`)."""
    if asked.view == "cohort":
        within = PERIOD.format("captured_at")
        entered, over = "true", "left_at IS NOT NULL"
    else:
        within = """($3::timestamptz IS NULL OR entered_at < $3)
                    AND ($2::timestamptz IS NULL OR left_at IS NULL OR left_at >= $2)"""
        entered, over = "($2::timestamptz IS NULL OR entered_at >= $2)", "($3::timestamptz IS NULL OR left_at < $3)"
    ended = ", ".join(
        f"CASE WHEN {over} THEN {column} END AS {name}"
        for column, name in (("left_how", "how"), ("left_at", "left_at"), ("to_stage", "to_stage"))
    )
    return f"""
        SELECT lead, visit, pipeline_version, stage, basis, {_GROUPS[by]} AS grp, {entered} AS entered, source, worked_by,
               captured_at, entered_at, left_by, left_version, left_reason, {ended}
               {", weight" if weighted else ""}
        FROM {visits_known(asked, schema, undone=undone)} AS s{" JOIN alike USING (lead)" if weighted else ""}
        WHERE {within} AND {_MINE}"""  # noqa: S608 (texts of ours)


def with_deals(asked: Asked, schema: str, by: By | None, *, weighted: bool = False) -> str:
    """The same as `v`, with `deal`: the lead became one in the view."""
    moved = "true" if asked.view == "cohort" else PERIOD.format("at")
    return f"""
        x AS MATERIALIZED ({visits_of(asked, schema, by, weighted=weighted)}),
        deals AS MATERIALIZED (
            SELECT lead FROM (
                SELECT s.lead, min(s.entered_at) AS at
                FROM {visits_known(asked, schema)} AS s{" JOIN alike USING (lead)" if weighted else ""}
                     JOIN steps ON steps.version = s.pipeline_version AND steps.stage = s.stage AND steps.deal
                GROUP BY s.lead) AS first WHERE {moved}),
        v AS (SELECT x.*, d.lead IS NOT NULL AS deal FROM x LEFT JOIN deals AS d USING (lead))"""  # noqa: S608


REACHED = """x JOIN steps AS here ON here.version = x.pipeline_version AND here.stage = x.stage
    JOIN steps AS k ON k.version = here.version AND (k.place < here.place OR k.stage = here.stage)"""
"""Each visit `x` with every stage `k` that it reached: its own, and those before it on the scale of its version."""

SKIPPED = """x JOIN steps AS here ON here.version = x.left_version AND here.stage = x.stage
    JOIN steps AS there ON there.version = x.left_version AND there.stage = x.to_stage
    JOIN steps AS k ON k.version = x.left_version AND k.place > here.place AND k.place < there.place"""
"""Each visit `x` that ended with every stage `k` between it and where it went."""


async def stages(
    connection: Database, asked: Asked, by: By | None = None, of: Alike | None = None
) -> list[StageNumbers]:
    """The numbers of every stage that has any, by group (`''`: all, or, by responsible, nobody), in no order.

    `of`: what `alike` gave in the same transaction; found anew without it.
    """
    schema = await live_schema(connection, "funnel")
    of = of or await alike(connection, asked, by)
    of_visits = ", ".join(f"count(*) FILTER (WHERE {c}) AS {n}" for n, c in VISIT_NUMBERS.items())
    of_leads = ", ".join(f"coalesce(bool_or({c}), false) AS {n}" for n, c in LEAD_NUMBERS.items())
    rows = await connection.fetch(
        f"""WITH {ASKED}, {_ALIKE}, {with_deals(asked, schema, by, weighted=True)},
            per_lead AS (SELECT grp, stage, lead, weight, {of_visits}, {of_leads} FROM v GROUP BY grp, stage, lead, weight)
            SELECT grp, stage, {", ".join(f"sum({n} * weight)::bigint" for n in VISIT_NUMBERS)},
                   {", ".join(f"coalesce(sum(weight) FILTER (WHERE {n}), 0)::bigint" for n in LEAD_NUMBERS)}
            FROM per_lead GROUP BY grp, stage""",  # noqa: S608
        *asked.arguments,
        *of,
    )
    times = {  # gathered by group before they are sorted: half the time of sorting all visits by group first
        (row[0], row[1]): tuple(row)[2:]
        for row in await connection.fetch(
            f"""WITH {ASKED}, v AS ({visits_of(asked, schema, by)}), taken AS (
                    SELECT grp, stage, array_agg(date_part('epoch', left_at - entered_at)) AS seconds
                    FROM v WHERE how IS NOT NULL GROUP BY grp, stage)
                SELECT grp, stage, cardinality(seconds), (
                    SELECT percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY s) FROM unnest(seconds) AS s)
                FROM taken""",  # noqa: S608
            *asked.arguments,
        )
    }
    lost_to, lost_for = await _lost(connection, asked, schema, by, of)
    scale = await _scale(connection, asked, schema, by, of)
    undone = await _undone(connection, asked, schema, by)
    numbers = {(row[0], row[1]): list(row)[2:] for row in rows}
    nothing = [0] * (len(VISIT_NUMBERS) + len(LEAD_NUMBERS))
    found = []
    for place in numbers.keys() | scale.keys() | undone.keys():
        counts = numbers.get(place, nothing)
        ended, percentiles = times.get(place, (0, (None, None)))
        found.append(
            StageNumbers(
                place[0],
                place[1],
                dict(zip(VISIT_NUMBERS, counts, strict=False)),
                dict(zip(LEAD_NUMBERS, counts[len(VISIT_NUMBERS) :], strict=True)),
                {**dict.fromkeys(SCALE_NUMBERS, 0), **scale.get(place, {})},
                ended,
                percentiles[0],
                percentiles[1],
                lost_to.get(place, {}),
                lost_for.get(place, {}),
                undone.get(place, 0),
            )
        )
    return found


_ByPlace = dict[tuple[str, str], dict[str, int]]


async def _lost(connection: Database, asked: Asked, schema: str, by: By | None, of: Alike) -> tuple[_ByPlace, _ByPlace]:
    """Visits that ended lost, by status and by reason."""
    to: _ByPlace = {}
    reasons: _ByPlace = {}
    for group, stage, status, reason, count in await connection.fetch(
        f"""WITH {ASKED}, {_ALIKE}, v AS ({visits_of(asked, schema, by, weighted=True)})
            SELECT grp, stage, to_stage, left_reason, sum(weight)::bigint FROM v WHERE how = 'lost'
            GROUP BY grp, stage, to_stage, left_reason""",  # noqa: S608
        *asked.arguments,
        *of,
    ):
        for kind, name in ((to, status), (reasons, reason)):
            if name is not None:
                counts = kind.setdefault((group, stage), {})
                counts[name] = counts.get(name, 0) + count
    return to, reasons


async def _scale(connection: Database, asked: Asked, schema: str, by: By | None, of: Alike) -> _ByPlace:
    """Numbers that come of visits to other stages (`SCALE_NUMBERS`)."""
    found: _ByPlace = {}
    for group, stage, name, count in await connection.fetch(
        f"""WITH {ASKED}, {_ALIKE}, x AS MATERIALIZED ({visits_of(asked, schema, by, weighted=True)}),
            reached AS (SELECT DISTINCT x.grp, k.stage, x.lead, x.weight
                        FROM {REACHED} WHERE {SCALE_NUMBERS["reached"]})
            SELECT grp, stage, 'reached', sum(weight)::bigint FROM reached GROUP BY grp, stage
            UNION ALL
            SELECT x.grp, k.stage, 'skipped_over', sum(x.weight)::bigint
            FROM {SKIPPED} WHERE {SCALE_NUMBERS["skipped_over"]} GROUP BY x.grp, k.stage""",  # noqa: S608
        *asked.arguments,
        *of,
    ):
        found.setdefault((group, stage), {})[name] = count
    return found


async def _undone(connection: Database, asked: Asked, schema: str, by: By | None) -> dict[tuple[str, str], int]:
    """Visits that began in the view and were undone."""
    rows = await connection.fetch(
        f"""WITH {ASKED}, x AS ({visits_of(asked, schema, by, undone=True)})
            SELECT grp, stage, count(*) FROM x WHERE entered GROUP BY grp, stage""",  # noqa: S608
        *asked.arguments,
    )
    return {(row[0], row[1]): row[2] for row in rows}


def leads_of(asked: Asked, schema: str, by: By | None, *, weighted: bool = False) -> str:
    """The leads of the view, each in its last visit to this pipeline: `received` in the period, `deal` and `ever_won` in the
    view, `here` while that visit goes on, `merged` where it was ended by a merge. `weighted`: as `visits_of` has it."""
    cohort = asked.view == "cohort"
    received = PERIOD.format("c.captured_at")
    first = {
        name: f"{name} IS NOT NULL" + ("" if cohort else f" AND {PERIOD.format(name)}")
        for name in ("deal_at", "won_at")
    }
    alike = " JOIN alike USING (lead)" if weighted else ""
    return f"""
        s AS MATERIALIZED (SELECT * FROM {visits_known(asked, schema)} AS s{alike}
                           {f"WHERE {PERIOD.format('captured_at')}" if cohort else ""}),
        m AS MATERIALIZED (
            SELECT s.lead, max(s.visit) AS visit, min(s.entered_at) FILTER (WHERE steps.deal) AS deal_at,
                   min(s.entered_at) FILTER (WHERE s.kind = 'won') AS won_at,
                   bool_or(s.left_how IN ('went_on', 'skipped_on', 'won')
                           OR coalesce(steps.place > 1 AND s.basis <> 'adoption', false)) AS first_step
            FROM s LEFT JOIN steps ON steps.version = s.pipeline_version AND steps.stage = s.stage GROUP BY s.lead),
        t AS (
            SELECT * FROM (
                SELECT c.lead, c.visit, {_GROUPS[by]} AS grp, c.source, c.worked_by, c.captured_at, c.stage, c.kind,
                       c.entered_at, {received} AS received, coalesce({first["deal_at"]}, false) AS deal,
                       coalesce({first["won_at"]}, false) AS ever_won, c.left_how IS NULL AS here,
                       coalesce(c.left_how = 'merged_away', false) AS merged, m.first_step
                       {", c.weight" if weighted else ""}
                FROM m JOIN s AS c ON c.lead = m.lead AND c.visit = m.visit) AS each
            WHERE {_MINE} AND (received OR deal OR ever_won))"""  # noqa: S608


async def totals(
    connection: Database, asked: Asked, by: By | None = None, of: Alike | None = None
) -> dict[str, dict[str, int]]:
    """By group, the numbers of the whole pipeline (`TOTAL_NUMBERS`). By responsible: of who is it now. `of`: see `stages`."""
    schema = await live_schema(connection, "funnel")
    of = of or await alike(connection, asked, by)
    numbers = ", ".join(f"coalesce(sum(weight) FILTER (WHERE {c}), 0)::bigint" for c in TOTAL_NUMBERS.values())
    rows = await connection.fetch(
        f"WITH {ASKED}, {_ALIKE}, {leads_of(asked, schema, by, weighted=True)} SELECT grp, {numbers} FROM t GROUP BY grp",  # noqa: S608
        *asked.arguments,
        *of,
    )
    return {row[0]: dict(zip(TOTAL_NUMBERS, list(row)[1:], strict=True)) for row in rows}
