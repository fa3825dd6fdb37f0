"""Several won stages (spec, «Outcome stages may be several; a lead is won once»), on the bundled pipeline of loans."""

from __future__ import annotations

from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import pytest

import contracts
from contracts import events as e
from contracts.commands import COMMAND_BODIES, Command, Refusal
from contracts.pipeline import Pipeline
from services.leads.domain.decide import Surroundings, decide
from services.leads.domain.rules import check
from services.leads.domain.state import LeadState, evolve_lead
from services.pipelines.language import PipelineError, read_pipeline
from tests.unit.given_lead import COMMAND, LEAD, NOW, SELLER, captured, meta

LOANS = read_pipeline((Path(contracts.__file__).parent / "pipelines" / "loans.yaml").read_text("utf-8"))
OPEN = ("submitted", "partlysubmitted", "preaccepted", "accepted", "finalized")
WON = ("approved", "registered", "activated")


class Loan:
    """A lead in the pipeline of loans, standing in a stage."""

    def __init__(self, stage: str, kind: str = "open") -> None:
        self.events: list[e.Event] = []
        self.state: LeadState | None = None
        first, _ = captured()
        self._keep(first)
        self._keep(e.StageEntered(stage=stage, kind=kind, visit=1, cause="captured", direction="in"))  # type: ignore[arg-type]

    def _keep(self, data: e.Event) -> None:
        self.events.append(data)
        self.state = evolve_lead(self.state, meta(data, len(self.events)), data)

    def give(self, name: str, pipeline: Pipeline = LOANS, **body: Any) -> tuple[e.Event, ...] | Refusal:
        assert self.state is not None
        command = Command(id=COMMAND, lead=LEAD, actor=SELLER, body=COMMAND_BODIES[name](**body))  # type: ignore[arg-type]
        answer = decide(self.state, command, pipeline, NOW, Surroundings())
        if not isinstance(answer, Refusal):
            for event in answer:
                self._keep(event)
        return answer


@pytest.mark.parametrize("order", list(permutations(WON)))
def test_S1_the_won_stages_come_in_any_order_and_a_lead_is_won_once(order: tuple[str, ...]) -> None:
    loan = Loan("finalized")
    for stage in order:
        assert not isinstance(loan.give("move", to=stage), Refusal)
    entered = [event for event in loan.events if isinstance(event, e.StageEntered)][1:]
    assert [event.stage for event in entered] == list(order)
    assert [event.cause for event in entered] == ["converted", "moved", "moved"], "the win is the first entry only"
    assert {event.direction for event in entered} == {"forward"}, "won stages have no order: none is further back"
    assert sum(isinstance(event, e.LeadConverted) for event in loan.events) == 1


def test_S1_all_won_stages_share_the_last_step_of_the_scale() -> None:
    assert [LOANS.place(stage) for stage in (*OPEN, *WON, "declined")] == [1, 2, 3, 4, 5, 6, 6, 6, None]
    assert LOANS.places == 6


@pytest.mark.parametrize(("here", "there"), list(pairwise(OPEN)))
def test_S1_open_stages_of_loans_are_still_passed_one_by_one(here: str, there: str) -> None:
    assert not isinstance(Loan(here).give("move", to=there), Refusal)
    if here != "finalized":
        skipped = Loan(here).give("move", to="approved")
        assert isinstance(skipped, Refusal)
        assert skipped.rules == ("S1.one_step_forward",)


@pytest.mark.parametrize("to", ["finalized", "declined"])
def test_S3_a_won_loan_goes_nowhere_but_to_other_won_stages(to: str) -> None:
    won = Loan("approved", "won")
    answer = won.give("reject", status=to) if to == "declined" else won.give("move", to=to)
    assert isinstance(answer, Refusal)
    assert "S3.closed_stays_closed" in answer.rules
    again = won.give("move", to="approved")
    assert isinstance(again, Refusal)
    assert again.rules == ("S1.already_there",)


def test_S3_a_won_lead_stays_where_it_is_unless_the_pipeline_frees_the_won_stages() -> None:
    closed = LOANS.model_copy(update={"won_moves": "none"})
    answer = Loan("approved", "won").give("move", pipeline=closed, to="registered")
    assert isinstance(answer, Refusal)
    assert answer.rules == ("S3.closed_stays_closed",)
    assert not isinstance(Loan("finalized").give("move", pipeline=closed, to="activated"), Refusal)


def test_K2_check_says_the_same_of_won_stages_as_the_command() -> None:
    state = Loan("approved", "won").state
    assert state is not None
    assert check(state, "activated", LOANS).allowed
    assert not check(state, "finalized", LOANS).allowed


def test_M3_free_moves_among_won_stages_need_several_of_them() -> None:
    text = "pipeline: p\ntitles: {ru: a, en: a}\nconversion_point: won\nwon_moves: free\nstages:\n"
    text += "  - {id: new, titles: {ru: a, en: a}, kind: open}\n  - {id: won, titles: {ru: a, en: a}, kind: won}\n"
    with pytest.raises(PipelineError, match="at least two stages of kind won"):
        read_pipeline(text)
