"""What a scenario text says, read but not yet played."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Language = Literal["ru", "en"]
Part = Literal["given", "when", "then"]


class ScriptError(ValueError):
    """A scenario text is wrong; each line of the message names file and line, what stands there and what could."""


@dataclass(frozen=True, slots=True)
class Detail:
    """A line below a step: a field with its value, or an item of a list (`name` is None)."""

    line: int
    name: str | None
    value: str


@dataclass(frozen=True, slots=True)
class Step:
    """One sentence: which phrase it is, the words that stand in its gaps, the lines below it.

    `actor` is set for what somebody does; `text` is the sentence as it was written.
    """

    part: Part
    line: int
    text: str
    phrase: str
    gaps: Mapping[str, str] = field(default_factory=dict)
    actor: str | None = None
    details: tuple[Detail, ...] = ()
    along: tuple[Step, ...] = ()
    """Of a change of stage: what is recorded in the same act."""

    def fields(self) -> tuple[Detail, ...]:
        """The details that give a field a value."""
        return tuple(detail for detail in self.details if detail.name is not None)

    def items(self, inline: str | None = None) -> tuple[str, ...]:
        """The items of a list: those of the sentence (apart by `;`), then those below it."""
        stated = [part.strip() for part in inline.split(";")] if inline else []
        return tuple(part for part in (*stated, *(d.value for d in self.details if d.name is None)) if part)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named story with its steps, in order."""

    name: str
    line: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """The scenarios of one pipeline, from one file."""

    file: str
    language: Language
    pipeline: str
    scenarios: tuple[Scenario, ...]
