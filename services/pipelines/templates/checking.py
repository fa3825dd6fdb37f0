"""What can be told wrong with a template before anybody gets it (R3, S5): for the linter and for who writes it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Literal

from contracts.pipeline import Pipeline
from contracts.pipeline.names import Path, there_are, there_are_ru
from contracts.pipeline.templates import Template
from services.pipelines.templates.engine import variables
from services.pipelines.templates.errors import TemplateError
from services.pipelines.templates.expressions import Use
from services.pipelines.templates.grammar import GROUPS, ROOTS, near_name, read_template
from services.pipelines.templates.values import COMPANY_NAMES, LEAD_NAMES

_BEFORE, _BEHIND = "\ue000", "\ue001"
"""Stand in the place of an expression, a space between them: only inside quotes do they stay in one attribute."""
_ADDRESSES = frozenset({"href", "src", "action", "background", "cite", "data", "formaction", "poster"})
_RAW = frozenset({"script", "style"})
_IN_TAG_NAME = (
    "a value stands where a tag is named; write the tag yourself",
    "значение стоит на месте имени тега; напишите тег сами",
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a template. `path`: from the template, `("ru", "text")`; `line`: in that text, from 1.

    `error`: it cannot be sent as it is. `warning`: it can, and may harm. `info`: some leads will not get it.
    """

    severity: Literal["error", "warning", "info"]
    path: Path
    line: int | None
    en: str
    ru: str
    about: Literal["unsubscribe"] | None = None
    """What it is about, where a rule of its own looks for that."""


def checked(template: Template, pipeline: Pipeline, company: Collection[str] = COMPANY_NAMES) -> list[Problem]:
    """Everything wrong with a template for leads of this pipeline, in the order of its texts. `company`: the names that the
    settings give of our company."""
    known = _known(pipeline, company)
    found: list[Problem] = []
    for language, told in (("ru", template.ru), ("en", template.en)):
        parts = (("subject", told.subject), ("text", told.text), ("html", told.html))
        for part, text in parts:
            if text is not None:
                found += _of_text((language, part), text, known, template.marketing and part != "subject")
    if (template.ru.html is None) is not (template.en.html is None):
        language = "ru" if template.ru.html is None else "en"
        found.append(
            Problem(
                "warning",
                (language,),
                None,
                f"html stands in one language alone: in {language} the letter goes as plain text; write {language}.html",
                f"html есть только на одном языке: на {language} письмо уйдёт простым текстом; напишите {language}.html",
            )
        )
    return found


def _of_text(path: Path, text: str, known: dict[str, frozenset[str]], needs_way_out: bool) -> Iterator[Problem]:
    try:
        written, needed = read_template(text), variables(text)
    except TemplateError as error:
        yield Problem("error", path, error.line, str(error), error.ru)
        return
    told: set[str] = set()
    for use in written.uses:
        if use.path.partition(".")[0] in written.own or use.path in told:
            continue
        wrong = _name(use, known)
        if wrong is not None:
            told.add(use.path)
            yield Problem("error", path, use.line, *wrong)
        elif use.path.partition(".")[0] in ("lead", "card", "facts", "stored") and not use.provided:
            told.add(use.path)
            yield Problem(
                "info",
                path,
                use.line,
                f"a lead without {use.path} will not get this; where it may be empty write "
                f"{{{{ {use.path} | default('…') }}}}",
                f"лид, у которого нет {use.path}, этого не получит; где оно бывает пустым, пишите "
                f"{{{{ {use.path} | default('…') }}}}",
            )
    if needs_way_out and "unsubscribe" not in needed:
        yield Problem(
            "error",
            path,
            None,
            "an advertising message has to say how one ends it; write {{ unsubscribe }} where that address is to stand",
            "в рекламном сообщении должно быть сказано, как от него отказаться; напишите {{ unsubscribe }} там, где быть этому "
            "адресу",
            "unsubscribe",
        )
    for applied in written.filters:
        if applied.name == "safe":
            yield Problem(
                "warning",
                path,
                applied.line,
                "safe writes a text of the settings as it is, with its markup; leave it out unless that text is HTML of your own",
                "safe вставляет текст из настроек как есть, с разметкой; уберите, если это не ваш собственный HTML",
            )
    if path[-1] == "html":
        yield from _unquoted(path, text)


