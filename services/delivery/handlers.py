"""From events to the ledger: what was requested, repeated, done, failed; and reports that were refused for good (decision 9).

Invariants: the input's position and the rows of the ledger are written in one transaction, so each event counts once, however
often it comes; streams are followed by their digest chain, what does not fit is parked. Nothing is carried out here. A type
that this release does not know stops the consumer with a notice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
from prometheus_client import Counter

from contracts.commands import RefusalRecorded
from contracts.topics import DEALS_EVENTS, INCIDENTS_EVENTS, LEADS_EVENTS, LEADS_REFUSALS
from services.clock import Clock
from services.database import Database, Pool
from services.delivery import domain, store
from services.delivery.domain import Effect, NotOursError
from services.delivery.reading import TYPES, after, read
from services.delivery.reports import DELIVERY
from services.eventlog.consuming import Batch, PositionMove, RawRecord, move_positions
from services.eventlog.consuming import store as consuming
from services.eventlog.consuming.parked import store as parking
from services.eventlog.consuming.parked.store import Parked
from services.eventlog.consuming.streams import Arrived, Streams
from services.eventlog.mapper import UnknownTypeError

CONSUMER: Final = "delivery"
BUILD: Final = 1
TOPICS: Final = (LEADS_EVENTS, DEALS_EVENTS, INCIDENTS_EVENTS, LEADS_REFUSALS)
RELEASED_AT_ONCE: Final = 20  # streams tried again in one transaction

TAKEN = Counter("leadline_delivery_events", "Events of effects read into the ledger, by type.", ["type"])


class Ledger:
    """Reads batches into the ledger. `changed` is called after a commit that made something due. `with_address`: names of
    our people that have an e-mail address."""

    def __init__(self, pool: Pool, clock: Clock, with_address: frozenset[str], changed: Callable[[], None]) -> None:
        self._pool, self._clock = pool, clock
        self._with_address = with_address
        self._changed = changed

    async def handle(self, batch: Batch) -> None:
        """Take a batch. Raises as `services.eventlog.consuming` wants it."""
        if await Streams(CONSUMER, BUILD, TYPES).pass_over(self._pool, batch):
            return
        refusals = [record for record in batch.records if record.topic == LEADS_REFUSALS.name]
        events = [record for record in batch.records if record.topic != LEADS_REFUSALS.name]

        async def entries(_: Database) -> Sequence[RawRecord | Parked]:
            return events

        await self._transact(batch.moves, entries, refusals)

    async def release(self, proofs: Sequence[PositionMove]) -> None:
        """Try the parked records again whose release was asked for, of the partitions held."""
        async with self._pool.acquire() as connection:
            asked = await parking.released_partitions(connection, CONSUMER, BUILD)
        if mine := [proof for proof in proofs if proof.slot in asked]:

            async def entries(database: Database) -> Sequence[RawRecord | Parked]:
                return await parking.released(database, CONSUMER, BUILD, [m.slot for m in mine], RELEASED_AT_ONCE)

            await self._transact(mine, entries, [])

    async def _transact(
        self,
        moves: Sequence[PositionMove],
        entries: Callable[[Database], Awaitable[Sequence[RawRecord | Parked]]],
        refusals: Sequence[RawRecord],
    ) -> None:
        now = await self._clock.now()
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await move_positions(connection, moves)
                due = await self._take(connection, await entries(connection), now)
                await _take_refusals(connection, refusals)
        except UnknownTypeError as error:
            async with self._pool.acquire() as connection:
                await consuming.notice(connection, CONSUMER, "error", "release_older_than_log", str(error))
            raise
        if due:
            self._changed()

    async def _take(self, connection: Database, entries: Sequence[RawRecord | Parked], now: datetime) -> bool:
        """Apply what is new; whether something is due by it, which it is at once, whatever the clock said when it was asked."""
        streams = Streams(CONSUMER, BUILD, TYPES)
        await streams.sort(connection, entries)
        while True:
            used = streams.used
            ledger, changed, failed = await self._fold(connection, used)
            if not failed:
                break
            streams.undo(failed)  # rows were changed halfway: begin again from the database, without what failed
        refused = await store.refusals(connection, [ledger[effect].report for effect in changed])
        rows = [
            domain.unreportable(ledger[effect], refused[ledger[effect].report], ledger[effect].opened_at)
            if ledger[effect].report in refused
            else ledger[effect]
            for effect in changed
        ]
        await store.save(connection, [replace(row, next_at=min(row.next_at, now)) for row in rows])
        await streams.save(connection)
        for arrived in used:
            TAKEN.labels(arrived.type.rpartition(".")[2]).inc()
        return any(row.state == "waiting" for row in rows)

    async def _fold(
        self, connection: Database, used: Sequence[Arrived]
    ) -> tuple[dict[UUID, Effect], set[UUID], list[tuple[Arrived, str]]]:
        """The effects of these events as they are after them, which ones changed, and which events failed, with the reason."""
        said, failed = [], []
        for arrived in used:
            try:
                said.append((arrived, read(arrived.type, UUID(arrived.stream), arrived.version, arrived.event)))
            except (KeyError, TypeError, ValueError) as error:
                failed.append((arrived, f"event: {type(error).__name__}"))
        ledger = await store.hold(connection, {one.event.effect for _, one in said})
        changed: set[UUID] = set()
        broken = {arrived.stream for arrived, _ in failed}
        for arrived, one in said:
            if arrived.stream in broken:
                continue
            effect = one.event.effect
            try:
                ledger[effect] = after(ledger.get(effect), one, self._with_address)
                changed.add(effect)
            except NotOursError as error:
                failed.append((arrived, str(error)))
                broken.add(arrived.stream)
        return ledger, changed, sorted(failed, key=lambda pair: (pair[0].stream, pair[0].version))


async def _take_refusals(connection: Database, records: Sequence[RawRecord]) -> None:
    """Reports of ours among the refusals: their effects are closed. What is no refusal is left to `verify`."""
    found: dict[UUID, RefusalRecorded] = {}
    for record in records:
        if (refusal := _our_refusal(record)) is not None:
            found[refusal.command] = refusal
    if not found:
        return
    rules: Mapping[UUID, tuple[str, ...]] = {command: refusal.refusal.rules for command, refusal in found.items()}
    at = max(refusal.at for refusal in found.values())
    await store.keep_refusals(connection, dict(rules), at)
    held = await store.hold_reported(connection, found)
    await store.save(
        connection,
        [domain.unreportable(e, rules[e.report], found[e.report].at) for e in held if e.state in domain.OPEN],
    )


def _our_refusal(record: RawRecord) -> RefusalRecorded | None:
    try:
        raw = orjson.loads(record.value or b"")
        if raw["type"] != "report" or raw["actor"]["id"] != DELIVERY.id:
            return None
        return RefusalRecorded.model_validate(raw)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
