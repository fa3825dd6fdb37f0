"""Exit criteria held against a lead: which are met, and in which words the others are missing (S2, P3).

Pure. One function says whether a fact holds, whichever event recorded it; conditions (CEL) see plain values, and what is
unknown or erased is absent from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contracts.commands import Missing
from contracts.pipeline import UNKNOWN, ContactCriterion, Criterion, FactCriterion, FieldCriterion, Pipeline, Titles
from services.leads.domain.state import FactHeld, LeadState
from services.pipelines.card_values import plain_value
from services.pipelines.conditions import holds
from services.pipelines.templates import LeadValues

COMMAND_OF_FACT = {
    "seen": "see",
    "accepted": "accept",
    "offer": "offer",
    "answer": "answer",
    "call_held": "hold",
    "meeting_held": "hold",
    "document_sent": "send",
    "task_done": "complete",
    "approved": "approve",
    "file_attached": "attach",
}
"""Which command records a built-in fact; facts of a pipeline's own are recorded by `establish`."""
CONTACT_WORDS = {
    "name": Titles(ru="имя клиента", en="the client's name"),
    "company": Titles(ru="название компании", en="the company's name"),
    "phone": Titles(ru="телефон клиента", en="the client's phone"),
    "email": Titles(ru="e-mail клиента", en="the client's e-mail"),
    "reachable": Titles(ru="телефон или e-mail клиента", en="the client's phone or e-mail"),
}


def held(state: LeadState, pipeline: Pipeline, fact: str, value: str | None = None) -> FactHeld | None:
    """The fact as it holds now, with this value where one is named; None: it does not hold."""
    at = state.entered_at or state.captured_at
    if fact in ("seen", "accepted"):
        return FactHeld(None, state.root, at) if getattr(state, fact) else None
    if fact == "offer":
        return FactHeld(None, state.root, at) if state.offer is not None else None
    if fact == "answer":
        return (
            FactHeld(state.answer, state.root, at)
            if state.answer is not None and value in (None, state.answer)
            else None
        )
    found = state.facts.get(f"{fact}:{value}") if value is not None else None
    found = found or state.facts.get(fact)
    if found is None or (value is not None and found.value != value):
        return None
    declared = pipeline.facts_by_id.get(fact)
    if declared is not None and declared.holds == "visit" and found.root != state.root:
        return None
    return found


def checklist(state: LeadState, pipeline: Pipeline) -> list[tuple[Titles, Missing | None]]:
    """The exit criteria that apply to the lead where it stands, in words, each with what it lacks (None: met)."""
    values = values_of(state, pipeline)
    applying = [c for c in pipeline.exit_of.get(state.stage, ()) if c.when is None or holds(c.when, values)]
    return [(words_of(criterion, pipeline), unmet(criterion, state, pipeline)) for criterion in applying]


def words_of(criterion: Criterion, pipeline: Pipeline) -> Titles:
    """A criterion in words: its own, else those of what it asks for."""
    if criterion.titles is not None:
        return criterion.titles
    match criterion:
        case FactCriterion():
            return pipeline.facts_by_id[criterion.fact].titles
        case FieldCriterion():
            return pipeline.fields_by_id[criterion.field].titles
        case ContactCriterion():
            return CONTACT_WORDS[criterion.contact]


def lacking(criteria: Iterable[Criterion], state: LeadState, pipeline: Pipeline) -> tuple[Missing, ...]:
    """What these criteria still lack together, each thing once."""
    values: dict[str, dict[str, Any]] | None = None
    found: dict[tuple[str, str], Missing] = {}
    for criterion in criteria:
        if criterion.when is not None:
            values = values if values is not None else values_of(state, pipeline)
            if not holds(criterion.when, values):
                continue
        if (lack := unmet(criterion, state, pipeline)) is not None:
            found.setdefault((lack.what, lack.id), lack)
    return tuple(found.values())


def unmet(criterion: Criterion, state: LeadState, pipeline: Pipeline) -> Missing | None:
    """What this criterion lacks where it applies; None when it is met."""
    match criterion:
        case FactCriterion():
            return _unmet_fact(criterion, state, pipeline)
        case FieldCriterion():
            if state.card.get(criterion.field) not in (None, "", UNKNOWN):
                return None
            return _missing("field", criterion.field, words_of(criterion, pipeline), "record")
        case ContactCriterion():
            wanted = ("phone", "email") if criterion.contact == "reachable" else (criterion.contact,)
            if any(getattr(state, name) for name in wanted):
                return None
            return _missing("contact", criterion.contact, words_of(criterion, pipeline), "record")


def _unmet_fact(criterion: FactCriterion, state: LeadState, pipeline: Pipeline) -> Missing | None:
    fact = criterion.fact
    if any(held(state, pipeline, fact, value) is not None for value in criterion.value or (None,)):
        return None
    command = COMMAND_OF_FACT.get(fact, "establish")
    return _missing("fact", fact, words_of(criterion, pipeline), command, criterion.value)


def _missing(what: Any, name: str, titles: Titles, command: str, values: tuple[str, ...] = ()) -> Missing:
    # of parts that were validated with the pipeline: a check may name thirty of them, and boards check every card
    return Missing.model_construct(what=what, id=name, ru=titles.ru, en=titles.en, command=command, values=values)


def attempts(state: LeadState) -> int:
    """C2: calls of ours that nobody answered, since one was answered last."""
    calls = sorted(state.calls.values(), key=lambda call: call.started_at)
    answered = max((n for n, call in enumerate(calls) if call.answered), default=-1)
    return sum(call.call_direction == "out" and not call.answered for call in calls[answered + 1 :])


def values_of(state: LeadState, pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """What a condition sees of a lead: plain values; what is unknown or erased is absent."""
    fields = pipeline.fields_by_id
    card = {
        name: plain_value(fields[name], value) if name in fields else value
        for name, value in state.card.items()
        if value
    }
    lead: dict[str, Any] = {
        "stage": state.stage,
        "visit": state.visit,
        "responsible": state.responsible,
        "name": state.name,
        "company": state.company,
        "phone": state.phone,
        "email": state.email,
        "source": state.source or None,
        "channel": state.channel or None,
        "attempts": attempts(state),
        "outcome": state.outcome,
        "tags": sorted(state.tags),
    }
    facts: dict[str, Any] = {}
    for fact in pipeline.facts_by_id:
        now = held(state, pipeline, fact)
        if now is not None:
            facts[fact] = now.value if now.value is not None else True
    return {"card": card, "lead": {name: value for name, value in lead.items() if value is not None}, "facts": facts}


def seen_by_templates(state: LeadState, pipeline: Pipeline) -> LeadValues:
    """What a template sees of a lead: plain values; what is unknown or erased is absent (R3)."""
    facts = {fact: found.value for fact in pipeline.facts_by_id if (found := held(state, pipeline, fact)) is not None}
    return LeadValues(
        name=state.name,
        company=state.company,
        phone=state.phone,
        email=state.email,
        responsible=state.responsible,
        stage=state.stage,
        card=state.card,
        facts=facts,
    )
