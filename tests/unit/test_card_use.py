"""Q11: fields of the card that nothing downstream uses, and which stages ask for a field."""

from __future__ import annotations

import pytest
import yaml

from contracts.pipeline import Pipeline
from projections.card_use.reading import asking
from services.pipelines.card_use import unused_fields

TITLES = {"ru": "т", "en": "t"}


def pipeline(first: str = "{}", *, templates: str = "[]", more: str = "{}") -> Pipeline:
    """A pipeline of two stages with the fields `budget` and `when`; `first`: parts of its first stage."""
    stages = [
        {"id": "new", "titles": TITLES, "kind": "open", **yaml.safe_load(first)},
        {"id": "won", "titles": TITLES, "kind": "won"},
        {"id": "lost", "titles": TITLES, "kind": "lost", "reasons": [{"id": "dear", "titles": TITLES}]},
    ]
    fields = [
        {"id": "budget", "titles": TITLES, "type": "choice", "options": [{"id": "dear", "titles": TITLES}]},
        {"id": "day", "titles": TITLES, "type": "date"},
    ]
    whole = {"pipeline": "p", "titles": TITLES, "conversion_point": "won", "stages": stages, "fields": fields}
    return Pipeline.model_validate({**whole, "templates": yaml.safe_load(templates), **yaml.safe_load(more)})


def names(of: Pipeline) -> list[str]:
    return [field.id for field in unused_fields(of)]


ROBOT = "{id: r, titles: {ru: т, en: t}, "
TASK = "{ru: т, en: t}"
DEADLINE = "{id: d, titles: {ru: т, en: t}, within: [{period: {hours: 1}}], "
TEMPLATE = '[{id: t, kind: sms, titles: {ru: т, en: t}, ru: {text: "%s"}, en: {text: "x"}}]'


@pytest.mark.parametrize(
    "first",
    [
        "{exit: [{field: budget}]}",
        "{exit: [{fact: seen, when: 'card.budget == \"dear\"'}]}",
        "{moves: [{to: won, needs: [{field: budget}]}]}",
        "{moves: [{to: won, when: 'card.budget == \"dear\"'}]}",
        "{mandatory: [{field: day, when: 'has(card.budget)'}]}",
        f"{{robots: [{ROBOT}do: {{tag: x}}, when: 'card.budget == \"dear\"'}}]}}",
        f"{{robots: [{ROBOT}do: {{field: budget, value: dear}}}}]}}",
        f"{{robots: [{ROBOT}do: {{reject: lost, reason_field: budget}}}}]}}",
        f"{{deadlines: [{DEADLINE}done: [{{field: budget}}]}}]}}",
        f"{{deadlines: [{DEADLINE}task: {TASK}, when: 'has(card.budget)'}}]}}",
        f"{{deadlines: [{DEADLINE}results: [{{id: a, titles: {TASK}, when: 'true', needs: [budget]}}]}}]}}",
        "{deadlines: [{id: d, titles: {ru: т, en: t}, task: {ru: т, en: t}, within: "
        "[{period: {hours: 1}, when: 'has(card.budget)'}, {period: {hours: 2}}]}]}",
    ],
)
def test_Q11_a_field_is_used_where_something_looks_at_it(first: str) -> None:
    assert "budget" not in names(pipeline(first))


def test_Q11_a_field_is_used_where_a_letter_says_it() -> None:
    assert "budget" not in names(pipeline(templates=TEMPLATE % "{{ card.budget | default('') }}"))
    assert "budget" in names(pipeline(templates=TEMPLATE % "card.budget"))


def test_Q11_a_date_is_used_where_a_robot_or_a_deadline_starts_by_it() -> None:
    assert "day" not in names(pipeline(f"{{robots: [{ROBOT}do: {{tag: x}}, start: {{date: day}}}}]}}"))
    assert "day" not in names(pipeline(f"{{deadlines: [{DEADLINE}task: {TASK}, start: {{date: day}}}}]}}"))


def test_Q11_a_field_that_is_only_asked_for_is_unused() -> None:
    asked = pipeline("{mandatory: [budget], desirable: [day]}")
    assert names(asked) == ["budget", "day"]
    assert asking(asked) == {"budget": frozenset({"new"}), "day": frozenset({"new"})}


def test_Q11_a_field_asked_for_by_a_move_or_a_result_is_asked_for_at_that_stage() -> None:
    results = f"results: [{{id: a, titles: {TASK}, when: 'true', needs: [day]}}]"
    asked = pipeline(f"{{moves: [{{to: won, needs: [{{field: budget}}]}}], deadlines: [{DEADLINE}{results}}}]}}")
    assert asking(asked) == {"budget": frozenset({"new"}), "day": frozenset({"new"})}
    assert asking(pipeline()) == {"budget": frozenset(), "day": frozenset()}
