"""Commands: intentions about a lead or deal, or about an employee's incident journal (`contracts.journal`), by HTTP from people
and on `leads.commands` from reactors (spec I).

Invariants: a command has an id; the same id is carried out once and answered alike ever after, with another body it is an
error. On Kafka a command carries personal data only by reference, because that topic outlives an erasure by three days.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from contracts.command_parts import CommandBody as CommandBody
from contracts.command_parts import Link, Name, Person, Text
from contracts.events.lead import Every, Money
from contracts.journal import JOURNAL_MACHINE_BODIES, JournalBody
from contracts.meta import Actor, Ascii

COMMAND_TYPE: Final = "leadline.lead.command"
REFUSAL_TYPE: Final = "leadline.lead.command_refused"
"""`ce_type` of the records on `leads.commands` and `leads.refusals`."""
MOST_TOGETHER: Final = 8
"""Timers that one `fire` command brings at most: what the aggregate service does for one command stays short."""


class See(CommandBody):
    """S2: the person acting has seen the lead."""

    type: Literal["see"] = "see"


class Accept(CommandBody):
    """S2: the person acting takes the lead into work."""

    type: Literal["accept"] = "accept"


class Record(CommandBody):
    """S2, Q2: write fields of the card; an empty text clears one."""

    type: Literal["record"] = "record"
    fields: dict[Annotated[str, Field(min_length=1, max_length=100)], Annotated[str, Field(max_length=10_000)]] = Field(
        min_length=1, max_length=100
    )


class Offer(CommandBody):
    """S2: terms were offered to the client. Delivery is a date or a number of days, one of them."""

    type: Literal["offer"] = "offer"
    volume: Text
    price: Money
    delivery_date: date | None = None
    delivery_days: int | None = Field(default=None, ge=0, le=3660)
    comment: Text | None = None

    @model_validator(mode="after")
    def _one_delivery(self) -> Offer:
        if (self.delivery_date is None) == (self.delivery_days is None):
            raise ValueError("give the delivery time as delivery_date or as delivery_days, one of the two")
        return self


class Answer(CommandBody):
    """S2: the client's answer. `thinking` is understood and refused: it is no answer."""

    type: Literal["answer"] = "answer"
    answer: Literal["consent", "refusal", "thinking"]
    comment: Text | None = None


class Hold(CommandBody):
    """P3, P9: a call or a meeting with the client took place. `result`: one of the pipeline's options of the fact, where it has
    any; `activity`: the planned one that is done by it."""

    type: Literal["hold"] = "hold"
    kind: Literal["call", "meeting"]
    result: Name | None = None
    activity: UUID | None = None
    place: Text | None = None
    comment: Text | None = None


class Send(CommandBody):
    """S4: a document was sent to the client by hand. `document`: what it is, for example `proposal`, `contract`, `brief`."""

    type: Literal["send"] = "send"
    document: Name
    via: Literal["email", "messenger", "post", "in_person", "other"] = "other"
    name: Text | None = None
    link: Link | None = None
    comment: Text | None = None


class Attach(CommandBody):
    """A file belongs to the lead: one that is kept elsewhere, by its link, or one that came with a letter or was uploaded
    (`blob`). `label`: what it is, where the pipeline asks for it."""

    type: Literal["attach"] = "attach"
    name: Annotated[str, Field(min_length=1, max_length=500)]
    label: Name | None = None
    link: Link | None = None
    blob: UUID | None = None
    media_type: str | None = Field(default=None, max_length=100, pattern=r"^[a-z]+/[a-z0-9][a-z0-9.+\-]*$")
    size: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_place(self) -> Attach:
        if (self.link is None) == (self.blob is None):
            raise ValueError("give where the file is kept as link or as blob, one of the two")
        return self


class Approve(CommandBody):
    """The head's word on what the stage waits for."""

    type: Literal["approve"] = "approve"
    decision: Literal["granted", "denied"] = "granted"
    comment: Text | None = None


