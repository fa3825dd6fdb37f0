"""The funnel's pure rules under any history, against an oracle that only keeps what the commands meant (M9, N11, N12, S3, M1).

The oracle is no fold (`given_funnel`). The fold of `verify`, which is written apart from production too, must agree as well.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.commands import Refusal
from projections.event import Event
from projections.funnel import projection as funnel
from projections.funnel.projection import HOW
from projections.funnel.rows import END_COLUMNS, PAST_COLUMNS, VISIT_COLUMNS, FunnelRows, LeadRow, PastVisit, VisitRow
from services.ops.verify.opened import Opened
from services.ops.verify.projected.funnel import funnel as folded
from tests.unit.given_funnel import KINDS, SCALE, START, History, Stay, Told, event
from tests.unit.given_lead import HEAD, SELLER, captured, given

PIPELINES = ("p", "q")


def may_undo(told: Told) -> bool:
    return told.may_undo and not told.merged


def merged(told: Told) -> bool:
    return told.merged


class Funnel(RuleBasedStateMachine):
    """Leads go through everything that can happen to them, recorded at once or late; batches of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.given = History()
        self.taken = 0
        self.leads: dict[str, LeadRow] = {}
        self.visits: dict[tuple[str, int], VisitRow] = {}
        self.past: list[PastVisit] = []

    @rule(minutes=st.sampled_from([0, 7, 60 * 24 * 3]), late=st.sampled_from([0, 0, 60 * 24 * 2]))
    def time_goes_on(self, minutes: int, late: int) -> None:
        """From here on so much lies between two commands, and each is recorded so late."""
        self.given.step, self.given.lateness = timedelta(minutes=minutes), timedelta(minutes=late)

    @rule(source=st.sampled_from(["site", "fair"]), actor=st.sampled_from(["person", "import"]))
    def capture(self, source: str, actor: str) -> None:
        self.given.capture(source, actor)

    @precondition(lambda self: self.given.there())
    @rule(
        data=st.data(),
        stage=st.sampled_from(sorted(KINDS)),
        basis=st.sampled_from(["check", "check", "override"]),
        actor=st.sampled_from(["person", "person", "import", "system"]),
        reason=st.sampled_from([None, "dear"]),
    )
    def move(self, data: st.DataObject, stage: str, basis: str, actor: str, reason: str | None) -> None:
        self.given.move(data.draw(st.sampled_from(self.given.there())), stage, basis, actor, reason)

    @precondition(lambda self: self.given.there(may_undo))
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        self.given.undo(data.draw(st.sampled_from(self.given.there(may_undo))))

    @precondition(lambda self: self.given.told)
    @rule(data=st.data(), to=st.sampled_from(["anna", "boris", None]))
    def assign(self, data: st.DataObject, to: str | None) -> None:
        self.given.assign(data.draw(st.sampled_from(sorted(self.given.told))), to)

    @precondition(lambda self: self.given.there())
    @rule(data=st.data())
    def merge(self, data: st.DataObject) -> None:
        self.given.merge(data.draw(st.sampled_from(self.given.there())))

    @precondition(lambda self: self.given.there(merged))
    @rule(data=st.data())
    def unmerge(self, data: st.DataObject) -> None:
        self.given.unmerge(data.draw(st.sampled_from(self.given.there(merged))))

    @precondition(lambda self: self.given.there())
    @rule(data=st.data(), pipeline=st.sampled_from(PIPELINES), stage=st.sampled_from([None, *SCALE[:3]]))
    def adopt(self, data: st.DataObject, pipeline: str, stage: str | None) -> None:
        self.given.adopt(data.draw(st.sampled_from(self.given.there())), pipeline, stage)

    # --- what the runner and the store do with a batch, in memory ---------------------------------------------------------

    @property
    def waiting(self) -> list[Event]:
        return self.given.events[self.taken :]

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def apply(self, data: st.DataObject) -> None:
        """Only leads named, and their last visit, are loaded; all visits of those that are corrected."""
        self.take(data.draw(st.one_of(st.just(len(self.waiting)), st.integers(1, len(self.waiting)))))

    def take(self, size: int) -> None:
        batch = self.waiting[:size]
        self.taken += size
        rows = FunnelRows()
        corrected = {one.stream for one in batch if funnel.corrects(one)}
        for lead in {one.stream for one in batch} & self.leads.keys():
            rows.leads[lead] = replace(self.leads[lead])
            for (whose, number), row in self.visits.items():
                if whose == lead and (number == self.leads[lead].visit or lead in corrected):
                    rows.visits[lead, number] = replace(row)
        for one in batch:
            funnel.apply(rows, one)
        self.leads |= {lead: rows.leads[lead] for lead in rows.touched}
        self.visits |= {key: rows.visits[key] for key in rows.begun | rows.ended | rows.corrected}
        self.past += rows.past

    def teardown(self) -> None:
        """Whatever still waits arrives, and everything holds."""
        self.take(len(self.waiting))
        self.every_visit_is_as_told()
        self.what_was_known_at_any_moment_can_still_be_read()
        self.M9_identity()
        self.M2_the_fold_of_verify_says_the_same()

    # --- what must hold -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.waiting)
    @invariant()
    def every_visit_is_as_told(self) -> None:
        counted = {key: row for key, row in self.visits.items() if not row.undone}
        assert len(counted) == sum(len(told.stays) for told in self.given.told.values())
        assert len(self.visits) - len(counted) == sum(told.undone for told in self.given.told.values())
        for lead, told in self.given.told.items():
            assert as_told(row for (whose, _), row in sorted(counted.items()) if whose == lead) == told.stays

    @precondition(lambda self: not self.waiting)
    @invariant()
    def what_was_known_at_any_moment_can_still_be_read(self) -> None:
        for lead, moments in self.given.known.items():
            latest = dict(moments)
            for at, told in latest.items():
                assert as_told(self.as_known(lead, at)) == told.stays
            assert as_told(self.as_known(lead, moments[0][0] - timedelta(microseconds=1))) == []

    def as_known(self, lead: str, at: datetime) -> list[VisitRow]:
        """As the reads do it: one row of each visit, its end left out unless it was known."""
        rows: list[VisitRow] = [
            *(row for row in self.visits.values() if row.known_from <= at),
            *(row for row in self.past if row.known_from <= at and row.known_to is not None and at < row.known_to),
        ]
        mine = sorted((row for row in rows if row.lead == lead and not row.undone), key=lambda row: row.visit)
        assert len({row.visit for row in mine}) == len(mine)
        masked: dict[str, Any] = dict.fromkeys(END_COLUMNS)
        return [
            replace(row, **masked) if row.left_known_at is not None and row.left_known_at > at else row for row in mine
        ]

    @precondition(lambda self: not self.waiting)
    @invariant()
    def M9_identity(self) -> None:
        """entries = went on + skipped on + won + lost + moved back + postponed + merged + handed over + still there."""
        for pipeline in PIPELINES:
            for stage in KINDS:
                mine = [v for v in self.visits.values() if (v.pipeline, v.stage, v.undone) == (pipeline, stage, False)]
                counted = Counter(row.left_how or "still_there" for row in mine)
                stays = [
                    s for t in self.given.told.values() for s in t.stays if (s.pipeline, s.stage) == (pipeline, stage)
                ]
                assert len(mine) == len(stays) == counted.total()
                assert counted == Counter(stay.out[0] if stay.out else "still_there" for stay in stays)
                assert set(counted) <= {*HOW, "still_there"}

    @precondition(lambda self: not self.waiting)
    @invariant()
    def M2_the_fold_of_verify_says_the_same(self) -> None:
        for lead in self.given.told:
            rows = folded(UUID(lead), [opened(one) for one in self.given.events if one.stream == lead])
            visits = [row for (whose, _), row in sorted(self.visits.items()) if whose == lead]
            assert [asdict(self.leads[lead]) | {"lead": UUID(lead)}] == rows.lead
            assert [in_order(v, VISIT_COLUMNS) for v in visits] == [
                in_order(v, VISIT_COLUMNS) for v in sorted(rows.visits, key=lambda v: v["visit"])
            ]
            place = VISIT_COLUMNS.index("known_from")
            past = [in_order(v, PAST_COLUMNS) for v in self.past if v.lead == lead]
            wanted = [in_order(v, PAST_COLUMNS) for v in rows.past]
            assert sorted(past, key=lambda v: (v[1], v[place])) == sorted(wanted, key=lambda v: (v[1], v[place]))


