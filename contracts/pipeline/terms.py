"""Named periods of a pipeline: «one working hour» stands once, and a letter, a task and a time limit name it (C6, R1).

Pure. A pipeline's text names a term where a period stands; before it is validated the period takes the name's place, so that
nothing else knows of names. Invariant: a name that is no term is told with its place and the terms there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contracts.pipeline.names import Misfit, Path, there_are, there_are_ru

_OF_START: Final = ("delay", "before", "every")


def with_periods(pipeline: Any) -> tuple[Any, tuple[Misfit, ...]]:
    """The data of a pipeline with periods in the place of names, and the names that are no terms. What is no such data at all
    is left as it is: its own model says what is wrong with it."""
    known = _known(pipeline)
    if not isinstance(pipeline, dict) or not isinstance(stages := pipeline.get("stages"), list | tuple):
        return pipeline, ()
    unknown: list[Misfit] = []

    def period(at: Path, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in known:
            unknown.append(_no_term(at, value, known))
            return {"days": 1}
        return known[value]

    whole = {**pipeline, "stages": [_stage(stage, ("stages", n), period) for n, stage in enumerate(stages)]}
    if "assignment" in whole:
        whole["assignment"] = _assignment(whole["assignment"], period)
    return whole, tuple(unknown)


def _known(pipeline: Any) -> Mapping[str, Any]:
    terms = pipeline.get("terms") if isinstance(pipeline, dict) else None
    listed = terms if isinstance(terms, list | tuple) else ()
    return {
        term["id"]: term["period"]
        for term in listed
        if isinstance(term, dict) and isinstance(term.get("id"), str) and "period" in term
    }


def _stage(stage: Any, at: Path, period: Any) -> Any:
    if not isinstance(stage, dict):
        return stage
    found = dict(stage)
    for name, keys in (("limit", ("after", "warn")), ("reopen", ("seller_after",))):
        if name in found:
            found[name] = _within(found[name], keys, (*at, name), period)
    if isinstance(robots := found.get("robots"), list | tuple):
        found["robots"] = [_robot(robot, (*at, "robots", n), period) for n, robot in enumerate(robots)]
    if isinstance(deadlines := found.get("deadlines"), list | tuple):
        found["deadlines"] = [_deadline(one, (*at, "deadlines", n), period) for n, one in enumerate(deadlines)]
    return found


def _assignment(assignment: Any, period: Any) -> Any:
    found = _within(assignment, ("pool_within",), ("assignment",), period)
    if isinstance(found, dict) and "idle" in found:
        found["idle"] = _within(found["idle"], ("within",), ("assignment", "idle"), period)
    return found


def _deadline(deadline: Any, at: Path, period: Any) -> Any:
    found = _within(deadline, ("warn", "repeat"), at, period)
    if isinstance(found, dict) and isinstance(terms := found.get("within"), list | tuple):
        found["within"] = [_within(term, ("period",), (*at, "within", n), period) for n, term in enumerate(terms)]
    return found


def _robot(robot: Any, at: Path, period: Any) -> Any:
    if not isinstance(robot, dict):
        return robot
    found = dict(robot)
    for name, keys in (("start", _OF_START), ("do", ("due",))):
        if name in found:
            found[name] = _within(found[name], keys, (*at, name), period)
    return found


def _within(part: Any, keys: tuple[str, ...], at: Path, period: Any) -> Any:
    if not isinstance(part, dict):
        return part
    return {key: period((*at, key), value) if key in keys else value for key, value in part.items()}


def _no_term(at: Path, name: str, known: Mapping[str, Any]) -> Misfit:
    return Misfit(
        at,
        f"{name[:60]} is none of the terms of the pipeline{there_are(known, name)}; or write a period: {{days: 14}}",
        f"{name[:60]} — такого срока в terms нет{there_are_ru(known, name)}; или напишите период: {{days: 14}}",
    )
