"""SQL of the funnel's numbers, and the leads behind each of them (M9, C5, N11).

Two views, never mixed. **cohort**: the leads received in the period, with all that became of them since. **activity**: what
moved in the period, whichever leads it was; its numbers of a period that is over never change, except by what is entered late.

Invariants: a number and the list behind it come from one condition (`VISIT_NUMBERS`, `LEAD_NUMBERS`, `TOTAL_NUMBERS`), so the
list is as long as the number says; entries + there_before = the eight ways out + still_there, for each stage and group. A
period is `start <= t < end`, either end may be open (None). Reads only; every list is paged by an opaque cursor, a malformed
one raises ValueError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from projections.funnel.alike.store import Alike
from projections.funnel.alike.store import alike as leads_alike
from projections.funnel.projection import HOW
from projections.reading import cursor, cursor_of, live_schema
from services.database import Database

View = Literal["cohort", "activity"]
By = Literal["source", "responsible"]

VISIT_NUMBERS: Final[dict[str, str]] = {
    "entries": "entered",
    "there_before": "NOT entered",
    **{way: f"how = '{way}'" for way in HOW},
    "returned": "how = 'moved_back' AND left_by = 'reopened'",
    "still_there": "how IS NULL",
}
"""Numbers of visits at a stage: which visits count."""

LEAD_NUMBERS: Final[dict[str, str]] = {
    "leads": "entered",
    "present": "true",
    "went_further": "how IN ('went_on', 'skipped_on', 'won')",
    "became_deals": "entered AND deal",
}
"""Numbers of different leads at a stage: which visits make a lead count."""

TOTAL_NUMBERS: Final[dict[str, str]] = {
    "received": "received",
    "deals": "deal",
    "won_leads": "ever_won",
    "now_open": "received AND kind = 'open'",
    "now_won": "received AND kind = 'won'",
    "now_lost": "received AND kind = 'lost'",
    "now_postponed": "received AND kind = 'postponed'",
    "first_step": "received AND first_step",
}
"""Numbers of leads in the whole pipeline. A lead is won once, and is one deal, however often it enters such a stage."""

_VISIT_GROUP: Final[dict[By | None, str]] = {None: "''", "source": "source", "responsible": "coalesce(worked_by, '')"}
_LEAD_GROUP: Final[dict[By | None, str]] = {
    None: "''",
    "source": "l.source",
    "responsible": "coalesce(l.responsible, '')",
}

_PERIOD = "($3::timestamptz IS NULL OR {0} >= $3) AND ($4::timestamptz IS NULL OR {0} < $4)"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which funnel: of a pipeline whose entry to `deal_stage` counts as a deal (C5), in a view, over a period."""

    pipeline: str
    deal_stage: str
    view: View = "cohort"
    start: datetime | None = None
    end: datetime | None = None

    @property
    def arguments(self) -> tuple[Any, ...]:
        """$1 to $4 of every statement here."""
        return self.pipeline, self.deal_stage, self.start, self.end


@dataclass(frozen=True, slots=True)
class StageNumbers:
    """A stage's numbers in a group: `visits` by `VISIT_NUMBERS`, `leads` by `LEAD_NUMBERS`. Times are seconds, of the
    `ended` visits that ended; None where there is none. `lost_to`: visits that ended lost, by reject status."""

    group: str
    stage: str
    visits: dict[str, int]
    leads: dict[str, int]
    ended: int
    median_seconds: float | None
    p90_seconds: float | None
    lost_to: dict[str, int] = field(default_factory=dict)


async def alike(connection: Database, asked: Asked, by: By | None = None) -> Alike:
    """For `stages` and `totals` of the same question: which leads stand for how many."""
    schema = await live_schema(connection, "funnel")
    return await leads_alike(connection, schema, asked.pipeline, asked.view, by, asked.start, asked.end)


_ALIKE = "alike AS (SELECT * FROM unnest($5::uuid[], $6::bigint[]) AS a (lead, weight))"


