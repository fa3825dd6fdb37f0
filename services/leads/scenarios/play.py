"""A lead on trial: the state that real events fold to, acted on by the real rules, in a time of its own (M3).

Pure. Everything a command or message leads to is decided by `services.leads.domain`; here is only what the store would hold: the
lead, whose identities are whose, what the time is; and what the robots service and the delivery service would do (`machines`).
Ids count up, so one scenario always gives one story.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.meta import Actor, Meta
from contracts.personal import known
from contracts.pipeline import Pipeline, Stage
from services.leads.domain.arrivals import Arrival, Known, Owner, Recognised, Reference, Referred
from services.leads.domain.assigning.deciding import ROTATION, Decision
from services.leads.domain.capturing import capture
from services.leads.domain.channels import READERS
from services.leads.domain.contact import ContactState, evolve_contact
from services.leads.domain.decide import Surroundings, decide, entered
from services.leads.domain.identities import Identity, normalise_email, normalise_phone
from services.leads.domain.people import Person, permit
from services.leads.domain.permissions import Permission, contactable
from services.leads.domain.recognition import recognise
from services.leads.domain.returning import brought_back
from services.leads.domain.robots import outward
from services.leads.domain.robots.following import BY_ITSELF, PIPELINE_RULES, Following, depth_of, follow
from services.leads.domain.robots.instants import Times
from services.leads.domain.robots.standing import Armed
from services.leads.domain.state import LeadState, evolve_lead, with_
from services.leads.scenarios.machines import MOST_FIRINGS, due_next, fired, reports
from services.leads.scenarios.people import People

START: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""When every scenario begins, unless it says otherwise: a Monday morning."""
STEP: Final = timedelta(minutes=1)
"""How much later each act is."""
REGION: Final = "RU"
ACTORS: Final = {
    "seller": Actor(id="anna", kind="person", role="seller"),
    "head": Actor(id="helen", kind="person", role="head"),
    "client": Actor(id="client", kind="client"),
    "robot": Actor(id="robot", kind="robot"),
}
DELIVERY: Final = Actor(id="delivery", kind="system")
PAUSE_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in the lead's story: an event, or an act that was refused."""

    at: datetime
    actor: Actor
    happened: e.Event | Refusal


