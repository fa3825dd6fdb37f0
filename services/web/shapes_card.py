"""What the API and the pages say of a lead's card, facts and stage: what is asked for here, what is there, what it speaks for.

Pure. Invariants: mandatory and desirable are as the conditions of the stage hold now; a field of an earlier version of the
pipeline is shown by the version that the lead stands in; nothing here decides anything (S2, Q2, C8, P8).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel

from contracts.commands import Command, Missing, Move, Refusal, Undo
from contracts.meta import Actor
from contracts.pipeline import (
    BUILT_IN_FACTS,
    DECLINED,
    UNKNOWN,
    FieldCriterion,
    FieldType,
    Pipeline,
    Role,
    Stage,
    Titles,
)
from services.leads.domain.case import Case
from services.leads.domain.criteria import checklist, held, values_of
from services.leads.domain.proposals import proposals
from services.leads.domain.rules import refused_by
from services.leads.domain.state import LeadState
from services.pipelines.conditions import holds

_NOT_SHOWN = frozenset({"offer", "answer"})
"""Facts that stand in fields of their own."""
_NOBODY = UUID(int=0)


class OptionOut(BaseModel):
    """One of the values of a choice."""

    id: str
    titles: Titles


class GroupOut(BaseModel):
    """Fields that belong together on the card."""

    id: str
    titles: Titles


class FieldOut(BaseModel):
    """A field of the card. `value`: as it is kept, None where nothing is; `unknown`: «пока неизвестно» is recorded;
    `declined`: «клиент отказался ответить» is (Q11);
    `mandatory`, `desirable`: in the stage where the lead stands; `writable`: by whoever asks."""

    id: str
    titles: Titles
    type: FieldType
    group: str | None
    unit: Titles | None
    least: Decimal | None
    most: Decimal | None
    currencies: list[str]
    options: list[OptionOut]
    hint: Titles | None
    value: str | None
    unknown: bool
    declined: bool
    mandatory: bool
    desirable: bool
    may_be_unknown: bool
    may_be_declined: bool
    writable: bool


class FilledOut(BaseModel):
    """How many of these fields are filled; «пока неизвестно» does not fill one, «клиент отказался ответить» is an answer."""

    filled: int
    of: int


class CompletenessOut(BaseModel):
    """How far the card is filled, of what the stage asks for."""

    mandatory: FilledOut
    desirable: FilledOut


class FactOut(BaseModel):
    """A fact that holds. `option`: its value in words; `at`: since when."""

    id: str
    value: str | None
    titles: Titles
    option: Titles | None
    at: datetime
    withdrawable: bool
    """Whether it is one that a person may have recorded by mistake and can withdraw (N12)."""


class ChecklistOut(BaseModel):
    """An exit criterion of the stage where the lead stands."""

    titles: Titles
    met: bool
    missing: Missing | None = None


class ProposalOut(BaseModel):
    """C8: a stage that a recorded fact speaks for; a person decides. `allowed`: whether the rules let the lead go there."""

    stage: str
    titles: Titles
    kind: str
    fact: str
    because: Titles
    allowed: bool
    missing: list[Missing] = []


class StepOut(BaseModel):
    """P8: the last step done on the lead, in words. `actor`: who did it."""

    type: str
    version: int
    at: datetime
    actor: Actor
    ru: str
    en: str


def fields_out(state: LeadState, pipeline: Pipeline, role: str) -> list[FieldOut]:
    """The card, field by field, for somebody of this role."""
    mandatory, desirable = asked_here(state, pipeline)
    return [
        FieldOut(
            id=field.id,
            titles=field.titles,
            type=field.type,
            group=field.group,
            unit=field.unit,
            least=field.least,
            most=field.most,
            currencies=list(field.currencies or (("RUB",) if field.type == "money" else ())),
            options=[OptionOut(id=option.id, titles=option.titles) for option in field.options],
            hint=field.hint,
            value=state.card.get(field.id) or None,
            unknown=field.may_be_unknown and state.card.get(field.id) == UNKNOWN,
            declined=field.declined and state.card.get(field.id) == DECLINED,
            mandatory=field.id in mandatory,
            desirable=field.id in desirable,
            may_be_unknown=field.may_be_unknown,
            may_be_declined=field.declined,
            writable=role in field.by and not state.erased,
        )
        for field in pipeline.fields
    ]


def asked_here(state: LeadState, pipeline: Pipeline) -> tuple[frozenset[str], frozenset[str]]:
    """Ids of the fields that the stage asks for now: mandatory ones, desirable ones."""
    here = pipeline.by_id.get(state.stage)
    if here is None:
        return frozenset(), frozenset()
    values = values_of(state, pipeline)
    criteria = [c for c in pipeline.exit_of.get(here.id, ()) if isinstance(c, FieldCriterion)]
    mandatory = frozenset(c.field for c in criteria if c.when is None or holds(c.when, values))
    return mandatory, frozenset(a.field for a in here.desirable if a.when is None or holds(a.when, values)) - mandatory


def completeness(fields: list[FieldOut]) -> CompletenessOut:
    """How many of the fields asked for here are filled."""

    def filled(which: list[FieldOut]) -> FilledOut:
        return FilledOut(filled=sum(f.value is not None and not f.unknown for f in which), of=len(which))

    return CompletenessOut(
        mandatory=filled([f for f in fields if f.mandatory]), desirable=filled([f for f in fields if f.desirable])
    )


def groups_out(pipeline: Pipeline) -> list[GroupOut]:
    """The card's groups, in the order they are shown."""
    return [GroupOut(id=group.id, titles=group.titles) for group in pipeline.groups]


