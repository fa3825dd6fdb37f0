"""SQL of the journals' rows: load and save a batch's rows, the checksum. What pages read is in `reading`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.topics import INCIDENTS_EVENTS
from projections.event import Event
from projections.incidents import projection as incidents
from projections.incidents.projection import IncidentRows
from projections.keyed import store as keyed
from projections.keyed.rows import Place
from projections.keyed.store import Table
from projections.projection import Projection, schema_of
from projections.reading import checksum_of
from services.database import Database

NAME = "incidents"
_AT = dict.fromkeys(
    (
        *("due_at", "begun_at", "recorded_at", "told_at", "acknowledged_at", "excused_at", "restated_at"),
        *("restated_due_at", "opened_at", "added_at", "closed_at", "requested_at", "made_at", "asked_at", "done_at"),
    ),
    "timestamptz",
)
_IDS = dict.fromkeys(("journal", "incident", "lead", "escalation", "effect", "review"), "uuid")
_TYPES = {
    **_AT, **_IDS, "of_deal": "boolean", "missed_s": "bigint", "counts": "boolean", "turn": "int", "term": "jsonb",
    "strike": "int", "strikes": "int", "days": "int", "restated_strike": "int", "restatements": "int",
    "opening": "boolean", "attempts": "int", "repeats": "int", "doubtful": "boolean", "day": "date", "version": "bigint",
    "overdue": "int", "people": "jsonb", "period_start": "date", "period_end": "date",
}  # fmt: skip
INCIDENTS = Table(
    "incidents", incidents.IncidentRow, ("journal", "incident"),
    (
        *("told_at", "told_via", "strike", "strikes", "days", "acknowledged_at", "comment", "excused_at", "excused_by"),
        *("excuse", "restated_at", "restated_by", "verdict", "restated_due_at", "restated_calendar", "restated_strike"),
        *("restatement", "restatements"),
    ),
    _TYPES,
)  # fmt: skip
ESCALATIONS = Table(
    "escalations",
    incidents.EscalationRow,
    ("journal", "escalation"),
    ("closed_at", "closed_how", "closed_by", "comment"),
    _TYPES,
)
NOTICES = Table(
    "notices", incidents.NoticeRow, ("journal", "effect"),
    ("state", "closed_at", "attempts", "provider", "reason", "doubtful", "repeats"), _TYPES,
)  # fmt: skip
REVIEWS = Table(
    "card_reviews", incidents.CardReviewRow, ("journal", "review"), ("done_at", "done_by", "comment"), _TYPES
)
TABLES: tuple[Table[Any], ...] = (
    INCIDENTS,
    ESCALATIONS,
    Table("escalated", incidents.EscalatedRow, ("journal", "escalation", "incident"), (), _TYPES),
    NOTICES,
    Table("digests", incidents.DigestRow, ("journal", "version"), (), _TYPES),
    REVIEWS,
)
"""Each is kept in the field of `IncidentRows` of its name."""


@dataclass(slots=True)
class StoredRows:
    """The rows of a batch, and where they are kept."""

    schema: str
    rows: IncidentRows

    async def save(self, connection: Database) -> None:
        """Write what began and what changed."""
        for table in TABLES:
            await keyed.save(connection, self.schema, table, getattr(self.rows, table.name))

    async def save_new(self, connection: Database) -> None:
        """The same where nothing of these journals is stored yet (a build being filled)."""
        for table in TABLES:
            await keyed.save_new(connection, self.schema, table, getattr(self.rows, table.name))


async def load(connection: Database, build: int, events: Sequence[Event]) -> StoredRows:
    """The incidents, escalations, notices and card reviews that these events change."""
    schema = schema_of(NAME, build)

    def places(types: frozenset[str], second: str) -> set[Place]:
        return {(event.stream, event.data[second]) for event in events if event.type in types}

    rows = IncidentRows(
        incidents=await keyed.load(connection, schema, INCIDENTS, places(incidents.OF_INCIDENTS, "incident")),
        escalations=await keyed.load(connection, schema, ESCALATIONS, places(incidents.OF_ESCALATIONS, "escalation")),
        notices=await keyed.load(connection, schema, NOTICES, places(incidents.OF_NOTICES, "effect")),
        card_reviews=await keyed.load(connection, schema, REVIEWS, places(incidents.OF_REVIEWS, "review")),
    )
    return StoredRows(schema, rows)


def apply(stored: StoredRows, event: Event) -> None:
    """Let one event change the rows."""
    incidents.apply(stored.rows, event)


async def checksum(connection: Database, build: int) -> bytes:
    """32 bytes over all rows."""
    schema = schema_of(NAME, build)
    return await checksum_of(
        connection,
        *(f"SELECT t::text AS line FROM {schema}.{table.name} AS t" for table in TABLES),  # noqa: S608
    )


JOURNALS = Projection(NAME, (INCIDENTS_EVENTS.name,), incidents.TYPES, load, apply, checksum, personal=False)
