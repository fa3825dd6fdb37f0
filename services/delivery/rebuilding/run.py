"""The ledger of effects made anew from the event store, compared with the live rows, put right where they differ (M8, N1).

Nothing is sent by it, and nothing becomes due that was not (`services.delivery.rebuilding.domain`). The events are read as far as
the ledger's consumer has read each stream (`docs/decisions/0006`), so that rows can be compared in any snapshot, the live service
going on. Rows that differ are put right some at a time, under their locks: a call under way finds its row as after any event.
What becomes answered by it is reported in the same transaction, as every outcome is. Killed at any step it leaves each effect as
it was or right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final
from uuid import UUID

from services.clock import Clock
from services.database import Database, Pool
from services.delivery import store as ledger
from services.delivery.domain import LOST, Effect
from services.delivery.handlers import BUILD, CONSUMER
from services.delivery.reading import TYPES, Said, read
from services.delivery.rebuilding import store
from services.delivery.rebuilding.domain import ReportRefused, as_it_must_be, differing, folded
from services.delivery.rebuilding.store import Row
from services.delivery.reports import send_reports
from services.eventlog.consuming.reread import store as reread
from services.eventlog.consuming.reread.store import ReadEvent
from services.eventlog.mapper import MalformedError, peek
from services.eventlog.recording import store as recording

RANGE_EVENTS: Final = 50_000
EFFECTS_AT_ONCE: Final = 200
"""Put right while whoever works on one of them waits: some milliseconds."""
NAMED: Final = 20
ROUNDS: Final = 5
LOCK: Final = recording.lock_number(hashlib.sha256(b"rebuild:effects").digest())
"""Two rebuilds put right one after the other."""

Progress = Callable[[str, int, int | None], None]


@dataclass(slots=True)
class Found:
    """What the events say, against the rows there are."""

    events: int = 0
    effects: int = 0
    rows: int = 0
    differing: dict[UUID, UUID] = field(default_factory=dict)
    """By effect: the stream whose events say what it is."""
    lost: int = 0
    """Of these: open, and the ledger knows nothing of it."""
    named: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether every row is as the events say."""
        return not self.differing

    def as_object(self) -> dict[str, Any]:
        """For programs."""
        return {
            "equal": self.equal,
            "events": self.events,
            "rows": {"live": self.rows, "new": self.effects},
            "effects_differing": len(self.differing),
            "lost": self.lost,
            "named": self.named,
        }


class EffectsDifferError(Exception):
    """The rows are not what the events say, and nobody said to put them right."""

    def __init__(self, found: Found) -> None:
        super().__init__(f"{len(found.differing)} effects differ")
        self.found = found


@dataclass(slots=True)
class Events:
    """What events of some streams say. `unread`: where those stand that the ledger's consumer has not read."""

    said: dict[UUID, Effect]
    unread: set[tuple[UUID, int]]


async def rebuild(
    pool: Pool,
    clock: Clock,
    with_address: Collection[str],
    *,
    accept: bool,
    progress: Progress = lambda *_: None,
    range_events: int = RANGE_EVENTS,
) -> Found:
    """Compare, and with `accept` put right; what was found first. `with_address`: names of our people that have an e-mail
    address. Raises EffectsDifferError without `accept`."""
    now = await clock.now()
    first = found = await _compare(pool, now, with_address, progress, range_events)
    if not found.equal and not accept:
        raise EffectsDifferError(found)
    for _ in range(ROUNDS):
        if found.equal:
            return first
        await _put_right(pool, now, with_address, found.differing, progress)
        found = await _compare(pool, now, with_address, progress, range_events)
    raise EffectsDifferError(found)


async def _compare(
    pool: Pool, now: datetime, with_address: Collection[str], progress: Progress, range_events: int
) -> Found:
    """All in one snapshot."""
    found = Found()
    async with pool.acquire() as database, database.transaction(isolation="repeatable_read", readonly=True):
        async for begin, end in reread.ranges(database, range_events):
            events = await reread.events_between(database, CONSUMER, BUILD, begin, end, TYPES)
            rows = await store.rows_between(database, begin, end)
            says = _read(events, with_address)
            refused = await store.refused(database, [effect.report for effect in says.said.values()])
            found.events, found.rows = found.events + len(events), found.rows + len(rows)
            found.effects += len(says.said)
            for effect in says.said.keys() | rows.keys():
                _differ(found, effect, says, rows.get(effect), refused, now)
            progress("effects", found.effects, None)
    return found


