"""The ways a lead can go by a pipeline as written, and what is wrong with them: unreachable, dead ends, loops (S5, N3, N10).

Pure. A way is what `check` would let a person (or the system, where a move is automatic, or a robot or trigger makes it) do
without an override.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from contracts.pipeline import (
    ContactCriterion,
    Criterion,
    FactCriterion,
    FieldCriterion,
    MoveTo,
    Pipeline,
    RejectAs,
    Robot,
    Role,
    Stage,
    Trigger,
)
from services.pipelines.linting.finding import Path

OF_THE_STAGE = frozenset({"answer"})
"""Built-in facts that end with the stage visit they were recorded in."""


class Way(NamedTuple):
    """A way out of a stage. `asked`: what must hold on it. `path`: where it is stated, None where it is a usual one."""

    to: str
    asked: tuple[Criterion, ...]
    auto: bool
    by: tuple[Role, ...]
    forward: bool
    path: Path | None
    when: str | None = None


@dataclass(frozen=True)
class Ways:
    """All ways of a pipeline. `closed`: conditions (CEL) that never hold."""

    pipeline: Pipeline
    closed: frozenset[str] = frozenset()

    @cached_property
    def out(self) -> dict[str, tuple[Way, ...]]:
        """The ways out of each stage that somebody or something can go."""
        machines = self._by_machines
        return {
            stage.id: tuple(
                way
                for way in self._of(n, stage)
                if (way.auto or way.by or (stage.id, way.to) in machines)
                and (way.when is None or way.when not in self.closed)
            )
            for n, stage in enumerate(self.pipeline.stages)
        }

    @cached_property
    def possible(self) -> dict[str, frozenset[str]]:
        """Where a lead could go from each stage if everybody might move it; rules ask a robot or trigger for no role."""
        return {
            stage.id: frozenset(way.to for way in self._of(n, stage)) for n, stage in enumerate(self.pipeline.stages)
        }

    @cached_property
    def _by_machines(self) -> frozenset[tuple[str, str]]:
        """Stages that robots and triggers move leads out of, and to."""
        found: set[tuple[str, str]] = set()
        for stage in self.pipeline.stages:
            for robot in stage.robots:
                to = machine_target(robot)
                if to is not None and (robot.when is None or robot.when not in self.closed):
                    found.add((stage.id, to))
            found |= {(stage.id, to) for to in results_of(stage) if to != stage.id}
            for trigger in stage.triggers:
                if trigger.when is None or trigger.when not in self.closed:
                    found |= {(here, stage.id) for here in trigger_sources(trigger, stage, self.pipeline)}
        return frozenset(found)

    def _of(self, n: int, stage: Stage) -> Iterator[Way]:
        pipeline, scale = self.pipeline, self.pipeline.scale
        if stage.kind == "open":
            here = scale.index(stage.id)
            exits = pipeline.exit_of[stage.id]
            if stage.moves is None:
                step = pipeline.steps[stage.id]
                for to in scale:
                    if pipeline.steps[to] == step + 1:
                        yield Way(to, exits, False, stage.by, True, None)
                yield from (Way(to, (), False, stage.by, False, None) for to in scale[:here])
            for m, move in enumerate(stage.moves or ()):
                forward = scale.index(move.to) > here
                asked = (*(exits if forward and not move.instead_of_exit else ()), *move.needs)
                yield Way(move.to, asked, move.auto, move.by or stage.by, forward, ("stages", n, "moves", m), move.when)
            closed = (s.id for s in pipeline.stages if s.kind in ("lost", "postponed"))
            for to in closed if stage.outcomes is None else stage.outcomes:
                yield Way(to, (), False, stage.by, False, None)
        elif stage.kind == "won":
            if pipeline.won_moves == "free":
                yield from (Way(s.id, (), False, stage.by, False, None) for s in pipeline.stages if s.kind == "won")
        else:
            for m, move in enumerate(stage.moves or ()):
                yield Way(move.to, move.needs, False, move.by or stage.by, True, ("stages", n, "moves", m), move.when)
            if stage.reopen is not None and stage.reopen.to is not None:
                yield Way(stage.reopen.to, (), False, ("head",), False, ("stages", n, "reopen", "to"))

    def reached_from(self, stage: str, *, without: str | None = None) -> frozenset[str]:
        """The stages a lead in this one can come to (itself too), never entering `without`."""
        found, waiting = {stage}, [stage]
        while waiting:
            for way in self.out[waiting.pop()]:
                if way.to not in found and way.to != without:
                    found.add(way.to)
                    waiting.append(way.to)
        return frozenset(found)

    @cached_property
    def reached(self) -> frozenset[str]:
        """The stages a captured lead can come to."""
        return self.reached_from(self.pipeline.first.id)

    @cached_property
    def settled(self) -> dict[str, tuple[Criterion, ...]]:
        """By open stage, what holds already whenever a lead comes to it: asked on every way there, and lasting."""
        first = self.pipeline.first.id
        found: dict[str, list[Criterion]] = {s.id: [] for s in self.pipeline.stages if s.kind == "open"}
        for before in found:
            around = self.reached_from(first, without=before) if before != first else frozenset[str]()
            for stage in found:
                if stage == before or stage in around or stage not in self.reached:
                    continue
                found[stage] += self._asked_between(before, stage)
        return {stage: tuple(criteria) for stage, criteria in found.items()}

    def _asked_between(self, before: str, stage: str) -> list[Criterion]:
        """What every way out of `before` that leads on to `stage` asks, as far as it lasts."""
        ways = [
            way
            for way in self.out[before]
            if way.to == stage or (way.to != before and stage in self.reached_from(way.to, without=before))
        ]
        if not ways:
            return []
        head, *others = ways
        return [
            criterion
            for criterion in head.asked
            if self.lasts(criterion) and all(implied(criterion, way.asked) for way in others)
        ]

    def lasts(self, criterion: Criterion) -> bool:
        """Whether what it asks stays true in later stages."""
        if not isinstance(criterion, FactCriterion):
            return True
        if criterion.fact in OF_THE_STAGE:
            return False
        return self.pipeline.facts_by_id[criterion.fact].holds == "lead"


def machine_target(robot: Robot) -> str | None:
    """Where a robot takes the lead; None: it leaves it where it is."""
    match robot.do:
        case MoveTo(move=to) | RejectAs(reject=to):
            return to
    return None


def results_of(stage: Stage) -> Iterator[str]:
    """Where results of the stage's deadlines take the lead (Q4)."""
    for deadline in stage.deadlines:
        for result in deadline.results:
            match result.then:
                case MoveTo(move=to) | RejectAs(reject=to):
                    yield to


def trigger_sources(trigger: Trigger, stage: Stage, pipeline: Pipeline) -> tuple[str, ...]:
    """The stages that a trigger moves leads out of, as `services.leads.domain.robots.triggers` does."""
    if trigger.from_stages:
        return trigger.from_stages
    place = pipeline.place(stage.id)
    return tuple(
        other.id
        for other in pipeline.stages
        if other.kind == "open" and other.id != stage.id and (place is None or (pipeline.place(other.id) or 0) < place)
    )


def implied(criterion: Criterion, by: Iterable[Criterion]) -> bool:
    """Whether it holds whenever all of these do."""
    return any(_implies(other, criterion) for other in by)


def _implies(one: Criterion, other: Criterion) -> bool:
    if one.when is not None and one.when != other.when:
        return False
    match one, other:
        case FactCriterion(), FactCriterion():
            narrower = not other.value or (bool(one.value) and set(one.value) <= set(other.value))
            return one.fact == other.fact and narrower
        case FieldCriterion(), FieldCriterion():
            return one.field == other.field
        case ContactCriterion(), ContactCriterion():
            return one.contact == other.contact or (other.contact == "reachable" and one.contact in ("phone", "email"))
    return False
