"""The order of the head's queue: nearer to the decision first, then the larger amount, then the longest wait (N21, Q5, Q6).

Pure. Invariants: the order is total and does not depend on how the items came; amounts of different currencies are
never compared: those of the currency that most items have come first. What the page says of the order (`queue.formula`) is this
and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

Kind = Literal["review", "escalation", "deadline", "task", "pool", "card_review", "dead_letter"]
"""What waits for the head: a lead made poor (Q5); an escalation (Q6); an overdue deadline or task; a lead that nobody may have
(C4); a card to look over (Q11); something that could not be sent."""
KINDS: tuple[Kind, ...] = ("review", "escalation", "deadline", "task", "pool", "card_review", "dead_letter")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a lead stands: `steps` of the scale left to the decision (0: the last one before it), what it is worth."""

    steps: int
    amount: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something in the queue. `since`: from when it has waited for an answer; `leads`: where the leads it is about stand, the
    nearest of which counts; none: it is about no lead, and stands behind all that are."""

    kind: Kind
    id: UUID | str
    since: datetime
    leads: tuple[Standing, ...] = ()


def ordered(items: Iterable[Waiting]) -> list[Waiting]:
    """The queue, what comes first first."""
    every = list(items)
    places = _places(every)
    return sorted(every, key=lambda item: (*_nearness(item, places), item.since, KINDS.index(item.kind), str(item.id)))


def first_currency(items: Iterable[Waiting]) -> str | None:
    """The currency whose amounts come first; None where nothing has an amount."""
    return next(iter(_places(list(items))), None)


def _places(items: Sequence[Waiting]) -> dict[str, int]:
    """Currencies in their order: that of most leads first, then by name."""
    counted = Counter(
        lead.currency for item in items for lead in item.leads if lead.amount is not None and lead.currency
    )
    return {
        currency: n for n, (currency, _) in enumerate(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))
    }


def _nearness(item: Waiting, places: dict[str, int]) -> tuple[bool, int, int, Decimal]:
    """By stage and amount: the best of its leads."""
    standing = [(lead.steps, *_amount(lead, places)) for lead in item.leads]
    if not standing:
        return True, 0, 0, Decimal(0)
    return False, *min(standing)


def _amount(lead: Standing, places: dict[str, int]) -> tuple[int, Decimal]:
    if lead.amount is None or lead.currency not in places:
        return len(places), Decimal(0)
    return places[lead.currency], -lead.amount