def _visits(asked: Asked, schema: str, by: By | None, *, weighted: bool = False) -> str:
    """The visits of the view: `entered` (in the period), `how` it ended (in the view). `weighted`: of the leads in `_ALIKE`
    alone, with how many each stands for (`weight`)."""
    if asked.view == "cohort":
        within = _PERIOD.format("captured_at")
        entered, over = "true", "left_at IS NOT NULL"
    else:
        within = """($4::timestamptz IS NULL OR entered_at < $4)
                    AND ($3::timestamptz IS NULL OR left_at IS NULL OR left_at >= $3)"""
        entered, over = "($3::timestamptz IS NULL OR entered_at >= $3)", "($4::timestamptz IS NULL OR left_at < $4)"
    return f"""
        SELECT lead, visit, stage, {_VISIT_GROUP[by]} AS grp, {entered} AS entered, source, worked_by, captured_at,
               entered_at, left_by,
               CASE WHEN {over} THEN left_how END AS how, CASE WHEN {over} THEN left_at END AS left_at,
               CASE WHEN {over} THEN to_stage END AS to_stage{", weight" if weighted else ""}
        FROM {schema}.visits{" JOIN alike USING (lead)" if weighted else ""}
        WHERE pipeline = $1 AND $2::text IS NOT NULL AND {within}"""  # noqa: S608 (texts of ours)


