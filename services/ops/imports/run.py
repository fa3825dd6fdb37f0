"""An import from its first row to its last: read, hand to the batcher in chunks, count, keep what did not go in.

Rows go through the aggregate service's batcher and rules, in a batcher of this process; advisory locks order it with the
running services and with other imports. Invariants: rows are handed in in the order of the file, one chunk at a time, so that
a row is decided after all rows before it, whoever decides them; what is committed is noted with it (`leadline.imports`). On
failure of the database: as `services.ops.batching` says; the same import goes on later with nothing done twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid5

from contracts.commands import Refusal
from contracts.pipeline import Pipeline
from services.clock import Clock
from services.database import Pool
from services.leads.domain.recognition import NAMESPACE
from services.leads.imports import store
from services.leads.rehearsal import rehearsing
from services.leads.work import Done, ImportWork
from services.ops.batching import batching
from services.ops.imports.mapping import Columns, Mapping
from services.ops.imports.rejected import Rejected
from services.ops.imports.rows import Bad, Given, Passed, RowReader
from services.ops.imports.table import Measured, Record, Table
from services.ops.progress import Progress
from services.settings import Settings

CHUNK_ROWS = 1_000
CORRECT = "correct the row, and import this file with the same mapping and source"
WAYS_OUT = {
    "K6.time_holds": "put the rows of a case in order of time, or correct the time, and import this file",
    "S1.already_there": "nothing: the lead stands there already; or correct the stage",
    "S1.one_step_forward": "add the row of the stage between, before this one, and import this file",
    "S3.closed_stays_closed": "correct the stage; a closed lead comes back only to the stage it left",
    "C3.one_open_lead": "close the other lead, or import this one as closed, then import this file",
    "C4.known_responsible": "name the person in the mapping under people, as LEADLINE_RESPONSIBLES does",
    "K2.same_row": "correct the lead by hand",
    "S3.pause_has_a_date": "give until and reason, as columns of the mapping",
}

Take = Callable[[Sequence[ImportWork]], Awaitable[list[Done]]]
Silent: Progress = lambda step, done, total: None  # noqa: E731


@dataclass(frozen=True, slots=True)
class Plan:
    """What to import: a file, how it is read, where it comes from and goes to."""

    table: Table
    mapping: Mapping
    pipeline: Pipeline
    source: str
    measured: Measured

    @property
    def id(self) -> UUID:
        """The import: the same file by the same mapping, from the same source into the same pipeline, is the same import."""
        what = f"{self.measured.sha256.hex()}:{self.mapping.sha256.hex()}:{self.source}:{self.pipeline.pipeline}"
        return uuid5(NAMESPACE, f"import:{what}")

    @property
    def run(self) -> store.ImportRun:
        """The import as it is noted."""
        return store.ImportRun(
            id=self.id,
            source=self.source,
            pipeline=self.pipeline.pipeline,
            file=self.table.path.name,
            file_sha256=self.measured.sha256,
            mapping_sha256=self.mapping.sha256,
        )


@dataclass(slots=True)
class Summary:
    """What became of the rows."""

    rows: int = 0
    skipped: int = 0
    """Rows that an earlier run had taken (`--resume`)."""
    done: int = 0
    repeats: int = 0
    passed: int = 0
    refused: int = 0
    bad: int = 0
    leads: int = 0
    """New leads."""
    unreadable: int = 0
    """Rows whose phone or e-mail is kept as text only."""
    by_reason: dict[str, int] = field(default_factory=dict)
    examples: list[Bad] = field(default_factory=list)

    def reject(self, bad: Bad) -> None:
        """One row that did not go in."""
        self.refused += bool(bad.rule)
        self.bad += not bad.rule
        reason = bad.rule or f"{bad.column}: {bad.why}".removeprefix(": ")
        if reason in self.by_reason or len(self.by_reason) < 50:
            self.by_reason[reason] = self.by_reason.get(reason, 0) + 1
        if len(self.examples) < 20:
            self.examples.append(bad)


async def import_rows(
    settings: Settings,
    pool: Pool,
    clock: Clock,
    plan: Plan,
    rejected_path: Path,
    *,
    resume: bool = False,
    progress: Progress = Silent,
) -> Summary:
    """Import a file. Raises MappingError, TableError, AwayError; what was committed before stays."""
    with plan.table.records() as (header, records):
        columns = Columns(header, plan.mapping, plan.pipeline)
        async with pool.acquire() as database:
            begun = await store.begin(database, plan.run, await clock.now())
            refused = await store.refused_rows(database, plan.id) if resume and begun.taken else {}
        rejected = Rejected(rejected_path, columns.header, plan.table.encoding, plan.table.delimiter)
        counting = _Counting(plan, progress, rejected)
        reader = RowReader(columns, plan.mapping, plan.pipeline, settings, plan.source, plan.id)
        async with batching(settings, pool, clock) as take:
            rows = _resumed(_read(reader, records, counting), begun.taken if resume else 0, refused, counting)
            await _hand_in(rows, take, counting)
        rejected.close()
    async with pool.acquire() as database:
        await store.finish(database, plan.id, await clock.now())
    return counting.summary


async def rehearse_rows(
    settings: Settings, pool: Pool, clock: Clock, plan: Plan, *, progress: Progress = Silent
) -> Summary:
    """Say what an import would do, and write nothing. Raises MappingError, TableError."""
    with plan.table.records() as (header, records):
        columns = Columns(header, plan.mapping, plan.pipeline)
        counting = _Counting(plan, progress, None)
        reader = RowReader(columns, plan.mapping, plan.pipeline, settings, plan.source, plan.id)
        async with rehearsing(settings, pool, await clock.now()) as rehearsal:
            await _hand_in(_read(reader, records, counting), rehearsal.take, counting)
    return counting.summary


class _Counting:
    """Counts and keeps what became of rows, as they are answered."""

    def __init__(self, plan: Plan, progress: Progress, rejected: Rejected | None) -> None:
        self.summary = Summary()
        self._lines, self._progress, self._rejected = plan.measured.lines, progress, rejected

    def reject(self, bad: Bad) -> None:
        """A row that did not go in."""
        self.summary.reject(bad)
        if self._rejected is not None:
            self._rejected.add(bad)

    def answered(self, given: Given, done: Done) -> None:
        """A row that the batcher answered."""
        summary, result = self.summary, done.result
        assert result is not None, "every row of an import has an answer"
        if result.refusal is not None:
            self.reject(_refused(given.record, result.refusal))
        elif done.repeat:
            summary.repeats += 1
        else:
            summary.done += 1
            summary.leads += result.first_version == 1
            summary.unreadable += given.unreadable

    def line(self, line: int) -> None:
        """Everything up to this line is answered."""
        self._progress("rows", line, max(self._lines, line))


def _refused(record: Record, refusal: Refusal) -> Bad:
    """A row that the rules did not allow."""
    return Bad(record, "", " ".join(refusal.rules), refusal.en, WAYS_OUT.get(refusal.rules[0], CORRECT))


def _read(reader: RowReader, records: Iterator[Record], counting: _Counting) -> Iterator[Given | Bad]:
    for position, record in enumerate(records, start=1):
        counting.summary.rows += 1
        match reader.read(record, position):
            case Passed():
                counting.summary.passed += 1
            case row:
                yield row


def _resumed(
    rows: Iterator[Given | Bad], taken: int, refused: dict[UUID, store.RowAnswer], counting: _Counting
) -> Iterator[Given | Bad]:
    """The rows after those that an earlier run had taken; what that one was refused is told again."""
    for row in rows:
        if isinstance(row, Bad) or row.work.position > taken:
            yield row
            continue
        answer = refused.get(row.work.row.id)
        if answer is not None and answer.refusal is not None:
            yield _refused(row.record, answer.refusal)
        else:
            counting.summary.skipped += 1


async def _hand_in(rows: Iterator[Given | Bad], take: Take, counting: _Counting) -> None:
    """Chunk by chunk, in the order of the file; the next chunk is read while one is being written."""
    waiting: tuple[list[Given | Bad], asyncio.Task[list[Done]]] | None = None
    try:
        while True:
            chunk = list(islice(rows, CHUNK_ROWS))
            if waiting is not None:
                _note(waiting[0], await waiting[1], counting)
            if not chunk:
                return
            waiting = (chunk, asyncio.create_task(_taken(take, [row.work for row in chunk if isinstance(row, Given)])))
            await asyncio.sleep(0)
    finally:
        if waiting is not None and not waiting[1].done():
            waiting[1].cancel()


async def _taken(take: Take, work: Sequence[ImportWork]) -> list[Done]:
    return await take(work) if work else []


def _note(chunk: list[Given | Bad], done: list[Done], counting: _Counting) -> None:
    """In the order of the file, so that the file of rejected rows can be imported in its order too."""
    answers = iter(done)
    for row in chunk:
        if isinstance(row, Bad):
            counting.reject(row)
        else:
            counting.answered(row, next(answers))
    counting.line(chunk[-1].record.line)
