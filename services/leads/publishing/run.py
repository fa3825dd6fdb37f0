"""Publishing a text and moving the live leads over to it, each by a command of its own (M3, N14, N26).

Invariants: what is objected to is looked at again under the pipeline's lock, in the transaction that puts the text in force; that
leads move is an event of the pipeline before the first of them does; a lead is taken over by one command, so it moves once or is
named with the reason. Killed anywhere, the same call goes on: the text keeps its number, leads that moved are no longer listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from contracts.commands import Command, CommandResult, Refusal
from contracts.events import AdoptionStarted
from contracts.meta import Actor
from contracts.pipeline import Pipeline
from services.clock import Clock
from services.database import Database, Pool
from services.leads.domain.adopting import archived_pipeline
from services.leads.publishing import store
from services.leads.publishing.deals import deals_objected
from services.leads.publishing.preview import NOBODY, Preview, adoption_of, preview_of
from services.pipelines import archiving, registry
from services.pipelines import store as versions
from services.pipelines.language import read_pipeline
from services.pipelines.stream import append, hold
from services.pipelines.succession import Objection

CHUNK = 500
ROUNDS = 4
"""How often leads that moved on in between are asked anew before they are named."""
NAMED = 100
"""Refused leads that are named; the rest is counted."""

Progress = Callable[[str, int, int | None], None]
Send = Callable[[Sequence[Command]], Awaitable[Sequence[CommandResult | None]]]
"""Carries commands out, in any order; None for one that failed for a reason of the service's own."""


class ObjectedError(Exception):
    """The text was not put in force: what stands in the way."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__(" ".join(objection.en for objection in objections))
        self.objections = tuple(objections)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be published. `mapping`: stage of then → stage of now; `adopt`: live leads go on under it."""

    text: str
    file: str = "pipeline.yaml"
    mapping: Mapping[str, str] = field(default_factory=dict)
    adopt: bool = False


@dataclass(slots=True)
class Adopted:
    """What became of the leads. `left`: still under an older version, because the call was told to stop before them."""

    moved: int = 0
    refused: dict[UUID, Refusal | None] = field(default_factory=dict)
    """None: the service itself failed over it."""
    left: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    """A text in force. `new`: by this call."""

    pipeline: Pipeline
    number: int
    new: bool
    adopted: Adopted


async def look(database: Database, asked: Asked) -> Preview:
    """What publishing would mean. Raises PipelineError."""
    pipeline = read_pipeline(asked.text, asked.file)
    newest = await versions.newest(database, pipeline.pipeline)
    same = newest is not None and newest[2] == hashlib.sha256(asked.text.encode()).hexdigest()
    found = await preview_of(database, pipeline, same=same, mapping=asked.mapping, adopt=asked.adopt)
    for objection in await deals_objected(database, pipeline):
        found = found.objecting(objection)
    if await archiving.is_archived(database, pipeline.pipeline):
        said = archived_pipeline(pipeline.pipeline)
        return found.objecting(Objection("archived", pipeline.pipeline, said.ru, said.en))
    return found


async def publish(
    pool: Pool,
    clock: Clock,
    asked: Asked,
    actor: Actor,
    send: Send,
    *,
    most: int | None = None,
    progress: Progress = lambda step, done, total: None,
) -> Published:
    """Put a text in force, and take live leads over where asked for, `most` at most. Raises PipelineError, ObjectedError."""
    seen: list[Preview] = []

    async def objected(database: Database, _: Pipeline) -> None:
        found = await look(database, asked)
        if found.objections:
            raise ObjectedError(found.objections)
        seen.append(found)

    pipeline, number = await registry.publish(pool, clock, asked.text, actor, asked.file, look=objected)
    new = not seen[-1].in_force
    if not asked.adopt:
        return Published(pipeline, number, new, Adopted())
    async with pool.acquire() as database:
        total = await store.how_many_wait(database, pipeline.pipeline, number, asked.mapping)
    if total:
        await _start(pool, clock, pipeline, number, asked.mapping, actor)
    adopted = await _adopt(pool, pipeline, number, asked.mapping, actor, send, most, total, progress)
    return Published(pipeline, number, new, adopted)


async def _start(
    pool: Pool, clock: Clock, pipeline: Pipeline, number: int, mapping: Mapping[str, str], actor: Actor
) -> None:
    data = AdoptionStarted(pipeline=pipeline.pipeline, number=number, mapping=dict(mapping))
    what = f"adoption:{number}:{orjson.dumps(dict(mapping), option=orjson.OPT_SORT_KEYS).decode()}"
    now = await clock.now()
    async with pool.acquire() as database, database.transaction():
        await hold(database, pipeline.pipeline)
        await append(database, pipeline.pipeline, number, data, what, actor, now)


async def _adopt(
    pool: Pool,
    pipeline: Pipeline,
    number: int,
    mapping: Mapping[str, str],
    actor: Actor,
    send: Send,
    most: int | None,
    total: int,
    progress: Progress,
) -> Adopted:
    found = Adopted()
    for turn in range(1, ROUNDS + 1):
        after, moved_on = NOBODY, False
        while True:
            limit = CHUNK if most is None else min(CHUNK, most - found.moved)
            if limit <= 0:
                break
            async with pool.acquire() as database:
                chunk = await store.waiting(database, pipeline.pipeline, number, mapping, after, limit)
            if not chunk:
                break
            after = chunk[-1].lead
            commands = [
                adoption_of(lead, pipeline, number, mapping, actor) for lead in chunk if lead.lead not in found.refused
            ]
            for command, result in zip(commands, await send(commands), strict=True):
                refusal = result.refusal if result is not None else None
                if result is not None and result.outcome == "done":
                    found.moved += 1
                elif refusal is not None and refusal.status == 409 and turn < ROUNDS:
                    moved_on = True  # somebody worked on it in this moment: it is listed again, as it stands now
                else:
                    found.refused[command.lead] = refusal
            progress("leads", found.moved + len(found.refused), max(total, found.moved + len(found.refused)))
        if not moved_on:
            break
    async with pool.acquire() as database:
        waiting = await store.how_many_wait(database, pipeline.pipeline, number, mapping)
    found.left = max(0, waiting - len(found.refused))
    return found
