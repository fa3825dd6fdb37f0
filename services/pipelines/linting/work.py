"""What happens in a stage: exit criteria that are only counted activities, stages where nothing is due (S4, S5). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.pipeline import FactCriterion
from services.pipelines.linting.case import Case
from services.pipelines.linting.finding import Found, Said

ACTIVITIES = frozenset({"call_held", "document_sent", "task_done"})
"""Facts that say no more than that something was done. A meeting has its result, an answer is the client's."""


def no_exit_criterion(case: Case) -> Iterator[Found]:
    """An open stage that is left forwards without anything having to hold."""
    for n, stage in case.open_stages:
        forward = [way for way in case.ways.out[stage.id] if way.forward]
        if forward and any(not way.asked for way in forward):
            yield Found(
                ("stages", n),
                Said(
                    f"из «{stage.titles.ru}» идут дальше без всякого критерия",
                    f"“{stage.titles.en}” is left forwards without any criterion",
                ),
                (stage.id,),
            )


def activity_as_criterion(case: Case) -> Iterator[Found]:
    """An open stage that is left to a later open one as soon as something was done, whatever came of it."""
    kinds = {stage.id: stage.kind for stage in case.pipeline.stages}
    for n, stage in case.open_stages:
        for way in case.ways.out[stage.id]:
            if not way.forward or kinds[way.to] != "open" or not way.asked:
                continue
            facts = [c for c in way.asked if isinstance(c, FactCriterion) and c.fact in ACTIVITIES]
            if len(facts) < len(way.asked) or any(c.fact == "call_held" and c.value for c in facts):
                continue
            titles = [case.pipeline.facts_by_id[c.fact].titles for c in facts]
            yield Found(
                ("stages", n, "exit") if stage.exit else ("stages", n),
                Said(
                    f"«{stage.titles.ru}» кончается тем, что сделано дело: {'; '.join(t.ru for t in titles)}",
                    f"“{stage.titles.en}” ends with something done: {'; '.join(t.en for t in titles)}",
                ),
                (stage.id,),
            )
            break


def idle(case: Case) -> Iterator[Found]:
    """An open stage without robot, task or deadline. Steps of the playbook, a time limit, and a trigger that names the stage
    count."""
    named = {name for stage in case.pipeline.stages for trigger in stage.triggers for name in trigger.from_stages}
    for n, stage in case.open_stages:
        busy = stage.limit is not None or stage.steps or stage.robots or stage.deadlines
        if not busy and stage.id not in named:
            yield Found(
                ("stages", n),
                Said(
                    f"в «{stage.titles.ru}» ничего не назначено: ни роботов, ни шагов, ни срока",
                    f"nothing is due in “{stage.titles.en}”: no robots, no steps, no limit",
                ),
                (stage.id,),
            )
