"""A whole pipeline, and what must be coherent in it (decision 6, S1-S3, C5)."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from pydantic import Field, model_validator

from contracts.pipeline.card import CardField, Group
from contracts.pipeline.coherence import incoherences
from contracts.pipeline.criteria import BUILT_IN_FACTS, Criterion, Fact, FieldCriterion
from contracts.pipeline.deadlines import Assignment, Deadline
from contracts.pipeline.expected import ExpectedFinding
from contracts.pipeline.names import misfits
from contracts.pipeline.parts import Id, Model, StageId, Term, Titles
from contracts.pipeline.robots import Robot
from contracts.pipeline.stages import Stage
from contracts.pipeline.templates import Template
from contracts.pipeline.terms import with_periods


class Pipeline(Model):
    """A pipeline. `conversion_point` is the stage whose entry counts as a deal (C5).

    There may be several won stages. They stand side by side at one step of the scale: each can be entered from the stage
    before them. A lead is won once, when it enters the first of them (spec, «Outcome stages»).
    """

    pipeline: Id
    titles: Titles
    conversion_point: StageId
    won_moves: Literal["none", "free"] = "none"
    """`free`: a won lead may enter the other won stages too, in any order; none of it is a second win."""
    groups: tuple[Group, ...] = ()
    fields: tuple[CardField, ...] = Field(default=(), max_length=200)
    facts: tuple[Fact, ...] = Field(default=(), max_length=100)
    """Facts of this pipeline's own, and options for built-in ones."""
    terms: tuple[Term, ...] = Field(default=(), max_length=50)
    """Named periods; robots, limits and templates (`{{ terms.ID }}`) name them."""
    templates: tuple[Template, ...] = Field(default=(), max_length=200)
    """R3: letters and short messages to clients. Leads always get the newest version's (decision 6)."""
    assignment: Assignment | None = None
    """C4: who becomes responsible for its leads by itself."""
    stages: tuple[Stage, ...] = Field(min_length=2, max_length=50)
    expected_findings: tuple[ExpectedFinding, ...] = Field(default=(), max_length=200)
    """Findings of `leadline lint` that stand, each with its reason."""

    @model_validator(mode="before")
    @classmethod
    def _periods_for_terms(cls, data: Any) -> Any:
        whole, unknown = with_periods(data)
        if (error := misfits(unknown)) is not None:
            raise error
        return whole

    @model_validator(mode="after")
    def _coherent(self) -> Pipeline:
        if (error := misfits(incoherences(self))) is not None:
            raise error
        return self

    @cached_property
    def by_id(self) -> dict[str, Stage]:
        """Stages by id."""
        return {stage.id: stage for stage in self.stages}

    @cached_property
    def fields_by_id(self) -> dict[str, CardField]:
        """Fields of the card by id."""
        return {field.id: field for field in self.fields}

    @cached_property
    def facts_by_id(self) -> dict[str, Fact]:
        """Facts by id: the built-in ones, and over them those of the pipeline."""
        found = {fact: Fact(id=fact, titles=titles) for fact, titles in BUILT_IN_FACTS.items()}
        return {**found, **{fact.id: fact for fact in self.facts}}

    @cached_property
    def templates_by_id(self) -> dict[str, Template]:
        """Templates by id."""
        return {template.id: template for template in self.templates}

    @cached_property
    def terms_by_id(self) -> dict[str, Term]:
        """Named periods by id."""
        return {term.id: term for term in self.terms}

    @cached_property
    def robots_by_id(self) -> dict[str, tuple[Stage, Robot]]:
        """Every robot by its id, which is told apart in the whole pipeline, with the stage it belongs to."""
        return {robot.id: (stage, robot) for stage in self.stages for robot in stage.robots}

    @cached_property
    def deadlines_by_id(self) -> dict[str, tuple[Stage, Deadline]]:
        """Every deadline by its id, which is told apart from those of robots in the whole pipeline, with its stage."""
        return {deadline.id: (stage, deadline) for stage in self.stages for deadline in stage.deadlines}

    @cached_property
    def has_triggers(self) -> bool:
        """Whether any stage has a trigger."""
        return any(stage.triggers for stage in self.stages)

    @cached_property
    def exit_of(self) -> dict[str, tuple[Criterion, ...]]:
        """Every stage's exit criteria: those it states, and its mandatory fields."""
        asked: dict[str, tuple[Criterion, ...]] = {}
        for stage in self.stages:
            stated = {criterion.field for criterion in stage.exit if isinstance(criterion, FieldCriterion)}
            fields = (FieldCriterion(field=a.field, when=a.when) for a in stage.mandatory if a.field not in stated)
            asked[stage.id] = (*stage.exit, *fields)
        return asked

    @cached_property
    def field_ids(self) -> frozenset[str]:
        """Ids of the card's fields."""
        return frozenset(field.id for field in self.fields)

    @cached_property
    def scale(self) -> tuple[str, ...]:
        """The open stages and the won ones, in order of progress (S6: «stage k of n»)."""
        return tuple(stage.id for stage in self.stages if stage.kind in ("open", "won"))

    @cached_property
    def steps(self) -> dict[str, int]:
        """The step of each stage on the scale, from 1; won stages that follow one another share a step."""
        steps: dict[str, int] = {}
        last_kind, step = "", 0
        for stage in self.scale:
            kind = self.by_id[stage].kind
            step += not (kind == last_kind == "won")
            steps[stage], last_kind = step, kind
        return steps

    @property
    def places(self) -> int:
        """How many steps the scale has (the n of «stage k of n»)."""
        return max(self.steps.values())

    @property
    def first(self) -> Stage:
        """The stage a captured lead enters."""
        return self.stages[0]

    def place(self, stage: str) -> int | None:
        """Place of a stage on the scale, from 1; None for lost and postponed ones."""
        return self.steps.get(stage)
