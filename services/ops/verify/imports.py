"""Rows of imports against the events they led to, both ways: none lost, none taken twice (G-14).

Invariants: a row that is done has made exactly the events of its lead from its first to its last version, a refused one none; an
event of a lead by an import is of a row that is done.
"""

from __future__ import annotations

import struct
from uuid import UUID

from services.database import Database
from services.ops.verify import store
from services.ops.verify.chain import Entry
from services.ops.verify.report import Report
from services.ops.verify.spool import Spool

MADE = struct.Struct(">16s16sq")
ROW = struct.Struct(">16s16sqq")
BUCKETS = 64


def keep_made(spool: Spool, entry: Entry) -> None:
    """Note that a row of an import made an event of a lead."""
    if entry.record is None or entry.row.kind != "lead" or entry.record["meta"]["actor"].get("kind") != "import":
        return
    row = UUID(entry.record["meta"]["command"]).bytes
    spool.add(("made", row[-1] % BUCKETS), MADE.pack(row, entry.row.stream.bytes, entry.row.version))


async def check_rows(database: Database, spool: Spool, report: Report) -> None:
    """All rows against the events noted."""
    async for page in store.import_rows(database):
        report.counts["imported rows"] += len(page)
        for row, lead, first, last in page:
            spool.add(("row", row.bytes[-1] % BUCKETS), ROW.pack(row.bytes, lead.bytes, first or 0, last or 0))
    for bucket in range(BUCKETS):
        _compare_bucket(spool, bucket, report)


def _compare_bucket(spool: Spool, bucket: int, report: Report) -> None:
    made: dict[bytes, list[tuple[bytes, int]]] = {}
    for row, lead, version in MADE.iter_unpack(spool.take(("made", bucket))):
        made.setdefault(row, []).append((lead, version))
    for row, lead, first, last in ROW.iter_unpack(spool.take(("row", bucket))):
        have = sorted(made.pop(row, []))
        want = [(lead, version) for version in range(first, last + 1)] if first else []
        if have != want:
            text = f"the row of lead {UUID(bytes=lead)} says {_said(want)}, the events say {_said(have)}"
            report.differ("import", "differs" if have else "missing", str(UUID(bytes=row)), text)
    for row, events in made.items():
        text = f"{_said(sorted(events))} of lead {UUID(bytes=events[0][0])} by a row of an import that is not kept"
        report.differ("import", "unexpected", str(UUID(bytes=row)), text)


def _said(events: list[tuple[bytes, int]]) -> str:
    return f"versions {', '.join(str(version) for _, version in events[:20])}" if events else "no event"
