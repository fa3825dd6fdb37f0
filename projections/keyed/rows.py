"""The rows of a table that a batch touches: those loaded, and of these and of new ones which began or changed in it. Pure."""

from __future__ import annotations

from typing import Generic, TypeVar

Row = TypeVar("Row")
Place = tuple[str | int, ...]
"""A row's key: its columns in order, the stream first."""


class Kept(Generic[Row]):
    """Rows by their key. `begun`: not stored yet; `changed`: stored, and not as they were."""

    __slots__ = ("begun", "changed", "rows")

    def __init__(self, rows: dict[Place, Row] | None = None) -> None:
        self.rows: dict[Place, Row] = rows if rows is not None else {}
        self.begun: set[Place] = set()
        self.changed: set[Place] = set()

    def begin(self, place: Place, row: Row) -> None:
        """A row that was not there before."""
        self.rows[place] = row
        self.begun.add(place)

    def change(self, place: Place) -> Row:
        """The row, to be changed. Raises KeyError for one that is not there."""
        row = self.rows[place]
        self.changed.add(place)
        return row
