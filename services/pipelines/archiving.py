"""The archive: pipelines that take no leads, whose versions and numbers stay readable (N14).

Invariants: row and event are of one transaction, under the pipeline's lock; whoever brings a lead to a pipeline from elsewhere
holds the same lock shared (`is_archived(hold=True)`), so that what was counted under the lock is all there is.
"""

from __future__ import annotations

from datetime import datetime

from contracts.events import PipelineArchived, PipelineRestored
from contracts.meta import Actor
from services.database import Database
from services.eventlog.recording import store as recording
from services.pipelines import store
from services.pipelines.stream import append, stream_of


async def is_archived(database: Database, pipeline: str, *, hold: bool = False) -> bool:
    """Whether a pipeline is archived. `hold`: and stays so, or stays not so, until the transaction ends."""
    if hold:
        await recording.lock_shared(database, recording.lock_number(stream_of(pipeline).bytes))
    return await store.archived_at(database, pipeline) is not None


async def archive(database: Database, pipeline: str, number: int, actor: Actor, now: datetime) -> None:
    """Archive under the lock, what stands in the way having been looked at by the caller."""
    data = PipelineArchived(pipeline=pipeline, number=number)
    await append(database, pipeline, number, data, f"archive:{now.isoformat()}", actor, now)
    await store.set_archived(database, pipeline, now)


async def restore(database: Database, pipeline: str, number: int, actor: Actor, now: datetime) -> None:
    """Bring back under the lock."""
    data = PipelineRestored(pipeline=pipeline, number=number)
    await append(database, pipeline, number, data, f"restore:{now.isoformat()}", actor, now)
    await store.set_archived(database, pipeline, None)
