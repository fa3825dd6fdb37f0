"""The funnel's rules: what each event of a lead or a deal does to its stage visits (M9, N11, N12, S3).

Pure. A deal's visits are of its own pipeline, and its cohort is the day it was opened; one that is withdrawn ends as one that
was merged away, neither won nor lost, and goes on when it is restored. Invariants: a visit that counts ends in exactly one way
(`HOW`) or is still going on, so a stage's entries are always the sum of its ways out and of what is still there; a visit that
ended is never touched again but by a correction. A mistake counts for nothing: an undone visit is kept, marked so, and the one
before it goes on as if it had never ended; so does a visit that was merged away, once the merge is taken back. Times are those
at which things happened, beside those since which they are known (`rows`). Nothing personal is here, so an erasure changes
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from contracts.events import deal as deal_events
from contracts.events import lead as lead_events
from contracts.events.deadlines import LeadPooled
from projections.event import Event
from projections.funnel.rows import FunnelRows, LeadRow, VisitRow

CAPTURED, ENTERED = lead_events.LeadCaptured.TOPIC, lead_events.StageEntered.TOPIC
ASSIGNED, REJECTED = lead_events.LeadAssigned.TOPIC, lead_events.LeadRejected.TOPIC
POOLED = LeadPooled.TOPIC
ADOPTED, MERGED, UNMERGED = (
    event.TOPIC for event in (lead_events.LeadAdopted, lead_events.LeadMerged, lead_events.LeadUnmerged)
)
OPENED, WITHDRAWN, RESTORED = (
    event.TOPIC for event in (deal_events.DealOpened, deal_events.DealWithdrawn, deal_events.DealRestored)
)
CREATING: Final = frozenset({CAPTURED, OPENED})
"""Events that begin a lead or a deal."""

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
"""The ways a visit ends, in the order of M9."""


def apply(rows: FunnelRows, event: Event) -> None:
    """Let one event change the rows. Raises KeyError or ValueError for an event that misses what it must have."""
    rows.touched.add(event.stream)
    if event.type in CREATING:
        data = event.data
        rows.leads[event.stream] = LeadRow(
            event.stream, data["pipeline"], _version(event), data["source"], event.happened_at, event.recorded_at
        )
        rows.captured.add(event.stream)
        return
    lead = rows.leads[event.stream]
    lead.known_at = max(lead.known_at, event.recorded_at)  # a clock that was set back makes nothing known earlier
    _CHANGES[_plain(event.type)](rows, lead, event)


def corrects(event: Event) -> bool:
    """Whether more of the lead's visits than the last one are needed."""
    return _plain(event.type) == ENTERED and event.data.get("undoes") is not None


def _assigned(rows: FunnelRows, lead: LeadRow, event: Event) -> None:
    lead.responsible = event.data.get("to")  # nobody, while it waits in the pool
    here = rows.here(lead)
    if here is not None and here.left_at is None:
        rows.correct(here, lead.known_at, worked_by=lead.responsible)


def _rejected(_: FunnelRows, lead: LeadRow, event: Event) -> None:
    lead.reason, lead.outcome = event.data.get("reason"), event.data.get("outcome", "refused")


def _adopted(_: FunnelRows, lead: LeadRow, event: Event) -> None:
    lead.pipeline, lead.version = event.data["pipeline"], event.data["number"]


def _merged(rows: FunnelRows, lead: LeadRow, event: Event) -> None:
    here = rows.here(lead)
    if here is not None and here.left_at is None:
        rows.end(
            here,
            lead.known_at,
            left_at=event.happened_at,
            left_by=_plain(event.type).rpartition(".")[2],
            left_how="merged_away",
        )


def _unmerged(rows: FunnelRows, lead: LeadRow, _: Event) -> None:
    here = rows.here(lead)
    if here is not None and here.left_how == "merged_away":
        rows.reopen(here, lead.known_at, lead.responsible)


