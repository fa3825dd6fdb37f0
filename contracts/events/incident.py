"""Events of the incident journal: a stream for each employee and quarter (Q5, Q6, Q9, D6, decision 7).

Nothing here is personal data of a client: leads are named by id, employees by the name they work under. Invariants: an incident
is recorded once, under an id that follows from what it is about; a miss counts as a strike once its notice has reached the
person, and the strike's number stands from then on: only a restatement changes it, and both are kept; an escalation is opened
once, and each later miss of the period is added to it once. A notice is requested once and closed by done or failed, and can
be repeated after a failure, as effects are."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.events.base import Event
from contracts.events.deadlines import MissCause, Term
from contracts.meta import AggregateKind

IncidentKind = Literal["deadline", "raised", "pool", "silent_channel", "dead_letter"]
"""deadline: a miss (Q6); raised: by a robot of the pipeline (C2); pool: a lead that nobody may have (C4); silent_channel:
nothing came in by a channel for too long (N18); dead_letter: an effect was given up, or an inbound message could not be
read."""
NoticeAbout = Literal["incident", "escalation", "digest", "card_review"]


class JournalEvent(Event):
    """Base of the journal's events."""

    KIND: ClassVar[AggregateKind] = "incident"


class IncidentRecorded(JournalEvent):
    """Q6: who, which lead, which rule, due and missed by how much, the cause, and whether it can count as a strike."""

    TOPIC: ClassVar[str] = "leadline.incident.recorded"

    incident: UUID
    incident_kind: IncidentKind
    employee: str
    """Whose it is; of what is nobody's: the head who looks after it."""
    lead: UUID | None = None
    of_deal: bool = False
    pipeline: str | None = None
    stage: str | None = None
    rule: str
    """Id of the deadline or robot; of a channel or letter: its name."""
    because: str | None = None
    """Id of the event it follows from (`stream-version`)."""
    due_at: datetime
    missed_s: int = Field(ge=0)
    """Working time between the due instant and the record, in seconds."""
    cause: MissCause | Literal["channel", "provider"]
    counts: bool
    """Whether it is a strike once told: of a person's own misses alone."""
    turn: int | None = Field(default=None, ge=1)
    begun_at: datetime | None = None
    term: Term | None = None
    calendar: str | None = None
    text: str | None = Field(default=None, max_length=1_000)
    """The pipeline's words, or the system's."""


class IncidentTold(JournalEvent):
    """Q6: the notice has reached the person. `strike`: which one of the period it is (the `of`th escalates); None: it counts
    not."""

    TOPIC: ClassVar[str] = "leadline.incident.told"

    incident: UUID
    via: Literal["app", "mail"]
    strike: int | None = Field(default=None, ge=1)
    of: int = Field(ge=1)
    days: int = Field(ge=1)
    """Length of the period in which strikes are counted, in days."""


class IncidentAcknowledged(JournalEvent):
    """The employee has taken note, with a word on it or without."""

    TOPIC: ClassVar[str] = "leadline.incident.acknowledged"

    incident: UUID
    comment: str | None = Field(default=None, max_length=2_000)


class IncidentExcused(JournalEvent):
    """Q6: the head excuses it, with a reason: it counts no more; strikes after it keep their numbers."""

    TOPIC: ClassVar[str] = "leadline.incident.excused"

    incident: UUID
    reason: str = Field(max_length=2_000)


class IncidentRestated(JournalEvent):
    """N20: the verdict under a corrected calendar. The original stays: both are reported."""

    TOPIC: ClassVar[str] = "leadline.incident.restated"

    incident: UUID
    verdict: Literal["stands", "in_time", "not_due"]
    """stands: missed all the same; in_time: it was done by the right instant; not_due: that instant was yet to come at the
    record."""
    due_at: datetime
    """When it was due in truth."""
    calendar: str
    strike: int | None = Field(default=None, ge=1)
    """Its number among the strikes of the period, restated; None: it counts not."""
    reason: str = Field(max_length=2_000)


class EscalationOpened(JournalEvent):
    """Q6: the Nth miss in the period: the employee's manager is told."""

    TOPIC: ClassVar[str] = "leadline.incident.escalation_opened"

    escalation: UUID
    employee: str
    to: str | None = None
    """The manager; None: nobody is named, it stands in every head's queue."""
    strike: int = Field(ge=1)
    incidents: tuple[UUID, ...]
    days: int = Field(ge=1)


class EscalationExtended(JournalEvent):
    """Q6: a later miss of the period is added, and told once."""

    TOPIC: ClassVar[str] = "leadline.incident.escalation_extended"

    escalation: UUID
    incident: UUID
    strike: int = Field(ge=1)


class EscalationClosed(JournalEvent):
    """The manager has dealt with it, and says how; or nothing is left of it after excuses and restatements."""

    TOPIC: ClassVar[str] = "leadline.incident.escalation_closed"

    escalation: UUID
    by: Literal["manager", "nothing_left"]
    comment: str | None = Field(default=None, max_length=2_000)


class NoticeRequested(JournalEvent):
    """Something is to be told to somebody of ours by mail, once, under this id."""

    TOPIC: ClassVar[str] = "leadline.incident.notice_requested"

    effect: UUID
    to: str
    about: NoticeAbout
    incident: UUID | None = None
    escalation: UUID | None = None
    language: Literal["ru", "en"] = "ru"
    subject: str = Field(max_length=300)
    text: str = Field(max_length=20_000)


class NoticeDone(JournalEvent):
    """The next mail server took it."""

    TOPIC: ClassVar[str] = "leadline.incident.notice_done"

    effect: UUID
    attempts: int = Field(ge=1)
    provider: str | None = None
    provider_id: str | None = None
    doubtful: bool = False


class NoticeFailed(JournalEvent):
    """It could not be told by mail: a miss whose notice failed does not count until it is shown to the person."""

    TOPIC: ClassVar[str] = "leadline.incident.notice_failed"

    effect: UUID
    attempts: int = Field(ge=0)
    provider: str | None = None
    reason: str = Field(max_length=500)
    doubtful: bool = False


class NoticeRepeated(JournalEvent):
    """A person wants a notice tried once more that could not be told (decision 9)."""

    TOPIC: ClassVar[str] = "leadline.incident.notice_repeated"

    effect: UUID
    to: str


class DigestMade(JournalEvent):
    """D6: the day's list of what is overdue, for a head; its notice is requested beside it."""

    TOPIC: ClassVar[str] = "leadline.incident.digest_made"

    team: str
    day: date
    overdue: int = Field(ge=0)
    people: dict[str, int]
    """Overdue tasks by person."""


class CardReviewDue(JournalEvent):
    """Q11: the head is to look over the card of a pipeline: what is filled, what is used, what clients say."""

    TOPIC: ClassVar[str] = "leadline.incident.card_review_due"

    review: UUID
    pipeline: str
    period_start: date
    period_end: date


class CardReviewDone(JournalEvent):
    """Q11: the head has looked the card over, and says what follows."""

    TOPIC: ClassVar[str] = "leadline.incident.card_review_done"

    review: UUID
    comment: str | None = Field(default=None, max_length=2_000)
