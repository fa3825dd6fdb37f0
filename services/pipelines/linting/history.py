"""What a pipeline's stage visits tell the linter: how long, what was skipped, what goes to and fro (S5). Pure.

The figures are counted by whoever has the visits (`services.ops.lint.store`); nothing here names a lead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from services.pipelines.linting.case import Case
from services.pipelines.linting.finding import Found, Said


class Stay(NamedTuple):
    """Ended visits of a stage: how many, and the median of their length in seconds."""

    ended: int
    median_seconds: float


class Passing(NamedTuple):
    """Of the leads that came to a later stage of the scale: how many, and how many of them were never in this one."""

    went_beyond: int
    never_there: int


class Swing(NamedTuple):
    """Two stages: leads that were in both, and those that went from one to the other and back again at least once."""

    in_both: int
    to_and_fro: int


@dataclass(frozen=True, slots=True)
class History:
    """Figures by stage, and by pair of stages (in the order of the scale)."""

    stays: Mapping[str, Stay] = field(default_factory=dict)
    passings: Mapping[str, Passing] = field(default_factory=dict)
    swings: Mapping[tuple[str, str], Swing] = field(default_factory=dict)


def short_lived(case: Case) -> Iterator[Found]:
    """Open stages that leads stay in for minutes."""
    limit = case.settings.short_visit
    for n, stage in case.open_stages:
        stay = case.history.stays.get(stage.id)
        if stay is None or stay.ended < case.settings.enough or stay.median_seconds >= limit.total_seconds():
            continue
        minutes = limit.total_seconds() / 60
        ru, en = _length(stay.median_seconds)
        yield Found(
            ("stages", n),
            Said(
                f"«{stage.titles.ru}»: половина пребываний короче {ru} (из {stay.ended}); порог — {minutes:g} мин",
                f"“{stage.titles.en}”: half of the visits are shorter than {en} (of {stay.ended}); "
                f"the limit is {minutes:g} min",
            ),
            (stage.id,),
        )


def skipped(case: Case) -> Iterator[Found]:
    """Open stages that most leads were never in, though they came further."""
    for n, stage in case.open_stages:
        passing = case.history.passings.get(stage.id)
        if passing is None or passing.went_beyond < case.settings.enough:
            continue
        share = passing.never_there / passing.went_beyond
        if share < case.settings.skipped_share:
            continue
        yield Found(
            ("stages", n),
            Said(
                f"«{stage.titles.ru}»: {share:.0%} лидов, дошедших дальше, в ней не были "
                f"({passing.never_there} из {passing.went_beyond})",
                f"“{stage.titles.en}”: {share:.0%} of the leads that came further were never in it "
                f"({passing.never_there} of {passing.went_beyond})",
            ),
            (stage.id,),
        )


def ping_pong(case: Case) -> Iterator[Found]:
    """Two open stages between which leads go to and fro."""
    places = {stage.id: (n, stage) for n, stage in case.open_stages}
    for (one, other), swing in case.history.swings.items():
        if one not in places or other not in places or swing.in_both < case.settings.enough:
            continue
        share = swing.to_and_fro / swing.in_both
        if share < case.settings.swing_share:
            continue
        (n, first), (_, second) = places[one], places[other]
        yield Found(
            ("stages", n),
            Said(
                f"между «{first.titles.ru}» и «{second.titles.ru}» ходят туда и обратно {share:.0%} лидов, "
                f"бывших в обеих ({swing.to_and_fro} из {swing.in_both})",
                f"between “{first.titles.en}” and “{second.titles.en}” {share:.0%} of the leads that were in both "
                f"went to and fro ({swing.to_and_fro} of {swing.in_both})",
            ),
            (one, other),
        )


def _length(seconds: float) -> tuple[str, str]:
    if seconds < 60:
        return f"{max(round(seconds), 1)} с", f"{max(round(seconds), 1)} s"
    return f"{seconds / 60:.1f} мин", f"{seconds / 60:.1f} min"
