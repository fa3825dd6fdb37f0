"""A lead goes on under another version or in another pipeline: given/when/then (M3, N10, N14)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from contracts import events as e
from contracts.commands import Adopt, Command, Refusal
from contracts.meta import Actor
from contracts.pipeline import Pipeline
from services.leads.domain.adopting import ADOPTION_RULES, Destination, adopt
from services.leads.domain.state import with_
from services.leads.publishing.places import place_after
from services.pipelines.language import read_pipeline
from tests.unit.given_lead import (
    CLASSIC,
    COMMAND,
    CONTACT,
    HEAD,
    LEAD,
    NOW,
    ROBOT,
    SELLER,
    Given,
    captured,
    entered,
    given,
)

PUBLISHING = Actor(id="publishing", kind="system", on_behalf_of="olga")
OTHER = UUID(int=9)

SHORT = read_pipeline(
    """
pipeline: classic
titles: {ru: "Короткая", en: "Short"}
conversion_point: converted
stages:
  - {id: new, titles: {ru: "Новая заявка", en: "New lead"}, kind: open}
  - {id: talks, titles: {ru: "Переговоры", en: "Talks"}, kind: open}
  - {id: converted, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: price, titles: {ru: "Дорого", en: "Too dear"}, kind: lost}
  - {id: paused, titles: {ru: "Отложен", en: "Paused"}, kind: postponed}