class Establish(CommandBody):
    """P3, P4, C8: a fact of the pipeline's own holds, with one of its options where it has any."""

    type: Literal["establish"] = "establish"
    fact: Name
    value: Name | None = None
    comment: Text | None = None


class Withdraw(CommandBody):
    """N12: a fact was recorded by mistake. `value`: which document or file, of those that hold side by side; left out: all."""

    type: Literal["withdraw"] = "withdraw"
    fact: Name
    value: Name | None = None
    comment: Text | None = None


FactBody = Annotated[
    See | Accept | Record | Offer | Answer | Hold | Send | Attach | Approve | Establish,
    Field(discriminator="type"),
]
"""What may come along with a change of stage, to be recorded before it: all of it or nothing."""
First = Annotated[tuple[FactBody, ...], Field(max_length=20)]


class Move(CommandBody):
    """K2: move the lead along the scale. `first`: what is recorded before, in the same act. `override`: a head's reason to move
    it although rules do not hold; recorded, and reported apart."""

    type: Literal["move"] = "move"
    to: str = Field(min_length=1, max_length=60)
    first: First = ()
    override: Text | None = None


class Reject(CommandBody):
    """S3, C1: end the work by one of the pipeline's reject statuses, with one of its reasons where it has any."""

    type: Literal["reject"] = "reject"
    status: str = Field(min_length=1, max_length=60)
    reason: Name | None = None
    comment: Text | None = None
    first: First = ()


class Pause(CommandBody):
    """S3: put the lead off, with a reason, to a date."""

    type: Literal["pause"] = "pause"
    until: date
    reason: Text
    reason_id: Name | None = None
    """One of the stage's reasons in the pipeline, where it has any."""
    status: str | None = Field(default=None, max_length=60)
    """Which postponed stage, where the pipeline has several."""
    first: First = ()


class Convert(CommandBody):
    """C1: the lead becomes a deal."""

    type: Literal["convert"] = "convert"
    first: First = ()
    override: Text | None = None


class Reopen(CommandBody):
    """S3: go on with a rejected or paused lead, from the stage it had left."""

    type: Literal["reopen"] = "reopen"
    reason: Text | None = None


class Assign(CommandBody):
    """C4: give the lead to another responsible by hand."""

    type: Literal["assign"] = "assign"
    to: Person
    comment: Text | None = None


class HandOver(CommandBody):
    """C4: somebody left, or is away: what is theirs on this lead goes to others: the lead where they are responsible, and the
    tasks that are theirs by name. Where nothing is theirs any more, nothing happens."""

    type: Literal["hand_over"] = "hand_over"
    of: Person
    to: Person | None = None
    """Left out: by the rules of the pipeline; where nobody may have the lead, it waits in the pool."""


class Plan(CommandBody):
    """S4: plan a call, a letter, a meeting or another task; no stage changes by it."""

    type: Literal["plan"] = "plan"
    kind: Literal["call", "letter", "meeting", "task"]
    text: Text | None = None
    due_at: AwareDatetime | None = None
    assignee: Person | None = None
    """Who is to do it; left out: whoever is responsible for the lead."""
    remind_at: AwareDatetime | None = None
    """When whoever is to do it is reminded."""
    every: Every | None = None
    """Planned anew so long after each time it was done; needs `due_at`."""
    key: bool = False
    """Q7: a key action: not done by `due_at` it is a miss like any deadline's."""

    @model_validator(mode="after")
    def _every_from_an_instant(self) -> Plan:
        if self.every is not None and self.due_at is None:
            raise ValueError("every goes with due_at: the next one is counted from it")
        if self.every is not None and not (self.every.days or self.every.months):
            raise ValueError("every is of days or months, for example {days: 7}")
        if self.key and self.due_at is None:
            raise ValueError("key goes with due_at: a key action is done by an instant")
        return self


