"""SQL of robots' rows: load and save a batch's rows, what the automation page reads, the checksum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from projections.event import Event
from projections.projection import Projection, schema_of
from projections.reading import checksum_of, live_schema
from projections.robots import projection as robots
from projections.robots.projection import EffectRow, RobotRows, RunRow
from services.database import Database

NAME = "robots"
_TABLES = {
    "runs": ("timer", robots.RUN_COLUMNS, ("outcome", "reason", "closed_at", "late_ms", "effect")),
    "effects": (
        "effect",
        robots.EFFECT_COLUMNS,
        (
            *("state", "closed_at", "attempts", "provider", "reason", "matched", "doubtful", "repeats", "bounced"),
            "bounced_at",
        ),
    ),
}
"""The second column of the key, all columns, and those that change."""
_TYPES = {
    "lead": "uuid", "timer": "uuid", "effect": "uuid", "late_ms": "bigint", "attempts": "int", "matched": "bigint",
    "doubtful": "boolean", "repeats": "int", "closed_at": "timestamptz", "bounced_at": "timestamptz",
}  # fmt: skip


@dataclass(slots=True)
class StoredRows:
    """The rows of a batch, and where they are kept."""

    schema: str
    rows: RobotRows

    async def save(self, connection: Database) -> None:
        """Write the new rows whole, and of the others what can have changed."""
        rows = self.rows
        known = rows.changed - rows.begun
        for table, held in (("runs", rows.runs), ("effects", rows.effects)):
            await self._copy(connection, table, [row for place, row in held.items() if place in rows.begun])
            if changed := [row for place, row in held.items() if place in known]:
                await self._update(connection, table, changed)
        await self._copy_pulls(connection)

    async def save_new(self, connection: Database) -> None:
        """The same where nothing of these streams is stored yet (a build being filled)."""
        await self._copy(connection, "runs", self.rows.runs.values())
        await self._copy(connection, "effects", self.rows.effects.values())
        await self._copy_pulls(connection)

    async def _copy(self, connection: Database, table: str, rows: Iterable[RunRow | EffectRow]) -> None:
        columns = _TABLES[table][1]
        if records := list(map(attrgetter(*columns), rows)):
            await connection.copy_records_to_table(table, schema_name=self.schema, columns=columns, records=records)

    async def _copy_pulls(self, connection: Database) -> None:
        if records := list(map(attrgetter(*robots.PULL_COLUMNS), self.rows.pulls)):
            await connection.copy_records_to_table(
                "pulls", schema_name=self.schema, columns=robots.PULL_COLUMNS, records=records
            )

    async def _update(self, connection: Database, table: str, rows: Sequence[Any]) -> None:
        second, _, changing = _TABLES[table]
        columns = ("lead", second, *changing)
        arrays = ", ".join(f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(columns, start=1))
        await connection.execute(
            f"""UPDATE {self.schema}.{table} AS t SET {", ".join(f"{name} = n.{name}" for name in changing)}
                FROM unnest({arrays}) AS n ({", ".join(columns)})
                WHERE t.lead = n.lead AND t.{second} = n.{second}""",  # noqa: S608 (names of ours)
            *zip(*map(attrgetter(*columns), rows), strict=True),
        )


async def load(connection: Database, build: int, events: Sequence[Event]) -> StoredRows:
    """The robots and effects that these events change, but those that begin among them."""
    schema, rows = schema_of(NAME, build), RobotRows()
    for found in await _read(connection, schema, "runs", events, robots.OF_ROBOTS, robots.ARMED):
        rows.runs[(found[0], found[1])] = RunRow(*found)
    for found in await _read(connection, schema, "effects", events, robots.OF_EFFECTS, robots.REQUESTED):
        rows.effects[(found[0], found[1])] = EffectRow(*found)
    return StoredRows(schema, rows)


async def _read(
    connection: Database, schema: str, table: str, events: Sequence[Event], types: frozenset[str], begin: frozenset[str]
) -> list[Any]:
    """The rows of a table that events of these types change, but those that begin among them."""
    second, columns, _ = _TABLES[table]
    mine = [event for event in events if event.type in types]
    begun = {(event.stream, event.data[second]) for event in mine if event.type in begin}
    wanted = {(event.stream, event.data[second]) for event in mine} - begun
    if not wanted:
        return []
    read = ", ".join(f"t.{name}::text" if _TYPES.get(name) == "uuid" else f"t.{name}" for name in columns)
    rows: list[Any] = await connection.fetch(
        f"""SELECT {read} FROM unnest($1::uuid[], $2::uuid[]) AS w (lead, second)
            JOIN {schema}.{table} AS t ON t.lead = w.lead AND t.{second} = w.second""",  # noqa: S608 (names of ours)
        *zip(*wanted, strict=True),
    )
    return rows


def apply(stored: StoredRows, event: Event) -> None:
    """Let one event change the rows."""
    robots.apply(stored.rows, event)


async def checksum(connection: Database, build: int) -> bytes:
    """32 bytes over runs, effects and pulls."""
    schema = schema_of(NAME, build)
    tables = ("runs", "effects", "pulls")
    return await checksum_of(connection, *(f"SELECT t::text AS line FROM {schema}.{t} AS t" for t in tables))  # noqa: S608


ROBOTS = Projection(NAME, robots.TOPICS, robots.TYPES, load, apply, checksum, personal=False)


@dataclass(frozen=True, slots=True)
class Counted:
    """What a robot did since a moment, and how many of it wait now. A letter that could not be sent counts as failed."""

    ran: int = 0
    skipped: int = 0
    failed: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a trigger did since a moment."""

    fired: int = 0
    refused: int = 0


async def counts(connection: Database, pipeline: str, since: datetime) -> tuple[dict[str, Counted], dict[str, Pulled]]:
    """Of a pipeline's robots and triggers, by id, what they did since then. Raises NotBuiltError."""
    schema = await live_schema(connection, NAME)
    runs = await connection.fetch(
        f"""SELECT r.robot, count(*) FILTER (WHERE r.outcome = 'ran' AND f.state IS DISTINCT FROM 'failed'),
                   count(*) FILTER (WHERE r.outcome = 'skipped'),
                   count(*) FILTER (WHERE r.outcome = 'failed' OR f.state = 'failed'),
                   count(*) FILTER (WHERE r.outcome IS NULL)
            FROM {schema}.runs AS r LEFT JOIN {schema}.effects AS f ON f.lead = r.lead AND f.effect = r.effect
            WHERE r.pipeline = $1 AND (r.closed_at >= $2 OR r.closed_at IS NULL) GROUP BY r.robot""",  # noqa: S608
        pipeline,
        since,
    )
    pulls = await connection.fetch(
        f"""SELECT trigger, count(*) FILTER (WHERE fired), count(*) FILTER (WHERE NOT fired)
            FROM {schema}.pulls WHERE pipeline = $1 AND at >= $2 GROUP BY trigger""",  # noqa: S608
        pipeline,
        since,
    )
    return {row[0]: Counted(*row[1:]) for row in runs}, {row[0]: Pulled(*row[1:]) for row in pulls}
