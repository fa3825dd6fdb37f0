"""Who is who among contacts that were merged (N16): a person is a tree of contacts, and its head is the one that goes on.

Pure, over the states that the caller has loaded. Invariants: a contact that was merged into another has one place it went to,
and no way leads back to it, so that every walk ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from services.leads.domain.contact import ContactState, Key

Contacts = Mapping[UUID, ContactState]


def head_of(contact: UUID, contacts: Contacts) -> UUID:
    """The contact that goes on for this one: itself, unless it was merged."""
    while (state := contacts.get(contact)) is not None and state.merged_into is not None:
        contact = state.merged_into
    return contact


def members_of(head: UUID, contacts: Contacts) -> tuple[UUID, ...]:
    """The contact and all that were merged into it, directly or not, itself first."""
    found = [head]
    for contact in found:
        if (state := contacts.get(contact)) is not None:
            found += sorted(state.absorbed)
    return tuple(found)


def identities_of(members: tuple[UUID, ...], contacts: Contacts) -> tuple[str, ...]:
    """`kind:value` of all that finds these contacts."""
    keys = {key for member in members if (state := contacts.get(member)) is not None for key in state.identities}
    return tuple(f"{kind}:{value}" for kind, value in sorted(keys))


def used_by_both(
    members: tuple[UUID, ...], others: tuple[UUID, ...], contacts: Contacts
) -> tuple[tuple[UUID, Key, UUID], ...]:
    """What contacts of one person and of another use alike: (owner, identity, who else uses it)."""
    found = []
    for some, rest in ((members, others), (others, members)):
        for owner in some:
            for key in sorted(contacts[owner].owned):
                found += [(owner, key, user) for user in rest if key in contacts[user].identities]
    return tuple(found)
