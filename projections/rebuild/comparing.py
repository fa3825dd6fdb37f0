"""Comparing a new build with the live one: rows of every table, and which differ (decision 11).

Invariants: all rows, not a digest of them, are compared in the columns both have; streams on which the new build is behind
are left to the last comparison, which looks at them alone while the live build stands still; no value of a row is shown,
only the row's key where that is no personal text, and the names of columns.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from projections.projection import schema_of
from projections.rebuild import store
from projections.rebuild.store import Table
from services.database import Database

NAMED = 20
"""Differences named of each table."""


@dataclass(slots=True)
class Comparison:
    """What was found: rows by table (live, new), differences by table, those named, columns only one build has, events
    that could not be applied."""

    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    named: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether the new build holds what the live one does."""
        return not self.totals and not self.failed

    def as_object(self) -> dict[str, Any]:
        """For programs, and to be kept with the build."""
        return {
            "equal": self.equal,
            "rows": {table: {"live": live, "new": new} for table, (live, new) in self.rows.items()},
            "differences": self.totals,
            "named": self.named,
            "columns": self.columns,
            "failed": self.failed,
        }


class Comparing:
    """Compares a build of a projection with the live one, in one or two steps, into one `Comparison`."""

    def __init__(self, projection: str, live: int, new: int) -> None:
        self.found = Comparison()
        self._live, self._new = schema_of(projection, live), schema_of(projection, new)
        self._both: list[tuple[Table, Table]] = []

    async def whole(self, connection: Database, behind: Collection[UUID]) -> None:
        """All rows but those of the streams on which the new build is behind, in the caller's snapshot."""
        live, new = await store.tables(connection, self._live), await store.tables(connection, self._new)
        for name in sorted(live.keys() ^ new.keys()):
            self.found.columns.append(f"only the {'live' if name in live else 'new'} build has the table {name}")
        self._both = [(live[name], new[name]) for name in sorted(live.keys() & new.keys())]
        for name in sorted(live.keys() & new.keys()):
            for column in sorted(set(live[name].columns) ^ set(new[name].columns)):
                which = "live" if column in live[name].columns else "new"
                self.found.columns.append(f"only the {which} build has the column {name}.{column}")
            self.found.rows[name] = (
                await store.count_rows(connection, self._live, name),
                await store.count_rows(connection, self._new, name),
            )
            if new[name].stream is not None:
                await self._compare(connection, live[name], new[name], self.found, skip=behind)

    async def last(self, connection: Database, streams: Collection[UUID]) -> Comparison:
        """What was found, with the rows of these streams and the sums over all streams; the live build must stand still."""
        found = deepcopy(self.found)  # of this try alone: the live build may move on before the next
        for live, new in self._both:
            if new.stream is None or streams:
                await self._compare(connection, live, new, found, only=streams)
        return found

    async def _compare(self, connection: Database, live: Table, new: Table, found: Comparison, **which: Any) -> None:
        if live.key != new.key:
            found.columns.append(f"the key of {new.name} is another one: its rows were not compared")
            return
        columns = [column for column in new.columns if column in live.columns]
        count, named = await store.differing(connection, new, columns, self._live, self._new, limit=NAMED, **which)
        if not count:
            return
        found.totals[new.name] = found.totals.get(new.name, 0) + count
        for row in named:
            what = {"live": "only in the live build", "new": "only in the new build"}.get(
                row["where"], f"differs in {', '.join(row['columns'])}"
            )
            found.named.append(f"{new.name} {row['key']}: {what}")
