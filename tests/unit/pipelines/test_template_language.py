"""What may stand in a template, and in which words the rest is refused (R3)."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pipelines.templates import TemplateError, render, variables
from services.pipelines.templates.engine import OUTPUT_BYTES
from services.pipelines.templates.grammar import read_template
from tests.unit.pipelines.school import seen

VALUES = seen()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        # bombs: steps, memory, the parser's stack
        ("{% for i in range(10**9) %}x{% endfor %}", 1, "there are no loops"),
        ("a\n{% for i in [1, 2] %}x{% endfor %}", 2, "there are no loops"),
        ("{{ 'a' * 1000000000 }}", 1, "does not calculate"),
        ("{{ lead.name ~ lead.name }}", 1, "write the parts one after another"),
        ("{{ lead.name + lead.name }}", 1, "write the parts one after another"),
        ("{% set x = [lead.name, lead.name] %}", 1, "no lists"),
        ("{% set x = (lead.name, lead.name) %}", 1, ", does not belong here"),
        ("{% set x %}{{ lead.name }}{{ lead.name }}{% endset %}", 1, "set gives a name to one value"),
        ("{{ namespace(a='x') }}", 1, "is a call"),
        ("{{ lead.name | replace('a', 'aaaaaaaa') }}", 1, "there is no filter replace"),
        ("{{ lead.name | indent(1000000000) }}", 1, "there is no filter indent"),
        ("{{ " + "-" * 20_000 + "1 }}", 1, "does not calculate"),
        ("{{ " + "not " * 20_000 + "now }}", 1, "longer than 50000"),
        ("{{ " + "not " * 201 + "now }}", 1, "an expression is longer than 2000"),
        ("{{ now" + "|upper" * 100 + " }}", 1, "or than 200 names and signs"),
        ("{{ '" + "x" * 2_000 + "' }}", 1, "an expression is longer than 2000"),
        ("{{ " + "(" * 11 + "now" + ")" * 11 + " }}", 1, "brackets stand in one another 10 deep"),
        ("{{ " + "now | default(" * 11 + "1" + ")" * 11 + " }}", 1, "brackets stand in one another 10 deep"),
        ("{% if now %}" * 11 + "{% endif %}" * 11, 1, "ifs stand in one another 10 deep"),
        ("{% if now %}" + "{% elif now %}" * 31 + "{% endif %}", 1, "more than 30 elif"),
        ("{% set a = now %}" * 101, 1, "more than 100 set"),
        # ways out of the box
        ("{{ ''.__class__ }}", 1, ". does not belong here"),
        ("{{ lead.__class__ }}", 1, "lead.__class__ is no name"),
        ("{{ lead.name.__class__ }}", 1, "is no name"),
        ("{{ _private }}", 1, "is no name"),
        ("{{ lead['__class__'] }}", 1, "does not belong here"),
        ("{{ lead.keys() }}", 1, "is a call"),
        ("{{ lead.name.format(lead) }}", 1, "is a call"),
        ("{{ (lead).name }}", 1, ". does not belong here"),
        ("{{ self }}", 1, "self is no name"),
        ("{{ loop.index }}", 1, "loop.index is no name"),
        ("{% include '/etc/passwd' %}", 1, "there is no include: a template stands alone"),
        ("{% import 'x' as y %}", 1, "there is no import"),
        ("{% extends 'x' %}", 1, "there is no extends"),
        ("{% macro m() %}{% endmacro %}", 1, "there is no macro"),
        ("{% raw %}{{ x }}{% endraw %}", 1, "there is no statement raw"),
        ("{% autoescape false %}{{ lead.name }}{% endautoescape %}", 1, "there is no statement autoescape"),
        ("{{ lead.name | safe }}", 1, "safe goes with the company's own texts alone"),
        ("{% set x = company.name %}{{ x | safe }}", 1, "safe goes with the company's own texts alone"),
        ("{{ company.name | default(lead.name) | safe }}", 1, "safe goes with the company's own texts alone"),
        ("{{ (company.name if now else lead.name) | safe }}", 1, "safe goes with the company's own texts alone"),
        ("{% set lead = card %}", 1, "lead is taken"),
        ("{% set true = card %}", 1, "true is taken"),
        # slips
        ("\n\n{{ lead.name ", 3, "{{ is open; close it by }}"),
        ("{{ }}", 1, "nothing stands here; write a name"),
        ("{{ lead.name | }}", 1, "ends too early"),
        ("{{ lead.name not }}", 1, "ends too early"),
        ("{{ lead.name and }}", 1, "ends too early"),
        ("{{ (lead.name }}", 1, "a ) is missing"),
        ("{{ lead.name) }}", 1, ") does not belong here"),
        ("{{ lead.name lead.phone }}", 1, "lead does not belong here"),
        ("{{ lead.name not lead.phone }}", 1, "lead does not belong here"),
        ("{{ | upper }}", 1, "| does not belong here"),
        ("{{ lead. }}", 1, "ends too early"),
        ("{{ lead.'x' }}", 1, "'x' does not belong here"),
        ("{{ 'abc }}", 1, "a quote is open"),
        ("{{ «abc» }}", 1, "« does not belong here; write '"),
        ("{{ lead\u00a0.name }}", 1, "a space of an unusual kind"),
        ("{{ lead.name ? }}", 1, "? does not belong here"),
        ("{{ lead.name = 'x' }}", 1, "write =="),
        ("{{ lead.name is empty }}", 1, "behind is stands defined"),
        ("{{ lead.name | uper }}", 1, "there is no filter uper; did you mean upper?"),
        ("{{ lead.name | date('day', 'long') }}", 1, "date takes 0-1 values in brackets, not 2"),
        ("{{ lead.name | upper('x') }}", 1, "upper takes 0 values in brackets, not 1"),
        ("{{ now else today }}", 1, "the expression is not complete near else"),
        (r"{{ '\u12' }}", 1, "means nothing"),
        ("{# never closed", 1, "a comment is open"),
        ("{% %}", 1, "a statement is missing; there are: if"),
        ("{% iff now %}", 1, "there is no statement iff; did you mean if?"),
        ("{% if now %}\n{% if now %}\n{% endif %}", 1, "this if is open"),
        ("{% endif %}", 1, "endif without an if"),
        ("{% else %}", 1, "else without an if"),
        ("{% if now %}{% else %}{% elif now %}{% endif %}", 1, "elif behind the else"),
        ("{% if now %}{% else now %}{% endif %}", 1, "with a condition write elif"),
        ("{% if %}{% endif %}", 1, "nothing stands here"),
        ("{% set x %}", 1, "set gives a name to one value"),
        ("a\ud800", 1, "half of a character"),
    ],
)
def test_R3_what_a_template_may_not_say_is_refused_with_line_and_way_out(text: str, line: int, words: str) -> None:
    for asked in (lambda: render(text, VALUES, html=False, language="ru"), lambda: variables(text)):
        with pytest.raises(TemplateError) as caught:
            asked()
        assert words in str(caught.value)
        if "longer than 50000" not in words:
            assert caught.value.line == line
            assert str(caught.value).startswith(f"line {line}: ")
            assert caught.value.ru.startswith(f"строка {line}: ")
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Здравствуйте, {{ lead.name }}!", "Здравствуйте, Иван Петров!"),
        ("{{- lead.name -}} \n!", "Иван Петров!"),
        ("{# для себя {{ #}a", "a"),
        ("{% if stored.branch == 'north' and not stored.online == 'no' %}a{% else %}b{% endif %}", "a"),
        ("{% if stored.length > 2 %}a{% elif now %}b{% endif %}", "a"),
        ("{% if stored.lessons <= 4 %}a{% elif stored.lessons == 5 %}b{% endif %}", "b"),
        ("{% if stored.lesson_date >= '2026-11-24' %}a{% endif %}", "a"),
        ("{% if card.wishes is defined %}a{% else %}b{% endif %}", "b"),
        ("{% if card.wishes is not defined %}a{% endif %}", "a"),
        ("{% if facts.seen is defined and facts.level_told == 'начальный' %}a{% endif %}", "a"),
        ("{{ card.wishes | default('нет') }}", "нет"),
        ("{{ card.wishes if card.wishes is defined else lead.name | upper }}", "ИВАН ПЕТРОВ"),
        ("{% set where = card.branch | default('?') %}{{ where }}, {{ where }}", "Северный, Северный"),
        ("{{ 'Пет' in lead.name }} {{ 'x' not in lead.name }}", "да да"),
        ("{{ \"it's\" }} {{ 'a}}b' }} {{ '{%' }}", "it's a}}b {%"),
        ("{ {a} } %} }}", "{ {a} } %} }}"),
        ("a\n  {% if now %}\nb\n  {% endif %}\nc\n", "a\nb\nc"),
        ("{% if now %}" * 10 + "a" + "{% endif %}" * 10, "a"),
        ("{% if card.wishes is defined %}a" + "{% elif stored.lessons == 4 %}b" * 30 + "{% else %}c{% endif %}", "c"),
        ("{{ " + "not " * 196 + "now is defined }}", "да"),
        ("{{ " + "(" * 10 + "now" + ")" * 10 + " }}", "24.11.2026, 00:30"),
        ("{{ 7 }} {{ 2.50 }} {{ 123456 }} {{ true }} {{ none }}", "7 2,5 123\u202f456 да "),
    ],
)
def test_R3_what_a_template_may_say(text: str, result: str) -> None:
    assert render(text, VALUES, html=False, language="ru") == result


def test_R3_the_longest_template_is_rendered() -> None:
    text = "{{ now }}" * 5_000 + "x" * 5_000
    assert render(text, VALUES, html=False, language="ru") == "24.11.2026, 00:30" * 5_000 + "x" * 5_000


DEEPEST = """
import threading
from services.pipelines.templates import render
text = "{{ " + "not " * 198 + "now }}{{ " + "(" * 10 + "now" + ")" * 10 + " }}"
for _ in range(10):
    text = "{% if now == 1 %}a" + "{% elif now == 2 %}b" * 30 + "{% else %}" + text + "{% endif %}"
