"""Whether deadlines came out as a scenario says (Тогда; Q1-Q7). Pure.

A look answers None where it is as expected, else the two sides of the difference, as in `looking`. What lacks is named by the
words of what it is asked by; nothing named: whatever it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from contracts import events as e
from services.leads.domain.criteria import CONTACT_WORDS
from services.leads.domain.deadlines.checking import HELD, RESULT, TASK
from services.leads.domain.deadlines.setting import WARNING
from services.leads.scenarios.looking_at_robots import is_moment, shown
from services.leads.scenarios.naming import Names, same
from services.leads.scenarios.play import Play
from services.leads.scenarios.script import Step
from services.leads.scenarios.texts import say

Difference = tuple[str, str]
TURN: Final = (e.DeadlineSet, e.DeadlineMet, e.DeadlineAsked, e.DeadlineMissed, e.DeadlineDropped)
_BUILT_IN: Final = {lack.id: lack for lack in (RESULT, TASK, HELD)}


def of_deadline(deadline: str, play: Play, *kinds: type[e.Event]) -> list[Any]:
    """The events of a deadline, in order."""
    told = [entry.happened for entry in play.story]
    return [one for one in told if isinstance(one, kinds or TURN) and getattr(one, "deadline", None) == deadline]


def in_words(event: e.Event | None, names: Names) -> str:
    """What became of a deadline, in words."""
    match event:
        case e.DeadlineSet():
            return say(names.language, "deadline.set", moment=shown(event.due_at))
        case e.DeadlineMet():
            result = names.result_title(event.deadline, event.result)
            return say(names.language, "deadline.met") + (f": {result}" if result else "")
        case e.DeadlineAsked():
            return say(names.language, "deadline.asked", what=_lacks(event.lacks, names))
        case e.DeadlineMissed():
            cause = say(names.language, f"cause_of_miss.{event.cause}")
            what, who = _lacks(event.lacks, names), event.responsible or "—"
            return say(names.language, "deadline.missed", what=what, who=who, cause=cause)
        case e.DeadlineDropped():
            return say(names.language, "deadline.dropped")
    return say(names.language, "deadline.nothing")


def _lacks(lacks: tuple[str, ...], names: Names) -> str:
    return "; ".join(_title(lack, names) for lack in lacks) or "—"


def _title(lack: str, names: Names) -> str:
    known = names.pipeline.fields_by_id.get(lack) or names.pipeline.facts_by_id.get(lack)
    if lack in _BUILT_IN:
        return str(getattr(_BUILT_IN[lack], names.language))
    if known is not None:
        return names.title(known.titles)
    return names.title(CONTACT_WORDS[lack]) if lack in CONTACT_WORDS else lack


def _due(step: Step, play: Play, names: Names) -> Difference | None:
    deadline = names.deadline(step.gaps["deadline"])
    turn = next((t for t in play.there().deadlines.open.values() if t.deadline == deadline), None)
    if turn is not None and is_moment(step.gaps["moment"], turn.due_at, names):
        return None
    return step.text, in_words(turn, names)


def _last(kind: type[e.Event]) -> Callable[[Step, Play, Names], Difference | None]:
    """What became of the deadline's last turn that is over: `kind`, with what the sentence says of it."""

    def look(step: Step, play: Play, names: Names) -> Difference | None:
        deadline = names.deadline(step.gaps["deadline"])
        over = of_deadline(deadline, play, *TURN[1:])
        last = over[-1] if over else None
        fits = isinstance(last, kind)
        if fits and ("missing" in step.gaps or step.items()):
            wanted = {same(item) for item in step.items(step.gaps.get("missing"))}
            fits = wanted == {same(_title(lack, names)) for lack in getattr(last, "lacks", ())}
        if fits and "who" in step.gaps:
            assert isinstance(last, e.DeadlineMissed)
            cause = say(names.language, f"cause_of_miss.{last.cause}")
            fits = last.responsible == step.gaps["who"] and same(step.gaps["cause"]) == same(cause)
        if fits and "result" in step.gaps:
            assert isinstance(last, e.DeadlineMet)
            fits = same(names.result_title(deadline, last.result)).startswith(same(step.gaps["result"]))
        return None if fits else (step.text, in_words(last, names))

    return look


def _misses(step: Step, play: Play, names: Names) -> Difference | None:
    found = len(of_deadline(names.deadline(step.gaps["deadline"]), play, e.DeadlineMissed))
    return None if step.gaps["times"].strip() == str(found) else (step.text, str(found))


def _warned(step: Step, play: Play, names: Names) -> Difference | None:
    robot = names.deadline(step.gaps["deadline"]) + WARNING
    ran = any(isinstance(entry.happened, e.RobotRan) and entry.happened.robot == robot for entry in play.story)
    return None if ran else (step.text, say(names.language, "deadline.not_warned"))


def _none(step: Step, play: Play, names: Names) -> Difference | None:
    deadline = names.deadline(step.gaps["deadline"])
    turn = next((t for t in play.there().deadlines.open.values() if t.deadline == deadline), None)
    return None if turn is None else (step.text, in_words(turn, names))


LOOKS: Final[dict[str, Callable[[Step, Play, Names], Difference | None]]] = {
    "deadline_due": _due,
    "deadline_warned": _warned,
    "deadline_met": _last(e.DeadlineMet),
    "deadline_asked": _last(e.DeadlineAsked),
    "deadline_missed_by": _last(e.DeadlineMissed),
    "deadline_missed": _last(e.DeadlineMissed),
    "deadline_misses": _misses,
    "deadline_dropped": _last(e.DeadlineDropped),
    "no_deadline": _none,
}
