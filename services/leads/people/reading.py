"""Reading the person behind a lead, and what a merge would do, from the events: for pages and the API (C7, C9, N16).

Reads only the event store and the claims, changes nothing. An unknown contact gives None; of an erased person there is nothing
but that there was one.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from contracts import commands as c
from services.database import Database
from services.leads.domain.contact import ContactState, contact_from
from services.leads.domain.merging_rules import MergeCase
from services.leads.domain.people import Person
from services.leads.domain.state import LeadState
from services.leads.people import store
from services.leads.reading import lead_state, read_history
from services.privacy.store import KeyRing


async def person_of(database: Database, ring: KeyRing, contact: UUID) -> Person | None:
    """The person whose contact this is, with every contact of theirs, the one asked for first."""
    head = (await store.heads(database, [contact])).get(contact, contact)
    members = await store.members(database, [head])
    contacts = await _contacts(database, ring, dict.fromkeys([contact, head, *sorted(members)]))
    return Person(tuple(contacts.values())) if contact in contacts else None


async def leads_of(database: Database, ring: KeyRing, person: Person) -> list[LeadState]:
    """The person's leads as they stand, the latest captured first."""
    owned = await store.leads_of(database, [contact.contact for contact in person.contacts])
    states = [await lead_state(database, ring, lead) for leads in owned.values() for lead in leads]
    there = [state for state in states if state is not None]
    return sorted(there, key=lambda state: (state.captured_at, state.lead), reverse=True)


async def merge_case(database: Database, ring: KeyRing, command: c.Command, lead: LeadState) -> MergeCase:
    """What the rules of merging look at: for a merge into the lead named, or for undoing the merge there was."""
    into_id = command.body.into if isinstance(command.body, c.Merge) else lead.merged_into
    into = await lead_state(database, ring, into_id) if into_id is not None else None
    asked = {state.contact for state in (lead, into) if state is not None}
    merged = await store.heads(database, asked)
    heads = {merged.get(contact, contact) for contact in asked}
    members = await store.members(database, heads)
    contacts = await _contacts(database, ring, sorted(asked | heads | members.keys()))
    open_leads = await store.open_leads_of(database, heads)
    looked_at = set(open_leads.values())
    if isinstance(command.body, c.Unmerge):
        owned = await store.leads_of(database, heads | members.keys())
        looked_at |= {other for found in owned.values() for other in found}
    states = {other: await lead_state(database, ring, other) for other in sorted(looked_at)}
    leads = {other: state for other, state in states.items() if state is not None}
    return MergeCase(lead, into, command, contacts, open_leads, leads)


async def _contacts(database: Database, ring: KeyRing, wanted: Iterable[UUID]) -> dict[UUID, ContactState]:
    found = {}
    for contact in wanted:
        history = await read_history(database, ring, contact)
        if history and history[0].meta.kind == "contact" and (state := contact_from(history)) is not None:
            found[contact] = state
    return found
