"""The pipeline language: stages, exit criteria, moves, reject statuses, as data (decision 6, S1-S3).

A pipeline is YAML validated into these models. Invariants: stage ids never change and are unique; the order of stages is the
order of progress; exactly one first stage, which is open; every title stands in Russian and English.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

StageId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Kind = Literal["open", "won", "lost", "postponed"]


class Model(BaseModel):
    """Base of the language's parts: strict and frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Titles(Model):
    """What people read, in both languages."""

    ru: str = Field(min_length=1, max_length=200)
    en: str = Field(min_length=1, max_length=200)


class CardField(Model):
    """A field of the card. `personal: false` marks one whose values are no personal data."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
    titles: Titles
    personal: bool = True


class FactCriterion(Model):
    """The lead must have this recorded fact."""

    fact: Literal["seen", "accepted", "offer", "answer"]
    titles: Titles


class FieldCriterion(Model):
    """The card must have this field filled."""

    field: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
    titles: Titles


class ContactCriterion(Model):
    """The client can be reached: `name`, or at least one of phone and e-mail (`reachable`)."""

    contact: Literal["name", "reachable"]
    titles: Titles


Criterion = FactCriterion | FieldCriterion | ContactCriterion


class Stage(Model):
    """A stage: id, titles, kind, what must hold before a lead may leave it forwards."""

    id: StageId
    titles: Titles
    kind: Kind
    final: bool = False
    """S3: «завершена»: the work is over for good (shown so; reopening stays possible to a head)."""
    exit: tuple[Criterion, ...] = ()
    next_step: Titles | None = None
    """P8: what the seller does next while the lead stands here."""


class Pipeline(Model):
    """A pipeline. `conversion_point` is the stage whose entry counts as a deal (C5).

    There may be several won stages. They stand side by side at one step of the scale: each can be entered from the stage
    before them. A lead is won once, when it enters the first of them (spec, «Outcome stages»).
    """

    pipeline: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
    titles: Titles
    conversion_point: StageId
    won_moves: Literal["none", "free"] = "none"
    """`free`: a won lead may enter the other won stages too, in any order; none of it is a second win."""
    fields: tuple[CardField, ...] = ()
    stages: tuple[Stage, ...] = Field(min_length=2, max_length=50)

    @model_validator(mode="after")
    def _coherent(self) -> Pipeline:
        ids = [stage.id for stage in self.stages]
        twice = sorted({stage for stage in ids if ids.count(stage) > 1})
        if twice:
            raise ValueError(f"stage ids must be unique; twice: {', '.join(twice)}")
        if self.stages[0].kind != "open":
            raise ValueError(f"the first stage, {self.stages[0].id}, must be of kind open")
        if self.conversion_point not in ids:
            raise ValueError(f"conversion_point names no stage: {self.conversion_point}")
        if self.won_moves == "free" and sum(stage.kind == "won" for stage in self.stages) < 2:
            raise ValueError("won_moves: free needs at least two stages of kind won")
        fields = {field.id for field in self.fields}
        for stage in self.stages:
            for criterion in stage.exit:
                if isinstance(criterion, FieldCriterion) and criterion.field not in fields:
                    raise ValueError(f"stage {stage.id}: exit criterion names no field of the card: {criterion.field}")
        return self

    @cached_property
    def by_id(self) -> dict[str, Stage]:
        """Stages by id."""
        return {stage.id: stage for stage in self.stages}

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
