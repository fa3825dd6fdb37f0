"""Pipeline versions in force: read, cached by number for ever (a version never changes), and the bundled ones published.

Invariants: publishing writes the version row and the event `PipelinePublished` in one transaction; publishing the same text
again does nothing. A pipeline that does not exist raises `NoSuchPipelineError`, naming those that do.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from uuid import UUID, uuid5

from contracts.events import PipelinePublished
from contracts.meta import GENESIS, Actor, Meta, Stored, digest_of
from contracts.pipeline import Pipeline
from services.clock import Clock
from services.database import Database, Pool
from services.eventlog.mapper import encode
from services.eventlog.recording import store as recording
from services.pipelines import store
from services.pipelines.language import read_pipeline

NAMESPACE = UUID("8f8f7f0a-54bb-5a6c-8a55-2f0b8d0b2d10")

_read: dict[tuple[str, str], Pipeline] = {}
"""Pipelines by (id, SHA-256 of the text)."""


class NoSuchPipelineError(LookupError):
    """There is no pipeline of this id or version."""


async def current(database: Database, pipeline: str) -> tuple[Pipeline, int]:
    """The version in force and its number. Raises NoSuchPipelineError."""
    row = await store.newest(database, pipeline)
    if row is None:
        there = ", ".join(await store.names(database)) or "none yet"
        raise NoSuchPipelineError(f"no pipeline {pipeline}; there are: {there}")
    number, text, sha256 = row
    if (pipeline, sha256) not in _read:
        _read[(pipeline, sha256)] = read_pipeline(text, f"{pipeline}@{number}")
    return _read[(pipeline, sha256)], number


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


async def publish(
    pool: Pool, clock: Clock, text: str, actor: Actor, file: str = "pipeline.yaml"
) -> tuple[Pipeline, int]:
    """Put a pipeline's text in force. Returns it with its number; the text in force already keeps its number."""
    pipeline = read_pipeline(text, file)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    stream = uuid5(NAMESPACE, pipeline.pipeline)
    now = await clock.now()
    async with pool.acquire() as database, database.transaction():
        await recording.lock(database, {recording.lock_number(stream.bytes)})
        newest = await store.newest(database, pipeline.pipeline)
        if newest is not None and newest[2] == sha256:
            return pipeline, newest[0]
        past = await recording.load(database, [(stream, 0)])
        number = (newest[0] if newest else 0) + 1
        data = PipelinePublished(pipeline=pipeline.pipeline, number=number, source=text, sha256=sha256)
        command = uuid5(stream, f"publish:{number}:{sha256}")
        meta = Meta(
            stream=stream,
            version=(past[-1].version if past else 0) + 1,
            kind="pipeline",
            type=data.TOPIC,
            happened_at=now,
            recorded_at=now,
            actor=actor,
            command=command,
            correlation=str(command),
            pipeline=f"{pipeline.pipeline}@{number}",
        )
        state = encode(meta, data, None)
        digest = digest_of(past[-1].digest if past else GENESIS, state)
        await recording.append(database, [Stored(stream, meta.version, data.TOPIC, "pipeline", state, now, digest)])
        await store.add(database, pipeline.pipeline, number, text, sha256, now)
    return pipeline, number


async def publish_bundled(pool: Pool, clock: Clock) -> None:
    """Put the bundled pipelines in force where there is no version of theirs yet (what a company changed stays)."""
    actor = Actor(id="leadline", kind="system")
    for file in resources.files("contracts").joinpath("pipelines").iterdir():
        if file.name.endswith(".yaml"):
            text = file.read_text(encoding="utf-8")
            async with pool.acquire() as database:
                known = await store.newest(database, read_pipeline(text, file.name).pipeline)
            if known is None:
                await publish(pool, clock, text, actor, file.name)
