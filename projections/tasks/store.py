"""SQL of tasks: load and save a batch's rows, the checksum. What pages read is in `reading`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from projections.event import Event
from projections.keyed import store as keyed
from projections.keyed.rows import Place
from projections.keyed.store import Table
from projections.projection import Projection, schema_of
from projections.reading import checksum_of
from projections.tasks import projection as tasks
from projections.tasks.projection import TaskRows
from services.database import Database

NAME = "tasks"
_TYPES = {
    "lead": "uuid", "activity": "uuid", "timer": "uuid", "follows": "uuid", "incident": "uuid", "planned_at": "timestamptz",
    "first_due_at": "timestamptz", "due_at": "timestamptz", "begun_at": "timestamptz", "warn_at": "timestamptz",
    "remind_at": "timestamptz", "closed_at": "timestamptz", "moved": "int", "visit": "int", "turn": "int",
    "is_key": "boolean", "recurring": "boolean", "raises": "boolean", "term": "jsonb", "lacks": "jsonb",
    "left_s": "bigint", "late_ms": "bigint", "running": "int", "automatic": "boolean", "opened_at": "timestamptz",
    "decided_at": "timestamptz",
}  # fmt: skip
ACTIVITIES = Table(
    "activities", tasks.ActivityRow, ("lead", "activity"),
    ("assignee", "due_at", "moved", "remind_at", "outcome", "closed_at", "closed_by", "closed_reason"), _TYPES,
)  # fmt: skip
DEADLINES = Table(
    "deadlines", tasks.DeadlineRow, ("lead", "timer"),
    (
        *("lacks", "outcome", "closed_at", "closed_reason", "result", "left_s", "late_ms", "missed_by", "cause"),
        *("stage", "running", "incident"),
    ),
    _TYPES,
)  # fmt: skip
REVIEWS = Table(
    "reviews", tasks.ReviewRow, ("lead", "visit"),
    (
        *("pipeline", "status", "reason", "automatic", "responsible", "opened_at", "decision", "decided_at", "decided_by"),
        "dropped_by",
    ),
    _TYPES,
)  # fmt: skip
TABLES: tuple[Table[Any], ...] = (ACTIVITIES, DEADLINES, REVIEWS)
"""Each is kept in the field of `TaskRows` of its name."""


@dataclass(slots=True)
class StoredRows:
    """The rows of a batch, and where they are kept."""

    schema: str
    rows: TaskRows

    async def save(self, connection: Database) -> None:
        """Write what began and what changed."""
        for table in TABLES:
            await keyed.save(connection, self.schema, table, getattr(self.rows, table.name))

    async def save_new(self, connection: Database) -> None:
        """The same where nothing of these streams is stored yet (a build being filled)."""
        for table in TABLES:
            await keyed.save_new(connection, self.schema, table, getattr(self.rows, table.name))


async def load(connection: Database, build: int, events: Sequence[Event]) -> StoredRows:
    """The activities, deadlines and reviews that these events change, but deadlines that begin among them."""
    schema = schema_of(NAME, build)

    # one that is planned may be there already: it is opened again, or handed over
    activities = _places(events, "activity", tasks.OF_ACTIVITIES | tasks.PLANNED)
    deadlines = _places(events, "timer", tasks.OF_DEADLINES) - _places(events, "timer", tasks.SET)
    reviews = _places(events, "visit", tasks.OF_REVIEWS)
    return StoredRows(
        schema,
        TaskRows(
            await keyed.load(connection, schema, ACTIVITIES, activities),
            await keyed.load(connection, schema, DEADLINES, deadlines),
            await keyed.load(connection, schema, REVIEWS, reviews),
        ),
    )


def _places(events: Sequence[Event], second: str, types: frozenset[str]) -> set[Place]:
    return {_place(event, second) for event in events if event.type in types}


def _place(event: Event, second: str) -> Place:
    return event.stream, event.data[second]


def apply(stored: StoredRows, event: Event) -> None:
    """Let one event change the rows."""
    tasks.apply(stored.rows, event)


async def checksum(connection: Database, build: int) -> bytes:
    """32 bytes over activities, deadlines and reviews."""
    schema = schema_of(NAME, build)
    return await checksum_of(
        connection,
        *(f"SELECT t::text AS line FROM {schema}.{table.name} AS t" for table in TABLES),  # noqa: S608
    )


TASKS = Projection(NAME, tasks.TOPICS, tasks.TYPES, load, apply, checksum, personal=False)
