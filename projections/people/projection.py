"""The rules of people: what each event of a contact, and the capture of a lead, adds.

Pure. Invariants: nothing of an erased person is kept but that there was one, and their leads; a person whose key is gone when
the event comes (a rebuild after the erasure) ends up as one who was wiped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from contracts.events import EVENT_TYPES
from contracts.events.contact import (
    ContactMade,
    ContactMerged,
    ContactUnmerged,
    IdentityAdded,
    IdentityConfirmed,
    IdentityShared,
    IdentityUnshared,
    IdentityWrong,
    PersonErased,
)
from contracts.events.lead import DuplicateDismissed, DuplicateSuspected, LeadCaptured
from projections.event import Event
from projections.people.companies import projection as companies
from projections.people.companies.projection import CompanyRows
from projections.people.words import words_of

MADE, ADDED, SHARED = ContactMade.TOPIC, IdentityAdded.TOPIC, IdentityShared.TOPIC
UNSHARED, MERGED, UNMERGED = IdentityUnshared.TOPIC, ContactMerged.TOPIC, ContactUnmerged.TOPIC
ERASED, CAPTURED = PersonErased.TOPIC, LeadCaptured.TOPIC
SUSPECTED, DISMISSED = DuplicateSuspected.TOPIC, DuplicateDismissed.TOPIC
OF_LEADS = frozenset({CAPTURED, SUSPECTED, DISMISSED})
"""Types of leads that say something of people."""
PROVEN = {IdentityConfirmed.TOPIC: "confirmed", IdentityWrong.TOPIC: "wrong"}
"""What each proof makes of an identity (C9)."""

TYPES = frozenset(t for t, cls in EVENT_TYPES.items() if cls.KIND == "contact") | OF_LEADS | companies.TYPES
"""Every event of a contact or a company, and what leads say of people."""


@dataclass(slots=True)
class PersonRow:
    """A person."""

    contact: str
    name: str | None
    company: str | None
    made_at: datetime | None
    version: int
    erased: bool
    merged_into: str | None = None


@dataclass(slots=True)
class Suspicion:
    """C3: a lead whose phone or e-mail is of somebody of another name too."""

    identity_kind: str
    suspected_at: datetime
    dismissed_at: datetime | None = None


@dataclass(slots=True)
class PeopleRows:
    """What a batch adds and wipes. Persons touched are loaded, or `made` in this batch: of those nothing is stored yet."""

    people: dict[str, PersonRow] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    identities: dict[tuple[str, str, str], tuple[bool, str]] = field(default_factory=dict)
    """(contact, kind, value) → shared, state."""
    marks: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    """Whether others use it, where that changed."""
    proven: dict[tuple[str, str, str], str] = field(default_factory=dict)
    words: set[tuple[str, str]] = field(default_factory=set)
    leads: dict[str, str] = field(default_factory=dict)
    suspicions: dict[tuple[str, str], Suspicion] = field(default_factory=dict)
    """(lead, other contact) → what was suspected; those touched are loaded."""
    wiped: set[str] = field(default_factory=set)
    companies: CompanyRows = field(default_factory=CompanyRows)


def apply(rows: PeopleRows, event: Event) -> None:
    """Let one event change the rows."""
    kind = event.type
    if kind == CAPTURED:
        rows.leads[event.stream] = event.data["contact"]
        return
    if kind in OF_LEADS:
        _suspect(rows, event)
        return
    if kind in companies.TYPES:
        companies.apply(rows.companies, event)
        return
    contact = event.stream
    if kind == companies.JOINED:
        companies.join(rows.companies, event)
    if kind == MADE:
        name, company = event.personal.get("name"), event.personal.get("company")
        rows.people[contact] = PersonRow(contact, name, company, event.happened_at, event.version, event.erased)
        rows.words |= {(contact, word) for word in words_of(f"{name or ''} {company or ''}")}
        rows.touched.add(contact)
        rows.made.add(contact)
        return
    person = rows.people[contact]
    person.version = event.version
    rows.touched.add(contact)
    if kind == ERASED:
        wipe(rows, person)
    elif kind == ADDED and not event.erased:
        key = (contact, event.data["identity_kind"], event.personal["value"])
        rows.identities[key] = (event.data.get("shared", False), event.data.get("state", "unconfirmed"))
    elif kind in (SHARED, UNSHARED) and not event.erased:
        key = (contact, event.data["identity_kind"], event.personal["value"])
        rows.marks[key] = kind == SHARED or event.data.get("still_shared", False)
    elif kind == MERGED:
        person.merged_into = event.data["into"]
    elif kind == UNMERGED:
        person.merged_into = None
    elif kind in PROVEN and not event.erased:
        rows.proven[(contact, event.data["identity_kind"], event.personal["value"])] = PROVEN[kind]
    if event.erased and event.person == contact:  # else of a contact that it absorbed once
        person.name = person.company = None
        person.erased = True


def _suspect(rows: PeopleRows, event: Event) -> None:
    place = (event.stream, event.data["other_contact"])
    known = rows.suspicions.get(place)
    if event.type == DISMISSED:
        if known is not None:
            known.dismissed_at = event.happened_at
    elif known is None:
        rows.suspicions[place] = Suspicion(event.data["identity_kind"], event.happened_at)
    else:
        known.dismissed_at = None  # it came up anew


def wipe(rows: PeopleRows, person: PersonRow) -> None:
    """Keep nothing of the person."""
    person.name = person.company = None
    person.erased = True
    rows.wiped.add(person.contact)
    rows.identities = {k: v for k, v in rows.identities.items() if k[0] != person.contact}
    rows.marks = {k: shared for k, shared in rows.marks.items() if k[0] != person.contact}
    rows.proven = {k: state for k, state in rows.proven.items() if k[0] != person.contact}
    rows.words = {w for w in rows.words if w[0] != person.contact}