def in_order(row: Any, columns: tuple[str, ...]) -> list[Any]:
    values = row if isinstance(row, dict) else asdict(row)
    return [str(values[column]) if column == "lead" else values[column] for column in columns]


def as_told(rows: Any) -> list[Stay]:
    return [
        Stay(
            row.stage, row.pipeline, row.basis, row.entered_at, row.worked_by,
            (row.left_how, row.left_at, row.to_stage) if row.left_how else None,
            row.pipeline_version, row.left_reason,
        )
        for row in rows
    ]  # fmt: skip


def opened(one: Event) -> Opened:
    meta = {
        "happened_at": one.happened_at.isoformat(), "recorded_at": one.recorded_at.isoformat(), "actor": one.actor,
        "pipeline": one.pipeline,
    }  # fmt: skip
    return Opened(one.type, one.version, meta, dict(one.data), {}, False)


TestM9FunnelAgreesWithItsOracle = Funnel.TestCase
TestM9FunnelAgreesWithItsOracle.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


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
        ("won", "won", "across", "handed_over"),
        ("open", "lost", "across", "handed_over"),
    ],
)
def test_M9_a_lead_won_once_is_not_won_again_by_moves_among_won_stages(
    left: str, entered: str, direction: str, way: str
) -> None:
    assert funnel.how(left, entered, direction) == way


