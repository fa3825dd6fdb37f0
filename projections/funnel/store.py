"""SQL of the funnel's rows: load and save a batch, the checksum. What the web reads is in `numbers`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from projections.event import Event
from projections.funnel import projection as funnel
from projections.funnel.projection import FunnelRows, LeadRow, VisitRow
from projections.projection import Projection, schema_of
from projections.reading import checksum_of
from services.database import Database

NAME = "funnel"
_LEADS, _VISITS = ", ".join(funnel.LEAD_COLUMNS), ", ".join(funnel.VISIT_COLUMNS)
_TYPES = {
    "lead": "uuid", "visit": "int", "captured_at": "timestamptz", "entered_at": "timestamptz", "left_at": "timestamptz",
}  # fmt: skip


def _arrays(columns: Iterable[str]) -> str:
    return ", ".join(f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(columns, start=1))


_LEFT = ("worked_by", "left_at", "to_stage", "left_by", "left_how")
_SET_VISIT = ", ".join(f"{c} = excluded.{c}" for c in _LEFT)


@dataclass(slots=True)
class StoredRows:
    """The rows of a batch, and where they are kept."""

    schema: str
    rows: FunnelRows

    async def save(self, connection: Database) -> None:
        """Write back leads and visits."""
        rows, schema = self.rows, self.schema
        if rows.touched:
            leads = [rows.leads[lead] for lead in sorted(rows.touched)]
            await connection.execute(
                f"""INSERT INTO {schema}.leads ({_LEADS}) SELECT * FROM unnest({_arrays(funnel.LEAD_COLUMNS)})
                    ON CONFLICT (lead) DO UPDATE
                        SET responsible = excluded.responsible, visit = excluded.visit""",  # noqa: S608 (names of ours)
                *funnel.columns_of(leads, funnel.LEAD_COLUMNS),
            )
        if rows.changed:
            visits = [rows.visits[key] for key in sorted(rows.changed)]
            await connection.execute(
                f"""INSERT INTO {schema}.visits ({_VISITS}) SELECT * FROM unnest({_arrays(funnel.VISIT_COLUMNS)})
                    ON CONFLICT (lead, visit) DO UPDATE SET {_SET_VISIT}""",  # noqa: S608
                *funnel.columns_of(visits, funnel.VISIT_COLUMNS),
            )

    async def save_new(self, connection: Database) -> None:
        """The same where nothing of these streams is stored yet (a build being filled), twice as fast."""
        for table, columns, values in (
            ("leads", funnel.LEAD_COLUMNS, self.rows.leads.values()),
            ("visits", funnel.VISIT_COLUMNS, self.rows.visits.values()),
        ):
            read = attrgetter(*columns)
            await connection.copy_records_to_table(
                table, schema_name=self.schema, columns=columns, records=map(read, values)
            )


async def load(connection: Database, build: int, events: Sequence[Event]) -> StoredRows:
    """The leads that these events touch, each with the visit it is in."""
    schema, rows = schema_of(NAME, build), FunnelRows()
    new = {event.stream for event in events if event.type == funnel.CAPTURED}
    if wanted := {event.stream for event in events} - new:
        visit = ", ".join(f"v.{c}" if c != "lead" else "v.lead::text" for c in funnel.VISIT_COLUMNS)
        found = await connection.fetch(
            f"""SELECT l.lead::text, {", ".join(f"l.{c}" for c in funnel.LEAD_COLUMNS[1:])}, {visit}
                FROM {schema}.leads AS l LEFT JOIN {schema}.visits AS v ON v.lead = l.lead AND v.visit = l.visit
                WHERE l.lead = ANY($1::uuid[])""",  # noqa: S608
            list(wanted),
        )
        wide = len(funnel.LEAD_COLUMNS)
        for row in found:
            lead = LeadRow(*row[:wide])
            rows.leads[lead.lead] = lead
            if lead.visit:
                rows.visits[lead.lead, lead.visit] = VisitRow(*row[wide:])
    return StoredRows(schema, rows)


def apply(stored: StoredRows, event: Event) -> None:
    """Let one event change the rows."""
    funnel.apply(stored.rows, event)


async def checksum(connection: Database, build: int) -> bytes:
    """32 bytes over leads and visits."""
    schema = schema_of(NAME, build)
    tables = ("leads", "visits")
    return await checksum_of(connection, *(f"SELECT t::text AS line FROM {schema}.{t} AS t" for t in tables))  # noqa: S608


FUNNEL = Projection(NAME, ("leads.events",), funnel.TYPES, load, apply, checksum, personal=False)
