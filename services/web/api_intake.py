"""`/api/intake`: the journal of inbound messages, the share that became no lead, mending and running again (K5, C3, N18)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.personal import Erased
from services.channels.journal import OpenedMessage, Outcome
from services.channels.share import ChannelShare
from services.web.door import Asking, TheDoor
from services.web.problems import ProblemError
from services.web.tokens import JOURNAL, OPEN_BODIES

router = APIRouter(tags=["intake"])


class JournalEntry(BaseModel):
    """What became of a message. `outcome`: accepted, joined, no_lead, quarantined; waiting while there is none yet; refused
    for requests that were turned away at the door, counted by minute and reason: they have no `inbound_id`."""

    model_config = ConfigDict(from_attributes=True)

    inbound_id: UUID | None
    channel: str
    account: str
    received_at: datetime
    attempt: int
    outcome: str
    reason: str | None
    lead: UUID | None
    contact: UUID | None
    at: datetime
    count: int = 1


class JournalPage(BaseModel):
    """A page of the journal, newest first; `next` goes into `after`."""

    items: list[JournalEntry]
    next: str | None = None


class ReasonShare(BaseModel):
    """Messages of a channel that became no lead for one reason. `share`: of those with an outcome, 0 to 1."""

    outcome: str
    reason: str
    count: int
    share: float


class ChannelShareOut(BaseModel):
    """What became of a channel's messages. `share`: the part that became no lead; absent where nothing has an outcome yet."""

    channel: str
    accepted: int
    joined: int
    became_none: int
    waiting: int
    share: float | None
    reasons: list[ReasonShare]


class ShareOut(BaseModel):
    """The share of inbound that became no lead, by channel and reason. `to` is no part of the period. Further reports of a
    call and copies of a letter count with the first one; a refused request counts each time it was tried."""

    model_config = ConfigDict(populate_by_name=True)

    begin: datetime = Field(serialization_alias="from")
    end: datetime = Field(serialization_alias="to")
    items: list[ChannelShareOut]


class MendOut(BaseModel):
    """A body that was replaced: as it was until `attempt`, who replaced it, when."""

    attempt: int
    body: dict[str, Any] | str | None
    actor: dict[str, Any]
    at: datetime


class MessageOut(BaseModel):
    """A message with its body in force. `body` is text where it is no JSON object; absent when erased."""

    inbound_id: UUID
    channel: str
    account: str
    received_at: datetime
    occurred_at: datetime | None
    attempt: int
    outcome: str
    reason: str | None
    lead: UUID | None
    contact: UUID | None
    body: dict[str, Any] | str | None
    erased: bool
    mends: list[MendOut]


class MendAsked(BaseModel):
    """Fields to write over the body's (null removes one), and, if wanted, the attempt that was looked at."""

    model_config = ConfigDict(extra="forbid")

    fields: dict[Annotated[str, Field(min_length=1, max_length=100)], Any] = Field(min_length=1, max_length=200)
    attempt: int | None = Field(default=None, ge=1)


class RerunAsked(BaseModel):
    """The attempt that was looked at, if wanted."""

    model_config = ConfigDict(extra="forbid")

    attempt: int | None = Field(default=None, ge=1)


class RunAgain(BaseModel):
    """The message runs again, with its time of receipt unchanged."""

    inbound_id: UUID
    attempt: int
    outcome: str = "waiting"


@router.get("/api/intake", summary="What became of the inbound messages")
async def read_journal(
    door: TheDoor,
    holder: Asking,
    outcome: Outcome | None = None,
    channel: Annotated[str | None, Query(max_length=20)] = None,
    reason: Annotated[str | None, Query(max_length=60, description="The reason's word, before its colon")] = None,
    after: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JournalPage:
    holder.must(JOURNAL, "read the intake journal")
    rows, following = await door.journal.page(outcome=outcome, channel=channel, reason=reason, after=after, limit=limit)
    return JournalPage(items=[JournalEntry.model_validate(row) for row in rows], next=following)


@router.get("/api/intake/share", summary="The share of inbound that became no lead, by channel and reason")
async def read_share(
    door: TheDoor,
    holder: Asking,
    begin: Annotated[AwareDatetime, Query(alias="from")],
    end: Annotated[AwareDatetime, Query(alias="to")],
) -> ShareOut:
    holder.must(JOURNAL, "read the intake journal")
    if end <= begin:
        raise ProblemError(422, "period", "query.to: give a moment after `from`")
    found = await door.journal.share(begin, end)
    return ShareOut(begin=begin, end=end, items=[share_out(channel) for channel in found])


@router.get("/api/intake/{inbound_id}", summary="A message and its body")
async def read_message(door: TheDoor, holder: Asking, inbound_id: UUID) -> MessageOut:
    holder.must(OPEN_BODIES, "open inbound messages")
    opened = await door.journal.opened(inbound_id)
    if opened is None:
        raise ProblemError(
            404,
            "no-such-message",
            "intake holds no message of this id; those straight from Kafka are kept only in quarantine",
        )
    return message_out(opened)


@router.post(
    "/api/intake/{inbound_id}/mend", status_code=202, summary="Mend a message that became no lead and run it again"
)
async def mend_message(door: TheDoor, holder: Asking, inbound_id: UUID, posted: MendAsked) -> RunAgain:
    holder.must(OPEN_BODIES, "mend inbound messages")
    attempt = await door.journal.run_again(inbound_id, actor=holder.actor, fields=posted.fields, attempt=posted.attempt)
    return RunAgain(inbound_id=inbound_id, attempt=attempt)


@router.post(
    "/api/intake/{inbound_id}/rerun", status_code=202, summary="Run a message that became no lead again as it is"
)
async def rerun_message(door: TheDoor, holder: Asking, inbound_id: UUID, posted: RerunAsked | None = None) -> RunAgain:
    holder.must(OPEN_BODIES, "run inbound messages again")
    attempt = await door.journal.run_again(inbound_id, actor=holder.actor, attempt=posted.attempt if posted else None)
    return RunAgain(inbound_id=inbound_id, attempt=attempt)


def share_out(channel: ChannelShare) -> ChannelShareOut:
    """A channel's share as an answer."""
    return ChannelShareOut(
        channel=channel.channel,
        accepted=channel.accepted,
        joined=channel.joined,
        became_none=channel.became_none,
        waiting=channel.waiting,
        share=channel.share,
        reasons=[
            ReasonShare(outcome=outcome, reason=reason, count=count, share=count / channel.decided)
            for (outcome, reason), count in channel.reasons.items()
        ],
    )


def message_out(opened: OpenedMessage) -> MessageOut:
    """A message as an answer."""
    kept = opened.kept
    return MessageOut(
        inbound_id=kept.inbound_id,
        channel=kept.channel,
        account=kept.account,
        received_at=kept.received_at,
        occurred_at=kept.occurred_at,
        attempt=kept.attempt,
        outcome=kept.outcome,
        reason=kept.reason if kept.outcome != "waiting" else None,
        lead=kept.lead,
        contact=kept.contact,
        body=None if isinstance(opened.body, Erased) else opened.body,
        erased=isinstance(opened.body, Erased),
        mends=[
            MendOut(attempt=m.attempt, body=None if isinstance(m.body, Erased) else m.body, actor=m.actor, at=m.at)
            for m in opened.mends
        ],
    )
