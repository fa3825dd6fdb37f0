"""Inbound messages: what channel adapters bring, over HTTP or straight on `leads.inbound` (K5, spec I).

On Kafka the value is the body itself as JSON; the headers say the rest: `ce_id` (the adapter's own id of the message, unique
per `ce_source`), `ce_type` (`leadline.inbound.form` and so on), `ce_source` (the channel account), `ce_subject` (the form's
name; else left out), `ce_time`. The key is any text that is the same for all messages of one sender. A record may have
`RECORD_BYTES`; the broker refuses one above its own limit (1 MB); what is large is sent by mail, or a link to it stands in
the body. Leadline's own intake sends references instead (`leadline.inbound.reference`): the body stays, sealed under a key of
its own, in the intake table (decision 10).

Invariants: any further field of a form is kept; what does not fit is quarantined, never dropped.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from contracts.inbound_mail import MailBody as MailBody

Channel = Literal["form", "call", "message", "visit", "mail"]

TYPE_OF_CHANNEL: dict[str, str] = {
    "form": "leadline.inbound.form",
    "call": "leadline.inbound.call",
    "message": "leadline.inbound.message",
    "visit": "leadline.inbound.visit",
    "mail": "leadline.inbound.mail",
}
REFERENCE_TYPE = "leadline.inbound.reference"

RECORD_BYTES = 160 * 1024
"""The largest body straight on Kafka that becomes an event; a larger one waits in quarantine (up to the broker's 1 MB)."""

REPEAT_REASONS: frozenset[str] = frozenset({"same_call", "same_letter", "further_report"})
"""Reasons of outcomes of messages that are no inbound of their own: they count with the first one (C3)."""

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""What a time may be: outside of it, it is a clock or a date that was never set."""


def is_sane(moment: datetime) -> bool:
    """Whether a time lies between `EARLIEST` and `LATEST`."""
    return EARLIEST <= moment <= LATEST


def _sane(moment: datetime) -> datetime:
    if not is_sane(moment):
        raise ValueError("a time lies between 1970 and 2200")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_sane)]
Short = Annotated[str, Field(max_length=500)]


class FormBody(BaseModel):
    """`POST /inbound/forms/{form}`. Fields that are not named here are kept under `fields`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Short | None = None
    phone: Short | None = None
    email: Short | None = None
    company: Short | None = None
    comment: Annotated[str, Field(max_length=20_000)] | None = None
    source: Short | None = None
    fields: dict[Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=20_000)]] = Field(
        default_factory=dict, max_length=200
    )
    kind: Literal["callback"] | None = None
    occurred_at: Moment | None = None

    @model_validator(mode="before")
    @classmethod
    def _keep_further_fields(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        named = {key: value for key, value in data.items() if key in _FORM_FIELDS}
        further = {key: value for key, value in data.items() if key not in _FORM_FIELDS}
        fields = named.get("fields") or {}
        if not isinstance(fields, dict):
            raise ValueError("fields must be an object of names and values")
        kept = {str(key): _as_text(value) for key, value in fields.items()}
        for key, value in further.items():
            # A name that stands in `fields` too keeps both values: nothing of a form is lost.
            kept[f"{key} (2)" if key in kept and kept[key] != _as_text(value) else key] = _as_text(value)
        if kept:
            named["fields"] = kept
        for name in ("name", "phone", "email", "company", "comment", "source"):
            if isinstance(named.get(name), int | float) and not isinstance(named[name], bool):
                named[name] = str(named[name])
        return named


_FORM_FIELDS = frozenset(FormBody.model_fields)


class CallBody(BaseModel):
    """`POST /inbound/calls`. The client's number is `from` of a call that came in, `to` of one that went out.

    A call may be reported several times under its `call_id`: when it rings, when it ended, when its recording is there. Each
    report is whole; what a later one leaves out stays as it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    call_id: Annotated[str, Field(min_length=1, max_length=200)]
    direction: Literal["in", "out"]
    from_: Annotated[str, Field(alias="from", max_length=100)]
    to: Annotated[str, Field(max_length=100)]
    answered: bool
    started_at: Moment
    ended_at: Moment | None = None
    recording_url: Annotated[str, Field(max_length=2_000, pattern=r"^https?://[^\s/?#\\]+[^\s\\]*$")] | None = None
    """Where the recording can be heard, http or https. It may come later, in a further report of the same call."""
    agent: Short | None = None
    """Who of ours talked, or whose line rang."""

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> CallBody:
        if self.ended_at is not None and self.ended_at < self.started_at:
            raise ValueError("ended_at is before started_at")
        return self


class MessageBody(BaseModel):
    """`POST /inbound/messages`: chats, messengers, social networks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: Annotated[str, Field(min_length=1, max_length=100)]
    sender_id: Annotated[str, Field(min_length=1, max_length=200)]
    name: Short | None = None
    phone: Short | None = None
    text: Annotated[str, Field(max_length=20_000)]
    occurred_at: Moment | None = None


class VisitBody(BaseModel):
    """`POST /inbound/visits`: a known person came to a page or a place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    identity: Annotated[str, Field(min_length=1, max_length=200)]
    page: Annotated[str, Field(max_length=2_000)] | None = None
    place: Short | None = None
    at: Moment

    @model_validator(mode="after")
    def _somewhere(self) -> VisitBody:
        if (self.page is None) == (self.place is None):
            raise ValueError("give the page or the place of the visit, one of the two")
        return self


class InboundReference(BaseModel):
    """Our own intake's message on `leads.inbound`: the body is in the intake table, under the message's own key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inbound_id: UUID
    channel: Channel
    account: str = ""
    """The form's name, or the channel account the message came to."""
    received_at: datetime
    attempt: int = Field(default=1, ge=1)
    """Counts up each time the message is run again, with its time of receipt unchanged."""


class InboundOutcome(BaseModel):
    """What became of an inbound message (the intake journal's answer to «did it become a lead, and if not, why?»)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inbound_id: UUID
    outcome: Literal["accepted", "joined", "no_lead", "quarantined"]
    lead: UUID | None = None
    reason: str | None = None
    at: datetime


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise ValueError("a value is nested too deeply") from None
