"""A pipeline's stream of events: its versions, archive and adoptions are facts like any other (decision 6, N13).

Invariants: whoever appends holds the stream's lock until the transaction ends (`hold`); each event has the id of a command
that says what it is, so that the same act leaves one event however often it is tried.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

import orjson

from contracts.events import Event
from contracts.meta import GENESIS, Actor, Meta, Stored, digest_of
from services.database import Database
from services.eventlog.mapper import encode
from services.eventlog.recording import store as recording

NAMESPACE = UUID("8f8f7f0a-54bb-5a6c-8a55-2f0b8d0b2d10")


def stream_of(pipeline: str) -> UUID:
    """The stream of a pipeline."""
    return uuid5(NAMESPACE, pipeline)


async def hold(database: Database, pipeline: str) -> None:
    """Nobody else changes this pipeline, and no lead comes to it from another one, until the transaction ends."""
    await recording.lock(database, {recording.lock_number(stream_of(pipeline).bytes)})


async def append(
    database: Database, pipeline: str, number: int, data: Event, what: str, actor: Actor, now: datetime
) -> bool:
    """Append an event under the lock. `what` names the act; False: it stands there already and nothing was written."""
    stream = stream_of(pipeline)
    command = uuid5(stream, what)
    past = await recording.load(database, [(stream, 0)])
    if any(orjson.loads(event.state)["meta"]["command"] == str(command) for event in past):
        return False
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
        pipeline=f"{pipeline}@{number}",
    )
    state = encode(meta, data, None)
    digest = digest_of(past[-1].digest if past else GENESIS, state)
    await recording.append(database, [Stored(stream, meta.version, data.TOPIC, "pipeline", state, now, digest)])
    return True
