"""Values of the card: what a person types, read by the field's type into the one form it is kept in (Q2, S2).

Pure. A value that cannot be read is a problem in words that never repeat the value: it may be personal, and a refusal is kept
for ever. An empty text clears a field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from contracts.pipeline import DECLINED, UNKNOWN, CardField

YES: Final = frozenset({"yes", "да", "true", "y", "д", "+"})
NO: Final = frozenset({"no", "нет", "false", "n", "н", "-"})
NOT_KNOWN: Final = frozenset({UNKNOWN, "пока неизвестно", "неизвестно", "not known yet", "?"})
NOT_SAID: Final = frozenset(
    {DECLINED, "клиент отказался ответить", "отказался ответить", "the client declined to answer", "declined to answer"}
)
SIGNS: Final = {"₽": "RUB", "руб": "RUB", "руб.": "RUB", "р": "RUB", "р.": "RUB", "$": "USD", "€": "EUR", "₸": "KZT"}
DIGITS: Final = 15
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?")
_TIME = re.compile(r"(\d{1,2})(?:[:.\-](\d{2}))?")
_DATE = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a value cannot be kept, in words for people."""

    ru: str
    en: str


def read_typed(field: CardField, text: str, phone: Callable[[str], str | None]) -> str | Unreadable:
    """A typed value in the form it is kept in; an empty text stays empty. `phone`: reads a phone, None for what is none."""
    text = text.strip()
    if not text:
        return ""
    if field.may_be_unknown and text.casefold() in NOT_KNOWN:
        return UNKNOWN
    if field.declined and text.casefold() in NOT_SAID:
        return DECLINED
    match field.type:
        case "number":
            return _number(field, text)
        case "money":
            return _money(field, text)
        case "date":
            return _date(field, text)
        case "time":
            return _time(field, text)
        case "choice":
            return _choice(field, text)
        case "yes_no":
            return _yes_no(field, text)
        case "phone":
            return phone(text) or Unreadable(
                f"«{field.titles.ru}»: это не телефон. Пример: +7 900 123-45-67.",
                f"“{field.titles.en}”: this is no phone. For example: +7 900 123-45-67.",
            )
    return text


def is_unknown(field: CardField, value: str | None) -> bool:
    """Whether «пока неизвестно» is recorded: no answer yet."""
    return field.may_be_unknown and value == UNKNOWN


def is_declined(field: CardField, value: str | None) -> bool:
    """Q11: whether the client would not answer: asked for, and asked for no more."""
    return field.declined and value == DECLINED


def plain_value(field: CardField, value: str) -> object:
    """A kept value as a condition sees it: numbers as numbers, money as its amount and currency, all else as text. What is not
    known yet, or was not said, is the text `unknown` or `declined`: a comparison with a number does not hold over it."""
    if is_unknown(field, value) or is_declined(field, value):
        return value
    try:
        if field.type == "number":
            return float(value)
        if field.type == "money":
            amount, _, currency = value.partition(" ")
            return {"amount": float(amount), "currency": currency}
    except ValueError:
        pass  # written while the field was of another type, in an earlier version of the pipeline
    return value


def _number(field: CardField, text: str) -> str | Unreadable:
    unit = {"", field.unit.ru.casefold(), field.unit.en.casefold()} if field.unit else {""}
    number, rest = _split(text)
    if number is None or rest.casefold() not in unit:
        of = f" ({field.unit.ru})" if field.unit else ""
        of_en = f" ({field.unit.en})" if field.unit else ""
        return Unreadable(
            f"«{field.titles.ru}»: нужно число{of}. Пример: 2,4.",
            f"“{field.titles.en}”: a number{of_en} is needed. For example: 2.4.",
        )
    if (field.least is not None and number < field.least) or (field.most is not None and number > field.most):
        least = "…" if field.least is None else field.least
        most = "…" if field.most is None else field.most
        return Unreadable(
            f"«{field.titles.ru}»: число вне пределов {least} – {most}.",
            f"“{field.titles.en}”: the number is outside {least} – {most}.",
        )
    return f"{number.normalize():f}"


def _money(field: CardField, text: str) -> str | Unreadable:
    offered = field.currencies or ("RUB",)
    number, rest = _split(text)
    currency = SIGNS.get(rest.casefold(), rest.upper()) if rest else offered[0]
    if number is None or number < 0 or currency not in offered:
        usual = ", ".join(offered)
        return Unreadable(
            f"«{field.titles.ru}»: нужна сумма ({usual}). Пример: 120 000 {offered[0]}.",
            f"“{field.titles.en}”: an amount is needed ({usual}). For example: 120 000 {offered[0]}.",
        )
    return f"{number:.2f} {currency}"


def _date(field: CardField, text: str) -> str | Unreadable:
    found = _DATE.fullmatch(text)
    try:
        day = date(int(found[3]), int(found[2]), int(found[1])) if found else date.fromisoformat(text)
        if 1900 <= day.year <= 2200:
            return day.isoformat()
    except ValueError:
        pass
    return Unreadable(
        f"«{field.titles.ru}»: нужна дата. Пример: 24.12.2026.",
        f"“{field.titles.en}”: a date is needed. For example: 2026-12-24.",
    )


def _time(field: CardField, text: str) -> str | Unreadable:
    found = _TIME.fullmatch(text)
    hour, minute = (int(found[1]), int(found[2] or 0)) if found else (24, 0)
    if hour < 24 and minute < 60:
        return f"{hour:02}:{minute:02}"
    return Unreadable(
        f"«{field.titles.ru}»: нужно время. Пример: 18:30.",
        f"“{field.titles.en}”: a time is needed. For example: 18:30.",
    )


def _choice(field: CardField, text: str) -> str | Unreadable:
    wanted = text.casefold()
    for option in field.options:
        if wanted in (option.id, option.titles.ru.casefold(), option.titles.en.casefold()):
            return option.id
    ru = ", ".join(f"«{option.titles.ru}»" for option in field.options[:20])
    en = ", ".join(f"“{option.titles.en}”" for option in field.options[:20])
    return Unreadable(f"«{field.titles.ru}»: выберите из: {ru}.", f"“{field.titles.en}”: choose one of: {en}.")


def _yes_no(field: CardField, text: str) -> str | Unreadable:
    wanted = text.casefold()
    if wanted in YES:
        return "yes"
    if wanted in NO:
        return "no"
    return Unreadable(
        f"«{field.titles.ru}»: да, нет или пока неизвестно.", f"“{field.titles.en}”: yes, no, or not known yet."
    )


def _split(text: str) -> tuple[Decimal | None, str]:
    """The number a text begins with, and what stands behind it (or before it, as in «$ 20»)."""
    joined = re.sub(r"(?<=\d)[\s\u00a0\u202f'](?=\d{3}(?!\d))", "", text)
    found = _NUMBER.search(joined)
    if found is None or len(re.sub(r"\D", "", found[0])) > DIGITS:
        return None, ""
    before, behind = joined[: found.start()].strip(), joined[found.end() :].strip()
    if before and behind:
        return None, ""
    try:
        return Decimal(found[0].replace(",", ".")), behind or before
    except InvalidOperation:
        return None, ""
