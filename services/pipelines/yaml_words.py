"""What is wrong with a value that people wrote, in words that let them mend it (decision 6, M3).

Pure. A message says what stands there, what was expected, and the way out; the place is put before it by `strict_yaml`. What the
validator says of itself is kept only where nothing better is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from contracts.pipeline.expected import RULE_PATTERN
from contracts.pipeline.names import there_are
from contracts.pipeline.parts import ID_PATTERN

PATTERNS: Mapping[str, str] = {
    ID_PATTERN: "an id is of small Latin letters, digits and _, begins with a letter and has at most 60 signs, "
    "for example new_lead; what people read stands in titles",
    RULE_PATTERN: "a rule of the linter is named by its id (docs/lint.md), for example S5.mixed_style",
    r"^[A-Z]{3}$": "a currency is three capital Latin letters (ISO 4217), for example RUB",
}
"""By pattern, what a text of it looks like."""
KINDS = {
    "string": "a text",
    "tuple": "a list (lines that begin with `- `, or [one, two])",
    "list": "a list (lines that begin with `- `, or [one, two])",
    "dict": "keys with values (lines like `key: value`, or {key: value})",
    "model": "keys with values (lines like `key: value`, or {key: value})",
    "bool": "true or false",
    "int": "a whole number",
    "decimal": "a number",
    "date": "a date, for example 2026-12-24",
}

SYNTAX = {
    "cannot start any token": "a sign that cannot begin anything here; indent with spaces, never with tabs, and put texts that "
    'begin with @ ` % | > in quotes: "…"',
    "mapping values are not allowed": 'a colon where no key can be; put a text with a colon in quotes: "…: …", and indent '
    "the keys of one part alike",
    "expected ',' or": "a bracket or a quote is open; close it, or put a comma between the parts",
    "but found '<block mapping start>'": "this line is indented otherwise than those above; keys of one part begin in one column",
    "but found '<block sequence start>'": "this line is indented otherwise than those above; the dashes of one list stand in "
    "one column",
    "but found '-'": "this line is indented otherwise than those above; the dashes of one list stand in one column",
    "but found '<scalar>'": "a text goes on after its quotes; a text with quotes inside is written in the other ones: "
    "'… \"…\" …'",
    "expected <block end>": "this line does not go with those above; look at indentation, quotes and brackets",
    "could not find expected ':'": "a line without a colon; write key: value, or put a long text in quotes",
    "unexpected end of stream": 'a quote is open; close the text with the quote it begins with: "…"',
    "found undefined alias": "a text that begins with * is put in quotes",
    "but found another document": "two documents in one file; take the line --- away",
}
"""By what the parser says, what a person can do."""


def said_of_syntax(problem: str, context: str) -> str:
    """The message for what the parser said; its own words where nothing better is known."""
    return next((words for sign, words in SYNTAX.items() if sign in f"{problem} {context}"), problem)


def said_of(problem: ErrorDetails, model: type[BaseModel], examples: Mapping[str, str]) -> str:
    """The message for one problem of the validator. `examples`: by key, how it is written."""
    kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
    key = str(problem["loc"][-1]) if problem["loc"] else ""
    match kind:
        case "missing":
            return f"is missing here; write {examples.get(key, f'{key}: …')}"
        case "extra_forbidden":
            known = keys_at(model, problem["loc"][:-1])
            return f"unknown here{there_are(known, key).replace('; there are:', '; known:')}"
        case "literal_error":
            allowed = [word.strip("'") for word in str(context["expected"]).replace(" or ", ", ").split(", ")]
            return f"{_shown(value)} is not possible{_one_of(allowed, value)}"
        case "string_pattern_mismatch":
            wanted = PATTERNS.get(context["pattern"], f"expected a text like {context['pattern']}")
            return f"{_shown(value)} is not possible; {wanted}"
        case "string_type":
            if value is None:
                return f"is empty; write {examples.get(key, 'a text')}"
            if isinstance(value, dict | list):
                return f"expected a text, found {_what(value)}"
            return f'{_yaml(value)} is {_what(value)} and no text; put it in quotes: "{_yaml(value)}"'
        case "string_too_short":
            return f"is empty; write {examples.get(key, 'a text')}"
        case "string_too_long":
            return f"has {len(value)} characters; at most {context['max_length']} are possible: say it shorter"
        case "too_short":
            return f"too few: {context['actual_length']} here, at least {context['min_length']} are needed"
        case "too_long":
            return f"too many: {context['actual_length']} here, at most {context['max_length']} are possible"
        case "greater_than_equal":
            return f"{_shown(value)} is too small; at least {context['ge']}"
        case "less_than_equal":
            return f"{_shown(value)} is too large; at most {context['le']}"
        case "value_error":
            return problem["msg"].removeprefix("Value error, ")
    expected = KINDS.get(kind.partition("_")[0])
    if expected is None or kind == "criterion":
        return problem["msg"]
    shown = f", for example {examples[key]}" if key in examples and isinstance(problem["loc"][-1], str) else ""
    return f"found {_what(value)}; expected {expected}{shown}"


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


def _one_of(allowed: list[str], value: Any) -> str:
    near = there_are(allowed, value if isinstance(value, str) else None).partition("; there are:")[0]
    return f"{near}; expected one of: {', '.join(allowed)}"


def _what(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case dict():
            return "keys with values"
        case list():
            return "a list"
    return f"the text {_shown(value)}"


def _shown(value: Any) -> str:
    text = _yaml(value)
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
