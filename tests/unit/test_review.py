"""Q5: a lead that was made poor waits for the head, who confirms it or returns it to work; Q11: answers declined. Given, when,
then."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import commands as c
from contracts import events as e
from contracts.commands import Missing, Refusal
from contracts.meta import Actor
from contracts.pipeline import DECLINED, UNKNOWN, FieldCriterion
from services.leads.domain.card import read_value
from services.leads.domain.criteria import unmet, values_of
from services.leads.domain.decide import Surroundings, decide
from services.leads.domain.reviews import judging
from services.leads.domain.reviews.standing import Review
from services.leads.domain.state import with_
from services.pipelines.card_values import plain_value
from services.pipelines.conditions import holds
from services.pipelines.language import PipelineError, read_pipeline
from services.pipelines.linting.constant import constant
from services.pipelines.templates.values import shown
from services.web.form_reading import card_of
from services.web.inputs import demanded, field_input
from services.web.texts import Words
from tests.unit.given_lead import HEAD, ROBOT, SELLER
from tests.unit.given_pipeline import LEAD, refused_by
from tests.unit.given_robots import Robots

TEXT = """
pipeline: school
titles: {ru: "Школа", en: "School"}
conversion_point: deal
fields:
  - {id: budget, titles: {ru: "Бюджет", en: "Budget"}, type: money, declined: true, unknown: true}
  - {id: wishes, titles: {ru: "Пожелания", en: "Wishes"}, declined: true}
  - {id: size, titles: {ru: "Размер", en: "Size"}, type: number, declined: true}
  - {id: plain, titles: {ru: "Прочее", en: "Other"}}
  - id: material
    titles: {ru: "Материал", en: "Material"}
    type: choice
    declined: true
    options: [{id: stone, titles: {ru: "Камень", en: "Stone"}}]
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    robots:
      - id: silent
        titles: {ru: "Молчит", en: "Silent"}
        start: {delay: {days: 30}}
        do: {reject: poor, reason: silent}
  - {id: work, titles: {ru: "Работа", en: "Work"}, kind: open}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - id: poor
    titles: {ru: "Некачественный", en: "Poor"}
    kind: lost
    review: true
    reasons:
      - {id: silent, titles: {ru: "не отвечает", en: "silent"}}
      - {id: nobody, titles: {ru: "нет такого", en: "nobody there"}, outcome: bad_data}
    triggers:
      - {id: left, titles: {ru: "Ушёл", en: "Left"}, on: visit, reason: silent}
  - {id: dear, titles: {ru: "Дорого", en: "Too dear"}, kind: lost}
  - {id: again, titles: {ru: "Некачественный, к началу", en: "Poor, to the start"}, kind: lost, review: true, reopen: {to: new}}
