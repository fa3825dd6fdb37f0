"""One call of an adapter, whatever comes of it, and what it leaves of its effects (decision 9).

Invariants: what an adapter raises although it should not counts as an answer that was lost; every call has an end; nothing
personal is logged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from services.delivery.adapters import Way
from services.delivery.domain import Effect
from services.delivery.making import Order, Shown, Unsendable
from services.delivery.port import Done, Later, Outcome
from services.delivery.requests import Made

OUTCOMES: Final = Counter(
    "leadline_delivery_attempts", "Attempts at outward effects, by what came of them.", ["provider", "outcome"]
)

log = structlog.get_logger("leadline.delivery")


@dataclass(frozen=True, slots=True)
class Called:
    """A call that has ended. `began`: business time; `heard`: what the other side answered, of those that went to it."""

    began: datetime
    effects: tuple[Effect, ...]
    orders: Mapping[UUID, Made]
    outcomes: Mapping[UUID, Outcome]
    heard: tuple[Outcome, ...]


async def call(way: Way, effects: Sequence[Effect], orders: Mapping[UUID, Made], began: datetime) -> Called:
    """Carry these out together. Raises nothing but CancelledError."""
    going = {e.effect: order for e in effects if not isinstance(order := orders[e.effect], Unsendable | Shown)}
    outcomes: dict[UUID, Outcome] = {e.effect: Done() for e in effects if isinstance(orders[e.effect], Shown)}
    heard = await _carry_out(way, list(going.values())) if going else []
    outcomes.update(zip(going, heard, strict=True))
    for outcome in heard:
        OUTCOMES.labels(way.provider, type(outcome).__name__.lower()).inc()
    return Called(began, tuple(effects), orders, outcomes, tuple(heard))


async def _carry_out(way: Way, orders: Sequence[Order]) -> Sequence[Outcome]:
    began = time.monotonic()
    assert way.adapter is not None, "only the app has no adapter, and it sends nothing"
    doubt = not way.tells_repeats
    try:
        async with asyncio.timeout(way.call_seconds):
            outcomes = await way.adapter.carry_out(orders)
        if len(outcomes) == len(orders):
            return outcomes
        failed = Later("internal: the adapter answered for another number of effects", in_doubt=doubt)
    except TimeoutError:
        failed = Later("no_answer: the call was cut off", in_doubt=doubt)
    except Exception as error:
        # a defect of the adapter's; its text may quote what was sent
        log.error("the adapter failed", way=way.provider, error=type(error).__name__)
        failed = Later(f"internal: {type(error).__name__}", in_doubt=doubt)
    log.warning("no outcome", way=way.provider, seconds=round(time.monotonic() - began, 1))
    return [failed] * len(orders)
