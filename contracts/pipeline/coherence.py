"""What must fit together in a pipeline: every name that stands in it names something (M3).

Pure. Each misfit has the path it stands at, so that an error can name file and line; all are found at once. A message says what
is wrong, and the way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from contracts.pipeline.criteria import BUILT_IN_FACTS, Criterion, FactCriterion, FieldCriterion
from contracts.pipeline.names import Misfit, Path, there_are, twice
from contracts.pipeline.stages import Stage, StageMove

if TYPE_CHECKING:
    from contracts.pipeline.pipeline import Pipeline

WITHOUT_OPTIONS = frozenset({"seen", "accepted", "offer", "answer", "approved"})
"""Built-in facts whose values are given: a pipeline may not give them others."""
ANSWERS = ("consent", "refusal")


def incoherences(pipeline: Pipeline) -> Iterator[Misfit]:
    """Everything that does not fit together, with its path."""
    yield from twice("stage", (stage.id for stage in pipeline.stages), ("stages",))
    yield from twice("field", (field.id for field in pipeline.fields), ("fields",))
    yield from twice("group", (group.id for group in pipeline.groups), ("groups",))
    yield from twice("fact", (fact.id for fact in pipeline.facts), ("facts",))
    first = pipeline.stages[0]
    if first.kind != "open":
        yield (
            ("stages", 0, "kind"),
            f"the first stage, {first.id}, must be of kind open: a new lead comes there; put an open stage first",
        )
    yield from _conversion_point(pipeline)
    if pipeline.won_moves == "free" and sum(stage.kind == "won" for stage in pipeline.stages) < 2:
        yield ("won_moves",), "won_moves: free needs at least two stages of kind won; take it away, or add a won stage"
    groups = {group.id for group in pipeline.groups}
    for n, field in enumerate(pipeline.fields):
        if field.group is not None and field.group not in groups:
            yield (
                ("fields", n, "group"),
                f"field {field.id}: no group of this id: {field.group}{there_are(groups, field.group)}; "
                "groups are listed under groups",
            )
    yield from _facts(pipeline)
    for n, expected in enumerate(pipeline.expected_findings):
        if expected.stage is not None and _stage(pipeline, expected.stage) is None:
            yield (
                ("expected_findings", n, "stage"),
                f"names no stage: {expected.stage}{_there(pipeline, expected.stage)}",
            )
    for n, stage in enumerate(pipeline.stages):
        for path, message in _of_stage(pipeline, stage):
            yield ("stages", n, *path), message


def _conversion_point(pipeline: Pipeline) -> Iterator[Misfit]:
    name = pipeline.conversion_point
    point = _stage(pipeline, name)
    if point is None:
        yield (
            ("conversion_point",),
            f"conversion_point names no stage: {name}{_there(pipeline, name)}; name the stage whose entry counts as a deal",
        )
    elif point.kind not in ("open", "won"):
        fits = ", ".join(stage.id for stage in pipeline.stages if stage.kind in ("open", "won"))
        yield (
            ("conversion_point",),
            f"conversion_point names a {point.kind} stage: {point.id}; a deal is open or won: one of {fits}",
        )


def _facts(pipeline: Pipeline) -> Iterator[Misfit]:
    for n, fact in enumerate(pipeline.facts):
        if fact.options and fact.id in WITHOUT_OPTIONS:
            yield (
                ("facts", n, "options"),
                f"fact {fact.id}: its values are given; it can have no options; declare a fact of another id for them",
            )
        named: list[tuple[Path, str | None]] = [(("facts", n, "proposes"), fact.proposes)]
        for m, option in enumerate(fact.options):
            place: Path = ("facts", n, "options", m)
            named.append(((*place, "proposes"), option.proposes))
            named += [((*place, "opens", k), stage) for k, stage in enumerate(option.opens)]
        for path, target in named:
            if target is not None and _stage(pipeline, target) is None:
                yield path, f"fact {fact.id}: names no stage: {target}{_there(pipeline, target)}"


def _of_stage(pipeline: Pipeline, stage: Stage) -> Iterator[Misfit]:
    yield from _criteria(pipeline, stage, stage.exit, ("exit",), "exit criterion")
    fields = {field.id for field in pipeline.fields}
    for what, asked in (("mandatory", stage.mandatory), ("desirable", stage.desirable)):
        seen: set[str] = set()
        for n, field in enumerate(asked):
            if field.field not in fields:
                yield (what, n), _no_field(stage, what, field.field, fields)
            if field.field in seen:
                yield (what, n), f"stage {stage.id}: {what} names {field.field} twice; take this one away"
            seen.add(field.field)
    yield from _moves(pipeline, stage)
    for n, outcome in enumerate(stage.outcomes or ()):
        there = _stage(pipeline, outcome)
        if there is None:
            yield ("outcomes", n), f"stage {stage.id}: outcomes names no stage: {outcome}{_there(pipeline, outcome)}"
        elif there.kind not in ("lost", "postponed"):
            yield (
                ("outcomes", n),
                f"stage {stage.id}: {outcome} is {there.kind}; outcomes are lost or postponed stages; "
                f"write - to: {outcome} under moves instead",
            )
    if stage.reopen is not None and stage.reopen.to is not None:
        back = _stage(pipeline, stage.reopen.to)
        if back is None or back.kind != "open":
            fits = there_are((s.id for s in pipeline.stages if s.kind == "open"), stage.reopen.to)
            yield (
                ("reopen", "to"),
                f"stage {stage.id}: a lead is reopened to an open stage, not to {stage.reopen.to}{fits}",
            )


def _moves(pipeline: Pipeline, stage: Stage) -> Iterator[Misfit]:
    seen: set[str] = set()
    for n, move in enumerate(stage.moves or ()):
        path: Path = ("moves", n, "to")
        target = _stage(pipeline, move.to)
        if target is None:
            yield path, f"stage {stage.id}: a move names no stage: {move.to}{_there(pipeline, move.to)}"
        elif move.to == stage.id:
            yield path, f"stage {stage.id}: a move leads to the stage itself; name another stage, or take the move away"
        elif target.kind not in ("open", "won"):
            yield path, f"stage {stage.id}: a move leads along the scale; name {move.to} in outcomes instead"
        if move.to in seen:
            yield path, f"stage {stage.id}: two moves to {move.to}; make them one"
        seen.add(move.to)
        yield from _automatic(stage, move, n)
        yield from _criteria(pipeline, stage, move.needs, ("moves", n, "needs"), "a move's need")


def _automatic(stage: Stage, move: StageMove, n: int) -> Iterator[Misfit]:
    if not move.auto:
        return
    if stage.kind != "open":
        yield (
            ("moves", n, "auto"),
            f"stage {stage.id}: only out of an open stage a lead moves by itself; this one is {stage.kind}; take auto away",
        )
    elif not move.needs and not (stage.exit or stage.mandatory):
        yield (
            ("moves", n, "auto"),
            f"stage {stage.id}: a move by itself needs something to wait for: an exit criterion or a need",
        )


def _criteria(
    pipeline: Pipeline, stage: Stage, criteria: Iterable[Criterion], path: Path, what: str
) -> Iterator[Misfit]:
    fields = {field.id for field in pipeline.fields}
    facts = {fact.id: fact for fact in pipeline.facts}
    for n, criterion in enumerate(criteria):
        place = (*path, n)
        if isinstance(criterion, FieldCriterion) and criterion.field not in fields:
            yield (*place, "field"), _no_field(stage, what, criterion.field, fields)
        if not isinstance(criterion, FactCriterion):
            continue
        if criterion.fact not in facts and criterion.fact not in BUILT_IN_FACTS:
            known = there_are({*facts, *BUILT_IN_FACTS}, criterion.fact)
            yield (
                (*place, "fact"),
                f"stage {stage.id}: {what} names no fact: {criterion.fact}{known}; further ones are declared under facts",
            )
            continue
        declared = facts.get(criterion.fact)
        values = ANSWERS if criterion.fact == "answer" else tuple(o.id for o in declared.options) if declared else ()
        wrong = [value for value in criterion.value if values and value not in values]
        if wrong:
            yield (
                (*place, "value"),
                f"stage {stage.id}: {criterion.fact} has no option {wrong[0]}{there_are(values, wrong[0])}",
            )


def _no_field(stage: Stage, what: str, field: str, fields: set[str]) -> str:
    return (
        f"stage {stage.id}: {what} names no field of the card: {field}{there_are(fields, field)}; "
        "fields are listed under fields"
    )


def _stage(pipeline: Pipeline, stage: str) -> Stage | None:
    return next((s for s in pipeline.stages if s.id == stage), None)


def _there(pipeline: Pipeline, meant: str) -> str:
    return there_are((stage.id for stage in pipeline.stages), meant)
