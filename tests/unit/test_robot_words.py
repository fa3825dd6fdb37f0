"""U, N4: robots, triggers and conditions of a pipeline in words; the events of a lead's robots told by their titles."""

from __future__ import annotations

from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import events as e
from contracts.pipeline import Period, Pipeline
from contracts.recorded import Recorded
from services.pipelines.condition_words import condition_words
from services.pipelines.language import read_pipeline
from services.pipelines.robot_words import period_words, robot_titles, robot_words, trigger_words
from services.web.shapes import event_out
from services.web.telling import Telling, Told
from services.web.texts import Words
from tests.contract.golden_samples import meta_of
from tests.unit.given_robots import pipeline_of


def bundled() -> list[Pipeline]:
    """The pipelines that come with the system."""
    files = resources.files("contracts").joinpath("pipelines").iterdir()
    return [read_pipeline(file.read_text("utf-8"), file.name) for file in files if file.name.endswith(".yaml")]


SCHOOL: Pipeline = pipeline_of(
    """
  - id: new
    titles: {ru: "Новая", en: "New"}
    kind: open
    exit: [{fact: agreed}]
    robots:
      - {id: thanks, titles: {ru: "Спасибо", en: "Thanks"}, do: {email: thanks}}
      - id: ring
        titles: {ru: "Перезвонить", en: "Call back"}
        do: {plan: call, text: {ru: "Перезвонить", en: "Call back"}, due: {hours: 1, working: true}}
        start: {after: thanks, delay: {days: 2, working: true}, in_hours: true}
        when: card.budget > 100 && !has(card.lesson) && facts.agreed == true && lead.name != "a && b"
        on_leave: keep
        once: person
      - id: remind
        titles: {ru: "Напомнить", en: "Remind"}
        do: {sms: place, language: en}
        start: {date: lesson, time: hour, before: {hours: 3}}
        retime: false
  - id: work
    titles: {ru: "В работе", en: "Work"}
    kind: open
    triggers:
      - {id: reply, titles: {ru: "Ответил", en: "Replied"}, on: letter, from_stages: [new], when: card.budget >= 5}
      - {id: any, titles: {ru: "Зашёл", en: "Came by"}, on: visit}
""",
    """
templates:
  - id: thanks
    titles: {ru: "Благодарность", en: "Thank you"}
    kind: email
    ru: {subject: "С", text: "Т"}
    en: {subject: "S", text: "T"}
  - {id: place, titles: {ru: "Место", en: "Place"}, kind: sms, ru: {text: "Т"}, en: {text: "T"}}
""",
)
ROBOTS = {robot.id: robot_words(robot, SCHOOL) for robot in SCHOOL.by_id["new"].robots}


def test_U_a_robot_says_when_on_which_condition_and_what() -> None:
    thanks, ring, remind = ROBOTS["thanks"], ROBOTS["ring"], ROBOTS["remind"]
    assert (thanks.start.ru, thanks.action.en, thanks.when) == (
        "сразу при входе в стадию",
        "send the letter “Thank you”",
        None,
    )
    assert ring.start.ru == "через 2 рабочих дня после робота «Спасибо», в рабочие часы"
    assert ring.start.en == "2 working days after the robot “Thanks”, in working hours"
    assert ring.action.ru == "запланировать звонок: Перезвонить; срок — 1 рабочий час"
    assert [more.en for more in ring.more] == ["runs even when the stage was left", "once for each client"]
    assert remind.start.en == "3 hours before the date “Lesson” at the time “Hour”"
    assert remind.start.ru == "за 3 часа до даты «Занятие», время «Час»"
    assert remind.action.ru == "отправить SMS «Место» по-английски"
    assert [more.ru for more in remind.more] == ["срок не меняется вместе с датой"]


def test_U_a_condition_calls_fields_and_facts_by_their_titles_and_leaves_texts_alone() -> None:
    when = ROBOTS["ring"].when
    assert when is not None
    assert when.ru == '«Бюджет» > 100 и «Занятие» не заполнено и «согласен» и имя ≠ "a && b"'
    assert when.en == '“Budget” > 100 and “Lesson” is not filled in and “agreed” and name ≠ "a && b"'
    assert (
        condition_words("has(card.budget) || has(facts.agreed)", SCHOOL).ru
        == "«Бюджет» заполнено или «согласен» отмечено"
    )
    assert condition_words("lead.phone != '' && card.budget == '' && !has(lead.email)", SCHOOL).ru == (
        "телефон есть и «Бюджет» не заполнено и e-mail нет"
    )
    assert condition_words("card.nowhere != 'x' && !has(facts.agreed)", SCHOOL).en == (
        "card.nowhere ≠ 'x' and “agreed” is not recorded"
    )
    assert condition_words("card['budget'] == 1 || !(card.nowhere in ['x'])", SCHOOL).ru == (
        "«Бюджет» = 1 или не (card.nowhere in ['x'])"
    )


