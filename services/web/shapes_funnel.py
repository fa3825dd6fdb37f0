"""What the funnel's API answers with, and how it is made from the projection's numbers (M9, C5).

Invariants: a share says of how many it is, and whether that is enough to conclude from; each number carries the link to what it
counts; percentages are exact decimals, rounded half up to a tenth.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.pipeline import Pipeline, Titles
from projections.funnel.numbers.store import StageNumbers
from projections.funnel.projection import HOW
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

    `leads`: different leads that reached the stage; `present`: those and the ones that were there before the period.
    `conversion_on`: of those present, who went further. `conversion_to_deal`: of those that reached it, who became deals.
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
    leads: NumberOut
    present: NumberOut
    lost_to: dict[str, NumberOut]
    conversion_on: Share
    conversion_to_deal: Share
    ended: int
    median_seconds: float | None
    p90_seconds: float | None
    enough_times: bool


class FunnelGroup(BaseModel):
    """A funnel: of all leads, or of those of one source or responsible. `group` is empty for nobody.

    `now`: where the leads received stand; `won`: leads won, each once. `verdict`: C5's diagnosis of a cohort.
    """

    group: str | None
    received: NumberOut
    deals: NumberOut
    won: NumberOut
    now: dict[str, NumberOut]
    conversion: Share
    first_step: Share
    verdict: Verdict
    stages: list[FunnelStage]


class FunnelOut(BaseModel):
    """A pipeline's funnel. `start` <= t < `end`; an empty end is open. `deal_stage`: whose entry counts as a deal."""

    pipeline: str
    pipeline_version: int
    titles: Titles
    view: Literal["cohort", "activity"]
    start: datetime | None
    end: datetime | None
    by: Literal["source", "responsible"] | None
    deal_stage: str
    read_at: datetime
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


Link = Callable[..., str]
"""(number, stage=None, status=None) -> the address of the list behind it."""


def share(part: int, of: int) -> Share:
    """A part of a whole: 20 of 100 are exactly 20 %."""
    percent = (Decimal(part) * 100 / Decimal(of)).quantize(Decimal("0.1"), ROUND_HALF_UP) if of else None
    return Share(part=part, of=of, percent=percent, enough=of >= LEAST_CASES)


def verdict_of(received: int, first_step: int, deals: int) -> Verdict:
    """C5: few leads of interest: their quality; many, and deals lost later: the sellers' work; too few: says so."""
    if received < LEAST_CASES:
        return "too_few"
    confirmed = Decimal(first_step) * 100 / Decimal(received)
    if confirmed < FEW_CONFIRMED:
        return "lead_quality"
    return "sellers_work" if confirmed >= MANY_CONFIRMED and deals < first_step else "none"


def group_out(
    group: str | None,
    totals: dict[str, int],
    stages: dict[str, StageNumbers],
    pipeline: Pipeline,
    link: Link,
) -> FunnelGroup:
    """A funnel as an answer: the stages in the pipeline's order, then those that only past versions had."""

    def number(name: str, stage: str | None = None, count: int = 0, status: str | None = None) -> NumberOut:
        return NumberOut(count=count, leads=link(name, stage, status))

    def total(name: str) -> NumberOut:
        return number(name, count=totals.get(name, 0))

    order = [stage.id for stage in pipeline.stages]
    order += sorted(set(stages) - set(order))
    received, deals, first = (totals.get(name, 0) for name in ("received", "deals", "first_step"))
    return FunnelGroup(
        group=group,
        received=total("received"),
        deals=total("deals"),
        won=total("won_leads"),
        now={kind: total(f"now_{kind}") for kind in ("open", "won", "lost", "postponed")},
        conversion=share(deals, received),
        first_step=share(first, received),
        verdict=verdict_of(received, first, deals),
        stages=[_stage(stage_out(pipeline, stage), stages.get(stage), number) for stage in order],
    )


def _stage(stage: StageOut, found: StageNumbers | None, number: Callable[..., NumberOut]) -> FunnelStage:
    counts = {**found.visits, **found.leads} if found else {}
    names = ("entries", "there_before", *HOW, "still_there", "returned", "leads", "present")
    present, reached = counts.get("present", 0), counts.get("leads", 0)
    return FunnelStage(
        stage=stage,
        **{name: number(name, stage.id, counts.get(name, 0)) for name in names},
        lost_to={
            status: number("lost", stage.id, count, status)
            for status, count in sorted((found.lost_to if found else {}).items())
        },
        conversion_on=share(counts.get("went_further", 0), present),
        conversion_to_deal=share(counts.get("became_deals", 0), reached),
        ended=found.ended if found else 0,
        median_seconds=found.median_seconds if found else None,
        p90_seconds=found.p90_seconds if found else None,
        enough_times=bool(found and found.ended >= LEAST_CASES),
    )
