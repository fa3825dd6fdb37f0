"""The timeline: its rule (an entry per event of a lead or a deal) and its SQL.

Invariants: an entry is written once and only ever wiped; `personal` stands apart from `data`, so that a wipe leaves exactly
what a rebuild without the person's key would write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from contracts.events import EVENT_TYPES
from contracts.events.contact import PersonErased
from projections.event import Event
from projections.projection import Projection, schema_of
from projections.reading import checksum_of, live_schema
from services.database import Database

NAME = "timeline"
ERASED = PersonErased.TOPIC
COLUMNS = (
    "lead", "version", "type", "happened_at", "recorded_at", "actor_id", "actor_kind", "on_behalf_of", "person", "data",
    "personal", "erased",
)  # fmt: skip


@dataclass(slots=True)
class TimelineRows:
    """Entries of a batch, and the persons to wipe."""

    schema: str = ""
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    wiped: set[str] = field(default_factory=set)

    async def save(self, connection: Database) -> None:
        """Write the entries, then wipe."""
        if self.entries:
            # twice as fast as an INSERT; nothing is ever there already: each event is applied once
            await connection.copy_records_to_table(
                "entries", schema_name=self.schema, columns=COLUMNS, records=self.entries
            )
        if self.wiped:
            await connection.execute(
                f"""UPDATE {self.schema}.entries SET personal = NULL, erased = true
                    WHERE person = ANY($1::uuid[]) AND personal IS NOT NULL""",  # noqa: S608
                list(self.wiped),
            )


async def load(connection: Database, build: int, events: Sequence[Event]) -> TimelineRows:
    """Nothing to load: entries do not depend on each other."""
    return TimelineRows(schema_of(NAME, build))


def apply(rows: TimelineRows, event: Event) -> None:
    """Note one event."""
    if event.type == ERASED:
        rows.wiped.add(event.stream)
        return
    rows.entries.append(
        (
            event.stream,
            event.version,
            event.type,
            event.happened_at,
            event.recorded_at,
            event.actor["id"],
            event.actor["kind"],
            event.actor.get("on_behalf_of"),
            event.person,
            orjson.dumps(event.data).decode(),
            event.personal_json,
            event.erased,
        )
    )


async def checksum(connection: Database, build: int) -> bytes:
    """32 bytes over all entries."""
    return await checksum_of(connection, f"SELECT t::text AS line FROM {schema_of(NAME, build)}.entries AS t")  # noqa: S608


TIMELINE = Projection(
    NAME,
    ("leads.events", "deals.events", "people.events"),
    frozenset(t for t, cls in EVENT_TYPES.items() if cls.KIND in ("lead", "deal")) | {ERASED},
    load,
    apply,
    checksum,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a lead. `data`: its fields, personal ones included while they can be read; `erased`: they cannot."""

    lead: UUID
    version: int
    type: str
    happened_at: datetime
    recorded_at: datetime
    actor_id: str
    actor_kind: str
    on_behalf_of: str | None
    data: dict[str, Any]
    erased: bool


async def entries(connection: Database, lead: UUID, *, after: int | None = None, limit: int = 50) -> list[Entry]:
    """A lead's entries, the newest first; `after`: only those before (older than) this version."""
    rows = await connection.fetch(
        f"""SELECT lead, version, type, happened_at, recorded_at, actor_id, actor_kind, on_behalf_of, data, personal,
                   erased
            FROM {await live_schema(connection, NAME)}.entries
            WHERE lead = $1 AND ($2::bigint IS NULL OR version < $2) ORDER BY version DESC LIMIT $3""",  # noqa: S608
        lead,
        after,
        limit,
    )
    return [
        Entry(
            **{name: row[name] for name in ENTRY_COLUMNS},
            data={**orjson.loads(row["data"]), **orjson.loads(row["personal"] or "{}")},
        )
        for row in rows
    ]


ENTRY_COLUMNS = tuple(f.name for f in fields(Entry) if f.name != "data")
