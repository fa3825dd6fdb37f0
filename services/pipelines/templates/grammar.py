"""What may stand in a template: names, filters, `if` and `set`, and nothing that could make much out of little (R3).

Pure. The engine's fuel counts steps, not memory: a text joined to itself forty times, or a list put into itself, fills a machine
in a few hundred steps. So loops, functions, methods, lists, joining and sums are not in the language at all; what is left makes
at most as much as it is given. Nesting and the length of an expression are bounded too, because the engine's own parser does not
bound them everywhere (a chain of twenty thousand signs ends the process): what passes needs no more than 600 KB of stack. Every
template is read here before the engine sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Final, NamedTuple

from contracts.pipeline.names import there_are, there_are_ru
from contracts.pipeline.templates import TEMPLATE_CHARACTERS
from services.pipelines.templates.errors import TemplateError
from services.pipelines.templates.expressions import (
    DEPTH,
    NOT_NAMES,
    STATEMENTS,
    Applied,
    Expression,
    Use,
    read_expression,
)
from services.pipelines.templates.tokens import Token, line_of, tokens_of, wrong

BRANCHES: Final = 30
"""How many elif an if may have."""
SETS: Final = 100
ROOTS: Final = frozenset({"lead", "card", "stored", "facts", "company", "terms", "now", "today", "unsubscribe"})
"""What a template sees (`values`)."""
GROUPS: Final = frozenset({"lead", "card", "stored", "facts", "company", "terms"})
"""Those of them that are maps."""
_NAME = re.compile(r"-?[ \t\r\n]*([A-Za-z_][A-Za-z0-9_]*)")
_OPENING = re.compile(r"\{\{|\{%|\{#")


@dataclass(frozen=True, slots=True)
class Written:
    """A template, read. `own`: the names that it sets itself; `blocks`: what is not plain text in it, with start and end."""

    uses: tuple[Use, ...]
    filters: tuple[Applied, ...]
    own: frozenset[str]
    blocks: tuple[tuple[str, int, int], ...]


@lru_cache(maxsize=1_024)
def read_template(text: str) -> Written:
    """The template, read. Raises TemplateError for whatever is not in the language or over a limit."""
    if len(text) > TEMPLATE_CHARACTERS:
        raise TemplateError(
            f"the template is longer than {TEMPLATE_CHARACTERS} characters; say it shorter",
            f"шаблон длиннее {TEMPLATE_CHARACTERS} знаков; скажите короче",
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TemplateError(
            "half of a character stands here; delete it and write it anew",
            "здесь половина знака; сотрите его и напишите заново",
            line_of(text, error.start),
        ) from None
    return _Reader(text).read()


def near_name(path: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant. Within a group what stands behind the dot is compared: all names there begin alike."""
    there = sorted(names)
    root, _, name = path.partition(".")
    behind = {one.partition(".")[2]: one for one in there if one.startswith(f"{root}.")}
    if name and behind:
        return next((behind[one] for one in get_close_matches(name, behind, 1, 0.7)), None)
    return next(iter(get_close_matches(path, there, 1, 0.7)), None)


