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
from contracts.meta import AggregateKind
from contracts.personal import Personal

Outcome = Literal["open", "won", "lost", "postponed"]
StageCause = Literal["captured", "moved", "rejected", "paused", "converted", "reopened"]
StageDirection = Literal["in", "forward", "back", "skip", "out", "return"]
"""in: captured; out: to a lost or postponed stage; return: back from one."""


class LeadEvent(Event):
    """Base of a lead's events."""

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


class LeadAssigned(LeadEvent):
    """C4: the lead has a responsible; `reason` and `candidates` say why this one (N19)."""

    TOPIC: ClassVar[str] = "leadline.lead.assigned"

    to: str
    previous: str | None = None
    reason: Literal["in_turn", "by_hand", "imported"]
    candidates: tuple[str, ...] = ()
    turn: int | None = None
    """Place in the rotation, for `in_turn`."""
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


class LeadPaused(LeadEvent):
    """S3: put off, with a reason, to the date it comes back on, to the stage it left. No loss in the funnel."""

    TOPIC: ClassVar[str] = "leadline.lead.paused"

    status: str
    from_stage: str
    until: date
    reason: Personal[str]


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

    identity_kind: Literal["phone", "email"]
    other_contact: UUID
    other_lead: UUID | None = None
