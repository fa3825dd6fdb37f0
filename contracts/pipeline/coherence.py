"""What must fit together in a pipeline: every name that stands in it names something (M3).

Pure. Each misfit has the path it stands at, so that an error can name file and line; all are found at once. A message says what
is wrong, and the way out, in English and Russian.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from contracts.pipeline.automation import misfits_of_automation
from contracts.pipeline.criteria import BUILT_IN_FACTS, Criterion, FactCriterion, FieldCriterion
from contracts.pipeline.deadline_names import misfits_of_deadlines
from contracts.pipeline.names import Misfit, Path, there_are, there_are_ru, twice
from contracts.pipeline.stages import Stage, StageMove

if TYPE_CHECKING:
    from contracts.pipeline.pipeline import Pipeline

WITHOUT_OPTIONS = frozenset({"seen", "accepted", "offer", "answer", "approved"})
"""Built-in facts whose values are given: a pipeline may not give them others."""
ANSWERS = ("consent", "refusal")


def incoherences(pipeline: Pipeline) -> Iterator[Misfit]:
    """Everything that does not fit together, with its path."""
    yield from twice("stage", "стадии", (stage.id for stage in pipeline.stages), ("stages",))
    yield from twice("field", "поля", (field.id for field in pipeline.fields), ("fields",))
    yield from twice("group", "группы", (group.id for group in pipeline.groups), ("groups",))
    yield from twice("fact", "факты", (fact.id for fact in pipeline.facts), ("facts",))
    first = pipeline.stages[0]
    if first.kind != "open":
        yield Misfit(
            ("stages", 0, "kind"),
            f"the first stage, {first.id}, must be of kind open: a new lead comes there; put an open stage first",
            f"первая стадия, {first.id}, должна быть открытой (open): туда приходит новый лид; поставьте первой открытую",
        )
    yield from _conversion_point(pipeline)
    if pipeline.won_moves == "free" and sum(stage.kind == "won" for stage in pipeline.stages) < 2:
        yield Misfit(
            ("won_moves",),
            "won_moves: free needs at least two stages of kind won; take it away, or add a won stage",
            "won_moves: free — когда выигранных стадий (won) хотя бы две; уберите его или добавьте стадию",
        )
    groups = {group.id for group in pipeline.groups}
    for n, field in enumerate(pipeline.fields):
        if field.group is not None and field.group not in groups:
            yield Misfit(
                ("fields", n, "group"),
                f"field {field.id}: no group of this id: {field.group}{there_are(groups, field.group)}; "
                "groups are listed under groups",
                f"поле {field.id}: нет группы {field.group}{there_are_ru(groups, field.group)}; "
                "группы перечисляют в groups",
            )
    yield from _facts(pipeline)
    for n, expected in enumerate(pipeline.expected_findings):
        if expected.stage is not None:
            yield from _named_stage(pipeline, expected.stage, ("expected_findings", n, "stage"), "", "")
    for n, stage in enumerate(pipeline.stages):
        for path, en, ru in _of_stage(pipeline, stage):
            yield Misfit(("stages", n, *path), en, ru)
    yield from misfits_of_automation(pipeline)
    yield from misfits_of_deadlines(pipeline)


def _conversion_point(pipeline: Pipeline) -> Iterator[Misfit]:
    name = pipeline.conversion_point
    point = _stage(pipeline, name)
    ids = [stage.id for stage in pipeline.stages]
    if point is None:
        yield Misfit(
            ("conversion_point",),
            f"conversion_point names no stage: {name}{there_are(ids, name)}; name the stage whose entry counts as a deal",
            f"conversion_point: нет стадии {name}{there_are_ru(ids, name)}; назовите стадию, вход в которую считается сделкой",
        )
    elif point.kind not in ("open", "won"):
        fits = ", ".join(stage.id for stage in pipeline.stages if stage.kind in ("open", "won"))
        yield Misfit(
            ("conversion_point",),
            f"conversion_point names a {point.kind} stage: {point.id}; a deal is open or won: one of {fits}",
            f"conversion_point: стадия {point.id} вида {point.kind}; сделка — открытая или выигранная: одна из {fits}",
        )


def _facts(pipeline: Pipeline) -> Iterator[Misfit]:
    for n, fact in enumerate(pipeline.facts):
        if fact.options and fact.id in WITHOUT_OPTIONS:
            yield Misfit(
                ("facts", n, "options"),
                f"fact {fact.id}: its values are given; it can have no options; declare a fact of another id for them",
                f"факт {fact.id}: его значения заданы, вариантов у него быть не может; заведите для них факт с другим id",
            )
        named: list[tuple[Path, str | None]] = [(("facts", n, "proposes"), fact.proposes)]
        for m, option in enumerate(fact.options):
            place: Path = ("facts", n, "options", m)
            named.append(((*place, "proposes"), option.proposes))
            named += [((*place, "opens", k), stage) for k, stage in enumerate(option.opens)]
        for path, target in named:
            if target is not None:
                yield from _named_stage(pipeline, target, path, f"fact {fact.id}: ", f"факт {fact.id}: ")


def _of_stage(pipeline: Pipeline, stage: Stage) -> Iterator[Misfit]:
    here, here_ru = f"stage {stage.id}: ", f"стадия {stage.id}: "
    yield from _criteria(pipeline, stage, stage.exit, ("exit",), "exit criterion", "критерий выхода")
    fields = {field.id for field in pipeline.fields}
    for what, asked in (("mandatory", stage.mandatory), ("desirable", stage.desirable)):
        seen: set[str] = set()
        for n, field in enumerate(asked):
            if field.field not in fields:
                yield _no_field(stage, (what, n), what, what, field.field, fields)
            if field.field in seen:
                yield Misfit(
                    (what, n),
                    f"{here}{what} names {field.field} twice; take this one away",
                    f"{here_ru}{what} называет {field.field} дважды; уберите второй раз",
                )
            seen.add(field.field)
    for n, deadline in enumerate(stage.deadlines):
        done: Path = ("deadlines", n, "done")
        yield from _criteria(pipeline, stage, deadline.done, done, f"deadline {deadline.id}", f"срок {deadline.id}")
    yield from _moves(pipeline, stage)
    for n, outcome in enumerate(stage.outcomes or ()):
        there = _stage(pipeline, outcome)
        if there is None:
            yield from _named_stage(pipeline, outcome, ("outcomes", n), f"{here}outcomes ", f"{here_ru}outcomes: ")
        elif there.kind not in ("lost", "postponed"):
            yield Misfit(
                ("outcomes", n),
                f"{here}{outcome} is {there.kind}; outcomes are lost or postponed stages; "
                f"write - to: {outcome} under moves instead",
                f"{here_ru}{outcome} вида {there.kind}, а исходы — стадии вида lost или postponed; "
                f"напишите - to: {outcome} в moves",
            )
    if stage.deal is not None and stage.deal.pipeline == pipeline.pipeline:
        yield Misfit(
            ("deal", "pipeline"),
            f"{here}a deal goes on in another pipeline than its lead's; name that one",
            f"{here_ru}сделка идёт по другой воронке, чем её лид; назовите её",
        )
    if stage.reopen is not None and stage.reopen.to is not None:
        to = stage.reopen.to
        back = _stage(pipeline, to)
        if back is None or back.kind != "open":
            fits = [s.id for s in pipeline.stages if s.kind == "open"]
            yield Misfit(
                ("reopen", "to"),
                f"{here}a lead is reopened to an open stage, not to {to}{there_are(fits, to)}",
                f"{here_ru}лид возобновляют в открытую стадию, а не в {to}{there_are_ru(fits, to)}",
            )


def _moves(pipeline: Pipeline, stage: Stage) -> Iterator[Misfit]:
    here, here_ru = f"stage {stage.id}: ", f"стадия {stage.id}: "
    seen: set[str] = set()
    for n, move in enumerate(stage.moves or ()):
        path: Path = ("moves", n, "to")
        target = _stage(pipeline, move.to)
        if target is None:
            yield from _named_stage(pipeline, move.to, path, f"{here}a move ", f"{here_ru}переход: ")
        elif move.to == stage.id:
            yield Misfit(
                path,
                f"{here}a move leads to the stage itself; name another stage, or take the move away",
                f"{here_ru}переход ведёт в неё же; назовите другую стадию или уберите переход",
            )
        elif target.kind not in ("open", "won"):
            yield Misfit(
                path,
                f"{here}a move leads along the scale; name {move.to} in outcomes instead",
                f"{here_ru}moves — переходы по шкале; назовите {move.to} в outcomes",
            )
        if move.to in seen:
            yield Misfit(
                path,
                f"{here}two moves to {move.to}; make them one",
                f"{here_ru}два перехода в {move.to}; сделайте один",
            )
        seen.add(move.to)
        yield from _automatic(stage, move, n)
        yield from _criteria(
            pipeline, stage, move.needs, ("moves", n, "needs"), "a move's need", "то, что нужно для перехода,"
        )


def _automatic(stage: Stage, move: StageMove, n: int) -> Iterator[Misfit]:
    if not move.auto:
        return
    if stage.kind != "open":
        yield Misfit(
            ("moves", n, "auto"),
            f"stage {stage.id}: only out of an open stage a lead moves by itself; this one is {stage.kind}; take auto away",
            f"стадия {stage.id}: сам собой лид уходит только из открытой стадии, а эта — {stage.kind}; уберите auto",
        )
    elif not move.needs and not (stage.exit or stage.mandatory):
        yield Misfit(
            ("moves", n, "auto"),
            f"stage {stage.id}: a move by itself needs something to wait for: an exit criterion or a need",
            f"стадия {stage.id}: переход сам собой должен чего-то ждать: добавьте exit стадии или needs переходу",
        )


def _criteria(
    pipeline: Pipeline, stage: Stage, criteria: Iterable[Criterion], path: Path, what: str, what_ru: str
) -> Iterator[Misfit]:
    fields = {field.id for field in pipeline.fields}
    facts = {fact.id: fact for fact in pipeline.facts}
    for n, criterion in enumerate(criteria):
        place = (*path, n)
        if isinstance(criterion, FieldCriterion) and criterion.field not in fields:
            yield _no_field(stage, (*place, "field"), what, what_ru, criterion.field, fields)
        if not isinstance(criterion, FactCriterion):
            continue
        fact = criterion.fact
        if fact not in facts and fact not in BUILT_IN_FACTS:
            known = {*facts, *BUILT_IN_FACTS}
            yield Misfit(
                (*place, "fact"),
                f"stage {stage.id}: {what} names no fact: {fact}{there_are(known, fact)}; "
                "further ones are declared under facts",
                f"стадия {stage.id}: {what_ru} называет факт, которого нет: {fact}{there_are_ru(known, fact)}; "
                "другие заводят в facts",
            )
            continue
        declared = facts.get(fact)
        values = ANSWERS if fact == "answer" else tuple(o.id for o in declared.options) if declared else ()
        wrong = [value for value in criterion.value if values and value not in values]
        if wrong:
            yield Misfit(
                (*place, "value"),
                f"stage {stage.id}: {fact} has no option {wrong[0]}{there_are(values, wrong[0])}",
                f"стадия {stage.id}: у факта {fact} нет варианта {wrong[0]}{there_are_ru(values, wrong[0])}",
            )


def _no_field(stage: Stage, path: Path, what: str, what_ru: str, field: str, fields: set[str]) -> Misfit:
    return Misfit(
        path,
        f"stage {stage.id}: {what} names no field of the card: {field}{there_are(fields, field)}; "
        "fields are listed under fields",
        f"стадия {stage.id}: {what_ru} называет поле, которого нет: {field}{there_are_ru(fields, field)}; "
        "поля перечисляют в fields",
    )


def _named_stage(pipeline: Pipeline, name: str, path: Path, who: str, who_ru: str) -> Iterator[Misfit]:
    """Nothing where there is such a stage."""
    ids = [stage.id for stage in pipeline.stages]
    if name not in ids:
        yield Misfit(
            path,
            f"{who}names no stage: {name}{there_are(ids, name)}",
            f"{who_ru}нет стадии {name}{there_are_ru(ids, name)}",
        )


def _stage(pipeline: Pipeline, stage: str) -> Stage | None:
    return next((s for s in pipeline.stages if s.id == stage), None)
