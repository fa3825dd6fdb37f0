"""SQL of making the ledger anew: what its consumer has read of the events, the rows there are.

Invariants: events count as far as the consumer has read their streams; rows are written by the ledger's own `save`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple
from uuid import UUID

from services.database import Database
from services.delivery.domain import Effect
from services.delivery.handlers import BUILD, CONSUMER
from services.delivery.rebuilding.domain import ReportRefused
from services.delivery.store import COLUMNS

_EVENTS: Final = """SELECT e.originator_id, e.originator_version, e.topic, e.state, s.version >= e.originator_version IS TRUE
    FROM leadline.events AS e
    LEFT JOIN leadline.seen AS s ON s.consumer = $1 AND s.build = $2 AND s.stream = e.originator_id
    WHERE e.topic = ANY($3::text[]) AND"""
_IN_ORDER: Final = "ORDER BY e.originator_id, e.originator_version"


class EffectEvent(NamedTuple):
    """An event of effects as it is stored. `read`: the ledger's consumer has read it."""

    stream: UUID
    version: int
    type: str
    state: bytes
    read: bool


class Row(NamedTuple):
    """A row of the ledger. `told`: its report was sent, if it is answered."""

    effect: Effect
    told: bool


async def range_end(database: Database, begin: UUID, events: int) -> UUID | None:
    """The last stream of a range that begins at `begin` and holds about `events` events; None: all that is left."""
    last: UUID | None = await database.fetchval(
        """SELECT originator_id FROM leadline.events WHERE originator_id >= $1
           ORDER BY originator_id, originator_version OFFSET $2 LIMIT 1""",
        begin,
        events,
    )
    return last


async def events_between(database: Database, begin: UUID, end: UUID, types: Collection[str]) -> list[EffectEvent]:
    """The events of these types in the streams from `begin` to `end`, in (stream, version) order."""
    rows = await database.fetch(
        f"{_EVENTS} e.originator_id BETWEEN $4 AND $5 {_IN_ORDER}", CONSUMER, BUILD, list(types), begin, end
    )
    return [EffectEvent(*row) for row in rows]


async def events_of(database: Database, streams: Collection[UUID], types: Collection[str]) -> list[EffectEvent]:
    """The same of these streams."""
    rows = await database.fetch(
        f"{_EVENTS} e.originator_id = ANY($4::uuid[]) {_IN_ORDER}", CONSUMER, BUILD, list(types), list(streams)
    )
    return [EffectEvent(*row) for row in rows]


async def rows_between(database: Database, begin: UUID, end: UUID) -> dict[UUID, Row]:
    """The rows of the streams of a range, by effect."""
    rows = await database.fetch(
        f"""SELECT state <> 'answered' OR reported_at IS NOT NULL, {COLUMNS}
            FROM leadline.effects WHERE stream BETWEEN $1 AND $2""",  # noqa: S608 (columns of ours)
        begin,
        end,
    )
    return {row[1]: Row(Effect(*row[1:]), row[0]) for row in rows}


async def never_told(database: Database, effects: Collection[UUID]) -> set[UUID]:
    """Which of these are answered, and no report of it was ever sent."""
    rows = await database.fetch(
        """SELECT effect FROM leadline.effects
           WHERE effect = ANY($1::uuid[]) AND state = 'answered' AND reported_at IS NULL""",
        list(effects),
    )
    return {row[0] for row in rows}


async def refused(database: Database, reports: Collection[UUID]) -> dict[UUID, ReportRefused]:
    """Which of these reports were refused for good."""
    rows = await database.fetch(
        "SELECT report, rules, at FROM leadline.effect_refusals WHERE report = ANY($1::uuid[])", list(reports)
    )
    return {row[0]: ReportRefused(tuple(row[1]), row[2]) for row in rows}
