"""Step 5 of a batch for each kind of work: ask the domain, and put what follows among the batch's effects.

Invariants: the domain is asked before anything is put down, so a piece of work leaves either all its effects or none; a
repeat has none. What fails is kept: a command from Kafka is parked, an inbound message quarantined with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from contracts import commands as c
from contracts import events as e
from contracts.commands import CommandResult, Refusal
from contracts.meta import Actor, Stored
from contracts.personal import known as known_value
from contracts.pipeline import Pipeline
from contracts.trusted import trusted
from services.database import Database
from services.eventlog.consuming.parked.store import Parked
from services.eventlog.recording.store import Message
from services.leads import adopting, assigning, deals, journal_commands, store
from services.leads.answers import answered, refuse, remember
from services.leads.automatic import follow, surroundings
from services.leads.by_hand import capture_by_hand
from services.leads.claims import claim, envelope_of, known_people, move_claim, put_people
from services.leads.companies.effects import join_company
from services.leads.domain.arrivals import Arrival, Known, Recognised, Referred
from services.leads.domain.case import Case
from services.leads.domain.decide import decide
from services.leads.domain.recognition import keep_recorded_identity, recognise
from services.leads.domain.robots.following import depth_of
from services.leads.domain.rules import no_such_lead
from services.leads.domain.state import LeadState, with_
from services.leads.handing_over import hand_over
from services.leads.imports.store import RowAnswer
from services.leads.people import effects as people
from services.leads.people.deleting import deletion, erase_person
from services.leads.people.looking_up import open_lead_for, returning
from services.leads.publishing.places import Place
from services.leads.robots import ROBOT_COMMANDS, decide_robots, obey_refusal
from services.leads.work import ArrivalWork, CommandWork, Done, EraseWork, Understood
from services.pipelines import registry
from services.privacy.messages import message_hash, seal_message

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch


INBOUND_RULES = Actor(id="inbound-rules", kind="system")
"""Who plans what an inbound message orders, and notes that it is done (C2, C3)."""
RUN_AGAIN = frozenset({"quarantined", "no_lead"})
"""Outcomes that a later attempt may replace."""


@dataclass(slots=True)
class Effects:
    """What a batch will write, table by table."""

    events: list[Stored] = field(default_factory=list)
    person_keys: list[tuple[UUID, bytes]] = field(default_factory=list)
    message_keys: list[tuple[UUID, bytes]] = field(default_factory=list)
    message_owners: list[UUID | None] = field(default_factory=list)
    direct: list[tuple[UUID, str, str, bytes, datetime, str, bytes]] = field(default_factory=list)
    identity_claims: list[tuple[bytes, str, UUID]] = field(default_factory=list)
    company_claims: list[tuple[bytes, str, UUID]] = field(default_factory=list)
    """(HMAC, kind, company)"""
    shared: list[bytes] = field(default_factory=list)
    opened: list[tuple[UUID, str, UUID]] = field(default_factory=list)
    closed: list[UUID] = field(default_factory=list)
    commands: list[tuple[store.CommandRow, bool]] = field(default_factory=list)
    outcomes: list[store.OutcomeRow] = field(default_factory=list)
    references: list[tuple[bytes, str, UUID, UUID | None, UUID | None]] = field(default_factory=list)
    links: list[tuple[UUID, UUID]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    person_leads: list[tuple[UUID, UUID, str, datetime]] = field(default_factory=list)
    """(lead, contact, pipeline, captured at) of new leads."""
    regrouped: set[UUID] = field(default_factory=set)
    """Contacts that were merged or set apart (N16)."""
    moved_claims: dict[UUID, UUID] = field(default_factory=dict)
    """Open leads that are another person's now, and whose."""
    marks: dict[bytes, bool] = field(default_factory=dict)
    """Identities whose mark «shared» a merge changes."""
    rows: dict[UUID, RowAnswer] = field(default_factory=dict)
    """What became of rows of imports."""
    taken: dict[UUID, int] = field(default_factory=dict)
    """How far each import has come."""
    places: dict[UUID, Place] = field(default_factory=dict)
    """Where leads stand that changed their stage or version."""


