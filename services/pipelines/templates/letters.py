"""A whole template written out: subject, text, HTML; and its preview, with everything that is wrong with it (R3). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts.pipeline.templates import Template, TemplateText
from services.pipelines.templates.engine import render, render_subject
from services.pipelines.templates.errors import TemplateError
from services.pipelines.templates.reading import Language


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to the client. `subject` and `html`: of a letter alone."""

    subject: str | None
    text: str
    html: str | None


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a part: `subject`, `text` or `html`; the line in it, where it can be told; and the words."""

    part: str
    line: int | None
    en: str
    ru: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a person would get. A part that cannot be written is None, and `problems` say why."""

    subject: str | None
    text: str | None
    html: str | None
    problems: tuple[Wrong, ...]


def write(template: Template, values: Mapping[str, object], *, language: Language) -> Message:
    """The message. Raises TemplateError, naming the part, when any of it cannot be written: a letter goes whole or not at all."""
    subject, text, html = (
        None if part is None else _written(name, part) for name, part in _parts(template, values, language).items()
    )
    return Message(subject, text or "", html)


def preview(template: Template, values: Mapping[str, object], *, language: Language) -> Preview:
    """The message as far as it can be written, and all that is wrong with it."""
    told: dict[str, str | None] = {}
    problems: list[Wrong] = []
    for name, part in _parts(template, values, language).items():
        told[name] = None
        try:
            told[name] = None if part is None else part()
        except TemplateError as error:
            problems.append(Wrong(name, error.line, str(error), error.ru))
    return Preview(told["subject"], told["text"], told["html"], tuple(problems))


def _parts(template: Template, values: Mapping[str, object], language: Language) -> dict[str, Callable[[], str] | None]:
    """By name, how each part is written; None: the template has none."""
    told: TemplateText = template.ru if language == "ru" else template.en
    subject, html = told.subject, told.html
    return {
        "subject": None if subject is None else lambda: render_subject(subject, values, language=language),
        "text": lambda: _not_blank(render(told.text, values, html=False, language=language)),
        "html": None if html is None else lambda: render(html, values, html=True, language=language),
    }


def _written(name: str, part: Callable[[], str]) -> str:
    try:
        return part()
    except TemplateError as error:
        raise error.of_part(name) from None


def _not_blank(text: str) -> str:
    if not text.strip():
        raise TemplateError(
            "the text comes out empty; write a sentence that is always there",
            "текст выходит пустым; напишите предложение, которое есть всегда",
        )
    return text
