"""`/api/pipelines`: versions, what each changed, publishing for heads, the archive (M3, N14, N26).

Invariants: a publication moves at most `MOVED_AT_ONCE` leads a call, through the same door as every command, and says how many
are left: the same call again goes on and doubles nothing. A text that is objected to changes nothing (422, with the objections).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter

from contracts.commands import Command, CommandResult
from services.database import Database
from services.leads.handlers import Reader
from services.leads.publishing import archive as archiving
from services.leads.publishing import store as places
from services.leads.publishing.listing import listed
from services.leads.publishing.rehearsing import rehearse
from services.leads.publishing.run import Asked, ObjectedError, look, publish
from services.leads.starting.added import added
from services.pipelines import registry
from services.pipelines import store as versions
from services.pipelines.differences import differences
from services.pipelines.language import PipelineError
from services.web.door import Asking, Door, TheDoor
from services.web.problems import ProblemError
from services.web.shapes import stage_out
from services.web.shapes_pipelines import (
    ArchiveOut,
    ChangeOut,
    PipelineList,
    PipelineOut,
    PipelineWhole,
    PublishAsked,
    PublishOut,
    RobotsAdded,
    StageStanding,
    VersionOut,
    VersionWhole,
    adopted_out,
    publish_out,
)
from services.web.tokens import PUBLISH, READ, Holder

MOVED_AT_ONCE = 1_000
"""Leads that one call moves or rehearses: a few seconds' work."""
COMMANDS_AT_ONCE = 16

router = APIRouter(tags=["pipelines"])


@router.get("/api/pipelines", summary="All pipelines, with how many leads stand in them")
async def list_pipelines(door: TheDoor, holder: Asking) -> PipelineList:
    holder.must(READ, "read pipelines")
    async with door.pool.acquire() as connection:
        return PipelineList(items=await pipelines_of(door, connection))


async def pipelines_of(door: Door, connection: Database) -> list[PipelineOut]:
    """All pipelines."""
    found = [PipelineOut.model_validate(one) for one in await listed(connection)]
    return [one.model_copy(update={"default": one.pipeline == door.settings.default_pipeline}) for one in found]


@router.get("/api/pipelines/{pipeline}", summary="A pipeline: its versions, its stages with the leads in them")
async def read_pipeline(door: TheDoor, holder: Asking, pipeline: str) -> PipelineWhole:
    holder.must(READ, "read pipelines")
    async with door.pool.acquire() as connection:
        return await whole_of(door, connection, pipeline)


async def whole_of(door: Door, connection: Database, pipeline: str) -> PipelineWhole:
    """A pipeline with all that is known of it. Raises ProblemError (404)."""
    every = await _versions(connection, pipeline)
    known = next(one for one in await pipelines_of(door, connection) if one.pipeline == pipeline)
    standing = await places.standing(connection, pipeline)
    counts, newest = places.counted(standing), every[-1].pipeline
    order = [stage.id for stage in newest.stages]
    order += sorted(counts.keys() - set(order))
    past = [version.pipeline for version in every]
    return PipelineWhole(
        **known.model_dump(),
        versions=[
            VersionOut(
                number=version.number,
                titles=version.pipeline.titles,
                published_at=version.published_at,
                stages=len(version.pipeline.stages),
                leads=sum(row.leads for row in standing if row.number == version.number),
            )
            for version in reversed(every)
        ],
        stages=[StageStanding(stage=stage_out(newest, stage, past), leads=counts.get(stage, {})) for stage in order],
        robots_added=[
            RobotsAdded.model_validate(one)
            for one in added(past[-2] if len(past) > 1 else None, newest, every[-1].number, standing)
        ],
    )


@router.get("/api/pipelines/{pipeline}/versions/{number}", summary="A version: its text, and what it changed")
async def read_version(door: TheDoor, holder: Asking, pipeline: str, number: int) -> VersionWhole:
    holder.must(READ, "read pipelines")
    async with door.pool.acquire() as connection:
        return await version_of(connection, pipeline, number)


async def version_of(connection: Database, pipeline: str, number: int) -> VersionWhole:
    """A version with its text. Raises ProblemError (404)."""
    every = {version.number: version for version in await _versions(connection, pipeline)}
    version, before = every.get(number), every.get(number - 1)
    source = await versions.source(connection, pipeline, number) if version else None
    if version is None or source is None:
        raise ProblemError(404, "no-such-version", f"{pipeline} has the versions 1 to {max(every)}")
    changes = differences(before.pipeline if before else None, version.pipeline)
    return VersionWhole(
        pipeline=pipeline,
        number=number,
        published_at=version.published_at,
        source=source,
        changes=[ChangeOut.model_validate(change) for change in changes],
    )


