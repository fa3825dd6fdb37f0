"""A deal beside its lead: what the lead's change of stage means for it, and how it looks with what the lead says (decision 7).

Pure. Invariants: a lead has one deal in a pipeline, whatever is undone and repeated: its id follows from both; nothing of the
lead is copied into the deal, it is put together on reading, the deal's own word first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid5

from contracts import events as e
from contracts.pipeline import Pipeline
from services.leads.domain.state import CONTACT_FIELDS, LeadState, with_


def deal_of(lead: UUID, pipeline: str) -> UUID:
    """The id of a lead's deal in a pipeline."""
    return uuid5(lead, f"deal:{pipeline}")


@dataclass(frozen=True, slots=True)
class Turn:
    """What becomes of a lead's deal in a pipeline: it is opened (or goes on, where there is one), goes on, or is withdrawn."""

    what: Literal["open", "restore", "withdraw"]
    pipeline: str


def turns(entered: e.StageEntered, pipeline: Pipeline) -> tuple[Turn, ...]:
    """What a lead's change of stage means for its deals; `pipeline`: the version the lead was moved under.

    A lead that an adoption, an import or a merge taken back puts into a won stage becomes no deal by that: nothing happened to
    it now.
    """
    there = pipeline.by_id.get(entered.stage)
    wanted = there.deal.pipeline if there is not None and there.deal is not None else None
    if entered.undoes is not None:
        left = pipeline.by_id.get(entered.from_stage or "")
        mistaken = left.deal.pipeline if left is not None and left.deal is not None else None
        found = []
        if mistaken is not None and mistaken != wanted:
            found.append(Turn("withdraw", mistaken))
        if wanted is not None:
            found.append(Turn("restore", wanted))
        return tuple(found)
    if wanted is None or entered.cause in ("adopted", "unmerged") or entered.basis == "import":
        return ()
    return (Turn("open", wanted),)


def with_lead(deal: LeadState, lead: LeadState | None) -> LeadState:
    """The deal as it is looked at and decided on: who the client is, and the card, as the lead says, under what the deal says."""
    contact = {name: _own_first(getattr(deal, name), getattr(lead, name, None)) for name in CONTACT_FIELDS}
    card = {**(lead.card if lead is not None else {}), **deal.card}
    erased = deal.erased or (lead is not None and lead.erased)
    return with_(deal, **contact, card={k: v for k, v in card.items() if v}, erased=erased)


def _own_first(own: str | None, of_lead: str | None) -> str | None:
    """An own text that is empty says that there is none."""
    return (own if own is not None else of_lead) or None
