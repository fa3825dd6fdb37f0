"""Whose turn it is: leads go round a circle of people, fairly whatever absences there are (C4). Pure.

Everybody has a mark of how far round they are; whoever is least far is next, of equals whoever had theirs longest ago, then by
the team's order. A lead moves them on by a round, divided by their weight. The circle's own mark is where the last one given
stood; somebody behind it, who was away meanwhile, starts from it. Invariants: of two who could have had every lead of a stretch,
with the same weight, neither had more than one more than the other; nobody gets a burst after an absence; what follows depends on
the leads in their order alone, not on how they came in batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from contracts.team import Member

ROUND: Final = 232_792_560
"""Divisible by every weight up to 20: shares by weight come out even; of heavier ones to one lead in two million."""


class Mark(NamedTuple):
    """How far round somebody is. `had`: leads got in turn; `reached`: in parts of a round, from where they came in; `turn`:
    number of the circle's turn that was their last, 0 for none."""

    had: int = 0
    reached: int = 0
    turn: int = 0


FIRST: Final = Mark()


@dataclass(frozen=True, slots=True)
class Circle:
    """The people among whom the same leads go round. `turns`: all there were; `reached`: how far round it is."""

    turns: int = 0
    reached: int = 0
    marks: Mapping[str, Mark] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many leads each got in turn."""

    def order(self, person: str) -> tuple[int, int]:
        """Who is next: the smaller, the sooner."""
        mark = self.marks.get(person, FIRST)
        return (mark.reached if mark.reached > self.reached else self.reached), mark.turn

    def after(self, chosen: Member, present: Sequence[str]) -> Circle:
        """The circle after this one got a lead. `present`: who could have had it, were it for the team alone."""
        mark = self.marks.get(chosen.name, FIRST)
        least = begins = max(mark.reached, self.reached)
        if begins > self.reached:  # whoever is behind the one chosen was left out for this lead alone
            least = min((self.order(person)[0] for person in present), default=begins)
        turns = self.turns + 1
        moved = Mark(mark.had + 1, begins + ROUND // chosen.weight, turns)
        return Circle(turns, least, {**self.marks, chosen.name: moved}, {**self.counts, chosen.name: moved.had})


def circle_of(own: Mark, marks: Mapping[str, Mark]) -> Circle:
    """The circle that was kept: its own mark, and everybody's."""
    return Circle(own.had, own.reached, marks, {person: mark.had for person, mark in marks.items()})


def next_of(circle: Circle, candidates: Sequence[Member]) -> Member:
    """Whose turn it is, of these, in the team's order; there is one at least."""
    return min(candidates, key=lambda member: circle.order(member.name))
