"""Outward effects: the ledger of the delivery service against the events that requested and closed them (N1, N7, decision 9).

A fold of its own, on plain values. Invariants: an effect is requested once, and done once in each of its rounds; the ledger, as
far as its consumer has read the stream, has every effect that is open, in the round and at the place that the events say, and
closed exactly where an event (or a report refused for good) closed it. What no event requested is there only closed (`leadline
rebuild effects`). Effects in doubt are no difference; they are noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.database import Database
from services.delivery.domain import OPEN
from services.delivery.handlers import BUILD, CONSUMER
from services.delivery.telling.store import Row, ledger_between
from services.ops.verify import store
from services.ops.verify.opened import Opened
from services.ops.verify.report import Report

NAMES = {f"{of}_{what}": what for of in ("effect", "notice") for what in ("requested", "repeated", "done", "failed")}
"""Types by their last word, notices of journals among them: what each says."""


@dataclass(slots=True)
class Known:
    """What the events say of an effect. `state`: open, done or failed."""

    version: int
    round: int = 0
    state: str = "open"


async def check_effects(
    database: Database, begin: UUID, end: UUID, streams: Sequence[tuple[UUID, Sequence[Opened]]], report: Report
) -> int:
    """The effects of a range of leads, deals and journals; how many of them are in doubt."""
    ledger = await ledger_between(database, begin, end)
    report.counts["effects"] += len(ledger)
    seen = {
        row.stream: row.version
        for row in await store.seen_between(database, begin, end)
        if (row.consumer, row.build) == (CONSUMER, BUILD)
    }
    doubtful = sum(row.in_doubt for row in ledger.values())
    for stream, opened in streams:
        known = _fold(stream, opened, seen.get(stream, 0), report)
        for effect, said in known.items():
            row = ledger.pop(effect, None)
            if row is None:
                if said.state == "open":
                    text = "it was requested and is open, and the delivery service does not know of it"
                    report.differ("effects", "missing", str(effect), text)
            elif difference := _difference(stream, said, row):
                report.differ("effects", "differs", str(effect), difference)
    for effect in (effect for effect, row in ledger.items() if not row.unasked):
        report.differ(
            "effects", "unexpected", str(effect), "the delivery service has an effect that no event requested"
        )
    return doubtful


def _fold(stream: UUID, opened: Sequence[Opened], seen: int, report: Report) -> dict[UUID, Known]:
    """The effects as they are after the version that the ledger has seen; all events are held against each other."""
    every: dict[UUID, Known] = {}
    then: dict[UUID, Known] = {}
    for event in opened:
        what = NAMES.get(event.type.rpartition(".")[2])
        if what is None:
            continue
        effect, about = UUID(event.data["effect"]), f"{stream}-{event.version}"
        known = every.get(effect)
        if what == "requested":
            if known is not None:
                report.differ("effects", "repeated", about, "an effect that was requested before is requested again")
            every[effect] = known = Known(event.version)
        elif known is None:
            report.differ("effects", "unexpected", about, "of an effect that nobody requested on this stream")
            continue
        elif what == "repeated":
            if known.state == "open":
                report.differ("effects", "repeated", about, "an effect that is open is opened again")
            known.round, known.state = known.round + 1, "open"
        else:
            # done after failed: the client's refusal came while the letter was on its way
            if known.state not in ("open", "failed") or known.state == what:
                report.differ("effects", "repeated", about, "an effect that is closed is closed once more")
            known.state = what
        if event.version <= seen:
            then[effect] = Known(known.version, known.round, known.state)
    return then


def _difference(stream: UUID, said: Known, row: Row) -> str | None:
    if (row.stream, row.version, row.round) != (stream, said.version, said.round):
        have = f"{row.stream}-{row.version}, round {row.round}"
        return f"the ledger has it as requested by {have}; the events say {stream}-{said.version}, round {said.round}"
    fits = row.state == said.state
    if said.state == "open":
        fits = row.state in OPEN or (row.state == "closed" and row.refused)
    elif said.state == "failed":  # or it was done all the same, and its report is on its way
        fits = row.state in ("failed", "answered") or (row.state == "closed" and row.refused)
    if fits:
        return None
    return f"it is {row.state} in the ledger, the events say {said.state}"
