"""The funnel's pure rules under any history, against an oracle that only keeps what the commands meant (M9, N11, N12, S3, M1).

The oracle is no fold: a command changes each lead's list of stays as a person would tell it, and a copy of the list is kept for
every moment of recording. The fold of `verify`, which is written apart from production too, must agree as well.
"""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from projections.event import Event
from projections.funnel import projection as funnel
from projections.funnel.projection import HOW
from projections.funnel.rows import END_COLUMNS, PAST_COLUMNS, VISIT_COLUMNS, FunnelRows, LeadRow, PastVisit, VisitRow
from services.ops.verify.opened import Opened
from services.ops.verify.projected.funnel import funnel as folded

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
PIPELINES = ("p", "q")


@dataclass
class Stay:
    """A stay in a stage as a person would tell it. `out`: how it ended, when, and where to."""

    stage: str
    pipeline: str
    basis: str
    since: datetime
    who: str | None
    out: tuple[str, datetime, str | None] | None = None
    reason: str | None = None


@dataclass
class Told:
    """What is told of a lead. `may_undo`: its last change of stage was neither corrected yet nor a migration."""

    stays: list[Stay]
    pipeline: str = "p"
    version: int = 1
    visit: int = 0
    stage: str = ""
    may_undo: bool = False
    merged: bool = False
    who: str | None = None
    undone: int = 0


def event(stream: str, version: int, type_: str, data: dict[str, Any], at: datetime, **more: Any) -> Event:
    actor = {"id": "anna", "kind": more.get("actor", "person")}
    recorded = more.get("recorded", at)
    pipeline = more.get("pipeline", "p@1")
    return Event(stream, version, "lead", type_, 0, at, recorded, actor, None, data, {}, None, False, False, pipeline)