async def carry_out(batch: LeadBatch, work: CommandWork, database: Database) -> Done:
    """A command: its stored answer if it was given before, else the domain's decision."""
    command = work.command
    row = batch.answered.get(command.id)
    if row is not None:
        return answered(batch, work, row)
    if isinstance(command.body, c.Capture):
        return await capture_by_hand(batch, work, database)
    if isinstance(command.body, journal_commands.BODIES) or batch.journal(command.lead) is not None:
        return await journal_commands.carry_out(batch, work, database)
    state = batch.lead(command.lead)
    if state is None:
        return refuse(batch, work, no_such_lead(), 0)
    pipeline = await registry.version(database, state.pipeline, state.pipeline_number)
    envelope = envelope_of(batch, work, state)
    if (refusal := deals.refusal_of(batch, Case(state, pipeline, None, command, batch.now))) is not None:
        return refuse(batch, work, refusal, state.version)
    if isinstance(command.body, c.Unmerge) and await adopting.revived_in_archive(batch, state, database):
        return refuse(batch, work, adopting.refusal_of(state.pipeline), state.version)
    if (act := people.ACTS.get(type(command.body))) is not None:
        refusal = act(batch, Case(state, pipeline, None, command, batch.now), envelope)
        if refusal is not None:
            return refuse(batch, work, refusal, state.version)
        await obey_refusal(batch, state, command, envelope, database)
        return _carried_out(batch, work, state)
    await assigning.have_for(batch, database, state, pipeline, command.body)
    decided = await _decided(batch, command, state, pipeline, database)
    if isinstance(decided, Refusal):
        return refuse(batch, work, decided, state.version)
    bad_data, refusal = deletion(batch, state, decided)
    if refusal is not None:
        return refuse(batch, work, refusal, state.version)
    envelope["autodepth"] = depth_of(state, command.actor, decided)
    identities = _identities_of_record(batch, work, state) if decided else []
    batch.record(state.lead, "lead", state.contact, decided, **envelope)
    for found in identities:
        put_people(batch, found, envelope)
        batch.record(state.lead, "lead", state.contact, found.lead_events, **envelope)
    join_company(batch, work, state.contact, envelope)
    adopted = await adopting.adopted_pipeline(batch, command, database)  # publishing moves nobody on, and arms nothing
    follow(batch, state.lead, decided, adopted or pipeline, envelope, state, moves=adopted is None)
    if bad_data:
        erase_person(batch, state.contact, "bad_data", envelope)
    return _carried_out(batch, work, state)


def _carried_out(batch: LeadBatch, work: CommandWork, state: LeadState) -> Done:
    """The answer to a command that was done; `state`: the lead before it."""
    command = work.command
    after = batch.lead(state.lead)
    assert after is not None
    move_claim(batch, state, after)
    result = trusted(
        CommandResult,
        command=command.id,
        stream=command.lead,
        outcome="done",
        first_version=state.version + 1 if after.version > state.version else None,
        last_version=after.version,
        at=batch.now,
    )
    return remember(batch, work, result)


async def _decided(
    batch: LeadBatch, command: c.Command, state: LeadState, pipeline: Pipeline, database: Database
) -> tuple[e.Event, ...] | Refusal:
    if isinstance(command.body, c.Adopt):
        return await adopting.decide_adoption(batch, command, state, pipeline, database)
    if isinstance(command.body, c.HandOver):
        return await hand_over(batch, command, command.body, state, pipeline, database)
    if isinstance(command.body, ROBOT_COMMANDS):
        return await decide_robots(batch, command, state, pipeline, database)
    around = surroundings(batch, state)
    if isinstance(command.body, c.Plan):
        around = replace(around, activity=uuid5(command.id, "activity"))
    decided = decide(state, command, pipeline, batch.now, around)
    if isinstance(decided, Refusal):
        return decided
    return await adopting.archived_refusal(batch, state, decided, database) or decided


async def take_in(batch: LeadBatch, work: ArrivalWork, database: Database, pipeline: Pipeline, number: int) -> Done:
    """An inbound message: a new lead, one more word on an open lead, no lead, or quarantine, the last two with a reason."""
    before = batch.outcomes.get(work.inbound_id)
    if before is not None and (before.outcome not in RUN_AGAIN or work.attempt <= before.attempt):
        batch.tally.count("repeat")
        return Done(repeat=True)
    if work.understood is None:
        return _outcome(batch, work, Recognised("quarantined", reason=work.problem))
    arrival = _arrival(work, work.understood)
    known = _known(batch, arrival)
    found = recognise(arrival, known, pipeline, batch.settings.default_region)
    if found.lead_is_new:
        await assigning.have(batch, database, pipeline)
    envelope: dict[str, Any] = {
        "command": work.inbound_id if work.attempt == 1 else uuid5(work.inbound_id, f"attempt:{work.attempt}"),
        "actor": work.actor,
        "happened_at": arrival.happened_at,
        "correlation": str(work.inbound_id),
        "causation": f"inbound:{work.inbound_id}",
        "pipeline": f"{pipeline.pipeline}@{number}",
    }
    if found.contact_is_new:
        assert found.contact is not None
        batch.new_key(found.contact)
    put_people(batch, found, envelope)
    if found.lead is not None:
        before_it = batch.lead(found.lead)
        given = _put_lead(batch, found, pipeline, envelope)
        join_company(batch, work, found.contact, envelope)
        if before_it is not None and (before_it.pipeline, before_it.pipeline_number) != (pipeline.pipeline, number):
            pipeline = await registry.version(database, before_it.pipeline, before_it.pipeline_number)
        within = _within(envelope, before_it)
        if before_it is not None:
            await assigning.have_for(batch, database, before_it, pipeline)
        follow(batch, found.lead, (*found.lead_events, *given, *found.ruled), pipeline, within, before_it)
        _claim(batch, found, before_it)
    _put_references(batch, arrival, found)
    return _outcome(batch, work, found)


