"""What is wrong with a value that people wrote, in words that let them mend it (decision 6, M3).

Pure. A message says what stands there, what was expected, and the way out, in English and Russian; the place is put before it by
`strict_yaml`. What the validator says of itself is kept only where nothing better is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from contracts.pipeline.expected import RULE_PATTERN
from contracts.pipeline.names import there_are, there_are_ru
from contracts.pipeline.parts import ID_PATTERN
from contracts.pipeline.robots import ACTIONS


class Words(NamedTuple):
    """A message in both languages."""

    en: str
    ru: str


def both(words: Words | str) -> Words:
    """The words; a text alone is said in both languages alike."""
    return Words(words, words) if isinstance(words, str) else words


PATTERNS: Mapping[str, Words] = {
    ID_PATTERN: Words(
        "an id is of small Latin letters, digits and _, begins with a letter and has at most 60 signs, "
        "for example new_lead; what people read stands in titles",
        "id пишут строчными латинскими буквами, цифрами и _, первой стоит буква, не длиннее 60 знаков, "
        "например new_lead; то, что читают люди, стоит в titles",
    ),
    RULE_PATTERN: Words(
        "a rule of the linter is named by its id (docs/lint.md), for example S5.mixed_style",
        "правило линтера называют по id (docs/lint.md), например S5.mixed_style",
    ),
    r"^[A-Z]{3}$": Words(
        "a currency is three capital Latin letters (ISO 4217), for example RUB",
        "валюта — три заглавные латинские буквы (ISO 4217), например RUB",
    ),
}
"""By pattern, what a text of it looks like."""
A_LIST = Words(
    "a list (lines that begin with `- `, or [one, two])", "список (строки, начинающиеся с `- `, или [один, два])"
)
KEYS = Words(
    "keys with values (lines like `key: value`, or {key: value})",
    "ключи со значениями (строки вида `ключ: значение` или {ключ: значение})",
)
KINDS: Mapping[str, Words] = {
    "string": Words("a text", "текст"),
    "tuple": A_LIST,
    "list": A_LIST,
    "dict": KEYS,
    "model": KEYS,
    "bool": Words("true or false", "true или false"),
    "int": Words("a whole number", "целое число"),
    "decimal": Words("a number", "число"),
    "date": Words("a date, for example 2026-12-24", "дата, например 2026-12-24"),
}
SYNTAX: Mapping[str, Words] = {
    "cannot start any token": Words(
        "a sign that cannot begin anything here; indent with spaces, never with tabs, and put texts that begin with "
        '@ ` % | > in quotes: "…"',
        "знак, с которого здесь ничего не начинается; отступы делают пробелами, а не табуляцией; тексты, которые "
        'начинаются с @ ` % | >, берут в кавычки: "…"',
    ),
    "mapping values are not allowed": Words(
        'a colon where no key can be; put a text with a colon in quotes: "…: …", and indent the keys of one part alike',
        'двоеточие там, где не может быть ключа; текст с двоеточием берут в кавычки: "…: …", а у ключей одной части '
        "одинаковый отступ",
    ),
    "expected ',' or": Words(
        "a bracket or a quote is open; close it, or put a comma between the parts",
        "скобка или кавычка не закрыта; закройте её или поставьте запятую между частями",
    ),
    "but found '<block mapping start>'": Words(
        "this line is indented otherwise than those above; keys of one part begin in one column",
        "отступ этой строки не такой, как выше; ключи одной части начинаются в одном столбце",
    ),
    "but found '<block sequence start>'": Words(
        "this line is indented otherwise than those above; the dashes of one list stand in one column",
        "отступ этой строки не такой, как выше; дефисы одного списка стоят в одном столбце",
    ),
    "but found '-'": Words(
        "this line is indented otherwise than those above; the dashes of one list stand in one column",
        "отступ этой строки не такой, как выше; дефисы одного списка стоят в одном столбце",
    ),
    "but found '<scalar>'": Words(
        "a text goes on after its quotes; a text with quotes inside is written in the other ones: '… \"…\" …'",
        "текст продолжается после кавычек; текст с кавычками внутри берут в другие: '… \"…\" …'",
    ),
    "expected <block end>": Words(
        "this line does not go with those above; look at indentation, quotes and brackets",
        "строка не продолжает то, что выше; проверьте отступы, кавычки и скобки",
    ),
    "could not find expected ':'": Words(
        "a line without a colon; write key: value, or put a long text in quotes",
        "строка без двоеточия; пишите ключ: значение, а длинный текст берите в кавычки",
    ),
    "unexpected end of stream": Words(
        'a quote is open; close the text with the quote it begins with: "…"',
        'кавычка не закрыта; закройте текст той же кавычкой, с которой он начинается: "…"',
    ),
    "found undefined alias": Words(
        "a text that begins with * is put in quotes", "текст, который начинается с *, берут в кавычки"
    ),
    "but found another document": Words(
        "two documents in one file; take the line --- away", "два документа в одном файле; уберите строку ---"
    ),
}
"""By what the parser says, what a person can do."""
A_CRITERION = Words(
    "a criterion names one of: fact, field, contact; for example {field: needs}",
    "критерий называет одно из: fact, field, contact; например {field: needs}",
)
AN_ACTION = Words(
    f"a robot does one of: {', '.join(ACTIONS)}; for example {{email: thanks}}",
    f"робот делает одно из: {', '.join(ACTIONS)}; например {{email: thanks}}",
)


def said_of_syntax(problem: str, context: str) -> Words:
    """The message for what the parser said; its own words where nothing better is known."""
    said = f"{problem} {context}"
    return next((words for sign, words in SYNTAX.items() if sign in said), both(problem))


def said_of(problem: ErrorDetails, model: type[BaseModel], examples: Mapping[str, str]) -> Words:
    """The message for one problem of the validator. `examples`: by key, how it is written."""
    kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
    key = str(problem["loc"][-1]) if problem["loc"] else ""
    match kind:
        case "missing":
            example = examples.get(key, f"{key}: …")
            return Words(f"is missing here; write {example}", f"здесь не хватает; напишите {example}")
        case "extra_forbidden":
            return _unknown(keys_at(model, problem["loc"][:-1]), key)
        case "literal_error":
            allowed = [word.strip("'") for word in str(context["expected"]).replace(" or ", ", ").split(", ")]
            return _not_one_of(allowed, value)
        case "string_pattern_mismatch":
            pattern = str(context["pattern"])
            wanted = PATTERNS.get(pattern, Words(f"expected a text like {pattern}", f"нужен текст вида {pattern}"))
            return Words(f"{_shown(value)} is not possible; {wanted.en}", f"{_shown(value)} не подходит; {wanted.ru}")
        case "string_type":
            return _no_text(value, examples.get(key, ""))
        case "string_too_short":
            example = examples.get(key, "")
            return Words(f"is empty; write {example or 'a text'}", f"пусто; напишите {example or 'текст'}")
        case "value_error":
            text = problem["msg"].removeprefix("Value error, ")
            return both(text)
        case "criterion":
            return A_CRITERION
        case "action":
            return AN_ACTION
    if (words := _of_size(kind, value, context)) is not None:
        return words
    expected = KINDS.get(kind.partition("_")[0])
    if expected is None:
        return both(problem["msg"])
    example = examples.get(key, "") if isinstance(problem["loc"][-1], str) else ""
    found = _what(value)
    return Words(
        f"found {found.en}; expected {expected.en}" + (f", for example {example}" if example else ""),
        f"здесь {found.ru}; нужно: {expected.ru}" + (f", например {example}" if example else ""),
    )


def said_of_key(written: str | None) -> Words:
    """The message for a key that is no text. `written`: as it stands there; None where it is a list, or keys of its own."""
    if written is None:
        return Words(
            "a key is a text, not a list and no keys of its own; put it in quotes",
            "ключ — это текст, а не список и не другие ключи; возьмите его в кавычки",
        )
    if written.lower() in ("true", "on", "yes"):
        return Words(
            f"the key {written} is no text; where a program wrote the file, on became true: write on",
            f"ключ {written} — не текст; если файл записала программа, on стало true: напишите on",
        )
    return Words(
        f'the key {written or "~"} is no text; put it in quotes: "{written}"',
        f'ключ {written or "~"} — не текст; возьмите его в кавычки: "{written}"',
    )


def _of_size(kind: str, value: Any, context: Mapping[str, Any]) -> Words | None:
    match kind:
        case "string_too_long":
            size, most = len(value), context["max_length"]
            return Words(
                f"has {size} characters; at most {most} are possible: say it shorter",
                f"знаков {size}, можно не больше {most}: скажите короче",
            )
        case "too_short":
            here, least = context["actual_length"], context["min_length"]
            return Words(
                f"too few: {here} here, at least {least} are needed", f"мало: здесь {here}, нужно хотя бы {least}"
            )
        case "too_long":
            here, most = context["actual_length"], context["max_length"]
            return Words(f"too many: {here} here, at most {most} are possible", f"много: здесь {here}, можно до {most}")
        case "greater_than_equal":
            return Words(
                f"{_shown(value)} is too small; at least {context['ge']}",
                f"{_shown(value)} слишком мало; не меньше {context['ge']}",
            )
        case "less_than_equal":
            return Words(
                f"{_shown(value)} is too large; at most {context['le']}",
                f"{_shown(value)} слишком много; не больше {context['le']}",
            )
    return None


@lru_cache(maxsize=512)
def keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys that the model has at a place, in the order they are defined."""
    schema = _schema(model)
    nodes = [schema]
    for step in loc:
        following = [node["items"] for node in nodes if "items" in node and isinstance(step, int)]
        following += [node["properties"][step] for node in nodes if step in node.get("properties", ())]
        if following:
            nodes = [alternative for node in following for alternative in _alternatives(node, schema)]
        elif isinstance(step, str):  # the tag of one of several models
            nodes = [node for node in nodes if str(node.get("title", "")).startswith(step)] or nodes
    return tuple(dict.fromkeys(key for node in nodes for key in node.get("properties", ())))