"""
SCHOOL = read_pipeline(TEXT, "school.yaml")


def poor(lead: Robots | None = None, **more: Any) -> Robots:
    """A lead that a seller made poor."""
    return (
        (lead or Robots(SCHOOL))
        .given("move", to="work")
        .given("reject", **{"status": "poor", "reason": "silent", **more})
    )


def waits(lead: Robots) -> Review | None:
    """The review that waits."""
    return judging.waiting(lead.lead)


# --- opened ------------------------------------------------------------------------------------------------------------------


def test_Q5_a_poor_lead_waits_for_the_head_with_whose_work_it_is() -> None:
    lead = poor()
    (opened,) = lead.of(e.ReviewOpened)
    assert (opened.visit, opened.status, opened.reason) == (lead.lead.root, "poor", "silent")
    assert (opened.automatic, opened.responsible) == (False, "anna")
    assert waits(lead) == Review("poor", False, "anna", "silent")


def test_Q5_a_lead_that_a_robot_made_poor_is_marked_automatic() -> None:
    lead = Robots(SCHOOL).until(days=30)
    assert lead.lead.stage == "poor"
    assert [opened.automatic for opened in lead.of(e.ReviewOpened)] == [True]


def test_Q5_a_lead_that_a_trigger_made_poor_is_marked_automatic() -> None:
    lead = Robots(SCHOOL).arrives(e.VisitRecorded(inbound_id=UUID(int=5), received_at=Robots(SCHOOL).now))
    assert lead.lead.stage == "poor"
    assert [opened.automatic for opened in lead.of(e.ReviewOpened)] == [True]


def test_Q5_a_status_that_asks_for_no_review_gets_none() -> None:
    lead = Robots(SCHOOL).given("reject", status="dear")
    assert lead.of(e.ReviewOpened) == []
    refused_by(lead.give("review", by=HEAD, decision="confirm"), "Q5.something_to_review")


def test_C1_C9_nothing_is_judged_of_a_lead_that_is_deleted_at_once() -> None:
    assert poor(reason="nobody").of(e.ReviewOpened) == []


# --- judged ------------------------------------------------------------------------------------------------------------------


def test_Q5_the_head_confirms_and_nothing_moves() -> None:
    lead = poor().given("review", by=HEAD, decision="confirm", reason="нецелевой")
    (confirmed,) = lead.of(e.ReviewConfirmed)
    assert (confirmed.responsible, confirmed.automatic, confirmed.comment) == ("anna", False, "нецелевой")
    assert (lead.lead.stage, waits(lead)) == ("poor", None)
    refusal = refused_by(lead.give("review", by=HEAD, decision="confirm"), "Q5.something_to_review")
    assert "возобновить" in refusal.ru


def test_Q5_the_head_returns_it_to_the_stage_it_left_with_the_reason_as_a_task() -> None:
    lead = poor().given("review", by=HEAD, decision="return", reason="позвоните ещё раз")
    (returned,), (task,) = lead.of(e.ReviewReturned), lead.of(e.ActivityPlanned)
    assert (returned.reason, returned.responsible, returned.automatic) == ("позвоните ещё раз", "anna", False)
    assert (task.reason, task.text, task.assignee) == ("returned", "Вернул руководитель: позвоните ещё раз", None)
    entered = lead.of(e.StageEntered)[-1]
    assert (entered.stage, entered.cause, entered.direction) == ("work", "reopened", "return")
    assert (lead.lead.is_open, waits(lead)) == (True, None)
    assert lead.of(e.ReviewDropped) == [], "it was judged, not dropped"


def test_Q5_P4_it_comes_back_where_the_status_says() -> None:
    lead = Robots(SCHOOL).given("move", to="work").given("reject", status="again")
    lead.given("review", by=HEAD, decision="return", reason="заново")
    assert lead.lead.stage == "new"


def test_Q5_returned_and_made_poor_again_it_waits_again() -> None:
    lead = poor().given("review", by=HEAD, decision="return", reason="ещё раз")
    lead.given("reject", status="poor", reason="silent")
    assert len(lead.of(e.ReviewOpened)) == 2
    assert waits(lead) is not None


@pytest.mark.parametrize("by", [SELLER, ROBOT, Actor(id="system", kind="system")])
def test_Q5_nobody_but_a_head_judges(by: Actor) -> None:
    lead = poor()
    refused_by(lead.give("review", by=by, decision="confirm"), "Q5.review_by_head")
    refused_by(lead.give("review", by=by, decision="return", reason="мой"), "Q5.review_by_head")
    assert waits(lead) is not None


def test_Q5_a_return_without_a_reason_is_no_command() -> None:
    with pytest.raises(ValueError, match="reason"):
        c.Review(decision="return")


def test_C3_a_lead_is_not_returned_beside_another_open_one_of_the_person() -> None:
    lead, other = poor(), Surroundings(other_open_lead=UUID(int=44))

    def given(**body: Any) -> Any:
        command = c.Command(id=uuid4(), lead=LEAD, actor=HEAD, body=c.Review(**body))
        return decide(lead.lead, command, SCHOOL, lead.now, other)

    refused_by(given(decision="return", reason="ещё раз"), "C3.one_open_lead")
    assert not isinstance(given(decision="confirm"), Refusal)


def test_Q5_the_task_is_in_the_language_of_the_company() -> None:
    command = c.Command(id=uuid4(), lead=LEAD, actor=HEAD, body=c.Review(decision="return", reason="call again"))
    decided = decide(poor().lead, command, SCHOOL, poor().now, Surroundings(language="en"))
    assert not isinstance(decided, Refusal)
    assert [event.text for event in decided if isinstance(event, e.ActivityPlanned)] == [
        "The head returned it: call again"
    ]


# --- dropped, and again --------------------------------------------------------------------------------------------------------


def test_Q5_reopened_another_way_nothing_is_judged_any_more() -> None:
    lead = poor().given("reopen", reason="перезвонил сам")
    assert [dropped.by for dropped in lead.of(e.ReviewDropped)] == ["reopened"]
    refused_by(lead.give("review", by=HEAD, decision="confirm"), "Q5.something_to_review")


def test_N12_a_rejection_that_was_a_mistake_is_judged_no_more() -> None:
    lead = poor().given("undo")
    assert [dropped.by for dropped in lead.of(e.ReviewDropped)] == ["undone"]
    assert lead.lead.stage == "work"


def test_N12_a_reopening_that_was_a_mistake_lets_the_review_wait_again() -> None:
    lead = Robots(SCHOOL).until(days=30).given("reopen").given("undo")
    assert [opened.automatic for opened in lead.of(e.ReviewOpened)] == [True, True]
    assert waits(lead) is not None


def test_Q5_a_head_alone_takes_a_return_back_and_the_review_waits_again() -> None:
    lead = poor().given("review", by=HEAD, decision="return", reason="ещё раз")
    refused_by(lead.give("undo"), "Q5.return_stands")
    lead.given("undo", by=HEAD)
    assert (lead.lead.stage, waits(lead)) == ("poor", Review("poor", False, "anna", "silent"))
    assert [a.is_open for a in lead.lead.activities.values()] == [False], "no task stays on a closed lead (N6)"


def test_N12_what_was_confirmed_stays_confirmed() -> None:
    lead = poor().given("review", by=HEAD, decision="confirm").given("reopen").given("undo")
    assert (lead.lead.stage, waits(lead)) == ("poor", None)


def test_N16_a_merged_lead_is_judged_no_more_and_again_once_it_stands_by_itself() -> None:
    lead = poor()
    lead.arrives(e.LeadMerged(into=UUID(int=8), into_contact=UUID(int=9)))
    assert [dropped.by for dropped in lead.of(e.ReviewDropped)] == ["merged"]
    entered = e.StageEntered(
        stage="poor", kind="lost", visit=lead.lead.visit + 1, cause="unmerged", direction="out", basis="correction"
    )
    lead.arrives(e.LeadUnmerged(into=UUID(int=8)), entered)
    assert waits(lead) is not None


def test_M3_an_adoption_keeps_the_review_where_the_version_still_asks_for_it() -> None:
    lead, without = poor(), read_pipeline(TEXT.replace("    review: true\n", ""), "school.yaml")
    adopted = e.LeadAdopted(pipeline="school", number=2, from_pipeline="school", from_number=1, reason="published")
    entered = e.StageEntered(
        stage="poor", kind="lost", visit=lead.lead.visit + 1, cause="adopted", direction="across", basis="adoption"
    )
    lead.arrives(adopted, entered)
    assert waits(lead) is not None
    lead.pipeline = without
    lead.arrives(adopted, entered.model_copy(update={"visit": lead.lead.visit + 1}))
    assert [dropped.by for dropped in lead.of(e.ReviewDropped)] == ["moved"]


def test_M7_whoever_was_erased_is_not_judged() -> None:
    lead = poor()
    assert judging.erased(lead.lead) == (e.ReviewDropped(visit=lead.lead.root, by="erased"),)
    assert judging.waiting(with_(lead.lead, erased=True)) is None


# --- Q11: answers declined -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["declined", "Клиент отказался ответить", "the client declined to answer"])
@pytest.mark.parametrize("name", ["budget", "wishes", "size", "material"])
def test_Q11_that_the_client_declined_to_answer_is_a_value_of_its_own(name: str, text: str) -> None:
    assert read_value(SCHOOL.fields_by_id[name], text, "RU") == DECLINED


def test_Q11_a_field_that_does_not_allow_it_takes_the_words_as_they_are() -> None:
    assert read_value(SCHOOL.fields_by_id["plain"], "declined", "RU") == "declined"
    assert shown(SCHOOL.fields_by_id["plain"], "declined", "ru") == "declined"


@pytest.mark.parametrize("name", ["budget", "wishes", "size"])
def test_Q11_a_declined_answer_fills_a_mandatory_field_and_an_unknown_one_does_not(name: str) -> None:
    lead = Robots(SCHOOL)
    assert unmet(FieldCriterion(field=name), lead.lead, SCHOOL) is not None
    lead.given("record", fields={name: "отказался ответить"})
    assert lead.lead.card == {name: DECLINED}
    assert unmet(FieldCriterion(field=name), lead.lead, SCHOOL) is None
    lead.given("record", fields={"budget": "пока неизвестно"})
    assert unmet(FieldCriterion(field="budget"), lead.lead, SCHOOL) is not None


def test_Q11_conditions_do_not_take_it_for_a_value() -> None:
    lead = Robots(SCHOOL).given("record", fields={"size": DECLINED, "budget": DECLINED})
    values = values_of(lead.lead, SCHOOL)
    assert [holds(text, values) for text in ("card.size > 1.0", "card.size <= 1.0", "card.budget.amount > 1.0")] == [
        False
    ] * 3
    assert holds("card.size == 'declined'", values)
    assert plain_value(SCHOOL.fields_by_id["size"], "2") == 2.0


def test_Q11_letters_say_nothing_of_it() -> None:
    assert shown(SCHOOL.fields_by_id["budget"], DECLINED, "ru") is None
    assert shown(SCHOOL.fields_by_id["material"], DECLINED, "en") is None


def test_Q11_forms_offer_it_where_the_field_allows_it() -> None:
    words, fields = Words("ru"), SCHOOL.fields_by_id
    budget = field_input(fields["budget"], DECLINED, words)
    assert (budget.kind, budget.value, budget.declined, budget.unknown) == ("money", "", True, False)
    assert field_input(fields["plain"], "", words).declined is None
    material = field_input(fields["material"], DECLINED, words)
    assert (material.value, material.options[-1].label) == (DECLINED, "клиент отказался ответить")
    assert material.declined is None


def test_Q11_what_a_move_lacks_can_be_declined_and_the_input_then_stays_empty() -> None:
    lack = Missing(what="field", id="budget", ru="Бюджет", en="Budget")
    asked = demanded(field_input(SCHOOL.fields_by_id["budget"], UNKNOWN, Words("ru")), lack)
    assert (asked.declined, asked.unknown, asked.required) == (False, None, False)
    assert demanded(field_input(SCHOOL.fields_by_id["plain"], "", Words("ru")), lack).required


@pytest.mark.parametrize("answer", ["declined", "stone", "oak"])
def test_Q11_the_linter_takes_a_declined_answer_for_one_of_a_choice(answer: str) -> None:
    never = constant(f"card.material == '{answer}'", SCHOOL)
    assert never is (False if answer == "oak" else None)


@pytest.mark.parametrize(
    ("form", "kept"),
    [
        ({"f_budget": "", "f_budget.declined": "was:"}, DECLINED),
        ({"f_budget": "", "f_budget.declined": "was:", "f_budget.unknown": "was:"}, DECLINED),
        ({"f_budget": "", "f_budget.unknown": "was:"}, UNKNOWN),
        ({"f_budget": "90", "f_budget.declined": "was:"}, "90"),
        ({"f_budget": "", "f_budget.currency": "RUB"}, ""),
    ],
)
def test_Q11_a_form_says_it_by_a_box(form: dict[str, str], kept: str) -> None:
    assert card_of(form) == {"budget": kept}


def test_Q11_no_option_is_called_so_where_it_is_an_answer() -> None:
    text = TEXT.replace("{id: stone, titles", "{id: declined, titles")
    with pytest.raises(PipelineError, match="declined"):
        read_pipeline(text, "school.yaml")
