"""Events of a pipeline: its versions are facts like any other (decision 6)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from contracts.events.base import Event
from contracts.meta import AggregateKind


class PipelinePublished(Event):
    """M3: a version of a pipeline is in force from here on; `source` is its YAML text, `sha256` of that text."""

    TOPIC: ClassVar[str] = "leadline.pipeline.published"
    KIND: ClassVar[AggregateKind] = "pipeline"

    pipeline: str
    number: int = Field(ge=1)
    source: str
    sha256: str
