"""What recorded facts speak for: moves that are offered to a person, who decides (C8).

Pure. A proposal is never carried out by itself, and each says whether the rules allow it now.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.pipeline import Pipeline, Titles
from services.leads.domain.case import Check
from services.leads.domain.criteria import held
from services.leads.domain.rules import check
from services.leads.domain.state import LeadState


@dataclass(frozen=True, slots=True)
class Proposal:
    """A stage, the fact that speaks for it in words, and whether the lead may go there."""

    stage: str
    fact: str
    because: Titles
    check: Check


def proposals(state: LeadState, pipeline: Pipeline) -> list[Proposal]:
    """What the facts that hold speak for, the newest fact first; a stage once. Nothing for a lead that is not open."""
    if not state.is_open or state.erased:
        return []
    found: dict[str, Proposal] = {}
    facts = [(fact, now) for fact in pipeline.facts if (now := held(state, pipeline, fact.id)) is not None]
    for fact, now in sorted(facts, key=lambda pair: pair[1].at, reverse=True):
        option = fact.option(now.value)
        stage = (option.proposes if option else None) or fact.proposes
        if stage is None or stage == state.stage or stage in found:
            continue
        because = fact.titles if option is None else _of(fact.titles, option.titles)
        found[stage] = Proposal(stage, fact.id, because, check(state, stage, pipeline))
    return list(found.values())


def _of(fact: Titles, option: Titles) -> Titles:
    return Titles(ru=f"{fact.ru}: {option.ru}"[:200], en=f"{fact.en}: {option.en}"[:200])
