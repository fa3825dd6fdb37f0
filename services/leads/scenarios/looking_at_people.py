"""Whether a lead became whose a scenario says it does (Тогда; C4, N19). Pure.

A look answers None where it is as expected, else the two sides of the difference, as in `looking`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from contracts import events as e
from services.leads.scenarios.naming import Names, same
from services.leads.scenarios.play import Play
from services.leads.scenarios.script import Step
from services.leads.scenarios.texts import say

Difference = tuple[str, str]


def _whose(play: Play, names: Names) -> str:
    state = play.there()
    if state.responsible is not None:
        return say(names.language, "story.assigned", to=state.responsible)
    return say(names.language, "story.pooled" if state.pooled else "nobody_responsible")


def _responsible(step: Step, play: Play, names: Names) -> Difference | None:
    return None if play.there().responsible == step.gaps["who"] else (step.text, _whose(play, names))


def _in_pool(step: Step, play: Play, names: Names) -> Difference | None:
    return None if play.there().pooled else (step.text, _whose(play, names))


def _given(play: Play) -> e.LeadAssigned | e.LeadPooled | None:
    """The last decision by itself."""
    told = (entry.happened for entry in reversed(play.story))
    return next((one for one in told if isinstance(one, e.LeadAssigned | e.LeadPooled) and one.team), None)


def _by_rule(step: Step, play: Play, names: Names) -> Difference | None:
    wanted, given = names.assignment_rule(step.gaps["rule"]), _given(play)
    if given is not None and given.rule == wanted.id:
        return None
    came = say(names.language, "no_rule_held")
    if given is None or given.rule is not None:
        came = _whose(play, names) if given is None else names.assignment_rule_title(given.rule or "")
    return step.text, came


def _not_given(step: Step, play: Play, names: Names) -> Difference | None:
    given, who = _given(play), step.gaps["who"]
    why = given.excluded.get(who) if given is not None else None
    came = say(names.language, f"why_not.{why}") if why is not None else ""
    if came and same(came) == same(step.gaps["why"]):
        return None
    return step.text, came or f"{say(names.language, 'nothing_against', who=who)}; {_whose(play, names)}"


LOOKS: Final[dict[str, Callable[[Step, Play, Names], Difference | None]]] = {
    "responsible": _responsible,
    "in_pool": _in_pool,
    "by_rule": _by_rule,
    "not_given": _not_given,
}
