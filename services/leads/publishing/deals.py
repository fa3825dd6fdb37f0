"""Pipelines that name another one for their deals (C6): it must be there, and stay in force, while they do.

Invariants: read in the transaction that publishes or archives. A pipeline that is archived in the same moment as another comes to
name it is found out when a lead wins: that is told, and the lead is won all the same (`services.leads.deals`).
"""

from __future__ import annotations

from contracts.pipeline import Pipeline
from services.database import Database
from services.pipelines import archiving, registry
from services.pipelines import store as versions
from services.pipelines.succession import Objection


async def deals_objected(database: Database, pipeline: Pipeline) -> list[Objection]:
    """Won stages whose deals would go to a pipeline that is not published, or is archived."""
    found = []
    for stage in pipeline.stages:
        if stage.deal is None:
            continue
        name = stage.deal.pipeline
        if await versions.newest(database, name) is None:
            ru, en = (
                f"воронки {name} нет: сначала опубликуйте её",
                f"there is no pipeline {name}: publish that one first",
            )
        elif await archiving.is_archived(database, name):
            ru, en = (
                f"воронка {name} в архиве: сначала верните её",
                f"the pipeline {name} is archived: restore it first",
            )
        else:
            continue
        found.append(
            Objection("deal_pipeline", stage.id, f"Стадия {stage.id}, deal: {ru}.", f"Stage {stage.id}, deal: {en}.")
        )
    return found


async def deals_come_from(database: Database, pipeline: str) -> list[str]:
    """The pipelines in force, not archived, whose deals go on in this one."""
    found = []
    for name in await versions.names(database):
        newest, _ = await registry.current(database, name)
        named = {stage.deal.pipeline for stage in newest.stages if stage.deal is not None}
        if pipeline in named and not await archiving.is_archived(database, name):
            found.append(name)
    return found
