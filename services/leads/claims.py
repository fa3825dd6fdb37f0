"""Events of people and the claims that go with them: whose an identity is, which lead of a person is open (C3).

Invariants: an identity has one owner; a person has one open lead in a pipeline: opening claims, closing frees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from contracts import commands as c
from services.leads.domain.arrivals import Known, Owner, Recognised
from services.leads.domain.identities import Identity
from services.leads.domain.state import LeadState
from services.leads.work import CommandWork

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch


def envelope_of(batch: LeadBatch, work: CommandWork, state: LeadState) -> dict[str, Any]:
    """The envelope of what a command does to a lead."""
    command = work.command
    under = f"{state.pipeline}@{state.pipeline_number}"
    if isinstance(command.body, c.Adopt):
        under = f"{command.body.pipeline}@{command.body.number}"
    return {
        "command": command.id,
        "actor": command.actor,
        "happened_at": command.happened_at or batch.now,
        "correlation": command.correlation or str(command.id),
        "causation": command.causation,
        "autodepth": command.autodepth,
        "pipeline": under,
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
        batch.out.marks.pop(identity.hmac, None)
        batch.out.shared.append(identity.hmac)


def known_people(batch: LeadBatch, identities: Sequence[Identity], pipeline: str) -> Known:
    """What the batch knows of the people who have these identities."""
    owners = {i.hmac: owner for i in identities if (owner := batch.owners.get(i.hmac)) is not None}
    contacts = {owner.contact for owner in owners.values()}
    return Known(
        owners=owners,
        contacts={contact: state for contact in contacts if (state := batch.contact(contact)) is not None},
        open_leads={c: lead for c in contacts if (lead := batch.open_lead_of(c, pipeline)) is not None},
        persons=batch.persons,
    )


def claim(batch: LeadBatch, lead: LeadState) -> None:
    """The lead is the open one of its person in its pipeline; a person is known by the contact that goes on (N16)."""
    place = (batch.person(lead.contact), lead.pipeline)
    batch.open_leads[place] = lead.lead
    batch.out.opened.append((*place, lead.lead))
    batch.had.setdefault(place[0], set()).add(lead.lead)


def move_claim(batch: LeadBatch, before: LeadState, after: LeadState) -> None:
    """Closing frees (person, pipeline), reopening claims it again, another pipeline claims it there. A deal claims nothing."""
    if after.deal_of is not None:
        return
    stays = before.is_open and after.is_open and before.pipeline == after.pipeline
    if before.is_open and not stays:
        for place in [place for place, lead in batch.open_leads.items() if lead == before.lead]:
            del batch.open_leads[place]
        claimed = [claim for claim in batch.out.opened if claim[2] == before.lead]
        if claimed:
            batch.out.opened.remove(claimed[0])
        else:
            batch.out.closed.append(before.lead)
    if after.is_open and not stays:
        claim(batch, after)
