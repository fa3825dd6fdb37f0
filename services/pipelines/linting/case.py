"""What a lint rule looks at: a pipeline, its titles as read by the lexicon, its ways, and its history where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from contracts.pipeline import Pipeline, Stage, Titles
from contracts.pipeline.names import Path
from services.pipelines.linting.constant import constant
from services.pipelines.linting.titles import Reading, read_title
from services.pipelines.linting.ways import Ways
from services.pipelines.templates import Problem, checked

if TYPE_CHECKING:
    from services.pipelines.linting.history import History
    from services.pipelines.linting.lexicon import Lexicons


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the rules draw their lines."""

    stages: int = 7
    """How many stages a scale has at most: open, won, postponed, and one for all reject statuses together."""
    mandatory: int = 10
    """How many fields may be mandatory on the way, all stages together."""
    short_visit: timedelta = timedelta(minutes=10)
    """A stage whose median visit is shorter is no stage."""
    enough: int = 20
    """How many visits or leads a figure of the history is told from."""
    skipped_share: float = 0.5
    """The share of leads passing a stage by from which it counts as skipped."""
    swing_share: float = 0.2
    """The share of leads going to and fro from which two stages count as one."""


@dataclass(frozen=True)
class Case:
    """A pipeline under the linter."""

    pipeline: Pipeline
    lexicons: Lexicons
    settings: Settings
    history: History
    teams: frozenset[str] = frozenset()
    """The teams that were published, for the rules that look at them."""

    @cached_property
    def open_stages(self) -> tuple[tuple[int, Stage], ...]:
        """The open stages in order, each with its index in the file."""
        return tuple((n, stage) for n, stage in enumerate(self.pipeline.stages) if stage.kind == "open")

    @cached_property
    def conditions(self) -> dict[str, bool | None]:
        """Every condition in the pipeline: True or False where it is that whatever the lead, None where it depends."""
        return {text: constant(text, self.pipeline) for text in self._texts()}

    def _texts(self) -> set[str]:
        found: set[str | None] = set()
        for stage in self.pipeline.stages:
            found |= {c.when for c in stage.exit}
            found |= {asked.when for asked in (*stage.mandatory, *stage.desirable)}
            for move in stage.moves or ():
                found |= {move.when, *(c.when for c in move.needs)}
            found |= {*(robot.when for robot in stage.robots), *(trigger.when for trigger in stage.triggers)}
            for deadline in stage.deadlines:
                found |= {deadline.when, *(within.when for within in deadline.within)}
                found |= {criterion.when for criterion in deadline.done}
                found |= {result.when for result in deadline.results}
                found |= {asked.when for result in deadline.results for asked in result.needs}
        return {text for text in found if text is not None}

    @cached_property
    def letters(self) -> tuple[tuple[Path, Problem, Titles], ...]:
        """What is wrong with the templates: where, what, and how the template is called."""
        return tuple(
            (("templates", n, *problem.path), problem, template.titles)
            for n, template in enumerate(self.pipeline.templates)
            for problem in checked(template, self.pipeline)
        )

    @cached_property
    def ways(self) -> Ways:
        """The ways a lead can go."""
        return Ways(self.pipeline, frozenset(text for text, value in self.conditions.items() if value is False))

    @cached_property
    def readings(self) -> dict[str, dict[str, Reading]]:
        """By stage and language, what its title says."""
        return {
            stage.id: {
                "ru": read_title(stage.titles.ru, self.lexicons.ru),
                "en": read_title(stage.titles.en, self.lexicons.en),
            }
            for stage in self.pipeline.stages
        }
