"""What a template sees of a lead (R3): every value as people read it in the language, and beside it what is kept.

Pure. What is not known is not there: an empty field, «пока неизвестно», «клиент отказался ответить», a lead without a name. Then
a template says what it writes instead, by `default` or `is defined`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from contracts.pipeline import DECLINED, UNKNOWN, CardField, Pipeline, Titles
from services.pipelines.templates.reading import (
    NBSP,
    YES_NO,
    Language,
    day_in,
    moment_in,
    money_in,
    number_in,
    period_in,
    phone_in,
    read_money,
    read_number,
    read_time,
)

LEAD_NAMES: Final = ("name", "first_name", "company", "phone", "email", "responsible", "source", "stage")
COMPANY_NAMES: Final = ("name", "address", "phone", "email", "site", "signature")
"""What the settings say of our own company, where they say nothing else."""
_PATRONYMICS = ("ич", "вна", "чна", "оглы", "кызы")


@dataclass(frozen=True, slots=True)
class LeadValues:
    """A lead as plain values. `card` and `facts`: as they are kept, by id; a fact without a value is None. `stage`: its id."""

    name: str | None = None
    first_name: str | None = None
    """Where a form asked for it; otherwise it is read off the name, where that can be told."""
    company: str | None = None
    phone: str | None = None
    email: str | None = None
    responsible: str | None = None
    """How the responsible employee is called."""
    source: str | None = None
    stage: str | None = None
    card: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str | None] = field(default_factory=dict)


def values_for(
    pipeline: Pipeline,
    lead: LeadValues,
    *,
    language: Language,
    now: datetime,
    zone: ZoneInfo,
    company: Mapping[str, str],
    unsubscribe: str | None = None,
) -> dict[str, object]:
    """The names of a template and their values.

    `lead`, `company`: texts. `card`: fields by id, as people read them: 24.11.2026 or 24 November 2026, 18:30, 120 000 ₽, 2,4 мм,
    да or yes, an option's title. `stored`: the same fields as they are kept, for conditions: ids of options, `yes`, `no`,
    `unknown`, numbers as numbers, 2026-11-24. `facts`: the title of the fact's option, its value, or true.
    `terms`: the pipeline's named periods in words, «одного рабочего часа». `now`, `today`: on the clock of the zone.
    `unsubscribe`: the address that ends such letters, where there is one. `now` is an instant with a zone.
    """
    local = now.astimezone(zone)
    return {
        "lead": _known(
            {
                "name": lead.name,
                "first_name": lead.first_name or first_name(lead.name or ""),
                "company": lead.company,
                "phone": (phone_in(lead.phone) or lead.phone) if lead.phone else None,
                "email": lead.email,
                "responsible": lead.responsible,
                "source": lead.source,
                "stage": _in(language, pipeline.by_id[lead.stage].titles) if lead.stage in pipeline.by_id else None,
            }
        ),
        "card": _known({one.id: shown(one, lead.card.get(one.id, ""), language) for one in pipeline.fields}),
        "stored": {
            one.id: _stored(one, value) for one in pipeline.fields if (value := lead.card.get(one.id, "").strip())
        },
        "facts": {fact: _fact(pipeline, fact, value, language) for fact, value in lead.facts.items()},
        "company": _known(company),
        "terms": {term.id: period_in(language, term.period) for term in pipeline.terms},
        "now": moment_in(language, local),
        "today": day_in(language, local.date()),
        **({"unsubscribe": unsubscribe} if unsubscribe else {}),
    }


def shown(card_field: CardField, value: str, language: Language) -> str | None:
    """A kept value of the card as people read it; None where nothing is known. What was kept while the field was of another type
    stays as it is."""
    if not value.strip() or (value == UNKNOWN and card_field.may_be_unknown):
        return None
    if value == DECLINED and card_field.declined:
        return None
    told: str | None = None
    match card_field.type:
        case "date":
            told = _day(value, language)
        case "time":
            told = read_time(value)
        case "money":
            told = money_in(language, *money) if (money := read_money(value)) else None
        case "number":
            if (number := read_number(value)) is not None:
                unit = f"{NBSP}{_in(language, card_field.unit)}" if card_field.unit else ""
                told = number_in(language, number) + unit
        case "yes_no":
            told = dict(zip(("yes", "no"), YES_NO[language], strict=True)).get(value)
        case "choice":
            told = next((_in(language, one.titles) for one in card_field.options if one.id == value), None)
        case "phone":
            told = phone_in(value)
    return told or value


def first_name(name: str) -> str | None:
    """The first name in a full one: the only word, or the one before a patronymic. None where it cannot be told: «Иван Петров»
    and «Петров Иван» are written alike, and a client called by his surname is worse than one called by nothing."""
    words = name.split()
    if len(words) == 1:
        return words[0]
    for before, word in pairwise(words):
        if len(word) > 3 and word.casefold().endswith(_PATRONYMICS):
            return before
    return None


def _day(value: str, language: Language) -> str | None:
    try:
        return day_in(language, date.fromisoformat(value))
    except ValueError:
        return None


def _stored(card_field: CardField, value: str) -> object:
    """A kept value for conditions: numbers as numbers, everything else as the text it is kept as."""
    number = read_number(value) if card_field.type == "number" else None
    if number is None:
        return value
    return int(number) if number == number.to_integral_value() else float(number)


def _fact(pipeline: Pipeline, fact: str, value: str | None, language: Language) -> object:
    if value is None:
        return True
    known = pipeline.facts_by_id.get(fact)
    option = known.option(value) if known else None
    return _in(language, option.titles) if option else value


def _in(language: Language, titles: Titles) -> str:
    return titles.ru if language == "ru" else titles.en


def _known(texts: Mapping[str, str | None]) -> dict[str, object]:
    return {name: text for name, text in texts.items() if text is not None and text.strip()}
