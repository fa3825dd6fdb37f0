"""Rendering: what has no value is an error, HTML is escaped, results are bounded, no error holds a value (R3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from services.pipelines.templates import TemplateError, render, render_subject
from services.pipelines.templates.engine import OUTPUT_BYTES
from tests.unit.pipelines.school import seen

VALUES = seen()
SECRET = "Секретов"


@pytest.mark.parametrize(
    ("text", "line", "missing"),
    [
        ("{{ card.wishes }}", 1, "card.wishes"),
        ("Привет\n\n{{ lead.name }}, {{ card.wishes }}", 3, "card.wishes"),
        ("ы\n{{ card.wishes | upper }}", 2, "card.wishes"),
        ("ы\n{{ card.wishes | truncate(3) }}", 2, "card.wishes"),
        ("{{ lead.company | date }} {{ card.wishes | date }}", 1, "lead.company"),
        ("{% if card.wishes %}a{% endif %}", 1, "card.wishes"),
        ("{% if lead.name == card.wishes %}a{% endif %}", 1, "card.wishes"),
        ("{{ card.wishes is defined }} {{ card.wishes }}", 1, "card.wishes"),
        ("{% if card.wishes is defined %}a{% else %}\n{{ card.wishes }}{% endif %}", 2, "card.wishes"),
        ("{{ card.wishes | default(card.lesson_dtae) }}", 1, "card.lesson_dtae"),
        ("{{ card.wishes | default(card.lesson_dtae | upper) }}", 1, "card.lesson_dtae"),
        ("{{ nobody }}", 1, "nobody"),
        ("{% if card.wishes is defined %}{% set x = 1 %}{% endif %}\n{{ x }}", 2, "x"),
        ("{{ unknown.name }}", 1, "unknown.name"),
    ],
)
def test_R3_a_name_without_a_value_is_an_error_that_names_it(text: str, line: int, missing: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(text, VALUES, html=False, language="ru")
    assert (caught.value.line, caught.value.missing) == (line, missing)
    assert f"line {line}: {missing} has no value here" in str(caught.value)
    assert f"{{{{ {missing} | default('…') }}}}" in str(caught.value)
    assert f"строка {line}: у {missing} здесь нет значения" in caught.value.ru


def test_R3_a_near_name_is_proposed() -> None:
    with pytest.raises(TemplateError, match=r"did you mean card.lesson_date\?"):
        render("{{ card.lesson_dtae }}", VALUES, html=False, language="en")


@pytest.mark.parametrize(
    "text",
    [
        "{{ lead }}",
        "{{ lead.name | date }}",
        "{{ lead.name | time }}",
        "{{ lead.name | money }}",
        "{{ lead.name | plural('а', 'б', 'в') }}",
        "{{ 3 | truncate(lead.name) }}",
        "{{ now | date(lead.name) }}",
        "{{ 3 | money(lead.name) }}",
        "{{ 'x' in stored.lessons }}",
        "{{ lead.name in stored.lessons }}",
        "{{ 'x' in facts.seen }}",
        "{{ lead.name }}{{ card.wishes }}",
        "{{ lead.name | upper | date }}",
    ],
)
def test_R3_no_error_holds_a_value(text: str) -> None:
    values = {**VALUES, "lead": {"name": SECRET}}
    with pytest.raises(TemplateError) as caught:
        render(text, values, html=False, language="ru")
    assert SECRET.casefold() not in (str(caught.value) + caught.value.ru).casefold()
    assert caught.value.line == 1
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "text",
    [
        "{{ card.wishes }}" * 5,
        "{{ card.wishes | upper }}" * 5,
        "{% set a = card.wishes %}" + "{{ a }}" * 5,
        "{{ card.long }}",
    ],
)
def test_R3_a_result_over_its_limit_ends_while_it_grows(text: str) -> None:
    values = {"card": {"wishes": "я" * 40_000, "long": "x" * (OUTPUT_BYTES + 1)}}
    with pytest.raises(TemplateError, match="the result is longer than 256 KB") as caught:
        render(text, values, html=False, language="ru")
    assert "больше 256 КБ" in caught.value.ru


def test_R3_what_comes_behind_the_limit_is_not_worked_out() -> None:
    values = {"card": {"wishes": "x" * 200_000}}
    with pytest.raises(TemplateError, match="the result is longer"):
        render("{{ card.wishes }}{{ card.wishes }}{{ nobody }}", values, html=False, language="ru")


def test_R3_escaping_counts_towards_the_limit() -> None:
    values = {"card": {"wishes": "'" * 60_000}}
    assert len(render("{{ card.wishes }}", values, html=False, language="ru")) == 60_000
    with pytest.raises(TemplateError, match="the result is longer"):
        render("{{ card.wishes }}", values, html=True, language="ru")


def test_R3_plain_values_of_every_kind_are_read_in_the_language() -> None:
    values = {
        "a": date(2026, 11, 24),
        "b": time(9, 5),
        "c": datetime(2026, 11, 24, 18, 30, tzinfo=UTC),
        "d": Decimal("2.40"),
        "e": True,
        "f": 2.5,
        "g": 10**30,
        "h": {"i": False},
        "j": "half \ud800",
    }
    text = "{{ a }}|{{ b }}|{{ c }}|{{ d }}|{{ e }}|{{ f }}|{{ g }}|{{ h.i }}|{{ j }}"
    assert render(text, values, html=False, language="ru") == (
        f"24.11.2026|09:05|24.11.2026, 18:30|2.40|да|2,5|{10**30}|нет|half ?"
    )
    assert render(text, values, html=False, language="en") == (
        f"24 November 2026|09:05|24 November 2026, 18:30|2.40|yes|2.5|{10**30}|no|half ?"
    )


@pytest.mark.parametrize("value", [object(), [1], (1,), {"x": b"bytes"}, print])
def test_R3_no_python_object_gets_into_a_template(value: object) -> None:
    with pytest.raises(TypeError, match="a template takes texts"):
        render("{{ x }}", {"x": value}, html=False, language="ru")


def test_R3_a_value_that_claims_to_be_safe_is_escaped_all_the_same() -> None:
    assert render("{{ x }}", {"x": Markup("<b>")}, html=True, language="ru") == "&lt;b&gt;"


def test_R3_only_the_companys_own_text_may_stand_unescaped() -> None:
    text = "{{ company.signature }} {{ company.signature | safe }} {{ lead.name | upper }} {{ '<i>' }}"
    values = {**VALUES, "lead": {"name": "<u>"}}
    assert render(text, values, html=True, language="ru") == (
        "&lt;b&gt;Ключ&lt;&#x2f;b&gt; <b>Ключ</b> &lt;U&gt; &lt;i&gt;"
    )
    assert render(text, values, html=False, language="ru") == "<b>Ключ</b> <b>Ключ</b> <U> <i>"


class _Seen(HTMLParser):
    """What a reader of HTML makes of it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.data = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.data += data


