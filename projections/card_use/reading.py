"""The numbers of a card's review: read from the timeline and the stage visits, kept nowhere (Q11).

Reads take a connection and use the live builds of `timeline`, `funnel` and `board`. A field counts for the leads that entered a
stage which asks for it (a visit that was undone is none) in the period. Only counts leave the database, never a value; what an
erased person said cannot be read any more, and is counted as such. A lead's answer is its last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contracts.events import CardRecorded, ClientViewRecorded
from contracts.events.deal import AS_OF_LEADS
from contracts.pipeline import DECLINED, UNKNOWN, FieldCriterion, Pipeline
from projections.board.store import NAME as BOARD
from projections.funnel.store import NAME as FUNNEL
from projections.reading import live_schema
from projections.timeline.store import NAME as TIMELINE
from services.database import Database

SECONDS: Final = 60.0
"""Limit of a statement: a review looks at every event of the period's leads."""


def _types(of: str) -> list[str]:
    """The type, of leads and of deals."""
    return [of, *(deal for deal, lead in AS_OF_LEADS.items() if lead == of)]


@dataclass(frozen=True, slots=True)
class FieldUse:
    """A field in numbers. `asked`: leads that entered a stage asking for it; of these `filled` with an answer, `unknown` («пока
    неизвестно»), `declined` («клиент отказался ответить»), `erased`: recorded, and not readable any more; all others: empty.
    `median_s`: from the entry of the first stage that asks to the first record, in seconds, of those recorded; 0: it was there
    before."""

    field: str
    asked: int
    filled: int
    unknown: int
    declined: int
    erased: int
    median_s: int | None

    @property
    def fill_rate(self) -> float | None:
        """Share of those asked that have an answer; those that cannot be read are left out. None: nobody was asked."""
        readable = self.asked - self.erased
        return self.filled / readable if readable else None


def asking(pipeline: Pipeline) -> dict[str, frozenset[str]]:
    """By field of the card, the stages that ask for it: as mandatory, desirable, or to leave by."""
    found: dict[str, set[str]] = {field.id: set() for field in pipeline.fields}
    for stage in pipeline.stages:
        for asked in (*stage.mandatory, *stage.desirable):
            found[asked.field].add(stage.id)
        criteria = (*stage.exit, *(criterion for move in stage.moves or () for criterion in move.needs))
        for criterion in criteria:
            if isinstance(criterion, FieldCriterion):
                found[criterion.field].add(stage.id)
        for needed in (
            needed for deadline in stage.deadlines for result in deadline.results for needed in result.needs
        ):
            found[needed.field].add(stage.id)
    return {field: frozenset(stages) for field, stages in found.items()}


async def fields_in_use(
    connection: Database, pipeline: str, asked: Mapping[str, frozenset[str]], since: datetime, until: datetime
) -> list[FieldUse]:
    """Q11: the fields of a pipeline's card in numbers, in the order given. `asked`: as `asking` says; a field that no stage asks
    for counts for all leads of the pipeline that entered any stage in the period."""
    timeline, funnel = await live_schema(connection, TIMELINE), await live_schema(connection, FUNNEL)
    pairs = [(field, stage) for field, stages in asked.items() for stage in (stages or {""})]
    rows = await connection.fetch(
        f"""WITH asked AS (SELECT * FROM unnest($2::text[], $3::text[]) AS a (field, stage)),
            entered AS (SELECT v.lead, a.field, min(v.entered_at) AS at
                        FROM {funnel}.visits AS v JOIN asked AS a ON a.stage IN (v.stage, '')
                        WHERE v.pipeline = $1 AND NOT v.undone AND v.entered_at >= $4 AND v.entered_at < $5
                        GROUP BY 1, 2),
            told AS (SELECT t.lead, n.field, min(t.happened_at) AS first_at,
                            (array_agg(t.personal IS NULL ORDER BY t.version DESC))[1] AS shut,
                            (array_agg(t.personal -> 'values' ->> n.field ORDER BY t.version DESC))[1] AS answer
                     FROM (SELECT DISTINCT lead FROM entered) AS l
                     JOIN {timeline}.entries AS t ON t.lead = l.lead AND t.type = ANY($6::text[])
                     CROSS JOIN LATERAL jsonb_array_elements_text(t.data -> 'names') AS n (field)
                     GROUP BY 1, 2)
            SELECT e.field, count(*), count(*) FILTER (WHERE t.answer NOT IN ('', $7, $8)),
                   count(*) FILTER (WHERE t.answer = $7), count(*) FILTER (WHERE t.answer = $8),
                   count(*) FILTER (WHERE t.shut),
                   round(extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (
                       ORDER BY greatest(t.first_at - e.at, interval '0')) FILTER (WHERE t.lead IS NOT NULL)))::bigint
            FROM entered AS e LEFT JOIN told AS t ON t.lead = e.lead AND t.field = e.field
            GROUP BY e.field""",  # noqa: S608 (names of ours)
        pipeline,
        [field for field, _ in pairs],
        [stage for _, stage in pairs],
        since,
        until,
        _types(CardRecorded.TOPIC),
        UNKNOWN,
        DECLINED,
        timeout=SECONDS,
    )
    found = {row[0]: FieldUse(*row) for row in rows}
    return [found.get(field, FieldUse(field, 0, 0, 0, 0, 0, None)) for field in asked]


@dataclass(frozen=True, slots=True)
class ClientView:
    """What clients think of the card's questions: how many said so, and the averages from 1 to 5; None: nobody did."""

    said: int
    ease: float | None
    time: float | None
    comfort: float | None


async def client_view(connection: Database, pipeline: str, since: datetime, until: datetime) -> ClientView:
    """Q11: the clients' views recorded in the period on leads and deals that stand in the pipeline now."""
    timeline, board = await live_schema(connection, TIMELINE), await live_schema(connection, BOARD)
    row = await connection.fetchrow(
        f"""SELECT count(*), avg((t.data ->> 'ease')::int)::float8, avg((t.data ->> 'time')::int)::float8,
                   avg((t.data ->> 'comfort')::int)::float8
            FROM {board}.cards AS c JOIN {timeline}.entries AS t ON t.lead = c.lead AND t.type = ANY($4::text[])
            WHERE c.pipeline = $1 AND t.happened_at >= $2 AND t.happened_at < $3""",  # noqa: S608 (names of ours)
        pipeline,
        since,
        until,
        _types(ClientViewRecorded.TOPIC),
        timeout=SECONDS,
    )
    assert row is not None
    return ClientView(*row)
