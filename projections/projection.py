"""What a projection is (decision 11): tables of its own, a pure `apply` over rows in memory, a store that loads and saves
them.

Invariants: `apply` does no I/O and knows no clock, so a rebuild gives the same rows; rows are loaded once per batch and
table and written back once, in the batch's transaction; a table's schema carries the build's number, so that a rebuild
stands beside the live one. The uuid in a table's primary key is the stream a row belongs to; a table without one holds sums
over all streams and nothing personal (a rebuild compares them so). `checksum` says the same for the same facts, whatever
their order across streams.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import asyncpg

from projections.event import Event
from services.database import Database

REFUSED: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    *(OverflowError, TypeError, ValueError),  # what COPY cannot encode
)
"""The database does not take a row."""


class Rows(Protocol):
    """A batch's rows of one projection."""

    async def save(self, connection: Database) -> None:
        """Write back what `apply` changed.

        A projection may offer `save_new` beside it, for streams of which nothing is stored yet.
        """


@dataclass(frozen=True, slots=True)
class Projection:
    """One projection. `name` is its folder; its tables stand in schema `proj_<name>_<build>`."""

    name: str
    topics: tuple[str, ...]
    types: frozenset[str]
    """The event types it uses; others pass, their versions counted."""
    load: Callable[[Database, int, Sequence[Event]], Awaitable[Any]]
    """(connection, build, events it uses) -> Rows with everything these events touch."""
    apply: Callable[[Any, Event], None]
    """(rows, event): pure."""
    checksum: Callable[[Database, int], Awaitable[bytes]]
    """(connection, build) -> 32 bytes over all rows, the same in any order of insertion."""
    personal: bool = True
    """Whether it uses personal values: those of others are not opened for a rebuild."""
    placed: bool = False
    """Whether it uses the partitions of events: they are not worked out for a rebuild of others."""


def schema_of(name: str, build: int) -> str:
    """The schema of a projection's build."""
    return f"proj_{name}_{build:d}"
