"""Whether reviews came out as a scenario says (Тогда; Q5). Pure.

A look answers None where it is as expected, else the two sides of the difference, as in `looking`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from services.leads.domain.reviews.judging import waiting
from services.leads.scenarios.naming import Names
from services.leads.scenarios.play import Play
from services.leads.scenarios.script import Step
from services.leads.scenarios.texts import say

Difference = tuple[str, str]


def _review(wanted: str) -> Callable[[Step, Play, Names], Difference | None]:
    def look(step: Step, play: Play, names: Names) -> Difference | None:
        review = waiting(play.there())
        came = "none" if review is None else "waits_by_itself" if review.automatic else "waits"
        if came == wanted or (wanted == "waits" and review is not None):
            return None
        return step.text, say(names.language, f"review_{came}")

    return look


LOOKS: Final[dict[str, Callable[[Step, Play, Names], Difference | None]]] = {
    "review_waits": _review("waits"),
    "review_by_itself": _review("waits_by_itself"),
    "review_none": _review("none"),
}
