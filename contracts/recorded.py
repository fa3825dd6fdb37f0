"""An event as everyone reads it: its envelope and its data. Pure, so that the domain may hold it without knowing of storage."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.events import Event
from contracts.meta import Meta


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its envelope, personal fields open or ERASED."""

    meta: Meta
    data: Event
