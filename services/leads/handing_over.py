"""Step 5 of a batch for what is handed over: somebody left, or is away (C4).

Invariants: only what is theirs is given on, so that a command that comes twice, or late, takes nothing from anybody else; the
lead goes by the same rules as a new one, or to whom is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.pipeline import Pipeline
from services.database import Database
from services.leads import assigning
from services.leads.domain.assigning.handing_over import tasks_given_on
from services.leads.domain.case import Case
from services.leads.domain.rules import COMMAND_RULES, refused, refused_by
from services.leads.domain.state import LeadState

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch


async def hand_over(
    batch: LeadBatch,
    command: c.Command,
    body: c.HandOver,
    state: LeadState,
    pipeline: Pipeline,
    database: Database,
) -> tuple[e.Event, ...] | Refusal:
    """The events that give on what is theirs, or why it is not."""
    case = Case(state, pipeline, None, command, batch.now, batch.people or ())
    if (refusal := refused(case, COMMAND_RULES)) is not None:
        return refusal
    if body.to is not None:
        named = command.model_copy(update={"body": c.Assign(to=body.to)})
        if refusal := refused_by(
            Case(state, pipeline, None, named, batch.now, batch.people or ()), "C4.known_responsible"
        ):
            return refusal
    tasks = tasks_given_on(state, body.of, body.to)
    if state.responsible != body.of:
        return tasks
    if body.to is not None:
        candidates = batch.people or ()
        return (
            e.LeadAssigned(to=body.to, previous=body.of, reason="handed_over", candidates=candidates),
            *tasks,
        )
    await assigning.have(batch, database, pipeline)
    decision = assigning.choose(batch, state, pipeline, without=body.of)
    if decision.to is None:
        return (decision.pooled(body.of), *tasks)
    assigning.take(batch, decision)
    return (decision.assigned(body.of, "handed_over"), *tasks)
