"""The SQL of imports: what became of each row, and how far each import has come.

Invariants: both are written in the transaction of the events, so a crash leaves no row half taken; a row that is done stays
done; one that was refused is decided anew only when another import (another file, mapping or pipeline) offers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.commands import Refusal
from services.database import Database


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """What became of a row: `stage` is what it was read as; versions are those of its lead's events."""

    id: UUID
    import_id: UUID
    line: int
    lead: UUID
    stage: str
    outcome: str
    """done or refused"""
    refusal: Refusal | None
    first_version: int | None
    last_version: int | None
    at: datetime

    def settles(self, import_id: UUID) -> bool:
        """Whether the row is not decided anew when this import offers it."""
        return self.outcome == "done" or self.import_id == import_id


@dataclass(frozen=True, slots=True)
class ImportRun:
    """An import: one file, read by one mapping into one pipeline, under one source."""

    id: UUID
    source: str
    pipeline: str
    file: str
    file_sha256: bytes
    mapping_sha256: bytes


@dataclass(frozen=True, slots=True)
class Begun:
    """How far an import has come: rows of the file that are decided; when it was finished."""

    taken: int
    finished_at: datetime | None


_COLUMNS = "id, import, line, lead, stage, outcome, refusal, first_version, last_version, at"


def _answer(row: Sequence[object]) -> RowAnswer:
    values = list(row)
    values[6] = Refusal.model_validate_json(str(values[6])) if values[6] else None
    return RowAnswer(*values)  # type: ignore[arg-type]


async def answered(database: Database, ids: Sequence[UUID]) -> dict[UUID, RowAnswer]:
    """What became of these rows already."""
    if not ids:
        return {}
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM leadline.import_rows WHERE id = ANY($1::uuid[])",  # noqa: S608 (names of ours)
        ids,
    )
    return {row[0]: _answer(tuple(row)) for row in rows}


async def refused_rows(database: Database, import_id: UUID) -> dict[UUID, RowAnswer]:
    """The rows that this import was refused."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM leadline.import_rows WHERE import = $1 AND outcome = 'refused'",  # noqa: S608
        import_id,
    )
    return {row[0]: _answer(tuple(row)) for row in rows}


async def remember(database: Database, rows: Iterable[RowAnswer]) -> None:
    """Store what became of rows; a refused one is replaced by its later answer."""
    columns = [list(column) for column in zip(*(_plain(row) for row in rows), strict=True)]
    if columns:
        await database.execute(
            """INSERT INTO leadline.import_rows AS r (id, import, line, lead, stage, outcome, rule_ids, refusal,
                                                      first_version, last_version, at)
               SELECT id, import, line, lead, stage, outcome,
                      coalesce(ARRAY(SELECT jsonb_array_elements_text(refusal::jsonb -> 'rules')), '{}'),
                      refusal::jsonb, first_version, last_version, at
               FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                           $8::bigint[], $9::bigint[], $10::timestamptz[])
                    AS i (id, import, line, lead, stage, outcome, refusal, first_version, last_version, at)
               ON CONFLICT (id) DO UPDATE SET import = excluded.import, line = excluded.line, stage = excluded.stage,
                   outcome = excluded.outcome, rule_ids = excluded.rule_ids, refusal = excluded.refusal,
                   first_version = excluded.first_version, last_version = excluded.last_version, at = excluded.at
               WHERE r.outcome = 'refused'""",
            *columns,
        )


def _plain(row: RowAnswer) -> tuple[object, ...]:
    refusal = row.refusal.model_dump_json() if row.refusal else None
    return (
        *(row.id, row.import_id, row.line, row.lead, row.stage, row.outcome, refusal),
        *(row.first_version, row.last_version, row.at),
    )


async def begin(database: Database, run: ImportRun, at: datetime) -> Begun:
    """Note that an import begins, or how far it had come before."""
    await database.execute(
        """INSERT INTO leadline.imports (id, source, pipeline, file, file_sha256, mapping_sha256, started_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING""",
        run.id,
        run.source,
        run.pipeline,
        run.file,
        run.file_sha256,
        run.mapping_sha256,
        at,
    )
    return await progress(database, run.id) or Begun(0, None)


async def progress(database: Database, import_id: UUID) -> Begun | None:
    """How far an import has come; None: it was never begun."""
    row = await database.fetchrow("SELECT taken, finished_at FROM leadline.imports WHERE id = $1", import_id)
    return None if row is None else Begun(row[0], row[1])


async def advance(database: Database, taken: Mapping[UUID, int]) -> None:
    """These imports have come so far; one that was further stays there."""
    if taken:
        await database.execute(
            """UPDATE leadline.imports AS i SET taken = greatest(i.taken, t.taken)
               FROM unnest($1::uuid[], $2::bigint[]) AS t (id, taken) WHERE i.id = t.id""",
            list(taken),
            list(taken.values()),
        )


async def finish(database: Database, import_id: UUID, at: datetime) -> None:
    """The import has come to the end of its file."""
    await database.execute(
        "UPDATE leadline.imports SET finished_at = coalesce(finished_at, $2) WHERE id = $1", import_id, at
    )
