"""What the funnel's API answers with, and how it is made from the projection's numbers (M9, C5).

Invariants: a share says of how many it is, and whether that is enough to conclude from; each number carries the link to what it
counts; percentages are exact decimals, rounded half up to a tenth; of a closed report both figures are given, never one for the
other.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.pipeline import Pipeline, Titles
from projections.funnel.numbers.asked import LEAD_NUMBERS, SCALE_NUMBERS, UNDONE, VISIT_NUMBERS
from projections.funnel.numbers.store import StageNumbers
from services.web.shapes import StageOut, stage_out

LEAST_CASES = 20
"""Fewer cases than this prove nothing: shares and times of them are shown, and said to be of too few."""
FEW_CONFIRMED, MANY_CONFIRMED = Decimal("5"), Decimal("20")
"""C5: percent of the leads received whose interest was confirmed (that went on from the first stage)."""

Verdict = Literal["too_few", "lead_quality", "sellers_work", "none"]


class NumberOut(BaseModel):
    """A number, and where the leads behind it are listed."""

    count: int
    leads: str


class Share(BaseModel):
    """`part` of `of`. `percent` is empty where there is nothing to take a part of; `enough`: at least 20 cases."""

    part: int
    of: int
    percent: Decimal | None
    enough: bool


class FunnelStage(BaseModel):
    """A stage. `entries` + `there_before` = the eight ways out + `still_there`; all of these count visits.

    `overridden`, `adopted`, `imported`: of the entries, those that no rule let in by itself. `undone`: visits that were mistakes,
    in no other number. `skipped_over`: visits to stages before it that ended with one after it. `leads`: different leads that
    visited the stage; `reached`: that visited it or a later one; `present`: that were there, those from before the period too.
    `conversion_on`: of those present, who went further. `conversion_to_deal`: of those that visited it, who became deals.
    """

    stage: StageOut
    entries: NumberOut
    there_before: NumberOut
    went_on: NumberOut
    skipped_on: NumberOut
    won: NumberOut
    lost: NumberOut
    moved_back: NumberOut
    postponed: NumberOut
    merged_away: NumberOut
    handed_over: NumberOut
    still_there: NumberOut
    returned: NumberOut
    overridden: NumberOut
    adopted: NumberOut
    imported: NumberOut
    undone: NumberOut
    skipped_over: NumberOut
    leads: NumberOut
    reached: NumberOut
    present: NumberOut
    lost_to: dict[str, NumberOut]
    """By reject status."""
    lost_for: dict[str, NumberOut]
    """By reason, of those that have one."""
    conversion_on: Share
    conversion_to_deal: Share
    ended: int
    median_seconds: float | None
    p90_seconds: float | None
    enough_times: bool


class FunnelGroup(BaseModel):
    """A funnel: of all leads, or of those of one source or responsible. `group` is empty for nobody.

    `now`: where the leads received stand; `won`: leads won, each once. `counted`: those received, without those that were merged
    into others, which are counted there; `conversion` and `first_step` are of them. `verdict`: C5's diagnosis of a cohort.
    """

    group: str | None
    received: NumberOut
    counted: NumberOut
    deals: NumberOut
    won: NumberOut
    now: dict[str, NumberOut]
    confirmed: NumberOut
    """Leads that went on from the first stage: whose interest was confirmed."""
    lost_later: NumberOut
    conversion: Share
    first_step: Share
    verdict: Verdict
    stages: list[FunnelStage]


class Difference(BaseModel):
    """A number of a closed report that is known to be otherwise now. `stage` is empty for those of the whole pipeline."""

    stage: str | None
    number: str
    original: NumberOut
    restated: NumberOut
    difference: int


class Closing(BaseModel):
    """A closed report: what had happened before `until`, as it was known at `known_at`. `restated`: it would say otherwise now,
    in what `differences` names. `events`: the address of the events that changed it."""

    known_at: datetime
    until: datetime
    restated: bool
    differences: list[Difference]
    events: str


class FunnelOut(BaseModel):
    """A pipeline's funnel. `start` <= t < `end`; an empty end is open. `deal_stage`: whose entry counts as a deal."""

    pipeline: str
    pipeline_version: int
    titles: Titles
    view: Literal["cohort", "activity"]
    start: datetime | None
    end: datetime | None
    by: Literal["source", "responsible"] | None
    as_of: datetime | None
    """As it was known then; empty: now."""
    until: datetime | None
    """As if nothing had happened from then on; empty: all that has."""
    responsible: str | None
    """Only what is theirs; empty: everybody's."""
    deal_stage: str
    read_at: datetime
    closing: Closing | None
    """Empty while the period is not closed, and where another moment or one responsible is asked for."""
    least_cases: int = LEAST_CASES
    total: FunnelGroup
    groups: list[FunnelGroup]


class BehindOut(BaseModel):
    """A visit, or a lead in its present one, behind a number."""

    model_config = ConfigDict(from_attributes=True)

    lead: UUID
    name: str | None = None
    erased: bool = False
    visit: int
    stage: str
    source: str
    worked_by: str | None
    captured_at: datetime
    entered_at: datetime
    left_at: datetime | None
    to_stage: str | None
    how: str | None


