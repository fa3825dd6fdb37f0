"""The rule book of leads, given/when/then (K2, S1-S3, C3, M7, decision 12)."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest

from contracts import events as e
from services.leads.domain.decide import Surroundings
from services.leads.domain.rules import RULES, check
from tests.unit.given_lead import CLASSIC, HEAD, NOW, OFFER, ROBOT, THEN, captured, entered, given

KNOWN = {"name": "Иван", "phone": "+79001234567"}
NEEDS = e.CardRecorded(names=("needs",), values={"needs": "столешница"})
DETAILS = e.CardRecorded(names=("order_details",), values={"order_details": "дуб"})
CONSENT, REFUSAL = e.AnswerReceived(answer="consent"), e.AnswerReceived(answer="refusal")
IN_CLOSING = (*captured(**KNOWN), e.LeadSeen(), e.LeadAccepted(), entered("closing", 4), OFFER)


def test_S2_person_sees_and_accepts() -> None:
    given(*captured()).when("see").then(e.LeadSeen())
    given(*captured(), e.LeadSeen()).when("accept").then(e.LeadAccepted())


def test_S2_seen_twice_is_one_fact() -> None:
    given(*captured(), e.LeadSeen()).when("see").then()


@pytest.mark.parametrize("name", ["see", "accept"])
def test_S2_no_robot_accepts(name: str) -> None:
    given(*captured()).when(name, by=ROBOT).refused_by("S2.person_only")


def test_S2_new_is_left_only_when_seen_and_accepted() -> None:
    given(*captured(), e.LeadSeen()).when("move", to="processing").refused_by("S2.exit_criteria", missing=("accepted",))
    given(*captured(), e.LeadSeen(), e.LeadAccepted()).when("move", to="processing").then(
        e.StageEntered(
            stage="processing",
            kind="open",
            visit=2,
            from_stage="new",
            from_visit=1,
            cause="moved",
            direction="forward",
        )
    )


def test_S2_processing_needs_contact_data_and_needs() -> None:
    lead = given(*captured(), entered("processing"))
    lead.when("move", to="proposal").refused_by("S2.exit_criteria", missing=("name", "reachable", "needs"))
    given(*captured(**KNOWN), entered("processing"), NEEDS).when("move", to="proposal").then_types("stage_entered")


def test_S2_proposal_needs_details_and_an_offer_of_volume_price_and_delivery() -> None:
    lead = given(*captured(**KNOWN), entered("proposal", 3))
    lead.when("move", to="closing").refused_by("S2.exit_criteria", missing=("order_details", "offer"))
    given(*captured(**KNOWN), entered("proposal", 3), DETAILS, OFFER).when("move", to="closing").then_types(
        "stage_entered"
    )


def test_S2_consent_opens_only_the_deal() -> None:
    lead = given(*IN_CLOSING, CONSENT)
    lead.when("reject", status="price").refused_by("S2.answer_decides")
    lead.when("move", to="proposal").refused_by("S2.answer_decides")
    lead.when("convert").then_types("converted", "stage_entered")


def test_S2_refusal_opens_only_reject_statuses() -> None:
    lead = given(*IN_CLOSING, REFUSAL)
    lead.when("convert").refused_by("S2.answer_decides")
    lead.when("reject", status="price", comment="дорого").then_types("rejected", "stage_entered")


def test_S2_no_deal_without_an_answer() -> None:
    given(*IN_CLOSING).when("convert").refused_by("S2.exit_criteria", missing=("answer",))


def test_S2_thinking_is_no_answer() -> None:
    given(*IN_CLOSING).when("answer", answer="thinking").refused_by("S2.thinking_is_no_answer")


def test_S2_answer_needs_an_offer() -> None:
    given(*captured(), entered("closing", 4)).when("answer", answer="consent").refused_by(
        "S2.answer_to_offer", missing=("offer",)
    )


def test_S2_new_offer_asks_anew() -> None:
    given(*IN_CLOSING, REFUSAL, OFFER).when("convert").refused_by("S2.exit_criteria", missing=("answer",))


def test_S1_no_stage_is_skipped() -> None:
    given(*captured()).when("move", to="closing").refused_by(
        "S1.one_step_forward", "S2.exit_criteria", missing=("seen", "accepted")
    )


def test_S1_unknown_stage_names_those_that_are() -> None:
    refusal = given(*captured()).when("move", to="nowhere").refused_by("S1.known_stage")
    assert "processing" in refusal.en


def test_S1_same_stage_is_no_move() -> None:
    given(*captured()).when("move", to="new").refused_by("S1.already_there")


def test_M9_move_back_is_free_between_open_stages() -> None:
    back = given(*captured(**KNOWN), entered("proposal", 3)).when("move", to="processing")
    back.then_types("stage_entered")
    assert back.answer[0].direction == "back"  # type: ignore[index,union-attr]


@pytest.mark.parametrize("status", ["no_contact", "price", "terms", "off_target"])
@pytest.mark.parametrize("stage", ["new", "processing", "proposal", "closing"])
def test_S3_rejected_from_any_open_stage_keeping_where_from(stage: str, status: str) -> None:
    decided = given(*captured(), entered(stage, 2)).when("reject", status=status)
    decided.then_types("rejected", "stage_entered")
    assert decided.answer[0].from_stage == stage  # type: ignore[index,union-attr]


def test_S3_reject_takes_a_reject_status() -> None:
    given(*captured()).when("reject", status="paused").refused_by("S3.status_of_its_kind")


def test_S3_pause_needs_a_future_date() -> None:
    lead = given(*captured())
    lead.when("pause", until=NOW.date(), reason="отпуск").refused_by("S3.pause_has_a_date")
    lead.when("move", to="paused").refused_by("S3.pause_has_a_date", missing=("until", "reason"))
    until = date(2026, 4, 1)
    lead.when("pause", until=until, reason="отпуск").then(
        e.LeadPaused(status="paused", from_stage="new", until=until, reason="отпуск"),
        entered("paused", 2, from_stage="new", from_visit=1, cause="paused", direction="out"),
    )


def test_S3_reopened_to_the_stage_it_left() -> None:
    lead = given(*captured(), entered("proposal", 2), entered("paused", 3, cause="paused", direction="out"))
    decided = lead.when("reopen")
    decided.then_types("reopened", "stage_entered")
    assert decided.answer[1].stage == "proposal"  # type: ignore[index,union-attr]
    assert decided.answer[1].direction == "return"  # type: ignore[index,union-attr]


def test_S3_final_status_is_reopened_by_a_head_only() -> None:
    lead = given(*captured(), entered("off_target", 2, cause="rejected", direction="out"))
    lead.when("reopen").refused_by("P4.reopening_terms")
    lead.when("reopen", by=HEAD).then_types("reopened", "stage_entered")


def test_S3_closed_lead_is_reopened_before_it_moves() -> None:
    lead = given(*captured(), entered("price", 2, cause="rejected", direction="out"))
    lead.when("move", to="processing").refused_by("S3.closed_stays_closed")
    lead.when("see").refused_by("S3.open_work")


def test_C3_reopen_is_refused_while_the_person_has_another_open_lead() -> None:
    lead = given(*captured(), entered("price", 2, cause="rejected", direction="out"))
    lead.when("reopen", around=Surroundings(other_open_lead=UUID(int=9))).refused_by("C3.one_open_lead")


def test_Q2_unknown_field_is_refused_naming_those_that_are() -> None:
    refusal = given(*captured()).when("record", fields={"neds": "x"}).refused_by("Q2.known_fields")
    assert "needs" in refusal.en


def test_Q2_only_what_changed_is_recorded() -> None:
    lead = given(*captured(**KNOWN), NEEDS)
    lead.when("record", fields={"needs": "столешница", "phone": "8 900 123-45-67"}).then()
    lead.when("record", fields={"needs": ""}).then(e.CardRecorded(names=("needs",), values={"needs": ""}))


def test_C3_phone_that_cannot_be_read_is_refused() -> None:
    refusal = given(*captured()).when("record", fields={"phone": "завтра"}).refused_by("C3.readable_identity")
    assert "завтра" not in refusal.ru + refusal.en, "a refusal is kept beyond an erasure (M7)"


def test_K1_too_large_for_one_event_is_refused() -> None:
    huge = {"needs": "я" * 10_000, "order_details": "я" * 10_000} | {"name": "я" * 10_000}
    given(*captured()).when("record", fields=huge).then_types("card_recorded")
    from contracts.commands import Record
    from services.leads.domain.decide import EVENT_BYTES

    fields = {f"f{n}": "я" * 10_000 for n in range(EVENT_BYTES // 20_000 + 1)}
    assert Record(fields=fields).fields == fields


def test_K2_stale_version_is_409() -> None:
    assert given(*captured()).when("see", version=1).refused_by("K2.current_version").status == 409


def test_K6_times_before_the_visit_or_ahead_of_the_clock_are_refused() -> None:
    lead = given(*captured(), e.LeadSeen(), e.LeadAccepted())
    lead.when("move", to="processing", happened_at=THEN - timedelta(seconds=1)).refused_by("K6.time_holds")
    lead.when("move", to="processing", happened_at=NOW + timedelta(minutes=5)).then_types("stage_entered")
    lead.when("move", to="processing", happened_at=NOW + timedelta(minutes=6)).refused_by("K6.time_holds")


def test_M7_nothing_is_done_with_an_erased_lead() -> None:
    from contracts.personal import ERASED

    assert given(*captured(name=ERASED)).when("see").refused_by("M7.not_erased").status == 410


def test_C4_assign_takes_one_of_the_list() -> None:
    given(*captured()).when("assign", to="nobody").refused_by("C4.known_responsible")
    given(*captured()).when("assign", to="boris").then_types("assigned")


def test_K2_check_says_what_is_missing_before_anyone_tries() -> None:
    lead = given(*captured()).state
    answer = check(lead, "processing", CLASSIC)
    assert not answer.allowed
    assert answer.refusal is not None
    assert [lack.id for lack in answer.refusal.missing] == ["seen", "accepted"]
    assert check(lead, "price", CLASSIC).allowed


def test_K2_rule_ids_are_unique_and_every_rule_says_why() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.ru and rule.en and rule.why for rule in RULES)


ACTIVITY = UUID(int=77)
PLANNED = e.ActivityPlanned(activity=ACTIVITY, activity_kind="call", reason="by_hand", text="уточнить адрес")
WITH_ID = Surroundings(("anna", "boris"), activity=ACTIVITY)


def test_S4_activity_is_planned_and_done_and_no_stage_changes() -> None:
    lead = given(*captured())
    lead.when("plan", kind="call", text="уточнить адрес", around=WITH_ID).then(PLANNED)
    planned = given(*captured(), PLANNED)
    done = e.ActivityDone(activity=ACTIVITY, activity_kind="call", reason="by_hand", result="адрес записан")
    planned.when("complete", activity=ACTIVITY, result="адрес записан").then(done)
    finished = given(*captured(), PLANNED, done)
    finished.when("complete", activity=ACTIVITY, result="ещё раз").then()
    assert (finished.state.stage, finished.state.activities[ACTIVITY].result) == ("new", "адрес записан")


def test_S4_activity_of_a_closed_lead_may_be_planned() -> None:
    lead = given(*captured(), entered("price", 2, cause="rejected", direction="out"))
    lead.when("plan", kind="task", due_at=NOW + timedelta(days=365), around=WITH_ID).then_types("activity_planned")


def test_S4_activity_is_due_ahead_and_for_somebody_there_is() -> None:
    lead = given(*captured())
    lead.when("plan", kind="task", due_at=NOW, around=WITH_ID).refused_by("S4.due_ahead")
    lead.when("plan", kind="task", assignee="nobody", around=WITH_ID).refused_by("S4.known_assignee")


def test_S4_activity_that_is_not_the_leads_is_refused() -> None:
    given(*captured()).when("complete", activity=ACTIVITY, result="x").refused_by("S4.known_activity")