class Play:
    """The world of one scenario: one pipeline, one lead, one client."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.now = START
        self.lead: LeadState | None = None
        self.story: list[Entry] = []
        self.refusal: Refusal | None = None
        """Of the last act."""
        self.just: tuple[e.Event, ...] = ()
        """What the last act led to, automatic moves included."""
        self.by_itself: set[str] = set()
        """Stages that the lead entered by itself in the last act."""
        self.moves: set[tuple[str, str]] = set()
        """Changes of stage that the rules decided, from and to."""
        self.another_lead = False
        """Whether a message of the client became a lead of its own."""
        self.people = People(pipeline)
        """Who works there, where the scenario says so."""
        self.mail_works = True
        """Whether letters are accepted by the next server at once, or wait."""
        self._contacts: dict[UUID, ContactState] = {}
        self._owners: dict[bytes, Owner] = {}
        self._referred: dict[bytes, Referred] = {}
        self._count = 0
        self._placing = False

    # --- what is given ---------------------------------------------------------------------------------------------

    def place(
        self, stage: Stage, before: Stage | None, reason: str | None, contact: dict[str, str], source: str
    ) -> None:
        """Put a lead into a stage, as if it had come there by the ways of the past."""
        self._placing = True
        person = self._id()
        self._contact_events(person, [e.ContactMade(name=contact.get("name"), company=contact.get("company"))])
        known: dict[str, Any] = {name: value for name, value in contact.items() if value}
        first = self.pipeline.first
        captured = e.LeadCaptured(
            pipeline=self.pipeline.pipeline,
            contact=person,
            channel="form",
            source=source,
            received_at=self.now,
            **known,
        )
        self._start(self._id(), [captured], ACTORS["client"])
        self._enter(first, "captured", "in")
        self._assign()
        if before is not None and before.id != first.id:
            self._enter(before, "moved", "forward")
        if stage.id != (before or first).id:
            self._leave_for(stage, reason)
        self._own_identities()
        self._placing = False

    def begin_stage(self, placed: Sequence[e.Event]) -> None:
        """The robots of the stage begin that the lead was put into. `placed`: the events by which it came there."""
        entries = [event for event in placed if isinstance(event, e.StageEntered)]
        before = [event for event in placed if isinstance(event, e.LeadPaused | e.LeadPooled)]
        self._begin(timedelta(0))
        self._follow(None, [*before, *entries[-1:]], ACTORS["client"], moves=False)

    def _leave_for(self, stage: Stage, reason: str | None) -> None:
        here = self.there().stage
        match stage.kind:
            case "lost":
                found = stage.reason(reason)
                outcome = (found.outcome if found else None) or stage.outcome or "refused"
                rejected = e.LeadRejected(status=stage.id, from_stage=here, reason=reason, outcome=outcome)
                self._happen([rejected], ACTORS["seller"])
                self._enter(stage, "rejected", "out")
            case "postponed":
                until = (self.now + timedelta(days=PAUSE_DAYS)).date()
                given = stage.reason(reason)
                said = given.titles if given else stage.titles
                paused = e.LeadPaused(status=stage.id, from_stage=here, until=until, reason=said.ru, reason_id=reason)
                self._happen([paused], ACTORS["seller"])
                self._enter(stage, "paused", "out")
            case "won":
                self._happen([e.LeadConverted(from_stage=here)], ACTORS["seller"])
                self._enter(stage, "converted", "forward")
            case "open":
                self._enter(stage, "moved", "forward")

    def _enter(self, stage: Stage, cause: e.lead.StageCause, direction: e.lead.StageDirection) -> None:
        self._happen([entered(self.there(), stage, cause, direction)], ACTORS["seller"])

    # --- what is done ----------------------------------------------------------------------------------------------

    def act(self, actor: str, body: c.CommandBody) -> None:
        """A command is given on the lead; what becomes of it stands in `refusal`, `just` and `lead` from here on."""
        self._begin()
        self._let_pass(self.now)
        state, by = self.there(), ACTORS[actor]
        command = c.Command(id=self._id(), lead=state.lead, actor=by, body=body)
        around = self._around(self._id() if isinstance(body, c.Plan) else None)
        decided = decide(state, command, self.pipeline, self.now, around)
        if isinstance(decided, Refusal):
            self._refused(decided, by)
            return
        self._happen(decided, by)
        self._own_identities()
        self._follow(state, decided, by)

    def enter_by_hand(self, actor: str, body: c.Capture) -> None:
        """A lead is entered by hand (P10)."""
        self._begin()
        phone, email = normalise_phone(body.phone, REGION), normalise_email(body.email)
        identities = [Identity("phone", phone, _hmac("phone", phone))] if phone else []
        identities += [Identity("email", email, _hmac("email", email))] if email else []
        command = c.Command(id=self._id(), lead=self._id(), actor=ACTORS[actor], body=body)
        around = Surroundings(self.people.names, region=REGION)
        found = capture(command, body, tuple(identities), self._known(), self.pipeline, 1, self.now, around)
        if isinstance(found, Refusal):
            self._refused(found, ACTORS[actor])
        else:
            self._take(found, ACTORS[actor], by_hand=True)

    def arrive(self, channel: str, body: dict[str, Any]) -> None:
        """A message of the client comes in."""
        self._begin()
        self._let_pass(self.now)
        reader = READERS[channel]
        made = reader.model.model_validate(body)
        read = reader.read(made, channel, REGION)
        arrival = Arrival(
            inbound_id=self._id(),
            channel=channel,
            account=channel,
            received_at=self.now,
            body=made,  # type: ignore[arg-type]
            said=read.said,
            identities=tuple(Identity(kind, value, _hmac(kind, value)) for kind, value in read.identities),
            own=tuple(Reference(kind, value, _hmac(kind, value)) for kind, value in read.own),
            names=tuple(Reference(kind, value, _hmac(kind, value)) for kind, value in read.names),
        )
        found = recognise(arrival, self._known(), self.pipeline, REGION)
        self._take(found, ACTORS["client"])
        for reference in arrival.own:
            self._referred.setdefault(reference.hmac, Referred(arrival.inbound_id, found.contact, found.lead))

    def refuse(self, channel: Any) -> None:
        """The client refuses to be contacted on a channel (C7); what is on its way there stops."""
        self._begin()
        state, body = self.there(), c.Permit(channel=channel, allowed=False, how="call")
        for contact, event in permit(state, body, self.person):
            self._contact_events(contact, [event])
        channels = frozenset({"email", "sms", "ads"} if channel == "all" else {channel})
        stopped = tuple(outward.refused(state, channels, self._id()))
        self._happen(stopped, ACTORS["client"])
        self._follow(state, stopped, ACTORS["client"])

    def mail(self, *, works: bool) -> None:
        """The mail goes down, or works again: what waits goes out then."""
        self._begin(timedelta(0))
        self.mail_works = works
        self._settle()

    def pass_time(self, moment: datetime) -> None:
        """It is later; whatever was due meanwhile happened when it was due."""
        self._begin(timedelta(0))
        self._let_pass(moment)
        self.now = moment

    @property
    def person(self) -> Person:
        """The client."""
        return Person((self._contacts[self.there().contact],))

    @property
    def times(self) -> Times:
        """The moment, and the working time of scenarios."""
        return Times(self.now, self.people.calendar)

    def there(self) -> LeadState:
        """The lead. Raises LookupError where there is none yet."""
        if self.lead is None:
            raise LookupError
        return self.lead

    @property
    def deal_counts(self) -> bool:
        """Whether the lead came to the conversion point, in a visit that was no mistake (C5)."""
        visits: dict[int, str] = {}
        for entry in self.story:
            if isinstance(entry.happened, e.StageEntered):
                visits[entry.happened.visit] = entry.happened.stage
                visits.pop(entry.happened.undoes or 0, None)
        return self.pipeline.conversion_point in visits.values()

    def _around(self, activity: UUID | None = None) -> Surroundings:
        """What deciding needs beyond the lead: who works there, what the client refused (C7)."""
        answers = contactable(self.person.permissions, self.now.date())
        refused: dict[str, Permission] = {
            channel: a.proof for channel, a in answers.items() if not a.allowed and a.proof is not None
        }
        return Surroundings(self.people.names, region=REGION, activity=activity, refused=refused)

    # --- the store's part ------------------------------------------------------------------------------------------

    def _begin(self, step: timedelta = STEP) -> None:
        self.now += step
        self.refusal, self.just, self.by_itself, self.another_lead = None, (), set(), False

    def _refused(self, refusal: Refusal, by: Actor) -> None:
        self.refusal = refusal
        self.story.append(Entry(self.now, by, refusal))

    def _take(self, found: Recognised, by: Actor, *, by_hand: bool = False) -> None:
        """What was recognised or captured comes to pass."""
        if found.contact is not None:
            self._contact_events(found.contact, found.contact_events)
        for identity in found.claims:
            assert found.contact is not None
            self._owners[identity.hmac] = Owner(found.contact, False)
        if found.lead is None:
            return
        if self.lead is not None and found.lead != self.lead.lead:
            self.another_lead = True
            return
        before, given = self.lead, list[e.Event]()
        if self.lead is None:
            self._start(found.lead, found.lead_events, by)
            given = self._assign(by if by_hand else None, found.ruled)
        else:
            self._happen(found.lead_events, by)
        self._happen(found.ruled, PIPELINE_RULES)
        self._follow(before, (*found.lead_events, *given, *found.ruled), by)

    def _assign(self, found_by: Actor | None = None, ruled: Sequence[e.Event] = ()) -> list[e.Event]:
        """A new lead is given by itself, where a team is said (C4): what more follows from. `found_by`: who entered it by hand;
        `ruled`: what is about to be written on its card."""
        if not self.people.said:
            return []
        state = self.there()
        written = {
            name: value
            for event in ruled
            if isinstance(event, e.CardRecorded)
            for name, value in (known(event.values) or {}).items()
        }
        decision = self.people.choose(with_(state, card={**state.card, **written}), self.now)
        taken = decision.found_by(found_by.id) if found_by is not None else None
        if taken is not None:
            self._happen([taken], found_by or ROTATION)
            return []
        given: e.Event = decision.pooled(None) if decision.to is None else decision.assigned(None)
        self._happen([given], ROTATION)
        return [given] if isinstance(given, e.LeadPooled) else []

    def _choose(self, lead: LeadState, without: str | None) -> Decision:
        """Who gets a lead that is taken from somebody, or waits in the pool."""
        return self.people.choose(lead, self.now, without)

    def _follow(self, before: LeadState | None, events: Sequence[e.Event], by: Actor, *, moves: bool = True) -> None:
        """Whatever the lead does by itself now, as far as it goes."""
        self._after(before, events, by, moves=moves)
        self._settle()

    def _after(self, before: LeadState | None, events: Sequence[e.Event], by: Actor, *, moves: bool = True) -> None:
        depth = depth_of(before, by, events) if before is not None else 0
        choose = self._choose if self.people.said else None
        now = Following(self.pipeline, self.times, self._around, self._id(), self._record, moves, choose=choose)
        follow(now, before, self.there(), events, depth)

    def _record(self, events: Sequence[e.Event], by: Actor, depth: int) -> LeadState:
        self._happen(events, by, depth)
        return self.there()

    def _let_pass(self, moment: datetime) -> None:
        """Every robot that is due until then fires, in order, each at its instant."""
        for _ in range(MOST_FIRINGS):
            armed = due_next(self.lead, moment)
            if armed is None:
                return
            self.now = max(self.now, armed.due_at)
            self._fire(armed)
            self._deliver()

    def _settle(self) -> None:
        """What is due now happens, and what it asks for is delivered."""
        self._deliver()
        self._let_pass(self.now)

    def _fire(self, armed: Armed) -> None:
        state, by = self.there(), Actor(id=armed.robot, kind="robot")
        events = fired(state, armed, self.pipeline, self.times, self.person, self.people.names, self._choose)
        self._happen(events, by)
        self._after(state, events, by)

    def _deliver(self) -> None:
        """The delivery service tells what came of everything that it can carry out now."""
        while self.lead is not None and (told := reports(self.there(), self._id(), mail_works=self.mail_works)):
            state = self.there()
            self._happen(told, DELIVERY)
            self._after(state, told, DELIVERY)

    def _start(self, lead: UUID, events: Sequence[e.Event], by: Actor) -> None:
        self.lead = evolve_lead(None, self._meta(lead, 1, events[0], by), events[0])
        self.just = (*self.just, events[0])
        self.story.append(Entry(self.now, by, events[0]))
        self._happen(events[1:], by)

    def _happen(self, events: Iterable[e.Event], by: Actor, depth: int = 0) -> None:
        for event in events:
            state = self.there()
            meta = self._meta(state.lead, state.version + 1, event, by).model_copy(update={"autodepth": depth})
            self.lead = evolve_lead(state, meta, event)
            if isinstance(event, e.LeadAssigned):
                self.people.given(event)
            if isinstance(event, e.StageEntered) and by.kind in BY_ITSELF and not self._placing:
                self.by_itself.add(event.stage)
            self.just = (*self.just, event)
            self.story.append(Entry(self.now, by, event))
            if isinstance(event, e.StageEntered) and event.from_stage and not self._placing:
                self.moves.add((event.from_stage, event.stage))

    def _contact_events(self, contact: UUID, events: Iterable[e.Event]) -> None:
        for event in events:
            state = self._contacts.get(contact)
            version = state.version + 1 if state is not None else 1
            meta = self._meta(contact, version, event, ACTORS["client"])
            self._contacts[contact] = evolve_contact(state, meta, event)

    def _own_identities(self) -> None:
        """The client's phone and e-mail find them from here on."""
        state = self.there()
        for kind, value in (("phone", state.phone), ("email", state.email)):
            if value and _hmac(kind, value) not in self._owners:
                self._owners[_hmac(kind, value)] = Owner(state.contact, False)
                added = e.IdentityAdded.model_validate({"identity_kind": kind, "value": value})
                self._contact_events(state.contact, [added])

    def _known(self) -> Known:
        lead = self.lead
        open_leads = {lead.contact: lead.lead} if lead is not None and lead.is_open else {}
        leads = {lead.lead: lead} if lead is not None else {}
        back = brought_back(leads.values(), lambda lead: self.pipeline)
        returning = {lead.contact: back} if lead is not None and back is not None else {}
        return Known(self._owners, self._contacts, open_leads, leads, self._referred, returning=returning)

    def _id(self) -> UUID:
        self._count += 1
        return UUID(int=self._count)

    def _person(self, stream: UUID, data: e.Event) -> UUID:
        """Whose data an event holds: the lead's contact, or the contact itself."""
        if isinstance(data, e.LeadCaptured):
            return data.contact
        return self.lead.contact if self.lead is not None and self.lead.lead == stream else stream

    def _meta(self, stream: UUID, version: int, data: e.Event, by: Actor) -> Meta:
        return Meta(
            stream=stream,
            version=version,
            kind=data.KIND,
            type=data.TOPIC,
            happened_at=self.now,
            recorded_at=self.now,
            actor=by,
            command=self._id(),
            correlation="scenario",
            person=self._person(stream, data),
            pipeline=f"{self.pipeline.pipeline}@1",
        )


def _hmac(kind: str, value: str) -> bytes:
    return f"{kind}:{value}".encode()
