"""Conditions in pipelines: CEL over plain values, with limits (decision 6).

Pure. A condition sees three maps, `card`, `lead` and `facts`; what is unknown or erased is absent from them, and an expression
that needs it does not hold (`has(card.budget)` asks). CEL here has no time limit of its own, so what could take long is refused
when the pipeline is read: sources over 2,000 characters, macros nested more than twice, lists of more than 100 elements.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import cel

from contracts.pipeline.parts import CONDITION_CHARACTERS

NAMES: Final = frozenset({"card", "lead", "facts"})
"""What a condition may look at."""
NESTING: Final = 2
ELEMENTS: Final = 100
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter|transformList|transformMap)\s*$")
QUOTED: Final = r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
_NAMED = re.compile(r"\b(card|facts|lead)\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*" + QUOTED + r"\s*\])")
_TEXT = re.compile(r"""[rRbB]{0,2}("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""")


class ConditionError(ValueError):
    """A condition is no CEL, or is over a limit; the message says what to do. `ru`: the same in Russian."""

    def __init__(self, en: str, ru: str) -> None:
        super().__init__(en)
        self.ru = ru


@lru_cache(maxsize=4_096)
def compile_condition(text: str) -> cel.Program:
    """The condition, ready to be asked. Raises ConditionError."""
    if len(text) > CONDITION_CHARACTERS:
        raise ConditionError(
            f"longer than {CONDITION_CHARACTERS} characters; say it shorter, or record a fact for it",
            f"длиннее {CONDITION_CHARACTERS} знаков; скажите короче или заведите для этого факт",
        )
    if '"""' in text or "'''" in text:
        raise ConditionError(
            "write texts in single quotes or in double ones, not in three of them",
            "тексты берут в одинарные или двойные кавычки, не в тройные",
        )
    _within_limits(_TEXT.sub("''", text))
    try:
        program = cel.compile(text)
    except ValueError as error:
        en, ru = _first_line(error)
        raise ConditionError(f"no CEL expression: {en}", f"не выражение CEL: {ru}") from None
    if unknown := sorted(set(program.variables()) - NAMES - _bound(text)):
        raise ConditionError(
            f"it looks at {unknown[0]}; a condition looks at card.ID, lead.NAME or facts.ID",
            f"оно смотрит на {unknown[0]}; условие смотрит на card.ID, lead.ИМЯ или facts.ID",
        )
    return program


def holds(text: str, values: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the condition holds over these values. What cannot be told, because something is unknown, does not hold."""
    try:
        return compile_condition(text).execute(dict(values)) is True
    except (
        Exception
    ):  # whatever CEL raises over these values: a name that is not there, a text compared with a number, 1/0
        return False


def failing(text: str, values: Mapping[str, Mapping[str, Any]]) -> tuple[str, dict[str, str]] | None:
    """The first clause that does not hold, and what it looked at, as text; `—`: it is not known. None: the condition holds."""
    if holds(text, values):
        return None
    clauses = conjuncts(text)
    clause = next((part for part in clauses if not holds(part, values)), text) if len(clauses) > 1 else text
    seen = {f"{place}.{name}": values.get(place, {}).get(name) for place, name in names_in(clause)}
    return clause.strip(), {name: "—" if value is None else str(value) for name, value in seen.items()}


def names_in(text: str) -> list[tuple[str, str]]:
    """What a condition names, each once, as (card, facts or lead; name)."""
    quoted = [found.span() for found in re.finditer(QUOTED, text)]
    named = []
    for found in _NAMED.finditer(text):
        if not any(start <= found.start() < end for start, end in quoted):
            named.append((found[1], found[2] or found[3][1:-1]))
    return list(dict.fromkeys(named))


def conjuncts(text: str) -> list[str]:
    """The parts that must all hold: cut at `&&` outside of brackets and quotes; the whole where there is an `||` or `?`."""
    parts, depth, start = [], 0, 0
    bare = re.sub(QUOTED, lambda found: "_" * len(found[0]), text)
    for place, letter in enumerate(bare):
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0 and (bare.startswith("||", place) or letter == "?"):
            return [text]
        if depth == 0 and bare.startswith("&&", place):
            parts.append(text[start:place])
            start = place + 2
    return [*parts, text[start:]]


def _within_limits(text: str) -> None:
    """Refuse what could run long: nested macros, long lists. Quoted texts are gone already."""
    stack: list[tuple[str, bool, int]] = []
    for place, letter in enumerate(text):
        if letter in "([{":
            macro = letter == "(" and _MACRO.search(text[:place]) is not None
            stack.append((letter, macro, 1))
            if sum(is_macro for _, is_macro, _ in stack) > NESTING:
                raise ConditionError(
                    f"all, exists, map and filter may stand in one another {NESTING} deep, not more",
                    f"all, exists, map и filter вкладывают друг в друга не глубже {NESTING}",
                )
        elif letter in ")]}" and stack:
            stack.pop()
        elif letter == "," and stack:
            opened, macro, elements = stack.pop()
            if opened != "(" and elements >= ELEMENTS:
                raise ConditionError(
                    f"a list of more than {ELEMENTS} elements; use a choice field with options instead",
                    f"список длиннее {ELEMENTS}; заведите поле-выбор с вариантами",
                )
            stack.append((opened, macro, elements + 1))


def _bound(text: str) -> set[str]:
    """Names that a macro gives its elements: `x` in `list.exists(x, …)`."""
    return set(re.findall(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,", text))


def _first_line(error: Exception) -> tuple[str, str]:
    """What the parser says first, in English and in Russian."""
    text = str(error)
    found = re.search(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)", text)
    if found is None:
        return (text.splitlines()[0][:200],) * 2
    en, ru = _in_words(found[3])
    return f"at character {found[2]}: {en}", f"знак {found[2]}: {ru}"


def _in_words(problem: str) -> tuple[str, str]:
    """What the parser says, for people who write conditions."""
    if found := re.search(r"missing '(.+)' at", problem):
        return f"a {found[1]} is missing", f"не хватает {found[1]}"
    found = re.search(
        r"(?:mismatched input|extraneous input|token recognition error at:|alternative at input) '(.+?)'(?: |$)",
        problem,
    )
    if found is None:
        return (problem[:200],) * 2
    sign = found[1].strip()
    if sign == "<EOF>":
        return "it ends too early", "обрывается раньше времени"
    other = {"=": "==", "and": "&&", "or": "||", "not": "!", "&": "&&", "|": "||", "<>": "!=", "«": "'"}.get(sign)
    if other is None and sign[0] in "'\"":
        return "a quote is open", "кавычка не закрыта"
    return (
        f"{sign} does not belong here" + (f"; write {other}" if other else ""),
        f"{sign} здесь не на месте" + (f"; пишите {other}" if other else ""),
    )
