"""What must fit together in a pipeline: every name that stands in it names something (M3).

Pure. Each finding has the path it stands at, so that an error can name file and line; all are found at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from contracts.pipeline.criteria import BUILT_IN_FACTS, Criterion, FactCriterion, FieldCriterion
from contracts.pipeline.stages import Stage, StageMove

if TYPE_CHECKING:
    from contracts.pipeline.pipeline import Pipeline

Path = tuple[str | int, ...]
Finding = tuple[Path, str]
WITHOUT_OPTIONS = frozenset({"seen", "accepted", "offer", "answer", "approved"})
"""Built-in facts whose values are given: a pipeline may not give them others."""
ANSWERS = ("consent", "refusal")


def incoherences(pipeline: Pipeline) -> Iterator[Finding]:
    """Everything that does not fit together, with its path."""
    yield from _twice("stage", "stages", [stage.id for stage in pipeline.stages])
    yield from _twice("field", "fields", [field.id for field in pipeline.fields])
    yield from _twice("group", "groups", [group.id for group in pipeline.groups])
    yield from _twice("fact", "facts", [fact.id for fact in pipeline.facts])
    first = pipeline.stages[0]
    if first.kind != "open":
        yield ("stages", 0, "kind"), f"the first stage, {first.id}, must be of kind open"
    if (point := _stage(pipeline, pipeline.conversion_point)) is None:
        yield ("conversion_point",), f"conversion_point names no stage: {pipeline.conversion_point}{_there(pipeline)}"
    elif point.kind not in ("open", "won"):
        yield ("conversion_point",), f"conversion_point names a {point.kind} stage: {point.id}; a deal is open or won"
    if pipeline.won_moves == "free" and sum(stage.kind == "won" for stage in pipeline.stages) < 2:
        yield ("won_moves",), "won_moves: free needs at least two stages of kind won"
    groups = {group.id for group in pipeline.groups}
    for n, field in enumerate(pipeline.fields):
        if field.group is not None and field.group not in groups:
            yield ("fields", n, "group"), f"field {field.id}: no group of this id: {field.group}{_known(groups)}"
    yield from _facts(pipeline)
    for n, expected in enumerate(pipeline.expected_findings):
        if expected.stage is not None and _stage(pipeline, expected.stage) is None:
            yield ("expected_findings", n, "stage"), f"names no stage: {expected.stage}{_there(pipeline)}"
    for n, stage in enumerate(pipeline.stages):
        for path, message in _of_stage(pipeline, stage):
            yield ("stages", n, *path), message


def _facts(pipeline: Pipeline) -> Iterator[Finding]:
    for n, fact in enumerate(pipeline.facts):
        if fact.options and fact.id in WITHOUT_OPTIONS:
            yield ("facts", n, "options"), f"fact {fact.id}: its values are given; it can have no options"
        named: list[tuple[Path, str | None]] = [(("facts", n, "proposes"), fact.proposes)]
        for m, option in enumerate(fact.options):
            place: Path = ("facts", n, "options", m)
            named.append(((*place, "proposes"), option.proposes))
            named += [((*place, "opens", k), stage) for k, stage in enumerate(option.opens)]
        for path, target in named:
            if target is not None and _stage(pipeline, target) is None:
                yield path, f"fact {fact.id}: names no stage: {target}{_there(pipeline)}"


def _of_stage(pipeline: Pipeline, stage: Stage) -> Iterator[Finding]:
    yield from _criteria(pipeline, stage, stage.exit, ("exit",), "exit criterion")
    for what, asked in (("mandatory", stage.mandatory), ("desirable", stage.desirable)):
        seen: set[str] = set()
        for n, field in enumerate(asked):
            if field.field not in {f.id for f in pipeline.fields}:
                yield (what, n), f"stage {stage.id}: {what} names no field of the card: {field.field}"
            if field.field in seen:
                yield (what, n), f"stage {stage.id}: {what} names {field.field} twice"
            seen.add(field.field)
    yield from _moves(pipeline, stage)
    for n, outcome in enumerate(stage.outcomes or ()):
        there = _stage(pipeline, outcome)
        if there is None:
            yield ("outcomes", n), f"stage {stage.id}: outcomes names no stage: {outcome}{_there(pipeline)}"
        elif there.kind not in ("lost", "postponed"):
            yield ("outcomes", n), f"stage {stage.id}: {outcome} is {there.kind}; outcomes are lost or postponed stages"
    if stage.reopen is not None and stage.reopen.to is not None:
        back = _stage(pipeline, stage.reopen.to)
        if back is None or back.kind != "open":
            yield ("reopen", "to"), f"stage {stage.id}: a lead is reopened to an open stage, not to {stage.reopen.to}"


def _moves(pipeline: Pipeline, stage: Stage) -> Iterator[Finding]:
    seen: set[str] = set()
    for n, move in enumerate(stage.moves or ()):
        path: Path = ("moves", n, "to")
        target = _stage(pipeline, move.to)
        if target is None:
            yield path, f"stage {stage.id}: a move names no stage: {move.to}{_there(pipeline)}"
        elif move.to == stage.id:
            yield path, f"stage {stage.id}: a move leads to the stage itself"
        elif target.kind not in ("open", "won"):
            yield path, f"stage {stage.id}: a move leads along the scale; name {move.to} in outcomes instead"
        if move.to in seen:
            yield path, f"stage {stage.id}: two moves to {move.to}; make them one"
        seen.add(move.to)
        yield from _automatic(stage, move, n)
        yield from _criteria(pipeline, stage, move.needs, ("moves", n, "needs"), "a move's need")


def _automatic(stage: Stage, move: StageMove, n: int) -> Iterator[Finding]:
    if not move.auto:
        return
    if stage.kind != "open":
        yield ("moves", n, "auto"), f"stage {stage.id}: only out of an open stage a lead moves by itself"
    elif not move.needs and not (stage.exit or stage.mandatory):
        yield (
            ("moves", n, "auto"),
            f"stage {stage.id}: a move by itself needs something to wait for: an exit criterion or a need",
        )


def _criteria(
    pipeline: Pipeline, stage: Stage, criteria: Iterable[Criterion], path: Path, what: str
) -> Iterator[Finding]:
    fields = {field.id for field in pipeline.fields}
    facts = {fact.id: fact for fact in pipeline.facts}
    for n, criterion in enumerate(criteria):
        place = (*path, n)
        if isinstance(criterion, FieldCriterion) and criterion.field not in fields:
            yield (*place, "field"), f"stage {stage.id}: {what} names no field of the card: {criterion.field}"
        if not isinstance(criterion, FactCriterion):
            continue
        if criterion.fact not in facts and criterion.fact not in BUILT_IN_FACTS:
            known = _known({*facts, *BUILT_IN_FACTS})
            yield (*place, "fact"), f"stage {stage.id}: {what} names no fact: {criterion.fact}{known}"
            continue
        declared = facts.get(criterion.fact)
        values = ANSWERS if criterion.fact == "answer" else tuple(o.id for o in declared.options) if declared else ()
        wrong = [value for value in criterion.value if values and value not in values]
        if wrong:
            yield (*place, "value"), f"stage {stage.id}: {criterion.fact} has no option {wrong[0]}{_known(values)}"


def _stage(pipeline: Pipeline, stage: str) -> Stage | None:
    return next((s for s in pipeline.stages if s.id == stage), None)


def _twice(what: str, where: str, ids: list[str]) -> Iterator[Finding]:
    for n, name in enumerate(ids):
        if name in ids[:n]:
            yield (where, n, "id"), f"{what} ids must be unique; twice: {name}"


def _there(pipeline: Pipeline) -> str:
    return _known(stage.id for stage in pipeline.stages)


def _known(names: Iterable[str]) -> str:
    listed = ", ".join(sorted(set(names)))
    return f"; there are: {listed}" if listed else ""
