"""SQL of reading a consumer's events again from the store, range by range of streams.

Invariants: events come in (stream, version) order, each with whether the consumer has read it (`leadline.seen`); a stream lies in
one range whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Final, NamedTuple
from uuid import UUID

from services.database import Database

FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)

_EVENTS: Final = """SELECT e.originator_id, e.originator_version, e.topic, e.state, s.version >= e.originator_version IS TRUE
    FROM leadline.events AS e
    LEFT JOIN leadline.seen AS s ON s.consumer = $1 AND s.build = $2 AND s.stream = e.originator_id
    WHERE e.topic = ANY($3::text[]) AND"""
_IN_ORDER: Final = "ORDER BY e.originator_id, e.originator_version"


class ReadEvent(NamedTuple):
    """An event as it is stored. `read`: the consumer has read it."""

    stream: UUID
    version: int
    type: str
    state: bytes
    read: bool


async def ranges(database: Database, events: int) -> AsyncIterator[tuple[UUID, UUID]]:
    """All streams as ranges of about so many events: the first and the last stream of each."""
    begin: UUID | None = FIRST
    while begin is not None:
        end: UUID | None = await database.fetchval(
            """SELECT originator_id FROM leadline.events WHERE originator_id >= $1
               ORDER BY originator_id, originator_version OFFSET $2 LIMIT 1""",
            begin,
            events,
        )
        yield begin, end or LAST
        begin = UUID(int=end.int + 1) if end is not None and end != LAST else None


async def events_between(
    database: Database, consumer: str, build: int, begin: UUID, end: UUID, types: Collection[str]
) -> list[ReadEvent]:
    """The events of these types in the streams from `begin` to `end`."""
    rows = await database.fetch(
        f"{_EVENTS} e.originator_id BETWEEN $4 AND $5 {_IN_ORDER}", consumer, build, list(types), begin, end
    )
    return [ReadEvent(*row) for row in rows]


async def events_of(
    database: Database, consumer: str, build: int, streams: Collection[UUID], types: Collection[str]
) -> list[ReadEvent]:
    """The events of these types in these streams."""
    rows = await database.fetch(
        f"{_EVENTS} e.originator_id = ANY($4::uuid[]) {_IN_ORDER}", consumer, build, list(types), list(streams)
    )
    return [ReadEvent(*row) for row in rows]
