"""The card of a pipeline: typed fields in groups (Q2, S2).

Values stand in events as text, each type in one form (`services.leads.domain.card` reads what people type): number `2.4`,
money `120000.00 RUB`, date `2026-12-24`, time `18:30`, choice the option's id, yes_no `yes` or `no`, phone E.164; and `unknown`
(«пока неизвестно») where the field allows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from contracts.pipeline.names import Misfit, misfits, twice
from contracts.pipeline.parts import Condition, Id, Model, Role, Titles

FieldType = Literal["text", "number", "money", "date", "time", "choice", "yes_no", "phone"]
UNKNOWN: Final = "unknown"
"""The value «пока неизвестно»: an answer, but not the data a mandatory field asks for."""
DECLINED: Final = "declined"
"""Q11: the value «клиент отказался ответить»: asked for and not given. A mandatory field that has it is not asked for again."""
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
    declined: bool = False
    """Q11: whether «клиент отказался ответить» can be recorded as the answer."""
    by: tuple[Role, ...] = ("seller", "head")
    """Who may write it; nobody: it is filled by forms and imports alone."""
    hint: Titles | None = None

    @model_validator(mode="after")
    def _as_its_type_asks(self) -> CardField:
        if (error := misfits(self._misfits())) is not None:
            raise error
        return self

    def _misfits(self) -> Iterator[Misfit]:
        here, here_ru = f"field {self.id}", f"поле {self.id}"
        for what, owner in (("unit", "number"), ("least", "number"), ("most", "number"), ("currencies", "money")):
            if getattr(self, what) not in (None, ()) and self.type != owner:
                yield Misfit(
                    (what,),
                    f"{here}: {what} goes with type {owner}, not with {self.type}; take it away, or write type: {owner}",
                    f"{here_ru}: {what} бывает у типа {owner}, а не {self.type}; уберите его или напишите type: {owner}",
                )
        if self.options and self.type != "choice":
            yield Misfit(
                ("options",),
                f"{here}: only a choice has options; make it type: choice, or take the options away",
                f"{here_ru}: варианты есть только у выбора; напишите type: choice или уберите options",
            )
        if self.type == "choice" and not self.options:
            example = 'options: [{id: stone, titles: {ru: "Камень", en: "Stone"}}]'
            yield Misfit(
                ("type",),
                f"{here}: a choice needs options, for example {example}",
                f"{here_ru}: у выбора должны быть варианты, например {example}",
            )
        ids = (option.id for option in self.options)
        yield from twice(f"{here}: option", f"{here_ru}, варианты", ids, ("options",))
        for n, option in enumerate(self.options):
            if option.id == UNKNOWN:
                yield Misfit(
                    ("options", n, "id"),
                    f"{here}: «пока неизвестно» is no option; write unknown: true on the field instead",
                    f"{here_ru}: «пока неизвестно» — не вариант; напишите у поля unknown: true",
                )
            if option.id == DECLINED and self.declined:
                yield Misfit(
                    ("options", n, "id"),
                    f"{here}: «the client declined to answer» is no option beside declined: true; take the option away",
                    f"{here_ru}: «клиент отказался ответить» — не вариант при declined: true; уберите вариант",
                )
        if self.unknown and self.type in ("text", "phone"):
            yield Misfit(
                ("unknown",),
                f"{here}: a {self.type} that is unknown is left empty; unknown goes with other types",
                f"{here_ru}: неизвестный {self.type} оставляют пустым; unknown бывает у других типов",
            )
        if self.least is not None and self.most is not None and self.least > self.most:
            yield Misfit(
                ("least",),
                f"{here}: least {self.least} is more than most {self.most}; swap them",
                f"{here_ru}: least {self.least} больше, чем most {self.most}; поменяйте их местами",
            )

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
