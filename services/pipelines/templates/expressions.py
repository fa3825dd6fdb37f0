"""Expressions of a template: names with filters behind them, compared and chosen between (R3).

Pure. No calls, methods, lists, joining or sums, brackets not deep: see `grammar` for why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from contracts.pipeline.names import there_are, there_are_ru
from services.pipelines.templates.errors import TemplateError
from services.pipelines.templates.filters import ARGUMENTS, FILTER_NAMES
from services.pipelines.templates.tokens import Token, line_of

DEPTH: Final = 10
"""How deep brackets may stand in one another."""
STATEMENTS: Final = ("if", "elif", "else", "endif", "set")
_CONSTANTS = frozenset({"true", "false", "none", "True", "False", "None"})
_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "if", "else"})
NOT_NAMES: Final = frozenset(
    {"self", "super", "loop", "caller", "varargs", "kwargs", *STATEMENTS, *_KEYWORDS, *_CONSTANTS}
)
"""Words that mean something else, here or to the engine."""
_COMPARED = frozenset({"==", "!=", "<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True)
class Use:
    """A name that a template looks at. `asked`: it may be without a value here, for `default` or `is defined` stands behind it.
    `provided`: its absence is thought of: here, elsewhere in the expression, or by an `if` around it."""

    path: str
    line: int
    start: int
    end: int
    block: int
    """Which expression it stands in: its start."""
    filter: str | None = None
    """The filter right behind it."""
    asked: bool = False
    provided: bool = False


class Applied(NamedTuple):
    """A filter that a template applies, and the line."""

    name: str
    line: int


class Expression(NamedTuple):
    """What an expression looks at, and the names whose absence it asks for."""

    uses: tuple[Use, ...]
    filters: tuple[Applied, ...]
    asked: frozenset[str]


def read_expression(text: str, tokens: list[Token], start: int) -> Expression:
    """The expression whose block begins at `start`. Raises TemplateError."""
    if not tokens:
        raise TemplateError(
            "nothing stands here; write a name, for example {{ lead.name }}",
            "здесь пусто; напишите имя, например {{ lead.name }}",
            line_of(text, start),
        )
    return _ExpressionReader(text, tokens, start).read()


class _ExpressionReader:
    """Reads one expression: operands with filters and `is defined` behind them, and signs or words between them."""

    def __init__(self, text: str, tokens: list[Token], start: int) -> None:
        self.text = text
        self.tokens = tokens
        self.start = start
        self.at = 0
        self.uses: list[Use] = []
        self.filters: list[Applied] = []
        self.asked: set[str] = set()

    def read(self) -> Expression:
        self._whole(0)
        if self.at < len(self.tokens):
            raise self._misplaced()
        asked = frozenset(self.asked)
        uses = tuple(replace(use, provided=use.asked or use.path in asked) for use in self.uses)
        return Expression(uses, tuple(self.filters), asked)

    def _whole(self, depth: int) -> None:
        if depth > DEPTH:
            raise self._error(
                f"brackets stand in one another {DEPTH} deep; not more", f"скобки вложены глубже {DEPTH}; упростите"
            )
        while True:
            while self._accept("not"):
                pass
            self._operand(depth)
            if self._accept("not"):
                if not self._accept("in"):
                    raise self._misplaced()
            elif not self._accept("and", "or", "in", "if", "else", *_COMPARED):
                return

    def _operand(self, depth: int) -> None:
        token = self._next()
        use: int | None = None
        own_text = False
        if token.text == "(":
            self._whole(depth + 1)
            self._expect(")")
        elif token.kind == "name" and token.text not in _CONSTANTS:
            use = self._path(token)
            own_text = self.uses[use].path.startswith("company.")
        elif token.kind == "sign":
            self.at -= 1
            raise self._misplaced()
        while self._accept("|", "is"):
            if self.tokens[self.at - 1].text == "is":
                self._is_defined(use)
            else:
                self._filter(depth, use, own_text)
            use, own_text = None, False

    def _path(self, first: Token) -> int:
        """A name, with one more behind a dot or without; gives its place among the uses."""
        parts, last = [first], first
        while self._accept("."):
            last = self._next()
            if last.kind != "name":
                self.at -= 1
                raise self._misplaced()
            parts.append(last)
        path = ".".join(part.text for part in parts)
        if self._peek() == "(":
            raise self._error(
                f"{path}(…) is a call; a template has names and filters: {{{{ card.lesson_date | date('day') }}}}",
                f"{path}(…) — вызов; в шаблоне есть имена и фильтры: {{{{ card.lesson_date | date('day') }}}}",
            )
        if first.text in NOT_NAMES or any(part.text.startswith("_") for part in parts) or len(parts) > 2:
            raise self._error(
                f"{path} is no name; names are lead.NAME, card.ID, facts.ID, company.NAME, now, today, unsubscribe",
                f"{path} — не имя; имена: lead.ИМЯ, card.ID, facts.ID, company.ИМЯ, now, today, unsubscribe",
            )
        self.uses.append(Use(path, line_of(self.text, first.start), first.start, last.end, self.start))
        return len(self.uses) - 1

    def _is_defined(self, use: int | None) -> None:
        self._accept("not")
        if not self._accept("defined", "undefined"):
            raise self._error(
                "behind is stands defined, or not defined; two values are compared by ==",
                "после is стоит defined или not defined; два значения сравнивают через ==",
            )
        if use is not None:
            self.asked.add(self.uses[use].path)
            self.uses[use] = replace(self.uses[use], asked=True)

    def _filter(self, depth: int, use: int | None, own_text: bool) -> None:
        token = self._next()
        if token.text not in FILTER_NAMES:
            raise self._error(
                f"there is no filter {token.text}{there_are(FILTER_NAMES, token.text)}",
                f"фильтра {token.text} нет{there_are_ru(FILTER_NAMES, token.text)}",
                token,
            )
        if token.text == "safe" and not own_text:
            raise self._error(
                "safe goes with the company's own texts alone, right behind them: {{ company.signature | safe }}; "
                "what others wrote is always escaped",
                "safe бывает только у текстов самой компании, сразу за именем: {{ company.signature | safe }}; "
                "чужой текст всегда экранируется",
                token,
            )
        self.filters.append(Applied(token.text, line_of(self.text, token.start)))
        if use is not None:
            asked = self.uses[use].asked or token.text == "default"
            self.uses[use] = replace(self.uses[use], filter=token.text, asked=asked)
        given = 0
        if self._accept("(") and not self._accept(")"):
            given = 1
            self._whole(depth + 1)
            while self._accept(","):
                given += 1
                self._whole(depth + 1)
            self._expect(")")
        least, most = ARGUMENTS.get(token.text, (0, 0))
        if not least <= given <= most:
            many = str(least) if least == most else f"{least}-{most}"
            raise self._error(
                f"{token.text} takes {many} values in brackets, not {given}",
                f"{token.text} берёт в скобках значений: {many}, а не {given}",
                token,
            )

    def _peek(self) -> str:
        """What comes next, where it is no quoted text; such texts are nothing that is looked for."""
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        return token.text if token is not None and token.kind in ("name", "sign") else ""

    def _accept(self, *texts: str) -> bool:
        if self._peek() in texts:
            self.at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            if self.at < len(self.tokens):
                raise self._misplaced()
            raise self._error(f"a {text} is missing", f"не хватает {text}")

    def _next(self) -> Token:
        if self.at >= len(self.tokens):
            raise self._misplaced()
        self.at += 1
        return self.tokens[self.at - 1]

    def _misplaced(self) -> TemplateError:
        if self.at >= len(self.tokens):
            return self._error("the expression ends too early", "выражение обрывается раньше времени")
        token = self.tokens[self.at]
        hint = {
            "=": ("; write ==", "; пишите =="),
            ",": ("; values stand one by one", "; значения пишут по одному"),
            ".": ("; a dot stands inside a name: lead.name", "; точка стоит внутри имени: lead.name"),
        }
        en, ru = hint.get(token.text, ("", ""))
        return self._error(
            f"{token.text[:40]} does not belong here{en}", f"{token.text[:40]} здесь не на месте{ru}", token
        )

    def _error(self, en: str, ru: str, token: Token | None = None) -> TemplateError:
        near = token or self.tokens[max(0, min(self.at, len(self.tokens)) - 1)]
        return TemplateError(en, ru, line_of(self.text, near.start))
