"""A lead entered by hand (P7, P10): asks the domain, and puts what follows among the batch's effects.

Invariants: as `services.leads.effects`: either all its effects or none; a repeat of the command has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts import commands as c
from contracts import events as e
from contracts.commands import CommandResult, Refusal
from contracts.pipeline import Pipeline
from services.database import Database
from services.leads import assigning
from services.leads.adopting import refusal_of, takes_none
from services.leads.answers import refuse, remember
from services.leads.automatic import follow
from services.leads.claims import claim, known_people, move_claim, put_people
from services.leads.companies.effects import join_company
from services.leads.domain.capturing import capture
from services.leads.domain.decide import Surroundings
from services.leads.people.effects import put_recommendation, recommender_refused
from services.leads.work import CommandWork, Done
from services.pipelines import registry

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch


async def capture_by_hand(batch: LeadBatch, work: CommandWork, database: Database) -> Done:
    """A new lead, or why there is none."""
    command, body = work.command, work.command.body
    assert isinstance(body, c.Capture)
    if batch.lead(command.lead) is not None:
        return refuse(batch, work, _there_already(), 0)
    try:
        pipeline, number = await registry.current(database, body.pipeline or batch.settings.default_pipeline)
    except registry.NoSuchPipelineError:
        return refuse(batch, work, _no_pipeline(), 0)
    if (refusal := recommender_refused(batch, body)) is not None:
        return refuse(batch, work, refusal, 0)
    if await takes_none(batch, database, pipeline.pipeline):
        return refuse(batch, work, refusal_of(pipeline.pipeline), 0)
    responsibles = batch.people if batch.people is not None else tuple(batch.settings.responsibles)
    found = capture(
        command,
        body,
        work.identities,
        known_people(batch, work.identities, pipeline.pipeline),
        pipeline,
        number,
        batch.now,
        Surroundings(responsibles=responsibles, region=batch.settings.default_region),
    )
    if isinstance(found, Refusal):
        return refuse(batch, work, found, 0)
    assert found.contact is not None
    envelope: dict[str, Any] = {
        "command": command.id,
        "actor": command.actor,
        "happened_at": command.happened_at or batch.now,
        "correlation": command.correlation or str(command.id),
        "causation": command.causation,
        "pipeline": f"{pipeline.pipeline}@{number}",
        "traceparent": command.traceparent,
    }
    if found.contact_is_new:
        batch.new_key(found.contact)
    put_people(batch, found, envelope)
    batch.record(command.lead, "lead", found.contact, found.lead_events, **envelope)
    given = await _assign(batch, command, found, pipeline, envelope, database)
    join_company(batch, work, found.contact, envelope)
    put_recommendation(batch, body, command.lead, envelope)
    before = batch.lead(command.lead)
    assert before is not None
    claim(batch, before)
    follow(batch, command.lead, (*found.lead_events, *given), pipeline, envelope, None)
    after = batch.lead(command.lead)
    assert after is not None
    move_claim(batch, before, after)
    result = CommandResult(
        command=command.id,
        stream=command.lead,
        outcome="done",
        first_version=1,
        last_version=after.version,
        at=batch.now,
    )
    return remember(batch, work, result)


async def _assign(
    batch: LeadBatch, command: c.Command, found: Any, pipeline: Pipeline, envelope: dict[str, Any], database: Database
) -> tuple[e.Event, ...]:
    """Whoever found the client works on it, where they are one of those who take leads; else it goes as every lead goes. Returns
    what assignment says that more follows from."""
    await assigning.have(batch, database, pipeline)
    lead = batch.lead(command.lead)
    assert lead is not None
    decision = assigning.choose(batch, lead, pipeline)
    if (taken := decision.found_by(command.actor.id)) is not None:
        batch.record(command.lead, "lead", found.contact, (taken,), **envelope)
        return ()
    given = assigning.give_new(batch, lead, pipeline, {}, envelope)
    return tuple(event for event in given if isinstance(event, e.LeadPooled))


def _there_already() -> Refusal:
    return Refusal(
        rules=("K2.new_lead",),
        ru="Лид с этим номером уже есть. Откройте его или повторите с другим номером.",
        en="There is a lead of this id already. Open it, or send the command with another id.",
        status=409,
    )


def _no_pipeline() -> Refusal:
    return Refusal(
        rules=("S1.known_pipeline",),
        ru="Такой воронки нет. Список воронок: /api/pipelines.",
        en="There is no such pipeline. The list of pipelines is at /api/pipelines.",
    )