class Replan(CommandBody):
    """S4: a planned activity gets another instant, or none."""

    type: Literal["replan"] = "replan"
    activity: UUID
    due_at: AwareDatetime | None = None
    reason: Text | None = None


class CloseActivity(CommandBody):
    """S4: a planned activity is not needed any more; nobody did it."""

    type: Literal["close_activity"] = "close_activity"
    activity: UUID
    reason: Text | None = None


class Complete(CommandBody):
    """S4: a planned activity is done; what came of it is said."""

    type: Literal["complete"] = "complete"
    activity: UUID
    result: Text


class Review(CommandBody):
    """Q5: the head judges a lead that was made poor: it is, or it goes back to work, with a reason."""

    type: Literal["review"] = "review"
    decision: Literal["confirm", "return"]
    reason: Text | None = None

    @model_validator(mode="after")
    def _reason_of_a_return(self) -> Review:
        if self.decision == "return" and self.reason is None:
            raise ValueError("say why the lead goes back to work: reason")
        return self


class RateCard(CommandBody):
    """Q11: how the client found the card's questions, from 1 to 5: easy, worth the time, comfortable."""

    type: Literal["rate_card"] = "rate_card"
    ease: int = Field(ge=1, le=5)
    time: int = Field(ge=1, le=5)
    comfort: int = Field(ge=1, le=5)
    comment: Text | None = None


class Undo(CommandBody):
    """N12: the last change of stage was a mistake: the lead stands where it stood before, and the mistake counts for nothing."""

    type: Literal["undo"] = "undo"
    reason: Text | None = None


class Adopt(CommandBody):
    """M3: the lead goes on under another version of its pipeline, or in another pipeline, in the stage named."""

    type: Literal["adopt"] = "adopt"
    pipeline: Name
    number: int = Field(ge=1)
    stage: Name | None = None
    """Where it stands there; left out: in the stage of the same id."""
    returns_to: Name | None = None
    """Of a rejected or paused lead: the open stage it comes back to there; left out: the one it left."""
    reason: Literal["published", "by_hand"] = "by_hand"
    comment: Text | None = None


class Merge(CommandBody):
    """N15, N16: this lead is the same wish of the same person as another, which goes on."""

    type: Literal["merge"] = "merge"
    into: UUID
    comment: Text | None = None


class Unmerge(CommandBody):
    """N16: this lead was merged into another by mistake, and stands by itself again."""

    type: Literal["unmerge"] = "unmerge"
    comment: Text | None = None


class Dismiss(CommandBody):
    """C3: whoever has the same phone or e-mail is another person: the suspected duplicate is none."""

    type: Literal["dismiss"] = "dismiss"
    other_contact: UUID
    comment: Text | None = None


class Permit(CommandBody):
    """C7: the client allows or refuses to be contacted on a channel; how they said it, in which words, is the proof."""

    type: Literal["permit"] = "permit"
    channel: Literal["phone", "sms", "email", "messenger", "ads", "all"]
    allowed: bool
    how: Literal["call", "letter", "form", "message", "in_person", "link", "by_hand"] = "by_hand"
    until: date | None = None
    """Of a refusal for a time: the day from which it holds no more."""
    words: Text | None = None

    @model_validator(mode="after")
    def _until_of_a_refusal(self) -> Permit:
        if self.allowed and self.until is not None:
            raise ValueError("until goes with a refusal: allowed: false")
        return self


class Confirm(CommandBody):
    """C9: what is known of a phone or e-mail of the client: somebody of them was reached there, or nobody ever is («не туда»)."""

    type: Literal["confirm"] = "confirm"
    kind: Literal["phone", "email"]
    value: Annotated[str, Field(min_length=1, max_length=320)]
    right: bool = True


