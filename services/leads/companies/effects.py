"""Part of a batch for leads that name a company: lock and look up what finds it, then make or find it and have the person join.

Invariants: the locks of all that finds a company are held before its owner is read, so that two leads that name a new company
at one time end with one; a person joins a company once; a company's events are sealed under a key of its own. Where a command
was refused, or names no company in the end, nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from contracts import commands as c
from contracts import events as e
from services.database import Database
from services.eventlog.recording.store import lock_number
from services.leads.companies import store
from services.leads.domain.company import TOLD_BY, Key, Named, named, normalise_company_name, recognise_company
from services.leads.domain.history import HistoryRow
from services.leads.domain.recognition import NAMESPACE
from services.leads.domain.state import LeadState
from services.leads.people import looking_up as people
from services.leads.work import ArrivalWork, CommandWork, ImportWork, Work
from services.privacy.cipher import identity_hmac

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch


def lock_numbers(batch: LeadBatch) -> set[int]:
    """The locks of what the work names by itself; what it completes on a lead's card is locked in `look_up`."""
    said = (_said(batch, piece, None, {}) for piece in batch.work)
    return {lock_number(_hmac(batch, key)) for found in said if found is not None for key in found.keys}


async def look_up(batch: LeadBatch, database: Database, rows: Sequence[HistoryRow]) -> None:
    """Whose everything is that the work names of companies; these companies, and the persons who may join them."""
    told: dict[UUID, dict[str, str]] = {}
    offered = {row.id for row in rows}
    contacts: set[UUID] = set()
    for piece in batch.work:
        if isinstance(piece, ImportWork) and piece.row.id not in offered:
            continue
        state = batch.lead(_lead_of(piece)) if isinstance(piece, CommandWork | ImportWork) else None
        found = _said(batch, piece, state, told)
        if found is None:
            continue
        batch.companies_said[_id_of(piece)] = found
        if state is not None:
            contacts.add(state.contact)
    if not batch.companies_said:
        return
    keys = {key: _hmac(batch, key) for found in batch.companies_said.values() for key in found.keys}
    await batch.hold(database, {lock_number(hmac) for hmac in keys.values()})
    owners = await store.owners(database, sorted(keys.values()))
    batch.company_owners = {key: owners[hmac] for key, hmac in keys.items() if hmac in owners}
    await batch.have(database, batch.company_owners.values())
    await people.look_up_persons(batch, database, contacts)


def join_company(batch: LeadBatch, piece: Work, contact: UUID | None, envelope: Mapping[str, Any]) -> None:
    """The person speaks for the company that this piece of work names, found again or made now."""
    if not batch.companies_said:
        return
    said = batch.companies_said.get(_id_of(piece))
    person = batch.contact(contact) if contact is not None else None
    if said is None or contact is None or person is None or person.erased:
        return
    if isinstance(piece, CommandWork):
        lead = batch.lead(piece.command.lead)
        if lead is None or ("name", normalise_company_name(lead.company)) not in said.keys:
            return  # an earlier command of this batch, which was to name it, was refused
    owners = {
        key: company
        for key in said.keys
        if key in batch.company_owners and (company := batch.company(batch.company_owners[key])) is not None
    }
    found = recognise_company(said, owners, uuid5(NAMESPACE, f"company:{envelope['command']}:{contact}"))
    own = {**envelope, "pipeline": None}
    if found.made:
        batch.new_key(found.company)
    batch.record(found.company, "company", found.company, found.events, **own)
    for key in found.claims:
        batch.company_owners[key] = found.company
        batch.out.company_claims.append((_hmac(batch, key), key[0], found.company))
    if found.company not in person.companies:
        batch.record(contact, "contact", contact, (e.CompanyJoined(company=found.company),), **own)


def _id_of(piece: Work) -> UUID | None:
    match piece:
        case CommandWork():
            return piece.command.id
        case ArrivalWork():
            return piece.inbound_id
        case ImportWork():
            return piece.row.id
    return None


def _hmac(batch: LeadBatch, key: Key) -> bytes:
    return identity_hmac(batch.settings.pepper_bytes, f"company/{key[0]}", key[1])


def _lead_of(piece: CommandWork | ImportWork) -> UUID:
    return piece.command.lead if isinstance(piece, CommandWork) else piece.row.lead


def _said(batch: LeadBatch, piece: Work, state: LeadState | None, told: dict[UUID, dict[str, str]]) -> Named | None:
    """What a piece of work says of a company, completed by what the lead's card says; `told`: by earlier pieces."""
    region = batch.settings.default_region
    match piece:
        case ArrivalWork() if piece.understood is not None:
            return named(piece.understood.said.company, piece.understood.said.fields, region)
        case ImportWork():
            row = piece.row
            company = (state.company if state is not None else None) or row.person.company
            card = _texts(state.card) if state is not None else {}
            return named(company, {**row.person.fields, **row.card, **card}, region)
        case CommandWork():
            if isinstance(piece.command.body, c.Capture):
                body = piece.command.body
                return named(body.company, body.card, region)
            values = {name: text for fields in _records(piece) for name, text in fields.items() if name in TOLD_BY}
            if not values:
                return None
            lead = piece.command.lead
            values = told[lead] = {**told.get(lead, {}), **values}
            company = values.get("company", state.company if state is not None else None)
            return named(company, {**(_texts(state.card) if state is not None else {}), **values}, region)
    return None


def _records(piece: CommandWork) -> Iterator[Mapping[str, str]]:
    for body in (piece.command.body, *getattr(piece.command.body, "first", ())):
        if isinstance(body, c.Record):
            yield body.fields


def _texts(card: Mapping[str, Any]) -> dict[str, str]:
    return {name: text for name, text in card.items() if isinstance(text, str)}
