"""The funnel's rules: what each event of a lead does to its stage visits (M9, N11, N12).

Pure. Invariants: a visit ends in exactly one way (`HOW`) or is still going on, so a stage's entries are always the sum of its
ways out and of what is still there, however often leads come back; a visit that ended is never touched again; times are those
at which things happened. Nothing personal is here, so an erasure changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from contracts.events.lead import LeadAssigned, LeadCaptured, StageEntered
from projections.event import Event

CAPTURED, ENTERED, ASSIGNED = LeadCaptured.TOPIC, StageEntered.TOPIC, LeadAssigned.TOPIC
TYPES = frozenset({CAPTURED, ENTERED, ASSIGNED})

HOW: Final = (
    "went_on",
    "skipped_on",
    "won",
    "lost",
    "moved_back",
    "postponed",
    "merged_away",
    "handed_over",
)
"""The ways a visit ends, in the order of M9. No event of this release merges a lead or hands it to another pipeline: these two
are counted, as nothing."""


@dataclass(slots=True)
class LeadRow:
    """What a lead's next visit needs. `visit`: number of the last one, 0 before the first."""

    lead: str
    pipeline: str
    source: str
    captured_at: datetime
    responsible: str | None = None
    visit: int = 0


LEAD_COLUMNS = tuple(f.name for f in fields(LeadRow))


@dataclass(slots=True)
class VisitRow:
    """A stage visit. `responsible`: when it began; `worked_by`: when it ended, or now."""

    lead: str
    visit: int
    pipeline: str
    stage: str
    kind: str
    cause: str
    direction: str
    from_stage: str | None
    source: str
    captured_at: datetime
    responsible: str | None
    worked_by: str | None
    entered_at: datetime
    left_at: datetime | None = None
    to_stage: str | None = None
    left_by: str | None = None
    left_how: str | None = None


VISIT_COLUMNS = tuple(f.name for f in fields(VisitRow))


@dataclass(slots=True)
class FunnelRows:
    """Leads a batch touches, with the visit each is in; what of it changed."""

    leads: dict[str, LeadRow] = field(default_factory=dict)
    visits: dict[tuple[str, int], VisitRow] = field(default_factory=dict)
    changed: set[tuple[str, int]] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)


def apply(rows: FunnelRows, event: Event) -> None:
    """Let one event change the rows. Raises KeyError or ValueError for an event that misses what it must have."""
    data = event.data
    rows.touched.add(event.stream)
    if event.type == CAPTURED:
        rows.leads[event.stream] = LeadRow(event.stream, data["pipeline"], data["source"], event.happened_at)
    elif event.type == ENTERED:
        _enter(rows, rows.leads[event.stream], event)
    else:
        lead = rows.leads[event.stream]
        lead.responsible = data["to"]
        if lead.visit:
            rows.visits[lead.lead, lead.visit].worked_by = data["to"]
            rows.changed.add((lead.lead, lead.visit))


def _enter(rows: FunnelRows, lead: LeadRow, event: Event) -> None:
    data = event.data
    stage, kind, cause, direction = data["stage"], data["kind"], data["cause"], data["direction"]
    if lead.visit:
        before = rows.visits[lead.lead, lead.visit]
        before.left_at, before.to_stage, before.left_by = event.happened_at, stage, cause
        before.left_how = how(before.kind, kind, direction)
        rows.changed.add((lead.lead, lead.visit))
    lead.visit = data["visit"]
    rows.visits[lead.lead, lead.visit] = VisitRow(
        lead.lead,
        lead.visit,
        lead.pipeline,
        stage,
        kind,
        cause,
        direction,
        data.get("from_stage"),
        lead.source,
        lead.captured_at,
        lead.responsible,
        lead.responsible,
        event.happened_at,
    )
    rows.changed.add((lead.lead, lead.visit))


def how(left: str, entered: str, direction: str) -> str:
    """How a visit of kind `left` ended when one of kind `entered` began.

    A lead is won once: a move among won stages goes on, back or skips like any other. A return from an outcome is a move back.
    """
    if entered == "won" and left != "won":
        return "won"
    if entered in ("lost", "postponed"):
        return entered
    if direction in ("back", "return"):
        return "moved_back"
    return "skipped_on" if direction == "skip" else "went_on"


def columns_of(rows: Iterable[Any], names: tuple[str, ...]) -> list[list[Any]]:
    """The rows as one list per column, for `unnest`."""
    rows = list(rows)
    return [[getattr(row, name) for row in rows] for name in names]
