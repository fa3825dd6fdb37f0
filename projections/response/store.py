"""SQL of response times: load and save a batch's rows, the checksum. What pages read is in `reading`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from contracts.topics import LEADS_EVENTS
from projections.event import Event
from projections.keyed import store as keyed
from projections.keyed.store import Table
from projections.projection import Projection, schema_of
from projections.reading import checksum_of
from projections.response import projection as response
from projections.response.projection import ResponseRow, ResponseRows
from services.database import Database

NAME = "response"
FIXED = ("lead", "pipeline", "source", "channel", "form", "arrived_at", "captured_at")
LEADS = Table(
    "leads", ResponseRow, ("lead",), tuple(f.name for f in fields(ResponseRow) if f.name not in FIXED),
    {
        "lead": "uuid", "merged": "boolean",
        **{f.name: "timestamptz" for f in fields(ResponseRow) if f.name.endswith("_at")},
    },
)  # fmt: skip


@dataclass(slots=True)
class StoredRows:
    """The rows of a batch, and where they are kept."""

    schema: str
    rows: ResponseRows

    async def save(self, connection: Database) -> None:
        """Write what began and what changed."""
        await keyed.save(connection, self.schema, LEADS, self.rows.leads)

    async def save_new(self, connection: Database) -> None:
        """The same where nothing of these leads is stored yet (a build being filled)."""
        await keyed.save_new(connection, self.schema, LEADS, self.rows.leads)


async def load(connection: Database, build: int, events: Sequence[Event]) -> StoredRows:
    """The leads that these events touch, but those that begin among them."""
    schema = schema_of(NAME, build)
    new = {event.stream for event in events if event.type == response.CAPTURED}
    leads = {(event.stream,) for event in events if event.stream not in new}
    return StoredRows(schema, ResponseRows(await keyed.load(connection, schema, LEADS, leads)))


def apply(stored: StoredRows, event: Event) -> None:
    """Let one event change the rows."""
    response.apply(stored.rows, event)


async def checksum(connection: Database, build: int) -> bytes:
    """32 bytes over all leads."""
    return await checksum_of(connection, f"SELECT t::text AS line FROM {schema_of(NAME, build)}.leads AS t")  # noqa: S608


RESPONSE = Projection(NAME, (LEADS_EVENTS.name,), response.TYPES, load, apply, checksum, personal=False)