async def _versions(connection: Database, pipeline: str) -> list[registry.Version]:
    try:
        return await registry.versions(connection, pipeline)
    except registry.NoSuchPipelineError as error:
        raise ProblemError(404, "no-such-pipeline", str(error)) from None


@router.post(
    "/api/pipelines", summary="Put a pipeline's text in force, and move live leads over; or say what that would do"
)
async def publish_text(door: TheDoor, holder: Asking, posted: PublishAsked) -> PublishOut:
    holder.must(PUBLISH, "publish pipelines")
    asked = Asked(posted.text, "text", posted.map, posted.adopt_open)
    try:
        if posted.dry_run:
            return await _rehearsed(door, holder, asked)
        async with door.pool.acquire() as connection:
            found = await look(connection, asked)
        made = await publish(door.pool, door.clock, asked, holder.actor, _Sender(door), most=MOVED_AT_ONCE)
    except PipelineError as error:
        raise ProblemError(422, "pipeline", str(error)) from None
    except ObjectedError as error:
        objections = [ChangeOut.model_validate(objection).model_dump() for objection in error.objections]
        raise ProblemError(422, "objected", str(error), extra={"objections": objections}) from None
    return adopted_out(found, made.number, made.adopted)


async def _rehearsed(door: Door, holder: Holder, asked: Asked) -> PublishOut:
    reader = Reader(door.settings, door.pool)
    found = await rehearse(
        door.settings, door.pool, door.clock, asked, holder.actor, reader.command, most=MOVED_AT_ONCE
    )
    preview = found.preview
    return publish_out(
        preview,
        number=preview.next,
        new=not preview.in_force,
        dry_run=True,
        moved=found.would_move,
        left=max(0, preview.moving - found.asked) if asked.adopt and not preview.objections else 0,
        refused=dict(found.refused),
    )


class _Sender:
    """Sends commands to the aggregate service, some at a time; one that failed there takes no other with it."""

    def __init__(self, door: Door) -> None:
        self._door, self._turn = door, asyncio.Semaphore(COMMANDS_AT_ONCE)

    async def __call__(self, commands: Sequence[Command]) -> list[CommandResult | None]:
        answers = await asyncio.gather(*map(self._one, commands), return_exceptions=True)
        results: list[CommandResult | None] = []
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            results.append(answer)
        return results

    async def _one(self, command: Command) -> CommandResult | None:
        async with self._turn:
            try:
                return await self._door.leads.command(command)
            except ProblemError as error:
                if error.status == 500:
                    return None
                raise


@router.post("/api/pipelines/{pipeline}/archive", summary="Archive a pipeline that no open or paused lead stands in")
async def archive_pipeline(door: TheDoor, holder: Asking, pipeline: str) -> ArchiveOut:
    holder.must(PUBLISH, "archive pipelines")
    try:
        made = await archiving.archive(door.pool, door.clock, pipeline, holder.actor, door.settings.default_pipeline)
    except registry.NoSuchPipelineError as error:
        raise ProblemError(404, "no-such-pipeline", str(error)) from None
    except archiving.CannotArchiveError as error:
        raise ProblemError(409, "default-pipeline", error.en, extra={"ru": error.ru, "en": error.en}) from None
    except archiving.InTheWayError as error:
        named = [{"lead": str(lead), "stage": stage} for lead, stage in error.leads]
        raise ProblemError(
            409,
            "leads-in-the-way",
            f"{error}; close them, or have them go on elsewhere (the command adopt)",
            extra={"in_the_way": error.count, "leads": named},
        ) from None
    return ArchiveOut(pipeline=pipeline, number=made.number, archived=True, changed=made.changed)


@router.post("/api/pipelines/{pipeline}/restore", summary="Bring a pipeline back from the archive")
async def restore_pipeline(door: TheDoor, holder: Asking, pipeline: str) -> ArchiveOut:
    holder.must(PUBLISH, "restore pipelines")
    try:
        made = await archiving.restore(door.pool, door.clock, pipeline, holder.actor)
    except registry.NoSuchPipelineError as error:
        raise ProblemError(404, "no-such-pipeline", str(error)) from None
    return ArchiveOut(pipeline=pipeline, number=made.number, archived=False, changed=made.changed)
