"""N9, N12, P8, U: forms made from what is missing, read back into commands; every event of a lead told in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from contracts import events as e
from contracts.commands import Establish, Hold, Move, Offer, Pause, Plan, RateCard, Record, Reject, Replan, Review
from contracts.pipeline import Pipeline
from contracts.recorded import Recorded
from services.leads.domain.rules import check, ways_closed
from services.leads.domain.state import FactHeld, LeadState, Position
from services.pipelines.language import read_pipeline
from services.web.form_reading import EVERY, body_of, card_of
from services.web.forms import FormMaker
from services.web.lead_view import targets_of, time_in_stages
from services.web.shapes import event_out
from services.web.shapes_card import asked_here, can_undo
from services.web.telling import Telling
from services.web.texts import TEXTS, Words
from services.web.texts_deadlines import DEADLINES
from services.web.texts_effects import EFFECTS_TEXTS
from services.web.texts_funnel import FUNNEL_TEXTS
from services.web.texts_head import HEAD
from services.web.texts_incidents import INCIDENTS
from services.web.texts_people import PEOPLE_TEXTS
from services.web.texts_robots import ROBOTS
from services.web.texts_unsubscribe import UNSUBSCRIBE_TEXTS
from services.web.texts_work import WORK
from tests.contract.golden_samples import SAMPLES, meta_of
from tests.integration.workshop_case import WORKSHOP as TEXT
from tests.unit.given_lead import CONTACT, LEAD, THEN

ZONE = ZoneInfo("Europe/Moscow")
WORKSHOP: Pipeline = read_pipeline(TEXT)
FRESH = LeadState(
    LEAD, 2, "workshop", 1, CONTACT, THEN, stage="measure", visit=2, root=2, name="Иван", phone="+79001234567"
)


def maker(role: str = "seller", state: LeadState = FRESH, language: str = "ru") -> FormMaker:
    return FormMaker(WORKSHOP, Words(language), role, state)


def missing(state: LeadState, to: str, role: str = "seller") -> list[Any]:
    refusal = check(state, to, WORKSHOP).refusal
    assert refusal is not None
    return maker(role, state).missing(refusal.missing)


def test_N9_missing_fields_stand_together_each_by_its_type() -> None:
    card, call = missing(FRESH, "agreement")
    assert [(given.name, given.kind, given.required) for given in card.inputs] == [
        ("f_length", "number", True),
        ("f_material", "choice", True),
        ("f_budget", "money", True),
    ]
    assert card.inputs[0].unit == "мм"
    assert card.inputs[0].unknown is None, "«пока неизвестно» fills nothing that is mandatory"
    assert card.inputs[2].currencies == ("RUB", "EUR")
    assert (call.command, dict(call.hidden), [given.name for given in call.inputs]) == (
        "hold",
        {"kind": "call"},
        ["done", "comment"],
    )


def test_N9_facts_ask_for_their_options_and_the_heads_word_is_the_heads() -> None:
    state = replace(FRESH, stage="agreement")
    forms = {form.command: form for form in missing(state, "deal")}
    assert [option.value for option in forms["hold"].inputs[0].options] == ["agreed", "open"]
    assert [option.value for option in forms["send"].inputs[1].options] == ["contract"]
    assert forms["attach"].inputs[0].required
    assert forms["approve"].closed
    assert not {form.command: form for form in missing(state, "deal", "head")}["approve"].closed


def test_Q2_card_offers_only_what_the_role_may_write_and_marks_what_is_asked_here() -> None:
    def names(role: str) -> set[str]:
        return {given.name for form in maker(role).card(*asked_here(FRESH, WORKSHOP)) for given in form.inputs}

    assert names("head") - names("seller") == {"f_margin"}
    marks = {given.name: given.mark for form in maker().card(*asked_here(FRESH, WORKSHOP)) for given in form.inputs}
    assert (marks["f_length"], marks["f_wanted"], marks["f_second_phone"]) == ("mandatory", "desirable", "")


def test_Q2_a_kept_value_that_its_type_cannot_show_is_not_lost_in_the_form() -> None:
    state = replace(FRESH, card={"wanted": "к весне", "budget": "около 100", "measuring": "может быть"})
    fields = {given.name: given for form in maker(state=state).card() for given in form.inputs}
    assert (fields["f_wanted"].kind, fields["f_wanted"].value) == ("text", "к весне")
    assert (fields["f_budget"].kind, fields["f_budget"].value) == ("text", "около 100")
    assert fields["f_measuring"].options[0].value == "может быть"


def test_C1_reject_says_what_remains_and_asks_before_deleting() -> None:
    form = maker().reject()
    assert form is not None
    assert [option.value for option in form.inputs[0].options] == ["poor/not_ours", "poor/later", "poor/wrong"]
    assert form.inputs[0].options[1].label == "Интересен позже · человек остаётся в базе: интересен в будущем"
    assert form.inputs[-1].name == "sure"
    paused = maker().pause()
    assert paused is not None
    assert [given.name for given in paused.inputs] == ["until", "status", "reason"]


def test_N9_a_move_carries_what_was_filled_in_and_nothing_else() -> None:
    given = {
        "to": "agreement",
        "first-0-type": "record",
        "first-0-f_length": "2400",
        "first-0-f_material": "",
        "first-0-f_budget": "120 000",
        "first-0-f_budget.currency": "EUR",
        "first-1-type": "hold",
        "first-1-kind": "call",
        "first-1-done": "1",
        "first-1-comment": " ",
        "first-2-type": "establish",
        "first-2-fact": "interest",
        "first-2-value": "",
        "first-3-type": "offer",
        "first-3-volume": "2",
        "first-3-amount": "1 000,5",
        "first-3-amount.currency": "rub",
        "first-3-delivery_days": "3",
    }
    body = body_of("move", Move, given, ZONE)
    assert isinstance(body, Move)
    record, hold, offer = body.first
    assert record == Record(fields={"length": "2400", "budget": "120 000 EUR"})
    assert hold == Hold(kind="call")
    assert isinstance(offer, Offer)
    assert (str(offer.price.amount), offer.price.currency) == ("1000.5", "RUB")
    with pytest.raises(ValidationError):
        body_of("move", Move, {"to": "x", "first-0-type": "nonsense", "first-0-done": "1"}, ZONE)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"f_a": "5", "f_a.unknown": "was:5"}, {"a": "unknown"}),
        ({"f_a": "", "f_a.unknown": "was:"}, {"a": "unknown"}),
        ({"f_a": "7", "f_a.unknown": "was:"}, {"a": "7"}),
        ({"f_a": "7", "f_a.unknown": "was:5"}, {"a": "7"}),
        ({"f_a": ""}, {"a": ""}),
        ({"f_b": "", "f_b.currency": "EUR"}, {"b": ""}),
        ({"f_b": "10", "f_b.currency": "EUR"}, {"b": "10 EUR"}),
        ({"f_b": "10 $", "f_b.currency": "EUR"}, {"b": "10 $"}),
    ],
)
def test_Q2_not_known_yet_and_currency_stand_beside_their_value(given: dict[str, str], read: dict[str, str]) -> None:
    assert card_of(given) == read


def test_C1_status_and_reason_are_one_choice() -> None:
    assert body_of("reject", Reject, {"status": "poor/later", "sure": "1"}, ZONE) == Reject(
        status="poor", reason="later"
    )
    paused = body_of("pause", Pause, {"status": "waiting/holiday", "until": "2099-01-01", "reason": "x"}, ZONE)
    assert paused == Pause(status="waiting", reason_id="holiday", until=date(2099, 1, 1), reason="x")
    assert body_of("establish", Establish, {"fact": "interest/hot"}, ZONE) == Establish(fact="interest", value="hot")


def test_N9_board_knows_the_ways_that_are_closed_to_every_lead() -> None:
    assert ways_closed(WORKSHOP, "fresh", "agreement") == ("S1.one_step_forward",)
    assert ways_closed(WORKSHOP, "fresh", "measure") == ()
    assert ways_closed(WORKSHOP, "fresh", "poor") == ()
    assert ways_closed(WORKSHOP, "gone", "poor") == ()


def test_N12_undo_is_offered_to_whom_the_rule_lets() -> None:
    assert not can_undo(FRESH, WORKSHOP, "seller", THEN)
    moved = replace(FRESH, before=Position("fresh", "open", 1, None, None, None, None, None))
    assert can_undo(moved, WORKSHOP, "seller", THEN)
    assert not can_undo(moved, WORKSHOP, "auditor", THEN)
    won = replace(moved, stage="deal", kind="won")
    assert [can_undo(won, WORKSHOP, role, THEN) for role in ("seller", "head")] == [False, True]


def test_K2_a_stage_that_only_a_head_leaves_is_closed_to_a_seller_and_says_so() -> None:
    heads = read_pipeline(TEXT.replace("kind: open\n    mandatory", "kind: open\n    by: [head]\n    mandatory"))
    full = replace(FRESH, card={"length": "1", "material": "oak", "budget": "1.00 RUB"})
    full = replace(full, facts={"call_held": FactHeld(None, 2, THEN)})
    target = next(t for t in targets_of(full, heads, "seller") if t.stage.id == "agreement")
    assert (target.check.allowed, target.onward) == (True, False)
    assert target.closed is not None
    assert target.closed.ru == "Из стадии «Замер» лид переводит руководитель."
    assert next(t for t in targets_of(full, heads, "head") if t.stage.id == "agreement").onward
    assert next(t for t in targets_of(full, WORKSHOP, "seller") if t.stage.id == "agreement").onward


def test_N11_time_in_stages_adds_visits_up_and_leaves_undone_mistakes_out() -> None:
    def at(hours: int, **entered: Any) -> Recorded:
        event = e.StageEntered(**{"kind": "open", "cause": "moved", "direction": "forward", **entered})
        return Recorded(meta_of(event).model_copy(update={"happened_at": THEN + timedelta(hours=hours)}), event)

    history = [
        at(0, stage="fresh", visit=1, cause="captured", direction="in"),
        at(1, stage="measure", visit=2),
        at(3, stage="agreement", visit=3),
        at(4, stage="measure", visit=4, cause="undone", direction="back", basis="correction", undoes=3),
    ]
    spent = time_in_stages(history, THEN + timedelta(hours=9))
    assert spent == {"fresh": 3600.0, "measure": 7 * 3600.0}


OF_LEADS = [sample for sample in SAMPLES if isinstance(sample, e.lead.LeadEvent)]


@pytest.mark.parametrize("event", OF_LEADS, ids=lambda event: str(event.TOPIC))
def test_U_every_event_of_a_lead_is_told_in_both_languages(event: e.Event) -> None:
    told = {}
    for language in ("ru", "en"):
        telling = Telling(Words(language), ZONE)
        told[language] = telling.tell(event_out(Recorded(meta_of(event), event)), WORKSHOP).sentence
        assert event.TOPIC not in told[language], "a sentence, not its type"
        assert "{" not in told[language]
    assert told["ru"] != told["en"]


@pytest.mark.parametrize(
    ("more", "ru"),
    [
        ({"cause": "moved", "basis": "override"}, "Вопреки правилам, решением руководителя: «Новая заявка» → «Замер»"),
        ({"cause": "auto"}, "Всё нужное есть, лид перешёл сам: «Новая заявка» → «Замер»"),
        ({"cause": "undone", "basis": "correction"}, "Переход отменён как ошибка: «Новая заявка» → «Замер»"),
        ({"cause": "moved"}, "Стадия «Новая заявка» → «Замер»"),
    ],
)
def test_N10_history_says_why_a_lead_moved(more: dict[str, Any], ru: str) -> None:
    event = e.StageEntered(
        stage="measure", kind="open", visit=2, from_stage="fresh", from_visit=1, direction="forward", **more
    )
    assert Telling(Words("ru"), ZONE).tell(event_out(Recorded(meta_of(event), event)), WORKSHOP).sentence == ru


def test_U_every_text_stands_in_both_languages_with_the_same_places() -> None:
    for key, (ru, en) in TEXTS.items():
        places = [sorted(part.split("}")[0] for part in text.split("{")[1:]) for text in (ru, en)]
        assert places[0] == places[1], key
        assert ru, key
        assert en, key


def test_U_no_text_stands_in_two_tables() -> None:
    tables = (DEADLINES, EFFECTS_TEXTS, FUNNEL_TEXTS, HEAD, INCIDENTS, PEOPLE_TEXTS, ROBOTS, UNSUBSCRIBE_TEXTS, WORK)
    seen = Counter(key for table in tables for key in table)
    assert [key for key, times in seen.items() if times > 1] == []
    assert all(TEXTS[key] == table[key] for table in tables for key in table), "and none is hidden by another"


def test_M3_an_adoption_is_told_by_its_sentence_alone() -> None:
    event = e.LeadAdopted(pipeline="workshop", number=2, from_pipeline="workshop", from_number=1, reason="published")
    told = Telling(Words("ru"), ZONE).tell(event_out(Recorded(meta_of(event), event)), WORKSHOP)
    assert "2" in told.sentence
    assert told.details == []


def test_S4_a_plan_may_have_a_reminder_and_come_again() -> None:
    given = {"kind": "call", "due_at": "2099-03-02T10:00", "remind_at": "2099-03-02T09:30", "every": "week"}
    plan = body_of("plan", Plan, given, ZONE)
    assert isinstance(plan, Plan)
    assert plan.due_at == datetime(2099, 3, 2, 10, 0, tzinfo=ZONE)
    assert plan.remind_at == datetime(2099, 3, 2, 9, 30, tzinfo=ZONE)
    assert plan.every == e.Every(days=7)
    assert body_of("plan", Plan, {"kind": "task", "every": "", "remind_at": ""}, ZONE) == Plan(kind="task")
    with pytest.raises(ValidationError):
        body_of("plan", Plan, {"kind": "call", "every": "often", "due_at": "2099-03-02T10:00"}, ZONE)


@pytest.mark.parametrize("every", EVERY)
def test_S4_every_repetition_offered_has_words_and_is_a_period(every: str) -> None:
    plan = body_of("plan", Plan, {"kind": "call", "due_at": "2099-03-02T10:00", "every": every}, ZONE)
    assert isinstance(plan, Plan)
    assert plan.every is not None
    assert f"every.{every}" in TEXTS


def test_S4_an_activity_is_moved_on_the_teams_wall() -> None:
    moved = body_of("replan", Replan, {"activity": str(LEAD), "due_at": "2099-03-02T10:00", "reason": ""}, ZONE)
    assert moved == Replan(activity=LEAD, due_at=datetime(2099, 3, 2, 10, 0, tzinfo=ZONE))


def test_Q5_a_return_to_work_needs_a_reason_and_Q11_a_rating_is_from_1_to_5() -> None:
    with pytest.raises(ValidationError):
        body_of("review", Review, {"decision": "return", "reason": " "}, ZONE)
    assert body_of("review", Review, {"decision": "confirm"}, ZONE) == Review(decision="confirm")
    rated = body_of("rate_card", RateCard, {"ease": "4", "time": "3", "comfort": "5"}, ZONE)
    assert rated == RateCard(ease=4, time=3, comfort=5)
    with pytest.raises(ValidationError):
        body_of("rate_card", RateCard, {"ease": "6", "time": "3", "comfort": "5"}, ZONE)