def rows_of(*events: tuple[str, dict[str, Any]]) -> dict[int, VisitRow]:
    """The visits of a lead with these events, a day apart."""
    rows = FunnelRows()
    for n, (type_, data) in enumerate(events):
        funnel.apply(rows, event("lead", n + 1, type_, data, START + timedelta(days=n)))
    return {number: row for (_, number), row in rows.visits.items()}


def enters(visit: int, stage: str, **more: Any) -> tuple[str, dict[str, Any]]:
    cause, direction = more.pop("cause", "moved"), more.pop("direction", "forward")
    data = {"stage": stage, "kind": KINDS[stage], "visit": visit, "cause": cause, "direction": direction, **more}
    return funnel.ENTERED, data


CAPTURED = (funnel.CAPTURED, {"pipeline": "p", "source": "site"})


def test_N12_an_undone_conversion_is_no_win_and_the_visit_before_it_goes_on() -> None:
    first = enters(1, "proposal", cause="captured", direction="in")
    undone = enters(3, "proposal", cause="undone", direction="back", undoes=2, basis="correction")
    rows = rows_of(CAPTURED, first, enters(2, "approved", cause="converted"), undone)
    assert sorted(rows) == [1, 2]
    assert (rows[1].left_how, rows[1].left_at, rows[1].entered_at) == (None, None, START + timedelta(days=1))
    assert rows[2].undone
    again = rows_of(
        CAPTURED, first, enters(2, "approved", cause="converted"), undone, enters(4, "approved", cause="converted")
    )
    assert Counter(row.left_how for row in again.values() if not row.undone) == {"won": 1, None: 1}
    assert again[1].left_at == START + timedelta(days=4)


def test_N12_an_undone_visit_that_others_followed_leaves_a_chain_without_it() -> None:
    rows = rows_of(
        CAPTURED,
        enters(1, "new", cause="captured", direction="in"),
        enters(2, "processing"),
        enters(3, "proposal"),
        enters(4, "approved", undoes=2, basis="correction"),
    )
    assert [(n, row.stage, row.to_stage, row.undone) for n, row in sorted(rows.items())] == [
        (1, "new", "proposal", False),
        (2, "processing", "proposal", True),
        (3, "proposal", "approved", False),
        (4, "approved", None, False),
    ]
    assert rows[3].from_stage == "new"


def test_S3_a_loss_keeps_its_reason_and_outcome_on_the_visit_it_ended() -> None:
    rejected = (funnel.REJECTED, {"status": "price", "from_stage": "new", "reason": "dear", "outcome": "ads"})
    rows = rows_of(
        CAPTURED,
        enters(1, "new", cause="captured", direction="in"),
        rejected,
        enters(2, "price", cause="rejected", direction="out"),
        enters(3, "new", cause="reopened", direction="return"),
        enters(4, "paused", cause="paused", direction="out"),
    )
    assert [(row.left_how, row.left_reason, row.left_outcome) for row in rows.values()] == [
        ("lost", "dear", "ads"),
        ("moved_back", None, None),
        ("postponed", None, None),
        (None, None, None),
    ]


def test_N12_M9_what_the_stage_engine_decides_is_what_the_funnel_understands() -> None:
    """Its own events: a move undone, an override that converts and is undone, a rejection, a reopening."""
    story: list[tuple[str, Any, dict[str, Any]]] = [
        ("see", SELLER, {}),
        ("accept", SELLER, {}),
        ("move", SELLER, {"to": "processing"}),
        ("undo", SELLER, {}),
        ("move", SELLER, {"to": "processing"}),
        ("convert", HEAD, {"override": "договор уже есть"}),
        ("undo", HEAD, {}),
        ("reject", SELLER, {"status": "price"}),
        ("reopen", HEAD, {"reason": "нашлись деньги"}),
    ]
    happened = list(captured())
    for name, by, body in story:
        answer = given(*happened).when(name, by=by, **body).answer
        assert not isinstance(answer, Refusal), (name, answer)
        happened += answer
    rows = FunnelRows()
    for version, data in enumerate(happened, 1):
        at = START + timedelta(hours=version)
        if data.TOPIC in funnel.TYPES:
            funnel.apply(
                rows, event("lead", version, data.TOPIC, data.model_dump(mode="json"), at, pipeline="classic@1")
            )
    found = [(v.stage, v.left_how, v.to_stage, v.basis) for v in rows.visits.values() if not v.undone]
    assert found == [
        ("new", "went_on", "processing", "check"),
        ("processing", "lost", "price", "check"),
        ("price", "moved_back", "processing", "check"),
        ("processing", None, None, "check"),
    ]
    assert [(v.stage, v.basis) for v in rows.visits.values() if v.undone] == [
        ("processing", "check"),
        ("converted", "override"),
    ]
