"""A rule of the linter (S5): what it looks for, how grave that is, why it harms, how to mend it, and the function that looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.pipelines.linting.case import Case
from services.pipelines.linting.finding import Found, Said, Severity


@dataclass(frozen=True, slots=True)
class LintRule:
    """A rule: its id, how grave a finding is, what it looks for, why that harms, how to mend it, and the function that looks."""

    id: str
    severity: Severity
    what: Said
    why: Said
    mend: Said
    look: Callable[[Case], Iterator[Found]] | None = None
    """None: the linter itself finds it, by comparing all findings with those expected."""
    of_history: bool = False
    """Whether it reads the figures of past visits (`leadline lint --history`)."""
    of_teams: bool = False
    """Whether it looks at the teams there are: with `--history` too, and before a version is published."""
