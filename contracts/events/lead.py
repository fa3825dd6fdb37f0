"""Events of a lead: what happened between the first call and the outcome.

Invariants: every change of stage is one `StageEntered`, whatever caused it, so a reader of stage visits needs no other
event; `LeadCaptured` is version 1 of each lead's stream and is followed by its first `StageEntered`.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.events.base import Event
from contracts.events.contact import IdentityKind
from contracts.meta import AggregateKind
from contracts.personal import Personal

Outcome = Literal["open", "won", "lost", "postponed"]
StageCause = Literal[
    "captured", "moved", "rejected", "paused", "converted", "reopened", "auto", "adopted", "undone", "unmerged"
]
"""auto: by itself, everything being there; adopted: its pipeline changed under it; undone, unmerged: a mistake was corrected."""
StageDirection = Literal["in", "forward", "back", "skip", "out", "return", "across"]
"""in: captured; out: to a lost or postponed stage; return: back from one; across: into a stage of another pipeline or version."""
EntryBasis = Literal["check", "override", "adoption", "import", "correction"]
"""What let a lead enter a stage: the rules, or a person's word that is kept and counted apart."""
LostOutcome = Literal["refused", "contact", "ads", "bad_data"]
"""C1: what remains of a lost lead (`contracts.pipeline.LostOutcome`)."""


class LeadEvent(Event):
    """Base of a lead's events. `Meta.person` is the lead's contact; another one where the event came by an identity of a contact
    that is the same person (N16)."""

    KIND: ClassVar[AggregateKind] = "lead"


class LeadCaptured(LeadEvent):
    """K1, K5: a lead exists. `contact` is the person's stream; the raw message stays readable under `inbound_id`."""

    TOPIC: ClassVar[str] = "leadline.lead.captured"

    pipeline: str
    contact: UUID
    channel: str
    source: str
    form: str | None = None
    inbound_id: UUID | None = None
    received_at: datetime
    name: Personal[str | None] = None
    company: Personal[str | None] = None
    phone: Personal[str | None] = None
    email: Personal[str | None] = None
    comment: Personal[str | None] = None
    fields: Personal[dict[str, str]] = Field(default_factory=dict)
    """Every further field of the form, as posted."""
    recommended_by: UUID | None = None
    """P7: the lead of whoever recommended this client."""


class StageEntered(LeadEvent):
    """S1, M9: a stage visit began, and the one before it ended. Visits are numbered from 1 within the lead."""

    TOPIC: ClassVar[str] = "leadline.lead.stage_entered"

    stage: str
    kind: Outcome
    visit: int = Field(ge=1)
    from_stage: str | None = None
    from_visit: int | None = None
    cause: StageCause
    direction: StageDirection
    basis: EntryBasis = "check"
    overridden: tuple[str, ...] = ()
    """Of an override: the ids of the rules that did not hold."""
    override_reason: Personal[str | None] = None
    undoes: int | None = None
    """Of a correction: the stage visit that was a mistake and counts for nothing."""
    since: datetime | None = None
    """Of a correction: when the stay that goes on by it had begun; time in stage counts from then (N11)."""


class LeadAssigned(LeadEvent):
    """C4: the lead has a responsible; `reason` and `candidates` say why this one (N19)."""

    TOPIC: ClassVar[str] = "leadline.lead.assigned"

    to: str
    previous: str | None = None
    reason: Literal[
        "in_turn",
        "least_loaded",
        "owner",
        "by_hand",
        "imported",
        "robot",
        "as_the_lead",
        "missed_running",
        "idle",
        "from_pool",
        "handed_over",
    ]
    """as_the_lead: of a deal, whose lead has the same responsible; owner: a known client's lead goes to whoever had their last
    one; missed_running, idle: replaced, because deadlines were missed or nobody touched it; handed_over: somebody left, or is
    away."""
    candidates: tuple[str, ...] = ()
    """Who could have had it."""
    turn: int | None = None
    """Place in the rotation, for `in_turn`."""
    team: str | None = None
    """`team@number`."""
    rule: str | None = None
    """Which rule of the pipeline's assignment chose the candidates."""
    loads: dict[str, int] = Field(default_factory=dict)
    """N19, by candidate: open leads for `least_loaded`, leads had in turn for `in_turn`."""
    excluded: dict[str, str] = Field(default_factory=dict)
    """N19: why not, by person: left, not_yet, takes_none, skills, languages, directions, people, absent, off_hours, quota_open,
    quota_day, replaced."""
    comment: Personal[str | None] = None


