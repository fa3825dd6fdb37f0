"""From events to timers: what arms makes a row, what closes removes it, in the transaction of the input's position.

Invariants: an event is applied once, after its predecessor (`services.eventlog.consuming.streams`); what cannot be applied is
parked with its stream's later events. A type this release does not know, and an event of a timer while another build is live,
stop the consumer with a notice. A refusal «too early» shortens the wait for that attempt; all other refusals need nothing: the
event that closed the timer is on its way or was there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from contracts.commands import RefusalRecorded
from contracts.timers import attempt_id
from contracts.topics import DEALS_EVENTS, LEADS_EVENTS, LEADS_REFUSALS
from services.clock import Clock
from services.database import Database, Pool
from services.eventlog.consuming import Batch, PositionMove, RawRecord, move_positions
from services.eventlog.consuming import store as consuming_store
from services.eventlog.consuming.parked import store as parked_store
from services.eventlog.consuming.parked.store import Parked
from services.eventlog.consuming.records import Slot
from services.eventlog.consuming.streams import Arrived, Streams
from services.eventlog.mapper import UnknownTypeError
from services.robots import store
from services.robots.domain import NOT_DUE, TYPES, UNREADABLE, Armed, Outcome, read, wait_early
from services.robots.store import BUILD, CONSUMER

TOPICS: Final = (LEADS_EVENTS.name, DEALS_EVENTS.name, LEADS_REFUSALS.name)
EVENT_TOPICS: Final = (LEADS_EVENTS.name, DEALS_EVENTS.name)
RELEASED_AT_ONCE: Final = 20  # streams tried again in one transaction


class NotLiveError(Exception):
    """Another build of the robots service has taken over: this one neither writes nor fires."""

    def __init__(self) -> None:
        super().__init__(f"build {BUILD} of the timers is not the live one: another release runs; end this process")


class Intake:
    """Applies batches. `wall`: the world's time, in which commands are waited for; `woken` is called when timers were armed."""

    def __init__(self, pool: Pool, wall: Clock, woken: Callable[[], None], moved: Callable[[], None]) -> None:
        """`moved` is called when this process holds other partitions than before."""
        self._pool, self._wall, self._woken, self._moved = pool, wall, woken, moved
        self._held: set[Slot] = set()

    async def handle(self, batch: Batch) -> None:
        """Apply a batch. Raises as `services.eventlog.consuming` wants it."""
        if not await Streams(CONSUMER, BUILD, TYPES).pass_over(self._pool, batch):
            await self._transact(batch.moves, batch.records)

    async def every_second(self, proofs: Sequence[PositionMove]) -> None:
        """Note which partitions are held, and try the parked records again whose release was asked for."""
        if (held := {proof.slot for proof in proofs}) != self._held:
            self._held = held
            self._moved()
        async with self._pool.acquire() as database:
            asked = await parked_store.released_partitions(database, CONSUMER, BUILD)
        if mine := [proof for proof in proofs if proof.slot in asked]:
            await self._transact(mine, None)

    async def _transact(self, moves: Sequence[PositionMove], records: Sequence[RawRecord] | None) -> None:
        try:
            async with self._pool.acquire() as database, database.transaction():
                await move_positions(database, moves)
                entries: Sequence[RawRecord | Parked] = (
                    records
                    if records is not None
                    else await parked_store.released(
                        database, CONSUMER, BUILD, [move.slot for move in moves], RELEASED_AT_ONCE
                    )
                )
                armed = await self._apply(database, [e for e in entries if _topic(e) != LEADS_REFUSALS.name])
                await self._refused(database, [e for e in entries if _topic(e) == LEADS_REFUSALS.name])
        except UnknownTypeError as error:
            await self._notice("release_older_than_log", str(error))
            raise
        except NotLiveError as error:
            await self._notice("build_not_live", str(error))
            raise
        if armed:
            self._woken()

    async def _notice(self, code: str, detail: str) -> None:
        async with self._pool.acquire() as database:
            await consuming_store.notice(database, CONSUMER, "error", code, detail)

    async def _apply(self, database: Database, entries: Sequence[RawRecord | Parked]) -> bool:
        """Events; whether any timer waits by them."""
        streams = Streams(CONSUMER, BUILD, TYPES)
        await streams.sort(database, entries)
        while True:
            armed: dict[UUID, Armed] = {}
            closed: dict[UUID, Outcome] = {}
            failed: list[tuple[Arrived, str]] = []
            for event in streams.used:
                try:
                    said = read(event.type, event.event["meta"], event.event["data"])
                except UNREADABLE as error:
                    failed.append((event, f"it cannot be read: {type(error).__name__}"))
                    continue
                if isinstance(said, Armed):
                    armed.setdefault(said.timer, said)
                else:
                    closed.setdefault(said.timer, said.outcome)
            if not failed:
                break
            streams.undo(failed)
        if armed or closed:
            await _hold_live(database)
            await store.arm_and_close(database, armed, closed)
        await streams.save(database)
        return bool(armed.keys() - closed.keys())

    async def _refused(self, database: Database, entries: Sequence[RawRecord | Parked]) -> None:
        """Refusals: those of our commands that came too early."""
        early: dict[UUID, UUID] = {}
        for entry in entries:
            value = entry.value if isinstance(entry, RawRecord) else entry.record.value
            if value is None or NOT_DUE.encode() not in value:
                continue
            try:
                said = RefusalRecorded.model_validate_json(value, extra="ignore")
            except ValidationError:
                continue  # `verify` names a refusal that was altered; a timer of ours is sent again in time all the same
            if NOT_DUE in said.refusal.rules:
                early[said.command] = said.lead
        if not early:
            return
        await _hold_live(database)
        again = await self._wall.now()
        waiting = [
            (timer, attempt, again + wait_early(attempt))
            for timer, attempt in await store.sent_on(database, set(early.values()))
            if attempt_id(timer, attempt) in early
        ]
        if waiting:
            await store.wait_until(database, waiting)


async def _hold_live(database: Database) -> None:
    """Before anything of timers is written. Raises NotLiveError."""
    if not await store.hold_live(database):
        raise NotLiveError


def _topic(entry: RawRecord | Parked) -> str:
    return entry.topic if isinstance(entry, RawRecord) else entry.record.topic
