"""Reading a pipeline from YAML (decision 6).

Pure. Raises `PipelineError` for whatever is wrong with the text; its message names the place and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contracts.pipeline import Pipeline
from services.pipelines.conditions import ConditionError, compile_condition
from services.pipelines.strict_yaml import YamlError, read_yaml


class PipelineError(ValueError):
    """A pipeline's text is wrong; the message says where and how to mend it."""


def read_pipeline(text: str, file: str = "pipeline.yaml") -> Pipeline:
    """The pipeline in a YAML text. `file` names it in errors. Raises PipelineError."""
    try:
        return read_yaml(
            text,
            Pipeline,
            file,
            whole="the pipeline",
            begins="a pipeline begins with `pipeline: its_id`",
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
