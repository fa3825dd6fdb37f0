"""Conditions are CEL within limits (decision 6)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pipelines.conditions import ConditionError, compile_condition, holds
from services.pipelines.language import PipelineError, read_pipeline

VALUES: dict[str, dict[str, Any]] = {
    "card": {"length": 2.4, "delivery": "yes", "budget": {"amount": 100.0, "currency": "RUB"}},
    "lead": {"stage": "contact"},
    "facts": {"interested": True, "meeting_held": "consent"},
}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("card.delivery == 'yes'", True),
        ("card.length > 2.0 && card.length < 3.0", True),
        ("card.budget.amount >= 100.0 && card.budget.currency == 'RUB'", True),
        ("facts.meeting_held == 'consent'", True),
        ("has(facts.interested)", True),
        ("has(card.address)", False),
        ("card.address == 'x'", False),
        ("!(card.address == 'x')", False),
        ("card.address == 'x' || card.delivery == 'yes'", True),
        ("card.delivery > 3", False),
        ("'1'", False),
        ("['stone', 'oak'].exists(m, m == card.delivery)", False),
    ],
)
def test_P4_what_is_unknown_does_not_hold(text: str, answer: bool) -> None:
    assert holds(text, VALUES) is answer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("card.length >", "no CEL expression: at character"),
        ("budget > 3", "it looks at budget"),
        ("os.environ", "it looks at os"),
        ("'x' == " + "'" + "x" * 2_000 + "'", "longer than 2000 characters"),
        ("card.a.all(x, card.b.all(y, card.c.exists(z, z == x)))", "2 deep"),
        ("card.length in [" + ",".join(map(str, range(101))) + "]", "more than 100 elements"),
        ('"""a""" == card.x', "single quotes"),
    ],
)
def test_P4_a_condition_over_its_limits_is_refused_with_the_way_out(text: str, words: str) -> None:
    with pytest.raises(ConditionError, match=words):
        compile_condition(text)


def test_P4_brackets_in_texts_count_for_nothing() -> None:
    assert holds("card.delivery != '" + "," * 200 + "([{'", VALUES)


@given(st.text(alphabet="card.lenghxyz ()[]{}'\"&|!=<>0123456789,+-*/?:", max_size=120))
def test_P4_whatever_is_written_is_answered_or_refused(text: str) -> None:
    try:
        compile_condition(text)
    except ConditionError:
        return
    assert holds(text, VALUES) in (True, False)


def test_P4_a_wrong_condition_in_a_pipeline_is_named_by_line_and_path() -> None:
    text = (
        "pipeline: p\ntitles: {ru: a, en: a}\nconversion_point: won\nstages:\n  - id: new\n    titles: {ru: a, en: a}\n"
    )
    text += "    kind: open\n    exit:\n      - {contact: name, when: budget > 3}\n"
    text += "  - {id: won, titles: {ru: a, en: a}, kind: won}\n"
    with pytest.raises(PipelineError) as caught:
        read_pipeline(text, "p.yaml")
    assert str(caught.value) == (
        "p.yaml:9: stages[0].exit[0].when: stage new: the condition is wrong: it looks at budget; "
        "a condition looks at card.ID, lead.NAME or facts.ID"
    )
