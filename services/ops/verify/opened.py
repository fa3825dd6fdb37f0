"""Events of a range of streams, opened: the plain fields and the personal ones, as JSON values, for the folds here.

Invariants: personal fields of a destroyed key are `None` and the event says `sealed_shut`; a sealed value that does not open
although its key is there is a difference; values of older event versions are brought to this release's by the contracts'
upcasts, as readers do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.events import EVENT_TYPES
from contracts.personal import Erased
from services.database import Database
from services.eventlog.mapper import keys_of
from services.ops.verify.chain import Entry, Stream
from services.ops.verify.report import Report
from services.privacy.cipher import TamperedError, key_id_of, open_sealed
from services.privacy.store import KeyRing


@dataclass(frozen=True, slots=True)
class Opened:
    """An event with its fields open. `sealed_shut`: its personal fields were erased and are absent."""

    type: str
    version: int
    meta: dict[str, Any]
    data: dict[str, Any]
    personal: dict[str, Any]
    sealed_shut: bool

    @property
    def happened_at(self) -> datetime:
        """When it happened."""
        return datetime.fromisoformat(self.meta["happened_at"])

    @property
    def recorded_at(self) -> datetime:
        """When it was recorded."""
        return datetime.fromisoformat(self.meta["recorded_at"])


async def load_keys(database: Database, ring: KeyRing, streams: Sequence[Stream], report: Report) -> None:
    """Have the keys of these streams' personal fields in memory."""
    records = [entry.record for stream in streams for entry in stream.entries if entry.record is not None]
    ids: set[UUID] = set()
    for record in records:
        try:
            ids |= keys_of([record])
        except TamperedError:
            continue  # named when the event is opened
    try:
        await ring.load(database, ids)
    except TamperedError:
        # one key that does not unwrap must not hide the others
        for key_id in ids:
            try:
                await ring.load(database, [key_id])
            except TamperedError as error:
                report.differ("keys", "altered", str(key_id), str(error))
                ring.forget([key_id])


def open_stream(stream: Stream, ring: KeyRing, report: Report) -> list[Opened]:
    """The stream's events that can be read, in order."""
    return [
        opened
        for entry in stream.entries
        if entry.record is not None and (opened := _open(entry, entry.record, ring, report)) is not None
    ]


def _open(entry: Entry, record: dict[str, Any], ring: KeyRing, report: Report) -> Opened | None:
    about = f"{entry.row.stream}-{entry.row.version}"
    meta, data = record["meta"], dict(record["data"])
    cls = EVENT_TYPES.get(entry.row.type)
    if cls is None:
        report.differ("store", "unexpected", about, f"this release does not know the event type {entry.row.type}")
        return None
    for version in range(int(meta.get("schema_version", 1)), cls.class_version):
        getattr(cls, f"upcast_v{version}_v{version + 1}")(data)
    sealed, personal = record.get("personal"), None
    if sealed:
        try:
            personal = open_sealed(ring.key(key_id_of(sealed)), f"{about}/personal", sealed)
        except (TamperedError, KeyError) as error:
            report.differ("store", "altered", about, f"its personal fields do not open: {error}")
            return None
    shut = isinstance(personal, Erased)
    opened = {} if shut or personal is None else personal
    return Opened(entry.row.type, entry.row.version, meta, data, opened, shut)
