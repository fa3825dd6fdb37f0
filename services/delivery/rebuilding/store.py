"""SQL of making the ledger anew: the rows there are. Invariant: rows are written by the ledger's own `save`."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from services.database import Database
from services.delivery.domain import Effect
from services.delivery.rebuilding.domain import ReportRefused
from services.delivery.store import COLUMNS


class Row(NamedTuple):
    """A row of the ledger. `told`: its report was sent, if it is answered."""

    effect: Effect
    told: bool


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
