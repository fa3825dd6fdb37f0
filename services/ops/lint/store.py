"""SQL of what past visits tell the linter of a pipeline: how long, what was passed by, what goes to and fro (S5).

Reads the funnel's visits only, in one snapshot; nothing of a person. Stages that the given pipeline does not have are left out.
"""

from __future__ import annotations

from contracts.pipeline import Pipeline
from projections.reading import live_schema
from services.database import Database
from services.pipelines.linting.history import History, Passing, Stay, Swing


async def history_of(connection: Database, pipeline: Pipeline) -> History:
    """The figures of a pipeline's visits, all versions together. Raises NotBuiltError where there is no funnel yet."""
    schema = await live_schema(connection, "funnel")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return History(
            stays=await _stays(connection, schema, pipeline),
            passings=await _passings(connection, schema, pipeline),
            swings=await _swings(connection, schema, pipeline),
        )


async def _stays(connection: Database, schema: str, pipeline: Pipeline) -> dict[str, Stay]:
    rows = await connection.fetch(
        f"""SELECT stage, count(*), percentile_cont(0.5) WITHIN GROUP (
                       ORDER BY extract(epoch FROM left_at - entered_at)::float8)
            FROM {schema}.visits
            WHERE pipeline = $1 AND stage = ANY($2::text[]) AND left_at IS NOT NULL GROUP BY stage""",  # noqa: S608 (names of ours)
        pipeline.pipeline,
        list(pipeline.by_id),
    )
    return {row[0]: Stay(row[1], row[2]) for row in rows}


async def _passings(connection: Database, schema: str, pipeline: Pipeline) -> dict[str, Passing]:
    """Won stages that stand side by side share a step, so being in one is not passing the other by."""
    rows = await connection.fetch(
        f"""WITH scale AS (SELECT * FROM unnest($2::text[], $3::int[]) AS s(stage, step)),
                 been AS (
                     SELECT v.lead, max(s.step) AS furthest, array_agg(DISTINCT v.stage) AS stages
                     FROM {schema}.visits AS v JOIN scale AS s USING (stage) WHERE v.pipeline = $1 GROUP BY v.lead)
            SELECT s.stage, count(*), count(*) FILTER (WHERE s.stage <> ALL(b.stages))
            FROM been AS b JOIN scale AS s ON b.furthest > s.step GROUP BY s.stage""",  # noqa: S608
        pipeline.pipeline,
        list(pipeline.steps),
        list(pipeline.steps.values()),
    )
    return {row[0]: Passing(row[1], row[2]) for row in rows}


async def _swings(connection: Database, schema: str, pipeline: Pipeline) -> dict[tuple[str, str], Swing]:
    """There and back again: three open visits of a lead, one after another, the first and the third in the same stage."""
    rows = await connection.fetch(
        f"""WITH scale AS (SELECT * FROM unnest($2::text[], $3::int[]) AS s(stage, step)),
                 been AS (
                     SELECT v.lead, v.visit, v.stage, s.step
                     FROM {schema}.visits AS v JOIN scale AS s USING (stage) WHERE v.pipeline = $1 AND v.kind = 'open'),
                 swung AS (
                     SELECT DISTINCT lead, least(step, next_step) AS one, greatest(step, next_step) AS other
                     FROM (SELECT lead, stage, step, lead(step) OVER w AS next_step, lead(stage, 2) OVER w AS third
                           FROM been WINDOW w AS (PARTITION BY lead ORDER BY visit)) AS b
                     WHERE third = stage AND next_step <> step),
                 pairs AS (SELECT one, other, count(*) AS leads FROM swung GROUP BY one, other),
                 in_stage AS (SELECT DISTINCT lead, step FROM been)
            SELECT p.one, p.other, p.leads,
                   (SELECT count(*) FROM in_stage AS a JOIN in_stage AS b USING (lead)
                    WHERE a.step = p.one AND b.step = p.other)
            FROM pairs AS p""",  # noqa: S608
        pipeline.pipeline,
        list(pipeline.steps),
        list(pipeline.steps.values()),
    )
    open_at = {step: stage for stage, step in pipeline.steps.items() if pipeline.by_id[stage].kind == "open"}
    return {
        (open_at[row[0]], open_at[row[1]]): Swing(row[3], row[2]) for row in rows if {row[0], row[1]} <= set(open_at)
    }
