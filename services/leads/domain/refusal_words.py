"""Words by which people refuse to be contacted, as data; and the proposals they make (C7, C8).

Words of a message only propose: a person reads them and records what was meant (`permit`), with the message as proof.
Lexicon of stems in Russian and English: one text of small letters is looked for, ё as е. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts import events as e
from contracts.events import ContactChannel
from contracts.personal import known
from contracts.recorded import Recorded
from services.leads.domain.permissions import Permission

LEXICON: Final[tuple[tuple[str, tuple[ContactChannel, ...]], ...]] = (
    ("не звоните", ("phone",)),
    ("не звонить", ("phone",)),
    ("не надо звонить", ("phone",)),
    ("не нужно звонить", ("phone",)),
    ("прекратите звонить", ("phone",)),
    ("перестаньте звонить", ("phone",)),
    ("хватит звонить", ("phone",)),
    ("больше не беспокойте", ("phone", "sms", "email", "messenger", "ads")),
    ("не беспокойте меня", ("phone", "sms", "email", "messenger", "ads")),
    ("не пишите мне", ("email", "messenger", "sms")),
    ("не присылайте", ("email", "messenger", "sms")),
    ("удалите из рассылки", ("email", "sms", "messenger")),
    ("уберите из рассылки", ("email", "sms", "messenger")),
    ("исключите из рассылки", ("email", "sms", "messenger")),
    ("отпишите", ("email", "sms", "messenger")),
    ("отписаться", ("email",)),
    ("отписка", ("email",)),
    ("не хочу получать", ("email", "sms", "messenger")),
    ("удалите мой номер", ("phone", "sms")),
    ("удалите мои данные", ("phone", "sms", "email", "messenger", "ads")),
    ("отзываю согласие", ("phone", "sms", "email", "messenger", "ads")),
    ("do not call", ("phone",)),
    ("don't call", ("phone",)),
    ("stop calling", ("phone",)),
    ("do not contact", ("phone", "sms", "email", "messenger", "ads")),
    ("don't contact", ("phone", "sms", "email", "messenger", "ads")),
    ("unsubscribe", ("email",)),
    ("opt out", ("email", "sms", "messenger")),
    ("remove me from", ("email", "sms", "messenger")),
    ("take me off", ("email", "sms", "messenger")),
    ("stop emailing", ("email",)),
    ("stop writing", ("email", "messenger")),
    ("delete my number", ("phone", "sms")),
    ("delete my data", ("phone", "sms", "email", "messenger", "ads")),
)
"""What is said, and which channels it is about."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A refusal that a message may mean: by which channels, in which words, and the message that is the proof."""

    channels: tuple[ContactChannel, ...]
    words: str
    inbound_id: UUID
    at: datetime


def proposals(history: Iterable[Recorded], permissions: Iterable[Permission]) -> tuple[Proposal, ...]:
    """What the messages of a lead propose, as far as nothing was recorded for the channel since; the newest first."""
    said = tuple(permissions)
    found = []
    for recorded in history:
        inbound_id, text = _message(recorded.data)
        if inbound_id is None or not text:
            continue
        at = recorded.meta.happened_at
        decided = {p.channel for p in said if p.at >= at}
        for words, channels in LEXICON:
            open_ = tuple(channel for channel in channels if channel not in decided)
            if words in text and open_:
                found.append(Proposal(open_, words, inbound_id, at))
                break
    return tuple(reversed(found))


def _message(data: e.Event) -> tuple[UUID | None, str]:
    """The message an event is of, and what the client wrote in it, in small letters."""
    match data:
        case e.LetterReceived():
            texts = [known(data.subject), known(data.text)]
        case e.LeadCaptured() | e.InboundJoined():
            texts = [known(data.comment)]
        case _:
            return None, ""
    text = " ".join(part for part in texts if part).casefold().replace("ё", "е").replace("’", "'")
    return data.inbound_id, " ".join(text.split())
