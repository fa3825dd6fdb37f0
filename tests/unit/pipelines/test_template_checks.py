"""What is told wrong with a template before anybody gets it (R3, S5), and which templates are none (M3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.pipeline.templates import Template
from services.pipelines.templates import COMPANY_NAMES, LEAD_NAMES, Problem, checked, render
from services.pipelines.templates.filters import FILTER_NAMES
from services.pipelines.templates.grammar import GROUPS, ROOTS
from tests.unit.pipelines.school import COMPANY, SCHOOL, seen, template


def problems(*, company: Any = None, **parts: Any) -> list[Problem]:
    """What is wrong with a letter of these parts, but for notes on what some leads lack."""
    found = checked(template(**parts), SCHOOL, COMPANY if company is None else company)
    return [problem for problem in found if problem.severity != "info"]


@pytest.mark.parametrize(
    ("text", "line", "words", "words_ru"),
    [
        (
            "{{ card.lesson_dtae }}",
            1,
            "there is no card.lesson_dtae; did you mean card.lesson_date?",
            "может быть, card.lesson_date?",
        ),
        (
            "\n{{ crad.lesson_date }}",
            2,
            "there is no crad.lesson_date; did you mean card.lesson_date?",
            "crad.lesson_date нет",
        ),
        (
            "{{ lead.nmae | default('') }}",
            1,
            "there is no lead.nmae; did you mean lead.name?",
            "может быть, lead.name?",
        ),
        ("{{ stored.brunch }}", 1, "did you mean stored.branch?", "может быть, stored.branch?"),
        ("{% if facts.sen is defined %}{% endif %}", 1, "did you mean facts.seen?", "может быть, facts.seen?"),
        (
            "{{ company.fax }}",
            1,
            "there is no company.fax; there are: company.name, company.phone",
            "есть: company.name",
        ),
        ("{{ tomorrow }}", 1, "there is no tomorrow", "tomorrow нет"),
        ("{{ card }}", 1, "card is a group of values; write one of them; there are: card.branch", "группа значений"),
        ("{{ card.lesson_date", 1, "{{ is open", "не закрыто"),
        ("\n\n{% for x in card %}{% endfor %}", 3, "there are no loops", "циклов нет"),
        ("{{ lead.name | dat }}", 1, "there is no filter dat; did you mean date?", "может быть, date?"),
    ],
)
def test_R3_what_a_template_looks_at_and_nobody_has_is_an_error(
    text: str, line: int, words: str, words_ru: str
) -> None:
    (problem,) = problems(ru={"text": text})
    assert (problem.severity, problem.path, problem.line) == ("error", ("ru", "text"), line)
    assert problem.en.startswith(f"line {line}: ")
    assert problem.ru.startswith(f"строка {line}: ")
    assert words in problem.en
    assert words_ru in problem.ru


def test_R3_every_text_of_both_languages_is_looked_at() -> None:
    wrong = {"subject": "{{ a }}", "text": "{{ b }}", "html": "{{ c }}"}
    found = problems(ru=wrong, en=wrong)
    assert [problem.path for problem in found] == [(lang, part) for lang in ("ru", "en") for part in wrong]


def test_R3_a_name_is_told_once_and_names_of_ones_own_are_no_strangers() -> None:
    assert len(problems(ru={"text": "{{ card.oops }} {{ card.oops }}"})) == 1
    assert not problems(ru={"text": "{% set where = card.branch %}{{ where }} {{ now }} {{ today }} {{ unsubscribe }}"})


def test_R3_what_some_leads_lack_is_noted_unless_the_template_thought_of_it() -> None:
    text = (
        "{{ lead.name }} {{ card.wishes | default('') }} {% if card.branch is defined %}{{ card.branch }}{% endif %}\n"
        "{{ card.lesson_date }} {{ card.lesson_date }} {{ card.price if card.price is defined else '' }} {{ company.name }}"
    )
    found = checked(template(ru={"text": text}), SCHOOL, COMPANY)
    assert [(problem.severity, problem.line) for problem in found] == [("info", 1), ("info", 2)]
    assert "a lead without lead.name will not get this" in found[0].en
    assert "{{ card.lesson_date | default('…') }}" in found[1].ru


@pytest.mark.parametrize(
    ("parts", "paths"),
    [
        ({}, [("ru", "text"), ("en", "text")]),
        ({"ru": {"text": "{{ unsubscribe }}"}}, [("en", "text")]),
        (
            {"ru": {"text": "{{ unsubscribe }}", "html": "<p>a</p>"}, "en": {"text": "{{ unsubscribe }}"}},
            [("ru", "html"), ("en",)],
        ),
        ({language: {"text": "{{ unsubscribe }}"} for language in ("ru", "en")}, []),
    ],
)
def test_R3_C7_advertising_says_how_one_ends_it(parts: dict[str, Any], paths: list[tuple[str, ...]]) -> None:
    found = problems(marketing=True, **parts)
    assert [problem.path for problem in found] == paths
    assert not [problem for problem in problems(marketing=False, **parts) if problem.severity == "error"]


def test_R3_html_in_one_language_alone_is_flagged() -> None:
    (problem,) = problems(en={"html": "<p>a</p>"})
    assert (problem.severity, problem.path) == ("warning", ("ru",))
    assert "write ru.html" in problem.en


@pytest.mark.parametrize(
    ("html", "line", "words"),
    [
        ("<p>\n{{ company.signature | safe }}</p>", 2, "safe writes a text of the settings as it is"),
        ("<p title={{ lead.name }}>a</p>", 1, "outside quotes"),
        ("<p title=a{{ lead.name }}>a</p>", 1, "outside quotes"),
        ("\n<p {{ lead.name }}>a</p>", 2, "outside quotes"),
        ("<p{{ lead.name }}>a</p>", 1, "outside quotes"),
        ("<{{ lead.name }}>", 1, "where a tag is named"),
        ("</{{ lead.name }}>", 1, "where a tag is named"),
        ("<script>\nx = '{{ lead.name }}'</script>", 1, "stands in script"),
        ("<style>p { color: {{ card.wishes }} }</style>", 1, "stands in style"),
        ("<p style='color: {{ card.wishes }}'>a</p>", 1, "stands in style"),
        ("<p onclick='a({{ card.wishes }})'>a</p>", 1, "stands in onclick"),
        ('<a href="{{ card.wishes }}">a</a>', 1, "href begins with a value"),
        ('<a href=" {{ card.wishes if now else company.name }}">a</a>', 1, "href begins with a value"),
    ],
)
def test_R3_html_that_escaping_does_not_cover_is_flagged(html: str, line: int, words: str) -> None:
    (problem,) = problems(ru={"html": html}, en={"html": "<p>a</p>"})
    assert (problem.severity, problem.path, problem.line) == ("warning", ("ru", "html"), line)
    assert words in problem.en
    assert problem.en != problem.ru


@pytest.mark.parametrize(
    "html",
    [
        '<a href="{{ unsubscribe }}" title="{{ lead.name }} a">{{ lead.name }}</a>',
        '<a href="https://school.example/{{ stored.branch }}">a</a><img src="{{ company.name }}">',
        "<p title='{% if now %}{{ lead.name }}{% endif %}'>{# <p {{ #}1 < 2</p>",
        '<a\nhref="https://x.example"\ntitle="{{ lead.name }}">{{ lead.name }}</a>',
        "<style>p { color: red }</style>{{ lead.name }}",
    ],
)
def test_R3_html_that_is_escaped_is_not_flagged(html: str) -> None:
    assert not problems(ru={"html": html}, en={"html": "<p>a</p>"})


def body(**parts: Any) -> dict[str, Any]:
    """A letter as it stands in a pipeline."""
    text = {"subject": "S", "text": "T"}
    return {"id": "a", "titles": {"ru": "а", "en": "a"}, "kind": "email", "ru": text, "en": text, **parts}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"ru": {"text": "T"}}, "a letter needs a subject in both languages; write ru.subject"),
        ({"en": {"text": "T", "subject": " "}}, "write en.subject"),
        ({"kind": "sms"}, "take ru.subject away, or write kind: email"),
        ({"kind": "sms", "en": {"text": "T", "html": "<p>"}, "ru": {"text": "T"}}, "take en.html away"),
        ({"ru": {"subject": "S", "text": " \n"}}, "ru.text is blank"),
        ({"ru": {"subject": "S", "text": ""}}, "at least 1 character"),
        ({"ru": {"subject": "S", "text": "x" * 50_001}}, "at most 50000 characters"),
        ({"ru": {"subject": "S" * 501, "text": "x"}}, "at most 500 characters"),
        ({"kind": "fax"}, "'email' or 'sms'"),
        ({"texts": {}}, "Extra inputs are not permitted"),
    ],
)
def test_R3_M3_a_template_that_does_not_fit_its_kind_is_refused(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Template.model_validate(body(**parts))


def test_R3_M3_all_misfits_are_told_at_once_each_with_its_path() -> None:
    with pytest.raises(ValidationError) as caught:
        Template.model_validate(body(kind="sms", en={"text": "T", "html": "<p>"}))
    (error,) = caught.value.errors()
    assert [(place.path, place.ru[:9]) for place in error["ctx"]["places"]] == [
        (("ru", "subject"), "шаблон a:"),
        (("en", "html"), "шаблон a:"),
    ]


def test_R3_a_template_that_fits() -> None:
    assert Template.model_validate(body()).marketing is False
    sms = body(kind="sms", ru={"text": "T"}, en={"text": "T"}, marketing=True)
    assert Template.model_validate(sms).ru.html is None


def test_R3_the_page_for_authors_tells_of_every_name_and_filter_and_its_example_works() -> None:
    page = (Path(__file__).parents[3] / "docs" / "howto" / "templates.md").read_text("utf-8")
    names = {f"lead.{name}" for name in LEAD_NAMES} | {f"company.{name}" for name in COMPANY_NAMES} | (ROOTS - GROUPS)
    assert not {name for name in names if f"`{name}`" not in page}
    assert not {name for name in FILTER_NAMES if f"`{name}`" not in page and f"`{name}(" not in page}
    example = page.partition("```\n")[2].partition("```")[0]
    assert not problems(ru={"text": example})
    assert render(example, seen("ru"), html=False, language="ru").replace("\u00a0", " ") == (
        "Здравствуйте, будем рады знакомству!\nЖдём вас во вторник, 24 ноября, в 18:30, филиал Северный.\nУ вас 5 занятий."
    )
