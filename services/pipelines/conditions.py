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
_TEXT = re.compile(r"""[rRbB]{0,2}("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""")


class ConditionError(ValueError):
    """A condition is no CEL, or is over a limit; the message says what to do."""


@lru_cache(maxsize=4_096)
def compile_condition(text: str) -> cel.Program:
    """The condition, ready to be asked. Raises ConditionError."""
    if len(text) > CONDITION_CHARACTERS:
        raise ConditionError(f"longer than {CONDITION_CHARACTERS} characters; say it shorter, or record a fact for it")
    if '"""' in text or "'''" in text:
        raise ConditionError("write texts in single quotes or in double ones, not in three of them")
    _within_limits(_TEXT.sub("''", text))
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise ConditionError(f"no CEL expression: {_first_line(error)}") from None
    if unknown := sorted(set(program.variables()) - NAMES - _bound(text)):
        raise ConditionError(f"it looks at {unknown[0]}; a condition looks at card.ID, lead.NAME or facts.ID")
    return program


def holds(text: str, values: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the condition holds over these values. What cannot be told, because something is unknown, does not hold."""
    try:
        return compile_condition(text).execute(dict(values)) is True
    except (
        Exception
    ):  # whatever CEL raises over these values: a name that is not there, a text compared with a number, 1/0
        return False


def _within_limits(text: str) -> None:
    """Refuse what could run long: nested macros, long lists. Quoted texts are gone already."""
    stack: list[tuple[str, bool, int]] = []
    for place, letter in enumerate(text):
        if letter in "([{":
            macro = letter == "(" and _MACRO.search(text[:place]) is not None
            stack.append((letter, macro, 1))
            if sum(is_macro for _, is_macro, _ in stack) > NESTING:
                raise ConditionError(f"all, exists, map and filter may stand in one another {NESTING} deep, not more")
        elif letter in ")]}" and stack:
            stack.pop()
        elif letter == "," and stack:
            opened, macro, elements = stack.pop()
            if opened != "(" and elements >= ELEMENTS:
                raise ConditionError(
                    f"a list of more than {ELEMENTS} elements; use a choice field with options instead"
                )
            stack.append((opened, macro, elements + 1))


def _bound(text: str) -> set[str]:
    """Names that a macro gives its elements: `x` in `list.exists(x, …)`."""
    return set(re.findall(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,", text))


def _first_line(error: Exception) -> str:
    text = str(error)
    found = re.search(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)", text)
    return f"at character {found[2]}: {_in_words(found[3])}" if found else text.splitlines()[0][:200]


def _in_words(problem: str) -> str:
    """What the parser says, for people who write conditions."""
    if found := re.search(r"missing '(.+)' at", problem):
        return f"a {found[1]} is missing"
    found = re.search(
        r"(?:mismatched input|extraneous input|token recognition error at:|alternative at input) '(.+?)'(?: |$)",
        problem,
    )
    if found is None:
        return problem[:200]
    sign = found[1].strip()
    if sign == "<EOF>":
        return "it ends too early"
    other = {"=": "==", "and": "&&", "or": "||", "not": "!", "&": "&&", "|": "||", "<>": "!=", "«": "'"}.get(sign)
    if other is None and sign[0] in "'\"":
        return "a quote is open"
    return f"{sign} does not belong here" + (f"; write {other}" if other else "")
