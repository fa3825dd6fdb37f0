"""What is sent to the outside, for programs: the effects of a lead, and the lists of operations (R3).

Invariants: reads only; nothing personal is in the ledger. A dead letter is repeated by the command `repeat` on its lead.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from services.delivery.telling import store
from services.web.door import Asking, TheDoor
from services.web.tokens import OPERATE, READ

router = APIRouter(tags=["effects"])


class EffectOut(BaseModel):
    """An outward effect. `expected_at`: when it is tried at the earliest; `paused_until`: until when its whole way out is left
    alone, and why; `in_doubt`: it may have gone out twice, or, where it failed, all the same."""

    model_config = ConfigDict(from_attributes=True)

    effect: UUID
    stream: UUID
    kind: str
    effect_kind: str
    provider: str
    audience: str | None
    action: str | None
    robot: str | None
    state: str
    round: int
    attempts: int
    requested_at: datetime
    next_at: datetime
    expected_at: datetime | None
    last_reason: str | None
    in_doubt: bool
    outcome: str | None
    closed_at: datetime | None
    paused_until: datetime | None
    pause_reason: str | None


class ProviderOut(BaseModel):
    """A way out."""

    model_config = ConfigDict(from_attributes=True)

    provider: str
    configured: bool
    paused_until: datetime | None
    pause_reason: str | None
    per_minute: int | None
    waiting: int


class EffectsOut(BaseModel):
    """A list of effects, how many there are of each kind of list, and the ways out."""

    items: list[EffectOut]
    counts: dict[store.Which, int]
    providers: list[ProviderOut]


@router.get("/api/leads/{lead}/effects", summary="What was sent out for a lead, or waits, and until when")
async def lead_effects(door: TheDoor, holder: Asking, lead: UUID) -> list[EffectOut]:
    holder.must(READ, "read leads")
    now = await door.clock.now()
    async with door.pool.acquire() as connection:
        return [EffectOut.model_validate(told) for told in await store.told_of_streams(connection, [lead], now)]


@router.get("/api/effects", summary="Dead letters, what waits, what may have gone out twice")
async def list_effects(
    door: TheDoor,
    holder: Asking,
    which: store.Which = "failed",
    provider: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> EffectsOut:
    holder.must(OPERATE, "see what is sent out")
    async with door.pool.acquire() as connection:
        return EffectsOut(
            items=[EffectOut.model_validate(told) for told in await store.listed(connection, which, limit, provider)],
            counts=await store.counts(connection),
            providers=[ProviderOut.model_validate(way) for way in await store.providers(connection)],
        )