class LeadSeen(LeadEvent):
    """S2: a person saw the lead («увидел»)."""

    TOPIC: ClassVar[str] = "leadline.lead.seen"


class LeadAccepted(LeadEvent):
    """S2: a person took the lead into work («принял»)."""

    TOPIC: ClassVar[str] = "leadline.lead.accepted"


class CardRecorded(LeadEvent):
    """S2, Q2: fields of the card were written. Only what changed is named; an empty text clears a field."""

    TOPIC: ClassVar[str] = "leadline.lead.card_recorded"

    names: tuple[str, ...]
    values: Personal[dict[str, str]]


class Money(BaseModel):
    """An amount in a currency (ISO 4217)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Decimal = Field(ge=0, max_digits=15, decimal_places=2)
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class OfferMade(LeadEvent):
    """S2: terms were offered to the client: volume, price, delivery time (a date or a number of days)."""

    TOPIC: ClassVar[str] = "leadline.lead.offer_made"

    volume: Personal[str]
    price: Money
    delivery_date: date | None = None
    delivery_days: int | None = Field(default=None, ge=0, le=3660)
    comment: Personal[str | None] = None


class AnswerReceived(LeadEvent):
    """S2: the client answered the offer. «Думает» is no answer and never recorded as one."""

    TOPIC: ClassVar[str] = "leadline.lead.answer_received"

    answer: Literal["consent", "refusal"]
    comment: Personal[str | None] = None


class LeadRejected(LeadEvent):
    """S3: work with the lead ended without a deal; `status` is the reason, `from_stage` where it was rejected from."""

    TOPIC: ClassVar[str] = "leadline.lead.rejected"

    status: str
    from_stage: str
    comment: Personal[str | None] = None
    reason: str | None = None
    """Of the status's reasons in the pipeline, where it has any."""
    outcome: LostOutcome = "refused"


class LeadPaused(LeadEvent):
    """S3: put off, with a reason, to the date it comes back on, to the stage it left. No loss in the funnel."""

    TOPIC: ClassVar[str] = "leadline.lead.paused"

    status: str
    from_stage: str
    until: date
    reason: Personal[str]
    reason_id: str | None = None
    """Of the stage's reasons in the pipeline, where it has any."""


class LeadConverted(LeadEvent):
    """C1: the lead became a deal (the fact only; nothing is copied, N17)."""

    TOPIC: ClassVar[str] = "leadline.lead.converted"

    from_stage: str


class LeadReopened(LeadEvent):
    """S3: work goes on, from the stage it had left."""

    TOPIC: ClassVar[str] = "leadline.lead.reopened"

    from_stage: str
    to_stage: str
    reason: Personal[str | None] = None


class InboundJoined(LeadEvent):
    """C3: a further message of a known person came to this, their open lead."""

    TOPIC: ClassVar[str] = "leadline.lead.inbound_joined"

    inbound_id: UUID
    channel: str
    source: str
    form: str | None = None
    received_at: datetime
    name: Personal[str | None] = None
    company: Personal[str | None] = None
    phone: Personal[str | None] = None
    email: Personal[str | None] = None
    comment: Personal[str | None] = None
    fields: Personal[dict[str, str]] = Field(default_factory=dict)


class DuplicateSuspected(LeadEvent):
    """C3: the same phone or e-mail belongs to a person of another name; nothing was joined, a person decides."""

    TOPIC: ClassVar[str] = "leadline.lead.duplicate_suspected"

    identity_kind: IdentityKind
    other_contact: UUID
    other_lead: UUID | None = None


class DuplicateDismissed(LeadEvent):
    """C3: a person says that whoever has the same phone or e-mail is somebody else: nothing is to be decided any more."""

    TOPIC: ClassVar[str] = "leadline.lead.duplicate_dismissed"

    other_contact: UUID
    comment: Personal[str | None] = None


class CallFacts(LeadEvent):
    """What is known of a call: whole in each of its events, so that the last one says all."""

    inbound_id: UUID
    call_id: Personal[str]
    call_direction: Literal["in", "out"]
    answered: bool
    started_at: datetime
    ended_at: datetime | None = None
    number: Personal[str | None] = None
    """The client's, E.164."""
    line: str | None = None
    """The number of ours that was called or called from, as the telephone system names it."""
    agent: Personal[str | None] = None
    recording: Personal[str | None] = None
    """Where it can be heard (http or https)."""


