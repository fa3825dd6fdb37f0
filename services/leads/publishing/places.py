"""Where a lead stands after its last events: what the batch keeps of it in `leadline.lead_places`.

Pure. Invariants: a lead that went into another one stands nowhere (`merged`), until it is by itself again, nor does a deal that
was withdrawn, until it is restored; erasure is no event of a lead's and is not told here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple
from uuid import UUID

from contracts import events as e
from services.leads.domain.state import LeadState

Kind = Literal["open", "won", "lost", "postponed", "merged"]
_CHANGES = (
    e.StageEntered,
    e.LeadAdopted,
    e.LeadMerged,
    e.LeadUnmerged,
    e.DealWithdrawn,
    e.DealRestored,
    e.LeadAssigned,
    e.LeadPooled,
)


class Place(NamedTuple):
    """Where a lead stands. `returns_to`: the open stage it left for an outcome."""

    lead: UUID
    contact: UUID
    pipeline: str
    number: int
    stage: str
    kind: Kind
    returns_to: str | None
    responsible: str | None = None


def place_after(events: Sequence[e.Event], state: LeadState) -> Place | None:
    """Where a lead stands after these events, which led to `state`; None when they change nothing of it."""
    changes = [event for event in events if _changes(type(event))]
    if not changes:
        return None
    gone = state.merged_into is not None or state.withdrawn
    kind: Kind = "merged" if gone else state.kind
    return Place(
        state.lead,
        state.contact,
        state.pipeline,
        state.pipeline_number,
        state.stage,
        kind,
        state.left_open_stage,
        state.responsible,
    )


@cache
def _changes(kind: type[e.Event]) -> bool:
    """Kept by type: asking a model whether it is one of these takes microseconds, and every event of every lead is asked."""
    return issubclass(kind, _CHANGES)
