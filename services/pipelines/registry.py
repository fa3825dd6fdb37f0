"""Pipeline versions in force: read, cached by number (a version never changes), and the bundled ones published.

Invariants: publishing writes the version row and the event `PipelinePublished` in one transaction; publishing the same text
again does nothing. A pipeline that does not exist raises `NoSuchPipelineError`, naming those that do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from contracts.events import PipelinePublished
from contracts.meta import Actor
from contracts.pipeline import Pipeline
from services.clock import Clock
from services.database import Database, Pool
from services.pipelines import bundled, store
from services.pipelines.language import read_pipeline
from services.pipelines.stream import append, hold

_read: dict[tuple[str, str], Pipeline] = {}
"""Pipelines by (id, SHA-256 of the text)."""


class NoSuchPipelineError(LookupError):
    """There is no pipeline of this id or version."""


async def current(database: Database, pipeline: str) -> tuple[Pipeline, int]:
    """The version in force and its number. Raises NoSuchPipelineError."""
    known = await store.newest_number(database, pipeline)  # asked in every batch, and the text can be large
    if known is not None and (held := _read.get((pipeline, known[1]))) is not None:
        return held, known[0]
    row = await store.newest(database, pipeline)
    if row is None:
        there = ", ".join(await store.names(database)) or "none yet"
        raise NoSuchPipelineError(f"no pipeline {pipeline}; there are: {there}")
    number, text, sha256 = row
    read = _read[(pipeline, sha256)] = read_pipeline(text, f"{pipeline}@{number}")
    return read, number


_numbered: dict[tuple[str, int], Pipeline] = {}


async def version(database: Database, pipeline: str, number: int) -> Pipeline:
    """A version by its number. Raises NoSuchPipelineError."""
    held = _numbered.get((pipeline, number))
    if held is None:
        text = await store.source(database, pipeline, number)
        if text is None:
            raise NoSuchPipelineError(f"no version {number} of the pipeline {pipeline}")
        held = _numbered[(pipeline, number)] = read_pipeline(text, f"{pipeline}@{number}")
    return held


def forget() -> None:
    """Drop what was read of versions: the store behind a new connection may be an older copy, which gives a number anew, to
    another text."""
    _numbered.clear()


@dataclass(frozen=True, slots=True)
class Version:
    """A version that was published."""

    number: int
    pipeline: Pipeline
    published_at: datetime


async def versions(database: Database, pipeline: str) -> list[Version]:
    """All versions of a pipeline, the first first. Raises NoSuchPipelineError."""
    found = []
    for number, text, at in await store.numbered(database, pipeline):
        if (pipeline, number) not in _numbered:
            _numbered[(pipeline, number)] = read_pipeline(text, f"{pipeline}@{number}")
        found.append(Version(number, _numbered[(pipeline, number)], at))
    if not found:
        await current(database, pipeline)  # which raises, naming those there are
    return found


Look = Callable[[Database, Pipeline], Awaitable[None]]
"""Looks at a text under its pipeline's lock, before it is put in force. Raises whatever stands in its way."""


async def publish(
    pool: Pool, clock: Clock, text: str, actor: Actor, file: str = "pipeline.yaml", *, look: Look | None = None
) -> tuple[Pipeline, int]:
    """Put a pipeline's text in force. Returns it with its number; the text in force already keeps its number.

    Raises PipelineError, and what `look` raises; nothing was written then.
    """
    pipeline = read_pipeline(text, file)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    now = await clock.now()
    async with pool.acquire() as database, database.transaction():
        await hold(database, pipeline.pipeline)
        if look is not None:
            await look(database, pipeline)
        newest = await store.newest(database, pipeline.pipeline)
        if newest is not None and newest[2] == sha256:
            return pipeline, newest[0]
        number = (newest[0] if newest else 0) + 1
        data = PipelinePublished(pipeline=pipeline.pipeline, number=number, source=text, sha256=sha256)
        await append(database, pipeline.pipeline, number, data, f"publish:{number}:{sha256}", actor, now)
        await store.add(database, pipeline.pipeline, number, text, sha256, now)
    return pipeline, number


async def publish_bundled(pool: Pool, clock: Clock) -> None:
    """Put the bundled pipelines in force where there is no version of theirs yet (what a company changed stays)."""
    actor = Actor(id="leadline", kind="system")
    for file in bundled.pipeline_files():
        text = file.read_text(encoding="utf-8")
        async with pool.acquire() as database:
            known = await store.newest(database, read_pipeline(text, file.name).pipeline)
        if known is None:
            await publish(pool, clock, text, actor, file.name)
