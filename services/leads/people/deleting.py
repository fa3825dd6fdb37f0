"""The deletion of a person's data with their lead (C1, M7), put among the effects of a batch.

Invariants: nobody is deleted who has another lead that is worked on, waits or was won; where not all of their leads are at hand,
that cannot be told, and nothing is deleted by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from contracts import events as e
from contracts.commands import Refusal
from services.leads.domain.arrivals import Referred
from services.leads.domain.people import may_delete
from services.leads.domain.persons import members_of
from services.leads.domain.state import LeadState

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch

Envelope = dict[str, Any]


def deletion(batch: LeadBatch, state: LeadState, decided: Sequence[e.Event]) -> tuple[bool, Refusal | None]:
    """C1: whether these events say that the lead was bad data; and why its person's data cannot go, where it cannot."""
    if not any(isinstance(event, e.LeadRejected) and event.outcome == "bad_data" for event in decided):
        return False, None
    head = batch.person(state.contact)
    others = [found for found in batch.leads() if batch.person(found.contact) == head]
    return True, may_delete(state.lead, others)


def erase_person(batch: LeadBatch, contact: UUID, reason: str, envelope: Envelope) -> None:
    """M7: the fact on every contact of the person; their keys go with the batch, and nothing finds them any more."""
    head = batch.person(contact)
    contacts = {found: state for found in {*batch.persons, head} if (state := batch.contact(found)) is not None}
    for member in members_of(head, contacts):
        state = contacts.get(member)
        if state is None or state.erased:
            continue
        erased = e.PersonErased.model_validate({"reason": reason})
        batch.record(member, "contact", member, (erased,), **{**envelope, "pipeline": None})
        batch.erased.add(member)
    batch.owners = {hmac: owner for hmac, owner in batch.owners.items() if owner.contact not in batch.erased}
    batch.referred = {
        hmac: Referred(found.inbound_id) if found.contact in batch.erased else found
        for hmac, found in batch.referred.items()
    }


def by_itself(batch: LeadBatch, state: LeadState, decided: Sequence[e.Event]) -> Refusal | None:
    """Why these events, which would happen by themselves, may not be: they delete somebody who is needed, or may be."""
    deletes, refusal = deletion(batch, state, decided)
    if refusal is not None or not deletes or state.contact in batch.whole:
        return refusal
    return Refusal(
        rules=("C1.only_lead_of_person",),
        ru="По этой причине данные клиента удаляют: лид забракует человек.",
        en="By this reason the person's data is deleted: a person rejects the lead.",
    )