@lru_cache(maxsize=16)
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _alternatives(node: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What a schema's node can be, references followed."""
    if "$ref" in node:
        return _alternatives(schema["$defs"][str(node["$ref"]).rpartition("/")[2]], schema)
    several = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    return [found for one in several for found in _alternatives(one, schema)] if several else [node]


def _unknown(known: tuple[str, ...], key: str) -> Words:
    return Words(
        "unknown here" + there_are(known, key).replace("; there are:", "; known:"),
        "здесь такого нет" + there_are_ru(known, key).replace("; есть:", "; бывают:"),
    )


def _not_one_of(allowed: list[str], value: Any) -> Words:
    meant = value if isinstance(value, str) else None
    listed = ", ".join(allowed)
    if value is None:
        return Words(f"is empty; expected one of: {listed}", f"пусто; нужно одно из: {listed}")
    near = there_are(allowed, meant).partition("; there are:")[0]
    near_ru = there_are_ru(allowed, meant).partition("; есть:")[0]
    return Words(
        f"{_shown(value)} is not possible{near}; expected one of: {listed}",
        f"{_shown(value)} не подходит{near_ru}; нужно одно из: {listed}",
    )


def _no_text(value: Any, example: str) -> Words:
    if value is None:
        return Words(f"is empty; write {example or 'a text'}", f"пусто; напишите {example or 'текст'}")
    found = _what(value)
    if isinstance(value, dict | list):
        return Words(f"expected a text, found {found.en}", f"нужен текст, а здесь {found.ru}")
    text = _yaml(value)
    return Words(
        f'{text} is {found.en} and no text; put it in quotes: "{text}"',
        f'{text} — это {found.ru}, а не текст; возьмите в кавычки: "{text}"',
    )


def _what(value: Any) -> Words:
    match value:
        case None:
            return Words("nothing", "пусто")
        case bool():
            return Words("true or false", "true или false")
        case int() | float():
            return Words("a number", "число")
        case dict():
            return Words("keys with values", "ключи со значениями")
        case list():
            return Words("a list", "список")
    return Words(f"the text {_shown(value)}", f"текст {_shown(value)}")


def _shown(value: Any) -> str:
    text = _yaml(value)
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
