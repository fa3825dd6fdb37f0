"""Events of people and the claims that go with them: whose an identity is, which lead of a person is open (C3).

Invariants: an identity has one owner; a person has one open lead in a pipeline: opening claims, closing frees.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.leads.domain.arrivals import Owner, Recognised
from services.leads.domain.state import LeadState
from services.leads.work import CommandWork

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch


def envelope_of(batch: LeadBatch, work: CommandWork, state: LeadState) -> dict[str, Any]:
    """The envelope of what a command does to a lead."""
    command = work.command
    return {
        "command": command.id,
        "actor": command.actor,
        "happened_at": command.happened_at or batch.now,
        "correlation": command.correlation or str(command.id),
        "causation": command.causation,
        "autodepth": command.autodepth,
        "pipeline": f"{state.pipeline}@{state.pipeline_number}",
        "traceparent": command.traceparent,
    }


def put_people(batch: LeadBatch, found: Recognised, envelope: dict[str, Any]) -> None:
    """The contacts' events and the identity claims of something recognised."""
    people = {**envelope, "pipeline": None}
    if found.contact is not None:
        batch.record(found.contact, "contact", found.contact, found.contact_events, **people)
    for other, event in found.other_contact_events:
        batch.record(other, "contact", other, (event,), **people)
    for identity in found.claims:
        assert found.contact is not None
        batch.owners[identity.hmac] = Owner(found.contact, False)
        batch.out.identity_claims.append((identity.hmac, identity.kind, found.contact))
    for identity in found.share:
        batch.owners[identity.hmac] = replace(batch.owners[identity.hmac], shared=True)
        batch.out.shared.append(identity.hmac)


def move_claim(batch: LeadBatch, before: LeadState, after: LeadState) -> None:
    """Closing frees (contact, pipeline), reopening claims it again."""
    place = (before.contact, before.pipeline)
    if before.is_open and not after.is_open:
        batch.open_leads.pop(place, None)
        claim = (*place, before.lead)
        if claim in batch.out.opened:
            batch.out.opened.remove(claim)
        else:
            batch.out.closed.append(before.lead)
    elif after.is_open and not before.is_open:
        batch.open_leads[place] = before.lead
        batch.out.opened.append((*place, before.lead))