"""
)
ELSEWHERE = SHORT.model_copy(update={"pipeline": "repair"})


class Adopting:
    """A lead, and what becomes of it when it is adopted."""

    def __init__(self, lead: Given) -> None:
        self.lead = lead

    def under(
        self,
        there: Pipeline | None = SHORT,
        *,
        number: int = 2,
        by: Actor = PUBLISHING,
        version: int | None = None,
        other: UUID | None = None,
        archived: bool = False,
        **body: Any,
    ) -> tuple[e.Event, ...] | Refusal:
        pipeline = there.pipeline if there else "classic"
        command = Command(
            id=COMMAND,
            lead=LEAD,
            actor=by,
            body=Adopt(pipeline=pipeline, number=number, **{"reason": "published", **body}),
            expected_version=version,
        )
        return adopt(self.lead.state, command, CLASSIC, Destination(there, archived, other), NOW)


def adopting(*more: e.Event) -> Adopting:
    return Adopting(given(*captured(), *more))


def adopted(number: int = 2, **more: Any) -> e.LeadAdopted:
    return e.LeadAdopted(
        **{
            "pipeline": "classic", "number": number, "from_pipeline": "classic", "from_number": 1, "reason": "published",
            **more,
        }
    )  # fmt: skip


def across(stage: str, kind: Any, visit: int, before: str) -> e.StageEntered:
    return e.StageEntered(
        stage=stage, kind=kind, visit=visit, from_stage=before, from_visit=visit - 1, cause="adopted",
        direction="across", basis="adoption",
    )  # fmt: skip


def rule_of(answer: Any) -> str:
    assert isinstance(answer, Refusal), answer
    assert answer.ru
    assert answer.en
    return answer.rules[0]


def test_N11_in_a_stage_of_the_same_id_the_visit_goes_on() -> None:
    assert adopting().under() == (adopted(),)


def test_M3_a_mapped_stage_is_a_new_visit_that_starts_no_robot_and_no_deadline() -> None:
    assert adopting(entered("processing")).under(stage="talks") == (
        adopted(),
        across("talks", "open", 3, "processing"),
    )


def test_M3_many_stages_go_into_one() -> None:
    for stage in ("processing", "proposal", "closing"):
        answer = adopting(entered(stage)).under(stage="talks")
        assert isinstance(answer, tuple)
        assert answer[1] == across("talks", "open", 3, stage)


def test_M3_a_lead_under_that_version_already_is_done_and_makes_no_event() -> None:
    lead = adopting(adopted())
    assert lead.under() == ()
    assert lead.under(stage="new") == ()
    assert rule_of(lead.under(stage="talks")) == "M3.another_version"


def test_M3_the_state_follows() -> None:
    state = given(*captured(), entered("processing"), adopted(), across("talks", "open", 3, "processing")).state
    assert (state.pipeline, state.pipeline_number, state.stage, state.visit) == ("classic", 2, "talks", 3)
    assert state.is_open


def test_S3_a_paused_lead_comes_back_to_the_stage_its_own_became() -> None:
    paused = e.LeadPaused(status="paused", from_stage="closing", until="2026-12-01", reason="в отпуске")  # type: ignore[arg-type]
    before = (*captured(), entered("closing"), paused, entered("paused", 3, direction="out", cause="paused"))
    answer = Adopting(given(*before)).under(returns_to="talks")
    assert answer == (adopted(returns_to="talks"),)
    after = given(*before, *answer).state
    assert (after.kind, after.stage, after.left_open_stage) == ("postponed", "paused", "talks")
    assert after.paused_until is not None
    assert rule_of(Adopting(given(*before)).under(returns_to="price")) == "M3.returns_to_open"
    assert rule_of(adopting().under(returns_to="talks")) == "M3.returns_to_open"


@pytest.mark.parametrize(
    ("stage", "rule"), [("converted", "M3.same_kind"), ("price", "M3.same_kind"), ("nowhere", "M3.stage_there")]
)
def test_N12_an_adoption_wins_rejects_and_loses_nobody(stage: str, rule: str) -> None:
    assert rule_of(adopting(entered("processing")).under(stage=stage)) == rule


def test_M3_a_stage_that_is_gone_must_be_mapped() -> None:
    answer = adopting(entered("processing")).under()
    assert rule_of(answer) == "M3.stage_there"
    assert isinstance(answer, Refusal)
    assert "new, talks" in answer.en


@pytest.mark.parametrize("actor", [SELLER, ROBOT, Actor(id="rotation", kind="system")])
def test_M3_only_a_head_or_a_publication_adopts(actor: Actor) -> None:
    assert rule_of(adopting().under(by=actor)) == "M3.who_adopts"
    assert adopting().under(by=HEAD, reason="by_hand") == (adopted(reason="by_hand"),)


def test_M3_a_version_that_is_not_there_is_refused() -> None:
    assert rule_of(adopting().under(None)) == "M3.version_there"


def test_M3_a_lead_that_moved_on_meanwhile_is_refused_as_stale() -> None:
    answer = adopting(entered("processing")).under(version=2)
    assert rule_of(answer) == "K2.current_version"
    assert isinstance(answer, Refusal)
    assert answer.status == 409


def test_M7_the_lead_of_an_erased_person_is_refused() -> None:
    lead = given(*captured(name="Анна"))
    lead.state = with_(lead.state, erased=True)
    assert rule_of(Adopting(lead).under()) == "M7.not_erased"


def test_C3_in_another_pipeline_one_open_lead_of_a_person_holds() -> None:
    answer = adopting().under(ELSEWHERE, number=1, by=HEAD, reason="by_hand", other=OTHER)
    assert rule_of(answer) == "C3.one_open_lead_there"
    closed = adopting(entered("price", 2, direction="out"))
    assert isinstance(closed.under(ELSEWHERE, number=1, by=HEAD, other=OTHER), tuple), "a closed lead claims nothing"


def test_M3_another_pipeline_is_a_new_visit_even_in_a_stage_of_the_same_id() -> None:
    answer = adopting().under(ELSEWHERE, number=1, by=HEAD, reason="by_hand")
    assert answer == (
        adopted(1, pipeline="repair", reason="by_hand"),
        across("new", "open", 2, "new"),
    )


def test_N14_an_archived_pipeline_takes_no_lead() -> None:
    assert rule_of(adopting().under(ELSEWHERE, number=1, by=HEAD, archived=True)) == "M3.takes_leads"
    assert adopting().under(archived=True) == (adopted(),), "a version of its own pipeline is no arrival"


def test_M3_rules_have_ids_words_and_reasons() -> None:
    assert len({rule.id for rule in ADOPTION_RULES}) == len(ADOPTION_RULES)
    assert all(rule.ru and rule.en and rule.why for rule in ADOPTION_RULES)


def test_M3_the_place_of_a_lead_follows_its_events() -> None:
    lead = given(*captured(), entered("processing"), adopted(), across("talks", "open", 3, "processing"))
    place = place_after((e.LeadSeen(), across("talks", "open", 3, "processing")), lead.state)
    assert place is not None
    assert (place.lead, place.contact, place.pipeline, place.number, place.stage, place.kind) == (
        LEAD, CONTACT, "classic", 2, "talks", "open",
    )  # fmt: skip
    assert place_after((e.LeadSeen(),), lead.state) is None
    into = with_(lead.state, merged_into=OTHER)
    merged = place_after((e.LeadMerged(into=OTHER, into_contact=CONTACT),), into)
    assert merged is not None
    assert merged.kind == "merged", "it stands in nobody's way"
