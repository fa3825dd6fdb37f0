"""An inbound message as the rules look at it, what is known around it, and what follows from it (C3, K5). Plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from contracts import events as e
from contracts.inbound import CallBody, FormBody, MailBody, MessageBody, VisitBody
from contracts.pipeline import Stage
from services.leads.domain.contact import ContactState
from services.leads.domain.identities import Identity
from services.leads.domain.state import LeadState

Body: TypeAlias = FormBody | CallBody | MessageBody | VisitBody | MailBody
Outcome = Literal["accepted", "joined", "no_lead", "quarantined"]
ReferenceKind = Literal["call", "letter", "copy", "thread", "line"]


@dataclass(frozen=True, slots=True)
class Reference:
    """What a message can be named by: a call by its id, a letter by its Message-ID, a copy of it by id and sender, a
    conversation by the token in our address; line: a number that several people use, by which a nameless caller rings again.
    Looked up by its keyed hash."""

    kind: ReferenceKind
    value: str
    hmac: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """What every channel can say of its sender. Phone and e-mail in normal form where they have one."""

    source: str
    name: str | None = None
    company: str | None = None
    phone: str | None = None
    email: str | None = None
    comment: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that was understood. `identities`: what finds its sender, the surest first. `own`: what later messages can
    name this one by; `names`: what it names itself."""

    inbound_id: UUID
    channel: str
    account: str
    received_at: datetime
    body: Body
    said: Said
    identities: tuple[Identity, ...] = ()
    own: tuple[Reference, ...] = ()
    names: tuple[Reference, ...] = ()

    @property
    def happened_at(self) -> datetime:
        """When it happened: as the adapter says, but never after we received it."""
        occurred = self.said.occurred_at
        return min(occurred, self.received_at) if occurred else self.received_at


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an identity is."""

    contact: UUID
    shared: bool


@dataclass(frozen=True, slots=True)
class Referred:
    """Where a message that another one names went: `lead` None: to no lead; `contact` None: nobody known."""

    inbound_id: UUID | None
    contact: UUID | None = None
    lead: UUID | None = None


@dataclass(frozen=True, slots=True)
class Returning:
    """A closed lead that the client's own word brings back (P4), and the stage it comes back to."""

    lead: UUID
    stage: Stage


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the people behind an arrival's identities and of the messages it names."""

    owners: Mapping[bytes, Owner]
    contacts: Mapping[UUID, ContactState]
    open_leads: Mapping[UUID, UUID]
    """The person's open lead by contact, in the pipeline the message is for."""
    leads: Mapping[UUID, LeadState] = field(default_factory=dict)
    """The leads named here, as they stand."""
    referred: Mapping[bytes, Referred] = field(default_factory=dict)
    persons: Mapping[UUID, UUID] = field(default_factory=dict)
    """Of contacts that were merged: the one that goes on for them (N16)."""
    returning: Mapping[UUID, Returning] = field(default_factory=dict)
    """By contact, where the person's most recently closed lead is one that they bring back themselves."""

    def same(self, one: UUID, other: UUID) -> bool:
        """Whether two contacts are of one person."""
        return self.persons.get(one, one) == self.persons.get(other, other)


@dataclass(slots=True)
class Recognised:
    """What to write: events by stream, claims, and the outcome for the intake journal."""

    outcome: Outcome
    reason: str | None = None
    lead: UUID | None = None
    contact: UUID | None = None
    contact_is_new: bool = False
    unclear: bool = False
    """It is of a number or address that other people have, and nothing says which of them it is (C3)."""
    lead_is_new: bool = False
    contact_events: list[e.Event] = field(default_factory=list)
    lead_events: list[e.Event] = field(default_factory=list)
    other_contact_events: list[tuple[UUID, e.Event]] = field(default_factory=list)
    ruled: list[e.Event] = field(default_factory=list)
    """What our own rules add to the lead: the system's act, not the client's."""
    claims: list[Identity] = field(default_factory=list)
    share: list[Identity] = field(default_factory=list)
