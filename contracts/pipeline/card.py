"""The card of a pipeline: typed fields in groups (Q2, S2).

Values stand in events as text, each type in one form (`services.leads.domain.card` reads what people type): number `2.4`,
money `120000.00 RUB`, date `2026-12-24`, time `18:30`, choice the option's id, yes_no `yes` or `no`, phone E.164; and `unknown`
(«пока неизвестно») where the field allows it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from contracts.pipeline.parts import Condition, Id, Model, Role, Titles

FieldType = Literal["text", "number", "money", "date", "time", "choice", "yes_no", "phone"]
UNKNOWN: Final = "unknown"
"""The value «пока неизвестно»: an answer, but not the data a mandatory field asks for."""
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Group(Model):
    """Fields that belong together on the card."""

    id: Id
    titles: Titles


class Option(Model):
    """One of the values of a choice."""

    id: Id
    titles: Titles


class CardField(Model):
    """A field of the card. `personal: false` marks one whose values are no personal data."""

    id: Id
    titles: Titles
    personal: bool = True
    type: FieldType = "text"
    group: Id | None = None
    unit: Titles | None = None
    """Of a number: «мм», «м²», «шт.»."""
    least: Decimal | None = None
    most: Decimal | None = None
    """Of a number: the smallest and the largest value that can be meant."""
    currencies: tuple[Currency, ...] = ()
    """Of money: the currencies offered, the usual one first (ISO 4217); none named: RUB."""
    options: tuple[Option, ...] = Field(default=(), max_length=200)
    """Of a choice: its values, in the order they are offered."""
    unknown: bool = False
    """Whether «пока неизвестно» can be recorded. A yes_no field always has it."""
    by: tuple[Role, ...] = ("seller", "head")
    """Who may write it; nobody: it is filled by forms and imports alone."""
    hint: Titles | None = None

    @model_validator(mode="after")
    def _as_its_type_asks(self) -> CardField:
        for what, owner in (("unit", "number"), ("least", "number"), ("most", "number"), ("currencies", "money")):
            if getattr(self, what) not in (None, ()) and self.type != owner:
                raise ValueError(f"field {self.id}: {what} goes with type {owner}, not with {self.type}")
        if (self.type == "choice") != bool(self.options):
            raise ValueError(f"field {self.id}: a choice, and only a choice, has options")
        ids = [option.id for option in self.options]
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"field {self.id}: option ids must be unique; twice: {', '.join(twice)}")
        if UNKNOWN in ids:
            raise ValueError(f"field {self.id}: «пока неизвестно» is no option; write unknown: true instead")
        if self.unknown and self.type in ("text", "phone"):
            raise ValueError(
                f"field {self.id}: a {self.type} that is unknown is left empty; unknown goes with other types"
            )
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"field {self.id}: least {self.least} is more than most {self.most}")
        return self

    @property
    def may_be_unknown(self) -> bool:
        """Whether «пока неизвестно» is one of its values."""
        return self.unknown or self.type == "yes_no"


class Asked(Model):
    """A field asked for at a stage, always or under a condition. In YAML the field's id alone says the first."""

    field: Id
    when: Condition | None = None

    @model_validator(mode="before")
    @classmethod
    def _id_alone(cls, value: Any) -> Any:
        return {"field": value} if isinstance(value, str) else value
