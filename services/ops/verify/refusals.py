"""Refusals: each refused command's public record is kept, and on `leads.refusals` byte for byte (K2, M5).

A refused command's record is in the outbox, then in `leadline.refusals` (what was published). Invariants: every kept record is
on its topic with the same bytes and key; one in the outbox may be there already; the stored answer and the record say the same.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson

from contracts.topics import LEADS_REFUSALS
from services.database import Database
from services.ops.verify import store
from services.ops.verify.log_end import LogEnds, LogReader
from services.ops.verify.report import Report
from services.ops.verify.spool import Spool

TOPIC = LEADS_REFUSALS.name
PRINT = 16
KEPT = struct.Struct(f">16s{PRINT}s?")


def _print(key: bytes, value: bytes) -> bytes:
    return blake2b(b"%d." % len(key) + key + value, digest_size=PRINT).digest()


def keep_unsent(spool: Spool, key: str, command: UUID, value: bytes, ends: LogEnds) -> None:
    """Note a record that is still in the outbox."""
    _keep(spool, key, command, value, ends, published=False)


def _keep(spool: Spool, key: str, command: UUID, value: bytes, ends: LogEnds, *, published: bool) -> None:
    bucket = ("refusal", ends.partition_of(TOPIC, key.encode()))
    spool.add(bucket, KEPT.pack(command.bytes, _print(key.encode(), value), published))


async def check_answers(database: Database, spool: Spool, ends: LogEnds, report: Report) -> None:
    """Every refused command has its record; notes the published ones for the pass over the topic."""
    async for page in store.published_refusals(database):
        for command, key, value in page:
            _keep(spool, key, command, value, ends, published=True)
    async for answers in store.refused_commands(database):
        report.counts["refusals"] += len(answers)
        for command, refusal, record in answers:
            if record is None:
                text = "refused, but its record is neither published nor in the outbox"
                report.differ("refusals", "missing", str(command), text)
            elif _refusal_in(record) != orjson.loads(refusal):
                report.differ(
                    "refusals", "altered", str(command), "the stored answer and the record say different things"
                )


def _refusal_in(value: bytes) -> Any:
    try:
        return orjson.loads(value)["refusal"]
    except (ValueError, KeyError, TypeError):
        return None


async def check_partition(
    partition: int, spool: Spool, reader: LogReader, ends: LogEnds, later: Database, report: Report
) -> None:
    """One partition of the topic against what is kept. `later`: the second read."""
    kept: dict[bytes, tuple[bytes, bool]] = {}
    for command, print_, published in KEPT.iter_unpack(spool.take(("refusal", partition))):
        kept[command] = (print_, published)
    found: set[bytes] = set()
    beyond: dict[UUID, tuple[bytes, str]] = {}
    begin, end = ends.spans.get(TOPIC, {}).get(partition, (0, 0))
    async for records in reader.read(TOPIC, partition, begin, end):
        for record in records:
            place = f"{TOPIC}[{partition}]@{record.offset}"
            try:
                command_id = UUID(orjson.loads(record.value)["command"])
            except (ValueError, KeyError, TypeError, AttributeError):
                report.differ("refusals", "unexpected", place, "this record is no refusal of ours")
                continue
            have, want = _print(record.key or b"", record.value), kept.get(command_id.bytes)
            if want is None:
                beyond[command_id] = (have, place)
            elif want[0] != have:
                report.differ("refusals", "altered", str(command_id), f"at {place} it differs from what was published")
            elif command_id.bytes in found:
                report.counts["repeats"] += 1
            found.add(command_id.bytes)
    for command, (_, published) in kept.items():
        if published and command not in found:
            text = "published, but it is not on the topic"
            report.differ("refusals", "missing", str(UUID(bytes=command)), text)
            report.lost[TOPIC] += 1
    there = await store.refusals_named(later, list(beyond)) if beyond else {}
    for command_id, (have, place) in beyond.items():
        row = there.get(command_id)
        if row is None:
            report.differ("refusals", "unexpected", str(command_id), f"at {place}, but nothing of it is in the store")
        elif _print(row[0].encode(), row[1]) != have:
            report.differ("refusals", "altered", str(command_id), f"at {place} it differs from the store")
