"""What can be asked of a funnel, and which visits or leads each of its numbers counts (M9, C5, N11).

Pure. Two views, never mixed. **cohort**: the leads received in the period, with all that became of them since. **activity**:
what moved in the period, whichever leads it was. Invariant: a number and the list behind it come from one condition here, so
the list is as long as the number says; entries + there_before = the eight ways out + still_there, for each stage and group.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from projections.funnel.projection import HOW

View = Literal["cohort", "activity"]
By = Literal["source", "responsible"]

VISIT_NUMBERS: Final[dict[str, str]] = {
    "entries": "entered",
    "there_before": "NOT entered",
    **{way: f"how = '{way}'" for way in HOW},
    "returned": "how = 'moved_back' AND left_by = 'reopened'",
    "still_there": "how IS NULL",
    "overridden": "entered AND basis = 'override'",
    "adopted": "entered AND basis = 'adoption'",
    "imported": "entered AND basis = 'import'",
}
"""Numbers of visits at a stage: which visits count."""

LEAD_NUMBERS: Final[dict[str, str]] = {
    "leads": "entered",
    "present": "true",
    "went_further": "how IN ('went_on', 'skipped_on', 'won')",
    "became_deals": "entered AND deal",
}
"""Numbers of different leads at a stage: which visits make a lead count. `leads` are those that visited it."""

SCALE_NUMBERS: Final[dict[str, str]] = {
    "reached": "entered",
    "skipped_over": "how IN ('went_on', 'skipped_on', 'won')",
}
"""Numbers of a stage that come of visits elsewhere, by the places in the version each visit was of. `reached`: different leads
that entered it or a later one; `skipped_over`: visits before it that ended with one after it."""

UNDONE: Final = "undone"
"""Visits of the stage that were undone: they are in no other number."""

TOTAL_NUMBERS: Final[dict[str, str]] = {
    "received": "received",
    "counted": "received AND (NOT merged OR deal)",
    "deals": "deal",
    "won_leads": "ever_won",
    "now_open": "received AND here AND kind = 'open'",
    "now_won": "received AND here AND kind = 'won'",
    "now_lost": "received AND here AND kind = 'lost'",
    "now_postponed": "received AND here AND kind = 'postponed'",
    "now_merged": "received AND merged",
    "now_handed_over": "received AND NOT here AND NOT merged",
    "first_step": "received AND (NOT merged OR deal) AND first_step",
    "lost_later": "received AND here AND kind = 'lost' AND first_step",
}
"""Numbers of leads in the whole pipeline. A lead is won once, and is one deal, when it first enters such a stage; one that was
merged into another counts there. `first_step`: went on from a stage, or was past the first one."""


class Step(NamedTuple):
    """A stage in a version of the pipeline (0: visits that do not say which): its place on the scale, None for those off it,
    and whether entering it is a deal (C5)."""

    version: int
    stage: str
    place: int | None
    deal: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """Which funnel: of a pipeline with the stages of all its versions, in a view, over a period `start <= t < end`, either end
    of which may be open.

    `known`: as it was known at that moment. `until`: as if nothing had happened from then on. `responsible`: only of them.
    """

    pipeline: str
    steps: tuple[Step, ...]
    view: View = "cohort"
    start: datetime | None = None
    end: datetime | None = None
    known: datetime | None = None
    until: datetime | None = None
    responsible: str | None = None

    @property
    def arguments(self) -> tuple[Any, ...]:
        """$1 to $10 of every statement, as `projections.funnel.known.store.ASKED` names them."""
        period = self.start, self.end, self.known, self.until
        return self.pipeline, *period, self.responsible, *(list(column) for column in zip(*self.steps, strict=True))
