"""The base of every event's data, and the registry of event types.

Invariants: a frozen model with `TOPIC` (its type, for ever) and `KIND` (its aggregate); writers are strict (unknown fields
refused), readers ignore unknown fields. A changed meaning is a new `class_version` with `upcast_vN_vN+1` (the
`eventsourcing` library's convention) and a new golden sample; the old sample stays.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from contracts.meta import AggregateKind
from contracts.personal import PersonalMarker


class Event(BaseModel):
    """The data of an event. `PERSONAL` names its personal fields; they are sealed under `Meta.person`'s key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    TOPIC: ClassVar[str]
    KIND: ClassVar[AggregateKind]
    PERSONAL: ClassVar[frozenset[str]] = frozenset()
    class_version: ClassVar[int] = 1

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        cls.PERSONAL = frozenset(
            name
            for name, field in cls.model_fields.items()
            if any(isinstance(mark, PersonalMarker) for mark in field.metadata)
        )
        if "TOPIC" in cls.__dict__:
            if cls.TOPIC in EVENT_TYPES:
                raise TypeError(f"{cls.__name__}: the type {cls.TOPIC} is taken by {EVENT_TYPES[cls.TOPIC].__name__}")
            EVENT_TYPES[cls.TOPIC] = cls


EVENT_TYPES: dict[str, type[Event]] = {}
"""Every event type this release knows, by its `TOPIC`."""
