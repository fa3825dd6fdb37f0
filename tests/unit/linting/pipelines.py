"""Pipelines for the tests of the linter: as short as the rule allows."""

from __future__ import annotations

from typing import Any

from contracts.pipeline import Pipeline
from services.pipelines.lexicons import bundled
from services.pipelines.linting.case import Settings
from services.pipelines.linting.finding import Finding
from services.pipelines.linting.history import History
from services.pipelines.linting.linter import lint

QUIET = frozenset({"S5.idle_stage", "S5.no_exit_criterion", "S3.cannot_be_rejected"})
"""Rules that short pipelines break without meaning it."""


def titles(ru: str, en: str | None = None) -> dict[str, str]:
    """A title; the English one says nothing where none is given."""
    return {"ru": ru, "en": en or "New"}


def stage(name: str, title: str = "Объект", kind: str = "open", en: str | None = None, **more: Any) -> dict[str, Any]:
    """A stage. Without an English title it has one that fits any style."""
    return {"id": name, "titles": titles(title, en or f"Lead {name.replace('_', ' ')}"[:200]), "kind": kind, **more}


WON = stage("won", "Сделка", "won", "Deal")
LOST = stage("lost", "Отказ", "lost", "Refused")


def pipeline(*stages: dict[str, Any], **more: Any) -> Pipeline:
    """A pipeline of these open stages, a won one and a lost one."""
    given = list(stages)
    given += [end for end in (WON, LOST) if not any(s["kind"] == end["kind"] for s in given)]
    return Pipeline.model_validate(
        {"pipeline": "p", "titles": titles("Воронка", "Pipeline"), "conversion_point": "won", "stages": given, **more}
    )


def findings(
    given: Pipeline,
    rule: str | None = None,
    history: History | None = None,
    settings: Settings | None = None,
    teams: frozenset[str] | None = None,
) -> list[Finding]:
    """All findings on a pipeline, or those of one rule."""
    found = lint(given, bundled(), history, settings, teams)
    return [finding for finding in found if rule is None or finding.rule == rule]


def named(*pairs: tuple[str, str] | str, **more: Any) -> Pipeline:
    """A pipeline of open stages with these titles (Russian, or Russian and English)."""
    stages = []
    for n, pair in enumerate(pairs):
        ru, en = pair if isinstance(pair, tuple) else (pair, None)
        stages.append(stage(f"s{n}", ru, en=en))
    return pipeline(*stages, **more)


def stages_of(found: list[Finding]) -> set[str]:
    """The stages that findings are about."""
    return {name for finding in found for name in finding.stages}
