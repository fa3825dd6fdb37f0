"""What a rule is, what it looks at, and what rules share (`services.leads.domain.rules` is the book)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from contracts import commands as c
from contracts.commands import Missing, Refusal
from contracts.meta import Actor
from contracts.pipeline import Pipeline, Stage, StageMove
from services.leads.domain.permissions import Permission
from services.leads.domain.state import LeadState
from services.subject import spoken


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that does not hold, in words, with what is missing."""

    ru: str
    en: str
    missing: tuple[Missing, ...] = ()
    status: int = 422

    def spoken(self, *, of_deal: bool) -> Broken:
        """In the words of a lead, or of a deal."""
        return replace(self, ru=spoken(self.ru, of_deal=of_deal), en=spoken(self.en, of_deal=of_deal))


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule looks at. `target` is the stage the command leads to, where it leads to one."""

    state: LeadState
    pipeline: Pipeline
    target: Stage | None = None
    command: c.Command | None = None
    now: datetime | None = None
    responsibles: tuple[str, ...] = ()
    other_open_lead: UUID | None = None
    history: bool = False
    """Whether it is a fact of the past that an import brings: it happened, whatever nobody wrote down about it then."""
    refused: Mapping[str, Permission] = field(default_factory=dict)
    """The channels that the person does not want to be contacted on, and the word that says so (C7)."""

    @property
    def actor(self) -> Actor | None:
        """Who acts, where a command is looked at."""
        return self.command.actor if self.command else None

    @property
    def happened_at(self) -> datetime | None:
        """When it happened: as the command says, else now."""
        return (self.command.happened_at if self.command else None) or self.now


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its id, what it says in both languages, why it is there, and the function that holds a case against it."""

    id: str
    ru: str
    en: str
    why: str
    broken: Callable[[Case], Broken | None]
    commands: tuple[type[c.CommandBody], ...] = ()
    """The commands it looks at; none named: all."""
    of_history: bool = True
    """Whether it is held against a history that is imported; not, where it asks for proof that no history carries."""
    overridable: bool = False
    """Whether a head may move a lead against it, with a reason that is recorded and reported (K2)."""


@dataclass(frozen=True, slots=True)
class Check:
    """The answer to «may this lead go there?»."""

    allowed: bool
    refusal: Refusal | None = None


def standing(case: Case) -> Stage | None:
    """The stage the lead stands in, where its pipeline still has it."""
    return case.pipeline.by_id.get(case.state.stage)


def body_of(case: Case) -> c.CommandBody | None:
    """The command's body, where a command is looked at."""
    return case.command.body if case.command else None


def goes_forward(case: Case) -> bool:
    """Whether the target lies further on the scale than where an open lead stands."""
    target, scale = case.target, case.pipeline.scale
    if target is None or not case.state.is_open or target.id not in scale or case.state.stage not in scale:
        return False
    return scale.index(target.id) > scale.index(case.state.stage)


def is_a_move(case: Case) -> bool:
    """Whether the lead is moved along the scale: a question asked by nobody yet counts as one."""
    return isinstance(body_of(case), c.Move | c.Convert | None)


def stated_move(case: Case) -> StageMove | None:
    """The way that the pipeline states from here to the target, for a move along it."""
    here = standing(case)
    if here is None or case.target is None or case.target.kind not in ("open", "won") or not is_a_move(case):
        return None
    return here.move_to(case.target.id)


def among_won(case: Case) -> bool:
    """From one won stage to another, where the pipeline lets a won lead enter several."""
    target = case.target
    return (
        case.pipeline.won_moves == "free" and case.state.kind == "won" and target is not None and target.kind == "won"
    )
