"""The parts that forms on the pages are made of, and the input of a card field by its type (Q2).

Pure. Invariants: a kept value that its type's input could not show is shown as text, so that saving the form loses nothing; what
is not known yet is said beside the input and never typed into it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Literal

from contracts.commands import Missing
from contracts.pipeline import DECLINED, UNKNOWN, CardField
from services.web.texts import Words

Kind = Literal["text", "long", "number", "money", "date", "time", "choice", "tick", "phone", "email", "link"]
Mark = Literal["", "mandatory", "desirable"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a choice; options of one `group` stand together."""

    value: str
    label: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """One input. `tick`: a box whose value is `1`; `unknown`, `declined`: whether «пока неизвестно», or «клиент отказался
    ответить», is ticked (None: not offered)."""

    name: str
    label: str
    kind: Kind = "text"
    value: str = ""
    required: bool = False
    options: tuple[Choice, ...] = ()
    unit: str = ""
    hint: str = ""
    currency: str = ""
    currencies: tuple[str, ...] = ()
    unknown: bool | None = None
    declined: bool | None = None
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A form for one command. `closed`: why this reader cannot give it; such a form has no inputs to fill."""

    command: str
    id: str
    title: str
    button: str = ""
    inputs: tuple[Input, ...] = ()
    hidden: tuple[tuple[str, str], ...] = ()
    closed: str = ""


def field_input(field: CardField, value: str, words: Words, mark: Mark = "", prefix: str = "f_") -> Input:
    """The input of a card field with this value in it, as it is kept."""
    declined = (value == DECLINED) if field.declined else None
    given = _typed_input(field, "" if declined and field.type not in CHOSEN else value, words, mark, prefix)
    if field.type in CHOSEN or declined is None:
        return given
    return replace(given, declined=declined)


CHOSEN = frozenset({"choice", "yes_no"})
"""Types whose input is a list: «пока неизвестно» and «клиент отказался ответить» are options of it."""


def _typed_input(field: CardField, value: str, words: Words, mark: Mark, prefix: str) -> Input:
    name = f"{prefix}{field.id}"
    label, hint = words.of(field.titles), words.of(field.hint) if field.hint else ""
    unknown = (value == UNKNOWN) if field.may_be_unknown else None
    typed = "" if unknown else value
    match field.type:
        case "choice" | "yes_no":
            options = tuple(Choice(option.id, words.of(option.titles)) for option in field.options)
            if field.type == "yes_no":
                options = (Choice("yes", words("yes")), Choice("no", words("no")))
            if field.may_be_unknown:
                options += (Choice(UNKNOWN, words("unknown")),)
            if field.declined:
                options += (Choice(DECLINED, words("declined")),)
            if value and value not in {option.value for option in options}:
                options = (Choice(value, value), *options)
            return Input(name, label, "choice", value, options=options, hint=hint, mark=mark)
        case "number":
            unit = words.of(field.unit) if field.unit else ""
            return Input(name, label, "number", typed, unit=unit, hint=hint, unknown=unknown, mark=mark)
        case "money":
            offered = field.currencies or ("RUB",)
            amount, _, currency = typed.partition(" ")
            if typed and not (_is_amount(amount) and currency in offered):
                return Input(name, label, "text", typed, hint=hint, unknown=unknown, mark=mark)
            return Input(
                name,
                label,
                "money",
                amount.removesuffix(".00"),
                hint=hint,
                currency=currency or offered[0],
                currencies=offered,
                unknown=unknown,
                mark=mark,
            )
        case "date":
            kind: Kind = "date" if _is_day(typed) or not typed else "text"
            return Input(name, label, kind, typed, hint=hint, unknown=unknown, mark=mark)
        case "time":
            return Input(name, label, "time", typed, hint=hint, unknown=unknown, mark=mark)
        case "phone":
            return Input(name, label, "phone", value, hint=hint, mark=mark)
    return Input(name, label, "long", value, hint=hint, mark=mark)


def demanded(given: Input, lack: Missing) -> Input:
    """An input for what a move lacks: «пока неизвестно» would not do; «клиент отказался ответить» would, so the input beside that
    box may stay empty; one of phone and e-mail is enough."""
    options = tuple(option for option in given.options if option.value != UNKNOWN)
    value = "" if given.value == UNKNOWN else given.value
    return replace(
        given, required=lack.id != "reachable" and given.declined is None, unknown=None, options=options, value=value
    )


def _is_amount(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