class Capture(CommandBody):
    """P7, P10: a lead is entered by hand: a person, or a company without one. The command's `lead` is the new lead's id."""

    type: Literal["capture"] = "capture"
    pipeline: Name | None = None
    """Left out: the default pipeline."""
    source: Annotated[str, Field(min_length=1, max_length=200)] = "by_hand"
    name: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    company: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    phone: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    email: Annotated[str, Field(min_length=1, max_length=320)] | None = None
    comment: Text | None = None
    card: dict[Name, Annotated[str, Field(max_length=10_000)]] = Field(default_factory=dict, max_length=100)
    recommended_by: UUID | None = None
    """P7: the lead of whoever recommended them."""

    @model_validator(mode="after")
    def _somebody(self) -> Capture:
        if not (self.name or self.company or self.phone or self.email):
            raise ValueError("say who it is: name, company, phone or email, one of them at least")
        return self


class DueTimer(BaseModel):
    """A timer that is due with another one of its lead. `attempt`: the number of its command, from 1; `armed_version`: of the
    event that armed it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timer: UUID
    robot: str = Field(min_length=1, max_length=60)
    attempt: int = Field(ge=1)
    armed_version: int = Field(ge=1)


class Fire(CommandBody):
    """R1, decision 8: the instant of a robot has come. Sent by the robots service; the lead decides what becomes of it."""

    type: Literal["fire"] = "fire"
    timer: UUID
    robot: str = Field(min_length=1, max_length=60)
    also: tuple[DueTimer, ...] = Field(default=(), max_length=MOST_TOGETHER - 1)
    """Further timers of the lead, due with it: each is decided like a command of its own (`contracts.timers`)."""


class Report(CommandBody):
    """Decision 9: what came of an effect that was requested. Sent by the delivery service."""

    type: Literal["report"] = "report"
    effect: UUID
    outcome: Literal["done", "failed"]
    attempts: int = Field(ge=0)
    provider: str | None = Field(default=None, max_length=100)
    provider_id: str | None = Field(default=None, max_length=200)
    matched: int | None = Field(default=None, ge=0)
    doubtful: bool = False
    reason: str | None = Field(default=None, min_length=1, max_length=500)
    """Of a failure: a code and words, nothing personal."""

    @model_validator(mode="after")
    def _reason_of_a_failure(self) -> Report:
        if (self.outcome == "failed") != (self.reason is not None):
            raise ValueError("reason goes with outcome: failed, and is needed there")
        return self


class Repeat(CommandBody):
    """Decision 9: a person wants tried once more what the delivery service gave up."""

    type: Literal["repeat"] = "repeat"
    effect: UUID


class CancelRobot(CommandBody):
    """R6: a person takes an armed robot back."""

    type: Literal["cancel_robot"] = "cancel_robot"
    timer: UUID
    comment: Text | None = None


class StartRobots(CommandBody):
    """N5: the robots of the stage where the lead stands are armed, as if it had entered it at `at`; those that
    ran, wait, or were skipped in this stage visit are left alone. `robot`: only this one."""

    type: Literal["start_robots"] = "start_robots"
    at: AwareDatetime | None = None
    """Left out: now."""
    robot: Name | None = None
    fresh: bool = False
    """Leave alone, too, what a person cancelled or what failed in this stage visit: start only what never waited in it."""


class ChangeLabel(CommandBody):
    """R2: a label is put on the lead, or taken off."""

    type: Literal["tag"] = "tag"
    tag: Name
    on: bool = True


Body = Annotated[
    See
    | Accept
    | Record
    | Offer
    | Answer
    | Hold
    | Send
    | Attach
    | Approve
    | Establish
    | Withdraw
    | Move
    | Reject
    | Pause
    | Convert
    | Reopen
    | Undo
    | Assign
    | HandOver
    | Plan
    | Complete
    | Merge
    | Unmerge
    | Dismiss
    | Permit
    | Confirm
    | Adopt
    | Capture
    | Fire
    | Report
    | Repeat
    | CancelRobot
    | StartRobots
    | ChangeLabel
    | Replan
    | CloseActivity
    | Review
    | RateCard
    | JournalBody,
    Field(discriminator="type"),
]

COMMAND_BODIES: dict[str, type[CommandBody]] = {
    "see": See,
    "accept": Accept,
    "record": Record,
    "offer": Offer,
    "answer": Answer,
    "hold": Hold,
    "send": Send,
    "attach": Attach,
    "approve": Approve,
    "establish": Establish,
    "withdraw": Withdraw,
    "move": Move,
    "reject": Reject,
    "pause": Pause,
    "convert": Convert,
    "reopen": Reopen,
    "undo": Undo,
    "assign": Assign,
    "plan": Plan,
    "complete": Complete,
    "merge": Merge,
    "unmerge": Unmerge,
    "dismiss": Dismiss,
    "permit": Permit,
    "confirm": Confirm,
    "adopt": Adopt,
    "capture": Capture,
    "repeat": Repeat,
    "cancel_robot": CancelRobot,
    "start_robots": StartRobots,
    "tag": ChangeLabel,
    "replan": Replan,
    "close_activity": CloseActivity,
    "review": Review,
    "rate_card": RateCard,
}
"""Body by the command's name in `POST /api/leads/{id}/commands/{name}`."""
STAFF_BODIES: dict[str, type[CommandBody]] = {"hand_over": HandOver}
"""What the `leadline` command sends for people, lead by lead; the web's door does not take it."""
MACHINE_BODIES: dict[str, type[CommandBody]] = {"fire": Fire, "report": Report, **JOURNAL_MACHINE_BODIES}
"""What only the reactors send, on `leads.commands`."""


