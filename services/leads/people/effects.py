"""Step 5 of a batch for commands on the person behind a lead: ask the domain, put down what follows.

Invariants: the domain is asked before anything is put down; a merge moves claims, never an event; a person is deleted in the
transaction of the rejection that says so (C1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from services.leads.automatic import follow
from services.leads.domain.case import Case
from services.leads.domain.identities import normalise_email, normalise_phone
from services.leads.domain.merging import Outcome, merge, unmerge
from services.leads.domain.merging_rules import MergeCase
from services.leads.domain.people import ContactEvents, Person, confirm, dismiss, may_recommend, permit
from services.leads.domain.rules import COMMAND_RULES, refused
from services.leads.domain.state import LeadState
from services.privacy.cipher import identity_hmac

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch

Envelope = dict[str, Any]


def _merge(batch: LeadBatch, case: Case, envelope: Envelope) -> Refusal | None:
    state, command = case.state, _command(case)
    merging = isinstance(command.body, c.Merge)
    into = command.body.into if isinstance(command.body, c.Merge) else state.merged_into
    looked_at = merge_case(batch, command, state, batch.lead(into) if into is not None else None)
    decided = merge(looked_at) if merging else unmerge(looked_at)
    if isinstance(decided, Refusal):
        return decided
    _put(batch, state, decided, envelope)
    # Its robots wait no more; once it stands by itself again, those go on whose instant is still to come (N16).
    follow(batch, state.lead, decided.lead_events, case.pipeline, envelope, state, moves=False)
    return None


def merge_case(batch: LeadBatch, command: c.Command, state: LeadState, into: LeadState | None) -> MergeCase:
    """What the rules of merging look at, as the batch knows it."""
    contacts = {contact: found for contact in batch.persons if (found := batch.contact(contact)) is not None}
    return MergeCase(state, into, command, contacts, batch.open_leads, {s.lead: s for s in batch.leads()})


def _put(batch: LeadBatch, state: LeadState, decided: Outcome, envelope: Envelope) -> None:
    """The events of both leads and of their people; and the claims that are of another person now."""
    people = {**envelope, "pipeline": None}
    batch.record(state.lead, "lead", state.contact, decided.lead_events, **envelope)
    into = batch.lead(decided.into)
    assert into is not None
    theirs = {**envelope, "pipeline": f"{into.pipeline}@{into.pipeline_number}"}
    batch.record(into.lead, "lead", into.contact, decided.into_events, **theirs)
    for stream, sealed_for, event in decided.contact_events:
        batch.record(stream, "contact", sealed_for, (event,), **people)
    heads = {*map(batch.person, decided.heads), *decided.heads.values()}
    batch.persons.put(decided.heads)
    batch.out.regrouped |= decided.heads.keys()
    for lead in {lead for head in heads for lead in batch.had.pop(head, ())}:
        if (theirs_now := batch.lead(lead)) is not None:
            batch.had.setdefault(batch.person(theirs_now.contact), set()).add(lead)
    for before, after, lead in decided.moved_claims:
        del batch.open_leads[before]
        batch.open_leads[after] = lead
        if (*before, lead) in batch.out.opened:
            batch.out.opened[batch.out.opened.index((*before, lead))] = (*after, lead)
        else:
            batch.out.moved_claims[lead] = after[0]
    for _, (kind, value), shared in decided.settled:
        hmac = identity_hmac(batch.settings.pepper_bytes, kind, value)
        batch.out.marks[hmac] = shared
        if hmac in batch.owners:
            batch.owners[hmac] = replace(batch.owners[hmac], shared=shared)


def _permit(batch: LeadBatch, case: Case, envelope: Envelope) -> Refusal | None:
    body = _command(case).body
    assert isinstance(body, c.Permit)
    if (refusal := refused(case, COMMAND_RULES)) is not None:
        return refusal
    _put_facts(batch, permit(case.state, body, person_of(batch, case.state)), envelope)
    return None


def _confirm(batch: LeadBatch, case: Case, envelope: Envelope) -> Refusal | None:
    body, region = _command(case).body, batch.settings.default_region
    assert isinstance(body, c.Confirm)
    value = normalise_phone(body.value, region) if body.kind == "phone" else normalise_email(body.value)
    decided = refused(case, COMMAND_RULES) or confirm(body, value, person_of(batch, case.state))
    if isinstance(decided, Refusal):
        return decided
    _put_facts(batch, decided, envelope)
    return None


def _dismiss(batch: LeadBatch, case: Case, envelope: Envelope) -> Refusal | None:
    body, state = _command(case).body, case.state
    assert isinstance(body, c.Dismiss)
    decided = refused(case, COMMAND_RULES) or dismiss(state, body, body.other_contact in state.suspected)
    if isinstance(decided, Refusal):
        return decided
    batch.record(state.lead, "lead", state.contact, decided, **envelope)
    return None


def _command(case: Case) -> c.Command:
    assert case.command is not None
    return case.command


def _put_facts(batch: LeadBatch, facts: ContactEvents, envelope: Envelope) -> None:
    for contact, event in facts:
        batch.record(contact, "contact", contact, (event,), **{**envelope, "pipeline": None})


ACTS: dict[type[c.CommandBody], Callable[[LeadBatch, Case, Envelope], Refusal | None]] = {
    c.Merge: _merge,
    c.Unmerge: _merge,
    c.Permit: _permit,
    c.Confirm: _confirm,
    c.Dismiss: _dismiss,
}
"""What each command on a person does; a refusal has changed nothing."""


def recommender_refused(batch: LeadBatch, body: c.Capture) -> Refusal | None:
    """P7: why this lead cannot be named as whoever recommended a new client."""
    return may_recommend(batch.lead(body.recommended_by)) if body.recommended_by is not None else None


def put_recommendation(batch: LeadBatch, body: c.Capture, lead: UUID, envelope: Envelope) -> None:
    """P7: the recommendation stands on both leads, the new one and that of whoever recommended."""
    by = batch.lead(body.recommended_by) if body.recommended_by is not None else None
    if by is not None:
        within = {**envelope, "pipeline": f"{by.pipeline}@{by.pipeline_number}"}
        batch.record(by.lead, "lead", by.contact, (e.ClientRecommended(lead=lead),), **within)


def person_of(batch: LeadBatch, state: LeadState) -> Person:
    """The person behind a lead, with every contact of theirs."""
    head = batch.person(state.contact)
    contacts = [state.contact, head, *batch.persons.of(head)]
    states = (batch.contact(contact) for contact in dict.fromkeys(contacts))
    return Person(tuple(found for found in states if found is not None))
