"""Quality control of poor leads: what opens a review, how the head ends it, and what takes it away (Q5). Pure.

`react` is asked after every set of events of a lead, in the same transaction. Invariants: a review is opened with the entry of a
status that asks for one, whoever made the lead poor, and marked automatic where no person did; nothing is judged of a lead whose
person is deleted (C1, C9); a review that is not judged any more is dropped, and waits again where that was a mistake (N12).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from contracts import commands as c
from contracts import events as e
from contracts.pipeline import Pipeline
from services.leads.domain.reviews.standing import Review
from services.leads.domain.state import LeadState

RETURNED: Final = {"ru": "Вернул руководитель: {reason}", "en": "The head returned it: {reason}"}
"""The task of whoever is responsible for a lead that goes back to work."""
_MOVING: Final = (e.StageEntered, e.LeadMerged, e.DealWithdrawn, e.DealRestored)


def waiting(state: LeadState) -> Review | None:
    """The review that waits for the head; None: there is nothing to judge."""
    found = state.reviews.get(state.root)
    gone = state.erased or state.merged_into is not None or state.withdrawn
    return found if found is not None and found.verdict is None and not gone else None


def confirmed(state: LeadState, body: c.Review) -> tuple[e.Event, ...]:
    """The head says that the lead is poor."""
    review = state.reviews[state.root]
    return (
        e.ReviewConfirmed(
            visit=state.root, responsible=review.responsible, automatic=review.automatic, comment=body.reason
        ),
    )


def returned(state: LeadState, body: c.Review) -> e.ReviewReturned:
    """The head does not: the change of stage, and a task, come with it."""
    review = state.reviews[state.root]
    return e.ReviewReturned(
        visit=state.root, responsible=review.responsible, automatic=review.automatic, reason=body.reason or ""
    )


def react(state: LeadState, just: Sequence[e.Event], pipeline: Pipeline, *, automatic: bool) -> tuple[e.Event, ...]:
    """What follows for reviews from events that just happened; `state`: the lead after them; `automatic`: whether no person made
    them."""
    found: list[e.Event] = []
    for event in just:
        if state.erased or not _matters(type(event)):
            continue
        match event:
            case e.StageEntered():
                found += _on_change_of_stage(state, event, just, pipeline, automatic)
            case e.LeadMerged():
                found += _dropped(state, "merged")
            case e.DealWithdrawn():
                found += _dropped(state, "undone")
            case e.DealRestored():
                found += _again(state, pipeline, "undone")
    return tuple(found)


@cache
def _matters(kind: type[e.Event]) -> bool:
    """Whether anything follows for reviews from such an event; kept by type, as most events of most leads change none."""
    return issubclass(kind, _MOVING)


def _on_change_of_stage(
    state: LeadState, entered: e.StageEntered, just: Sequence[e.Event], pipeline: Pipeline, automatic: bool
) -> Iterator[e.Event]:
    if entered.visit != state.visit:
        return  # the lead moved on in the same act
    here = pipeline.by_id.get(state.stage)
    judged = here is not None and here.review
    if entered.cause == "adopted":
        if not judged:
            yield from _dropped(state, "moved")
        return
    if entered.cause == "unmerged":
        yield from _again(state, pipeline, "merged")
        return
    if entered.undoes is not None:
        yield from _dropped(state, "undone", but=state.root)
        yield from _again(state, pipeline, "reopened", "moved")
        return
    yield from _dropped(state, "moved" if entered.kind == "lost" else "reopened", but=state.root)
    if not judged or state.outcome == "bad_data" or entered.basis == "import":
        return
    rejected = next((event for event in reversed(just) if isinstance(event, e.LeadRejected)), None)
    yield e.ReviewOpened(
        visit=state.root,
        status=state.stage,
        reason=rejected.reason if rejected is not None else None,
        automatic=automatic,
        responsible=state.responsible,
    )


def _dropped(state: LeadState, by: Any, but: int | None = None) -> Iterator[e.ReviewDropped]:
    """Reviews that wait are not judged any more. `but`: that of this stage visit."""
    for visit, review in state.reviews.items():
        if review.verdict is None and visit != but:
            yield e.ReviewDropped(visit=visit, by=by)


def erased(state: LeadState) -> tuple[e.Event, ...]:
    """M7: whoever was erased is not judged."""
    return tuple(_dropped(state, "erased"))


def _again(state: LeadState, pipeline: Pipeline, *by: str) -> Iterator[e.ReviewOpened]:
    """What ended the review of the stage visit that goes on was a mistake: it waits again, as it did."""
    here, review = pipeline.by_id.get(state.stage), state.reviews.get(state.root)
    if here is None or not here.review or review is None:
        return
    if review.verdict == "returned" or (review.verdict == "dropped" and review.by in by):
        yield e.ReviewOpened(
            visit=state.root,
            status=review.status,
            reason=review.reason,
            automatic=review.automatic,
            responsible=review.responsible,
        )
