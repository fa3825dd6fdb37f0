"""SQL of such tables: load rows by their keys, write new ones whole and of the others what can have changed.

Invariants: names of tables and columns are those of dataclasses of ours, values go as parameters; a row that began in the batch
is never updated. Raises asyncpg errors, in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Generic, TypeVar

from projections.keyed.rows import Kept, Place
from services.database import Database

Row = TypeVar("Row")


@dataclass(frozen=True)
class Table(Generic[Row]):
    """A table, and the dataclass of its rows, whose fields are its columns.

    `types`: SQL types of the columns that are no text; `changing`: the columns that can change after a row began.
    """

    name: str
    row: type[Row]
    key: tuple[str, ...]
    changing: tuple[str, ...]
    types: Mapping[str, str]
    columns: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(f.name for f in fields(self.row)))  # type: ignore[arg-type]

    def arrays(self, columns: Iterable[str]) -> str:
        """Parameters that hold one array for each of these columns."""
        return ", ".join(f"${n}::{self.types.get(name, 'text')}[]" for n, name in enumerate(columns, start=1))

    def read(self, alias: str = "t") -> str:
        """The columns as rows hold them: ids as text."""
        return ", ".join(
            f"{alias}.{name}::text" if self.types.get(name) == "uuid" else f"{alias}.{name}" for name in self.columns
        )


async def load(connection: Database, schema: str, table: Table[Row], places: Collection[Place]) -> Kept[Row]:
    """The rows of these keys that there are; no query for none."""
    kept: Kept[Row] = Kept()
    if places:
        same = " AND ".join(f"t.{name} = w.{name}" for name in table.key)
        found = await connection.fetch(
            f"""SELECT {table.read()} FROM unnest({table.arrays(table.key)}) AS w ({", ".join(table.key)})
                JOIN {schema}.{table.name} AS t ON {same}""",  # noqa: S608 (names of ours)
            *zip(*places, strict=True),
        )
        _put(kept, table, found)
    return kept


async def save(connection: Database, schema: str, table: Table[Row], kept: Kept[Row]) -> None:
    """Write the new rows whole, and of the others what can have changed."""
    await _copy(connection, schema, table, [kept.rows[place] for place in kept.begun])
    if changed := [kept.rows[place] for place in kept.changed - kept.begun]:
        columns = (*table.key, *table.changing)
        same = " AND ".join(f"t.{name} = n.{name}" for name in table.key)
        await connection.execute(
            f"""UPDATE {schema}.{table.name} AS t SET {", ".join(f"{name} = n.{name}" for name in table.changing)}
                FROM unnest({table.arrays(columns)}) AS n ({", ".join(columns)}) WHERE {same}""",  # noqa: S608
            *zip(*map(attrgetter(*columns), changed), strict=True),
        )


async def save_new(connection: Database, schema: str, table: Table[Row], kept: Kept[Row]) -> None:
    """The same where nothing of these streams is stored yet (a build being filled)."""
    await _copy(connection, schema, table, kept.rows.values())


async def _copy(connection: Database, schema: str, table: Table[Row], rows: Iterable[Row]) -> None:
    get: Any = attrgetter(*table.columns)
    if records := list(map(get, rows)):
        await connection.copy_records_to_table(table.name, schema_name=schema, columns=table.columns, records=records)


def _put(kept: Kept[Row], table: Table[Row], found: Iterable[Any]) -> None:
    key = attrgetter(*table.key)
    make: Any = table.row
    for values in found:
        row = make(*values)
        place = key(row)
        kept.rows[place if isinstance(place, tuple) else (place,)] = row
