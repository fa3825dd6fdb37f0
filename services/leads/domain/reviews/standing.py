"""How the reviews of a lead stand: the fold of their events (`services.leads.domain.state` holds them as `reviews`, by stage
visit).

Pure; never fails on an event of a known type. Invariant: a stage visit has one review, which is opened again where what ended it
was a mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from contracts import events as e
from contracts.meta import Meta

if TYPE_CHECKING:
    from services.leads.domain.state import LeadState

Verdict = Literal["confirmed", "returned", "dropped"]


@dataclass(frozen=True, slots=True)
class Review:
    """A review. `verdict`: how it ended, None while it waits; `by`: what dropped it."""

    status: str
    automatic: bool
    responsible: str | None = None
    reason: str | None = None
    verdict: Verdict | None = None
    by: str | None = None


Change = Callable[["LeadState", Meta, Any], dict[str, Any]]


def _opened(state: LeadState, _: Meta, data: e.ReviewOpened) -> dict[str, Any]:
    opened = Review(data.status, data.automatic, data.responsible, data.reason)
    return {"reviews": {**state.reviews, data.visit: opened}}


def _ended(verdict: Verdict) -> Change:
    def change(state: LeadState, _: Meta, data: Any) -> dict[str, Any]:
        before = state.reviews.get(data.visit)
        if before is None:
            return {}
        ended = replace(before, verdict=verdict, by=getattr(data, "by", None))
        return {"reviews": {**state.reviews, data.visit: ended}}

    return change


CHANGES: Final[dict[type[e.Event], Change]] = {
    e.ReviewOpened: _opened,
    e.ReviewConfirmed: _ended("confirmed"),
    e.ReviewReturned: _ended("returned"),
    e.ReviewDropped: _ended("dropped"),
}
"""What each event changes."""
