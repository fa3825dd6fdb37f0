"""Steps 3 and 4 of a batch: what is known already of what its work names (`docs/one-batch.md`).

Invariants: everything read here is read after the locks; streams found only now are tried, and a miss begins the batch again
(`LocksMissedError`). Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from contracts.commands import Capture, Permit
from contracts.timers import attempt_id
from services.database import Database
from services.eventlog.recording import store as recording
from services.leads import adopting, assigning, deals, journals, store
from services.leads.companies import effects as companies
from services.leads.domain.arrivals import Owner, Reference, Referred
from services.leads.domain.history import HistoryRow
from services.leads.domain.own_letters import read_own
from services.leads.imports import store as imports
from services.leads.locks import LocksMissedError
from services.leads.people import looking_up as people
from services.leads.people import store as people_store
from services.leads.work import ArrivalWork, CommandWork, EraseWork, ImportWork, brought_along

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch


async def look_up(batch: LeadBatch, database: Database) -> None:
    """Steps 3 and 4: what is known already of what the work names."""
    commands = [w.command.id for w in batch.work if isinstance(w, CommandWork | EraseWork)]
    commands += [attempt_id(due.timer, due.attempt) for _, due in brought_along(batch.work)]
    arrivals = [w.inbound_id for w in batch.work if isinstance(w, ArrivalWork)]
    hmacs = {i.hmac for w in batch.work if isinstance(w, CommandWork | ArrivalWork) for i in w.identities}
    offered = [w for w in batch.work if isinstance(w, ImportWork)]
    batch.rows = await imports.answered(database, sorted({w.row.id for w in offered}))
    # A row that is settled needs nothing but its answer: a second run of a file loads no lead.
    rows = [w.row for w in offered if not ((a := batch.rows.get(w.row.id)) and a.settles(w.import_id))]
    hmacs |= {identity.hmac for row in rows for identity in row.identities}
    batch.answered = await store.done_before(database, commands)
    batch.outcomes = await store.outcomes(database, arrivals)
    streams: set[UUID] = set()
    for owned in await store.owners(database, sorted(hmacs)):
        batch.owners[owned.hmac] = Owner(owned.contact, owned.shared)
        batch.persons.learn({owned.contact: owned.head, owned.head: owned.head})
        streams |= {owned.contact, owned.head}
        if owned.lead is not None and owned.pipeline is not None:
            batch.open_leads[(owned.head, owned.pipeline)] = owned.lead
            streams.add(owned.lead)
    streams |= await _look_up_references(batch, database)
    await batch.hold_streams(database, streams)
    streams.update(w.command.lead for w in batch.work if isinstance(w, CommandWork))
    streams.update(w.command.contact for w in batch.work if isinstance(w, EraseWork))
    streams.update(row.lead for row in rows)
    await batch.load(database, streams)
    await _look_up_people(batch, database, rows)
    await _look_up_conversations(batch, database)
    await people.look_up(batch, database, batch.work)
    await companies.look_up(batch, database, rows)
    if arrivals:
        await people.look_up_returning(batch, database, people.arrivals_of(batch.work))
    await deals.look_up(batch, database)
    await journals.look_up(batch, database, batch.work)
    if any(
        isinstance(w, EraseWork)
        or (isinstance(w, CommandWork) and isinstance(w.command.body, Permit) and not w.command.body.allowed)
        for w in batch.work
    ):
        await deals.look_up_of(batch, database, batch.leads())  # a refusal, and an erasure, hold for the deals too
    _hold_against(batch, people.stale(batch, batch.persons) | people.closed(batch))
    await assigning.look_up(batch, database, batch.work)


async def look_up_further(batch: LeadBatch, database: Database, work: Sequence[CommandWork]) -> None:
    """The same for commands that the batch itself adds, on leads that are at hand. What it knows already stands, changed by what
    it decided; only people who were not asked for are."""
    known = set(batch.persons)
    await people.look_up(batch, database, work)
    await deals.look_up(batch, database)
    await journals.look_up(batch, database, work)
    _hold_against(batch, people.stale(batch, batch.persons.keys() - known))
    await assigning.look_up(batch, database, work)


def _hold_against(batch: LeadBatch, stale: set[UUID]) -> None:
    """Begin again where a stream that was read before its lock is another one by now. Raises LocksMissedError."""
    if numbers := {recording.lock_number(stream.bytes) for stream in stale} - batch.extra_locks:
        raise LocksMissedError(numbers)


async def _look_up_references(batch: LeadBatch, database: Database) -> set[UUID]:
    """Where the messages went that arrivals name; the streams to load for it."""
    references = {r.hmac for w in batch.work if isinstance(w, ArrivalWork) for r in w.references}
    batch.referred = await store.referred(database, sorted(references))
    streams = {stream for r in batch.referred.values() for stream in (r.contact, r.lead) if stream is not None}
    for piece in batch.work:
        if isinstance(piece, ArrivalWork):
            streams.update(token for r in piece.references if (token := thread_lead(r)) is not None)
    return streams


async def _look_up_conversations(batch: LeadBatch, database: Database) -> None:
    """A conversation's token is its lead's id; its person's open lead may be another one by now."""
    contacts: set[UUID] = {r.contact for r in batch.referred.values() if r.contact is not None}
    for piece in batch.work:
        if not isinstance(piece, ArrivalWork):
            continue
        for reference in piece.references:
            token = thread_lead(reference)
            if token is not None and (lead := batch.lead(token)) is not None and not lead.erased:
                batch.referred[reference.hmac] = Referred(None, lead.contact, lead.lead)
                contacts.add(lead.contact)
    if not contacts:
        return
    heads = await people.look_up_persons(batch, database, contacts)
    found = await people_store.open_leads_of(database, heads)
    batch.open_leads |= found
    await batch.have(database, found.values())