HOSTILE = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            [
                "<",
                ">",
                '"',
                "'",
                "&",
                "&lt;",
                "&#39;",
                "</p>",
                "<script>",
                "-->",
                "<!--",
                "{{",
                "}}",
                "{%",
                " onload=",
                "я",
                "`",
            ]
        )
    ).map("".join),
)


@given(name=HOSTILE, wish=HOSTILE)
def test_R3_no_value_breaks_out_of_html(name: str, wish: str) -> None:
    text = (
        "<p title=\"{{ lead.name }}\" lang='{{ card.wishes }}'>{{ card.wishes }}<i>{{ lead.name | default('x') }}</i>"
        "{% set again = card.wishes %}{{ again }}</p>"
    )
    values = {"lead": {"name": name}, "card": {"wishes": wish}}
    result = render(text, values, html=True, language="ru")
    read = _Seen(result)
    told_name, told_wish = (value.encode("utf-8", "replace").decode() for value in (name, wish))
    assert read.tags == [("p", [("title", told_name), ("lang", told_wish)]), ("i", [])]
    assert read.data == told_wish + told_name + told_wish
    assert render(text, values, html=True, language="ru") == result


@given(st.text())
def test_R3_values_are_no_templates(value: str) -> None:
    told = value.encode("utf-8", "replace").decode()
    assert render("<{{ x }}>", {"x": value + "{{ x }}"}, html=False, language="en") == f"<{told}{{{{ x }}}}>"


@given(st.text())
def test_R3_a_subject_is_one_line_whatever_is_in_it(value: str) -> None:
    try:
        line = render_subject("Привет, {{ x }}", {"x": value}, language="ru")
    except TemplateError:
        assert len(value) > 500
        return
    assert line.startswith("Привет,")
    assert len(line.splitlines()) == 1
    assert line == " ".join(line.split())


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("a\r\nBcc: all@example.com", "a Bcc: all@example.com"),
        ("a\u2028b\x00c\u202ed\x85e", "a b c d e"),
        ("  a  \n\n  b ", "a b"),
    ],
)
def test_R3_a_subject_can_carry_no_header(value: str, line: str) -> None:
    assert render_subject("{{ x }}", {"x": value}, language="ru") == line


@pytest.mark.parametrize(
    ("value", "words"), [(" \n\u200b", "comes out empty"), ("x" * 901, "longer than 900 characters")]
)
def test_R3_a_subject_is_neither_empty_nor_endless(value: str, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        render_subject("{{ x }}", {"x": value}, language="ru")
