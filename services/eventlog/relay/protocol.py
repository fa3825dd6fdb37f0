"""The start protocol: before a relay publishes, topic and store must agree on what is there (decision 2).

From the noted position to the end, record by record: on the topic with the same bytes: acknowledged. In the outbox and not on
the topic: to be published, in order. On the topic but unknown to the store, or other: RelayRefusesError. An end below
the noted position (a lost folder, a log cut short): the topic is filled from the store first. Invariant: nothing but such a
fill is published here. Every wait is bounded by `reading`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from services.eventlog.relay import metrics, store
from services.eventlog.relay.comparing import Comparison, Found
from services.eventlog.relay.filling.fill import fill
from services.eventlog.relay.lock import ShardConnection
from services.eventlog.relay.reading import Place, TopicReader
from services.settings import Settings

MATCH_CHUNK: Final = 20_000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Tail:
    """What stands between the noted position and the end of a partition: its end, its last id, the outbox rows found."""

    end: int
    last_id: str
    rows: list[int]


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the topics hold as the relay starts."""

    counts: dict[str, int]
    """Partitions by topic."""
    ends: dict[Place, int]
    tails: dict[Place, Tail]


async def agree(shard: ShardConnection, settings: Settings, reader: TopicReader, beat: Callable[[], None]) -> Agreed:
    """Run the protocol on all topics of the shard. `beat` is called as it goes on."""
    metrics.STARTS.inc()
    counts = {topic: len(await reader.partitions(topic)) for topic in shard.topics}
    places: list[Place] = [(topic, partition) for topic, count in counts.items() for partition in range(count)]
    ends = await reader.ends(places)
    positions = await store.positions(shard.database, shard.topics)
    short = {place[0] for place, position in positions.items() if position > ends.get(place, 0)}
    for topic in sorted(short):
        log.warning("topic ends below what was published: filling it from the store", topic=topic)
        filled = await fill(shard, settings, reader, topic, lambda _phase, _done, _total: beat())
        metrics.REPEATS.labels(topic).inc(filled.repeats)
        log.warning("topic filled", topic=topic, present=filled.present, published=filled.published)
    if short:
        ends = await reader.ends(places)
        positions = await store.positions(shard.database, shard.topics)
    begins = await reader.begins(places)
    ranges = {place: (max(begins[place], positions.get(place, 0)), end) for place, end in ends.items()}
    return Agreed(counts, ends, await _read_tails(shard, reader, ranges, beat))


async def _read_tails(
    shard: ShardConnection, reader: TopicReader, ranges: dict[Place, tuple[int, int]], beat: Callable[[], None]
) -> dict[Place, Tail]:
    comparison = Comparison(shard)
    tails: dict[Place, Tail] = {}
    matched: set[int] = set()
    pile: list[Found] = []
    async for topic, records in reader.read(ranges):
        beat()
        found = await comparison.take(topic, records)
        for one in found:
            place = (one.topic, one.partition)
            tails.setdefault(place, Tail(ranges[place][1], one.id, [])).last_id = one.id
        pile += found
        if len(pile) >= MATCH_CHUNK:
            await _match(shard, pile, tails, matched)
            pile = []
    await _match(shard, pile, tails, matched)
    if (refusal := comparison.refusal()) is not None:
        raise refusal
    return tails


async def _match(shard: ShardConnection, pile: list[Found], tails: dict[Place, Tail], matched: set[int]) -> None:
    """Which of these records are rows of the outbox: they are acknowledged, only nobody told us."""
    if not pile:
        return
    found = await store.waiting(
        shard.database,
        [one.topic for one in pile],
        [one.stream for one in pile],
        [one.version for one in pile],
        [one.hash for one in pile],
    )
    for index, n in found:
        one = pile[index]
        if n in matched:
            metrics.REPEATS.labels(one.topic).inc()
        else:
            matched.add(n)
            tails[one.topic, one.partition].rows.append(n)