class CallRecorded(CallFacts):
    """S4, C3: a call with the client, answered or missed; any number fits in one stage."""

    TOPIC: ClassVar[str] = "leadline.lead.call_recorded"


class CallUpdated(CallFacts):
    """A later report of a call that is recorded on this lead already: it was answered, has ended, its recording is there."""

    TOPIC: ClassVar[str] = "leadline.lead.call_updated"


class Attachment(BaseModel):
    """A file of a letter: `blob` is where it is kept, `media_type` the sender's word (`application/octet-stream` where that
    is no media type)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    media_type: str
    size: int = Field(ge=0)
    blob: UUID


class LetterReceived(LeadEvent):
    """S4, C3: a letter of the client, with its text. `reply`: it answers a letter that reached them."""

    TOPIC: ClassVar[str] = "leadline.lead.letter_received"

    inbound_id: UUID
    account: str
    received_at: datetime
    reply: bool = False
    name: Personal[str | None] = None
    email: Personal[str]
    to: Personal[tuple[str, ...]] = ()
    cc: Personal[tuple[str, ...]] = ()
    subject: Personal[str]
    text: Personal[str]
    message_id: Personal[str | None] = None
    attachments: tuple[Attachment, ...] = ()
    attachment_names: Personal[tuple[str, ...]] = ()
    """As the sender named the files, in the order of `attachments`."""


class AutomaticMailReceived(LeadEvent):
    """A machine answered: an absence note, or a report that a letter did not arrive. Nobody was reached by it."""

    TOPIC: ClassVar[str] = "leadline.lead.automatic_mail_received"

    inbound_id: UUID
    mail_kind: Literal["auto_reply", "bounce"]
    received_at: datetime
    email: Personal[str | None] = None
    subject: Personal[str | None] = None
    text: Personal[str | None] = None
    status: str | None = None
    """Of a bounce: the code of the other side's server (RFC 3463)."""


class VisitRecorded(LeadEvent):
    """C3: the client came to a page of ours, or to a place."""

    TOPIC: ClassVar[str] = "leadline.lead.visit_recorded"

    inbound_id: UUID
    received_at: datetime
    page: Personal[str | None] = None
    place: Personal[str | None] = None


ActivityKind = Literal["call", "letter", "meeting", "task"]


class Every(BaseModel):
    """How long after an activity was due the next one is (`contracts.pipeline.Period`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    months: int = 0
    days: int = 0
    working: bool = False


class ActivityPlanned(LeadEvent):
    """S4: something is to be done for the lead. It is no stage and moves none."""

    TOPIC: ClassVar[str] = "leadline.lead.activity_planned"

    activity: UUID
    activity_kind: ActivityKind
    reason: Literal[
        "by_hand",
        "callback_ordered",
        "missed_call",
        "robot",
        "trigger_refused",
        "bounced",
        "effect_failed",
        "robot_failed",
        "deadline",
        "recurring",
        "returned",
        "undone",
    ]
    """recurring: comes again after it was done; returned: the head returned the lead to work (Q5); undone: what had closed it was
    a mistake, so the same activity is open again, as it was."""
    due_at: datetime | None = None
    assignee: str | None = None
    """Who is to do it; left out: whoever is responsible for the lead."""
    text: Personal[str | None] = None
    inbound_id: UUID | None = None
    """The message that it is an answer to."""
    robot: str | None = None
    """Of `robot`: which one planned it; of `trigger_refused`: the trigger."""
    visit: int | None = Field(default=None, ge=1)
    """Of `robot`: the stage visit it belongs to."""
    calendar: str | None = None
    """`team@number` of the calendar in which its due instant was counted."""
    deadline: str | None = None
    """Of `deadline`: which one it stands for."""
    key: bool = False
    """Q7: not done by its instant it is a miss like any deadline's."""
    remind_at: datetime | None = None
    """When whoever is to do it is reminded."""
    every: Every | None = None
    """Planned anew so long after each time it was done."""
    replaces: UUID | None = None
    """Of `recurring`: the one that was done."""


class ActivityDone(LeadEvent):
    """S4: a planned activity is done, with its result."""

    TOPIC: ClassVar[str] = "leadline.lead.activity_done"

    activity: UUID
    activity_kind: ActivityKind
    reason: Literal["by_hand", "answered_call", "recorded"]
    """recorded: what it asked for stands in the card."""
    result: Personal[str | None] = None
    inbound_id: UUID | None = None
    """The message that shows it is done."""