def _arrival(work: ArrivalWork, read: Understood) -> Arrival:
    return Arrival(
        inbound_id=work.inbound_id,
        channel=work.channel,
        account=work.account,
        received_at=work.received_at,
        body=read.body,
        said=read.said,
        identities=read.identities,
        own=read.own,
        names=read.names,
    )


def _known(batch: LeadBatch, arrival: Arrival) -> Known:
    """What the batch knows, up to this piece of work, of the people and messages an arrival names."""
    owners = {i.hmac: owner for i in arrival.identities if (owner := batch.owners.get(i.hmac)) is not None}
    referred = {r.hmac: found for r in arrival.names if (found := batch.referred.get(r.hmac)) is not None}
    people = {owner.contact for owner in owners.values()}
    people.update(found.contact for found in referred.values() if found.contact is not None)
    open_leads = {c: lead for c in people if (lead := open_lead_for(batch, c)) is not None}
    leads = {*open_leads.values(), *(found.lead for found in referred.values() if found.lead is not None)}
    back = {c: brought for c in people - open_leads.keys() if (brought := returning(batch, c)) is not None}
    leads.update(brought.lead for brought in back.values())
    stand = {lead: stands for lead in leads if (stands := batch.lead(lead)) is not None}
    return Known(
        owners=owners,
        contacts={contact: state for contact in people if (state := batch.contact(contact)) is not None},
        open_leads=open_leads,
        leads=stand,
        referred=referred,
        persons={contact: batch.person(contact) for contact in {*people, *(lead.contact for lead in stand.values())}},
        returning=back,
    )


def _put_lead(batch: LeadBatch, found: Recognised, pipeline: Pipeline, envelope: dict[str, Any]) -> tuple[e.Event, ...]:
    """The lead's events: the message's, whose a new one becomes, those of our rules. Returns what assignment says that more
    follows from."""
    assert found.lead is not None
    before = batch.lead(found.lead)
    if before is not None:
        envelope = _within(envelope, before)
        if found.contact is None or batch.person(found.contact) != batch.person(before.contact):
            found.contact = before.contact
    assert found.contact is not None
    batch.record(found.lead, "lead", found.contact, found.lead_events, **envelope)
    given: tuple[e.Event, ...] = ()
    if found.lead_is_new and (made := batch.lead(found.lead)) is not None:
        card = {n: v for event in found.ruled if isinstance(event, e.CardRecorded) for n, v in _values(event).items()}
        given = assigning.give_new(batch, made, pipeline, card, envelope)
    batch.record(found.lead, "lead", found.contact, found.ruled, **{**envelope, "actor": INBOUND_RULES})
    return tuple(event for event in given if isinstance(event, e.LeadPooled))


def _values(event: e.CardRecorded) -> dict[str, str]:
    """What is written on the card, of an event that was just made."""
    return known_value(event.values) or {}


def _within(envelope: dict[str, Any], lead: LeadState | None) -> dict[str, Any]:
    """The envelope under the pipeline version that the lead stands in."""
    return envelope if lead is None else {**envelope, "pipeline": f"{lead.pipeline}@{lead.pipeline_number}"}


def _claim(batch: LeadBatch, found: Recognised, before: LeadState | None) -> None:
    """A new lead claims (contact, pipeline); one that a message moved on by itself may free it."""
    assert found.lead is not None
    after = batch.lead(found.lead)
    assert after is not None
    if before is not None:
        move_claim(batch, before, after)
    elif after.is_open:
        claim(batch, after)


