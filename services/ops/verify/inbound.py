"""Nothing received is lost, nothing is taken twice: messages, their outcomes, the events they led to (N18).

Invariants: a message without an outcome is in the outbox, or on the topic where the aggregate service has not read yet; an
accepted message is in the first event of the lead its outcome names, a joined one in exactly one event of it, or in none if it
said nothing new; a quarantined one, and one that became no lead, in none.
"""

from __future__ import annotations

import struct
from typing import Any
from uuid import UUID

import orjson

from contracts.topics import LEADS_INBOUND
from services.database import Database
from services.ops.verify import store
from services.ops.verify.chain import Entry
from services.ops.verify.log_end import LogEnds, LogReader
from services.ops.verify.report import Report
from services.ops.verify.spool import Spool

TAKEN = struct.Struct(">16s16sc")
BUCKETS = 64
EVENT_KINDS = {
    "leadline.lead.captured": b"a",
    "leadline.lead.inbound_joined": b"j",
    "leadline.lead.call_recorded": b"j",
    "leadline.lead.call_updated": b"j",
    "leadline.lead.letter_received": b"j",
    "leadline.lead.automatic_mail_received": b"j",
    "leadline.lead.visit_recorded": b"j",
}
OUTCOME_KINDS = {"accepted": b"a", "joined": b"j", "quarantined": b"q", "no_lead": b"n"}
IN_WORDS = {
    b"a": "accepted",
    b"j": "joined",
    b"q": "quarantined",
    b"n": "no lead",
    b"b": "accepted",
    b"r": "joined, nothing new",
}
BOTH = b"b"
"""The lead that a message made, and beside it what happened on the channel: one taking in."""
SAID_NOTHING_NEW = frozenset({"same_call", "same_letter"})


def keep_taken(spool: Spool, entry: Entry) -> None:
    """Note that an event took a message in."""
    kind = EVENT_KINDS.get(entry.row.type)
    inbound = entry.record["data"].get("inbound_id") if kind and entry.record else None
    if kind and inbound:
        taken = UUID(inbound).bytes
        spool.add(("taken", taken[-1] % BUCKETS), TAKEN.pack(taken, entry.row.stream.bytes, kind))


async def check_outcomes(database: Database, spool: Spool, report: Report) -> None:
    """Outcomes against the events that took the messages in, both ways."""
    async for page in store.outcomes(database):
        for inbound, outcome, reason, lead, received in page:
            report.counts[outcome] += 1
            stream = lead.bytes if lead else bytes(16)
            kind = b"r" if outcome == "joined" and reason in SAID_NOTHING_NEW else OUTCOME_KINDS[outcome]
            spool.add(("outcome", inbound.bytes[-1] % BUCKETS), TAKEN.pack(inbound.bytes, stream, kind))
            if not received:
                report.differ(
                    "inbound", "missing", str(inbound), "it has an outcome, but the message itself is not kept"
                )
    for bucket in range(BUCKETS):
        _compare_bucket(spool, bucket, report)


def _compare_bucket(spool: Spool, bucket: int, report: Report) -> None:
    taken: dict[bytes, tuple[bytes, bytes]] = {}
    for inbound, stream, kind in TAKEN.iter_unpack(spool.take(("taken", bucket))):
        known = taken.get(inbound)
        if known is not None and known[0] == stream and {known[1], kind} == {b"a", b"j"}:
            kind = BOTH
        elif known is not None:
            one, other = UUID(bytes=known[0]), UUID(bytes=stream)
            report.differ("inbound", "repeated", str(UUID(bytes=inbound)), f"taken in twice: by {one} and by {other}")
        taken[inbound] = (stream, kind)
    for inbound, stream, kind in TAKEN.iter_unpack(spool.take(("outcome", bucket))):
        found = taken.pop(inbound, None)
        name, said = str(UUID(bytes=inbound)), IN_WORDS[kind]
        if kind in (b"q", b"n", b"r"):
            if found is not None:
                report.differ("inbound", "differs", name, f"{said}, but lead {UUID(bytes=found[0])} has taken it in")
        elif found is None:
            report.differ(
                "inbound", "missing", name, f"{said}, but no event of lead {UUID(bytes=stream)} has taken it in"
            )
        elif found not in ((stream, kind), (stream, BOTH if kind == b"a" else kind)):
            text = f"{said} by lead {UUID(bytes=stream)}, but the events say {IN_WORDS[found[1]]} by {UUID(bytes=found[0])}"
            report.differ("inbound", "differs", name, text)
    for inbound, (stream, _) in taken.items():
        text = f"lead {UUID(bytes=stream)} has taken it in, but it has no outcome"
        report.differ("inbound", "missing", str(UUID(bytes=inbound)), text)


async def check_waiting(
    database: Database, unsent: set[tuple[UUID, int]], reader: LogReader, ends: LogEnds, report: Report
) -> None:
    """Messages without an outcome: in the outbox (`unsent`), or on the topic beyond the aggregate service's position."""
    waiting: set[tuple[UUID, int]] = set()
    async for page in store.without_outcome(database):
        waiting.update(page)
    report.counts["waiting"] += len(waiting)
    waiting -= unsent
    if not waiting:
        return
    read_to = await store.positions(database, LEADS_INBOUND.name)
    for partition, (begin, end) in ends.spans.get(LEADS_INBOUND.name, {}).items():
        start = max(begin, read_to.get(partition, begin))
        async for records in reader.read(LEADS_INBOUND.name, partition, start, end):
            for record in records:
                waiting.discard(_reference(record))
    for inbound, attempt in sorted(waiting):
        text = f"attempt {attempt} has no outcome, and stands neither in the outbox nor on the topic where it is still to be read"
        report.differ("inbound", "missing", str(inbound), text)
        report.lost[LEADS_INBOUND.name] += 1


def _reference(record: Any) -> tuple[UUID, int]:
    try:
        told = orjson.loads(record.value)
        return UUID(told["inbound_id"]), int(told.get("attempt", 1))
    except (ValueError, KeyError, TypeError, AttributeError):
        return UUID(int=0), 0  # an adapter's own message, or a foreign one: it stands for itself
