"""Public holidays by country, as the library `holidays` knows them (decision 12).

Invariants: the answer depends on country, subdivision, years and the library's version alone. Days that a government has moved
are in it only once the library has learnt of them. A country or subdivision that is not there is the caller's to refuse
(`subdivisions`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Literal

import holidays
from holidays.registry import COUNTRIES

Language = Literal["ru", "en"]
LANGUAGES: Mapping[Language, str] = {"ru": "ru", "en": "en_US"}


@dataclass(frozen=True, slots=True)
class PublicDays:
    """Days off by their names, and days of rest that are worked in return for one of them."""

    off: Mapping[date, str]
    worked: frozenset[date]


@lru_cache(maxsize=1)
def countries() -> Mapping[str, str]:
    """All there are: name in English by ISO 3166 code of two letters."""
    return {codes[1]: _spaced(codes[0]) for codes in COUNTRIES.values()}


def subdivisions(country: str) -> tuple[str, ...] | None:
    """Codes of a country's parts that have holidays of their own; None: there is no such country."""
    return tuple(_entity(country).subdivisions) if country in countries() else None


def near_country(meant: str) -> str | None:
    """The code of the country that somebody may have meant: by its code of three letters, its name, or one like these."""
    names = {key.casefold(): codes[1] for codes in COUNTRIES.values() for key in codes[1:]}
    names |= {name.casefold(): code for code, name in countries().items()}
    near = get_close_matches(meant.casefold(), names, 1, 0.7)
    return names[near[0]] if near else None


def near_subdivision(country: str, meant: str) -> str | None:
    """The code of the part of a country that somebody may have meant, by its code or a name."""
    entity = _entity(country)
    names = {code.casefold(): code for code in entity.subdivisions}
    names |= {str(name).casefold(): code for name, code in getattr(entity, "subdivisions_aliases", {}).items()}
    near = get_close_matches(meant.casefold(), names, 1, 0.7)
    return names[near[0]] if near else None


def public_days(
    country: str, subdivision: str | None, years: Sequence[int], language: Language | None = None
) -> PublicDays:
    """Days off and days worked instead, of these years. `language` of the names: the country's own where it has no such one.

    Raises ValueError for a country or subdivision that is not there.
    """
    entity = _entity(country)
    known = [year for year in years if entity.start_year <= year <= entity.end_year]
    if not known:
        return PublicDays({}, frozenset())
    tongue = LANGUAGES[language] if language else None
    tongue = tongue if tongue in entity.supported_languages else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that it knows not all of these years: it says what it knows
            found = entity(subdiv=subdivision, years=known, language=tongue)
    except NotImplementedError as error:
        raise ValueError(str(error)) from error
    worked = frozenset(day for day in found.weekend_workdays if day.year in known)
    return PublicDays({day: name for day, name in sorted(found.items()) if day.year in known}, worked)


def _entity(country: str) -> Any:
    """The library's class of a country. Raises ValueError."""
    if country not in countries():
        raise ValueError(f"no country {country}")
    return getattr(holidays, country)


def _spaced(name: str) -> str:
    """`UnitedKingdom` as people write it."""
    return "".join(f" {sign}" if sign.isupper() and n else sign for n, sign in enumerate(name))
