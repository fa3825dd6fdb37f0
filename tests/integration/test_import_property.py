"""Any interleaving, duplication or restart of an import gives the same events (G-14): real Postgres, real batcher.

The oracle is the rules of the pipeline of loans as a few plain variables; it knows neither the fold nor the rule book. The
rows are offered by two runners that stop and begin again anywhere, as a killed process and its successor do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.meta import Actor
from services.database import Pool
from services.leads.domain.history import HistoryRow, row_id, streams_of
from services.leads.work import ImportWork
from services.settings import Settings
from tests.integration.leads_case import Leads, running

OPEN = ["submitted", "partlysubmitted", "preaccepted", "accepted", "finalized"]
WON = ["approved", "registered", "activated"]
LOST = ["declined", "cancelled"]
START = datetime(2012, 1, 1, tzinfo=UTC)
ACTOR = Actor(id="import:property", kind="import")

Row = tuple[int, str, int]
"""case, stage, minute"""


@pytest.fixture
async def leads(settings: Settings, pool: Pool) -> AsyncIterator[Leads]:
    async with running(settings, pool) as it:
        yield it


@dataclass
class Case:
    """The oracle's picture of one application."""

    stage: str | None = None
    left: str | None = None
    since: int = 0
    visits: list[tuple[str, int, str]] = field(default_factory=list)

    def take(self, stage: str, minute: int) -> bool:
        """Whether the step is allowed; if so it is taken."""
        cause = self._cause(stage, minute)
        if cause is None:
            return False
        if self.stage in OPEN and stage not in OPEN:
            self.left = self.stage
        self.stage, self.since = stage, minute
        self.visits.append((stage, minute, cause))
        return True

    def _cause(self, stage: str, minute: int) -> str | None:
        here = self.stage
        if here is None:
            return "captured"
        if stage == here or minute < self.since:
            return None
        if here in OPEN:
            if stage in LOST:
                return "rejected"
            if stage in WON:
                return "converted" if here == OPEN[-1] else None
            return "moved" if OPEN.index(stage) <= OPEN.index(here) + 1 else None
        if here in WON:
            return "moved" if stage in WON else None
        return (
            "reopened" if stage == (self.left or OPEN[0]) else None
        )  # where a case began closed, nobody knows what it left


def expected(rows: list[Row]) -> tuple[dict[int, list[tuple[str, int, str]]], set[Row]]:
    """Visits by case, and the rows refused: each row counts where it comes first."""
    cases: dict[int, Case] = {}
    refused: set[Row] = set()
    for row in dict.fromkeys(rows):
        case, stage, minute = row
        if not cases.setdefault(case, Case()).take(stage, minute):
            refused.add(row)
    return {number: case.visits for number, case in cases.items() if case.visits}, refused


def work(source: str, rows: list[Row]) -> list[ImportWork]:
    """The rows as an import hands them in."""
    found, run = [], UUID(int=7)
    for position, (case, stage, minute) in enumerate(rows, start=1):
        at = START + timedelta(minutes=minute)
        lead, contact = streams_of(source, str(case))
        row = HistoryRow(row_id(source, str(case), stage, at), lead, contact, "loans", stage, at, source, ACTOR)
        found.append(ImportWork(row, run, position + 1, position))
    return found


steps = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([True, False, False]),
        st.integers(0, 9),
        st.sampled_from([0, 0, 0, 0, 1, -1]),
    ),
    min_size=1,
    max_size=25,
)


@st.composite
def logs(draw: st.DrawFn) -> list[Row]:
    """A log that mostly goes forward, often within one minute: random rows alone would hardly leave the first stages."""
    rows: list[Row] = []
    place: dict[int, int] = {}
    minute = 10
    for case, wild, pick, gap in draw(steps):
        onwards = [*OPEN, WON[pick % 3]]
        at = place.get(case, 0)
        minute += gap
        rows.append((case, [*OPEN, *WON, *LOST][pick] if wild else onwards[min(at, len(OPEN))], minute))
        place[case] = at + (not wild)
        if pick == 0:
            rows.append(draw(st.sampled_from(rows)))
    return rows


runs = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 7), st.booleans()), max_size=12)
"""Which runner goes on, with how many rows, and whether it is killed after that and begins again at the first row."""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=logs(), plan=runs)
async def test_G14_any_interleaving_duplication_and_restart_gives_the_same_events(
    leads: Leads, rows: list[Row], plan: list[tuple[int, int, bool]]
) -> None:
    source = f"property-{uuid4()}"
    offered = work(source, rows)
    at = [0, 0]
    for runner, count, killed in plan:
        chunk = offered[at[runner] : at[runner] + count]
        if chunk:
            await leads.batcher.submit(chunk)
        at[runner] = 0 if killed else at[runner] + count
    one, other = (offered[at[0] :], offered[at[1] :]) if at[0] < at[1] else (offered[at[1] :], offered[at[0] :])
    await asyncio.gather(*(leads.batcher.submit(rest) for rest in (one, other) if rest))

    await leads.batcher.submit(offered)

    visits, refused = expected(rows)
    for case in {row[0] for row in rows}:
        lead, _ = streams_of(source, str(case))
        told = [
            (recorded.data.stage, int((recorded.meta.happened_at - START) / timedelta(minutes=1)), recorded.data.cause)
            for recorded in await leads.history(lead)
            if recorded.meta.type.endswith("stage_entered")
        ]
        assert told == visits.get(case, [])
        wins = [recorded for recorded in await leads.history(lead) if recorded.meta.type.endswith("converted")]
        assert len(wins) == any(cause == "converted" for _, _, cause in told), "won once"
    ids = [piece.row.id for piece in offered]
    stored = await leads.pool.fetch("SELECT id, outcome FROM leadline.import_rows WHERE id = ANY($1::uuid[])", ids)
    named = {piece.row.id: row for piece, row in zip(offered, rows, strict=True)}
    assert {named[row["id"]] for row in stored if row["outcome"] == "refused"} == refused
    claims = await leads.pool.fetch(
        "SELECT lead FROM leadline.open_leads WHERE lead = ANY($1::uuid[])", [piece.row.lead for piece in offered]
    )
    still_open = {streams_of(source, str(case))[0] for case, seen in visits.items() if seen[-1][0] in OPEN}
    assert {row["lead"] for row in claims} == still_open