def _known(pipeline: Pipeline, company: Collection[str]) -> dict[str, frozenset[str]]:
    fields = pipeline.field_ids
    return {
        "lead": frozenset(f"lead.{name}" for name in LEAD_NAMES),
        "card": frozenset(f"card.{name}" for name in fields),
        "stored": frozenset(f"stored.{name}" for name in fields),
        "facts": frozenset(f"facts.{name}" for name in pipeline.facts_by_id),
        "terms": frozenset(f"terms.{name}" for name in pipeline.terms_by_id),
        "company": frozenset(f"company.{name}" for name in company),
    }


def _name(use: Use, known: dict[str, frozenset[str]]) -> tuple[str, str] | None:
    """What is wrong with a name, in English and Russian; None: it is one that a template sees."""
    root, dot, _ = use.path.partition(".")
    line, line_ru = f"line {use.line}: ", f"строка {use.line}: "
    if root in GROUPS and not dot:
        return (
            f"{line}{root} is a group of values; write one of them{there_are(known[root])}",
            f"{line_ru}{root} — группа значений; напишите одно из них{there_are_ru(known[root])}",
        )
    if root in GROUPS:
        names: Collection[str] = known[root]
    elif root in ROOTS and not dot:
        return None
    else:
        names = ROOTS if not dot else frozenset().union(*known.values())
    if use.path in names:
        return None
    meant = near_name(use.path, names)
    return (
        f"{line}there is no {use.path}{there_are(names, meant)}",
        f"{line_ru}{use.path} нет{there_are_ru(names, meant)}",
    )


def _unquoted(path: Path, text: str) -> Iterator[Problem]:
    """Values at places of HTML that escaping does not cover: outside quotes in a tag, in scripts and styles, at the beginning of
    an address."""
    parser = _Places()
    at = 0
    plain = text.replace(_BEFORE, " ").replace(_BEHIND, " ")
    written = read_template(text)
    for kind, start, end in written.blocks:
        parser.feed(plain[at:start])
        if kind == "{{" and plain[:start].endswith(("<", "</")):
            parser.found.append((parser.getpos()[0], *_IN_TAG_NAME))
        lines = "\n" * text.count("\n", start, end)
        if kind == "{{":
            roots = {use.path.partition(".")[0] for use in written.uses if use.block == start}
            own = roots <= {"unsubscribe", "company"}
            parser.feed(f"{_BEFORE}{'o' if own else ' '} {_BEHIND}{lines}")
        else:
            parser.feed(lines)
        at = end
    parser.feed(plain[at:])
    parser.close()
    for line, en, ru in sorted(set(parser.found)):
        yield Problem("warning", path, line, f"line {line}: {en}", f"строка {line}: {ru}")


class _Places(HTMLParser):
    """Looks where the expressions of an HTML text stand."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str, str]] = []
        self._raw = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _RAW:
            self._raw = tag
        line = self.getpos()[0]
        if _BEFORE in tag or any(_torn(name) or _torn(value or "") for name, value in attrs):
            self.found.append(
                (
                    line,
                    f'a value stands in the tag {_shown(tag)} outside quotes; write it like title="{{{{ … }}}}"',
                    f'значение стоит в теге {_shown(tag)} вне кавычек; пишите так: title="{{{{ … }}}}"',
                )
            )
        for name, value in attrs:
            if name in _ADDRESSES and (value or "").lstrip().startswith(f"{_BEFORE} "):
                self.found.append(
                    (
                        line,
                        f"{name} begins with a value: it may be an address of any kind; write https:// before it",
                        f"{name} начинается со значения: адрес может быть каким угодно; напишите перед ним https://",
                    )
                )
            if name == "style" or name.startswith("on"):
                self._raw_value(line, name, value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._raw:
            self._raw = ""

    def handle_data(self, data: str) -> None:
        if self._raw:
            self._raw_value(self.getpos()[0], self._raw, data)

    def _raw_value(self, line: int, where: str, text: str) -> None:
        if _BEFORE in text:
            self.found.append(
                (
                    line,
                    f"a value stands in {where}, where escaping does not help; take it out",
                    f"значение стоит в {where}, где экранирование не защищает; уберите его",
                )
            )


def _torn(text: str) -> bool:
    """Whether an expression's place was cut in two: it stood outside quotes."""
    return text.count(_BEFORE) != text.count(_BEHIND)


def _shown(tag: str) -> str:
    return tag.replace(_BEFORE, "").replace(_BEHIND, "").strip() or "…"
