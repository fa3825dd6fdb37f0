"""How what finds a person is normalised, so that one person is found by it however it was typed (C3).

Invariants: pure and total: what cannot be read is None, never an exception; the same person's number typed with or without
country code gives the same text.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from contracts.events import IdentityKind


@dataclass(frozen=True, slots=True)
class Identity:
    """What finds a person, in its normal form, and the keyed hash it is looked up by."""

    kind: IdentityKind
    value: str
    hmac: bytes


def normalise_phone(text: str | None, region: str) -> str | None:
    """E.164 (`+79001234567`), or None when it is no possible number. `region` reads numbers without a country code."""
    if not text or len(text) > 100:
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalise_email(text: str | None) -> str | None:
    """The address with its domain and local part in lower case (no mail system of today tells them apart), or None."""
    if not text or len(text) > 320:
        return None
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None


def names_differ(one: str | None, other: str | None) -> bool:
    """Whether two names are clearly of two people: both given, in one alphabet, and neither's words are among the other's.

    «Иван» and «Иван Петров» may be one person; «Иван» and «Мария» are not (C3). «Anna» and «Анна» may be one, whom a mail
    program names otherwise than a form: two alphabets say nothing.
    """
    first, second = _words(one), _words(other)
    if not first or not second or _alphabets(first).isdisjoint(_alphabets(second)):
        return False
    return not (first <= second or second <= first)


def _words(name: str | None) -> frozenset[str]:
    return frozenset((name or "").casefold().replace("ё", "е").split())


def _alphabets(words: frozenset[str]) -> frozenset[str]:
    """The alphabets of the letters, by the first word of their Unicode names: LATIN, CYRILLIC and so on."""
    letters = {letter for word in words for letter in word}
    return frozenset(unicodedata.name(letter, "?").partition(" ")[0] for letter in letters if letter.isalpha()) or (
        frozenset({"?"})
    )
