"""Why a relay does not publish: for a moment, or until a person acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LISTED = 20


class RelayStoppedError(Exception):
    """The shard must be started over: a producer error, an offset that is not the next, a lost lock. Heals by itself."""


class StandAsideError(Exception):
    """Somebody asked the relay to let go of its locks for a while (`republish`)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A record on a topic that is not as the store has it. No personal data: ids and places only."""

    topic: str
    partition: int
    offset: int
    id: str
    what: str

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset} {self.id}: {self.what}"


class RelayRefusesError(Exception):
    """Topic and store contradict each other, or a row cannot be published: only a person can say which is right."""


def differing(found: Sequence[Difference], counts: dict[str, int]) -> RelayRefusesError:
    """The refusal that names what differs: counts by kind, and the first `LISTED` records."""
    total = sum(counts.values())
    kinds = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    listed = "; ".join(str(each) for each in found[:LISTED]) + ("; and more" if total > LISTED else "")
    return RelayRefusesError(
        f"Kafka and the store differ, nothing is published: {kinds}. {listed}. If Postgres was restored from an older copy: "
        "restore a newer one, or give the topics a new KAFKA_TOPIC_PREFIX (they are then filled from the store). Otherwise "
        "something else writes to these topics, or the store was altered: `leadline verify` tells. Then restart the relay, or "
        "clear this notice"
    )
