"""What the API of pipelines answers with (M3, N14, N26). Leads are named by id; nothing personal is here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.commands import Refusal
from contracts.pipeline import Titles
from services.leads.publishing.preview import Preview
from services.leads.publishing.run import Adopted
from services.web.shapes import StageOut

TEXT_CHARACTERS = 500_000


class PipelineOut(BaseModel):
    """A pipeline. `number`: of the version in force; `leads`: by kind; `behind`: open and paused leads under older versions."""

    model_config = ConfigDict(from_attributes=True)

    pipeline: str
    titles: Titles
    number: int
    published_at: datetime
    archived_at: datetime | None
    leads: dict[str, int]
    behind: int
    default: bool = False


class PipelineList(BaseModel):
    """All pipelines."""

    items: list[PipelineOut]
    next: None = None


class ChangeOut(BaseModel):
    """One change against the version before. `at`: the id it is about, `stage/criterion` for what is of a stage."""

    model_config = ConfigDict(from_attributes=True)

    what: str
    at: str
    ru: str
    en: str


class StageStanding(BaseModel):
    """A stage with the leads that stand in it, by kind, whatever their version."""

    stage: StageOut
    leads: dict[str, int]


class VersionOut(BaseModel):
    """A version, without its text."""

    number: int
    titles: Titles
    published_at: datetime
    stages: int
    leads: int = Field(description="Leads that stand under it")


class RobotsAdded(BaseModel):
    """A stage with robots that the version in force added: leads that stood there before it have them only when they are started
    (`leadline robots start`). `leads`: open and paused ones that stand there under this version."""

    model_config = ConfigDict(from_attributes=True)

    stage: str
    titles: Titles
    robots: list[str]
    leads: int


class PipelineWhole(PipelineOut):
    """A pipeline with its versions, the newest first, and its stages, those in force first."""

    versions: list[VersionOut]
    stages: list[StageStanding]
    robots_added: list[RobotsAdded]


class VersionWhole(BaseModel):
    """A version with its text, and what it changed."""

    pipeline: str
    number: int
    published_at: datetime
    source: str
    changes: list[ChangeOut]


class MoveOut(BaseModel):
    """How many leads go from a stage to another, or stay in it."""

    model_config = ConfigDict(from_attributes=True)

    stage: str
    to: str | None
    kind: str
    leads: int


class NotMoved(BaseModel):
    """A lead that was not moved, or would not be. An empty refusal: the service itself failed over it."""

    lead: UUID
    refusal: Refusal | None


class PublishAsked(BaseModel):
    """A pipeline's text to be put in force. `map`: stage of then → stage of now; `adopt_open`: live leads go on under it."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=TEXT_CHARACTERS)
    adopt_open: bool = False
    map: dict[str, str] = Field(default_factory=dict, max_length=100)
    dry_run: bool = False


class PublishOut(BaseModel):
    """What publishing did or, in a dry run, would do.

    `number`: the version in force after it; `moved`: leads that go on under it since this call (or would, of those rehearsed);
    `left`: leads still to be moved: send the same again until it is 0. `objections` come in a dry run only.
    """

    pipeline: str
    number: int
    new: bool
    dry_run: bool
    changes: list[ChangeOut]
    objections: list[ChangeOut]
    leads: dict[str, dict[str, int]]
    moves: list[MoveOut]
    moved: int
    left: int
    refused: list[NotMoved]
    erased: int = Field(description="Open and paused leads of erased persons: they stay under their version")


class ArchiveOut(BaseModel):
    """A pipeline in or out of the archive. `changed`: by this call."""

    pipeline: str
    number: int
    archived: bool
    changed: bool


def publish_out(
    found: Preview,
    *,
    number: int,
    new: bool,
    dry_run: bool,
    moved: int,
    left: int,
    refused: Mapping[UUID, Refusal | None],
) -> PublishOut:
    """The answer from a preview and what became of the leads."""
    return PublishOut(
        pipeline=found.pipeline.pipeline,
        number=number,
        new=new,
        dry_run=dry_run,
        changes=[ChangeOut.model_validate(change) for change in found.changes],
        objections=[ChangeOut.model_validate(objection) for objection in found.objections],
        leads={stage: dict(kinds) for stage, kinds in found.standing.items()},
        moves=[MoveOut.model_validate(move) for move in found.moves],
        moved=moved,
        left=left,
        refused=[NotMoved(lead=lead, refusal=refusal) for lead, refusal in refused.items()],
        erased=found.erased,
    )


def adopted_out(found: Preview, number: int, adopted: Adopted) -> PublishOut:
    """The answer of a publication."""
    return publish_out(
        found,
        number=number,
        new=not found.in_force,
        dry_run=False,
        moved=adopted.moved,
        left=adopted.left,
        refused=adopted.refused,
    )