def _read(events: Iterable[ReadEvent], with_address: Collection[str]) -> Events:
    said: list[Said] = []
    unread: set[tuple[UUID, int]] = set()
    for event in events:
        if not event.read:
            unread.add((event.stream, event.version))
            continue
        with suppress(
            MalformedError, KeyError, TypeError, ValueError
        ):  # the live service has parked it, and has not read it either
            said.append(read(event.type, event.stream, event.version, peek(event.state)))
    return Events(folded(said, with_address), unread)


def _must(
    effect: UUID, says: Events, row: Effect | None, refused: dict[UUID, ReportRefused], now: datetime
) -> Effect | None:
    """The row that must stand, which is the one there is where nothing can be said against it."""
    said = says.said.get(effect)
    if row is not None and any((row.stream, at) in says.unread for at in (row.version, row.repeated_version)):
        return row  # its consumer has begun anew, and is not there yet
    return as_it_must_be(said, row, None if said is None else refused.get(said.report), now)


def _differ(
    found: Found, effect: UUID, says: Events, row: Row | None, refused: dict[UUID, ReportRefused], now: datetime
) -> None:
    have = None if row is None else row.effect
    must = _must(effect, says, have, refused, now)
    untold = row is not None and not row.told
    if must is None or (must == have and not untold):
        return
    said = says.said.get(effect)
    if (
        said is not None or effect not in found.differing
    ):  # a row under another stream is put right by that of its events
        found.differing[effect] = must.stream
    found.lost += must.last_reason == LOST and (have is None or have.last_reason != LOST)
    if len(found.named) < NAMED:
        found.named.append(f"{must.stream}: {must.effect_kind} {effect}: {_how(said, have, must)}")


def _how(said: Effect | None, have: Effect | None, must: Effect) -> str:
    if said is None:
        return "the ledger has it, and no event of the stream requested it"
    says = "open" if said.state == "waiting" else said.state
    if have is None:
        return f"the ledger does not have it; the events say {says}"
    if have.state != must.state:
        return f"{have.state} in the ledger; the events say {says}"
    return f"differs in {', '.join(names)}" if (names := differing(must, have)) else "its report was never sent"


async def _put_right(
    pool: Pool, now: datetime, with_address: Collection[str], effects: dict[UUID, UUID], progress: Progress
) -> None:
    left, done = iter(sorted(effects)), 0
    while some := list(islice(left, EFFECTS_AT_ONCE)):
        async with pool.acquire() as database, database.transaction():
            await recording.lock(database, {LOCK})
            await _put_right_some(database, now, with_address, {effect: effects[effect] for effect in some})
        done += len(some)
        progress("effects put right", done, len(effects))


async def _put_right_some(
    database: Database, now: datetime, with_address: Collection[str], effects: dict[UUID, UUID]
) -> None:
    """First the rows are locked, then the events read: no event of theirs is taken meanwhile."""
    rows = await ledger.hold(database, effects)
    streams = {*effects.values(), *(row.stream for row in rows.values())}
    says = _read(await reread.events_of(database, CONSUMER, BUILD, streams, TYPES), with_address)
    reports = [said.report for effect in effects if (said := says.said.get(effect)) is not None]
    refused = await store.refused(database, reports)
    must = {effect: _must(effect, says, rows.get(effect), refused, now) for effect in effects}
    changed = [row for effect, row in must.items() if row is not None and row != rows.get(effect)]
    await ledger.save(database, changed)
    answered = [row for row in must.values() if row is not None and row.state == "answered"]
    told = {row.report for row in rows.values() if row.state == "answered"}
    untold = await store.never_told(database, [row.effect for row in answered])
    await send_reports(database, [row for row in answered if row.report not in told or row.effect in untold])