def facts_out(state: LeadState, pipeline: Pipeline) -> list[FactOut]:
    """Facts that hold, the newest first."""
    found = []
    own = {fact.id for fact in pipeline.facts}
    for fact, declared in pipeline.facts_by_id.items():
        now = held(state, pipeline, fact)
        if now is None or fact in _NOT_SHOWN:
            continue
        option = declared.option(now.value)
        withdrawable = fact in own and fact in state.facts
        found.append(
            FactOut(
                id=fact,
                value=now.value,
                titles=declared.titles,
                option=option.titles if option else None,
                at=now.at,
                withdrawable=withdrawable and fact not in BUILT_IN_FACTS,
            )
        )
    return sorted(found, key=lambda fact: fact.at, reverse=True)


def checklist_out(state: LeadState, pipeline: Pipeline) -> list[ChecklistOut]:
    """The exit criteria of an open lead's stage."""
    if not state.is_open:
        return []
    return [ChecklistOut(titles=titles, met=lack is None, missing=lack) for titles, lack in checklist(state, pipeline)]


def proposals_out(state: LeadState, pipeline: Pipeline) -> list[ProposalOut]:
    """C8: what recorded facts speak for."""
    return [
        ProposalOut(
            stage=found.stage,
            titles=pipeline.by_id[found.stage].titles,
            kind=pipeline.by_id[found.stage].kind,
            fact=found.fact,
            because=found.because,
            allowed=found.check.allowed,
            missing=list(found.check.refusal.missing) if found.check.refusal else [],
        )
        for found in proposals(state, pipeline)
    ]


def can_undo(state: LeadState, pipeline: Pipeline, role: str, now: datetime) -> bool:
    """N12: whether somebody of this role may undo the last change of stage now."""
    if state.erased or state.before is None or role not in ("seller", "head"):
        return False
    asked = Case(state, pipeline, command=_asking(state, role, Undo()), now=now)
    return refused_by(asked, "N12.something_to_undo") is None


def not_theirs(state: LeadState, pipeline: Pipeline, stage: Stage, role: str) -> Refusal | None:
    """K2: why somebody of this role does not move the lead there, whatever it has; None where they do."""
    asked = _asking(state, role, Move(to=stage.id))
    return refused_by(Case(state, pipeline, stage, asked), "K2.may_move")


def _asking(state: LeadState, role: str, body: Undo | Move) -> Command:
    someone: Role = "head" if role == "head" else "seller"
    return Command(id=_NOBODY, lead=state.lead, actor=Actor(id="x", kind="person", role=someone), body=body)
