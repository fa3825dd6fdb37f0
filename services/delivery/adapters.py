"""The ways out that the settings name, each with its adapter and its limits.

Invariants: a way is in the answer only if the settings have all it needs; what goes a way that is not there waits, and says so.
`app` is always there: nothing leaves the house by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.delivery.making import Making
from services.delivery.port import Adapter
from services.settings import Settings

CALL_SECONDS = 180.0
"""A call that has not ended by then is cut off; adapters end theirs earlier."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way out. `provider` is what its effects bear in the ledger. None as `adapter`: nothing is sent (the app shows it)."""

    provider: str
    adapter: Adapter[Any] | None
    per_minute: int | None = None
    """Effects a minute, or calls where `by_call`; None: no limit."""
    tells_repeats: bool = True
    """Whether the other side, or what an effect does there, makes a second try harmless."""
    by_call: bool = False
    """Whether the limit counts calls, each of many effects, and not effects."""
    call_seconds: float = CALL_SECONDS
    at_once: int = 1
    """Calls side by side in one process, as far as the adapter bears it."""

    @property
    def most(self) -> int:
        """Effects in one call."""
        return self.adapter.most if self.adapter is not None else 500


Ways = Callable[[Settings], list[Way]]


def ways_of(settings: Settings) -> list[Way]:
    """Every way that the settings have all for. Whoever asks closes the adapters."""
    return [Way("app", None)]


def making_of(settings: Settings) -> Making:
    """What the settings say that goes into letters."""
    staff = {person.name: person.email for person in settings.staff if person.email}
    return Making(staff, settings.mail_id_domain, _unsubscribe_of(settings))


def _unsubscribe_of(settings: Settings) -> Callable[[UUID], str | None]:
    return lambda lead: None
