"""The pieces that expressions of a template are made of (R3). Pure: what is no piece raises TemplateError."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from services.pipelines.templates.errors import TemplateError

EXPRESSION_CHARACTERS: Final = 2_000
EXPRESSION_TOKENS: Final = 200
_TOKEN = re.compile(
    r"""(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|(?P<number>[0-9]{1,15}(?:\.[0-9]{1,15})?(?![\w.]))"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>==|!=|<=|>=|[<>|().,=])""",
    re.DOTALL,
)
_GAP = re.compile(r"[ \t\r\n]*")


class Token(NamedTuple):
    """A piece of an expression: what it is, its text, and where it stands, in characters."""

    kind: str
    text: str
    start: int
    end: int


def tokens_of(text: str, opening: re.Match[str], closing: str) -> tuple[list[Token], int]:
    """The tokens of a block, and where it ends."""
    tokens: list[Token] = []
    at = opening.end() + (text[opening.end() : opening.end() + 1] == "-")
    while True:
        gap = _GAP.match(text, at)
        at = gap.end() if gap else at
        if at - opening.start() > EXPRESSION_CHARACTERS or len(tokens) > EXPRESSION_TOKENS:
            raise wrong(
                text,
                opening.start(),
                f"an expression is longer than {EXPRESSION_CHARACTERS} characters, or than {EXPRESSION_TOKENS} names and signs; "
                "write the text outside of it, and what is left in parts, with set",
                f"выражение длиннее {EXPRESSION_CHARACTERS} знаков или {EXPRESSION_TOKENS} имён и значков; "
                "пишите текст вне его, а остальное — по частям, через set",
            )
        for sign in (closing, "-" + closing):
            if text.startswith(sign, at):
                return tokens, at + len(sign)
        if at >= len(text):
            raise wrong(
                text,
                opening.start(),
                f"{opening[0]} is open; close it by {closing}",
                f"{opening[0]} не закрыто; закройте: {closing}",
            )
        found = _TOKEN.match(text, at)
        if found is None:
            raise wrong(text, at, *_unknown_sign(text[at], closing))
        tokens.append(Token(str(found.lastgroup), found[0], found.start(), found.end()))
        at = found.end()


def line_of(text: str, at: int) -> int:
    """The line, from 1, of a place in a text."""
    return text.count("\n", 0, at) + 1


def wrong(text: str, at: int, en: str, ru: str) -> TemplateError:
    """What is wrong at a place of the text."""
    return TemplateError(en, ru, line_of(text, at))


def _unknown_sign(sign: str, closing: str) -> tuple[str, str]:
    if sign in "'\"":
        return "a quote is open", "кавычка не закрыта"
    if sign in "+~":
        return (
            f"{sign} joins nothing here; write the parts one after another: {{{{ lead.name }}}}, {{{{ lead.company }}}}",
            f"{sign} здесь ничего не соединяет; пишите части подряд: {{{{ lead.name }}}}, {{{{ lead.company }}}}",
        )
    if sign in "*/%-":
        return (
            f"{sign} does not belong here: a template does not calculate; close the expression by {closing}, "
            "or let a field hold what is to be written",
            f"{sign} здесь не на месте: шаблон не считает; закройте выражение: {closing} — или заведите для этого поле",
        )
    if sign in "[]{}":
        return (
            f"{sign} does not belong here: a template has no lists; write card.ID, and conditions with or",
            f"{sign} здесь не на месте: списков в шаблоне нет; пишите card.ID, а в условиях — or",
        )
    if sign in "«»“”‘’„":
        return f"{sign} does not belong here; write '", f"{sign} здесь не на месте; пишите '"
    if sign.isspace():
        return "a space of an unusual kind stands here; type it anew", "здесь необычный пробел; наберите его заново"
    return f"{sign} does not belong here", f"{sign} здесь не на месте"
