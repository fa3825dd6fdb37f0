"""The funnel's pure rules under any history, against an oracle that only keeps each lead's path (M9, N11, N12, S3)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from projections.event import Event
from projections.funnel import projection as funnel
from projections.funnel.projection import HOW, FunnelRows

SPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
START = datetime(2026, 3, 2, tzinfo=UTC)
SCALE = ("new", "processing", "proposal", "approved", "activated")
KINDS = {
    **dict.fromkeys(SCALE[:3], "open"),
    "approved": "won",
    "activated": "won",
    "price": "lost",
    "paused": "postponed",
}


def event(stream: str, version: int, type_: str, data: dict[str, Any], at: datetime) -> Event:
    actor = {"id": "anna", "kind": "person"}
    return Event(stream, version, "lead", type_, 0, at, at, actor, None, data, {}, None, False, False)


class Funnel(RuleBasedStateMachine):
    """Leads move anywhere, come back, are won in several stages; batches of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: dict[str, list[tuple[str, str, datetime, str | None]]] = {}  # the oracle's: stage, who, when
        self.who: dict[str, str | None] = {}
        self.versions: Counter[str] = Counter()
        self.now = START
        self.waiting: list[Event] = []
        self.leads: dict[str, funnel.LeadRow] = {}
        self.visits: dict[tuple[str, int], funnel.VisitRow] = {}

    def add(self, lead: str, type_: str, data: dict[str, Any]) -> None:
        self.versions[lead] += 1
        self.now += timedelta(minutes=7)
        self.waiting.append(event(lead, self.versions[lead], type_, data, self.now))

    @rule(source=st.sampled_from(["site", "fair"]))
    def capture(self, source: str) -> None:
        lead = str(uuid5(SPACE, f"lead{len(self.paths)}"))
        self.paths[lead], self.who[lead] = [], None
        self.add(lead, funnel.CAPTURED, {"pipeline": "p", "source": source})
        self.go(lead, "new")

    def go(self, lead: str, stage: str) -> None:
        path = self.paths[lead]
        before = path[-1][0] if path else None
        direction, cause = "in", "captured"
        if before is not None:
            cause = "moved"
            if KINDS[stage] in ("lost", "postponed"):
                direction = "out"
            elif KINDS[before] in ("lost", "postponed"):
                direction, cause = "return", "reopened"
            else:
                step = SCALE.index(stage) - SCALE.index(before)
                direction = "back" if step <= 0 else "forward" if step == 1 else "skip"
        data = {
            "stage": stage, "kind": KINDS[stage], "visit": len(path) + 1, "cause": cause, "direction": direction,
            **({"from_stage": before, "from_visit": len(path)} if before else {}),
        }  # fmt: skip
        self.add(lead, funnel.ENTERED, data)
        path.append((stage, direction, self.now, self.who[lead]))

    @precondition(lambda self: self.paths)
    @rule(data=st.data(), stage=st.sampled_from(sorted(KINDS)))
    def move(self, data: st.DataObject, stage: str) -> None:
        self.go(data.draw(st.sampled_from(sorted(self.paths))), stage)

    @precondition(lambda self: self.paths)
    @rule(data=st.data(), to=st.sampled_from(["anna", "boris"]))
    def assign(self, data: st.DataObject, to: str) -> None:
        lead = data.draw(st.sampled_from(sorted(self.paths)))
        self.add(lead, funnel.ASSIGNED, {"to": to})
        self.who[lead] = to
        stage, direction, at, _ = self.paths[lead][-1]
        self.paths[lead][-1] = (stage, direction, at, to)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def apply(self, data: st.DataObject) -> None:
        """What the runner and the store do with a batch, in memory: only leads named, and their last visit, are loaded."""
        size = data.draw(st.integers(1, len(self.waiting)))
        batch, self.waiting = self.waiting[:size], self.waiting[size:]
        rows = FunnelRows()
        for lead in {e.stream for e in batch} & self.leads.keys():
            rows.leads[lead] = replace(self.leads[lead])
            if number := self.leads[lead].visit:
                rows.visits[lead, number] = replace(self.visits[lead, number])
        for one in batch:
            funnel.apply(rows, one)
        self.leads |= {lead: rows.leads[lead] for lead in rows.touched}
        self.visits |= {key: rows.visits[key] for key in rows.changed}

    @precondition(lambda self: not self.waiting)
    @invariant()
    def each_visit_ends_as_the_path_says(self) -> None:
        assert len(self.visits) == sum(map(len, self.paths.values()))
        for lead, path in self.paths.items():
            for n, (stage, _, at, who) in enumerate(path, start=1):
                row = self.visits[lead, n]
                assert (row.stage, row.entered_at, row.worked_by) == (stage, at, who)
                after = path[n] if n < len(path) else None
                assert (row.to_stage, row.left_at) == ((after[0], after[2]) if after else (None, None))

    @precondition(lambda self: not self.waiting)
    @invariant()
    def M9_identity(self) -> None:
        """entries = went on + skipped on + won + lost + moved back + postponed + merged + handed over + still there."""
        entries: Counter[str] = Counter()
        ways: dict[str, Counter[str]] = {stage: Counter() for stage in KINDS}
        for path in self.paths.values():
            for n, (stage, *_) in enumerate(path):
                entries[stage] += 1
                ways[stage][self.way(path, n)] += 1
        for stage in KINDS:
            mine = [row for row in self.visits.values() if row.stage == stage]
            counted = Counter(row.left_how or "still_there" for row in mine)
            assert len(mine) == entries[stage] == counted.total()
            assert counted == ways[stage]
            assert set(counted) <= {*HOW, "still_there"}

    @staticmethod
    def way(path: list[tuple[str, str, datetime, str | None]], n: int) -> str:
        """From the places on the scale alone."""
        if n + 1 == len(path):
            return "still_there"
        here, there = path[n][0], path[n + 1][0]
        if there == "price":
            return "lost"
        if there == "paused":
            return "postponed"
        if there in ("approved", "activated") and here not in ("approved", "activated"):
            return "won"
        if here in ("price", "paused") or SCALE.index(there) <= SCALE.index(here):
            return "moved_back"
        return "went_on" if SCALE.index(there) == SCALE.index(here) + 1 else "skipped_on"


TestM9FunnelAgreesWithItsOracle = Funnel.TestCase
TestM9FunnelAgreesWithItsOracle.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize(
    ("left", "entered", "direction", "way"),
    [
        ("open", "won", "forward", "won"),
        ("open", "won", "skip", "won"),
        ("won", "won", "forward", "went_on"),
        ("won", "won", "back", "moved_back"),
        ("lost", "won", "return", "won"),
        ("postponed", "open", "return", "moved_back"),
        ("won", "lost", "out", "lost"),
    ],
)
def test_M9_a_lead_won_once_is_not_won_again_by_moves_among_won_stages(
    left: str, entered: str, direction: str, way: str
) -> None:
    assert funnel.how(left, entered, direction) == way
