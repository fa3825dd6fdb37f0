"""Deals of a batch: opened by a lead's win, withdrawn when that is undone, loaded with what their lead says (C6, decision 7).

Invariants: a deal is opened in the transaction of the change of stage that it follows from, once for each lead and pipeline,
however often that is repeated; its events name that change as their cause. Opening fails nothing: where the pipeline takes no
deals the lead is won all the same, and the refusal is told where everyone sees it (`leads.refusals`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.events.deal import of_deal
from contracts.meta import Meta
from contracts.pipeline import Pipeline
from services.database import Database
from services.leads import adopting
from services.leads.answers import tell_refusal
from services.leads.automatic import follow
from services.leads.domain.case import Case
from services.leads.domain.deals import Turn, deal_of, turns
from services.leads.domain.decide import entered
from services.leads.domain.robots.following import PIPELINE_RULES
from services.leads.domain.rules import refused_by
from services.leads.domain.state import LeadState
from services.pipelines import registry

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch

ON_THE_LEAD = (c.Merge, c.Unmerge, c.Dismiss)
"""Commands that a deal leaves to its lead."""


async def look_up(batch: LeadBatch, database: Database) -> None:
    """The leads of the deals at hand. Raises LocksMissedError."""
    await batch.have(database, {deal.deal_of for deal in batch.deals() if deal.deal_of is not None})


async def look_up_of(batch: LeadBatch, database: Database, leads: Iterable[LeadState]) -> None:
    """The deals that these leads became, where they did. Raises LocksMissedError."""
    wanted: set[UUID] = set()
    for lead in leads:
        pipeline = await _version(batch, database, lead.pipeline, lead.pipeline_number)
        opened = {stage.deal.pipeline for stage in pipeline.stages if stage.deal} if pipeline is not None else set()
        wanted |= {deal_of(lead.lead, name) for name in opened}
    await batch.have(database, wanted)


def refusal_of(batch: LeadBatch, case: Case) -> Refusal | None:
    """Why nothing of this is done with a deal: it was withdrawn, or it is done on its lead. Of other streams none."""
    body = case.command.body if case.command else None
    if case.state.withdrawn:
        return refused_by(case, "D1.not_withdrawn")
    if isinstance(body, ON_THE_LEAD) and case.state.deal_of is not None:
        return refused_by(case, "D1.on_the_lead")
    into = batch.lead(body.into) if isinstance(body, c.Merge) else None
    if into is not None and into.deal_of is not None:
        return refused_by(Case(into, case.pipeline, None, case.command, case.now), "D1.on_the_lead")
    return None


def not_imported() -> Refusal:
    """The refusal of a row of an import that names a deal."""
    return Refusal(
        rules=("D1.leads_are_imported",),
        ru="Под этим номером идёт сделка: импортируют лиды, сделку открывает победа лида.",
        en="A deal goes by this id: leads are imported, a deal is opened by its lead's win.",
    )


async def follow_leads(batch: LeadBatch, database: Database) -> None:
    """What the changes of stage of the piece of work at hand mean for deals. Raises LocksMissedError."""
    changes, batch.turned = batch.turned, []
    for meta, event in changes:
        if meta.actor.kind == "import" or meta.pipeline is None:
            continue  # a fact of the past starts nothing
        name, _, number = meta.pipeline.rpartition("@")
        pipeline = await _version(batch, database, name, int(number))
        for turn in turns(event, pipeline) if pipeline is not None else ():
            await _carry_out(batch, database, turn, meta, event)


async def _version(batch: LeadBatch, database: Database, name: str, number: int) -> Pipeline | None:
    """The version a lead was moved under; None for one that is only rehearsed: adoptions open nothing."""
    if (name, number) in batch.unpublished:
        return None
    return await registry.version(database, name, number)


async def _carry_out(batch: LeadBatch, database: Database, turn: Turn, meta: Meta, event: e.StageEntered) -> None:
    lead = batch.lead(meta.stream)
    assert lead is not None, "the lead has just been moved"
    stream = deal_of(lead.lead, turn.pipeline)
    await batch.have(database, [stream])
    deal = batch.lead(stream)
    if deal is None:
        if turn.what == "open":
            await _open(batch, database, turn.pipeline, lead, meta)
    elif turn.what == "withdraw" and not deal.withdrawn:
        assert event.undoes is not None, "only what is undone withdraws"
        await _record(batch, database, deal, meta, e.DealWithdrawn(undone_visit=event.undoes))
    elif turn.what != "withdraw" and deal.withdrawn:
        if deal.kind in adopting.ALIVE and await adopting.takes_none(batch, database, deal.pipeline):
            _tell(batch, lead, meta, deal.pipeline)
        else:
            await _record(batch, database, deal, meta, e.DealRestored(lead_visit=event.visit))


async def _record(batch: LeadBatch, database: Database, deal: LeadState, meta: Meta, event: e.Event) -> None:
    envelope = _envelope(meta, deal.pipeline, deal.pipeline_number)
    batch.record(deal.lead, "deal", deal.contact, (event,), **envelope)
    pipeline = await _version(batch, database, deal.pipeline, deal.pipeline_number)
    if pipeline is not None:  # its robots wait no more, or again
        follow(batch, deal.lead, (event,), pipeline, envelope, deal, moves=False)


async def _open(batch: LeadBatch, database: Database, name: str, lead: LeadState, meta: Meta) -> None:
    try:
        pipeline, number = await registry.current(database, name)
    except registry.NoSuchPipelineError:
        pipeline, number = None, 0
    if pipeline is None or await adopting.takes_none(batch, database, name):
        _tell(batch, lead, meta, name)
        return
    stream, envelope = deal_of(lead.lead, name), _envelope(meta, name, number)
    opened = e.DealOpened(
        lead=lead.lead,
        contact=lead.contact,
        pipeline=name,
        number=number,
        source=lead.source,
        channel=lead.channel,
    )
    batch.record(stream, "deal", lead.contact, (opened,), **envelope)
    deal = batch.lead(stream)
    assert deal is not None, "it has just been opened"
    events: list[e.Event] = [of_deal(entered(deal, pipeline.first, "captured", "in"))]
    if lead.responsible is not None:
        events.append(of_deal(e.LeadAssigned(to=lead.responsible, reason="as_the_lead")))
    batch.record(stream, "deal", lead.contact, events, **envelope)
    follow(batch, stream, events, pipeline, envelope, None)


def _envelope(meta: Meta, pipeline: str, number: int) -> dict[str, Any]:
    """The envelope of what a lead's change of stage does to its deal."""
    return {
        "command": meta.command,
        "actor": PIPELINE_RULES,
        "happened_at": meta.happened_at,
        "correlation": meta.correlation,
        "causation": meta.event_id,
        "autodepth": meta.autodepth,
        "pipeline": f"{pipeline}@{number}",
        "traceparent": meta.traceparent,
    }


def _tell(batch: LeadBatch, lead: LeadState, meta: Meta, pipeline: str) -> None:
    """The lead is won, and there is no deal: where everyone sees it."""
    command = uuid5(meta.command, f"deal:{pipeline}")
    tell_refusal(batch, command, lead.lead, "convert", PIPELINE_RULES, _takes_no_deals(pipeline), lead.version)


def _takes_no_deals(pipeline: str) -> Refusal:
    return Refusal(
        rules=("D1.pipeline_takes_deals",),
        ru=f"Лид выигран, но сделка не открыта: воронки {pipeline} нет, или она в архиве. Опубликуйте её или верните из "
        "архива, затем отмените конвертацию и проведите её снова.",
        en=f"The lead is won, but no deal was opened: there is no pipeline {pipeline}, or it is archived. Publish it, or "
        "restore it, then undo the conversion and convert again.",
    )
