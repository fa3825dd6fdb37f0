"""What an event says of an effect, and the effect after it: one reading for the ledger's consumer and for making it anew. Pure.

Invariants: nothing personal is read; a notice of a journal is read as the effect that it is. An event that does not fit raises
`NotOursError`, one that cannot be read ValueError, KeyError or TypeError: whoever asks decides what becomes of its stream.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from contracts.events import EVENT_TYPES, EffectDone, EffectFailed, EffectRepeated, EffectRequested
from services.delivery import domain
from services.delivery.domain import Effect, NotOursError
from services.delivery.notices import NOTICES, as_effect

EffectEvent = EffectRequested | EffectRepeated | EffectDone | EffectFailed
KINDS: Final[tuple[type[EffectEvent], ...]] = (EffectRequested, EffectRepeated, EffectDone, EffectFailed)
TYPES: Final = frozenset(type_ for type_, cls in EVENT_TYPES.items() if issubclass(cls, (*KINDS, *NOTICES)))
"""Event types of effects, on whatever stream; notices of journals are effects too."""


class Said(NamedTuple):
    """An event of an effect: what it says, where it stands, when it was recorded. `to`: whom a repeated notice is for."""

    event: EffectEvent
    stream: UUID
    version: int
    kind: str
    correlation: str
    at: datetime
    to: str | None


def read(type_: str, stream: UUID, version: int, record: dict[str, Any]) -> Said:
    """The event in a record as it is stored, `{meta, data}`. Raises ValueError, KeyError, TypeError."""
    event, meta = _event(type_, record), record["meta"]
    for name in ("kind", "correlation"):
        if not (isinstance(meta[name], str) and meta[name].isascii() and meta[name].isprintable()):
            raise ValueError(f"{name} is no text of an envelope")
    at = datetime.fromisoformat(meta["recorded_at"])
    return Said(event, stream, version, meta["kind"], meta["correlation"], at, record["data"].get("to"))


def _event(type_: str, record: dict[str, Any]) -> EffectEvent:
    """The event without what is personal in it, which the ledger has no use for. Raises ValueError."""
    cls = EVENT_TYPES[type_]
    data: dict[str, Any] = dict(record["data"])
    for version in range(record["meta"].get("schema_version", 1), cls.class_version):
        getattr(cls, f"upcast_v{version}_v{version + 1}")(data)
    event = as_effect(cls.model_validate(data, extra="ignore"))
    assert isinstance(event, KINDS), "only types of effects are read"
    if isinstance(event, EffectRequested):
        said = (event.service, event.audience, event.robot)
        if any(text is not None and "\0" in text for text in said):
            raise ValueError("a text holds NUL")
    if isinstance(event, EffectFailed) and "\0" in event.reason:
        raise ValueError("a text holds NUL")
    return event


def after(effect: Effect | None, said: Said, with_address: Collection[str]) -> Effect:
    """The effect after this event; `effect`: before it. `with_address`: names of our people that have an e-mail address.

    Raises NotOursError.
    """
    event = said.event
    if isinstance(event, EffectRequested):
        if effect is not None:
            raise NotOursError("its effect was requested before")
        return domain.requested(
            event,
            said.stream,
            said.kind,
            said.version,
            said.at,
            has_address=event.service in with_address,
            correlation=said.correlation,
        )
    if effect is None or effect.stream != said.stream:
        raise NotOursError("nobody requested its effect on this stream")
    if isinstance(event, EffectRepeated):
        again = domain.repeated(effect, event, said.version, said.at)
        # of a notice: they may have an address by now
        return again if said.to is None else replace(again, provider=domain.way_of_notice(said.to in with_address))
    return domain.closed(effect, event, said.at)
