"""An event as projections take it: what they use of it, plain and open (decision 11). Pure; `opening` makes them.

For speed projections work on the plain JSON of a record (`services.eventlog.mapper.peek`), not on validated pydantic models:
the writer was strict, the digest chain proves the bytes, and older versions of a type are brought up as the mapper does.
What a projection uses and misses raises KeyError, TypeError or ValueError in it; the runner parks such a record as poison.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from contracts.events.company import CompanyErased
from contracts.events.contact import PersonErased

ERASURES: Final = frozenset((PersonErased.TOPIC, CompanyErased.TOPIC))
"""Types of events with which a stream's key was destroyed (M7)."""


class Event(NamedTuple):
    """One event, as a tuple, because one is made for each event there is.

    `personal`: its opened personal values, empty when it has none or the person was erased.
    """

    stream: str
    version: int
    kind: str
    type: str
    partition: int
    happened_at: datetime
    recorded_at: datetime
    actor: Mapping[str, Any]
    person: str | None
    """Whose key seals the personal values."""
    data: Mapping[str, Any]
    personal: Mapping[str, Any]
    """Texts without NUL characters, which Postgres cannot keep."""
    personal_json: str | None
    sealed: bool
    """Whether it carries personal values at all."""
    erased: bool
    """Whether those cannot be opened any more (M7)."""
    pipeline: str | None = None
    """`id@version` of the pipeline it was decided under."""
