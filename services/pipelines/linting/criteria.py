"""Criteria that can never hold, and conditions that say nothing (S2, S5). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

from contracts.pipeline import BUILT_IN_FACTS, Criterion, FactCriterion, Stage
from services.pipelines.linting.case import Case
from services.pipelines.linting.constant import trouble, unknown_names
from services.pipelines.linting.finding import Found, Path, Said

EACH_BY_ITSELF = frozenset({"document_sent", "file_attached"})
"""Facts that hold for each value apart, and whose values need no options: two documents can both be sent."""
WITHOUT_VALUE = frozenset({"seen", "accepted", "offer", "approved", "task_done"})
"""Facts that are recorded without any value."""


def never_holds(case: Case) -> Iterator[Found]:
    """A criterion that no lead can ever meet."""
    for path, stage, criterion in _criteria(case):
        if isinstance(criterion, FactCriterion) and (why := never_of(case, criterion)) is not None:
            yield Found(path, why, (stage,))
    for n, stage_ in case.open_stages:
        told: set[tuple[Criterion, Criterion]] = set()
        for way in case.ways.out[stage_.id]:
            for one, other in combinations(way.asked, 2):
                if _contradict(one, other) and (one, other) not in told:
                    told.add((one, other))
                    yield Found(way.path or ("stages", n, "exit"), _contradiction(case, one, other), (stage_.id,))
    yield from _answers_the_wrong_way(case)


def never_of(case: Case, criterion: FactCriterion) -> Said | None:
    """Why no lead can have this fact; None: one can."""
    fact = case.pipeline.facts_by_id[criterion.fact]
    by_people_alone = fact.id not in BUILT_IN_FACTS or fact.id == "meeting_held"
    if by_people_alone and not fact.by:
        return Said(
            f"факт «{fact.titles.ru}» никому нельзя записать (by: [])",
            f"nobody may record the fact “{fact.titles.en}” (by: [])",
        )
    values = fact.id == "answer" or fact.id in EACH_BY_ITSELF or (bool(fact.options) and fact.id not in WITHOUT_VALUE)
    if criterion.value and not values:
        return Said(
            f"у факта «{fact.titles.ru}» нет значений, а требуется {', '.join(criterion.value)}",
            f"the fact “{fact.titles.en}” has no values, and {', '.join(criterion.value)} is asked for",
        )
    return None


def _contradict(one: Criterion, other: Criterion) -> bool:
    return (
        isinstance(one, FactCriterion)
        and isinstance(other, FactCriterion)
        and one.fact == other.fact
        and one.fact not in EACH_BY_ITSELF
        and bool(one.value and other.value)
        and not set(one.value) & set(other.value)
        and (one.when is None or other.when is None or one.when == other.when)
    )


def _contradiction(case: Case, one: Criterion, other: Criterion) -> Said:
    assert isinstance(one, FactCriterion)
    assert isinstance(other, FactCriterion)
    titles = case.pipeline.facts_by_id[one.fact].titles
    first, second = "/".join(one.value), "/".join(other.value)
    return Said(
        f"факт «{titles.ru}» должен быть сразу и {first}, и {second}: у него одно значение",
        f"the fact “{titles.en}” would have to be {first} and {second} at once: it has one value",
    )


def _answers_the_wrong_way(case: Case) -> Iterator[Found]:
    """Consent opens only won stages and refusal only reject ones (S2): such a criterion on a way elsewhere is never enough."""
    for n, stage in case.open_stages:
        for way in case.ways.out[stage.id]:
            answers = [c for c in way.asked if isinstance(c, FactCriterion) and c.fact == "answer" and c.when is None]
            if not way.forward or not answers:
                continue
            to = case.pipeline.by_id[way.to]
            asked = {value for c in answers for value in c.value} or {"consent", "refusal"}
            if (to.kind == "won" and "consent" in asked) or to.kind not in ("won", "open"):
                continue
            yield Found(
                way.path or ("stages", n, "exit"),
                Said(
                    f"«{stage.titles.ru}» → «{to.titles.ru}» ждёт ответа клиента, а согласие ведёт только в сделку, "
                    "отказ — только в статусы забраковки",
                    f"“{stage.titles.en}” → “{to.titles.en}” waits for the client's answer, and consent leads only to a "
                    "won stage, refusal only to a reject status",
                ),
                (stage.id, to.id),
            )
            break


def invalid_condition(case: Case) -> Iterator[Found]:
    """A condition that is no CEL, or goes over its limits, or looks at what the pipeline does not have."""
    for path, text, stages in _whens(case):
        if (why := trouble(text)) is not None:
            yield Found(path, Said(f"условие не читается: {why.ru}", f"the condition cannot be read: {why.en}"), stages)
        for map_, name in unknown_names(text, case.pipeline):
            there = {"card": case.pipeline.field_ids, "facts": frozenset(case.pipeline.facts_by_id)}.get(map_, ())
            listed = ", ".join(sorted(there)) or "—"
            yield Found(
                path,
                Said(
                    f"условие смотрит на {map_}.{name}, а такого нет; есть: {listed}",
                    f"the condition looks at {map_}.{name}, which does not exist; there are: {listed}",
                ),
                stages,
            )


def constant_condition(case: Case) -> Iterator[Found]:
    """A condition that holds always, or never."""
    for path, text, stages in _whens(case):
        value = case.conditions[text]
        if value is None:
            continue
        ru, en = ("всегда", "always") if value else ("никогда", "never")
        yield Found(path, Said(f"условие {text} верно {ru}", f"the condition {text} {en} holds"), stages)


def _criteria(case: Case) -> Iterator[tuple[Path, str, Criterion]]:
    for n, stage in enumerate(case.pipeline.stages):
        for m, criterion in enumerate(stage.exit):
            yield ("stages", n, "exit", m), stage.id, criterion
        for k, move in enumerate(stage.moves or ()):
            for m, criterion in enumerate(move.needs):
                yield ("stages", n, "moves", k, "needs", m), stage.id, criterion


def _whens(case: Case) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    for path, stage, criterion in _criteria(case):
        if criterion.when is not None:
            yield (*path, "when"), criterion.when, (stage,)
    for n, stage_ in enumerate(case.pipeline.stages):
        asked: Iterable[tuple[str, int, str | None]] = (
            *(("mandatory", m, a.when) for m, a in enumerate(stage_.mandatory)),
            *(("desirable", m, a.when) for m, a in enumerate(stage_.desirable)),
            *(("moves", m, move.when) for m, move in enumerate(stage_.moves or ())),
            *(("robots", m, robot.when) for m, robot in enumerate(stage_.robots)),
            *(("triggers", m, trigger.when) for m, trigger in enumerate(stage_.triggers)),
        )
        for name, m, when in asked:
            if when is not None:
                yield ("stages", n, name, m, "when"), when, (stage_.id,)
        for path, when in _of_deadlines(stage_):
            yield ("stages", n, "deadlines", *path, "when"), when, (stage_.id,)


def _of_deadlines(stage: Stage) -> Iterator[tuple[Path, str]]:
    """The conditions of a stage's deadlines, each with its path."""
    for m, deadline in enumerate(stage.deadlines):
        parts: list[tuple[Path, str | None]] = [((m,), deadline.when)]
        parts += [((m, "within", n), within.when) for n, within in enumerate(deadline.within)]
        parts += [((m, "done", n), criterion.when) for n, criterion in enumerate(deadline.done)]
        for n, result in enumerate(deadline.results):
            parts.append(((m, "results", n), result.when))
            parts += [((m, "results", n, "needs", k), asked.when) for k, asked in enumerate(result.needs)]
        yield from ((path, when) for path, when in parts if when is not None)
