"""One batch, step by step (`docs/one-batch.md`): lock, look up, load, decide, write, in one transaction.

Invariants: all locks named by the work are taken in one sorted statement before any read; streams found later are only
tried, and a miss rolls back and begins again with the full list (`LocksMissedError`). Nothing outside the transaction changes
until it has committed: states read and keys made here enter the memory by `settle`. A piece of work
that raises rolls the batch back (`WorkFailedError`), which is then done without it: nothing half decided is ever written.
Several batches may be at work at once (`Memory.use`): each holds on to the keys it loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts import events as e
from contracts.events.deal import of_deal
from contracts.meta import ENVELOPE_VERSION, GENESIS, Actor, AggregateKind, Meta, Stored, digest_of
from contracts.pipeline import Pipeline
from contracts.team import Team
from services.calendars import registry as calendars
from services.database import Database
from services.eventlog.consuming import PositionMove, move_positions
from services.eventlog.consuming.parked import store as parking
from services.eventlog.consuming.parked.store import Parked
from services.eventlog.mapper import decode, encode_with, envelope_of, keys_of, peek
from services.eventlog.recording import store as recording
from services.leads import assigning, at_once, deals, journals, store
from services.leads import effects as fx
from services.leads.assigning import Assigning
from services.leads.companies import effects as companies
from services.leads.companies import store as company_claims
from services.leads.domain.arrivals import Owner, Referred
from services.leads.domain.company import CompanyState, Key, Named, evolve_company
from services.leads.domain.contact import ContactState, evolve_contact
from services.leads.domain.deals import with_lead
from services.leads.domain.journal.recording import JOURNALLED
from services.leads.domain.journal.state import JournalState, evolve_journal
from services.leads.domain.robots.instants import Times
from services.leads.domain.state import LeadState, evolve_lead
from services.leads.imports import effects as importing
from services.leads.imports import store as imports
from services.leads.locks import BATCHS_OWN, LocksMissedError, lock_numbers
from services.leads.looking_up import look_up
from services.leads.memory import Head, State, StateCache
from services.leads.people import store as persons
from services.leads.people.known import KnownPersons
from services.leads.publishing import store as publishing
from services.leads.publishing.places import place_after
from services.leads.work import (
    BUILD,
    CONSUMER,
    ArrivalWork,
    CommandWork,
    Done,
    EraseWork,
    ImportWork,
    ParkWork,
    Tally,
    Work,
)
from services.pipelines import registry
from services.privacy.store import KeyRing, destroy_keys, insert_keys, link_messages
from services.settings import Settings


class WorkFailedError(Exception):
    """A piece of work raised (its cause): the batch is rolled back and done again with that piece kept aside."""

    def __init__(self, index: int) -> None:
        super().__init__(f"piece {index}")
        self.index = index


_UNKNOWN: Final = object()
"""Neither a key nor the lack of one: a person of whom the batch knows neither."""


@dataclass(slots=True)
class LeadBatch:
    """The work of one transaction and what is known while it is decided."""

    settings: Settings
    ring: KeyRing
    cache: StateCache
    work: Sequence[Work]
    moves: Sequence[PositionMove]
    now: datetime
    extra_locks: set[int] = field(default_factory=set)
    done: list[Done] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    # what is known, and what will be written
    heads: dict[UUID, Head] = field(default_factory=dict)
    owners: dict[bytes, Owner] = field(default_factory=dict)
    open_leads: dict[tuple[UUID, str], UUID] = field(default_factory=dict)
    """By (contact that goes on for the person, pipeline)."""
    persons: KnownPersons = field(default_factory=KnownPersons)
    """Which contact goes on for each, of those looked up (N16)."""
    whole: set[UUID] = field(default_factory=set)
    """Contacts of people all of whose leads are at hand."""
    had: dict[UUID, set[UUID]] = field(default_factory=dict)
    """The leads of a person, by the contact that goes on for them, of those whose messages are at hand."""
    pinned: dict[tuple[str, int], Pipeline] = field(default_factory=dict)
    """Versions of pipelines that leads at hand stand in."""
    referred: dict[bytes, Referred] = field(default_factory=dict)
    companies_said: dict[UUID | None, Named] = field(default_factory=dict)
    """What work says of companies, by the id of the command, message or row."""
    company_owners: dict[Key, UUID] = field(default_factory=dict)
    """Which company is found by what was said."""
    answered: dict[UUID, store.CommandRow] = field(default_factory=dict)
    outcomes: dict[UUID, store.OutcomeRow] = field(default_factory=dict)
    keys: dict[UUID, AESGCM | None] = field(default_factory=dict)
    made: dict[UUID, AESGCM] = field(default_factory=dict)
    rows: dict[UUID, imports.RowAnswer] = field(default_factory=dict)
    current: dict[str, tuple[Pipeline, int]] = field(default_factory=dict)
    """Pipelines in force, by id, as this batch sees them."""
    archived: dict[str, bool] = field(default_factory=dict)
    """Whether pipelines that leads come to are archived."""
    unpublished: Mapping[tuple[str, int], Pipeline] = field(default_factory=dict)
    """Of a rehearsal: versions that are yet to be published."""
    turned: list[tuple[Meta, e.StageEntered]] = field(default_factory=list)
    """Changes of stage of leads of the piece at hand, which may open or withdraw deals."""
    happened: list[tuple[Meta, e.Event]] = field(default_factory=list)
    """Events of leads and deals of the piece at hand that an incident journal may have to tell of."""
    journals: set[UUID] = field(default_factory=set)
    """Journals that were looked for; most have not begun."""
    teams: dict[str, Team] = field(default_factory=dict)
    """Teams in force, by id, those that were asked for."""
    due: list[at_once.Due] = field(default_factory=list)
    """Timers whose instant has come by the moment of the batch: armed in it, or brought along by a command of it."""
    waits: at_once.Waits = field(default_factory=at_once.Waits)
    """Which of them are left to the robots service."""
    out: fx.Effects = field(default_factory=lambda: fx.Effects())
    people: tuple[str, ...] | None = None
    """Everybody of every team who has not left, where the work asks for it."""
    last_owners: dict[UUID, str] = field(default_factory=dict)
    """Who had the last lead of a person, by the contact that goes on for them, where assignment asks for it."""
    assigning: Assigning | None = None
    """Teams, turns and loads, from the first lead on that the batch gives by itself (C4)."""
    load_changes: Counter[str] = field(default_factory=Counter)
    """How many open leads more or fewer people have by this batch."""
    times: Times = field(init=False)
    """What the instants of robots are counted from, from step 5 on."""
    erased: set[UUID] = field(default_factory=set)
    _held: set[int] = field(default_factory=set)

    async def run(self, database: Database) -> None:
        """Steps 2 to 6 inside the caller's transaction. Results are in `done`, one for each piece of work."""
        await self._lock(database)
        if self.moves:
            await move_positions(database, self.moves)
        await look_up(self, database)
        await self.decide(database)
        await at_once.run(self, database)
        await self._write(database)

    # --- step 2 and 3 ----------------------------------------------------------------------------------------------

    async def _lock(self, database: Database) -> None:
        names = self.extra_locks | lock_numbers(self.work) | companies.lock_numbers(self)
        if names:
            await recording.lock(database, names)
        self._held = names

    async def hold_streams(self, database: Database, streams: Iterable[UUID]) -> None:
        """Try-lock streams found only now (step 3)."""
        await self.hold(database, {recording.lock_number(stream.bytes) for stream in streams})

    async def hold(self, database: Database, numbers: set[int]) -> None:
        """Try these locks, found only now. Raises LocksMissedError."""
        wanted = numbers - self._held
        if not wanted:
            return
        if not await recording.try_lock(database, wanted):
            raise LocksMissedError(wanted)
        self._held |= wanted

    async def lock_assignment(self, database: Database, number: int) -> None:
        """Nobody else gives leads by themselves until the transaction ends: the last lock that a batch waits for."""
        await recording.lock(database, {number})

    # --- step 4 ----------------------------------------------------------------------------------------------------

    async def load(self, database: Database, streams: Iterable[UUID]) -> None:
        """Heads of streams: from the cache, then the events after it, in one SELECT."""
        wanted: list[tuple[UUID, int]] = []
        for stream in sorted(streams):
            cached = self.cache.get(stream)
            if cached is not None:
                self.heads[stream] = cached
            wanted.append((stream, cached.version if cached else 0))
        stored = await recording.load(database, wanted)
        records = [peek(event.state) for event in stored]
        known = (head.state for stream, _ in wanted if (head := self.heads.get(stream)) is not None)
        people = {person for state in known if (person := sealed_for(state)) is not None}
        people.update(UUID(record["meta"]["person"]) for record in records if record["meta"].get("person"))
        self.keys |= await self.ring.load(database, keys_of(records) | people)
        for event, record in zip(stored, records, strict=True):
            recorded = decode(record, self)
            self._evolve(event.stream, event.digest, recorded.meta, recorded.data)

    def _evolve(self, stream: UUID, digest: bytes, meta: Meta, data: e.Event) -> None:
        head = self.heads.get(stream)
        before = head.state if head else None
        state: State
        if meta.kind in ("lead", "deal"):
            assert before is None or isinstance(before, LeadState)
            state = evolve_lead(before, meta, data)
        elif meta.kind == "company":
            assert before is None or isinstance(before, CompanyState)
            state = evolve_company(before, meta, data)
        elif meta.kind == "incident":
            assert before is None or isinstance(before, JournalState)
            state = evolve_journal(before, meta, data)
        else:
            assert before is None or isinstance(before, ContactState)
            state = evolve_contact(before, meta, data)
        self.heads[stream] = Head(meta.version, digest, state)

    async def have(self, database: Database, streams: Iterable[UUID]) -> None:
        """Lock and load further streams, those that are not here yet."""
        wanted = set(streams) - self.heads.keys()
        await self.hold_streams(database, wanted)
        await self.load(database, wanted)

    def person(self, contact: UUID) -> UUID:
        """The contact that goes on for this one: itself, unless it was merged (N16)."""
        return self.persons.get(contact, contact)

    def open_lead_of(self, contact: UUID, pipeline: str) -> UUID | None:
        """The open lead of the person whose contact this is."""
        return self.open_leads.get((self.person(contact), pipeline))

    def leads(self) -> list[LeadState]:
        """Every lead at hand, deals not among them."""
        return [lead for lead in self._leads_and_deals() if lead.deal_of is None]

    def deals(self) -> list[LeadState]:
        """Every deal at hand."""
        return [deal for deal in self._leads_and_deals() if deal.deal_of is not None]

    def _leads_and_deals(self) -> list[LeadState]:
        return [lead for stream in self.heads if (lead := self.lead(stream)) is not None]

    def lead(self, lead: UUID) -> LeadState | None:
        """The lead, or the deal with what its lead says, as this batch knows it so far; its person's erasure shows even on a
        cached state."""
        head = self.heads.get(lead)
        if head is None or not isinstance(head.state, LeadState):
            return None
        state = head.state
        if not state.erased and self._is_erased(state.contact):
            state = fx.erased_lead(state)
        return state if state.deal_of is None else with_lead(state, self.lead(state.deal_of))

    def contact(self, contact: UUID) -> ContactState | None:
        """The contact as this batch knows it so far."""
        head = self.heads.get(contact)
        return head.state if head is not None and isinstance(head.state, ContactState) else None

    def company(self, company: UUID) -> CompanyState | None:
        """The company as this batch knows it so far."""
        head = self.heads.get(company)
        return head.state if head is not None and isinstance(head.state, CompanyState) else None

    def journal(self, stream: UUID) -> JournalState | None:
        """The incident journal as this batch knows it so far."""
        head = self.heads.get(stream)
        return head.state if head is not None and isinstance(head.state, JournalState) else None

    def _is_erased(self, person: UUID) -> bool:
        return self.keys.get(person, _UNKNOWN) is None or (bool(self.erased) and person in self.erased)

    def key(self, key_id: UUID) -> AESGCM | None:
        """The key, None when it was destroyed. Raises KeyError when it was neither loaded nor made in this batch."""
        return self.keys[key_id]

    # --- step 5 ----------------------------------------------------------------------------------------------------

    async def decide(self, database: Database) -> None:
        """Step 5, for each piece of work in turn. Raises WorkFailedError."""
        name = self.settings.default_pipeline
        default, number = self.current.get(name) or await registry.current(database, name)
        self.times = Times(self.now, await calendars.current(database))
        for index, piece in enumerate(self.work):
            try:
                if isinstance(piece, CommandWork):
                    self.done.append(await self.carry_out(piece, database))
                    continue
                self.done.append(await self._take(piece, database, default, number))
                await self._follow(database)
            except BATCHS_OWN:
                raise
            except Exception as error:
                raise WorkFailedError(index) from error

    async def carry_out(self, piece: CommandWork, database: Database) -> Done:
        """A command, and what its changes mean for deals and journals."""
        done = await fx.carry_out(self, piece, database)
        await self._follow(database)
        return done

    async def _follow(self, database: Database) -> None:
        await deals.follow_leads(self, database)
        if self.happened:
            await journals.follow_leads(self, database)

    async def _take(
        self, piece: ArrivalWork | EraseWork | ImportWork | ParkWork, database: Database, default: Pipeline, number: int
    ) -> Done:
        match piece:
            case ArrivalWork():
                return await fx.take_in(self, piece, database, default, number)
            case EraseWork():
                return fx.erase(self, piece)
            case ImportWork():
                return await importing.take_row(self, piece, database)
        self.out.parked.append(Parked(0, piece.record, None, None, piece.reason, piece.detail))
        return Done()

    def record(
        self,
        stream: UUID,
        kind: AggregateKind,
        person: UUID | None,
        data: Sequence[e.Event],
        *,
        command: UUID,
        actor: Actor,
        happened_at: datetime,
        correlation: str,
        causation: str | None = None,
        autodepth: int = 0,
        pipeline: str | None = None,
        traceparent: str | None = None,
    ) -> None:
        """Make the next events of a stream: envelope, bytes, digest; and fold them into what the batch knows.

        A lead's event that comes to a deal is the deal's; one that happens to leads alone is recorded on the deal's lead.
        `person`: whose key seals what is personal; None of a journal, where nothing is."""
        head = self.heads.get(stream)
        deal = head.state if head is not None and kind == "lead" and isinstance(head.state, LeadState) else None
        if deal is not None and deal.deal_of is not None:
            of_lead = [event for event in data if type(event) not in e.OF_DEALS]
            lead = self.lead(deal.deal_of)
            assert lead is not None, "a deal is at hand with its lead"
            self.record(
                lead.lead,
                kind,
                person,
                of_lead,
                command=command,
                actor=actor,
                happened_at=happened_at,
                correlation=correlation,
                causation=causation,
                autodepth=autodepth,
                pipeline=f"{lead.pipeline}@{lead.pipeline_number}",
                traceparent=traceparent,
            )
            kind, data = "deal", [of_deal(event) for event in data if type(event) in e.OF_DEALS]
        if not data:
            return
        key = self.keys[person] if person is not None else None
        base: dict[str, Any] = {
            "envelope": ENVELOPE_VERSION,
            "stream": stream,
            "version": 0,
            "kind": kind,
            "type": "",
            "schema_version": 1,
            "happened_at": happened_at,
            "recorded_at": self.now,
            "actor": actor,
            "command": command,
            "causation": causation,
            "correlation": correlation,
            "autodepth": autodepth,
            "pipeline": pipeline,
            "person": person,
            "traceparent": traceparent,
        }
        envelope = envelope_of(Meta.trusted(base))
        version, digest = (head.version, head.digest) if head else (0, GENESIS)
        for event in data:
            version += 1
            meta = Meta.trusted(
                {**base, "version": version, "type": event.TOPIC, "schema_version": event.class_version}
            )
            state = encode_with(envelope, meta, event, key)
            digest = digest_of(digest, state)
            self.out.events.append(Stored(stream, version, event.TOPIC, kind, state, self.now, digest))
            if type(event) is e.LeadCaptured:
                self.out.person_leads.append((stream, event.contact, event.pipeline, happened_at))
            self._evolve(stream, digest, meta, event)
            if kind == "lead" and type(event) is e.StageEntered:
                self.turned.append((meta, event))
            elif type(event) in JOURNALLED:
                self.happened.append((meta, event))
            elif isinstance(event, e.RobotArmed) and event.due_at <= self.now:
                self.due.append(at_once.armed(meta, event))
        if isinstance(after := self.heads[stream].state, LeadState) and (place := place_after(data, after)) is not None:
            self.out.places[stream] = place
            before = head.state if head is not None else None
            assigning.count_load(self, before if isinstance(before, LeadState) else None, after)

    def new_key(self, person: UUID) -> None:
        """A person gets a key, stored with the batch."""
        key, wrapped = self.ring.make(person)
        self.keys[person] = self.made[person] = key
        self.out.person_keys.append((person, wrapped))

    # --- step 6 ----------------------------------------------------------------------------------------------------

    async def _write(self, database: Database) -> None:
        out = self.out
        await insert_keys(database, "person", out.person_keys)
        await insert_keys(database, "message", out.message_keys, out.message_owners)
        await store.keep_direct(database, out.direct)
        await recording.append(database, _by_stream(out.events))
        for person in sorted(self.erased):  # first: what found them may be claimed by somebody else in the same batch
            await store.forget_identities(database, person)
            await company_claims.forget(database, person)
        await store.claim_identities(database, [claim for claim in out.identity_claims if claim[2] not in self.erased])
        await company_claims.claim(database, [claim for claim in out.company_claims if claim[2] not in self.erased])
        await store.share_identities(database, sorted(set(out.shared)))
        await persons.keep_leads(database, out.person_leads)
        await persons.regroup(database, self._regrouped())
        await persons.mark(database, out.marks)
        await store.free_open_leads(database, sorted(out.closed))
        await persons.move_claims(database, out.moved_claims)
        await store.claim_open_leads(database, out.opened)
        await publishing.keep(database, out.places.values())
        await store.remember(database, out.commands)
        await store.set_outcomes(database, out.outcomes)
        await imports.remember(database, out.rows.values())
        await imports.advance(database, out.taken)
        await store.remember_references(database, out.references)
        await link_messages(database, out.links)
        await recording.send(database, out.messages)
        await parking.park(database, CONSUMER, BUILD, out.parked)
        await assigning.write(self, database)
        for person in sorted(self.erased):
            await store.forget_references(database, person)
            await publishing.erase(database, person)
            await destroy_keys(database, person)
        self.tally.events = len(out.events)

    def _regrouped(self) -> dict[UUID, tuple[UUID, UUID] | None]:
        """Where contacts stand that were merged or set apart: into which, and who goes on for them."""
        states = {contact: self.contact(contact) for contact in self.out.regrouped}
        return {
            contact: (state.merged_into, self.person(contact)) if state and state.merged_into else None
            for contact, state in states.items()
        }

    # --- after the transaction -------------------------------------------------------------------------------------

    def settle(self) -> None:
        """The transaction has committed: what was learnt enters the cache."""
        if self.erased:
            # Cached states of the person's leads hold their data: drop everything rather than search.
            self.cache.clear()
            self.ring.forget(self.erased)
        else:
            self.ring.hold(self.made)
            self.cache.put(self.heads.items())


def _by_stream(events: Sequence[Stored]) -> list[Stored]:
    """The events of each stream side by side, streams in the order in which they were first written to: whoever reads the log
    finds a robot's end next to its beginning, also where it ran at once after all work of the batch."""
    streams: dict[UUID, list[Stored]] = {}
    for event in events:
        streams.setdefault(event.stream, []).append(event)
    return [event for of in streams.values() for event in of]


def sealed_for(state: State | None) -> UUID | None:
    """Whose key opens what is personal of a stream: that of its person, or of the company itself; of a journal nobody's."""
    match state:
        case LeadState() | ContactState():
            return state.contact
        case CompanyState():
            return state.company
    return None
