"""What must fit together in deadlines and assignment: every name that stands in them names something (Q7, C4, M3).

Pure; the same way as `contracts.pipeline.coherence`, which asks this for the whole, and checks the criteria in `done` itself.
Invariant: an id stands for one robot or one deadline of the pipeline, never for two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from contracts.pipeline.automation import RESERVED, misfits_of_rejection
from contracts.pipeline.deadlines import Deadline, DeadlineResult
from contracts.pipeline.names import Misfit, Path, there_are, there_are_ru
from contracts.pipeline.robots import MoveTo, RejectAs
from contracts.pipeline.stages import Stage

if TYPE_CHECKING:
    from contracts.pipeline.pipeline import Pipeline


def misfits_of_deadlines(pipeline: Pipeline) -> Iterator[Misfit]:
    """Everything that does not fit together, with its path."""
    taken = {robot.id: stage.id for stage in pipeline.stages for robot in stage.robots}
    for n, stage in enumerate(pipeline.stages):
        for m, deadline in enumerate(stage.deadlines):
            place: Path = ("stages", n, "deadlines", m)
            yield from _told_apart(taken, deadline, stage, (*place, "id"))
            yield from _of_deadline(pipeline, stage, deadline, place)
    yield from _of_assignment(pipeline)


def _told_apart(taken: dict[str, str], deadline: Deadline, stage: Stage, path: Path) -> Iterator[Misfit]:
    name = deadline.id
    if name in RESERVED:
        yield Misfit(
            path,
            f"deadline {name}: this name is taken by the system; give it another one",
            f"срок {name}: это имя занято системой; дайте другое",
        )
    if name in taken:
        yield Misfit(
            path,
            f"deadline {name}: a robot or deadline of stage {taken[name]} has this name; it is told apart in the whole pipeline",
            f"срок {name}: так уже зовут робота или срок стадии {taken[name]}; имя — одно на всю воронку",
        )
    taken.setdefault(name, stage.id)


def _of_deadline(pipeline: Pipeline, stage: Stage, deadline: Deadline, path: Path) -> Iterator[Misfit]:
    here, here_ru = f"deadline {deadline.id}: ", f"срок {deadline.id}: "
    robots = [robot.id for robot in stage.robots]
    start = deadline.start
    if start is not None and start.fact is not None:
        yield from _one_of([*pipeline.facts_by_id], start.fact, (*path, "start", "fact"), here, here_ru, "fact", "факт")
    if start is not None and start.robot is not None:
        yield from _one_of(
            robots, start.robot, (*path, "start", "robot"), here, here_ru, "robot of the stage", "робот стадии"
        )
    if start is not None and start.date is not None:
        dates = [field.id for field in pipeline.fields if field.type == "date"]
        yield from _one_of(
            dates, start.date, (*path, "start", "date"), here, here_ru, "field of type date", "поле типа date"
        )
    for n, robot in enumerate(deadline.rests_on):
        yield from _one_of(robots, robot, (*path, "rests_on", n), here, here_ru, "robot of the stage", "робот стадии")
    for n, result in enumerate(deadline.results):
        yield from _of_result(pipeline, stage, result, (*path, "results", n), here, here_ru)


def _of_result(
    pipeline: Pipeline, stage: Stage, result: DeadlineResult, path: Path, here: str, here_ru: str
) -> Iterator[Misfit]:
    fields = [field.id for field in pipeline.fields]
    for n, asked in enumerate(result.needs):
        yield from _one_of(
            fields, asked.field, (*path, "needs", n), here, here_ru, "field of the card", "поле карточки"
        )
    match result.then:
        case MoveTo(move=to):
            fits = [s.id for s in pipeline.stages if s.kind in ("open", "won") and s.id != stage.id]
            yield from _one_of(
                fits, to, (*path, "then", "move"), here, here_ru, "other open or won stage", "другая открытая стадия"
            )
        case RejectAs() as reject:
            yield from misfits_of_rejection(pipeline, reject, (*path, "then"), here, here_ru)


def _of_assignment(pipeline: Pipeline) -> Iterator[Misfit]:
    assignment = pipeline.assignment
    if assignment is None:
        return
    here, here_ru = "assignment: ", "распределение: "
    if assignment.idle is not None:
        fits = [stage.id for stage in pipeline.stages if stage.kind == "open"]
        for n, stage in enumerate(assignment.idle.stages):
            path: Path = ("assignment", "idle", "stages", n)
            yield from _one_of(fits, stage, path, here, here_ru, "open stage", "открытая стадия")
    seen = set[str]()
    for n, rule in enumerate(assignment.rules):
        if rule.id in seen:
            yield Misfit(
                ("assignment", "rules", n, "id"),
                f"{here}two rules are called {rule.id}; give this one another id",
                f"{here_ru}два правила с именем {rule.id}; дайте другое",
            )
        seen.add(rule.id)


def _one_of(
    fits: list[str], name: str, path: Path, here: str, here_ru: str, what: str, what_ru: str
) -> Iterator[Misfit]:
    if name not in fits:
        yield Misfit(
            path,
            f"{here}{name or 'nothing'} is no {what}{there_are(fits, name)}",
            f"{here_ru}{name or 'пусто'} — не {what_ru}{there_are_ru(fits, name)}",
        )
