"""Conditions (CEL) that say the same of every lead: always, or never (S5). Pure.

A condition is looked at conjunct by conjunct: one that never holds closes the whole. What cannot be told is left open.
"""

from __future__ import annotations

import re
from functools import lru_cache

from contracts.pipeline import DECLINED, UNKNOWN, Pipeline
from services.pipelines.conditions import QUOTED, ConditionError, compile_condition, conjuncts, holds, names_in
from services.pipelines.linting.finding import Said

_COMPARED = re.compile(r"^\(*\s*(card|facts)\.([a-z]\w*)\s*(==|!=)\s*" + QUOTED + r"\s*\)*$")
LEAD_NAMES = frozenset(
    {
        "stage",
        "visit",
        "responsible",
        "name",
        "company",
        "phone",
        "email",
        "source",
        "channel",
        "attempts",
        "tags",
        "outcome",
    }
)
"""What a condition can see of the lead besides card and facts (`services.leads.domain.criteria.values_of`)."""
ANSWERS = frozenset({"consent", "refusal"})


@lru_cache(maxsize=4_096)
def trouble(text: str) -> Said | None:
    """Why a condition cannot be read; None where it can."""
    try:
        compile_condition(text)
    except ConditionError as error:
        return Said(error.ru, str(error))
    return None


def constant(text: str, pipeline: Pipeline) -> bool | None:
    """True or False where the condition is that whatever the lead; None where it depends, or cannot be read."""
    if trouble(text) is not None:
        return None
    if not names_in(text):
        return holds(text, {"card": {}, "lead": {}, "facts": {}})
    wanted: dict[tuple[str, str], str] = {}
    for part in conjuncts(text):
        if not names_in(part) and trouble(part) is None and not holds(part, {"card": {}, "lead": {}, "facts": {}}):
            return False
        compared = _COMPARED.match(part.strip())
        if compared is None or compared[3] != "==":
            continue
        name, value = (compared[1], compared[2]), compared[4][1:-1]
        possible = values_of(pipeline, *name)
        if (possible is not None and value not in possible) or wanted.setdefault(name, value) != value:
            return False
    return None


def unknown_names(text: str, pipeline: Pipeline) -> list[tuple[str, str]]:
    """What a condition looks at and the pipeline does not have, each as (card, facts or lead; name)."""
    if trouble(text) is not None:
        return []
    there = {"card": pipeline.field_ids, "facts": frozenset(pipeline.facts_by_id), "lead": LEAD_NAMES}
    return [(map_, name) for map_, name in names_in(text) if name not in there[map_]]


def values_of(pipeline: Pipeline, map_: str, name: str) -> frozenset[str] | None:
    """The values a field or fact can have, where they are given."""
    if map_ == "card":
        field = pipeline.fields_by_id.get(name)
        if field is None or not field.options:
            return None
        answers = {UNKNOWN: field.may_be_unknown, DECLINED: field.declined}
        return frozenset({*(option.id for option in field.options), *(a for a, may_be in answers.items() if may_be)})
    if name == "answer":
        return ANSWERS
    fact = pipeline.facts_by_id.get(name)
    return frozenset(option.id for option in fact.options) if fact is not None and fact.options else None
