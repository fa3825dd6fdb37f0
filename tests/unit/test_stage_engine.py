"""The stage engine on a pipeline that uses all of the language (S2, P3, P4, C1, C8, N10, N12)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from contracts import events as e
from contracts.commands import Refusal
from contracts.meta import Actor
from services.leads.domain.criteria import checklist
from services.leads.domain.decide import Surroundings, automatic_move
from services.leads.domain.proposals import proposals
from services.leads.domain.rules import check
from tests.unit.given_pipeline import HEAD, SELLER, WORKSHOP, Story, refused_by

PAUSE = {"until": date(2026, 6, 1), "reason": "отпуск"}


def in_contact() -> Story:
    return Story(company="Ромашка").given("record", fields={"site": "romashka.example.org"})


def in_meeting() -> Story:
    story = in_contact().given("establish", fact="interested")
    return story.given("record", fields={"length": "2,4 м", "material": "дуб"}).given("move", to="meeting")


def in_closing() -> Story:
    return in_meeting().given("hold", kind="meeting", result="consent").given("move", to="closing")


def closed(**more: Any) -> Story:
    return in_contact().given("reject", status="closed", reason="price", **more)


# --- moves by itself -----------------------------------------------------------------------------------------------


def test_P3_lead_moves_on_by_itself_as_soon_as_the_data_is_there() -> None:
    story = Story(company="Ромашка")
    assert story.lead.stage == "found"
    story.given("record", fields={"site": "romashka.example.org"})
    assert story.lead.stage == "contact"
    moved = story.entered[-1]
    assert (moved.cause, moved.direction, moved.basis) == ("auto", "forward", "check")
    assert story.metas[-1].actor.kind == "system"


def test_P3_lead_moved_back_stays_until_something_new_is_recorded() -> None:
    story = in_contact().given("move", to="found")
    assert story.lead.stage == "found"
    story.given("assign", to="helen")
    assert story.lead.stage == "contact", "something happened to it, and everything is there"


def test_N12_corrected_automatic_move_is_not_made_again_at_once() -> None:
    story = in_contact().given("undo")
    assert story.lead.stage == "found"


# --- criteria ------------------------------------------------------------------------------------------------------


def test_S2_what_is_missing_is_listed_in_words_and_as_data_with_its_command() -> None:
    refusal = refused_by(
        in_contact().give("move", to="meeting"), "S2.exit_criteria", missing=("interested", "length", "material")
    )
    assert [(m.what, m.command) for m in refusal.missing] == [
        ("fact", "establish"),
        ("field", "record"),
        ("field", "record"),
    ]
    assert "Длина" in refusal.ru
    assert "Material" in refusal.en
    assert refusal.overridable


def test_S2_conditional_field_is_asked_for_only_where_its_condition_holds() -> None:
    story = in_contact().given("record", fields={"length": "2", "material": "oak", "delivery": "нет"})
    story.given("establish", fact="interested")
    assert check(story.lead, "meeting", WORKSHOP).allowed
    story.given("record", fields={"delivery": "да"})
    refused_by(story.give("move", to="meeting"), "S2.exit_criteria", missing=("address",))
    assert [lack.id for _, lack in checklist(story.lead, WORKSHOP) if lack] == ["address"]


def test_Q2_not_known_yet_is_an_answer_and_fills_no_mandatory_field() -> None:
    story = in_contact().given("record", fields={"budget": "пока неизвестно"})
    assert story.lead.card["budget"] == "unknown"
    money = WORKSHOP.model_copy(update={"stages": WORKSHOP.stages})
    assert check(story.lead, "meeting", money).refusal is not None


def test_S2_data_and_move_come_in_one_command_all_or_nothing() -> None:
    first = [
        {"type": "record", "fields": {"length": "2.4", "material": "stone"}},
        {"type": "establish", "fact": "interested"},
    ]
    story = in_contact()
    version = story.lead.version
    bad = [*first, {"type": "establish", "fact": "no_such_fact"}]
    refused_by(story.give("move", to="meeting", first=bad), "P3.known_fact")
    assert story.lead.version == version
    story.given("move", to="meeting", first=first)
    assert [type(event).__name__ for event in story.events[-3:]] == ["CardRecorded", "FactEstablished", "StageEntered"]


def test_P3_document_and_approval_and_fact_by_role_open_the_last_step() -> None:
    story = in_closing()
    refused_by(story.give("establish", fact="paid"), "P3.fact_by_role")
    refused_by(story.give("approve"), "K2.approval_by_head")
    story.given("send", document="brief")
    refused_by(
        story.give("move", by=HEAD, to="deal"), "S2.exit_criteria", missing=("document_sent", "approved", "paid")
    )
    story.given("send", document="contract").given("approve", by=HEAD).given("establish", by=HEAD, fact="paid")
    refused_by(story.give("move", to="deal"), "K2.may_move")
    story.given("move", by=HEAD, to="deal")
    assert story.lead.kind == "won"
    assert isinstance(story.events[-2], e.LeadConverted)


def test_S2_a_denied_approval_takes_back_the_granted_one() -> None:
    story = in_closing().given("approve", by=HEAD).given("approve", by=HEAD, decision="denied", comment="скидка велика")
    assert "approved" not in story.lead.facts


# --- moves that the pipeline states --------------------------------------------------------------------------------


def test_P3_a_recorded_result_decides_where_the_lead_goes() -> None:
    story = in_meeting().given("hold", kind="meeting", result="needs")
    refused_by(story.give("move", to="closing"), "P3.fact_decides")
    story.given("move", to="contact")
    assert story.entered[-1].direction == "back"


def test_P3_a_result_holds_for_its_own_stage_visit_only() -> None:
    story = (
        in_meeting()
        .given("hold", kind="meeting", result="needs")
        .given("move", to="contact")
        .given("move", to="meeting")
    )
    refused_by(story.give("move", to="closing"), "S2.exit_criteria", missing=("meeting_held",))


def test_P4_moves_that_are_stated_are_the_only_ones() -> None:
    refused_by(in_meeting().give("move", to="found"), "P4.stated_moves")
    refused_by(in_meeting().give("reject", status="spam"), "P4.stated_outcomes")
    refused_by(
        in_contact().give("move", to="closing"),
        "S1.one_step_forward",
        "S2.exit_criteria",
        missing=("interested", "length", "material"),
    )


def test_P4_interest_won_again_stands_in_for_the_criteria_skipped() -> None:
    story = in_contact().given("pause", **PAUSE)
    refused_by(story.give("move", to="meeting"), "S2.exit_criteria", missing=("won_again",))
    story.given("establish", fact="won_again")
    refused_by(story.give("move", to="closing"), "K2.may_move")
    story.given("move", to="meeting")
    assert (story.lead.stage, story.lead.is_open, story.entered[-1].cause) == ("meeting", True, "reopened")
    refused_by(
        in_contact().given("pause", **PAUSE).give("move", to="contact"), "S3.closed_stays_closed", "P4.stated_moves"
    )


@pytest.mark.parametrize(("months", "by", "reason", "rules"), [
    (13, SELLER, None, ()),
    (11, SELLER, None, ("P4.reopening_terms",)),
    (11, HEAD, None, ("P4.reopening_terms",)),
    (11, HEAD, "позвонили сами", ()),
    (13, HEAD, None, ()),
])  # fmt: skip
def test_P4_closed_is_reopened_after_a_year_or_by_the_head_with_a_reason(
    months: int, by: Actor, reason: str | None, rules: tuple[str, ...]
) -> None:
    story = closed().later(days=months * 30 + 5)
    answer = story.give("reopen", by=by, reason=reason)
    if rules:
        refused_by(answer, *rules, missing=("reason",) if by is HEAD else ())
    else:
        assert story.lead.stage == "contact"
        assert story.entered[-1].direction == "return"


def test_P4_where_sellers_may_not_only_a_head_brings_back() -> None:
    refused_by(in_contact().given("pause", **PAUSE).give("reopen"), "P4.reopening_terms")
    assert in_contact().given("pause", **PAUSE).given("reopen", by=HEAD).lead.is_open


def test_P4_system_brings_back_whenever_the_pause_ends() -> None:
    timer = Actor(id="timers", kind="system")
    assert in_contact().given("pause", **PAUSE).given("reopen", by=timer).lead.stage == "contact"


# --- outcomes ------------------------------------------------------------------------------------------------------


def test_C1_a_status_with_reasons_takes_one_of_them_and_says_what_remains() -> None:
    refusal = refused_by(in_contact().give("reject", status="closed"), "C1.reason_given", missing=("reason",))
    assert refusal.missing[0].values == ("price", "nobody")
    refused_by(in_contact().give("reject", status="closed", reason="none"), "C1.reason_given", missing=("reason",))
    refused_by(in_contact().give("move", to="closed"), "C1.reason_given", missing=("reason",))
    refused_by(in_contact().give("reject", status="spam", reason="price"), "C1.reason_given")
    outcomes = {
        ("closed", "price"): "refused",
        ("closed", "nobody"): "bad_data",
        ("spam", None): "bad_data",
    }
    for (status, reason), outcome in outcomes.items():
        story = in_contact().given("reject", status=status, reason=reason)
        rejected = story.events[-2]
        assert isinstance(rejected, e.LeadRejected)
        assert (rejected.outcome, rejected.from_stage, story.lead.outcome) == (outcome, "contact", outcome)


def test_C8_a_fact_proposes_a_move_and_a_person_decides() -> None:
    story = in_contact().given("establish", fact="interested")
    (offered,) = proposals(story.lead, WORKSHOP)
    assert (offered.stage, offered.fact, offered.check.allowed) == ("meeting", "interested", False)
    assert story.lead.stage == "contact"
    assert proposals(story.given("withdraw", fact="interested").lead, WORKSHOP) == []


# --- override ------------------------------------------------------------------------------------------------------


def test_N10_head_moves_a_lead_against_the_rules_with_a_reason_that_is_kept() -> None:
    story = in_contact()
    refused_by(
        story.give("move", to="closing", override="так надо"),
        "K2.override_by_head",
        "S1.one_step_forward",
        "S2.exit_criteria",
        missing=("interested", "length", "material"),
    )
    story.given("move", by=HEAD, to="closing", override="клиент директора")
    moved = story.entered[-1]
    assert (moved.basis, moved.overridden, moved.override_reason) == (
        "override",
        ("S1.one_step_forward", "S2.exit_criteria"),
        "клиент директора",
    )
    assert moved.direction == "skip"


def test_N10_an_override_that_goes_against_nothing_is_no_override() -> None:
    story = in_meeting().given("hold", kind="meeting", result="consent")
    story.given("move", by=HEAD, to="closing", override="на всякий случай")
    assert (story.entered[-1].basis, story.entered[-1].overridden) == ("check", ())


def test_K2_some_rules_no_head_overrides() -> None:
    refused_by(closed().give("move", by=HEAD, to="contact", override="надо"), "S3.closed_stays_closed")
    refused_by(in_contact().give("move", by=HEAD, to="contact", override="надо"), "S1.already_there")


# --- undo ----------------------------------------------------------------------------------------------------------


def test_N12_a_mistaken_move_is_undone_and_counts_for_nothing() -> None:
    story = in_meeting().given("hold", kind="meeting", result="consent").given("move", to="closing")
    visit = story.lead.visit
    story.given("undo", reason="не тот лид")
    back = story.entered[-1]
    assert (story.lead.stage, back.cause, back.undoes, back.basis) == ("meeting", "undone", visit, "correction")
    assert check(story.lead, "closing", WORKSHOP).allowed, "what held in that stage visit holds again"
    refused_by(story.give("undo"), "N12.something_to_undo")


def test_N12_a_mistaken_conversion_is_undone_by_a_head_and_the_lead_is_won_once_later() -> None:
    story = in_closing().given("move", by=HEAD, to="deal", override="аванс")
    refused_by(story.give("undo"), "N12.something_to_undo")
    story.given("undo", by=HEAD)
    assert (story.lead.kind, story.lead.stage) == ("open", "closing")
    story.given("move", by=HEAD, to="deal", override="оплачено")
    assert story.lead.kind == "won"


def test_N12_a_mistaken_rejection_is_undone_unless_the_person_has_another_open_lead() -> None:
    story = closed()
    other = Surroundings(("anna",), other_open_lead=story.lead.contact)
    refused_by(story.give("undo", around=other), "C3.one_open_lead")
    story.given("undo")
    assert (story.lead.stage, story.lead.outcome, story.lead.is_open) == ("contact", None, True)


def test_P4_undoing_is_no_way_round_the_terms_of_reopening() -> None:
    assert closed().later(days=1).given("undo").lead.is_open, "a mistake of yesterday"
    refused_by(closed().later(days=2).give("undo"), "N12.something_to_undo")
    assert closed().later(days=2).given("undo", by=HEAD).lead.is_open
    refused_by(in_contact().given("pause", **PAUSE).later(days=2).give("undo"), "N12.something_to_undo")
    back_dated = closed().later(days=2)
    assert isinstance(back_dated.give("undo", at=back_dated.now - timedelta(days=2)), Refusal)


def test_M3_an_adoption_begins_no_term_of_reopening_anew() -> None:
    story = closed().later(days=360)
    story.keep(
        (
            e.LeadAdopted(
                pipeline="workshop", number=2, from_pipeline="workshop", from_number=1, reason="published"
            ),
            e.StageEntered(
                stage="closed", kind="lost", visit=story.lead.visit + 1, from_stage="closed",
                cause="adopted", direction="across", basis="adoption",
            ),
        ),
        HEAD,
    )  # fmt: skip
    assert story.later(days=10).given("reopen").lead.stage == "contact", "a year after it was closed"


def test_N12_a_correction_brings_back_since_when_the_lead_stood_there() -> None:
    story = closed().later(days=400).given("reopen").given("undo")
    assert story.lead.stage == "closed"
    assert story.given("reopen").lead.stage == "contact", "its year is over"


def test_P4_a_lead_that_came_back_stays_though_a_call_was_planned_by_the_same_message() -> None:
    story = in_contact().given("move", to="found")
    planned = e.ActivityPlanned(activity=story.lead.contact, activity_kind="call", reason="missed_call")
    assert automatic_move(story.lead, (story.entered[-1], planned), WORKSHOP) == ()
    assert automatic_move(story.lead, (planned,), WORKSHOP) != ()


def test_N12_a_fact_recorded_by_mistake_is_withdrawn() -> None:
    story = in_contact()
    refused_by(story.give("withdraw", fact="interested"), "N12.fact_to_withdraw")
    story.given("establish", fact="interested").given("withdraw", fact="interested", comment="другой клиент")
    assert "interested" not in story.lead.facts


# --- facts ---------------------------------------------------------------------------------------------------------


def test_P3_facts_and_results_are_those_of_the_pipeline() -> None:
    refused_by(in_contact().give("establish", fact="seen"), "P3.known_fact")
    refused_by(in_contact().give("establish", fact="interested", value="very"), "P3.known_fact")
    refusal = refused_by(in_meeting().give("hold", kind="meeting"), "P3.known_fact", missing=("result",))
    assert refusal.missing[0].values == ("consent", "needs")
    refused_by(in_contact().give("hold", kind="call", result="good"), "P3.known_fact")


def test_P9_a_planned_meeting_that_was_held_is_done_by_it() -> None:
    story = in_meeting().given("plan", kind="meeting")
    (activity,) = story.lead.activities
    refused_by(story.give("hold", kind="call", activity=str(activity)), "P9.held_activity")
    story.given("hold", kind="meeting", result="consent", activity=str(activity), comment="договорились")
    assert story.lead.activities[activity].result == "договорились"
    refused_by(story.give("hold", kind="meeting", result="consent", activity=str(SELLER_ID)), "P9.held_activity")


SELLER_ID = "00000000-0000-0000-0000-000000000009"


def test_Q2_a_field_is_written_by_those_who_may() -> None:
    refused_by(in_contact().give("record", fields={"score": "5"}), "Q2.writable_field")
    assert in_contact().given("record", by=HEAD, fields={"score": "5"}).lead.card["score"] == "5"
