"""Values as people read them in a letter, in Russian and in English: dates, times, money, numbers, phones (R3).

Pure and total: what cannot be read so is None, and the caller decides. Month and weekday names are data here: there is no
locale library, and the C library's locales differ from machine to machine.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

import phonenumbers

from contracts.pipeline import Period

Language = Literal["ru", "en"]
THIN: Final = "\u202f"
"""Narrow no-break space: between thousands, and before a currency's sign."""
NBSP: Final = "\u00a0"
SIGNS: Final = {"RUB": "₽", "USD": "$", "EUR": "€", "KZT": "₸"}
MONTHS: Final[dict[Language, tuple[str, ...]]] = {
    "ru": (
        *("января", "февраля", "марта", "апреля", "мая", "июня"),
        *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}
"""Months, in Russian as they stand after a day: «24 ноября»."""
WEEKDAYS: Final[dict[Language, tuple[str, ...]]] = {
    "ru": ("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
ON_WEEKDAY: Final[dict[Language, tuple[str, ...]]] = {
    "ru": ("в понедельник", "во вторник", "в среду", "в четверг", "в пятницу", "в субботу", "в воскресенье"),
    "en": tuple(f"on {day}" for day in WEEKDAYS["en"]),
}
"""On which weekday: a case of its own in Russian."""
YES_NO: Final[dict[Language, tuple[str, str]]] = {"ru": ("да", "нет"), "en": ("yes", "no")}
DATE_FORMATS: Final = ("long", "day", "weekday", "on_weekday")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?", re.DOTALL)
_DOTTED = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})(?:, .*)?", re.DOTALL)
_IN_WORDS = re.compile(r"(\d{1,2}) ([A-Z][a-z]+) (\d{4})(?:, .*)?", re.DOTALL)
_TIME = re.compile(r"(?:.*[ T])?(\d{2}):(\d{2})(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?", re.DOTALL)
_NUMBER = re.compile(r"-?\d{1,18}(?:[.,]\d{1,8})?")
_GAPS = re.compile(rf"(?<=\d)[{THIN}{NBSP} ](?=\d{{3}}(?!\d))")
_MONEY = re.compile(rf"([-\d.,{THIN}{NBSP} ]+?)[{THIN}{NBSP} ]?(?:([A-Z]{{3}})|([{''.join(SIGNS.values())}]))")


def day_in(language: Language, day: date) -> str:
    """24.11.2026, or 24 November 2026."""
    if language == "ru":
        return f"{day.day:02}.{day.month:02}.{day.year:04}"
    return f"{day.day} {MONTHS['en'][day.month - 1]} {day.year}"


def moment_in(language: Language, moment: datetime) -> str:
    """A day and its time, on the clock that the moment carries: 24.11.2026, 18:30."""
    return f"{day_in(language, moment.date())}, {time_of_day(moment.time())}"


def time_of_day(at: time) -> str:
    """18:30, in both languages."""
    return f"{at.hour:02}:{at.minute:02}"


def formatted_day(language: Language, day: date, form: str) -> str:
    """A day in one of `DATE_FORMATS`: «24 ноября 2026 года», «24 ноября», «вторник», «во вторник»."""
    if form == "weekday":
        return WEEKDAYS[language][day.weekday()]
    if form == "on_weekday":
        return ON_WEEKDAY[language][day.weekday()]
    shown = f"{day.day}{NBSP}{MONTHS[language][day.month - 1]}"
    if form == "day":
        return shown
    return f"{shown} {day.year}{NBSP}года" if language == "ru" else f"{shown} {day.year}"


def read_day(text: str) -> date | None:
    """The day of a text: as kept (2026-11-24), or as people read it in either language, with a time behind it or without."""
    try:
        if found := _ISO.fullmatch(text):
            return date(int(found[1]), int(found[2]), int(found[3]))
        if found := _DOTTED.fullmatch(text):
            return date(int(found[3]), int(found[2]), int(found[1]))
        if (found := _IN_WORDS.fullmatch(text)) and found[2] in MONTHS["en"]:
            return date(int(found[3]), MONTHS["en"].index(found[2]) + 1, int(found[1]))
    except ValueError:
        pass  # the 31st of February
    return None


def read_time(text: str) -> str | None:
    """18:30 out of a text that is a time or ends with one."""
    found = _TIME.fullmatch(text)
    return f"{found[1]}:{found[2]}" if found and int(found[1]) < 24 and int(found[2]) < 60 else None


def number_in(language: Language, number: Decimal) -> str:
    """2,4 in Russian, 2.4 in English; thousands apart from 10 000 on."""
    whole, _, part = f"{number:f}".partition(".")
    part = part.rstrip("0")
    if len(whole.lstrip("-")) > 4:
        whole = f"{int(whole):,}".replace(",", THIN)
    return whole + (("," if language == "ru" else ".") + part if part else "")


def read_number(text: str) -> Decimal | None:
    """The number that a text is, as kept or as read in either language."""
    joined = _GAPS.sub("", text)
    if _NUMBER.fullmatch(joined) is None:
        return None
    try:
        return Decimal(joined.replace(",", "."))
    except InvalidOperation:
        return None


def money_in(language: Language, amount: Decimal, currency: str) -> str:
    """120 000 ₽, with narrow spaces; hundredths only where there are any: 99,50 ₽."""
    rounded = amount.quantize(Decimal("0.01"))
    text = f"{rounded:,.2f}".removesuffix(".00").replace(",", THIN)
    if language == "ru":
        text = text.replace(".", ",")
    return f"{text}{THIN}{SIGNS.get(currency, currency)}"


def read_money(text: str) -> tuple[Decimal, str] | None:
    """Amount and currency of a text: as kept (120000.00 RUB), or as people read it (120 000 ₽)."""
    found = _MONEY.fullmatch(text.strip())
    amount = read_number(found[1].strip()) if found else None
    if found is None or amount is None:
        return None
    return amount, found[2] or next(code for code, sign in SIGNS.items() if sign == found[3])


_GENITIVE: Final = ("", "одного", "двух", "трёх", "четырёх", "пяти", "шести", "семи", "восьми", "девяти", "десяти")
_ENGLISH: Final = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_UNITS: Final = (
    ("months", ("месяца", "месяцев"), ("month", "months")),
    ("days", ("дня", "дней"), ("day", "days")),
    ("hours", ("часа", "часов"), ("hour", "hours")),
    ("minutes", ("минуты", "минут"), ("minute", "minutes")),
)
"""Parts of a period: its Russian forms in the genitive (of one; of several), and the English ones."""


def period_in(language: Language, period: Period) -> str:
    """A period as it stands after «в течение» and “within”: «одного рабочего часа», “one working hour”."""
    parts = []
    for unit, ru, en in _UNITS:
        number = int(getattr(period, unit))
        if number:
            told = _russian(number, unit, ru) if language == "ru" else _english(number, en)
            parts.append(told.replace("*", _working(period, unit, number, language)))
    return (" и " if language == "ru" else " and ").join(parts)


def _russian(number: int, unit: str, forms: tuple[str, str]) -> str:
    one = number % 10 == 1 and number % 100 != 11
    words = _GENITIVE[number] if number < len(_GENITIVE) else str(number)
    return f"{'одной' if number == 1 and unit == 'minutes' else words} *{forms[not one]}"


def _english(number: int, forms: tuple[str, str]) -> str:
    return f"{_ENGLISH[number] if number < len(_ENGLISH) else number} *{forms[number != 1]}"


def _working(period: Period, unit: str, number: int, language: Language) -> str:
    if not period.working or unit == "months":
        return ""
    if language == "en":
        return "working "
    one = number % 10 == 1 and number % 100 != 11
    return ("рабочей " if unit == "minutes" else "рабочего ") if one else "рабочих "


def phone_in(text: str) -> str | None:
    """+7 900 123-45-67 of a number with its country code; None where it is none."""
    if len(text) > 100:
        return None
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
