"""Reading a pipeline from YAML (decision 6).

Pure. Raises `PipelineError` for whatever is wrong with the text; its message names the place and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from contracts.pipeline import Pipeline
from services.pipelines.conditions import ConditionError, compile_condition
from services.pipelines.strict_yaml import Written, YamlError, read_written

EXAMPLES: Final = {
    "pipeline": "pipeline: countertops",
    "titles": 'titles: {ru: "Название", en: "Title"}',
    "ru": 'ru: "Название"',
    "en": 'en: "Title"',
    "conversion_point": "conversion_point: won, the stage whose entry counts as a deal",
    "stages": "stages:, and under it a list of stages, each with id, titles and kind",
    "id": "id: new_lead",
    "kind": "kind: open (or won, lost, postponed)",
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
    "by": "by: [seller, head]",
    "next_step": 'next_step: {ru: "Позвонить", en: "Call"}',
}
"""By key, how it is written."""


class PipelineError(ValueError):
    """A pipeline's text is wrong; the message says where and how to mend it."""


def read_pipeline(text: str, file: str = "pipeline.yaml") -> Pipeline:
    """The pipeline in a YAML text. `file` names it in errors. Raises PipelineError."""
    return read_written_pipeline(text, file).model


def read_written_pipeline(text: str, file: str = "pipeline.yaml") -> Written[Pipeline]:
    """The same, with the lines of its parts. Raises PipelineError."""
    begins = "a pipeline begins with `pipeline: its_id`"
    try:
        return read_written(
            text,
            Pipeline,
            file,
            whole="the pipeline",
            begins=begins,
            examples=EXAMPLES,
            further=_wrong_conditions,
        )
    except YamlError as error:
        raise PipelineError(str(error)) from error


def _wrong_conditions(pipeline: Pipeline) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Conditions that are no CEL, or over a limit, each with its path."""
    for n, stage in enumerate(pipeline.stages):
        parts: list[tuple[tuple[str | int, ...], Any]] = []
        for what in ("exit", "mandatory", "desirable", "moves"):
            parts += [((what, m), part) for m, part in enumerate(getattr(stage, what) or ())]
        for path, move in [(path, part) for path, part in parts if path[0] == "moves"]:
            parts += [((*path, "needs", m), need) for m, need in enumerate(move.needs)]
        for path, part in parts:
            if part.when is None:
                continue
            try:
                compile_condition(part.when)
            except ConditionError as error:
                yield ("stages", n, *path, "when"), f"stage {stage.id}: the condition is wrong: {error}"