def test_U_a_trigger_says_what_it_answers_and_out_of_which_stages() -> None:
    reply, came = (trigger_words(trigger, SCHOOL) for trigger in SCHOOL.by_id["work"].triggers)
    assert (reply.on.ru, reply.out_of.ru) == ("Пришло письмо клиента", "из стадий «Новая»")
    assert reply.when is not None
    assert reply.when.en == "“Budget” ≥ 5"
    assert came.out_of.en == "out of any open stage before this one"


@given(
    st.fixed_dictionaries({"months": st.integers(0, 120), "days": st.integers(0, 999), "hours": st.integers(0, 99)}),
    st.booleans(),
)
def test_U_a_period_says_all_of_its_parts(parts: dict[str, int], working: bool) -> None:
    if not any(parts.values()) or (working and parts["months"]):
        return
    said = period_words(Period(**parts, working=working))
    for text in (said.ru, said.en):
        counts = [parts[unit] for unit in ("months", "days", "hours") if parts[unit]]
        assert [int(word) for word in text.split() if word.isdigit()] == counts
        assert working is ("рабоч" in text or "working" in text)


def test_U_one_word_for_one_and_another_for_many() -> None:
    days = {n: period_words(Period(days=n)).ru for n in (1, 2, 5, 11, 21, 104, 112)}
    assert days == {
        1: "1 день", 2: "2 дня", 5: "5 дней", 11: "11 дней", 21: "21 день", 104: "104 дня", 112: "112 дней",
    }  # fmt: skip


def tell(event: e.Event, language: str = "ru") -> Told:
    return Telling(Words(language), ZoneInfo("Europe/Moscow")).tell(event_out(Recorded(meta_of(event), event)), SCHOOL)


OF: dict[str, Any] = {"robot": "ring", "timer": "018f3d2a-6666-7666-8666-00000000d00e", "visit": 1}


def test_N4_a_skip_is_told_by_the_robots_title_with_the_clause_and_what_was_seen() -> None:
    skipped = e.RobotSkipped(**OF, reason="condition", clause="card.budget > 100", values={"card.budget": "90"})
    told = tell(skipped)
    assert told.sentence == "Робот «Перезвонить» не сработал: условие не выполнено"
    assert told.details == [("Условие", "«Бюджет» > 100"), ("Что было на карточке", "«Бюджет»: 90")]
    assert tell(skipped, "en").sentence == "The robot “Call back” did not run: its condition did not hold"
    after = tell(e.RobotSkipped(**OF, reason="predecessor", predecessor="thanks"))
    assert after.sentence == "Робот «Перезвонить» не сработал: не сработал робот «Спасибо»"
    refused = tell(e.RobotSkipped(**OF, reason="contact_refused", channel="sms"), "en")
    assert refused.sentence.endswith("the client asked not to be contacted in this way: SMS")


def test_R6_an_armed_robot_is_told_with_its_instant_in_the_teams_zone() -> None:
    armed = e.RobotArmed(
        **OF, due_at="2026-03-02T10:05:00+00:00", because="after_robot", after="thanks", calendar="sales@3"
    )
    told = tell(armed)
    assert told.sentence == "Робот «Перезвонить» сработает 02.03.2026 13:05"
    assert told.details == [("Почему тогда", "сработал робот «Спасибо»"), ("По календарю", "sales@3")]


@pytest.mark.parametrize("reason", ["condition", "rules", "other_trigger", "loop"])
def test_M5_a_trigger_that_moved_nobody_says_why(reason: Any) -> None:
    refused = e.TriggerRefused(
        trigger="reply", to_stage="work", because="x-1", reason=reason, rules=("S2.exit_criteria",), other="any"
    )
    said = tell(refused).sentence
    assert said.startswith("Триггер «Ответил» не перевёл в «В работе»: ")
    assert ("«Зашёл»" in said) is (reason == "other_trigger")


def test_U_a_robot_that_is_nowhere_any_more_goes_by_its_id_and_the_built_in_ones_have_titles() -> None:
    assert robot_titles("gone", SCHOOL).ru == "gone"
    assert robot_titles("pause", SCHOOL).en == "Return from the pause"


@pytest.mark.parametrize("pipeline", bundled(), ids=lambda pipeline: str(pipeline.pipeline))
def test_U_everything_that_happens_by_itself_in_the_bundled_pipelines_is_said_in_both_languages(
    pipeline: Pipeline,
) -> None:
    for stage in pipeline.stages:
        for robot in stage.robots:
            words = robot_words(robot, pipeline)
            for said in (words.start, words.action, *words.more):
                assert said.ru != said.en, said
                assert any("а" <= letter <= "я" for letter in said.ru), said
        for trigger in stage.triggers:
            assert trigger_words(trigger, pipeline).on.ru
