"""The playbook: what a seller does in each status, as a table of four columns and one row per status (P2).

Pure. Made from the pipeline alone. Where a stage says nothing in its playbook, its next step (P8) and its exit criteria stand in.
What happens by itself stands behind the actions, so that nobody does it by hand (R1).
Invariants: in each form every text is escaped by that form's rules; the HTML is well-formed, whole in itself and made to be
printed; a cell of the CSV never begins as a formula, and the file begins with a byte order mark, without which spreadsheets
read Russian as noise.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from contracts.pipeline import Deadline, Pipeline, Robot, Stage, Titles
from services.leads.domain.criteria import words_of
from services.pipelines.deadline_words import in_a_line
from services.pipelines.robot_words import robot_words

Language = Literal["ru", "en"]
Format = Literal["md", "html", "csv"]

HEADINGS: Final[dict[Language, tuple[str, str, str, str]]] = {
    "ru": ("Статус", "Шаги продавца", "Действия", "Критерии перехода"),
    "en": ("Status", "Seller's steps", "Actions", "Criteria for the next status"),
}
BY_ITSELF: Final[dict[Language, str]] = {"ru": "Само собой", "en": "By itself"}
IN_TIME: Final[dict[Language, str]] = {"ru": "Срок", "en": "Deadline"}
NAMES: Final[dict[Language, str]] = {"ru": "Таблица продавца", "en": "Playbook"}
MEDIA_TYPES: Final[dict[Format, str]] = {
    "md": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
}
BYTE_ORDER_MARK: Final = "\ufeff"
_FORMULA = re.compile(r"\s*[=+\-@\t\r]")
"""How a cell begins that a spreadsheet would compute."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~&])")
_STYLE: Final = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2rem;color:#111}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #999;padding:.4rem .5rem;text-align:left;vertical-align:top}"
    "thead th{background:#eee}"
    "ol,ul{margin:0;padding-left:1.2rem}"
    "@page{size:A4 landscape;margin:12mm}"
    "@media print{body{margin:0;font-size:11px}thead{display:table-header-group}tr{break-inside:avoid}}"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A status with what belongs to it."""

    status: str
    steps: tuple[str, ...]
    actions: tuple[str, ...]
    criteria: tuple[str, ...]

    @property
    def cells(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """The columns after the status."""
        return self.steps, self.actions, self.criteria


def rows(pipeline: Pipeline, language: Language) -> tuple[Row, ...]:
    """One row per status, in the order of the pipeline."""
    return tuple(_row(pipeline, stage, language) for stage in pipeline.stages)


def written(pipeline: Pipeline, form: Format, language: Language) -> str:
    """The table in one of its forms."""
    return _WRITERS[form](pipeline, rows(pipeline, language), language)


def file_name(pipeline: Pipeline, form: Format) -> str:
    """How the downloaded file is called."""
    return f"playbook-{pipeline.pipeline}.{form}"


def _row(pipeline: Pipeline, stage: Stage, language: Language) -> Row:
    def said(text: Titles) -> str:
        return text.ru if language == "ru" else text.en

    def each(words: Sequence[object]) -> tuple[str, ...]:
        return tuple(str(getattr(text, language)) for text in words)

    steps = each(stage.steps) or each([stage.next_step] if stage.next_step else [])
    asked = tuple(said(words_of(criterion, pipeline)) for criterion in pipeline.exit_of[stage.id])
    robots = tuple(_by_itself(robot, pipeline, language) for robot in stage.robots)
    deadlines = tuple(_in_time(deadline, pipeline, language) for deadline in stage.deadlines)
    return Row(said(stage.titles), steps, (*each(stage.actions), *deadlines, *robots), each(stage.criteria) or asked)


def _in_time(deadline: Deadline, pipeline: Pipeline, language: Language) -> str:
    """A deadline in a line: by when, and what counts as done (Q7)."""
    line = in_a_line(deadline, pipeline)
    titles = deadline.titles
    if language == "ru":
        return f"{IN_TIME[language]} «{titles.ru}»: {line.ru}"
    return f"{IN_TIME[language]} “{titles.en}”: {line.en}"


def _by_itself(robot: Robot, pipeline: Pipeline, language: Language) -> str:
    """A robot in a line: when, on which condition, what."""
    told = robot_words(robot, pipeline)
    if language == "ru":
        when = f", если {told.when.ru}" if told.when else ""
        return f"{BY_ITSELF[language]}: {told.start.ru}{when} — {told.action.ru}"
    when = f", if {told.when.en}" if told.when else ""
    return f"{BY_ITSELF[language]}: {told.start.en}{when}: {told.action.en}"


def _title(pipeline: Pipeline, language: Language) -> str:
    titles = pipeline.titles
    return f"{NAMES[language]}: {titles.ru if language == 'ru' else titles.en}"


def _markdown(pipeline: Pipeline, table: tuple[Row, ...], language: Language) -> str:
    def cell(texts: tuple[str, ...]) -> str:
        escaped = [_markdown_text(text) for text in texts]
        return (
            "<br>".join(f"{n}. {text}" for n, text in enumerate(escaped, 1)) if len(escaped) > 1 else "".join(escaped)
        )

    lines = [f"# {_markdown_text(_title(pipeline, language))}", ""]
    lines.append("| " + " | ".join(HEADINGS[language]) + " |")
    lines.append("|" + " --- |" * 4)
    for row in table:
        lines.append("| " + " | ".join((f"**{_markdown_text(row.status)}**", *map(cell, row.cells))) + " |")
    return "\n".join(lines) + "\n"


def _markdown_text(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _html(pipeline: Pipeline, table: tuple[Row, ...], language: Language) -> str:
    def cell(texts: tuple[str, ...], kind: str) -> str:
        if len(texts) < 2:
            return f"<td>{escape(''.join(texts))}</td>"
        return f"<td><{kind}>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + f"</{kind}></td>"

    title = escape(_title(pipeline, language))
    heading = "".join(f'<th scope="col">{escape(text)}</th>' for text in HEADINGS[language])
    body = "\n".join(
        f'<tr><th scope="row">{escape(row.status)}</th>'
        f"{cell(row.steps, 'ol')}{cell(row.actions, 'ul')}{cell(row.criteria, 'ul')}</tr>"
        for row in table
    )
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8"/>\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<table>\n<thead>\n<tr>{heading}</tr>\n</thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>\n</body>\n</html>\n"
    )


def _csv(_: Pipeline, table: tuple[Row, ...], language: Language) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(HEADINGS[language])
    for row in table:
        writer.writerow([_csv_text(row.status), *(_csv_text("\n".join(texts)) for texts in row.cells)])
    return BYTE_ORDER_MARK + out.getvalue()


def _csv_text(text: str) -> str:
    """A cell that is a text in every spreadsheet: one that would be computed is led by an apostrophe."""
    return f"'{text}" if _FORMULA.match(text) else text


_WRITERS: Final[dict[Format, Callable[[Pipeline, tuple[Row, ...], Language], str]]] = {
    "md": _markdown,
    "html": _html,
    "csv": _csv,
}
