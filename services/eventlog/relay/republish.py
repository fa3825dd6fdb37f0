"""`leadline republish TOPIC`: publish by hand all that a topic lacks from the store (decision 2).

It heals a lost Kafka folder, fills a new cluster, fills a topic made anew with another partition count. Invariants: the
relay is asked to stand aside and takes over again afterwards, with a start protocol; a topic that contradicts the store is
not touched (RelayRefusesError says what differs).
"""

from __future__ import annotations

from typing import Final

from contracts.topics import TOPICS
from services.eventlog.admin import ensure_topics
from services.eventlog.relay.errors import RelayStoppedError
from services.eventlog.relay.filling.fill import Filled, Progress, fill
from services.eventlog.relay.lock import ShardConnection
from services.eventlog.relay.reading import TopicReader
from services.settings import Settings

ASIDE_SECONDS: Final = 60.0


def _silent(_phase: str, _done: int, _total: int | None) -> None:
    return


async def republish(
    settings: Settings, topic: str, progress: Progress = _silent, *, limit: float = ASIDE_SECONDS
) -> Filled:
    """Fill `topic` (named without the deployment's prefix), made first where it is missing.

    `limit`: seconds the relay gets to stand aside. Raises ValueError for no topic of ours, TopicsError, RelayRefusesError,
    RelayStoppedError (Kafka went away, or the relay does not let go), a Kafka error, one of `services.database.LOST`.
    """
    chosen = [each for each in TOPICS if each.name == topic]
    if not chosen:
        raise ValueError(f"no topic {topic}; there are: {', '.join(each.name for each in TOPICS)}")
    shard = await ShardConnection.open(settings, [topic], "leadline-republish")
    try:
        if not await shard.acquire_before(limit):
            raise RelayStoppedError(
                f"the relay did not let go of {topic} within {limit:.0f} s, or another republish of it is running; look at the "
                "relay's log, or stop it and try again"
            )
        await ensure_topics(settings, chosen)
        reader = await TopicReader(settings).open()
        try:
            return await fill(shard, settings, reader, topic, progress)
        finally:
            await reader.close()
    finally:
        await shard.close()
