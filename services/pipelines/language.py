"""Reading a pipeline from YAML (decision 6).

Pure. Raises `PipelineError` for whatever is wrong with the text; its message names the place and what was expected.
"""

from __future__ import annotations

from contracts.pipeline import Pipeline
from services.pipelines.strict_yaml import YamlError, read_yaml


class PipelineError(ValueError):
    """A pipeline's text is wrong; the message says where and how to mend it."""


def read_pipeline(text: str, file: str = "pipeline.yaml") -> Pipeline:
    """The pipeline in a YAML text. `file` names it in errors. Raises PipelineError."""
    try:
        return read_yaml(text, Pipeline, file, whole="the pipeline", begins="a pipeline begins with `pipeline: its_id`")
    except YamlError as error:
        raise PipelineError(str(error)) from error
