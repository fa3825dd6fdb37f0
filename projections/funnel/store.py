"""SQL of the funnel's rows: load and save a batch, the checksum. What the web reads is in `numbers`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from projections.event import Event
from projections.funnel import projection as funnel
from projections.funnel import rows as funnel_rows
from projections.funnel.rows import FunnelRows, LeadRow, VisitRow
from projections.projection import Projection, schema_of
from projections.reading import checksum_of
from services.database import Database

NAME = "funnel"
_TYPES = {
    "lead": "uuid", "visit": "int", "version": "int", "pipeline_version": "int", "left_version": "int", "undone": "boolean",
    **dict.fromkeys(
        ("captured_at", "known_at", "entered_at", "known_from", "known_to", "left_at", "left_known_at"), "timestamptz"
    ),
}  # fmt: skip


def _arrays(columns: Iterable[str]) -> str:
    return ", ".join(f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(columns, start=1))


_OF_LEADS = ("pipeline", "version", "known_at", "responsible", "visit", "reason", "outcome")
_OF_VISITS = ("worked_by", "from_stage", "known_from", "undone", *funnel_rows.END_COLUMNS)
"""What can change of a lead, and of a visit that is corrected."""


@dataclass(slots=True)
class StoredRows:
    """The rows of a batch, and where they are kept."""

    schema: str
    rows: FunnelRows

    async def save(self, connection: Database) -> None:
        """Write leads and visits, the new ones whole and of the others what can have changed, and what was known before a
        correction."""
        rows = self.rows
        begun, corrected = rows.begun, rows.corrected - rows.begun
        await self._copy(connection, "leads", funnel_rows.LEAD_COLUMNS, [rows.leads[n] for n in sorted(rows.captured)])
        await self._copy(connection, "visits", funnel_rows.VISIT_COLUMNS, [rows.visits[n] for n in sorted(begun)])
        await self._copy(connection, "past_visits", funnel_rows.PAST_COLUMNS, rows.past)
        leads = [rows.leads[n] for n in sorted(rows.touched - rows.captured)]
        await self._update(connection, "leads", ("lead",), _OF_LEADS, leads)
        for columns, keys in (
            (_OF_VISITS, corrected),
            (funnel_rows.END_COLUMNS, rows.ended - corrected - begun),
        ):
            visits = [rows.visits[n] for n in sorted(keys)]
            await self._update(connection, "visits", ("lead", "visit"), columns, visits)

    async def save_new(self, connection: Database) -> None:
        """The same where nothing of these streams is stored yet (a build being filled)."""
        rows = self.rows
        await self._copy(connection, "leads", funnel_rows.LEAD_COLUMNS, rows.leads.values())
        await self._copy(connection, "visits", funnel_rows.VISIT_COLUMNS, rows.visits.values())
        await self._copy(connection, "past_visits", funnel_rows.PAST_COLUMNS, rows.past)

    async def _copy(self, connection: Database, table: str, columns: tuple[str, ...], values: Iterable[object]) -> None:
        """Add rows: half of the cost of an INSERT, for both sides."""
        if records := list(map(attrgetter(*columns), values)):
            await connection.copy_records_to_table(table, schema_name=self.schema, columns=columns, records=records)

    async def _update(
        self,
        connection: Database,
        table: str,
        key: tuple[str, ...],
        columns: tuple[str, ...],
        rows: Sequence[LeadRow | VisitRow],
    ) -> None:
        if rows:
            await connection.execute(
                f"""UPDATE {self.schema}.{table} AS t SET {", ".join(f"{c} = n.{c}" for c in columns)}
                    FROM unnest({_arrays((*key, *columns))}) AS n ({", ".join((*key, *columns))})
                    WHERE {" AND ".join(f"t.{c} = n.{c}" for c in key)}""",  # noqa: S608 (names of ours)
                *funnel_rows.columns_of(rows, (*key, *columns)),
            )


async def load(connection: Database, build: int, events: Sequence[Event]) -> StoredRows:
    """The leads that these events touch, each with the visit it is in; all visits of those that are corrected."""
    schema, rows = schema_of(NAME, build), FunnelRows()
    new = {event.stream for event in events if event.type in funnel.CREATING}
    if wanted := {event.stream for event in events} - new:
        corrected = [event.stream for event in events if funnel.corrects(event)]
        leads = ", ".join(f"l.{c}" if c != "lead" else "l.lead::text" for c in funnel_rows.LEAD_COLUMNS)
        visit = ", ".join(f"v.{c}" if c != "lead" else "v.lead::text" for c in funnel_rows.VISIT_COLUMNS)
        found = await connection.fetch(
            f"""SELECT {leads}, {visit}
                FROM {schema}.leads AS l LEFT JOIN {schema}.visits AS v ON v.lead = l.lead AND v.visit = l.visit
                WHERE l.lead = ANY($1::uuid[])""",  # noqa: S608
            list(wanted),
        )
        if corrected:
            found += await connection.fetch(
                f"""SELECT {leads}, {visit} FROM {schema}.leads AS l JOIN {schema}.visits AS v ON v.lead = l.lead
                    WHERE l.lead = ANY($1::uuid[])""",  # noqa: S608
                corrected,
            )
        wide = len(funnel_rows.LEAD_COLUMNS)
        for row in found:
            lead = rows.leads.setdefault(row[0], LeadRow(*row[:wide]))
            if row[wide] is not None:
                visited = VisitRow(*row[wide:])
                rows.visits[lead.lead, visited.visit] = visited
    return StoredRows(schema, rows)


def apply(stored: StoredRows, event: Event) -> None:
    """Let one event change the rows."""
    funnel.apply(stored.rows, event)


async def checksum(connection: Database, build: int) -> bytes:
    """32 bytes over leads, visits, and what visits were known to be."""
    schema = schema_of(NAME, build)
    tables = ("leads", "visits", "past_visits")
    return await checksum_of(connection, *(f"SELECT t::text AS line FROM {schema}.{t} AS t" for t in tables))  # noqa: S608


FUNNEL = Projection(NAME, ("leads.events", "deals.events"), funnel.TYPES, load, apply, checksum, personal=False)