def _with_deals(asked: Asked, schema: str, by: By | None, *, weighted: bool = False) -> str:
    """The same as `v`, with `deal`: the lead became one in the view."""
    return f"""
        x AS MATERIALIZED ({_visits(asked, schema, by, weighted=weighted)}),
        deals AS MATERIALIZED (SELECT DISTINCT lead FROM x WHERE stage = $2 AND entered),
        v AS (SELECT x.*, d.lead IS NOT NULL AS deal FROM x LEFT JOIN deals AS d USING (lead))"""  # noqa: S608


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
        f"""WITH {_ALIKE}, {_with_deals(asked, schema, by, weighted=True)},
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
            f"""WITH v AS ({_visits(asked, schema, by)}), taken AS (
                    SELECT grp, stage, array_agg(date_part('epoch', left_at - entered_at)) AS seconds
                    FROM v WHERE how IS NOT NULL GROUP BY grp, stage)
                SELECT grp, stage, cardinality(seconds), (
                    SELECT percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY s) FROM unnest(seconds) AS s)
                FROM taken""",  # noqa: S608
            *asked.arguments,
        )
    }
    lost: dict[tuple[str, str], dict[str, int]] = {}
    for group, stage, status, count in await connection.fetch(
        f"""WITH {_ALIKE}, v AS ({_visits(asked, schema, by, weighted=True)})
            SELECT grp, stage, to_stage, sum(weight)::bigint FROM v WHERE how = 'lost'
            GROUP BY grp, stage, to_stage""",  # noqa: S608
        *asked.arguments,
        *of,
    ):
        lost.setdefault((group, stage), {})[status] = count
    found = []
    for row in rows:
        place, numbers = (row[0], row[1]), list(row)[2:]
        ended, percentiles = times.get(place, (0, (None, None)))
        found.append(
            StageNumbers(
                row[0],
                row[1],
                dict(zip(VISIT_NUMBERS, numbers, strict=False)),
                dict(zip(LEAD_NUMBERS, numbers[len(VISIT_NUMBERS) :], strict=True)),
                ended,
                percentiles[0],
                percentiles[1],
                lost.get(place, {}),
            )
        )
    return found


def _leads(asked: Asked, schema: str, by: By | None, *, weighted: bool = False) -> str:
    """The leads of the view: `received` in the period, `deal` and `ever_won` in the view, `kind` of the stage it is in now.
    `weighted`: as `_visits` has it."""
    cohort = asked.view == "cohort"
    join = " JOIN alike USING (lead)" if weighted else ""
    received = _PERIOD.format("l.captured_at")
    moved = "true" if cohort else _PERIOD.format("v.entered_at")
    return f"""
        m AS MATERIALIZED (
            SELECT v.lead, bool_or(v.stage = $2 AND {moved}) AS deal, bool_or(v.kind = 'won' AND {moved}) AS ever_won,
                   bool_or(v.visit = 1 AND v.left_how IN ('went_on', 'skipped_on', 'won')) AS first_step
            FROM {schema}.visits AS v{join} WHERE v.pipeline = $1 GROUP BY v.lead),
        t AS (
            SELECT l.lead, l.visit, {_LEAD_GROUP[by]} AS grp, l.source, l.responsible AS worked_by, l.captured_at,
                   c.stage, c.kind, c.entered_at, {received} AS received, m.deal, m.ever_won, m.first_step
                   {", alike.weight" if weighted else ""}
            FROM {schema}.leads AS l JOIN {schema}.visits AS c ON c.lead = l.lead AND c.visit = l.visit
                 JOIN m ON m.lead = l.lead{" JOIN alike ON alike.lead = l.lead" if weighted else ""}
            WHERE l.pipeline = $1 AND {received if cohort else f"({received} OR m.deal OR m.ever_won)"})"""  # noqa: S608


async def totals(
    connection: Database, asked: Asked, by: By | None = None, of: Alike | None = None
) -> dict[str, dict[str, int]]:
    """By group, the numbers of the whole pipeline (`TOTAL_NUMBERS`). By responsible: of who is it now. `of`: see `stages`."""
    schema = await live_schema(connection, "funnel")
    of = of or await alike(connection, asked, by)
    numbers = ", ".join(f"coalesce(sum(weight) FILTER (WHERE {c}), 0)::bigint" for c in TOTAL_NUMBERS.values())
    rows = await connection.fetch(
        f"WITH {_ALIKE}, {_leads(asked, schema, by, weighted=True)} SELECT grp, {numbers} FROM t GROUP BY grp",  # noqa: S608
        *asked.arguments,
        *of,
    )
    return {row[0]: dict(zip(TOTAL_NUMBERS, list(row)[1:], strict=True)) for row in rows}


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


async def behind(
    connection: Database,
    asked: Asked,
    number: str,
    *,
    stage: str | None = None,
    status: str | None = None,
    by: By | None = None,
    group: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> tuple[list[Behind], str | None]:
    """What a number counts, the latest entered first, and the cursor of the next page.

    `stage`: the number's stage, none for those of the whole pipeline. `status`: of `lost` only those with this reject status.
    `group`: the group of `by` the number stands in. Raises ValueError for a number that does not exist there.
    """
    schema = await live_schema(connection, "funnel")
    at, lead, visit = _cursor(after)
    if stage is None and number in TOTAL_NUMBERS:
        source = f"WITH {_leads(asked, schema, by)}"
        columns = "lead, visit, stage, source, worked_by, captured_at, entered_at"
        chosen = f"""SELECT {columns} FROM t
            WHERE ({TOTAL_NUMBERS[number]}) AND ($5::text IS NULL OR grp = $5)
              AND $6::text IS NULL AND $7::text IS NULL"""  # noqa: S608
    elif stage is not None and number in VISIT_NUMBERS | LEAD_NUMBERS:
        condition = (VISIT_NUMBERS | LEAD_NUMBERS)[number]
        deals = "deal" in condition
        source = f"WITH {_with_deals(asked, schema, by) if deals else f'v AS ({_visits(asked, schema, by)})'}"
        columns = "lead, visit, stage, source, worked_by, captured_at, entered_at, left_at, to_stage, how"
        distinct = "DISTINCT ON (lead) " if number in LEAD_NUMBERS else ""
        chosen = f"""SELECT {distinct}{columns} FROM v
            WHERE ({condition}) AND ($5::text IS NULL OR grp = $5) AND stage = $6
              AND ($7::text IS NULL OR to_stage = $7) {"ORDER BY lead, visit" if distinct else ""}"""  # noqa: S608
    else:
        there = TOTAL_NUMBERS if stage is None else VISIT_NUMBERS | LEAD_NUMBERS
        raise NoSuchNumberError(f"no such number: {number}; there are: {', '.join(there)}")
    rows = await connection.fetch(
        f"""{source} SELECT * FROM ({chosen}) AS chosen
            WHERE ($8::timestamptz IS NULL OR (entered_at, lead, visit) < ($8, $9::uuid, $10::int))
            ORDER BY entered_at DESC, lead DESC, visit DESC LIMIT $11""",  # noqa: S608
        *asked.arguments,
        group,
        stage,
        status,
        at,
        lead,
        visit,
        limit + 1,
    )
    page = [Behind(*row) for row in rows[:limit]]
    last = page[-1] if len(rows) > limit and page else None
    return page, f"{cursor_of(last.entered_at, last.lead)}.{last.visit}" if last else None


class NoSuchNumberError(LookupError):
    """The funnel has no number of this name there; the text lists those it has."""


def _cursor(after: str | None) -> tuple[datetime | None, UUID | None, int | None]:
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
