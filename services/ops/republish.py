"""`leadline republish TOPIC`: publishes all that a topic lacks, from the store (decision 2).

It heals a lost Kafka folder, fills a new cluster, changes a partition count. The work is `services.eventlog.relay.republish`;
here is only what a person types and reads. A topic that contradicts the store is left alone, and the differences are told.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from services.ops.place import OpsError, Place
from services.ops.progress import shown

if TYPE_CHECKING:
    from services.settings import Settings

REFUSED = 1


async def republish(place: Place, topic: str) -> int:
    """Fill a topic; the exit status. Raises OpsError when there is no such topic, or it contradicts the store."""
    settings = place.settings()
    print(await fill(settings, topic.removeprefix(settings.kafka_topic_prefix)))
    return 0


async def fill(settings: Settings, topic: str) -> str:
    """Fill a topic (without its prefix); what was done, in words. Raises OpsError."""
    from services.eventlog.admin import TopicsError
    from services.eventlog.relay.errors import RelayRefusesError, RelayStoppedError
    from services.eventlog.relay.republish import republish as publish

    try:
        with shown(sys.stderr.isatty()) as progress:
            filled = await publish(settings, topic, progress)
    except ValueError as error:
        raise OpsError(str(error)) from None
    except (RelayRefusesError, RelayStoppedError, TopicsError) as error:
        raise OpsError(str(error), REFUSED) from None
    repeats = f", {filled.repeats} repeats" if filled.repeats else ""
    return f"{filled.topic}: {filled.published} published, {filled.present} were there already{repeats}"
