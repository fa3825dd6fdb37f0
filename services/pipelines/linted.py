"""A pipeline's text read and linted in one go: the pipeline, its places in the file, its findings (S5). Pure.

Raises PipelineError for a text that is no pipeline.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.pipeline import Pipeline
from services.pipelines.language import read_written_pipeline
from services.pipelines.lexicons import bundled
from services.pipelines.linting.case import Settings
from services.pipelines.linting.finding import Finding
from services.pipelines.linting.history import History
from services.pipelines.linting.linter import lint
from services.strict_yaml import Written


@dataclass(frozen=True)
class Linted:
    """A pipeline as written, with all findings on it."""

    written: Written[Pipeline]
    findings: tuple[Finding, ...]

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline."""
        return self.written.model

    @property
    def ok(self) -> bool:
        """Whether nothing has to be mended."""
        return not any(finding.fails for finding in self.findings)


def lint_text(
    text: str,
    file: str = "pipeline.yaml",
    history: History | None = None,
    settings: Settings | None = None,
    teams: frozenset[str] | None = None,
) -> Linted:
    """The pipeline in a text, linted; with its past visits and the teams there are, where they are given. Raises
    PipelineError."""
    return lint_written(read_written_pipeline(text, file), history, settings, teams)


def lint_written(
    written: Written[Pipeline],
    history: History | None = None,
    settings: Settings | None = None,
    teams: frozenset[str] | None = None,
) -> Linted:
    """The same for a text that was read."""
    return Linted(written, lint(written.model, bundled(), history, settings, teams))
