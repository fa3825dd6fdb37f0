"""The rules of people: what each event of a contact, and the capture of a lead, adds.

Pure. Invariants: nothing of an erased person is kept but that there was one, and their leads; a person whose key is gone when
the event comes (a rebuild after the erasure) ends up as one who was wiped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from contracts.events.contact import (
    ContactMade,
    IdentityAdded,
    IdentityConfirmed,
    IdentityShared,
    IdentityWrong,
    PersonErased,
)
from contracts.events.lead import LeadCaptured
from projections.event import Event

MADE, ADDED, SHARED = ContactMade.TOPIC, IdentityAdded.TOPIC, IdentityShared.TOPIC
ERASED, CAPTURED = PersonErased.TOPIC, LeadCaptured.TOPIC
PROVEN = {IdentityConfirmed.TOPIC: "confirmed", IdentityWrong.TOPIC: "wrong"}
"""What each proof makes of an identity (C9)."""

WORD_LENGTH = 60  # letters of a word that search looks at


@dataclass(slots=True)
class PersonRow:
    """A person."""

    contact: str
    name: str | None
    company: str | None
    made_at: datetime | None
    version: int
    erased: bool


@dataclass(slots=True)
class PeopleRows:
    """What a batch adds and wipes. Persons touched are loaded."""

    people: dict[str, PersonRow] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    identities: dict[tuple[str, str, str], tuple[bool, str]] = field(default_factory=dict)
    """(contact, kind, value) → shared, state."""
    shared: set[tuple[str, str, str]] = field(default_factory=set)
    proven: dict[tuple[str, str, str], str] = field(default_factory=dict)
    words: set[tuple[str, str]] = field(default_factory=set)
    leads: dict[str, str] = field(default_factory=dict)
    wiped: set[str] = field(default_factory=set)


def apply(rows: PeopleRows, event: Event) -> None:
    """Let one event change the rows."""
    kind = event.type
    if kind == CAPTURED:
        rows.leads[event.stream] = event.data["contact"]
        return
    contact = event.stream
    if kind == MADE:
        name, company = event.personal.get("name"), event.personal.get("company")
        rows.people[contact] = PersonRow(contact, name, company, event.happened_at, event.version, event.erased)
        rows.words |= {(contact, word) for word in words_of(f"{name or ''} {company or ''}")}
        rows.touched.add(contact)
        return
    person = rows.people[contact]
    person.version = event.version
    rows.touched.add(contact)
    if kind == ERASED:
        wipe(rows, person)
    elif kind == ADDED and not event.erased:
        key = (contact, event.data["identity_kind"], event.personal["value"])
        rows.identities[key] = (event.data.get("shared", False), event.data.get("state", "unconfirmed"))
    elif kind == SHARED and not event.erased:
        rows.shared.add((contact, event.data["identity_kind"], event.personal["value"]))
    elif kind in PROVEN and not event.erased:
        rows.proven[(contact, event.data["identity_kind"], event.personal["value"])] = PROVEN[kind]
    if event.erased:
        person.name = person.company = None
        person.erased = True


def wipe(rows: PeopleRows, person: PersonRow) -> None:
    """Keep nothing of the person."""
    person.name = person.company = None
    person.erased = True
    rows.wiped.add(person.contact)
    rows.identities = {k: v for k, v in rows.identities.items() if k[0] != person.contact}
    rows.shared = {k for k in rows.shared if k[0] != person.contact}
    rows.proven = {k: state for k, state in rows.proven.items() if k[0] != person.contact}
    rows.words = {w for w in rows.words if w[0] != person.contact}


def words_of(text: str) -> set[str]:
    """The words of a name, in small letters, ё as е."""
    return {word[:WORD_LENGTH] for word in re.findall(r"\w+", text.lower().replace("ё", "е"))}
