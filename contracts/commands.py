"""Commands: intentions about a lead, by HTTP from people and on `leads.commands` from reactors (spec I).

Invariants: a command has an id; the same id is carried out once and answered alike ever after, with another body it is an
error. On Kafka a command carries personal data only by reference, because that topic outlives an erasure by three days.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from contracts.events.lead import Money
from contracts.meta import Actor, Ascii

COMMAND_TYPE: Final = "leadline.lead.command"
REFUSAL_TYPE: Final = "leadline.lead.command_refused"
"""`ce_type` of the records on `leads.commands` and `leads.refusals`."""

Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class CommandBody(BaseModel):
    """Base of the bodies: strict, so that a misspelt field is an error and not a loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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


class Move(CommandBody):
    """K2: move the lead to an open or won stage."""

    type: Literal["move"] = "move"
    to: str = Field(min_length=1, max_length=60)


class Reject(CommandBody):
    """S3: end the work by one of the pipeline's reject statuses."""

    type: Literal["reject"] = "reject"
    status: str = Field(min_length=1, max_length=60)
    comment: Text | None = None


class Pause(CommandBody):
    """S3: put the lead off, with a reason, to a date."""

    type: Literal["pause"] = "pause"
    until: date
    reason: Text
    status: str | None = Field(default=None, max_length=60)
    """Which postponed stage, where the pipeline has several."""


class Convert(CommandBody):
    """C1: the lead becomes a deal."""

    type: Literal["convert"] = "convert"


class Reopen(CommandBody):
    """S3: go on with a rejected or paused lead, from the stage it had left."""

    type: Literal["reopen"] = "reopen"
    reason: Text | None = None


class Assign(CommandBody):
    """C4: give the lead to another responsible by hand."""

    type: Literal["assign"] = "assign"
    to: str = Field(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$")
    comment: Text | None = None


class Plan(CommandBody):
    """S4: plan a call, a letter, a meeting or another task; no stage changes by it."""

    type: Literal["plan"] = "plan"
    kind: Literal["call", "letter", "meeting", "task"]
    text: Text | None = None
    due_at: AwareDatetime | None = None
    assignee: str | None = Field(
        default=None, min_length=1, max_length=100, pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"
    )
    """Who is to do it; left out: whoever is responsible for the lead."""


class Complete(CommandBody):
    """S4: a planned activity is done; what came of it is said."""

    type: Literal["complete"] = "complete"
    activity: UUID
    result: Text


Body = Annotated[
    See | Accept | Record | Offer | Answer | Move | Reject | Pause | Convert | Reopen | Assign | Plan | Complete,
    Field(discriminator="type"),
]

COMMAND_BODIES: dict[str, type[CommandBody]] = {
    "see": See,
    "accept": Accept,
    "record": Record,
    "offer": Offer,
    "answer": Answer,
    "move": Move,
    "reject": Reject,
    "pause": Pause,
    "convert": Convert,
    "reopen": Reopen,
    "assign": Assign,
    "plan": Plan,
    "complete": Complete,
}
"""Body by the command's name in `POST /api/leads/{id}/commands/{name}`."""


class Command(BaseModel):
    """A command with its envelope. `expected_version`: refuse with 409 when the stream has moved on."""

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


class Refusal(BaseModel):
    """Why a command was refused: which rules, in words, what is missing, what to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[str, ...]
    ru: str
    en: str
    missing: tuple[Missing, ...] = ()
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
