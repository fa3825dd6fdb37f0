"""Claims against the events: open leads, identities, keys of erased persons (C3, M7).

A fold of its own, on plain values. Invariants: a lead claims (person, pipeline) exactly while its last stage visit is of kind
open and it is not merged into another, and a deal claims nothing; its place (`services.ops.verify.places`) is where its events
left it; a person is the contact at the end of the chain of merges; an identity belongs to the contact that added it unshared,
until that person is erased; what finds a company is what its stream says, until it is erased; a key is gone exactly when its
person or company was. Identities are compared by HMAC, so nothing personal is in a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.database import Database
from services.ops.verify import store
from services.ops.verify.opened import Opened
from services.ops.verify.places import check_places
from services.ops.verify.report import Report
from services.privacy.cipher import identity_hmac

ERASED = frozenset(("leadline.contact.person_erased", "leadline.company.erased"))
IDENTITY_EVENTS = frozenset(f"leadline.contact.identity_{what}" for what in ("added", "shared", "unshared"))


@dataclass(frozen=True, slots=True)
class Range:
    """The streams of a range with their events, by kind: what the claims of the range are held against."""

    begin: UUID
    end: UUID
    leads: Sequence[tuple[UUID, Sequence[Opened]]]
    deals: Sequence[tuple[UUID, Sequence[Opened]]]
    contacts: Sequence[tuple[UUID, Sequence[Opened]]]
    companies: Sequence[tuple[UUID, Sequence[Opened]]]


async def check_claims(database: Database, events: Range, pepper: bytes, report: Report) -> None:
    """All claims of a range."""
    await _check_open_leads(database, events, report)
    await _check_people(database, events, report)
    await check_places(database, events.begin, events.end, (*events.leads, *events.deals), report)
    await _check_identities(database, events, pepper, report)
    await _check_companies(database, events, pepper, report)
    await _check_keys(database, (*events.contacts, *events.companies), report)


async def _check_people(database: Database, events: Range, report: Report) -> None:
    """Whose every lead is, and which contacts were merged, at the end of which chain."""
    kept = await store.person_leads_between(database, events.begin, events.end)
    report.counts["leads of people"] += len(kept)
    for lead, opened in events.leads:
        captured = [event for event in opened if event.type == "leadline.lead.captured"]
        want = {(UUID(event.data["contact"]), event.data["pipeline"], event.happened_at) for event in captured}
        if (row := kept.pop(lead, None)) is None or {row} != want:
            report.differ("claims", "differs", str(lead), "leadline.person_leads does not say whose lead it is")
    for lead in kept:
        report.differ("claims", "unexpected", str(lead), "a lead of a person that has no events")
    merged = await store.merged_between(database, events.begin, events.end)
    for contact, opened in events.contacts:
        row_there, into = merged.pop(contact, None), _merged_into(opened)
        have = row_there[0] if row_there else None
        if have != into:
            report.differ(
                "claims", "differs", str(contact), f"merged into {have or 'none'}, the events say {into or 'none'}"
            )
        elif row_there is not None and row_there[1] != row_there[2]:
            text = f"the person goes on as {row_there[1]}, but the chain of merges ends at {row_there[2]}"
            report.differ("claims", "differs", str(contact), text)
    for contact in merged:
        report.differ("claims", "unexpected", str(contact), "a merge of a contact that has no events")


def _merged_into(opened: Sequence[Opened]) -> UUID | None:
    said = [event for event in opened if event.type in ("leadline.contact.merged", "leadline.contact.unmerged")]
    return UUID(said[-1].data["into"]) if said and said[-1].type.endswith(".merged") else None


async def _check_open_leads(database: Database, events: Range, report: Report) -> None:
    claimed = await store.open_leads_between(database, events.begin, events.end)
    report.counts["open leads"] += len(claimed)
    wanted = {lead: _open_claim(opened) for lead, opened in events.leads}
    heads = await store.heads(database, [place[0] for place in wanted.values() if place is not None])
    for lead, place in wanted.items():
        have = claimed.pop(lead, None)
        want = (heads.get(place[0], place[0]), place[1]) if place is not None else None
        if have != want:
            text = f"the open-lead claim is {_claim(have)}, the events say {_claim(want)}"
            report.differ("claims", "differs", str(lead), text)
    for lead in claimed:
        report.differ("claims", "unexpected", str(lead), "an open-lead claim of a lead that has no events")


def _open_claim(opened: Sequence[Opened]) -> tuple[UUID, str] | None:
    place: tuple[UUID, str] | None = None
    kind, merged = "open", False
    for event in opened:
        if event.type == "leadline.lead.captured":
            place = UUID(event.data["contact"]), event.data["pipeline"]
        elif event.type == "leadline.lead.adopted":
            assert place is not None, "a lead's stream begins with its capture"
            place = place[0], event.data["pipeline"]
        elif event.type == "leadline.lead.stage_entered":
            kind = event.data["kind"]
        elif event.type in ("leadline.lead.merged", "leadline.lead.unmerged"):
            merged = event.type == "leadline.lead.merged"
    return place if kind == "open" and not merged else None


def _claim(claim: tuple[UUID, str] | None) -> str:
    return "none" if claim is None else f"contact {claim[0]} in {claim[1]}"


async def _check_identities(database: Database, events: Range, pepper: bytes, report: Report) -> None:
    claimed = await store.identities_between(database, events.begin, events.end)
    for contact, opened in events.contacts:
        have = claimed.pop(contact, {})
        report.counts["identities"] += len(have)
        want = _identities(opened, pepper)
        if want is None:
            continue  # what was shut away can no longer be compared, and its event is looked at with the keys
        for hmac in have.keys() | want.keys():
            if have.get(hmac) != want.get(hmac):
                is_, should = _identity(have.get(hmac)), _identity(want.get(hmac))
                text = f"the identity {hmac.hex()[:12]} is {is_}, the events say {should}"
                report.differ("claims", "differs", str(contact), text)
    for contact in claimed:
        report.differ("claims", "unexpected", str(contact), "identities of a contact that has no events")


def _identities(opened: Sequence[Opened], pepper: bytes) -> dict[bytes, tuple[str, bool]] | None:
    """Identities of a contact by HMAC; empty once erased; None when they cannot be known."""
    claims: dict[bytes, tuple[str, bool]] = {}
    if any(event.type == "leadline.contact.person_erased" for event in opened):
        return {}
    for event in opened:
        if event.type not in IDENTITY_EVENTS:
            continue
        if event.sealed_shut:
            return None
        kind = event.data["identity_kind"]
        hmac = identity_hmac(pepper, kind, event.personal["value"])
        if event.type == "leadline.contact.identity_shared":
            claims[hmac] = (kind, True)
        elif event.type == "leadline.contact.identity_unshared":
            claims[hmac] = (kind, event.data.get("still_shared", False))
        elif not event.data.get("shared", False):
            claims[hmac] = (kind, False)
    return claims


def _identity(claim: tuple[str, bool] | None) -> str:
    return "not claimed" if claim is None else f"a {'shared ' if claim[1] else ''}{claim[0]}"


async def _check_companies(database: Database, events: Range, pepper: bytes, report: Report) -> None:
    """What finds a company is what its events say, until it is erased (P10, M7)."""
    claimed = await store.company_identities_between(database, events.begin, events.end)
    for company, opened in events.companies:
        have = claimed.pop(company, {})
        report.counts["company identities"] += len(have)
        added = [event for event in opened if event.type == "leadline.company.identity_added"]
        if any(event.type in ERASED for event in opened):
            added = []
        if any(event.sealed_shut for event in added):
            continue  # as with persons: its event is looked at with the keys
        kinds = [(event.data["identity_kind"], event.personal["value"]) for event in added]
        want = {identity_hmac(pepper, f"company/{kind}", value): kind for kind, value in kinds}
        for hmac in have.keys() | want.keys():
            if have.get(hmac) != want.get(hmac):
                is_, should = have.get(hmac, "not claimed"), want.get(hmac, "not claimed")
                text = f"the company's identity {hmac.hex()[:12]} is {is_}, the events say {should}"
                report.differ("claims", "differs", str(company), text)
    for company in claimed:
        report.differ("claims", "unexpected", str(company), "identities of a company that has no events")


async def _check_keys(database: Database, streams: Sequence[tuple[UUID, Sequence[Opened]]], report: Report) -> None:
    """A person's key, and a company's, is there until they are erased, and never after."""
    keys = await store.keys_named(database, [contact for contact, _ in streams])
    for contact, opened in streams:
        erased = any(event.type in ERASED for event in opened)
        there = keys.get(contact)
        if erased and there:
            report.differ("keys", "erased", str(contact), "the person was erased, but their key still exists")
        elif not erased and there is False:
            report.differ(
                "keys", "missing", str(contact), "the key was destroyed, but no event says that the person was erased"
            )
        elif not erased and there is None and any(event.sealed_shut for event in opened):
            report.differ(
                "keys", "missing", str(contact), "the key is gone without a trace: personal data cannot be read"
            )