class Funnel(RuleBasedStateMachine):
    """Leads go through everything that can happen to them, recorded at once or late; batches of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, Told] = {}
        self.known: dict[str, list[tuple[datetime, Told]]] = {}
        self.versions: Counter[str] = Counter()
        self.now = START
        self.step = timedelta(minutes=7)
        self.lateness = timedelta(0)
        self.events: list[Event] = []
        self.waiting: list[Event] = []
        self.leads: dict[str, LeadRow] = {}
        self.visits: dict[tuple[str, int], VisitRow] = {}
        self.past: list[PastVisit] = []

    # --- commands -----------------------------------------------------------------------------------------------------

    def add(self, lead: str, *events: tuple[str, dict[str, Any]], actor: str = "person") -> datetime:
        """What one command brought about, recorded now, happened when it was (never before what went before)."""
        told = self.told[lead]
        self.now += self.step
        happened = self.now - self.lateness
        if told.stays:
            happened = max(happened, told.stays[-1].since, told.stays[-1].out[1] if told.stays[-1].out else happened)
        for type_, data in events:
            self.versions[lead] += 1
            made = event(
                lead, self.versions[lead], type_, data, happened,
                actor=actor, recorded=self.now, pipeline=f"{told.pipeline}@{told.version}",
            )  # fmt: skip
            self.waiting.append(made)
            self.events.append(made)
        return happened

    def keep(self, lead: str) -> None:
        """What is told of the lead is known from now on."""
        self.known.setdefault(lead, []).append((self.now, deepcopy(self.told[lead])))

    @rule(minutes=st.sampled_from([0, 7, 60 * 24 * 3]), late=st.sampled_from([0, 0, 60 * 24 * 2]))
    def time_goes_on(self, minutes: int, late: int) -> None:
        """From here on so much lies between two commands, and each is recorded so late."""
        self.step = timedelta(minutes=minutes)
        self.lateness = timedelta(minutes=late)

    @rule(source=st.sampled_from(["site", "fair"]), actor=st.sampled_from(["person", "import"]))
    def capture(self, source: str, actor: str) -> None:
        lead = str(uuid5(SPACE, f"lead{len(self.told)}"))
        told = self.told[lead] = Told([])
        entered = {"stage": "new", "kind": "open", "visit": 1, "cause": "captured", "direction": "in"}
        at = self.add(
            lead, (funnel.CAPTURED, {"pipeline": "p", "source": source}), (funnel.ENTERED, entered), actor=actor
        )
        told.visit, told.stage = 1, "new"
        told.stays.append(Stay("new", "p", "import" if actor == "import" else "check", at, None))
        self.keep(lead)

    def entered(self, told: Told, stage: str, cause: str, direction: str, **more: Any) -> tuple[str, dict[str, Any]]:
        data = {
            "stage": stage, "kind": KINDS[stage], "visit": told.visit + 1, "from_stage": told.stage,
            "from_visit": told.visit, "cause": cause, "direction": direction, **more,
        }  # fmt: skip
        told.visit, told.stage = told.visit + 1, stage
        return funnel.ENTERED, data

    def some(self, data: st.DataObject, which: Any = lambda told: not told.merged) -> str | None:
        there = sorted(lead for lead, told in self.told.items() if which(told))
        return data.draw(st.sampled_from(there)) if there else None

    @rule(
        data=st.data(),
        stage=st.sampled_from(sorted(KINDS)),
        basis=st.sampled_from(["check", "check", "override"]),
        actor=st.sampled_from(["person", "person", "import", "system"]),
        reason=st.sampled_from([None, "dear"]),
    )
    def move(self, data: st.DataObject, stage: str, basis: str, actor: str, reason: str | None) -> None:
        if (lead := self.some(data)) is None:
            return
        told = self.told[lead]
        here = told.stays[-1]
        before: list[tuple[str, dict[str, Any]]] = []
        cause, here.reason = "auto" if actor == "system" else "moved", None
        if KINDS[stage] == "lost":
            direction, here.reason = "out", reason
            before = [(funnel.REJECTED, {"status": stage, "from_stage": here.stage, "reason": reason})]
        elif KINDS[stage] == "postponed":
            direction = "out"
        elif KINDS[here.stage] in ("lost", "postponed"):
            direction, cause = "return", "reopened"
        else:
            step = SCALE.index(stage) - SCALE.index(here.stage)
            direction = "back" if step <= 0 else "forward" if step == 1 else "skip"
        more = {} if basis == "check" else {"basis": basis}
        at = self.add(lead, *before, self.entered(told, stage, cause, direction, **more), actor=actor)
        here.out = (self.way(here.stage, stage), at, stage)
        kept = basis if basis == "override" else "import" if actor == "import" else "check"
        told.stays.append(Stay(stage, told.pipeline, kept, at, told.who))
        told.may_undo = True
        self.keep(lead)

    @staticmethod
    def way(here: str, there: str) -> str:
        """From the places on the scale alone."""
        if there == "price":
            return "lost"
        if there == "paused":
            return "postponed"
        if there in ("approved", "activated") and here not in ("approved", "activated"):
            return "won"
        if here in ("price", "paused") or SCALE.index(there) <= SCALE.index(here):
            return "moved_back"
        return "went_on" if SCALE.index(there) == SCALE.index(here) + 1 else "skipped_on"

    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        """Of the last change of stage: as if it had never been."""
        if (lead := self.some(data, lambda told: told.may_undo and not told.merged)) is None:
            return
        told = self.told[lead]
        wrong, back = told.visit, told.stays[-2].stage
        told.stays.pop()
        told.stays[-1].out, told.stays[-1].reason, told.stays[-1].who = None, None, told.who
        told.may_undo, told.undone = False, told.undone + 1
        self.add(lead, self.entered(told, back, "undone", "back", basis="correction", undoes=wrong))
        self.keep(lead)

    @rule(data=st.data(), to=st.sampled_from(["anna", "boris"]))
    def assign(self, data: st.DataObject, to: str) -> None:
        if (lead := self.some(data, lambda told: True)) is None:
            return
        told = self.told[lead]
        self.add(lead, (funnel.ASSIGNED, {"to": to}))
        told.who = to
        if not told.merged:
            told.stays[-1].who = to
        self.keep(lead)

    @rule(data=st.data())
    def merge(self, data: st.DataObject) -> None:
        if (lead := self.some(data)) is None:
            return
        told = self.told[lead]
        at = self.add(lead, (funnel.MERGED, {"into": str(SPACE), "into_contact": str(SPACE)}))
        told.merged, told.stays[-1].out = True, ("merged_away", at, None)
        self.keep(lead)

    @rule(data=st.data())
    def unmerge(self, data: st.DataObject) -> None:
        if (lead := self.some(data, lambda told: told.merged)) is None:
            return
        told = self.told[lead]
        stands = self.entered(told, told.stage, "unmerged", "return", basis="correction")
        self.add(lead, (funnel.UNMERGED, {"into": str(SPACE)}), stands)
        told.merged, told.may_undo = False, False
        told.stays[-1].out, told.stays[-1].who = None, told.who
        self.keep(lead)

    @rule(data=st.data(), pipeline=st.sampled_from(PIPELINES), stage=st.sampled_from([None, *SCALE[:3]]))
    def adopt(self, data: st.DataObject, pipeline: str, stage: str | None) -> None:
        """Another version; its stage has another name there, or keeps it. Into another pipeline it always enters a stage."""
        if (lead := self.some(data)) is None:
            return
        told = self.told[lead]
        here = told.stays[-1]
        if stage is None and pipeline != told.pipeline:
            stage = "new"
        adopted = {
            "pipeline": pipeline, "number": told.version + 1, "from_pipeline": told.pipeline,
            "from_number": told.version, "reason": "published",
        }  # fmt: skip
        told.pipeline, told.version = pipeline, told.version + 1
        events = [(funnel.ADOPTED, adopted)]
        if stage is not None:
            events.append(self.entered(told, stage, "adopted", "across", basis="adoption"))
        at = self.add(lead, *events)
        if stage is not None:
            here.out, told.may_undo = ("handed_over", at, stage), False
            told.stays.append(Stay(stage, pipeline, "adoption", at, told.who))
        self.keep(lead)

    # --- what the runner and the store do with a batch, in memory ---------------------------------------------------------

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def apply(self, data: st.DataObject) -> None:
        """Only leads named, and their last visit, are loaded; all visits of those that are corrected."""
        self.take(data.draw(st.one_of(st.just(len(self.waiting)), st.integers(1, len(self.waiting)))))

    def take(self, size: int) -> None:
        batch, self.waiting = self.waiting[:size], self.waiting[size:]
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
        self.visits |= {key: rows.visits[key] for key in rows.changed}
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
        assert len(counted) == sum(len(told.stays) for told in self.told.values())
        assert len(self.visits) - len(counted) == sum(told.undone for told in self.told.values())
        for lead, told in self.told.items():
            assert as_told(row for (whose, _), row in sorted(counted.items()) if whose == lead) == told.stays

    @precondition(lambda self: not self.waiting)
    @invariant()
    def what_was_known_at_any_moment_can_still_be_read(self) -> None:
        for lead, moments in self.known.items():
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
                stays = [s for t in self.told.values() for s in t.stays if (s.pipeline, s.stage) == (pipeline, stage)]
                assert len(mine) == len(stays) == counted.total()
                assert counted == Counter(stay.out[0] if stay.out else "still_there" for stay in stays)
                assert set(counted) <= {*HOW, "still_there"}

    @precondition(lambda self: not self.waiting)
    @invariant()
    def M2_the_fold_of_verify_says_the_same(self) -> None:
        for lead in self.told:
            rows = folded(UUID(lead), [opened(one) for one in self.events if one.stream == lead])
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
            (row.left_how, row.left_at, row.to_stage) if row.left_how else None, row.left_reason,
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
