"""What a template can do with a value, behind a bar: `{{ card.lesson_date | date('day') }}` (R3).

Pure. No filter makes much out of little: a result is at most some words longer than what it was made of. What does not fit
raises `UnfitError`, whose words never hold the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from services.pipelines.templates.errors import UnfitError
from services.pipelines.templates.reading import (
    DATE_FORMATS,
    NBSP,
    Language,
    day_in,
    formatted_day,
    money_in,
    number_in,
    phone_in,
    read_day,
    read_money,
    read_number,
    read_time,
)

BUILT_IN: Final = ("default", "lower", "safe", "trim", "upper")
"""Those of the template language that are let through; `safe` only on the company's own texts (`grammar`)."""
OWN: Final = ("capitalize_name", "date", "money", "phone", "plural", "time", "truncate")
FILTER_NAMES: Final = frozenset((*BUILT_IN, *OWN))
ARGUMENTS: Final = {"default": (0, 1), "date": (0, 1), "money": (0, 1), "plural": (2, 3), "truncate": (0, 1)}
"""How many values each takes in brackets, at least and at most; the others take none."""
FORMS: Final = {"ru": 3, "en": 2}
"""How many forms a counted word has."""
_WORD = re.compile(r"[^\W\d_]+")


def filters_for(language: Language) -> dict[str, Callable[..., Any]]:
    """Our own filters, speaking this language."""

    def date(value: Any, form: Any = None) -> str:
        """A day: as read by default, or «24 ноября 2026 года» (long), «24 ноября» (day), «вторник» (weekday), «во вторник»
        (on_weekday)."""
        day = read_day(_text("date", value))
        if day is None:
            raise UnfitError(
                "date",
                "date goes with a date: card.ID of a date field, today, now",
                "date бывает у даты: card.ID поля-даты, today, now",
            )
        if form is None:
            return day_in(language, day)
        if form not in DATE_FORMATS:
            known = ", ".join(f"'{name}'" for name in DATE_FORMATS)
            raise UnfitError(
                "date",
                f"there is no such form of a date; write one of {known}",
                f"такого вида даты нет; напишите один из: {known}",
            )
        return formatted_day(language, day, form)

    def time(value: Any) -> str:
        """The time of a time field, or of `now`: 18:30."""
        found = read_time(_text("time", value))
        if found is None:
            raise UnfitError(
                "time",
                "time goes with a time: card.ID of a time field, now",
                "time бывает у времени: card.ID поля-времени, now",
            )
        return found

    def money(value: Any, currency: Any = None) -> str:
        """An amount: of a money field as it is, of a number with its currency: money('RUB')."""
        text = _text("money", value)
        if (found := read_money(text)) is not None and currency is None:
            return money_in(language, *found)
        number = read_number(text)
        if number is None or not isinstance(currency, str) or not re.fullmatch(r"[A-Z]{3}", currency):
            raise UnfitError(
                "money",
                "money goes with a money field, or with a number and a currency: money('RUB')",
                "money бывает у поля-суммы или у числа с валютой: money('RUB')",
            )
        return money_in(language, number, currency)

    def plural(value: Any, *forms: Any) -> str:
        """A number with its word: 1 урок, 2 урока, 5 уроков; 1 lesson, 2 lessons."""
        if len(forms) != FORMS[language] or not all(isinstance(form, str) for form in forms):
            raise UnfitError(
                "plural",
                "in Russian plural takes three forms, plural('урок', 'урока', 'уроков'); in English two, "
                "plural('lesson', 'lessons')",
                "по-русски у plural три формы, plural('урок', 'урока', 'уроков'); по-английски две, "
                "plural('lesson', 'lessons')",
            )
        number = read_number(_text("plural", value))
        if number is None:
            raise UnfitError(
                "plural",
                "plural goes with a number; of a field with a unit take stored.ID",
                "plural бывает у числа; у поля с единицей берите stored.ID",
            )
        form = russian_form(number) if language == "ru" else int(abs(number) != 1)
        return f"{number_in(language, number)}{NBSP}{forms[form]}"

    def phone(value: Any) -> str:
        """A number with its country code, as it is dialled: +7 900 123-45-67; whatever is none stays as it is."""
        text = _text("phone", value)
        return phone_in(text) or text

    def capitalize_name(value: Any) -> str:
        """ИВАН ПЕТРОВ and иван петров as Иван Петров; words of both cases are left alone: they were written so."""
        return _WORD.sub(
            lambda found: found[0].capitalize() if found[0].islower() or found[0].isupper() else found[0],
            _text("capitalize_name", value),
        )

    def truncate(value: Any, length: Any = 70) -> str:
        """At most so many characters, cut between words, with … where something was cut."""
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise UnfitError(
                "truncate",
                "truncate takes a number of characters: truncate(70)",
                "truncate берёт число знаков: truncate(70)",
            )
        text = _text("truncate", value)
        if len(text) <= length:
            return text
        cut = text[: length - 1]
        if not text[length - 1].isspace():
            cut = cut.rpartition(" ")[0] or cut
        return f"{cut.rstrip()}…"

    return {
        "date": date,
        "time": time,
        "money": money,
        "plural": plural,
        "phone": phone,
        "capitalize_name": capitalize_name,
        "truncate": truncate,
    }


def russian_form(number: Decimal) -> int:
    """Which of the three forms goes with a number: 0 один урок, 1 два урока (and 2,4 урока), 2 пять уроков."""
    number = abs(number)
    if number != number.to_integral_value():
        return 1
    last_two = int(number % 100)
    last = last_two % 10
    if last == 1 and last_two != 11:
        return 0
    return 1 if 2 <= last <= 4 and not 12 <= last_two <= 14 else 2


def _text(filter_name: str, value: Any) -> str:
    """What a filter was given, as text. Nothing: a name without a value. Raises UnfitError."""
    if value is None:
        raise UnfitError(filter_name, missing=True)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnfitError(
            filter_name,
            f"{filter_name} goes with a text or a number",
            f"{filter_name} бывает у текста или числа",
        )
    return str(value)
