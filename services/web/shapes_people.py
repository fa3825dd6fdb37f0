"""What the API answers of people, and of what a merge would do, as models and how they are made (C3, C7, C9, N16)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.commands import Refusal
from services.leads.domain.merging import Outcome, moved
from services.leads.domain.merging_rules import MergeCase
from services.leads.domain.people import Person
from services.leads.domain.permissions import Permission, contactable
from services.leads.domain.refusal_words import Proposal
from services.leads.domain.state import LeadState
from services.web.shapes import EventOut


class IdentityOut(BaseModel):
    """What finds a person, and what is proven of it (C9). `shared`: people of other names have it too (C3)."""

    contact: UUID
    kind: str
    value: str
    state: str
    shared: bool


class PermissionOut(BaseModel):
    """Something the person said about being contacted: the proof of it."""

    model_config = ConfigDict(from_attributes=True)

    channel: str
    allowed: bool
    how: str
    at: datetime
    by: str
    until: date | None = None
    words: str | None = None
    lead: UUID | None = None
    inbound_id: UUID | None = None


class ChannelOut(BaseModel):
    """Whether the person may be contacted on a channel today, and what was said that decides it (C7)."""

    channel: str
    allowed: bool
    proof: PermissionOut | None = None


class ProposalOut(BaseModel):
    """A refusal of contact that a message may mean: a person confirms it with the command permit (C8)."""

    model_config = ConfigDict(from_attributes=True)

    channels: list[str]
    words: str
    inbound_id: UUID
    at: datetime


class LeadOfPerson(BaseModel):
    """A lead of the person, as it stands."""

    lead: UUID
    pipeline: str
    stage: str
    kind: str
    captured_at: datetime
    responsible: str | None = None
    merged_into: UUID | None = None


class PersonDetail(BaseModel):
    """A person: the contact that goes on, those merged into it, what finds them, what they allow, their leads."""

    contact: UUID
    name: str | None = None
    company: str | None = None
    companies: list[UUID] = []
    """Whom they speak for; read at `/api/companies/{company}`."""
    merged: list[UUID] = []
    identities: list[IdentityOut] = []
    channels: list[ChannelOut] = []
    permissions: list[PermissionOut] = []
    proposals: list[ProposalOut] = []
    leads: list[LeadOfPerson] = []
    erased: bool = False


class DuplicateOut(BaseModel):
    """A lead whose phone or e-mail a person of another name has too: merge them, or dismiss it."""

    model_config = ConfigDict(from_attributes=True)

    lead: UUID
    contact: UUID
    name: str | None = None
    other_contact: UUID
    other_name: str | None = None
    other_leads: list[UUID] = []
    identity_kind: str
    suspected_at: datetime


class DuplicateList(BaseModel):
    """A page of suspected duplicates; `next` goes into `after`."""

    items: list[DuplicateOut]
    next: str | None = None


class MergePreview(BaseModel):
    """What a merge, or undoing one, would do; nothing was changed.

    `people`: whether two persons become one, or one two. `identities`: what finds the lead's person. `open_leads`: other open
    leads that go with them. `moved`: of an undoing, what came in by their identities and goes with them.
    """

    lead: UUID
    into: UUID | None
    allowed: bool
    rules: list[str] = []
    ru: str | None = None
    en: str | None = None
    people: bool = False
    identities: list[str] = []
    open_leads: list[UUID] = []
    moved: list[EventOut] = []


def person_out(person: Person, leads: Sequence[LeadState], proposed: Iterable[Proposal], today: date) -> PersonDetail:
    """A person as an answer."""
    head = next((c for c in person.contacts if c.merged_into is None), person.contacts[0])
    identities = [
        IdentityOut(
            contact=contact.contact,
            kind=key[0],
            value=key[1],
            state=contact.states.get(key, "unconfirmed"),
            shared=key not in contact.owned or bool(contact.sharers.get(key)),
        )
        for contact in person.contacts
        for key in sorted(contact.identities)
        if key[0] != "visitor"
    ]
    return PersonDetail(
        contact=head.contact,
        name=head.name,
        company=head.company,
        merged=[c.contact for c in person.contacts if c.contact != head.contact],
        companies=sorted({company for contact in person.contacts for company in contact.companies}),
        identities=identities,
        channels=[
            ChannelOut(channel=channel, allowed=answer.allowed, proof=_permission(answer.proof))
            for channel, answer in contactable(person.permissions, today).items()
        ],
        permissions=[PermissionOut.model_validate(said) for said in sorted(person.permissions, key=lambda p: p.at)],
        proposals=[ProposalOut(**{**asdict(found), "channels": list(found.channels)}) for found in proposed],
        leads=[lead_of_person(state) for state in leads],
        erased=head.erased,
    )


def lead_of_person(state: LeadState) -> LeadOfPerson:
    """A lead in a person's list."""
    return LeadOfPerson(
        lead=state.lead,
        pipeline=state.pipeline,
        stage=state.stage,
        kind=state.kind,
        captured_at=state.captured_at,
        responsible=state.responsible,
        merged_into=state.merged_into,
    )


def preview_out(case: MergeCase, decided: Outcome | Refusal, history: Sequence[EventOut] = ()) -> MergePreview:
    """What a merge would do, as an answer; `history`: of the survivor, for what would go."""
    into = case.into.lead if case.into is not None else None
    if isinstance(decided, Refusal):
        refused = {"rules": list(decided.rules), "ru": decided.ru, "en": decided.en}
        return MergePreview.model_validate({"lead": case.lead.lead, "into": into, "allowed": False, **refused})
    goes = set(moved(case)) if case.lead.merged_into is not None else set()
    keys = {key for member in decided.heads for key in case.contacts[member].identities}
    return MergePreview(
        lead=case.lead.lead,
        into=into,
        allowed=True,
        people=bool(decided.edges),
        identities=[f"{kind}:{value}" for kind, value in sorted(keys)],
        open_leads=[lead for _, _, lead in decided.moved_claims],
        moved=[event for event in history if event.version in goes],
    )


def _permission(said: Permission | None) -> PermissionOut | None:
    return PermissionOut.model_validate(said) if said is not None else None
