"""Step 5 of a batch for what depends on a pipeline being in force: adopting a lead, and bringing one to life in an archive.

Invariants: a lead comes to a pipeline only under that pipeline's shared lock, which archiving takes for itself: none slips
in while it is archived; a claim (contact, pipeline) is looked up before the batch decides (`claims_asked`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.pipeline import Pipeline
from services.database import Database
from services.leads.domain.adopting import Destination, adopt, archived_pipeline
from services.leads.domain.state import LeadState
from services.leads.work import CommandWork, Work
from services.pipelines import archiving, registry

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch

ALIVE = ("open", "postponed")
"""Kinds of stage whose leads are at work, which none comes to be in an archived pipeline."""


def claims_asked(work: Iterable[Work], lead: Callable[[UUID], LeadState | None]) -> set[tuple[UUID, str]]:
    """The claims (contact, pipeline) that adoptions into another pipeline will take."""
    found: set[tuple[UUID, str]] = set()
    for piece in work:
        if isinstance(piece, CommandWork) and isinstance(body := piece.command.body, c.Adopt):
            state = lead(piece.command.lead)
            if state is not None and state.pipeline != body.pipeline:
                found.add((state.contact, body.pipeline))
    return found


async def decide_adoption(
    batch: LeadBatch, command: c.Command, state: LeadState, here: Pipeline, database: Database
) -> tuple[e.Event, ...] | Refusal:
    """An adoption: its events, or why it is refused."""
    body = command.body
    assert isinstance(body, c.Adopt)
    held = batch.open_lead_of(state.contact, body.pipeline) if state.deal_of is None else None
    there = Destination(
        pipeline=await _version(batch, database, body.pipeline, body.number),
        archived=body.pipeline != state.pipeline and await takes_none(batch, database, body.pipeline),
        other_open_lead=held if held != state.lead else None,
    )
    return adopt(state, command, here, there, batch.now)


async def adopted_pipeline(batch: LeadBatch, command: c.Command, database: Database) -> Pipeline | None:
    """The version that a lead goes on under by this command."""
    body = command.body
    return await _version(batch, database, body.pipeline, body.number) if isinstance(body, c.Adopt) else None


async def archived_refusal(
    batch: LeadBatch, state: LeadState, decided: Sequence[e.Event], database: Database
) -> Refusal | None:
    """The refusal of events that would bring a lead back to work in an archived pipeline."""
    if state.kind in ALIVE or not any(isinstance(event, e.StageEntered) and event.kind in ALIVE for event in decided):
        return None
    return refusal_of(state.pipeline) if await takes_none(batch, database, state.pipeline) else None


async def revived_in_archive(batch: LeadBatch, merged: LeadState, database: Database) -> bool:
    """Whether a merged lead, once it stands by itself again, would be at work in an archived pipeline."""
    return merged.kind in ALIVE and await takes_none(batch, database, merged.pipeline)


def refusal_of(pipeline: str) -> Refusal:
    """The refusal for a lead that would come to an archived pipeline."""
    broken = archived_pipeline(pipeline)
    return Refusal(rules=("M3.takes_leads",), ru=broken.ru, en=broken.en)


async def takes_none(batch: LeadBatch, database: Database, pipeline: str) -> bool:
    """Whether a pipeline is archived; it stays as it is until the batch has ended."""
    if pipeline not in batch.archived:
        batch.archived[pipeline] = await archiving.is_archived(database, pipeline, hold=True)
    return batch.archived[pipeline]


async def _version(batch: LeadBatch, database: Database, pipeline: str, number: int) -> Pipeline | None:
    if (pipeline, number) in batch.unpublished:
        return batch.unpublished[pipeline, number]
    try:
        return await registry.version(database, pipeline, number)
    except registry.NoSuchPipelineError:
        return None
