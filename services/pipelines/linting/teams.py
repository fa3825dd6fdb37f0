"""Teams that a pipeline gives its leads to, held against those that there are (C4). Pure.

What is known of the teams is brought by whoever has them: before a version is published, and with `leadline lint --history`.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.pipelines.linting.case import Case
from services.pipelines.linting.finding import Found, Path, Said


def unknown_team(case: Case) -> Iterator[Found]:
    """Teams that nobody published."""
    for path, team in _named(case):
        if team in case.teams:
            continue
        there = ", ".join(sorted(case.teams)) or "—"
        yield Found(
            path,
            Said(
                f"команды «{team}» нет, её лиды будут ждать в пуле; есть: {there}",
                f"there is no team “{team}”, its leads would wait in the pool; there are: {there}",
            ),
        )


def _named(case: Case) -> Iterator[tuple[Path, str]]:
    assignment = case.pipeline.assignment
    if assignment is None:
        return
    yield ("assignment", "team"), assignment.team
    for n, rule in enumerate(assignment.rules):
        if rule.team is not None:
            yield ("assignment", "rules", n, "team"), rule.team
