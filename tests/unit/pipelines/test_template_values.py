"""What a template sees of a lead, in both languages (R3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.pipeline import UNKNOWN
from services.pipelines.templates import LEAD_NAMES, LeadValues, Preview, TemplateError, preview, render, write
from services.pipelines.templates.values import first_name
from tests.unit.pipelines.school import LEAD, seen, template


def card(**values: str) -> LeadValues:
    """A lead whose card holds this."""
    return replace(LEAD, card=values)


def test_R3_everything_is_there_as_people_read_it() -> None:
    assert seen("ru") == {
        "lead": {
            "name": "Иван Петров",
            "phone": "+7 900 123-45-67",
            "responsible": "Анна",
            "source": "site",
            "stage": "Новая заявка",
        },
        "card": {
            "lesson_date": "24.11.2026",
            "lesson_time": "18:30",
            "lessons": "5",
            "length": "2,4\u00a0м",
            "price": "120\u202f000\u202f₽",
            "online": "да",
            "parent_phone": "+7 900 765-43-21",
            "branch": "Северный",
        },
        "stored": {**LEAD.card, "lessons": 5, "length": 2.4},
        "facts": {"seen": True, "level_told": "начальный"},
        "company": {"name": "Школа «Ключ»", "phone": "+7 495 123-45-67", "signature": "<b>Ключ</b>"},
        "terms": {},
        "now": "24.11.2026, 00:30",
        "today": "24.11.2026",
        "unsubscribe": "https://school.example/u/1",
    }


def test_R3_and_in_english() -> None:
    values = seen("en")
    assert values["card"] == {
        "lesson_date": "24 November 2026",
        "lesson_time": "18:30",
        "lessons": "5",
        "length": "2.4\u00a0m",
        "price": "120\u202f000\u202f₽",
        "online": "yes",
        "parent_phone": "+7 900 765-43-21",
        "branch": "North",
    }
    assert values["facts"] == {"seen": True, "level_told": "beginner"}
    assert (values["now"], values["today"]) == ("24 November 2026, 00:30", "24 November 2026")
    assert values["stored"] == seen("ru")["stored"]


def test_R3_what_is_not_known_is_not_there() -> None:
    values = seen("ru", LeadValues(name=" ", stage="gone", card={"branch": "", "wishes": "  ", "stray": "x"}), None)
    assert values["lead"] == values["card"] == values["stored"] == values["facts"] == {}
    assert "unsubscribe" not in values


@pytest.mark.parametrize("field", ["lesson_date", "online"])
def test_R3_not_known_yet_is_no_value_to_write_but_one_to_ask_for(field: str) -> None:
    values = seen("ru", card(**{field: UNKNOWN}))
    assert values["card"] == {}
    assert values["stored"] == {field: UNKNOWN}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lesson_date", "soon"),
        ("lesson_time", "in the evening"),
        ("lessons", "five"),
        ("price", "a lot"),
        ("online", "sometimes"),
        ("branch", "east"),
        ("parent_phone", "ask"),
    ],
)
def test_R3_what_was_kept_under_another_type_stays_as_it_is(field: str, value: str) -> None:
    values = seen("ru", card(**{field: value}))
    assert values["card"] == values["stored"] == {field: value}


def test_R3_a_lead_offers_no_other_names_than_the_linter_knows() -> None:
    whole = LeadValues(*("a@b.c" for _ in range(7)), stage="new")
    assert set(seen("ru", whole)["lead"]) == set(LEAD_NAMES)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Иван", "Иван"),
        ("Иванов Иван Иванович", "Иван"),
        ("Анна Сергеевна", "Анна"),
        ("Анна Ильинична Каренина", "Анна"),
        ("Пётр Ильич Чайковский", "Пётр"),
        ("Роман Абрамович", "Роман"),
        ("Иван Петров", None),
        ("Петров Иван", None),
        ("", None),
    ],
)
def test_R3_a_first_name_is_told_only_where_it_can_be_told(name: str, first: str | None) -> None:
    assert first_name(name) == first


def test_R3_a_first_name_that_a_form_asked_for_stands() -> None:
    assert (
        render("{{ lead.first_name }}", seen("ru", replace(LEAD, first_name="Ваня")), html=False, language="ru")
        == "Ваня"
    )


LETTER = template(
    ru={
        "subject": "Занятие {{ card.lesson_date | date('day') }}",
        "text": "{{ lead.name }}, ждём вас {{ card.lesson_date | date('on_weekday') }} в {{ card.lesson_time }}.\n",
        "html": "<p>{{ lead.name }}</p>",
    },
    en={"subject": "Lesson on {{ card.lesson_date }}", "text": "{{ card.price }}, {{ card.wishes }}\n{{ nobody }}"},
)


def test_R3_a_letter_is_written_whole() -> None:
    message = write(LETTER, seen("ru", replace(LEAD, name="Анна & Ко")), language="ru")
    assert message.subject == "Занятие 24\u00a0ноября".replace("\u00a0", " ")
    assert message.text == "Анна & Ко, ждём вас во вторник в 18:30."
    assert message.html == "<p>Анна &amp; Ко</p>"


def test_R3_or_not_at_all_and_the_part_is_named() -> None:
    with pytest.raises(TemplateError, match=r"^text: line 1: card.wishes has no value here") as caught:
        write(LETTER, seen("en"), language="en")
    assert caught.value.ru.startswith("text: строка 1: у card.wishes")
    assert (caught.value.line, caught.value.missing) == (1, "card.wishes")


def test_R3_a_preview_shows_what_can_be_written_and_why_the_rest_cannot() -> None:
    shown = preview(LETTER, seen("en"), language="en")
    assert (shown.subject, shown.text, shown.html) == ("Lesson on 24 November 2026", None, None)
    (problem,) = shown.problems
    assert (problem.part, problem.line) == ("text", 1)
    assert problem.en.startswith("line 1: card.wishes has no value here")
    assert problem.ru.startswith("строка 1: у card.wishes здесь нет значения")


def test_R3_a_preview_of_what_is_right_is_what_is_sent() -> None:
    message = write(LETTER, seen("ru"), language="ru")
    assert preview(LETTER, seen("ru"), language="ru") == Preview(message.subject, message.text, message.html, ())


def test_R3_a_short_message_is_its_text_alone() -> None:
    sms = template(kind="sms", ru={"subject": None, "text": "{{ card.lesson_time }}"}, en={"subject": None})
    message = write(sms, seen("ru"), language="ru")
    assert (message.subject, message.text, message.html) == (None, "18:30", None)


def test_R3_an_empty_message_is_not_sent() -> None:
    blank = template(ru={"text": "{% if card.wishes is defined %}{{ card.wishes }}{% endif %}"})
    with pytest.raises(TemplateError, match="text: the text comes out empty"):
        write(blank, seen("ru"), language="ru")
    assert [problem.part for problem in preview(blank, seen("ru"), language="ru").problems] == ["text"]