async def _look_up_people(batch: LeadBatch, database: Database, rows: Sequence[HistoryRow]) -> None:
    """What touches the person behind a lead needs that contact, and whether they have another open lead."""
    contacts: set[UUID] = set()
    pairs: set[tuple[UUID, str]] = set()
    for row in rows:
        owners = [owner for i in row.identities if (owner := batch.owners.get(i.hmac)) is not None]
        pairs.update((owner.contact, row.pipeline) for owner in owners)
        imported = batch.lead(row.lead)
        if imported is not None and (row.identities or not imported.is_open):
            contacts.add(imported.contact)
            pairs.add((imported.contact, imported.pipeline))
    for piece in batch.work:
        if not isinstance(piece, CommandWork):
            continue
        if isinstance(piece.command.body, Capture):
            owners = [owner for i in piece.identities if (owner := batch.owners.get(i.hmac)) is not None]
            pipeline = piece.command.body.pipeline or batch.settings.default_pipeline
            pairs.update((owner.contact, pipeline) for owner in owners)
            continue
        state = batch.lead(piece.command.lead)
        if state is not None and (piece.identities or not state.is_open):
            contacts.add(state.contact)
            pairs.add((state.contact, state.pipeline))
    crossing = adopting.claims_asked(batch.work, batch.lead)
    pairs |= crossing
    contacts.update(contact for contact, _ in crossing)
    await people.look_up_persons(batch, database, contacts)
    if pairs:
        # Claims read under the contact's lock: the one read with the identities may be older.
        theirs = {(batch.person(contact), pipeline) for contact, pipeline in pairs}
        batch.open_leads |= await store.open_leads(database, sorted(theirs))


def thread_lead(reference: Reference) -> UUID | None:
    """The lead whose conversation a token in our address names, or a letter of ours by its Message-ID: both hold its id."""
    if reference.kind == "letter":
        own = read_own(reference.value)
        return own.lead if own is not None else None
    if reference.kind != "thread":
        return None
    try:
        return UUID(reference.value)
    except ValueError:
        return None