class CallHeld(LeadEvent):
    """P3, C2: a person says that they talked with the client; `result` is one of the pipeline's options of the fact."""

    TOPIC: ClassVar[str] = "leadline.lead.call_held"

    result: str | None = None
    activity: UUID | None = None
    """The planned call that it was."""
    comment: Personal[str | None] = None


class MeetingHeld(LeadEvent):
    """P3, P9: a meeting with the client took place; `result` is one of the pipeline's options of the fact."""

    TOPIC: ClassVar[str] = "leadline.lead.meeting_held"

    result: str | None = None
    activity: UUID | None = None
    place: Personal[str | None] = None
    comment: Personal[str | None] = None


class DocumentSent(LeadEvent):
    """S4: a document went to the client by hand. `document`: what it is (`proposal`, `contract`, `brief`)."""

    TOPIC: ClassVar[str] = "leadline.lead.document_sent"

    document: str
    via: Literal["email", "messenger", "post", "in_person", "other"] = "other"
    name: Personal[str | None] = None
    link: Personal[str | None] = None
    comment: Personal[str | None] = None


class FileAttached(LeadEvent):
    """A file belongs to the lead: kept here (`blob`) or elsewhere (`link`). `label` says what it is, `contract` for one."""

    TOPIC: ClassVar[str] = "leadline.lead.file_attached"

    label: str | None = None
    name: Personal[str]
    link: Personal[str | None] = None
    blob: UUID | None = None
    media_type: str | None = None
    size: int | None = Field(default=None, ge=0)


class ApprovalGiven(LeadEvent):
    """The head's word on what the stage waits for: granted or denied. The last one counts."""

    TOPIC: ClassVar[str] = "leadline.lead.approval_given"

    decision: Literal["granted", "denied"]
    comment: Personal[str | None] = None


class FactEstablished(LeadEvent):
    """P3, P4, C8: a fact of the pipeline's own holds, with the value it has where it has options."""

    TOPIC: ClassVar[str] = "leadline.lead.fact_established"

    fact: str
    value: str | None = None
    comment: Personal[str | None] = None


class FactWithdrawn(LeadEvent):
    """N12: a fact was recorded by mistake; what was recorded stays in the history, and counts no more."""

    TOPIC: ClassVar[str] = "leadline.lead.fact_withdrawn"

    fact: str
    value: str | None = None
    """Which one, of facts that hold side by side; none: the fact whatever its value."""
    comment: Personal[str | None] = None


class LeadAdopted(LeadEvent):
    """M3: the lead goes on under another version of its pipeline, or in another pipeline. A change of stage that comes with it
    is a `StageEntered` of its own; no robot starts and no deadline anew."""

    TOPIC: ClassVar[str] = "leadline.lead.adopted"

    pipeline: str
    number: int = Field(ge=1)
    from_pipeline: str
    from_number: int = Field(ge=1)
    reason: Literal["published", "by_hand"]
    comment: Personal[str | None] = None
    returns_to: str | None = None
    """Of a lead that stands in an outcome: the open stage it comes back to from now on, where that is not the one it left."""


class LeadMerged(LeadEvent):
    """N15, N16: this lead was the same wish as another, which goes on; its stage visit ends here. Nothing of it is lost."""

    TOPIC: ClassVar[str] = "leadline.lead.merged"

    into: UUID
    into_contact: UUID
    comment: Personal[str | None] = None


class LeadAbsorbed(LeadEvent):
    """N16: another lead was merged into this one, which goes on."""

    TOPIC: ClassVar[str] = "leadline.lead.absorbed"

    lead: UUID
    contact: UUID


class LeadUnmerged(LeadEvent):
    """N16: the merge was a mistake; this lead stands by itself again, where it stood."""

    TOPIC: ClassVar[str] = "leadline.lead.unmerged"

    into: UUID
    """Which lead it had been merged into."""
    comment: Personal[str | None] = None


class LeadReleased(LeadEvent):
    """N16: a lead that was merged into this one by mistake stands by itself again. What came in meanwhile by the identities of
    its person goes with it (`moved`: versions of this stream)."""

    TOPIC: ClassVar[str] = "leadline.lead.released"

    lead: UUID
    contact: UUID
    moved: tuple[int, ...] = ()


class ClientRecommended(LeadEvent):
    """P7: this client recommended another, who is a lead of their own."""

    TOPIC: ClassVar[str] = "leadline.lead.client_recommended"

    lead: UUID
