"""What of a pipeline's card is used by anything but the asking itself (Q11). Pure.

A field is used where a condition looks at it, an exit criterion or a move asks whether it is filled, a template writes it, a
robot starts by it, sets it or takes a reason from it, a deadline starts by it or needs it. That it is mandatory or desirable asks
the client for it and uses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from contracts.pipeline import CardField, Criterion, Deadline, FieldCriterion, Pipeline, Robot, Stage
from contracts.pipeline.robots import RejectAs, SetField
from services.pipelines.conditions import names_in
from services.pipelines.templates import TemplateError, variables

CARD = "card"


def unused_fields(pipeline: Pipeline) -> tuple[CardField, ...]:
    """The fields that nothing downstream uses, in the order of the card."""
    used = set(_used(pipeline))
    return tuple(field for field in pipeline.fields if field.id not in used)


def _used(pipeline: Pipeline) -> Iterator[str]:
    for text in _conditions(pipeline):
        yield from (name for map_, name in names_in(text) if map_ == CARD)
    for template in pipeline.templates:
        for written in (template.ru, template.en):
            yield from _written(text for text in (written.subject, written.text, written.html) if text)
    for stage in pipeline.stages:
        needs = (criterion for move in stage.moves or () for criterion in move.needs)
        yield from _named((*stage.exit, *needs))
        for robot in stage.robots:
            yield from _by_robot(robot)
        for deadline in stage.deadlines:
            yield from _by_deadline(deadline)


def _conditions(pipeline: Pipeline) -> Iterator[str]:
    """Every condition there is."""
    found: list[str | None] = []
    for stage in pipeline.stages:
        found += _of_stage(stage)
    if pipeline.assignment is not None:
        found += (rule.when for rule in pipeline.assignment.rules)
    yield from (text for text in found if text is not None)


def _of_stage(stage: Stage) -> Iterator[str | None]:
    yield from (criterion.when for criterion in stage.exit)
    yield from (asked.when for asked in (*stage.mandatory, *stage.desirable))
    for move in stage.moves or ():
        yield from (move.when, *(criterion.when for criterion in move.needs))
    yield from (robot.when for robot in stage.robots)
    yield from (trigger.when for trigger in stage.triggers)
    for deadline in stage.deadlines:
        yield deadline.when
        yield from (within.when for within in deadline.within)
        yield from (criterion.when for criterion in deadline.done)
        for result in deadline.results:
            yield from (result.when, *(needed.when for needed in result.needs))


def _named(criteria: Iterable[Criterion]) -> Iterator[str]:
    yield from (criterion.field for criterion in criteria if isinstance(criterion, FieldCriterion))


def _written(texts: Iterable[str]) -> Iterator[str]:
    """Fields whose values stand in these texts (`card.ID`); a text that cannot be read writes none, and `lint` says so."""
    for text in texts:
        with suppress(TemplateError):
            for path in variables(text):
                map_, _, name = path.partition(".")
                if map_ == CARD:
                    yield name.partition(".")[0]


def _by_robot(robot: Robot) -> Iterator[str]:
    yield from (field for field in (robot.start.date, robot.start.time) if field is not None)
    if isinstance(robot.do, SetField):
        yield robot.do.field
    if isinstance(robot.do, RejectAs) and robot.do.reason_field is not None:
        yield robot.do.reason_field


def _by_deadline(deadline: Deadline) -> Iterator[str]:
    if deadline.start is not None and deadline.start.date is not None:
        yield deadline.start.date
    yield from _named(deadline.done)
    for result in deadline.results:
        yield from (needed.field for needed in result.needs)
        if isinstance(result.then, RejectAs) and result.then.reason_field is not None:
            yield result.then.reason_field
