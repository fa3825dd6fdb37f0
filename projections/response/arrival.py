"""A lead that came by a channel, with its first steps, as pages read it (S2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

Step = Literal["seen", "accepted", "contact"]
STEPS: Final[tuple[Step, ...]] = ("seen", "accepted", "contact")
"""In the order they are taken; each is measured from the arrival."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A lead's first steps (`projections.response.projection.ResponseRow`)."""

    lead: UUID
    pipeline: str
    source: str
    channel: str
    form: str | None
    arrived_at: datetime
    captured_at: datetime
    responsible: str | None
    assigned_at: datetime | None
    assigned_to: str | None
    seen_at: datetime | None
    seen_by: str | None
    seen_responsible: str | None
    accepted_at: datetime | None
    accepted_by: str | None
    accepted_responsible: str | None
    contact_at: datetime | None
    contact_by: str | None
    contact_responsible: str | None
    contact_how: str | None

    def at(self, step: Step) -> datetime | None:
        """When it was taken."""
        return {"seen": self.seen_at, "accepted": self.accepted_at, "contact": self.contact_at}[step]

    def responsible_at(self, step: Step) -> str | None:
        """Whose lead it was then."""
        of = {"seen": self.seen_responsible, "accepted": self.accepted_responsible}
        return of.get(step, self.contact_responsible)
