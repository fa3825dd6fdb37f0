"""Events of a contact: a person and the identities that find them. A contact outlives its leads (decision 7)."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from contracts.events.base import Event
from contracts.meta import AggregateKind
from contracts.personal import Personal


class ContactEvent(Event):
    """Base of a contact's events; `Meta.person` is the contact itself."""

    KIND: ClassVar[AggregateKind] = "contact"


class ContactMade(ContactEvent):
    """A person became known."""

    TOPIC: ClassVar[str] = "leadline.contact.made"

    name: Personal[str | None] = None
    company: Personal[str | None] = None
    inbound_id: UUID | None = None


class IdentityAdded(ContactEvent):
    """The person can be found by this phone (E.164) or e-mail (normalised). `shared`: others have it too; it never joins
    by itself (C3)."""

    TOPIC: ClassVar[str] = "leadline.contact.identity_added"

    identity_kind: Literal["phone", "email"]
    value: Personal[str]
    shared: bool = False
    state: Literal["unconfirmed", "confirmed", "wrong"] = "unconfirmed"


class IdentityShared(ContactEvent):
    """An identity of this person turned out to be used by a person of another name (C3)."""

    TOPIC: ClassVar[str] = "leadline.contact.identity_shared"

    identity_kind: Literal["phone", "email"]
    value: Personal[str]
    other_contact: UUID


class PersonErased(ContactEvent):
    """M7: the person's keys were destroyed in the transaction of this event; all their data is unreadable from here on."""

    TOPIC: ClassVar[str] = "leadline.contact.person_erased"

    reason: Literal["asked", "retention", "by_hand"]
