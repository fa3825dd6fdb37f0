"""Robots and deadlines that a version of a pipeline added, and how many leads stand where they would run (N5). Pure.

Invariants: a count of leads, not of those without the robots: whoever entered the stage since has them, which only the lead's
events say; `services.leads.starting.preview` looks at those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.pipeline import Pipeline, Stage, Titles
from services.leads.publishing.store import LIVE, Standing


@dataclass(frozen=True, slots=True)
class Added:
    """A stage with robots or deadlines that the version before did not have there. `leads`: open and paused ones that stand in it
    under this version."""

    stage: str
    titles: Titles
    robots: tuple[str, ...]
    leads: int


def added(before: Pipeline | None, after: Pipeline, number: int, standing: Sequence[Standing]) -> tuple[Added, ...]:
    """Stages where leads stand and version `number` (`after`) added robots; of a first version none."""
    if before is None:
        return ()
    found = []
    for stage in after.stages:
        then = before.by_id.get(stage.id)
        had = set(_begin_in(then)) if then is not None else set()
        robots = tuple(name for name in _begin_in(stage) if name not in had)
        leads = sum(row.leads for row in standing if (row.stage, row.number) == (stage.id, number) and row.kind in LIVE)
        if robots and leads:
            found.append(Added(stage.id, stage.titles, robots, leads))
    return tuple(found)


def _begin_in(stage: Stage) -> tuple[str, ...]:
    """What begins by itself in a stage: robots and deadlines."""
    return (*stage.robots_by_id, *stage.deadlines_by_id)
