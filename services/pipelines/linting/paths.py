"""Where leads can and cannot go: unreachable, dead ends, results that lead nowhere, automatic moves (S3, S5, N3, N10, N26).

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from contracts.pipeline import FactCriterion, Pipeline
from services.pipelines.linting.case import Case
from services.pipelines.linting.finding import Found, Said
from services.pipelines.linting.ways import implied


class _Leading(Protocol):
    """Something that leads to a stage."""

    @property
    def to(self) -> str: ...


Leads = TypeVar("Leads", bound=_Leading)


def unreachable(case: Case) -> Iterator[Found]:
    """A stage no lead can come to."""
    for n, stage in enumerate(case.pipeline.stages):
        if stage.id not in case.ways.reached:
            yield Found(
                ("stages", n),
                Said(
                    f"в «{stage.titles.ru}» не ведёт ни один переход",
                    f"no move leads to “{stage.titles.en}”",
                ),
                (stage.id,),
            )


def dead_end(case: Case) -> Iterator[Found]:
    """An open stage from which no lead can be won any more."""
    goals = {stage.id for stage in case.pipeline.stages if stage.kind == "won"} or {case.pipeline.conversion_point}
    for n, stage in case.open_stages:
        if stage.id in case.ways.reached and not goals & case.ways.reached_from(stage.id):
            yield Found(
                ("stages", n, "moves") if stage.moves is not None else ("stages", n),
                Said(
                    f"из «{stage.titles.ru}» никак не прийти к сделке",
                    f"no way leads from “{stage.titles.en}” to a deal",
                ),
                (stage.id,),
            )


def cannot_be_rejected(case: Case) -> Iterator[Found]:
    """An open stage from which a lead cannot be rejected."""
    lost = {stage.id for stage in case.pipeline.stages if stage.kind == "lost"}
    if not lost:
        yield Found(
            ("stages",),
            Said("нет ни одного статуса забраковки", "there is no reject status at all"),
        )
        return
    for n, stage in case.open_stages:
        if not any(way.to in lost for way in case.ways.out[stage.id]):
            yield Found(
                ("stages", n, "outcomes") if stage.outcomes is not None else ("stages", n),
                Said(
                    f"из «{stage.titles.ru}» лид нельзя забраковать",
                    f"a lead cannot be rejected from “{stage.titles.en}”",
                ),
                (stage.id,),
            )


def no_way_back(case: Case) -> Iterator[Found]:
    """An open stage whose stated moves lead only forwards: a lead that came too early stays or is overridden."""
    scale = case.pipeline.scale
    for n, stage in case.open_stages:
        if not stage.moves or stage.id == case.pipeline.first.id:
            continue
        if not any(scale.index(move.to) < scale.index(stage.id) for move in stage.moves):
            yield Found(
                ("stages", n, "moves"),
                Said(
                    f"из «{stage.titles.ru}» нельзя вернуться назад",
                    f"there is no way back from “{stage.titles.en}”",
                ),
                (stage.id,),
            )


def leads_nowhere(case: Case) -> Iterator[Found]:
    """A result that may be recorded in a stage and opens only stages that the stage does not lead to."""
    for n, stage in case.open_stages:
        ways = case.ways.out[stage.id]
        there = {way.to for way in ways}
        asked = {c.fact for way in ways for c in way.asked if isinstance(c, FactCriterion)}
        for fact in case.pipeline.facts:
            for option in fact.options if fact.id in asked else ():
                if not option.opens or there & set(option.opens):
                    continue
                to = [case.pipeline.by_id[stage_id].titles for stage_id in option.opens]
                yield Found(
                    ("stages", n),
                    Said(
                        f"результат «{option.titles.ru}» ведёт только в {', '.join(f'«{t.ru}»' for t in to)}, "
                        f"а из «{stage.titles.ru}» туда нельзя",
                        f"the result “{option.titles.en}” leads only to {', '.join(f'“{t.en}”' for t in to)}, "
                        f"and “{stage.titles.en}” has no move there",
                    ),
                    (stage.id,),
                )


def automatic_at_once(case: Case) -> Iterator[Found]:
    """An automatic move that always can be made at once: leads fly through the stage."""
    for _, stage in case.open_stages:
        settled = case.ways.settled[stage.id]
        for way in case.ways.out[stage.id]:
            if way.auto and way.path and stage.id in case.ways.reached and all(implied(c, settled) for c in way.asked):
                to = case.pipeline.by_id[way.to].titles
                yield Found(
                    way.path,
                    Said(
                        f"«{stage.titles.ru}» → «{to.ru}» сработает сразу: всё нужное уже потребовано раньше",
                        f"“{stage.titles.en}” → “{to.en}” happens at once: all it waits for was asked for before",
                    ),
                    (stage.id, way.to),
                )


def automatic_loop(case: Case) -> Iterator[Found]:
    """Automatic moves that lead round in a circle and, once made, can all be made again."""
    pipeline = case.pipeline
    steps = {
        stage.id: [way for way in case.ways.out[stage.id] if way.auto and all(stays(c, pipeline) for c in way.asked)]
        for _, stage in case.open_stages
    }
    told: set[frozenset[str]] = set()
    for _, stage in case.open_stages:
        circle = way_round(stage.id, steps)
        if not circle or frozenset(way.to for way in circle) in told:
            continue
        told.add(frozenset(way.to for way in circle))
        names = [pipeline.by_id[way.to].titles for way in circle]
        assert circle[0].path is not None
        yield Found(
            circle[0].path,
            Said(
                f"сами собой по кругу: «{stage.titles.ru}» → {' → '.join(f'«{t.ru}»' for t in names)}",
                f"round in a circle by themselves: “{stage.titles.en}” → {' → '.join(f'“{t.en}”' for t in names)}",
            ),
            tuple(way.to for way in circle),
        )


def stays(criterion: object, pipeline: Pipeline) -> bool:
    """Whether a criterion that was met once stays met in later visits of the stage."""
    return not isinstance(criterion, FactCriterion) or pipeline.facts_by_id[criterion.fact].holds == "lead"


def way_round(start: str, steps: Mapping[str, Sequence[Leads]]) -> list[Leads]:
    """The shortest way round from a stage to itself, or nothing."""
    waiting: list[list[Leads]] = [[way] for way in steps.get(start, [])]
    seen: set[str] = set()
    while waiting:
        walked = waiting.pop(0)
        here = walked[-1].to
        if here == start:
            return walked
        if here not in seen:
            seen.add(here)
            waiting += [[*walked, way] for way in steps.get(here, [])]
    return []
