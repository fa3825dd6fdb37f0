"""Events of a team: its versions are facts like any other (C4, N19)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from contracts.events.base import Event
from contracts.meta import AggregateKind


class TeamPublished(Event):
    """C4: a version of a team is in force from here on: who belongs to it, who heads it, what each can do. `source` is its YAML
    text (`contracts.team`), `sha256` of that text."""

    TOPIC: ClassVar[str] = "leadline.team.published"
    KIND: ClassVar[AggregateKind] = "team"

    team: str
    number: int = Field(ge=1)
    source: str
    sha256: str