threading.stack_size(600 * 1024)
thread = threading.Thread(target=lambda: print(render(text, {"now": 3}, html=True, language="en")))
thread.start()
thread.join()
"""


def test_R3_the_deepest_template_fits_a_small_stack() -> None:
    """In a process of its own: an overflow ends it."""
    ran = subprocess.run([sys.executable, "-c", DEEPEST], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "yes3\n", "")


SIGNS = [
    "{{ ",
    " }}",
    "{% ",
    " %}",
    "if ",
    "else",
    "endif",
    "elif ",
    "set x = ",
    "x",
    "lead.name",
    "card.wishes",
    "now",
    "'a'",
]
SIGNS += [
    " | ",
    "upper",
    "default('b')",
    "date",
    "plural('a','b','c')",
    "is defined",
    "not ",
    " and ",
    " == ",
    "(",
    ")",
    "lead",
]
SIGNS += [
    "{#",
    "#}",
    "\n",
    "{",
    "-",
    "\\",
    '"',
    "for i in ",
    "raw ",
    "endraw",
    "7",
    ".",
    ",",
    "~",
    "[",
    "и",
    " in ",
    "\x00",
]


@given(st.lists(st.sampled_from(SIGNS), max_size=25).map("".join))
def test_R3_whatever_is_written_is_rendered_or_refused(text: str) -> None:
    refused: TemplateError | None = None
    result = ""
    try:
        result = render(text, VALUES, html=True, language="ru")
    except TemplateError as error:
        refused = error
    if refused is not None:
        assert "Петров" not in str(refused) + refused.ru
        return
    assert len(result.encode()) <= OUTPUT_BYTES
    assert render(text, VALUES, html=True, language="ru") == result
    # the engine reads the text as the grammar does: it finds no name that the grammar has not seen
    assert variables(text) <= {use.path for use in read_template(text).uses}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("plain", set()),
        ("{{ card.lesson_date | date('day') }} {{ now }}", {"card.lesson_date", "now"}),
        ("{{ card.wishes | default(lead.name) }}", {"card.wishes", "lead.name"}),
        ("{% if facts.seen is defined %}{% set x = lead.phone %}{% endif %}{{ x }}", {"facts.seen", "lead.phone"}),
        ("{{ card.lesson_dtae }}", {"card.lesson_dtae"}),
    ],
)
def test_R3_the_names_that_a_template_may_need(text: str, names: set[str]) -> None:
    assert variables(text) == names
