"""Events of a contact: a person and the identities that find them. A contact outlives its leads (decision 7)."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from contracts.events.base import Event
from contracts.meta import AggregateKind
from contracts.personal import Personal

IdentityKind = Literal["phone", "email", "messenger", "visitor"]
"""messenger: `channel:account:sender`, one person's account; visitor: a web counter's id of a browser, which proves nothing
about who sits there and never joins anything but visits."""


class ContactEvent(Event):
    """Base of a contact's events; `Meta.person` is the contact itself, but in `ContactAbsorbed` and `ContactReleased` the other
    one, whose identities they name."""

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


class IdentityUnshared(ContactEvent):
    """C3, N16: the other person who uses this identity turned out to be the same one: they were merged, and it joins again by
    itself as far as they are concerned."""

    TOPIC: ClassVar[str] = "leadline.contact.identity_unshared"

    identity_kind: IdentityKind
    value: Personal[str]
    other_contact: UUID
    still_shared: bool = False
    """Whether a third person uses it, so that it joins nothing by itself all the same."""


class IdentityConfirmed(ContactEvent):
    """C9: somebody was reached there. `proof`: how, `meta.happened_at` when."""

    TOPIC: ClassVar[str] = "leadline.contact.identity_confirmed"

    identity_kind: IdentityKind
    value: Personal[str]
    proof: Literal["answered_call", "reply", "by_hand"]
    inbound_id: UUID | None = None
    """The message that proves it; none where a person says so."""


class IdentityWrong(ContactEvent):
    """C9: nobody, or somebody else, is reached there: proven by a bounce (`status` is the code the other side's server gave,
    RFC 3463), or by a person who tried («не туда»)."""

    TOPIC: ClassVar[str] = "leadline.contact.identity_wrong"

    identity_kind: IdentityKind
    value: Personal[str]
    proof: Literal["bounce", "by_hand"]
    inbound_id: UUID | None = None
    status: str | None = None
    diagnostic: Personal[str | None] = None


class PersonErased(ContactEvent):
    """M7: the person's keys were destroyed in the transaction of this event; all their data is unreadable from here on."""

    TOPIC: ClassVar[str] = "leadline.contact.person_erased"

    reason: Literal["asked", "retention", "by_hand", "bad_data"]
    """bad_data: the lead was rejected as such (C1)."""


ContactChannel = Literal["phone", "sms", "email", "messenger", "ads"]


class PermissionRecorded(ContactEvent):
    """C7: the person allows or refuses to be contacted on a channel. It holds until they say otherwise, or until a date; a later
    form lifts no refusal. `how` and `words` are the proof, `meta.happened_at` is when they said it."""

    TOPIC: ClassVar[str] = "leadline.contact.permission_recorded"

    channel: ContactChannel
    allowed: bool
    how: Literal["call", "letter", "form", "message", "in_person", "link", "by_hand"]
    until: date | None = None
    """Of a refusal for a time («перезвоните через месяц»): the day from which it holds no more."""
    words: Personal[str | None] = None
    inbound_id: UUID | None = None
    lead: UUID | None = None
    """The lead on whose page it was recorded."""


class ContactMerged(ContactEvent):
    """N16: this person is the same as another; the other contact goes on and finds their messages."""

    TOPIC: ClassVar[str] = "leadline.contact.merged"

    into: UUID


class ContactAbsorbed(ContactEvent):
    """N16: another contact was merged into this one: its identities find this person from here on."""

    TOPIC: ClassVar[str] = "leadline.contact.absorbed"

    contact: UUID
    identities: Personal[tuple[str, ...]] = ()
    """`kind:value` of what found the other person."""


class ContactUnmerged(ContactEvent):
    """N16: the merge was a mistake; this is a person of their own again."""

    TOPIC: ClassVar[str] = "leadline.contact.unmerged"

    into: UUID
    """Which contact it had been merged into."""


class ContactReleased(ContactEvent):
    """N16: a person who had been merged into this contact by mistake is one of their own again, with their identities."""

    TOPIC: ClassVar[str] = "leadline.contact.released"

    contact: UUID
    identities: Personal[tuple[str, ...]] = ()


class CompanyJoined(ContactEvent):
    """The person works for a company, or speaks for it."""

    TOPIC: ClassVar[str] = "leadline.contact.company_joined"

    company: UUID
    post: Personal[str | None] = None
