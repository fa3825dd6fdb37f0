"""What work on persons needs to know before it is decided: every contact of a person, their leads, who goes on for whom.

Part of steps 3 and 4 of a batch. Invariants: what was read before its lock was taken is held against the streams loaded under
it, and a batch that read something older begins again with those locks (`LocksMissedError`), so that a message that arrives
while two people are merged finds either both apart or both together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from contracts import commands as c
from contracts.pipeline import MoveTo, Pipeline, RejectAs, Robot
from services.database import Database
from services.leads import adopting
from services.leads.domain.arrivals import Returning
from services.leads.domain.persons import head_of
from services.leads.domain.returning import brought_back
from services.leads.domain.state import LeadState
from services.leads.people import store
from services.leads.work import ArrivalWork, CommandWork, EraseWork, ImportWork, Work
from services.pipelines import registry

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch

OF_A_PERSON = (c.Merge, c.Unmerge, c.Permit, c.Confirm, c.Fire, c.Repeat, c.Plan)
"""Commands that look at the whole person."""


async def look_up_persons(batch: LeadBatch, database: Database, contacts: Iterable[UUID]) -> set[UUID]:
    """Who goes on for these contacts, loaded; their heads, which are persons of the batch like them."""
    wanted = set(contacts)
    if not wanted:
        return set()
    found = await store.heads(database, wanted - batch.persons.keys())
    batch.persons.learn({contact: found.get(contact, contact) for contact in wanted})
    heads = {batch.persons[contact] for contact in wanted}
    batch.persons.learn({head: head for head in heads})
    await batch.have(database, wanted | heads)
    return heads


async def look_up_whole(batch: LeadBatch, database: Database, contacts: Iterable[UUID], *, leads: bool) -> None:
    """Every contact of these people; with `leads`, their leads too."""
    heads = await look_up_persons(batch, database, contacts)
    if not heads:
        return
    members = await store.members(database, heads)
    batch.persons.learn(members)
    await batch.have(database, members.keys())
    if leads:
        owned = await store.leads_of(database, heads | members.keys())
        await batch.have(database, {lead for found in owned.values() for lead in found})


async def look_up(batch: LeadBatch, database: Database, work: Sequence[Work]) -> None:
    """For commands on persons, and erasures: all contacts of each person, and the leads that the command touches."""
    leads: set[UUID] = set()
    contacts: set[UUID] = set()
    whole: set[UUID] = set()
    recommenders: set[UUID] = set()
    undoes = refuses = False
    for piece in work:
        if isinstance(piece, EraseWork):
            contacts.add(piece.command.contact)
            whole.add(piece.command.contact)  # what is left to do on their leads ends with them
        elif isinstance(piece, CommandWork):
            state, body = batch.lead(piece.command.lead), piece.command.body
            if isinstance(body, c.Capture) and body.recommended_by is not None:
                recommenders.add(body.recommended_by)
            deletes = state is not None and await _may_delete(database, state, body)
            if not deletes and not isinstance(body, OF_A_PERSON):
                continue
            into = body.into if isinstance(body, c.Merge) else state.merged_into if state is not None else None
            if isinstance(body, c.Merge | c.Unmerge) and into is not None:
                leads.add(into)
            undoes |= isinstance(body, c.Unmerge)
            if state is not None:
                contacts.add(state.contact)
                refusal = isinstance(body, c.Permit) and not body.allowed  # it holds for every lead of theirs
                refuses |= refusal
                if deletes or refusal or await _once_for_a_person(database, state, body):
                    whole.add(state.contact)
    deleted = await _deleted_by_rows(batch, database, work)
    contacts |= deleted
    whole |= deleted
    await batch.have(database, recommenders)
    if not contacts and not leads:
        return
    await batch.have(database, leads)
    contacts |= {state.contact for lead in leads if (state := batch.lead(lead)) is not None}
    heads = await look_up_persons(batch, database, contacts)
    members = await store.members(database, heads)
    batch.persons.learn(members)
    await batch.have(database, members.keys())
    merging = {batch.person(state.contact) for lead in leads if (state := batch.lead(lead)) is not None}
    if leads or refuses:  # what a refusal stops may move each of the person's leads
        merging |= heads
        batch.open_leads |= await store.open_leads_of(database, merging)
    claimed = {lead for (head, _), lead in batch.open_leads.items() if head in merging}
    persons = {batch.person(contact) for contact in whole}
    if undoes:
        persons |= heads  # every lead that is merged may rest on the merge to be undone
    theirs = persons | {contact for contact, head in members.items() if head in persons}
    owned = await store.leads_of(database, theirs) if theirs else {}
    await batch.have(database, claimed | {lead for found in owned.values() for lead in found})
    batch.whole |= whole


async def _may_delete(database: Database, lead: LeadState, body: c.CommandBody) -> bool:
    """Whether a command leads to a stage that deletes the person (C1)."""
    to = body.status if isinstance(body, c.Reject) else body.to if isinstance(body, c.Move) else None
    robot = await _fired(database, lead, body)
    if robot is not None:
        to = (
            robot.do.reject
            if isinstance(robot.do, RejectAs)
            else robot.do.move
            if isinstance(robot.do, MoveTo)
            else None
        )
    if to is None:
        return bool(lead.deadlines.open) and await _result_deletes(database, lead, body)
    return _deletes(await registry.version(database, lead.pipeline, lead.pipeline_number), to)


async def _result_deletes(database: Database, lead: LeadState, body: c.CommandBody) -> bool:
    """Whether a result of a deadline that is open may reject the lead by a reason that deletes the person (Q4)."""
    pipeline = await registry.version(database, lead.pipeline, lead.pipeline_number)
    said = body.fields if isinstance(body, c.Record) else {}
    for turn in lead.deadlines.open.values():
        found = pipeline.deadlines_by_id.get(turn.deadline)
        for result in found[1].results if found is not None else ():
            if not isinstance(result.then, RejectAs):
                continue
            stage, field = pipeline.by_id[result.then.reject], result.then.reason_field
            reason = stage.reason(result.then.reason if field is None else said.get(field) or lead.card.get(field))
            if "bad_data" in (stage.outcome, reason.outcome if reason is not None else None):
                return True
    return False


async def _once_for_a_person(database: Database, lead: LeadState, body: c.CommandBody) -> bool:
    """Whether a robot fires that asks whether it ran on another lead of the person (P5)."""
    robot = await _fired(database, lead, body)
    return robot is not None and robot.once == "person"


async def _fired(database: Database, lead: LeadState, body: c.CommandBody) -> Robot | None:
    """The robot whose instant has come."""
    armed = lead.automation.armed.get(body.timer) if isinstance(body, c.Fire) else None
    if armed is None:
        return None
    pipeline = await registry.version(database, lead.pipeline, lead.pipeline_number)
    found = pipeline.robots_by_id.get(armed.robot)
    return found[1] if found is not None else None


def _deletes(pipeline: Pipeline, to: str) -> bool:
    stage = pipeline.by_id.get(to)
    return stage is not None and "bad_data" in (stage.outcome, *(reason.outcome for reason in stage.reasons))


async def _deleted_by_rows(batch: LeadBatch, database: Database, work: Sequence[Work]) -> set[UUID]:
    """Contacts of leads that rows of imports lead to a stage that deletes the person; of a lead that is made in this batch too,
    the known people whom its rows name."""
    rows = [piece.row for piece in work if isinstance(piece, ImportWork)]
    for name in {row.pipeline for row in rows} - batch.current.keys():
        batch.current[name] = await registry.current(database, name)
    deleting = set()
    for row in rows:
        pipeline, number = batch.current[row.pipeline]
        state = batch.lead(row.lead)
        if state is not None and (state.pipeline, state.pipeline_number) != (row.pipeline, number):
            pipeline = await registry.version(database, state.pipeline, state.pipeline_number)
        if _deletes(pipeline, row.stage):
            deleting.add(row.lead)
    found = {state.contact for lead in deleting if (state := batch.lead(lead)) is not None}
    identities = [identity for row in rows if row.lead in deleting for identity in row.identities]
    return found | {owner.contact for i in identities if (owner := batch.owners.get(i.hmac)) is not None}


async def look_up_returning(batch: LeadBatch, database: Database, arrivals: Sequence[ArrivalWork]) -> None:
    """For messages of people without an open lead: the leads they had, one of which their word may bring back (P4)."""
    people: set[UUID] = set()
    for piece in arrivals:
        people.update(o.contact for i in piece.identities if (o := batch.owners.get(i.hmac)) is not None)
        people.update(
            r.contact for n in piece.references if (r := batch.referred.get(n.hmac)) and r.contact is not None
        )
    heads = {batch.person(contact) for contact in people}
    for (head, _), lead in batch.open_leads.items():
        if head in heads:
            batch.had.setdefault(head, set()).add(lead)
    if alone := heads - batch.had.keys():
        members = await store.members(database, alone)
        batch.persons.learn(members)
        await batch.have(database, members.keys())
        owned = await store.leads_of(database, alone | members.keys())
        for contact, leads in owned.items():
            batch.had.setdefault(batch.person(contact), set()).update(leads)
        await batch.have(database, {lead for leads in owned.values() for lead in leads})
    states = [state for leads in batch.had.values() for lead in leads if (state := batch.lead(lead)) is not None]
    usual = batch.settings.default_pipeline  # it is never archived
    closed = {state.pipeline for state in states if not state.is_open} - {usual}
    for name, number in {(state.pipeline, state.pipeline_number) for state in states} - batch.pinned.keys():
        if name not in closed or not await adopting.takes_none(batch, database, name):
            batch.pinned[(name, number)] = await registry.version(database, name, number)


def open_lead_for(batch: LeadBatch, contact: UUID) -> UUID | None:
    """The open lead that a message of the person's joins (C3): that of the pipeline new leads come to, else the one that came
    last, whichever pipeline it is in."""
    person = batch.person(contact)
    usual = batch.open_leads.get((person, batch.settings.default_pipeline))
    if usual is not None:
        return usual
    theirs = (batch.lead(lead) for lead in batch.had.get(person, ()))
    found = [lead for lead in theirs if lead is not None and lead.is_open and lead.deal_of is None]
    open_leads = [lead for lead in found if batch.open_leads.get((person, lead.pipeline)) == lead.lead]
    return max(open_leads, key=lambda lead: (lead.captured_at, lead.lead)).lead if open_leads else None


def returning(batch: LeadBatch, contact: UUID) -> Returning | None:
    """The person's lead that their own word brings back, in whichever pipeline that is not archived."""
    had = (state for lead in batch.had.get(batch.person(contact), ()) if (state := batch.lead(lead)) is not None)
    return brought_back(had, lambda lead: batch.pinned.get((lead.pipeline, lead.pipeline_number)))


def stale(batch: LeadBatch, looked_up: Iterable[UUID]) -> set[UUID]:
    """Streams of these contacts, and of who goes on for them, that are not as they were read before their locks were taken."""
    found: set[UUID] = set()
    contacts = {contact: state for contact in batch.persons if (state := batch.contact(contact)) is not None}
    for contact in looked_up:
        head = batch.persons[contact]
        if contact in contacts and (now := head_of(contact, contacts)) != head:
            found |= {contact, head, now}
    return found


def closed(batch: LeadBatch) -> set[UUID]:
    """Streams of people whose lead was read as open before its lock was taken, and is not."""
    found: set[UUID] = set()
    for (head, _), lead in batch.open_leads.items():
        claimed = batch.lead(lead)
        if claimed is not None and not claimed.is_open:
            found |= {head, lead, claimed.contact}
    return found


def arrivals_of(work: Sequence[Work]) -> list[ArrivalWork]:
    """The messages among the work."""
    return [piece for piece in work if isinstance(piece, ArrivalWork)]