class Command(BaseModel):
    """A command with its envelope. `lead`: the stream it is about, a lead's, deal's or journal's. `expected_version`: refuse
    with 409 when the stream has moved on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    lead: UUID
    actor: Actor
    body: Body
    expected_version: int | None = Field(default=None, ge=1)
    happened_at: AwareDatetime | None = None
    """When it happened, if not now."""
    causation: Ascii | None = Field(default=None, max_length=200)
    correlation: Ascii | None = Field(default=None, max_length=200)
    autodepth: int = Field(default=0, ge=0)
    traceparent: Ascii | None = Field(default=None, max_length=100)


class EraseContact(BaseModel):
    """M7: destroy a person's keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    contact: UUID
    actor: Actor
    reason: Literal["asked", "retention", "by_hand"] = "by_hand"


class Missing(BaseModel):
    """One thing a refused command lacks: as data for programs, as words for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: Literal["fact", "field", "offer", "answer", "contact"]
    id: str
    ru: str
    en: str
    command: str | None = None
    """The command that records it; what it needs beside stands in the pipeline."""
    values: tuple[str, ...] = ()
    """Of a fact: the values that would do, where not any."""


class Refusal(BaseModel):
    """Why a command was refused: which rules, in words, what is missing, what to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[str, ...]
    ru: str
    en: str
    missing: tuple[Missing, ...] = ()
    overridable: bool = False
    """Whether a head may move the lead all the same, with a reason (`move` and `convert`: `override`)."""
    status: Literal[404, 409, 410, 422] = 422
    """The HTTP status that says it: 409 a stale version, 410 an erased person, 404 no such lead, 422 all else."""


class CommandResult(BaseModel):
    """What became of a command; a repeat of its id gets the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: UUID
    stream: UUID
    outcome: Literal["done", "refused", "parked"]
    first_version: int | None = None
    last_version: int | None = None
    refusal: Refusal | None = None
    at: datetime


class RefusalRecorded(BaseModel):
    """A message on `leads.refusals`: a refusal changes no stream, but is a public fact; `why` reads it (M5)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: UUID
    lead: UUID
    type: str
    actor: Actor
    version: int
    """The stream's version that the command was checked against; 0 where there is no such lead."""
    refusal: Refusal
    at: datetime