class BehindList(BaseModel):
    """A page of what a number counts; `next` goes into `after`."""

    items: list[BehindOut]
    next: str | None = None


class LateOut(BaseModel):
    """An event that changed a closed report."""

    model_config = ConfigDict(from_attributes=True)

    lead: UUID
    name: str | None = None
    erased: bool = False
    version: int
    type: str
    happened_at: datetime
    recorded_at: datetime
    actor: str


class LateList(BaseModel):
    """A page of these events, in the order they were recorded; `next` goes into `after`."""

    items: list[LateOut]
    next: str | None = None


Link = Callable[..., str]
"""(number, stage=None, status=…, reason=…) -> the address of the list behind it."""


def share(part: int, of: int) -> Share:
    """A part of a whole: 20 of 100 are exactly 20 %."""
    percent = (Decimal(part) * 100 / Decimal(of)).quantize(Decimal("0.1"), ROUND_HALF_UP) if of else None
    return Share(part=part, of=of, percent=percent, enough=of >= LEAST_CASES)


def verdict_of(counted: int, first_step: int, lost_later: int) -> Verdict:
    """C5: few leads of interest: their quality; many, and some of them lost later: the sellers' work; too few leads: says so."""
    if counted < LEAST_CASES:
        return "too_few"
    confirmed = Decimal(first_step) * 100 / Decimal(counted)
    if confirmed < FEW_CONFIRMED:
        return "lead_quality"
    return "sellers_work" if confirmed >= MANY_CONFIRMED and lost_later else "none"


_OF_STAGE = (*VISIT_NUMBERS, *LEAD_NUMBERS, *SCALE_NUMBERS, UNDONE)
_SHOWN = tuple(name for name in _OF_STAGE if name in FunnelStage.model_fields)
NOW = ("open", "won", "lost", "postponed", "merged", "handed_over")


def group_out(
    group: str | None,
    totals: dict[str, int],
    stages: dict[str, StageNumbers],
    pipeline: Pipeline,
    link: Link,
) -> FunnelGroup:
    """A funnel as an answer: the stages in the pipeline's order, then those that only past versions had."""

    def total(name: str) -> NumberOut:
        return NumberOut(count=totals.get(name, 0), leads=link(name))

    order = [stage.id for stage in pipeline.stages]
    order += sorted(set(stages) - set(order))
    counted, deals, first = (totals.get(name, 0) for name in ("counted", "deals", "first_step"))
    return FunnelGroup(
        group=group,
        received=total("received"),
        counted=total("counted"),
        deals=total("deals"),
        won=total("won_leads"),
        now={kind: total(f"now_{kind}") for kind in NOW},
        confirmed=total("first_step"),
        lost_later=total("lost_later"),
        conversion=share(deals, counted),
        first_step=share(first, counted),
        verdict=verdict_of(counted, first, totals.get("lost_later", 0)),
        stages=[_stage(stage_out(pipeline, stage), stages.get(stage), link) for stage in order],
    )


def _stage(stage: StageOut, found: StageNumbers | None, link: Link) -> FunnelStage:
    counts = _counts(found) if found else {}
    numbers = {name: NumberOut(count=counts.get(name, 0), leads=link(name, stage.id)) for name in _SHOWN}
    return FunnelStage(
        stage=stage,
        **numbers,
        lost_to={
            status: NumberOut(count=count, leads=link("lost", stage.id, status=status))
            for status, count in sorted((found.lost_to if found else {}).items())
        },
        lost_for={
            reason: NumberOut(count=count, leads=link("lost", stage.id, reason=reason))
            for reason, count in sorted((found.lost_for if found else {}).items())
        },
        conversion_on=share(counts.get("went_further", 0), counts.get("present", 0)),
        conversion_to_deal=share(counts.get("became_deals", 0), counts.get("leads", 0)),
        ended=found.ended if found else 0,
        median_seconds=found.median_seconds if found else None,
        p90_seconds=found.p90_seconds if found else None,
        enough_times=bool(found and found.ended >= LEAST_CASES),
    )


def _counts(found: StageNumbers) -> dict[str, int]:
    return {**found.visits, **found.leads, **found.scale, UNDONE: found.undone}


Counts = dict[tuple[str | None, str], int]
"""By stage (None: the whole pipeline) and number."""


def counts_of(totals: dict[str, int], stages: dict[str, StageNumbers]) -> Counts:
    """All numbers of a funnel that are counts."""
    found: Counts = {(None, name): count for name, count in totals.items()}
    for stage, numbers in stages.items():
        found |= {(stage, name): count for name, count in _counts(numbers).items() if name != UNDONE}
    return found


def differences_of(original: Counts, restated: Counts, link_then: Link, link_now: Link) -> list[Difference]:
    """The numbers that differ, each with both figures."""
    return [
        Difference(
            stage=stage,
            number=name,
            original=NumberOut(count=was, leads=link_then(name, stage)),
            restated=NumberOut(count=now, leads=link_now(name, stage)),
            difference=now - was,
        )
        for stage, name in {**original, **restated}
        if (was := original.get((stage, name), 0)) != (now := restated.get((stage, name), 0))
    ]
