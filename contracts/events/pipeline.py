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


class PipelineArchived(Event):
    """N14: the pipeline takes no new leads; nothing stands in it any more. Its versions stay readable."""

    TOPIC: ClassVar[str] = "leadline.pipeline.archived"
    KIND: ClassVar[AggregateKind] = "pipeline"

    pipeline: str
    number: int = Field(ge=1)
    """The version that was in force."""


class PipelineRestored(Event):
    """The pipeline is in force again."""

    TOPIC: ClassVar[str] = "leadline.pipeline.restored"
    KIND: ClassVar[AggregateKind] = "pipeline"

    pipeline: str
    number: int = Field(ge=1)


class AdoptionStarted(Event):
    """M3: live leads of a version move over to another one, by a stated mapping of stages; each by an event of its own."""

    TOPIC: ClassVar[str] = "leadline.pipeline.adoption_started"
    KIND: ClassVar[AggregateKind] = "pipeline"

    pipeline: str
    number: int = Field(ge=1)
    """The version they go on under."""
    mapping: dict[str, str]
    """Stage of then → stage of now; a stage that is not named keeps its id."""
