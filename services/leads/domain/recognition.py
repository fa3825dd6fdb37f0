"""From an inbound message to a lead: whose is it, does it join an open lead, or is it a new one (C3, K5).

Pure. Invariants: every arrival ends in exactly one of: a new lead, a joined lead, quarantine with a reason; a message joins
nothing unseen: where a phone or e-mail belongs to a person of another name, both are kept and a person decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid5

from contracts import events as e
from contracts.inbound import FormBody
from contracts.pipeline import Pipeline
from services.leads.domain.identities import Identity, names_differ
from services.leads.domain.state import ContactState, LeadState

NAMESPACE = UUID("6b1d3a52-3a5e-5c3f-9a53-0c9d4f1e7a10")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An inbound message, understood as a form. `identities` are its phone and e-mail in normal form, phone first."""

    inbound_id: UUID
    channel: str
    account: str
    received_at: datetime
    body: FormBody
    identities: tuple[Identity, ...]

    @property
    def happened_at(self) -> datetime:
        """When the client wrote: as the adapter says, but never after we received it."""
        occurred = self.body.occurred_at
        return min(occurred, self.received_at) if occurred else self.received_at


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an identity is."""

    contact: UUID
    shared: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the people behind an arrival's identities."""

    owners: Mapping[bytes, Owner]
    contacts: Mapping[UUID, ContactState]
    open_leads: Mapping[UUID, UUID]
    """Open lead by contact, in the pipeline the message is for."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is: the rotation's candidates and the running number."""

    candidates: tuple[str, ...]
    number: int


@dataclass(slots=True)
class Recognised:
    """What to write: events by stream, claims, and the outcome for the intake journal."""

    outcome: str
    reason: str | None = None
    lead: UUID | None = None
    contact: UUID | None = None
    contact_is_new: bool = False
    lead_is_new: bool = False
    contact_events: list[e.Event] = field(default_factory=list)
    lead_events: list[e.Event] = field(default_factory=list)
    other_contact_events: list[tuple[UUID, e.Event]] = field(default_factory=list)
    claims: list[Identity] = field(default_factory=list)
    share: list[Identity] = field(default_factory=list)
    assigned: e.Event | None = None
    """The responsible in turn: the rotation's act, not the client's."""


def unreachable(body: FormBody, identities: tuple[Identity, ...]) -> str | None:
    """Why a form cannot become a lead, or None when it can: it must say how to reach the client."""
    if identities:
        return None
    if body.phone or body.email:
        given = " and ".join(what for what, text in (("phone", body.phone), ("e-mail", body.email)) if text)
        return f"unreadable_contact: the {given} given cannot be read"
    return "no_contact: neither phone nor e-mail was given"


def recognise(arrival: Arrival, known: Known, pipeline: Pipeline, turn: Turn) -> Recognised:
    """Whose the message is, and the events that follow."""
    mine, others = whose(arrival, known)
    if mine is not None and (lead := known.open_leads.get(mine)) is not None:
        found = Recognised("joined", lead=lead, contact=mine)
        found.lead_events.append(_joined(arrival))
    else:
        contact = mine or uuid5(NAMESPACE, f"contact:{arrival.inbound_id}")
        found = Recognised("accepted", lead=uuid5(NAMESPACE, f"lead:{arrival.inbound_id}"), contact=contact)
        found.lead_is_new, found.contact_is_new = True, mine is None
        if mine is None:
            body = arrival.body
            made = e.ContactMade(name=body.name, company=body.company, inbound_id=arrival.inbound_id)
            found.contact_events.append(made)
        found.lead_events.extend(_captured(arrival, contact, pipeline))
        if turn.candidates:
            found.assigned = _assigned(turn)
    keep_identities(arrival, known, found)
    for other, identity in others:
        suspected = e.DuplicateSuspected(
            identity_kind=identity.kind, other_contact=other, other_lead=known.open_leads.get(other)
        )
        found.lead_events.append(suspected)
    return found


