"""The funnel's rows, and the two times that are kept of them: when a thing happened, and since when it has been known (M1, M9).

Pure. Invariants: `known_from` is since when a visit has been known as it stands, its end apart, which has been known since
`left_known_at`; before a visit changes in any other way than by its end, what it was goes to `past` with the moment till which
that was known (`known_to`). So what was known at any moment is one row of each visit, from here or from there:
`known_from <= moment < known_to`, its end left out unless `left_known_at <= moment`. What was corrected in the moment it was
recorded was never known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any


@dataclass(slots=True)
class LeadRow:
    """What a lead's next visit needs. `visit`: number of the one it is in or left last, 0 before the first; `version`: of the
    pipeline it stands under, 0: not said; `known_at`: when the latest of its events was recorded; `reason`, `outcome`: of the
    rejection whose stage it has not entered yet."""

    lead: str
    pipeline: str
    version: int
    source: str
    captured_at: datetime
    known_at: datetime
    responsible: str | None = None
    visit: int = 0
    reason: str | None = None
    outcome: str | None = None


@dataclass(slots=True)
class VisitRow:
    """A stage visit. `responsible`: when it began; `worked_by`: when it ended, or now. `pipeline_version`: of the pipeline it was
    entered under, `left_version` of that it was left under; 0: not said. `undone`: a mistake, counts for nothing."""

    lead: str
    visit: int
    pipeline: str
    pipeline_version: int
    stage: str
    kind: str
    cause: str
    direction: str
    basis: str
    from_stage: str | None
    source: str
    captured_at: datetime
    responsible: str | None
    worked_by: str | None
    entered_at: datetime
    known_from: datetime
    undone: bool = False
    left_at: datetime | None = None
    to_stage: str | None = None
    left_by: str | None = None
    left_how: str | None = None
    left_direction: str | None = None
    left_version: int | None = None
    left_reason: str | None = None
    left_outcome: str | None = None
    left_known_at: datetime | None = None


@dataclass(slots=True)
class PastVisit(VisitRow):
    """What a visit was known to be until it was corrected."""

    known_to: datetime | None = None


LEAD_COLUMNS = tuple(f.name for f in fields(LeadRow))
VISIT_COLUMNS = tuple(f.name for f in fields(VisitRow))
PAST_COLUMNS = tuple(f.name for f in fields(PastVisit))
END_COLUMNS = ("to_stage", *(name for name in VISIT_COLUMNS if name.startswith("left_")))
"""What is empty while a lead is in the stage."""


@dataclass(slots=True)
class FunnelRows:
    """Leads a batch touches, with the visit each is in (all of them for a lead that is corrected); what of it is new
    (`captured`, `begun`), what of the rest changed: of visits their end alone (`ended`), or any column (`corrected`)."""

    leads: dict[str, LeadRow] = field(default_factory=dict)
    visits: dict[tuple[str, int], VisitRow] = field(default_factory=dict)
    past: list[PastVisit] = field(default_factory=list)
    captured: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    begun: set[tuple[str, int]] = field(default_factory=set)
    ended: set[tuple[str, int]] = field(default_factory=set)
    corrected: set[tuple[str, int]] = field(default_factory=set)

    def here(self, lead: LeadRow) -> VisitRow | None:
        """The visit the lead is in or left last."""
        return self.visits[lead.lead, lead.visit] if lead.visit else None

    def counted(self, lead: LeadRow, numbers: Iterable[int]) -> VisitRow | None:
        """The first of these visits of the lead that there is and that counts."""
        found = (self.visits.get((lead.lead, number)) for number in numbers)
        return next((visit for visit in found if visit is not None and not visit.undone), None)

    def begin(self, visit: VisitRow) -> None:
        """A visit begins; its number is the lead's next one, never used before."""
        self.visits[visit.lead, visit.visit] = visit
        self.begun.add((visit.lead, visit.visit))

    def end(self, visit: VisitRow, known: datetime, **how: Any) -> None:
        """It ends so; `how`: its columns `left_…` and `to_stage`."""
        for name, value in how.items():
            setattr(visit, name, value)
        visit.left_known_at = known
        self.ended.add((visit.lead, visit.visit))

    def correct(self, visit: VisitRow, known: datetime, **changes: Any) -> None:
        """It is known from here on to be otherwise, in these columns."""
        if all(getattr(visit, name) == value for name, value in changes.items()):
            return
        if visit.known_from < known:
            was = {name: getattr(visit, name) for name in VISIT_COLUMNS}
            self.past.append(PastVisit(**was, known_to=known))
        for name, value in changes.items():
            setattr(visit, name, value)
        visit.known_from = known
        self.corrected.add((visit.lead, visit.visit))

    def reopen(self, visit: VisitRow, known: datetime, worked_by: str | None) -> None:
        """It goes on as if it had never ended."""
        self.correct(visit, known, **dict.fromkeys(END_COLUMNS), worked_by=worked_by)


def columns_of(rows: Iterable[Any], names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The rows as one tuple per column, for `unnest`; there must be a row."""
    return list(zip(*map(attrgetter(*names), rows), strict=True))
