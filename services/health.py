"""What a running service says of itself: which of its parts work, since when they have not, and why.

Invariants: a service is ready when every part it named is ready; it is alive while each part that beats has beaten within its
limit (a stuck Kafka loop must not look alive). Details hold no personal data and no secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Part:
    """One part of a service. `limit`: seconds between beats before it counts as stuck; None: it does not beat."""

    ready: bool = False
    why: str = "starting"
    waits_for_person: bool = False
    at_work: bool = False
    limit: float | None = None
    beaten: float = 0.0


@dataclass(slots=True)
class Health:
    """The health of one service process, by part."""

    service: str
    monotonic: Callable[[], float] = time.monotonic
    parts: dict[str, Part] = field(default_factory=dict)

    def expect(self, part: str, *, limit: float | None = None) -> None:
        """Name a part that must become ready; with `limit`, one that must beat at least that often (seconds)."""
        self.parts[part] = Part(limit=limit, beaten=self.monotonic())

    def ready(self, part: str) -> None:
        """The part works."""
        self._say(part, True, "")
        self.beat(part)

    def unready(self, part: str, why: str) -> None:
        """The part does not work, and why."""
        self._say(part, False, why)

    def wait_for_person(self, part: str, why: str) -> None:
        """The part does not work until a person has decided: no restart and no patience helps."""
        self._say(part, False, why)
        self.parts[part].waits_for_person = True

    def work(self, part: str, what: str) -> None:
        """The part does not work yet because of long work that goes on, and how far it is: whoever waits goes on waiting."""
        self._say(part, False, what)
        self.parts[part].at_work = True

    def _say(self, part: str, ready: bool, why: str) -> None:
        said = self.parts[part]
        said.ready, said.why, said.waits_for_person, said.at_work = ready, why, False, False

    def beat(self, part: str) -> None:
        """The part went round its loop."""
        self.parts[part].beaten = self.monotonic()

    def is_ready(self) -> bool:
        """Whether every part named is ready."""
        return bool(self.parts) and all(part.ready for part in self.parts.values())

    def waits_for_person(self) -> bool:
        """Whether nothing but a person's decision is missing for it to be ready."""
        lacking = [part for part in self.parts.values() if not part.ready]
        return bool(lacking) and all(part.waits_for_person for part in lacking)

    def at_work(self) -> str | None:
        """How far the long work is that keeps it from being ready; None when there is none."""
        return next((part.why for part in self.parts.values() if part.at_work), None)

    def stuck(self) -> list[str]:
        """Parts that have not beaten within their limit: the process should be restarted."""
        now = self.monotonic()
        return [n for n, p in self.parts.items() if p.limit is not None and now - p.beaten > p.limit]
