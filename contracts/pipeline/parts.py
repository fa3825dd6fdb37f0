"""What the pipeline language is made of: ids, titles, roles, periods, conditions (decision 6).

Invariants: every part is strict and frozen; what people read stands in Russian and English.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from contracts.pipeline.names import Misfit, misfits

ID_PATTERN = r"^[a-z][a-z0-9_]{0,59}$"
Id = Annotated[str, Field(pattern=ID_PATTERN)]
StageId = Id
Kind = Literal["open", "won", "lost", "postponed"]
Role = Literal["seller", "head"]
"""Roles of people who work on leads."""
CONDITION_CHARACTERS = 2_000
Condition = Annotated[str, Field(min_length=1, max_length=CONDITION_CHARACTERS)]
"""A CEL expression over the lead: `card.ID`, `lead.NAME`, `facts.ID` (`services.pipelines.conditions`)."""


class Model(BaseModel):
    """Base of the language's parts: strict and frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OrId:
    """Marks a part that may be written as an id alone; its model's before-validator reads that."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "pattern": ID_PATTERN}, handler(schema)]}


class Titles(Model):
    """What people read, in both languages."""

    ru: str = Field(min_length=1, max_length=200)
    en: str = Field(min_length=1, max_length=200)


class Words(Model):
    """A sentence or two for people, in both languages."""

    ru: str = Field(min_length=1, max_length=1_000)
    en: str = Field(min_length=1, max_length=1_000)


class Period(Model):
    """A length of time, its parts added up. `working`: hours and minutes of the team's working time, days its working days."""

    months: int = Field(default=0, ge=0, le=120)
    days: int = Field(default=0, ge=0, le=3_660)
    hours: int = Field(default=0, ge=0, le=8_784)
    minutes: int = Field(default=0, ge=0, le=527_040)
    working: bool = False

    @model_validator(mode="after")
    def _is_some_time(self) -> Period:
        if (error := misfits(self._misfits())) is not None:
            raise error
        return self

    def _misfits(self) -> Iterator[Misfit]:
        if not (self.months or self.days or self.hours or self.minutes):
            yield Misfit(
                (),
                "a period is of months, days, hours or minutes, for example {days: 14}",
                "срок — это месяцы, дни, часы или минуты, например {days: 14}",
            )
        if self.working and self.months:
            yield Misfit(
                ("working",),
                "a month is a calendar month: working goes with days, hours and minutes",
                "месяц — календарный: working бывает у дней, часов и минут",
            )


PeriodOrTerm = Annotated[Period, OrId()]
"""A period, or in YAML the id of one of the pipeline's `terms`; `contracts.pipeline.terms` puts the period in its place."""


class Term(Model):
    """A length of time with a name: what promises it and what keeps it name the same one (C6, «one setting makes both»)."""

    id: Id
    titles: Titles
    period: Period


class TimeLimit(Model):
    """How long a lead may stand in a stage. `warn`: how long before its end people are told."""

    after: PeriodOrTerm
    warn: PeriodOrTerm | None = None
