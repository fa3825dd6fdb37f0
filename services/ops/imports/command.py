"""`leadline import` at a terminal: plan, progress, what became of the rows, the exit status.

Exit status 0: everything is in; 1: some rows did not go in (named, and kept in the file of rejected rows); 2: nothing could be
done, or not to the end: the same command with `--resume` goes on.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services.ops.place import OpsError, Place
from services.ops.progress import shown
from services.ops.terminal import console, plain

if TYPE_CHECKING:
    from services.database import Pool
    from services.ops.imports.run import Plan, Summary

ALL_IN, SOME_REJECTED = 0, 1
SUFFIXES = (".rejected", ".csv", ".tsv", ".txt", ".gz")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed."""

    file: Path
    pipeline: str
    mapping: Path | None = None
    source: str | None = None
    rejected: Path | None = None
    dry_run: bool = False
    resume: bool = False


async def import_file(place: Place, asked: Asked) -> int:
    """Import, print, and return the exit status. Raises OpsError when nothing could be done, or not to the end."""
    from services.leads.batch import WorkFailedError
    from services.leads.batcher import AwayError
    from services.ops.connect import clock_of_system, ops_pool
    from services.ops.imports.mapping import MappingError
    from services.ops.imports.run import import_rows, rehearse_rows
    from services.ops.imports.table import TableError

    settings = place.settings()
    try:
        settings.master_key_bytes, settings.pepper_bytes  # noqa: B018  # both are needed, and say so when missing
    except ValueError as error:
        raise OpsError(str(error)) from None
    try:
        async with ops_pool(settings) as pool:
            plan, clock = await _plan(pool, asked), await clock_of_system(settings, pool)
            rejected = asked.rejected or asked.file.with_name(asked.file.name + ".rejected.csv")
            began = time.monotonic()
            with shown(sys.stderr.isatty(), rate=True) as progress:
                if asked.dry_run:
                    summary = await rehearse_rows(settings, pool, clock, plan, progress=progress)
                else:
                    summary = await import_rows(
                        settings, pool, clock, plan, rejected, resume=asked.resume, progress=progress
                    )
    except (MappingError, TableError) as error:
        raise OpsError(str(error)) from None
    except WorkFailedError as error:
        raise OpsError(f"a row cannot be rehearsed ({type(error.__cause__).__name__})") from error
    except AwayError as error:
        raise OpsError(f"{error}; what is written stays. Go on with the same command and --resume") from None
    _print(plan, summary, None if asked.dry_run else rejected, time.monotonic() - began)
    return SOME_REJECTED if summary.bad or summary.refused else ALL_IN


async def _plan(pool: Pool, asked: Asked) -> Plan:
    from pydantic import TypeAdapter, ValidationError

    from services.ops.imports.mapping import Mapping, SourceName, read_mapping
    from services.ops.imports.run import Plan
    from services.ops.imports.table import Table
    from services.pipelines.registry import NoSuchPipelineError, current

    mapping = Mapping()
    if asked.mapping is not None:
        try:
            mapping = read_mapping(asked.mapping.read_text(encoding="utf-8"), str(asked.mapping))
        except (OSError, UnicodeError) as error:
            raise OpsError(f"the mapping {asked.mapping} cannot be read: {error}") from None
    try:
        async with pool.acquire() as connection:
            pipeline, _ = await current(connection, asked.pipeline)
    except NoSuchPipelineError as error:
        raise OpsError(str(error)) from None
    source = asked.source or mapping.source or _stem(asked.file)
    try:
        TypeAdapter(SourceName).validate_python(source)
    except ValidationError:
        raise OpsError(
            f"{source!r} cannot name a source: Latin letters, digits, . _ - (at most 60); name one with --source"
        ) from None
    table = Table(asked.file, mapping.encoding, mapping.delimiter)
    return Plan(table, mapping, pipeline, source, table.measure())


def _stem(file: Path) -> str:
    """The file's name without what only tells its form: a file of rejected rows is of the same source as its first file."""
    name = file.name
    while suffix := next((s for s in SUFFIXES if name.endswith(s) and name != s), None):
        name = name.removesuffix(suffix)
    return name


def _print(plan: Plan, summary: Summary, rejected: Path | None, seconds: float) -> None:
    out, would = console(), "would be " if rejected is None else ""
    out.print(f"{plan.table.path.name} → {plan.pipeline.pipeline}, source {plan.source}")
    parts = {
        f"{would}imported": summary.done,
        "were repeats": summary.repeats,
        "had been taken before": summary.skipped,
        "passed over by the mapping": summary.passed,
        f"{would}refused by a rule": summary.refused,
        "could not be read": summary.bad,
    }
    told = "; ".join(f"{count:,} {words}" for words, count in parts.items() if count)
    out.print(f"{summary.rows:,} rows: {told or 'none'}")
    out.print(f"{summary.leads:,} new leads; {seconds:.1f} s, {summary.rows / max(seconds, 0.001):,.0f} rows/s")
    if (
        rejected is not None
        and summary.leads
        and any(stage.robots or stage.deadlines or stage.kind == "postponed" for stage in plan.pipeline.stages)
    ):
        out.print(
            "an import starts no robots and deadlines, nor brings paused leads back on their date. To see what they would do, "
            "and start them: "
            f"leadline robots start {plan.pipeline.pipeline} --source imported"
        )
    if summary.unreadable:
        out.print(f"{summary.unreadable:,} rows with a phone or e-mail that cannot be read: kept as text, finds nobody")
    if not summary.examples:
        return
    for reason, count in sorted(summary.by_reason.items(), key=lambda pair: -pair[1]):
        out.print(f"  {count:>7,}  {plain(reason)}")
    for bad in summary.examples:
        where = f"line {bad.record.line}" + (f", column {plain(bad.column)}" if bad.column else "")
        rule = f" [{bad.rule}]" if bad.rule else ""
        out.print(f"  {where}: {plain(bad.why)}{rule} → {plain(bad.way_out)}")
    more = summary.bad + summary.refused - len(summary.examples)
    if more > 0:
        out.print(f"  and {more:,} more")
    if rejected is not None:
        out.print(f"they are kept in {rejected}: correct them there and import that file")
