"""What the delivery service asks of an adapter to the outside, and what an adapter answers (R2-R4, decision 9).

Invariants: an adapter raises nothing that the other side or the network did: every such end is one of the outcomes below. It
keeps nothing between calls that a restart would lose and the answer depends on. `reason` is a short code and words without
anything personal: it is stored and shown for ever. Every wait has a limit, and the limit is an outcome too (`Later`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeVar
from uuid import UUID

AudienceService = Literal["vk", "yandex", "facebook", "google"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to one address. `message_id` is the same at every try, angle brackets included: who got both has one to read."""

    effect: UUID
    message_id: str
    to: str
    to_name: str | None
    subject: str
    text: str
    html: str | None = None
    thread: str | None = None
    """Token of the conversation: an answer to it finds the lead (`services.channels.mail`)."""
    unsubscribe: str | None = None
    """Of a marketing letter: where one click ends it (https, RFC 8058), or mailto: where there is no such place."""
    written_at: datetime | None = None
    """The instant of the request: the letter's Date, the same at every try."""


@dataclass(frozen=True, slots=True)
class ShortMessage:
    """A short message to a phone in E.164. `reference` is the key under which the other side drops a repeat, where it can."""

    effect: UUID
    phone: str
    text: str


@dataclass(frozen=True, slots=True)
class AudienceChange:
    """Somebody is put into an audience or taken out of it, by phone (E.164), by e-mail, or by both."""

    effect: UUID
    service: AudienceService
    audience: str
    """Its name at the service. One that is not there is created (R4)."""
    action: Literal["add", "remove"]
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A POST to an address that the settings name; `body` is JSON."""

    effect: UUID
    webhook: str
    """Its name in the settings."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """It was done: the next server, the gateway or the service took it."""

    provider_id: str | None = None
    """What the other side calls it."""
    matched: int | None = None
    """R4: how many contacts the service matched, where it says so."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It was not done, and trying again as it is will not help."""

    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """It was not done as far as is known; another try may help."""

    reason: str
    after: float | None = None
    """Seconds that the other side asks to wait; none: the service's own back-off."""
    in_doubt: bool = False
    """It may have been done: the answer was lost on the way (SMTP after the end of data, a gateway without a key)."""
    whole_provider: bool = False
    """Not this one alone: nothing can go to this provider now (no connection, its limit is reached, its key is refused)."""


Outcome = Done | Refused | Later

E = TypeVar("E", Letter, ShortMessage, AudienceChange, Call, contravariant=True)


class Adapter(Protocol[E]):
    """One way out. `provider` names it in limits, metrics and on the card («until when»); it holds nothing secret."""

    @property
    def provider(self) -> str:
        """Its name."""

    @property
    def most(self) -> int:
        """How many go in one call; 1 where the other side takes them one by one. All of one call are alike in what they are
        about (the same audience, the same action)."""

    async def carry_out(self, effects: Sequence[E]) -> Sequence[Outcome]:
        """The outcome of each, in their order. Repeats of an effect that was done already are harmless where the other side
        can tell them (`in_doubt` where it cannot)."""

    async def close(self) -> None:
        """Let go of connections; within a second."""
