"""Archiving a pipeline that nobody stands in, and bringing it back (N14).

Invariants: an open or paused lead in it is in the way, however it came there, up to the moment of archiving; leads of erased
persons are not, because nothing more is ever done with them. Robots that still have something planned will be in the way too:
they are asked for in `in_the_way`.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from contracts.meta import Actor
from services.clock import Clock
from services.database import Database, Pool
from services.leads.publishing import store
from services.leads.publishing.deals import deals_come_from
from services.pipelines import archiving, registry
from services.pipelines.stream import hold

NAMED = 20


class InTheWayError(Exception):
    """Leads stand in the pipeline: how many, and the first of them with their stages."""

    def __init__(self, pipeline: str, count: int, leads: list[tuple[UUID, str]]) -> None:
        super().__init__(f"{count} open or paused leads stand in the pipeline {pipeline}")
        self.pipeline, self.count, self.leads = pipeline, count, leads


class CannotArchiveError(Exception):
    """It is not to be archived or restored: the message says why, in both languages."""

    def __init__(self, ru: str, en: str) -> None:
        super().__init__(en)
        self.ru, self.en = ru, en


@dataclass(frozen=True, slots=True)
class Archived:
    """What was done. `changed`: False where it was so already."""

    number: int
    changed: bool


async def archive(pool: Pool, clock: Clock, pipeline: str, actor: Actor, default: str) -> Archived:
    """Archive a pipeline. Raises NoSuchPipelineError, CannotArchiveError for the `default` one, InTheWayError."""
    now = await clock.now()
    async with pool.acquire() as database, database.transaction():
        await hold(database, pipeline)
        _, number = await registry.current(database, pipeline)
        if pipeline == default:
            raise CannotArchiveError(
                f"Воронка {pipeline} принимает новые заявки (LEADLINE_DEFAULT_PIPELINE). Назначьте для них другую, тогда эту "
                "можно убрать в архив.",
                f"The pipeline {pipeline} is the one new leads come to (LEADLINE_DEFAULT_PIPELINE). Set another one for them, "
                "then this one can be archived.",
            )
        if await archiving.is_archived(database, pipeline):
            return Archived(number, changed=False)
        if named := await deals_come_from(database, pipeline):
            raise CannotArchiveError(
                f"В воронке {pipeline} идут сделки лидов воронки {', '.join(named)}. Назовите там другую или уберите deal, "
                "тогда эту можно убрать в архив.",
                f"In the pipeline {pipeline} the deals of leads of {', '.join(named)} go on. Name another one there, or take "
                "deal away, then this one can be archived.",
            )
        await in_the_way(database, pipeline)
        await archiving.archive(database, pipeline, number, actor, now)
    return Archived(number, changed=True)


async def in_the_way(database: Database, pipeline: str) -> None:
    """What stands in the way of archiving. Raises InTheWayError."""
    count, leads = await store.live(database, pipeline, NAMED)
    if count:
        raise InTheWayError(pipeline, count, leads)


async def restore(pool: Pool, clock: Clock, pipeline: str, actor: Actor) -> Archived:
    """Bring a pipeline back. Raises NoSuchPipelineError."""
    now = await clock.now()
    async with pool.acquire() as database, database.transaction():
        await hold(database, pipeline)
        _, number = await registry.current(database, pipeline)
        if not await archiving.is_archived(database, pipeline):
            return Archived(number, changed=False)
        await archiving.restore(database, pipeline, number, actor, now)
    return Archived(number, changed=True)
