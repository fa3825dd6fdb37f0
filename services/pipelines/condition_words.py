"""A condition as people read it: fields and facts by their titles, signs in words (U, N4).

Pure. Invariants: quoted texts stay as they are written; what is no name of the pipeline's stays as it is written too, so that
nothing of a condition is hidden. For reading only: what counts is the condition itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from contracts.pipeline import Pipeline, Words
from services.pipelines.conditions import QUOTED

_OF_LEAD: Final[dict[str, tuple[str, str]]] = {
    "stage": ("стадия", "stage"),
    "visit": ("номер захода на стадию", "number of the stage visit"),
    "responsible": ("ответственный", "responsible"),
    "name": ("имя", "name"),
    "company": ("компания", "company"),
    "phone": ("телефон", "phone"),
    "email": ("e-mail", "e-mail"),
    "source": ("источник", "source"),
    "channel": ("канал", "channel"),
    "outcome": ("что остаётся от лида", "what remains of the lead"),
    "attempts": ("звонков без ответа", "calls not answered"),
    "tags": ("метки", "tags"),
}
_SIGNS: Final[dict[str, tuple[str, str]]] = {
    "&&": ("и", "and"),
    "||": ("или", "or"),
    "==": ("=", "="),
    "!=": ("≠", "≠"),
    ">=": ("≥", "≥"),
    "<=": ("≤", "≤"),
    "!": ("не ", "not "),
    "true": ("да", "yes"),
    "false": ("нет", "no"),
}
_THERE: Final[dict[str, tuple[tuple[str, str], tuple[str, str]]]] = {
    "card": (("заполнено", "is filled in"), ("не заполнено", "is not filled in")),
    "facts": (("отмечено", "is recorded"), ("не отмечено", "is not recorded")),
    "lead": (("есть", "is known"), ("нет", "is not known")),
}
"""What is said of something that there is, and that there is not."""
_EMPTY = re.compile(r"\b(card|lead)\s*\.\s*([A-Za-z_]\w*)\s*(==|!=)\s*(?:''|\"\")")
_HAS = re.compile(r"(?:!\s*)?\bhas\(\s*(card|facts|lead)\s*\.\s*([A-Za-z_]\w*)\s*\)")
_NAME = re.compile(r"\b(card|facts|lead)\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*" + QUOTED + r"\s*\])(?!\w)")
_SIGN = re.compile(r"&&|\|\||==|!=|>=|<=|!(?!=)|\btrue\b|\bfalse\b")
_WHOLE = re.compile(r"^(-?[0-9]+)\.0$")
_IS_TRUE = re.compile(r"(\b(?:card|facts)\s*\.\s*[A-Za-z_]\w*)\s*==\s*true\b")


def condition_words(text: str, pipeline: Pipeline) -> Words:
    """The condition in both languages."""
    return Words(ru=_said(text, pipeline, 0)[:1_000], en=_said(text, pipeline, 1)[:1_000])


def name_words(name: str, pipeline: Pipeline) -> Words:
    """What a condition calls `card.budget`, `facts.call_held` or `lead.name`."""
    place, _, inner = name.partition(".")
    ru, en = (_title(place, inner, pipeline, language) for language in (0, 1))
    return Words(ru=ru, en=en)


def values_words(values: Mapping[str, str], pipeline: Pipeline) -> Words | None:
    """What a clause saw: «Бюджет»: 90; None where it looked at nothing."""
    if not values:
        return None
    shown = [(_cut(name), _WHOLE.sub(r"\1", value)) for name, value in values.items()]
    ru, en = ("; ".join(f"{_title(*name, pipeline, n)}: {value}" for name, value in shown) for n in (0, 1))
    return Words(ru=ru[:1_000], en=en[:1_000])


def _cut(name: str) -> tuple[str, str]:
    place, _, inner = name.partition(".")
    return place, inner


def _title(place: str, name: str, pipeline: Pipeline, language: int) -> str:
    titles = None
    if place == "card" and name in pipeline.fields_by_id:
        titles = pipeline.fields_by_id[name].titles
    elif place == "facts" and name in pipeline.facts_by_id:
        titles = pipeline.facts_by_id[name].titles
    if titles is not None:
        return f"«{titles.ru}»" if language == 0 else f"“{titles.en}”"
    if place == "lead" and name in _OF_LEAD:
        return _OF_LEAD[name][language]
    return f"{place}.{name}"


def _said(text: str, pipeline: Pipeline, language: int) -> str:
    text = _IS_TRUE.sub(r"\1", text.strip())
    parts: list[str] = []
    end = 0
    for found in re.finditer(QUOTED, text):
        if _inside_name(text, found.start()) or len(found[0]) == len("''"):
            continue  # card['budget'] is a name, not a text; what is compared with '' is said to be there or not
        parts += [_outside(text[end : found.start()], pipeline, language), found[0]]
        end = found.end()
    parts.append(_outside(text[end:], pipeline, language))
    return re.sub(r"\s+", " ", "".join(parts)).strip()


def _inside_name(text: str, place: int) -> bool:
    return re.search(r"\b(card|facts|lead)\s*\[\s*$", text[:place]) is not None


def _outside(text: str, pipeline: Pipeline, language: int) -> str:
    """What stands outside of quotes. Titles are put in last, so that no sign is looked for in them."""
    titles: list[str] = []

    def put(said: str) -> str:
        titles.append(said)
        return f"\ue000{len(titles) - 1}\ue001"

    def asked(found: re.Match[str]) -> str:
        return there(found[1], found[2], holds=not found[0].startswith("!"))

    def compared(found: re.Match[str]) -> str:
        return there(found[1], found[2], holds=found[3] == "!=")

    def there(place: str, name: str, *, holds: bool) -> str:
        return put(f"{_title(place, name, pipeline, language)} {_THERE[place][not holds][language]}")

    def named(found: re.Match[str]) -> str:
        return put(_title(found[1], found[2] or found[3][1:-1], pipeline, language))

    sign: Callable[[re.Match[str]], str] = lambda found: _SIGNS[found[0]][language]  # noqa: E731 - beside the other two
    text = _SIGN.sub(sign, _NAME.sub(named, _EMPTY.sub(compared, _HAS.sub(asked, text))))
    return re.sub("\ue000(\\d+)\ue001", lambda found: titles[int(found[1])], text)