def _entered(rows: FunnelRows, lead: LeadRow, event: Event) -> None:
    data = event.data
    stage, cause, undoes = data["stage"], data["cause"], data.get("undoes")
    corrected = undoes is not None or cause in ("undone", "unmerged")
    if undoes is not None:
        _undo(rows, lead, undoes)
    here = rows.here(lead)
    reason, outcome, lead.reason, lead.outcome = lead.reason, lead.outcome, None, None
    if here is not None and here.left_at is None:
        if corrected and here.stage == stage and here.pipeline == lead.pipeline:
            return  # the visit before the mistake goes on: this is no entry
        way = "handed_over" if here.pipeline != lead.pipeline else how(here.kind, data["kind"], data["direction"])
        lost = way == "lost"
        rows.end(
            here,
            lead.known_at,
            left_at=event.happened_at,
            to_stage=stage,
            left_by=cause,
            left_how=way,
            left_direction=data["direction"],
            left_version=lead.version,
            left_reason=reason if lost else None,
            left_outcome=outcome if lost else None,
        )
    lead.visit = data["visit"]
    rows.begin(
        VisitRow(
            lead.lead,
            lead.visit,
            lead.pipeline,
            lead.version,
            stage,
            data["kind"],
            cause,
            data["direction"],
            _basis(event),
            data.get("from_stage"),
            lead.source,
            lead.captured_at,
            lead.responsible,
            lead.responsible,
            event.happened_at,
            lead.known_at,
        )
    )


def _undo(rows: FunnelRows, lead: LeadRow, number: int) -> None:
    """A visit was a mistake: the one before goes on, or, if the lead has moved on meanwhile, leads to where it went."""
    wrong = rows.visits.get((lead.lead, number))
    if wrong is None or wrong.undone:
        return
    before = rows.counted(lead, range(number - 1, 0, -1))
    after = rows.counted(lead, range(number + 1, lead.visit + 1))
    rows.correct(wrong, lead.known_at, undone=True)
    if after is None:
        lead.visit = before.visit if before is not None else 0
    if before is None:
        return
    if after is None:
        rows.reopen(before, lead.known_at, lead.responsible)
        return
    handed = before.pipeline != after.pipeline
    rows.correct(
        before,
        lead.known_at,
        left_at=after.entered_at,
        to_stage=after.stage,
        left_by=after.cause,
        left_how="handed_over" if handed else how(before.kind, after.kind, after.direction),
        left_direction=after.direction,
        left_version=after.pipeline_version,
        left_reason=wrong.left_reason,
        left_outcome=wrong.left_outcome,
        left_known_at=lead.known_at,
        worked_by=after.responsible,
    )
    rows.correct(after, lead.known_at, from_stage=before.stage)


_CHANGES: Final[dict[str, Callable[[FunnelRows, LeadRow, Event], None]]] = {
    ENTERED: _entered,
    ASSIGNED: _assigned,
    POOLED: _assigned,
    REJECTED: _rejected,
    ADOPTED: _adopted,
    MERGED: _merged,
    UNMERGED: _unmerged,
    WITHDRAWN: _merged,
    RESTORED: _unmerged,
}
TYPES = frozenset({*CREATING, *_CHANGES, *(deal for deal, lead in deal_events.AS_OF_LEADS.items() if lead in _CHANGES)})


def _plain(type_: str) -> str:
    """The type, a deal's as its lead's."""
    return deal_events.AS_OF_LEADS.get(type_, type_)


def how(left: str, entered: str, direction: str) -> str:
    """How a visit of kind `left` ended when one of kind `entered` began.

    A lead is won once: a move among won stages goes on, back or skips like any other. A return from an outcome is a move back.
    Into a stage of another pipeline or version (`across`) it is handed over, whatever that stage is.
    """
    if direction == "across":
        return "handed_over"
    if entered == "won" and left != "won":
        return "won"
    if entered in ("lost", "postponed"):
        return entered
    if direction in ("back", "return"):
        return "moved_back"
    return "skipped_on" if direction == "skip" else "went_on"


def _basis(event: Event) -> str:
    """What let the lead enter: whatever an import brings in is of the import, also where no rule would have objected."""
    basis: str = event.data.get("basis", "check")
    return "import" if basis == "check" and event.actor["kind"] == "import" else basis


def _version(event: Event) -> int:
    """Of the pipeline the lead came in under; 0 where the event does not say. From there on only an adoption changes it,
    whose own events are decided under the version before."""
    number = (event.pipeline or "").rpartition("@")[2]
    return int(number) if number else 0
