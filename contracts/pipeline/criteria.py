"""Facts and exit criteria (S2, P3, C8): what must be known or have happened before a lead goes on.

A fact is an event that a person's command records (or, for some, an inbound message). Facts of every pipeline are in
`BUILT_IN_FACTS`; a pipeline declares further ones, and may give built-in ones options of its own (the results of a meeting).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from contracts.pipeline.names import misfits, twice
from contracts.pipeline.parts import Condition, Id, Model, OrId, Role, StageId, Titles

BUILT_IN_FACTS: Final[dict[str, Titles]] = {
    "seen": Titles(ru="менеджер увидел заявку", en="a manager has seen the lead"),
    "accepted": Titles(ru="менеджер принял заявку в работу", en="a manager has taken the lead into work"),
    "offer": Titles(ru="клиенту сделано предложение", en="an offer was made to the client"),
    "answer": Titles(ru="получен ответ клиента", en="the client's answer is recorded"),
    "call_held": Titles(ru="разговор с клиентом состоялся", en="a call with the client was held"),
    "meeting_held": Titles(ru="встреча проведена, результат записан", en="a meeting was held, with its result"),
    "document_sent": Titles(ru="документ отправлен клиенту", en="a document was sent to the client"),
    "task_done": Titles(ru="задача выполнена", en="a task is done"),
    "approved": Titles(ru="руководитель согласовал", en="the head has approved"),
    "file_attached": Titles(ru="файл приложен", en="a file is attached"),
}
"""Facts that every pipeline has, by id, and how they are called where a criterion says nothing else."""


class FactOption(Model):
    """One of the values a fact can have. `opens`: once recorded in a stage visit, the lead goes there and nowhere else."""

    id: Id
    titles: Titles
    opens: tuple[StageId, ...] = ()
    proposes: StageId | None = None


class Fact(Model):
    """A fact of this pipeline. `holds`: for the lead as a whole, or only in the stage visit it was recorded in.

    `proposes`: the stage that the fact speaks for; it is offered to a person, who decides (C8).
    """

    id: Id
    titles: Titles
    holds: Literal["lead", "visit"] = "lead"
    by: tuple[Role, ...] = ("seller", "head")
    options: tuple[FactOption, ...] = Field(default=(), max_length=50)
    proposes: StageId | None = None

    @model_validator(mode="after")
    def _options_are_told_apart(self) -> Fact:
        if (error := misfits(twice(f"fact {self.id}: option", (o.id for o in self.options), ("options",)))) is not None:
            raise error
        return self

    def option(self, value: str | None) -> FactOption | None:
        """The option of this id."""
        return next((option for option in self.options if option.id == value), None)


class FactCriterion(Model):
    """The lead must have this recorded fact, with one of these values where any are named."""

    fact: Id
    value: Annotated[tuple[Id, ...], OrId()] = ()
    titles: Titles | None = None
    when: Condition | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_value_alone(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("value"), str):
            return {**data, "value": [data["value"]]}
        return data


class FieldCriterion(Model):
    """The card must have this field filled; «пока неизвестно» does not fill it."""

    field: Id
    titles: Titles | None = None
    when: Condition | None = None


class ContactCriterion(Model):
    """What must be known of the client: `reachable` is at least one of phone and e-mail."""

    contact: Literal["name", "company", "phone", "email", "reachable"]
    titles: Titles | None = None
    when: Condition | None = None


def _kind_of_criterion(value: Any) -> str | None:
    names = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    return next((name.capitalize() for name in ("fact", "field", "contact") if name in names), None)


Criterion = Annotated[
    Annotated[FactCriterion, Tag("Fact")]
    | Annotated[FieldCriterion, Tag("Field")]
    | Annotated[ContactCriterion, Tag("Contact")],
    Discriminator(
        _kind_of_criterion,
        custom_error_type="criterion",
        custom_error_message="a criterion names one of: fact, field, contact; for example {field: needs}",
    ),
]
