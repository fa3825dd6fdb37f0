"""What is to be sent, read from the event store and opened: a key that was destroyed a moment ago opens nothing (M7).

Invariants: a request that cannot be read is said of it alone; nothing personal is logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog

from contracts.events import EffectRepeated, EffectRequested
from services.database import Database
from services.delivery import store
from services.delivery.domain import Effect
from services.delivery.making import INCOMPLETE, Making, Order, Shown, Unsendable
from services.delivery.notices import as_effect
from services.eventlog.mapper import MalformedError, decode, keys_of, peek
from services.privacy.cipher import TamperedError
from services.privacy.store import KeyRing

log = structlog.get_logger("leadline.delivery")

Made = Order | Unsendable | Shown


async def orders_of(database: Database, effects: Sequence[Effect], master: bytes, making: Making) -> dict[UUID, Made]:
    """What each of these asks for, by its id."""
    places = {(effect.stream, effect.version) for effect in effects}
    places |= {(e.stream, e.repeated_version) for e in effects if e.repeated_version is not None}
    stored = await store.events_at(database, places)
    records: dict[tuple[UUID, int], dict[str, Any]] = {}
    keys: set[UUID] = set()
    for place, event in stored.items():
        with suppress(MalformedError, TamperedError):  # named below, where it lacks
            record = peek(event.state)
            keys |= keys_of([record])
            records[place] = record
    ring = KeyRing(master)
    await ring.load(database, keys)
    made: dict[UUID, Made] = {}
    for effect in effects:
        try:
            asked = decode(records[(effect.stream, effect.version)], ring)
            again = effect.repeated_version
            repeat = None if again is None else as_effect(decode(records[(effect.stream, again)], ring).data)
            request = as_effect(asked.data)
            assert isinstance(request, EffectRequested), "the ledger names the request"
            assert repeat is None or isinstance(repeat, EffectRepeated), "the ledger names the repeat"
            made[effect.effect] = making.order(effect, request, repeat, asked.meta)
        except (KeyError, MalformedError, TamperedError, AssertionError) as error:
            log.error("a request cannot be read", way=effect.provider, error=type(error).__name__)
            made[effect.effect] = Unsendable(f"{INCOMPLETE} ({type(error).__name__})")
    return made
