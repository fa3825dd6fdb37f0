"""The rules of companies: what each event of a company, and a person's joining one, adds.

Pure. Invariants: nothing of an erased company is kept but that there was one, and who spoke for it; a company is found by the
name it is called by now.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from contracts.events import EVENT_TYPES
from contracts.events.company import CompanyErased, CompanyIdentityAdded, CompanyMade, CompanyRenamed
from contracts.events.contact import CompanyJoined
from projections.event import Event
from projections.people.words import words_of

MADE, RENAMED, ADDED, ERASED = CompanyMade.TOPIC, CompanyRenamed.TOPIC, CompanyIdentityAdded.TOPIC, CompanyErased.TOPIC
JOINED = CompanyJoined.TOPIC
TYPES = frozenset(t for t, cls in EVENT_TYPES.items() if cls.KIND == "company")
"""Every event of a company."""


@dataclass(slots=True)
class CompanyRow:
    """A company."""

    company: str
    name: str | None
    made_at: datetime | None
    version: int
    erased: bool


@dataclass(slots=True)
class CompanyRows:
    """What a batch adds and wipes. Companies touched are loaded."""

    companies: dict[str, CompanyRow] = field(default_factory=dict)
    identities: set[tuple[str, str, str]] = field(default_factory=set)
    """(company, kind, value)"""
    words: dict[str, set[str]] = field(default_factory=dict)
    """By company, where they changed: all of them."""
    people: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """(contact, company) → when they joined it."""
    wiped: set[str] = field(default_factory=set)


def join(rows: CompanyRows, event: Event) -> None:
    """A person speaks for a company: the first time counts."""
    rows.people.setdefault((event.stream, event.data["company"]), event.happened_at)


def apply(rows: CompanyRows, event: Event) -> None:
    """Let one event of a company change the rows."""
    company, kind = event.stream, event.type
    if kind == MADE:
        name = event.personal.get("name")
        rows.companies[company] = CompanyRow(company, name, event.happened_at, event.version, event.erased)
        rows.words[company] = words_of(name or "")
        return
    row = rows.companies[company]
    row.version = event.version
    if kind == RENAMED and not event.erased:
        row.name = event.personal["name"]
        rows.words[company] = words_of(row.name or "")
    elif kind == ADDED and not event.erased:
        rows.identities.add((company, event.data["identity_kind"], event.personal["value"]))
    if kind == ERASED or event.erased:
        row.name, row.erased = None, True
        rows.words[company] = set()
        rows.identities = {found for found in rows.identities if found[0] != company}
        rows.wiped.add(company)