class _Reader:
    """Reads one template, from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.uses: list[Use] = []
        self.filters: list[Applied] = []
        self.own: set[str] = set()
        self.open_ifs: list[_OpenIf] = []
        self.sets = 0
        self.blocks: list[tuple[str, int, int]] = []

    def read(self) -> Written:
        at = 0
        while (opening := _OPENING.search(self.text, at)) is not None:
            if opening[0] == "{#":
                closed = self.text.find("#}", opening.end())
                if closed < 0:
                    raise self._error(
                        opening.start(), "a comment is open; close it by #}", "не закрыт комментарий; закройте его: #}"
                    )
                at = closed + 2
                self.blocks.append((opening[0], opening.start(), at))
                continue
            closing = "}}" if opening[0] == "{{" else "%}"
            if opening[0] == "{%":
                self._known_statement(opening)
            tokens, at = tokens_of(self.text, opening, closing)
            self.blocks.append((opening[0], opening.start(), at))
            if opening[0] == "{{":
                self._take(read_expression(self.text, tokens, opening.start()))
            else:
                self._statement(tokens, opening.start())
        if self.open_ifs:
            raise self._error(
                self.open_ifs[-1].start,
                "this if is open; close it by {% endif %}",
                "это if не закрыто; закройте его: {% endif %}",
            )
        return Written(tuple(self.uses), tuple(self.filters), frozenset(self.own), tuple(self.blocks))

    def _known_statement(self, opening: re.Match[str]) -> None:
        """Refuse what is no statement before its pieces are looked at: `for` is told of as a loop, not by some sign in it."""
        found = _NAME.match(self.text, opening.end())
        name = found[1] if found else ""
        if name not in STATEMENTS:
            raise self._error(opening.start(), *_unknown_statement(name))

    def _statement(self, tokens: list[Token], start: int) -> None:
        name = tokens[0].text
        rest = tokens[1:]
        if name in ("else", "endif") and rest:
            raise self._error(
                rest[0].start,
                f"{name} stands alone: {{% {name} %}}" + ("; with a condition write elif" if name == "else" else ""),
                f"{name} стоит один: {{% {name} %}}" + ("; с условием пишите elif" if name == "else" else ""),
            )
        if name in ("elif", "else", "endif") and not self.open_ifs:
            raise self._error(start, f"{name} without an if before it", f"{name}, а if перед ним нет")
        if name == "set":
            self._set(rest, start)
        elif name == "if":
            if len(self.open_ifs) >= DEPTH:
                raise self._error(
                    start,
                    f"ifs stand in one another {DEPTH} deep; not more",
                    f"if вложены глубже {DEPTH}; уменьшите вложенность",
                )
            read = read_expression(self.text, rest, start)
            self._take(read)
            self.open_ifs.append(_OpenIf(start, read.asked))
        elif name == "endif":
            self.open_ifs.pop()
        else:
            self._branch(name, rest, start)

    def _branch(self, name: str, rest: list[Token], start: int) -> None:
        """`elif` or `else`."""
        above = self.open_ifs.pop()
        if above.last:
            raise self._error(start, f"{name} behind the else of the same if", f"{name} после else того же if")
        if name == "elif" and above.branches >= BRANCHES:
            raise self._error(
                start,
                f"more than {BRANCHES} elif; write a template for each",
                f"больше {BRANCHES} elif; заведите отдельные шаблоны",
            )
        asked = above.asked
        if name == "elif":
            read = read_expression(self.text, rest, start)
            self._take(read)
            asked |= read.asked
        # the names that the if above asked for stay asked for: what stands here was written with their absence in mind
        self.open_ifs.append(_OpenIf(above.start, asked, above.branches + 1, name == "else"))

    def _set(self, rest: list[Token], start: int) -> None:
        if len(rest) < 3 or rest[0].kind != "name" or rest[1].text != "=":
            raise self._error(
                start,
                "set gives a name to one value: {% set place = card.branch %}",
                "set даёт имя одному значению: {% set place = card.branch %}",
            )
        name = rest[0].text
        if name in ROOTS or name in NOT_NAMES or name.startswith("_"):
            raise self._error(
                rest[0].start, f"{name} is taken; give it another name", f"{name} занято; дайте другое имя"
            )
        self.sets += 1
        if self.sets > SETS:
            raise self._error(
                start,
                f"more than {SETS} set; write the values where they stand",
                f"больше {SETS} set; пишите значения на месте",
            )
        self._take(read_expression(self.text, rest[2:], start))
        self.own.add(name)

    def _take(self, read: Expression) -> None:
        around = frozenset().union(*(above.asked for above in self.open_ifs))
        self.uses += [replace(use, provided=use.provided or use.path in around) for use in read.uses]
        self.filters += read.filters

    def _error(self, at: int, en: str, ru: str) -> TemplateError:
        return wrong(self.text, at, en, ru)


class _OpenIf(NamedTuple):
    start: int
    asked: frozenset[str]
    branches: int = 0
    last: bool = False


def _unknown_statement(name: str) -> tuple[str, str]:
    if name == "for":
        return (
            "there are no loops: nothing that a template sees is a list; write what is needed one after another",
            "циклов нет: среди значений шаблона нет списков; напишите нужное подряд",
        )
    if name in ("include", "import", "from", "extends", "block", "macro", "call"):
        return (
            f"there is no {name}: a template stands alone; write its text here",
            f"{name} нет: шаблон самостоятелен; напишите текст здесь",
        )
    listed = ", ".join(STATEMENTS)
    return (
        f"there is no statement {name[:40]}{there_are(STATEMENTS, name)}"
        if name
        else f"a statement is missing; there are: {listed}",
        f"команды {name[:40]} нет{there_are_ru(STATEMENTS, name)}" if name else f"команды нет; есть: {listed}",
    )
