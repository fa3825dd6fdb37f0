"""Events of a contact: a person and the identities that find them. A contact outlives its leads (decision 7)."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from contracts.events.base import Event
from contracts.meta import AggregateKind
from contracts.personal import Personal

IdentityKind = Literal["phone", "email", "messenger", "visitor"]
"""messenger: `channel:account:sender`, one person's account; visitor: a web counter's id of a browser, which proves nothing
about who sits there and never joins anything but visits."""


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

    identity_kind: IdentityKind
    value: Personal[str]
    shared: bool = False
    state: Literal["unconfirmed", "confirmed", "wrong"] = "unconfirmed"


class IdentityShared(ContactEvent):
    """An identity of this person turned out to be used by a person of another name (C3)."""

    TOPIC: ClassVar[str] = "leadline.contact.identity_shared"

    identity_kind: IdentityKind
    value: Personal[str]
    other_contact: UUID


class IdentityConfirmed(ContactEvent):
    """C9: somebody was reached there. `proof`: how; `inbound_id` the message that proves it, `meta.happened_at` when."""

    TOPIC: ClassVar[str] = "leadline.contact.identity_confirmed"

    identity_kind: IdentityKind
    value: Personal[str]
    proof: Literal["answered_call", "reply"]
    inbound_id: UUID


class IdentityWrong(ContactEvent):
    """C9: nobody is reached there, proven by a bounce: `status` is the code the other side's server gave (RFC 3463)."""

    TOPIC: ClassVar[str] = "leadline.contact.identity_wrong"

    identity_kind: IdentityKind
    value: Personal[str]
    proof: Literal["bounce"]
    inbound_id: UUID
    status: str | None = None
    diagnostic: Personal[str | None] = None


class PersonErased(ContactEvent):
    """M7: the person's keys were destroyed in the transaction of this event; all their data is unreadable from here on."""

    TOPIC: ClassVar[str] = "leadline.contact.person_erased"

    reason: Literal["asked", "retention", "by_hand"]