def _put_references(batch: LeadBatch, arrival: Arrival, found: Recognised) -> None:
    """What later messages can name this one by. The first report of a call stays the first, and gets the lead it lacked."""
    for reference in arrival.own:
        before = batch.referred.get(reference.hmac)
        if reference.kind == "line":
            if not found.unclear:
                continue
        elif before is not None and (before.lead is not None or found.lead is None):
            continue
        first = before.inbound_id if before is not None and before.inbound_id else arrival.inbound_id
        batch.referred[reference.hmac] = Referred(first, found.contact, found.lead)
        batch.out.references.append((reference.hmac, reference.kind, first, found.contact, found.lead))


def erase(batch: LeadBatch, work: EraseWork) -> Done:
    """M7: the fact, the keys, the identities, in one transaction."""
    command = work.command
    row = batch.answered.get(command.id)
    if row is not None:
        return answered(batch, work, row)
    if (company := batch.company(command.contact)) is not None and not company.erased:
        return _erase_company(batch, work, company.version + 1)
    contact = batch.contact(command.contact)
    if contact is None or contact.erased:
        there = contact is not None
        refusal = Refusal(
            rules=("M7.known_person",),
            ru="Данные этого человека уже удалены." if there else "Такого человека нет.",
            en="This person was erased already." if there else "There is no such person.",
            status=410 if there else 404,
        )
        return refuse(batch, work, refusal, contact.version if contact else 0)
    erase_person(batch, command.contact, command.reason, _envelope_of_erasure(batch, work))
    return _erased(batch, work, contact.version + 1)


def _erased(batch: LeadBatch, work: EraseWork, version: int) -> Done:
    command = work.command
    result = CommandResult(
        command=command.id,
        stream=command.contact,
        outcome="done",
        first_version=version,
        last_version=version,
        at=batch.now,
    )
    return remember(batch, work, result)


def _erase_company(batch: LeadBatch, work: EraseWork, version: int) -> Done:
    """M7: a company may be a person, a sole trader; the people who spoke for it stay."""
    company = work.command.contact
    erased = e.CompanyErased.model_validate({"reason": work.command.reason})
    batch.record(company, "company", company, (erased,), **_envelope_of_erasure(batch, work))
    batch.erased.add(company)
    batch.company_owners = {key: owner for key, owner in batch.company_owners.items() if owner != company}
    return _erased(batch, work, version)


def _envelope_of_erasure(batch: LeadBatch, work: EraseWork) -> dict[str, Any]:
    command = work.command
    return {
        "command": command.id,
        "actor": command.actor,
        "happened_at": batch.now,
        "correlation": str(command.id),
    }


def erased_lead(state: LeadState) -> LeadState:
    """The state of a lead whose person was erased after it was cached."""
    gone: dict[str, Any] = {"name": None, "company": None, "phone": None, "email": None, "offer": None}
    return with_(state, erased=True, card={}, calls={}, activities={}, **gone)


def _outcome(batch: LeadBatch, work: ArrivalWork, found: Recognised) -> Done:
    if work.raw is not None:
        _keep_direct(batch, work, found.contact)
    elif work.message_key is not None and found.contact is not None:
        batch.out.links.append((work.message_key, found.contact))
    row = store.OutcomeRow(
        inbound_id=work.inbound_id,
        attempt=work.attempt,
        outcome=found.outcome,
        reason=found.reason,
        lead=found.lead,
        contact=found.contact,
        channel=work.channel,
        account=work.account,
        received_at=work.received_at,
        at=batch.now,
    )
    batch.outcomes[work.inbound_id] = row
    batch.out.outcomes.append(row)
    batch.tally.count(found.outcome)
    return Done()


def _keep_direct(batch: LeadBatch, work: ArrivalWork, contact: UUID | None) -> None:
    """A message that came straight on Kafka is kept like any other: sealed under a key of its own."""
    assert work.raw is not None
    key, wrapped = batch.ring.make(work.inbound_id)
    batch.out.message_keys.append((work.inbound_id, wrapped))
    batch.out.message_owners.append(contact)
    batch.out.direct.append(
        (
            work.inbound_id,
            work.channel,
            work.account,
            message_hash(batch.settings.pepper_bytes, work.raw),
            work.received_at,
            work.actor.model_dump_json(),
            seal_message(key, work.inbound_id, work.raw),
        )
    )


def _identities_of_record(batch: LeadBatch, work: CommandWork, state: LeadState) -> list[Recognised]:
    if not work.identities:
        return []
    contact, known = batch.contact(state.contact), known_people(batch, work.identities, state.pipeline)
    have = contact.identities if contact else frozenset()
    return [keep_recorded_identity(state, identity, known, have) for identity in work.identities]
