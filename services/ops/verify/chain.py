"""The digest chain of a stream, recomputed: an altered, missing or inserted event is found and named (M6).

Pure. Invariants: one altered event is named alone: the check of the next one goes on from the digest stored with it. What the
end of a chain cannot tell (the last events cut off) the topics and the consumers' positions tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from contracts.meta import GENESIS, digest_of
from contracts.topics import EVENTS_TOPIC_OF_KIND
from services.eventlog.mapper import MalformedError, peek
from services.ops.verify.report import Report
from services.ops.verify.store import EventRow


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as stored, with its record as plain JSON; None where the bytes are none."""

    row: EventRow
    record: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream in the order of its versions."""

    id: UUID
    kind: str
    entries: list[Entry]

    @property
    def version(self) -> int:
        """The last version there is."""
        return self.entries[-1].row.version

    def digest_at(self, version: int) -> bytes | None:
        """The digest stored with a version; None where there is no such event."""
        if version <= len(self.entries) and self.entries[version - 1].row.version == version:
            return self.entries[version - 1].row.digest
        return next((entry.row.digest for entry in self.entries if entry.row.version == version), None)


def streams_of(rows: list[EventRow], report: Report) -> Iterator[Stream]:
    """The streams of a range, each checked."""
    for stream, group in groupby(rows, key=attrgetter("stream")):
        entries = [Entry(row, _peek(row, report)) for row in group]
        found = Stream(stream, entries[0].row.kind, entries)
        check(found, report)
        yield found


def check(stream: Stream, report: Report) -> None:
    """Digests, versions and envelopes of a stream."""
    report.counts["streams"] += 1
    report.counts["events"] += len(stream.entries)
    expected, predecessor = 1, GENESIS
    for entry in stream.entries:
        row = entry.row
        if row.version != expected:
            gone = (
                f"{stream.id}-{expected}"
                if row.version == expected + 1
                else f"{stream.id}-{expected}..{row.version - 1}"
            )
            report.differ("store", "missing", gone, f"a gap in the stream before version {row.version}")
        elif digest_of(predecessor, row.state) != row.digest:
            report.differ(
                "store", "altered", f"{stream.id}-{row.version}", "the digest is not that of these bytes here"
            )
        if entry.record is not None:
            _check_columns(row, entry.record["meta"], report)
        expected, predecessor = row.version + 1, row.digest


def _peek(row: EventRow, report: Report) -> dict[str, Any] | None:
    try:
        return peek(row.state)
    except MalformedError as error:
        report.differ("store", "altered", f"{row.stream}-{row.version}", f"the bytes are no event: {error}")
        return None


def _check_columns(row: EventRow, meta: dict[str, Any], report: Report) -> None:
    said = {
        "originator_id": (meta.get("stream"), str(row.stream)),
        "originator_version": (meta.get("version"), row.version),
        "topic": (meta.get("type"), row.type),
        "kind": (meta.get("kind"), row.kind),
        "recorded_at": (_moment(meta.get("recorded_at")), row.recorded_at),
    }
    for column, (bytes_say, column_says) in said.items():
        if bytes_say != column_says:
            about = f"{row.stream}-{row.version}"
            report.differ("store", "altered", about, f"column {column} says {column_says}, the bytes say {bytes_say}")
    if row.kind not in EVENTS_TOPIC_OF_KIND:
        report.differ("store", "unexpected", f"{row.stream}-{row.version}", f"no aggregate is of the kind {row.kind!r}")


def _moment(text: Any) -> Any:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return text