def whose(arrival: Arrival, known: Known) -> tuple[UUID | None, list[tuple[UUID, Identity]]]:
    """The person the message is of, and others who have an identity of it without being that person."""
    mine: UUID | None = None
    others: list[tuple[UUID, Identity]] = []
    for identity in arrival.identities:
        owner = known.owners.get(identity.hmac)
        if owner is None or owner.contact == mine:
            continue
        contact = known.contacts.get(owner.contact)
        same = not owner.shared and contact is not None and not names_differ(contact.name, arrival.body.name)
        if same and mine is None:
            mine = owner.contact
        else:
            others.append((owner.contact, identity))
    return mine, [(other, identity) for other, identity in others if other != mine]


def keep_identities(arrival: Arrival, known: Known, found: Recognised) -> None:
    """Add the arrival's identities to its contact: claimed where nobody has them, else marked as shared (C3)."""
    assert found.contact is not None
    have = known.contacts[found.contact].identities if found.contact in known.contacts else frozenset()
    for identity in arrival.identities:
        owner = known.owners.get(identity.hmac)
        if (owner is not None and owner.contact == found.contact) or (identity.kind, identity.value) in have:
            continue
        if owner is None:
            found.claims.append(identity)
        elif not owner.shared:
            found.share.append(identity)
            shared = e.IdentityShared(identity_kind=identity.kind, value=identity.value, other_contact=found.contact)
            found.other_contact_events.append((owner.contact, shared))
        found.contact_events.append(
            e.IdentityAdded(identity_kind=identity.kind, value=identity.value, shared=owner is not None)
        )


def keep_recorded_identity(
    state: LeadState, identity: Identity, owner: Owner | None, have: frozenset[tuple[str, str]], other_lead: UUID | None
) -> Recognised:
    """A seller wrote a phone or e-mail on the card: the contact gets it, or it is marked as another person's (C3)."""
    found = Recognised("accepted", lead=state.lead, contact=state.contact)
    if (owner is not None and owner.contact == state.contact) or (identity.kind, identity.value) in have:
        return found
    added = e.IdentityAdded(identity_kind=identity.kind, value=identity.value, shared=owner is not None)
    found.contact_events.append(added)
    if owner is None:
        found.claims.append(identity)
        return found
    if not owner.shared:
        found.share.append(identity)
        shared = e.IdentityShared(identity_kind=identity.kind, value=identity.value, other_contact=state.contact)
        found.other_contact_events.append((owner.contact, shared))
    suspected = e.DuplicateSuspected(identity_kind=identity.kind, other_contact=owner.contact, other_lead=other_lead)
    found.lead_events.append(suspected)
    return found


def _said(arrival: Arrival) -> dict[str, object]:
    """What the form said, for the events that carry it: the normal form of a phone or e-mail, else the text as given."""
    body = arrival.body
    normal = {identity.kind: identity.value for identity in arrival.identities}
    return {
        "channel": arrival.channel,
        "source": body.source or arrival.account,
        "form": arrival.account or None,
        "inbound_id": arrival.inbound_id,
        "received_at": arrival.received_at,
        "name": body.name,
        "company": body.company,
        "phone": normal.get("phone", body.phone),
        "email": normal.get("email", body.email),
        "comment": body.comment,
        "fields": body.fields,
    }


def _joined(arrival: Arrival) -> e.Event:
    return e.InboundJoined.model_validate(_said(arrival))


def _captured(arrival: Arrival, contact: UUID, pipeline: Pipeline) -> tuple[e.Event, ...]:
    first = pipeline.first
    return (
        e.LeadCaptured.model_validate({"pipeline": pipeline.pipeline, "contact": contact, **_said(arrival)}),
        e.StageEntered(stage=first.id, kind=first.kind, visit=1, cause="captured", direction="in"),
    )


def _assigned(turn: Turn) -> e.Event:
    return e.LeadAssigned(
        to=turn.candidates[turn.number % len(turn.candidates)],
        reason="in_turn",
        candidates=turn.candidates,
        turn=turn.number,
    )
