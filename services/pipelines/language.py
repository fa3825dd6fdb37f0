"""Reading a pipeline from YAML (decision 6).

Pure. Raises `PipelineError` for whatever is wrong with the text; its message names the place and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from contracts.pipeline import Deadline, Pipeline
from contracts.pipeline.names import Misfit
from services.pipelines.conditions import ConditionError, compile_condition
from services.strict_yaml import Written, YamlError, read_written
from services.yaml_words import Words

EXAMPLES: Final = {
    "pipeline": "pipeline: countertops",
    "titles": 'titles: {ru: "Название", en: "Title"}',
    "ru": 'ru: "Название"',
    "en": 'en: "Title"',
    "conversion_point": "conversion_point: won",
    "stages": 'stages: [{id: new, titles: {ru: "Новый", en: "New"}, kind: open}, …]',
    "id": "id: new_lead",
    "kind": "kind: open",
    "to": "to: the_id_of_a_stage",
    "field": "field: the_id_of_a_field",
    "fact": "fact: seen",
    "after": "after: {days: 14}",
    "limit": "limit: {after: {days: 14}}",
    "rule": "rule: S5.mixed_style",
    "why": 'why: {ru: "Почему так", en: "Why it stands"}',
    "exit": "exit: [{fact: seen}, {field: needs}]",
    "mandatory": "mandatory: [needs, budget]",
    "desirable": "desirable: [colour]",
    "moves": "moves: [{to: proposal}]",
    "outcomes": "outcomes: [no_contact, paused]",
    "options": 'options: [{id: stone, titles: {ru: "Камень", en: "Stone"}}]',
    "due": "due: {hours: 1, working: true}",
    "delay": "delay: {days: 1}",
    "do": "do: {email: the_id_of_a_template}",
    "by": "by: [seller, head]",
    "next_step": 'next_step: {ru: "Позвонить", en: "Call"}',
}
"""By key, how it is written."""


class PipelineError(ValueError):
    """A pipeline's text is wrong; the message says where and how to mend it. `ru`: the same in Russian."""

    def __init__(self, en: str, ru: str | None = None) -> None:
        super().__init__(en)
        self.ru = ru if ru is not None else en


def read_pipeline(text: str, file: str = "pipeline.yaml") -> Pipeline:
    """The pipeline in a YAML text. `file` names it in errors. Raises PipelineError."""
    return read_written_pipeline(text, file).model


def read_written_pipeline(text: str, file: str = "pipeline.yaml") -> Written[Pipeline]:
    """The same, with the lines of its parts. Raises PipelineError."""
    try:
        return read_written(
            text,
            Pipeline,
            file,
            whole=Words("the pipeline", "воронка"),
            begins=Words("a pipeline begins with `pipeline: its_id`", "воронка начинается с `pipeline: её_id`"),
            examples=EXAMPLES,
            further=_wrong_conditions,
        )
    except YamlError as error:
        raise PipelineError(str(error), error.ru) from error


def _of_deadline(deadline: Deadline, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The parts of a deadline that have a condition, each with its path."""
    yield path, deadline
    yield from (((*path, "within", n), within) for n, within in enumerate(deadline.within))
    yield from (((*path, "done", n), criterion) for n, criterion in enumerate(deadline.done))
    for n, result in enumerate(deadline.results):
        yield (*path, "results", n), result
        yield from (((*path, "results", n, "needs", m), asked) for m, asked in enumerate(result.needs))


def _wrong_conditions(pipeline: Pipeline) -> Iterator[Misfit]:
    """Conditions that are no CEL, or over a limit, each with its path."""
    for n, stage in enumerate(pipeline.stages):
        parts: list[tuple[tuple[str | int, ...], Any]] = []
        for what in ("exit", "mandatory", "desirable", "moves", "robots", "triggers"):
            parts += [((what, m), part) for m, part in enumerate(getattr(stage, what) or ())]
        for path, move in [(path, part) for path, part in parts if path[0] == "moves"]:
            parts += [((*path, "needs", m), need) for m, need in enumerate(move.needs)]
        for m, deadline in enumerate(stage.deadlines):
            parts += list(_of_deadline(deadline, ("deadlines", m)))
        for path, part in parts:
            if part.when is None:
                continue
            try:
                compile_condition(part.when)
            except ConditionError as error:
                yield Misfit(
                    ("stages", n, *path, "when"),
                    f"stage {stage.id}: the condition is wrong: {error}",
                    f"стадия {stage.id}: условие не годится: {error.ru}",
                )
