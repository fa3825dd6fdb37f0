"""What the adapters of all ad services share: a change of one audience by a list of contacts (R4).

Invariants: one change of an audience at a time in a process, so that two do not both create it; an audience is looked up by its
exact name before it is created, and again when the answer to its creation was lost; of several of one name the oldest is the
one. Repeats are harmless everywhere, audiences being sets, so no outcome is `in_doubt`. A contact of which the service can be
told nothing is refused alone.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Literal

from services.delivery.audiences.calling import CallError
from services.delivery.audiences.contacts import Hashed, Hashing
from services.delivery.port import AudienceChange, AudienceService, Later, Outcome, Refused

Action = Literal["add", "remove"]

CHANGE_SECONDS: Final = 150.0
"""How long one call may take, waiting for another change of the same audience included."""
TOO_SMALL: Final = "audience_too_small"
"""How the reason begins when the service takes no list so short: the contact waits until enough are together."""
TOO_SMALL_SECONDS: Final = 3600.0


def too_small(there: int, least: int) -> Later:
    """There are too few contacts for the service to take. All of one call are answered so; a later call brings them again with
    those that came since."""
    return Later(f"{TOO_SMALL}: {there} of {least}", after=TOO_SMALL_SECONDS)


def waits_for_more(outcome: Outcome) -> bool:
    """Whether the contact waits for others of its audience, by no one's fault: such a try counts for nothing, and the next call
    must bring all that wait together."""
    return isinstance(outcome, Later) and outcome.reason.startswith(TOO_SMALL)


class AudienceAdapter(ABC):
    """Puts contacts into audiences of one service, and takes them out."""

    def __init__(self, service: AudienceService, hashing: Hashing) -> None:
        self._service: AudienceService = service
        self._hashing = hashing
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def provider(self) -> str:
        """Its name in limits, metrics and on the card."""
        return f"audiences.{self._service}"

    @property
    def most(self) -> int:
        """Contacts in one call: what Meta and Google take in one request, and far below what VK and Yandex take in a file."""
        return 10_000

    async def carry_out(self, effects: Sequence[AudienceChange]) -> Sequence[Outcome]:
        """The outcome of each, in their order. All are of one audience and one action, at most `most` (ValueError)."""
        if not effects:
            return []
        name, action = effects[0].audience, effects[0].action
        if len(effects) > self.most or any(
            (e.service, e.audience, e.action) != (self._service, name, action) for e in effects
        ):
            raise ValueError(
                f"one call takes up to {self.most} changes of one audience of {self._service}, of one action"
            )
        outcomes: list[Outcome] = [Refused("no_usable_contact")] * len(effects)
        usable = [(i, hashed) for i, e in enumerate(effects) if (hashed := self._hashing(e.phone, e.email))]
        if usable:
            answers = await self._changed(name, action, [hashed for _, hashed in usable])
            for (i, _), answer in zip(usable, answers, strict=True):
                outcomes[i] = answer
        return outcomes

    @abstractmethod
    async def close(self) -> None:
        """Let go of connections."""

    @abstractmethod
    async def _change(self, name: str, action: Action, contacts: Sequence[Hashed]) -> Sequence[Outcome]:
        """The outcome of each contact. Raises CallError when it is the same for all."""

    async def _changed(self, name: str, action: Action, contacts: Sequence[Hashed]) -> Sequence[Outcome]:
        try:
            async with asyncio.timeout(CHANGE_SECONDS), self._turns[name]:
                return await self._change(name, action, contacts)
        except CallError as error:
            return [error.outcome] * len(contacts)
        except TimeoutError:
            return [Later("no_answer_in_time")] * len(contacts)
