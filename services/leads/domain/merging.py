"""Two leads that are one wish of one person, and taking that back (N15, N16, C3).

`merge` and `unmerge` decide like everything else: the events, or a refusal by `domain.merging_rules`. Pure; the caller has
loaded both leads, every contact of both persons, and their open leads. Invariants: both histories stay where they are, sealed
under the keys they were sealed under; nothing is copied (N17). What comes by an identity of the merged contact later is sealed
under that contact's key on the survivor's stream, so it can be told apart and goes with it when the merge is undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from services.leads.domain.merging_rules import (
    MERGE_RULES,
    UNMERGE_RULES,
    MergeCase,
    Place,
    open_leads_of,
    refused,
)
from services.leads.domain.persons import head_of, identities_of, members_of, used_by_both


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a merge or its undoing writes, and what it does to claims."""

    lead_events: tuple[e.Event, ...]
    into: UUID
    into_events: tuple[e.Event, ...]
    contact_events: tuple[tuple[UUID, UUID, e.Event], ...] = ()
    """(stream, whose key seals it, event)."""
    heads: Mapping[UUID, UUID] = field(default_factory=dict)
    """Contacts whose head is another now."""
    edges: Mapping[UUID, UUID | None] = field(default_factory=dict)
    """Contacts that were merged, into which; None: no more."""
    moved_claims: tuple[tuple[Place, Place, UUID], ...] = ()
    """Open leads whose person is another now: (before, after, lead)."""
    settled: tuple[tuple[UUID, tuple[str, str], bool], ...] = ()
    """Identities whose mark changes: (owner, identity, shared)."""


def merge(case: MergeCase) -> Outcome | Refusal:
    """The lead ends, and what it was about goes on in the other one."""
    if (refusal := refused(case, MERGE_RULES)) is not None:
        return refusal
    body, lead, into = case.command.body, case.lead, case.survivor
    assert isinstance(body, c.Merge)
    lead_events = (e.LeadMerged(into=into.lead, into_contact=into.contact, comment=body.comment),)
    into_events = (e.LeadAbsorbed(lead=lead.lead, contact=lead.contact),)
    person, other = case.person, case.other
    if person == other:
        return Outcome(lead_events, into.lead, into_events)
    members, others = members_of(person, case.contacts), members_of(other, case.contacts)
    alike = used_by_both(members, others, case.contacts)
    absorbed = e.ContactAbsorbed(contact=person, identities=identities_of(members, case.contacts))
    contact_events: list[tuple[UUID, UUID, e.Event]] = [
        (person, person, e.ContactMerged(into=other)),
        (other, person, absorbed),  # who found the merged person is that person's to know: sealed under their key
    ]
    left = {(owner, key): set(case.contacts[owner].sharers.get(key, ())) for owner, key, _ in alike}
    for owner, key, user in alike:
        left[(owner, key)].discard(user)
        named = {"identity_kind": key[0], "value": key[1], "other_contact": user}
        unshared = e.IdentityUnshared.model_validate({**named, "still_shared": bool(left[(owner, key)])})
        contact_events.append((owner, owner, unshared))
    return Outcome(
        lead_events,
        into.lead,
        into_events,
        tuple(contact_events),
        heads=dict.fromkeys(members, other),
        edges={person: other},
        moved_claims=tuple(
            ((head, pipeline), (other, pipeline), open_lead)
            for (head, pipeline), open_lead in sorted(case.open_leads.items())
            if head == person and open_lead != lead.lead
        ),
        settled=tuple((owner, key, bool(users)) for (owner, key), users in left.items()),
    )


def unmerge(case: MergeCase) -> Outcome | Refusal:
    """The merge was a mistake: the lead stands where it stood, its person is one of their own again."""
    if (refusal := refused(case, UNMERGE_RULES)) is not None:
        return refusal
    body, lead, into = case.command.body, case.lead, case.survivor
    assert isinstance(body, c.Unmerge)
    lead_events = (
        e.LeadUnmerged(into=into.lead, comment=body.comment),
        e.StageEntered(
            stage=lead.stage,
            kind=lead.kind,
            visit=lead.visit + 1,
            from_stage=lead.stage,
            from_visit=lead.visit,
            cause="unmerged",
            direction="return" if lead.kind in ("open", "won") else "out",
            basis="correction",
            since=lead.root_at,
        ),
    )
    released = e.LeadReleased(lead=lead.lead, contact=lead.contact, moved=moved(case))
    joined = case.joined
    if joined is None:
        return Outcome(lead_events, into.lead, (released,))
    went_to = case.contacts[joined].merged_into
    assert went_to is not None
    members = members_of(joined, case.contacts)
    rest = tuple(m for m in members_of(head_of(joined, case.contacts), case.contacts) if m not in members)
    contact_events: list[tuple[UUID, UUID, e.Event]] = [
        (joined, joined, e.ContactUnmerged(into=went_to)),
        (went_to, joined, e.ContactReleased(contact=joined, identities=identities_of(members, case.contacts))),
    ]
    alike = used_by_both(members, rest, case.contacts)
    for owner, key, user in alike:
        shared = e.IdentityShared.model_validate({"identity_kind": key[0], "value": key[1], "other_contact": user})
        contact_events.append((owner, owner, shared))
    return Outcome(
        lead_events,
        into.lead,
        (released,),
        tuple(contact_events),
        heads=dict.fromkeys(members, joined),
        edges={joined: None},
        moved_claims=tuple(
            ((head, pipeline), (joined, pipeline), open_lead)
            for (head, pipeline), open_lead in open_leads_of(case, members)
        ),
        settled=tuple({(owner, key, True) for owner, key, _ in alike}),
    )


def moved(case: MergeCase) -> tuple[int, ...]:
    """Versions of the survivor's stream that came by an identity of the merged person since, and go with them."""
    joined = case.joined
    if joined is None:
        return ()
    members, since = members_of(joined, case.contacts), case.survivor.absorbed.get(case.lead.lead, 0)
    return tuple(version for version, contact in case.survivor.of_others if version > since and contact in members)
