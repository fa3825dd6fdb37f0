"""The input's positions of one consumer: held in memory as last loaded or written, moved by compare-and-set in Postgres.

Invariants: a move compares with what this consumer itself loaded or wrote last, never with a record's offset (transactions
leave gaps in offsets); a failed compare raises `FencedError`, the transaction rolls back and the partition is loaded again,
nothing is dropped. A partition is loaded only after its log was checked (`resolve`): the witness is the last record taken
and must still stand there. A log cut short goes back to the newest of the last 20 witnesses (a minute apart) that agrees,
else to the beginning, with a notice; consumers drop repeats by what they have seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from services.database import Database, Pool
from services.eventlog.consuming import store
from services.eventlog.consuming.log import Log
from services.eventlog.consuming.records import (
    NO_WITNESS,
    Batch,
    FencedError,
    Position,
    PositionMove,
    RawRecord,
    Slot,
    batch_of,
)
from services.eventlog.consuming.withheld import OPEN_SECONDS

WITNESS_SECONDS = 60.0  # between two witnesses kept of a partition


async def move_positions(connection: Database, moves: Sequence[PositionMove]) -> None:
    """Move the input's positions, in the transaction of the effects. Raises FencedError when one is not as expected.

    Let that error out: the whole transaction must roll back.
    """
    if not moves:
        return
    moved = await store.compare_and_set(connection, moves)
    if failed := [move.slot for move in moves if move.slot not in moved]:
        raise FencedError(failed)
    if keep := [move for move in moves if move.keep and move.new != move.expected]:
        await store.keep_witnesses(connection, keep)


class Positions:
    """The positions this consumer holds. `monotonic` gives seconds for the age of witnesses; it is no business time."""

    def __init__(
        self, pool: Pool, log: Log, *, consumer: str, build: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.consumer, self.build = consumer, build
        self._pool = pool
        self._log = log
        self._monotonic = monotonic
        self._held: dict[Slot, Position] = {}
        self._kept: dict[Slot, float] = {}

    def get(self, slot: Slot) -> Position | None:
        """The position held, None when the partition is not loaded."""
        return self._held.get(slot)

    def hold(self, slot: Slot, position: Position) -> None:
        """From here on this is the position."""
        self._held[slot] = position

    def drop(self, slots: Collection[Slot]) -> None:
        """Hold these no longer."""
        for slot in slots:
            self._held.pop(slot, None)

    def any_held(self) -> bool:
        """Whether any partition is loaded."""
        return bool(self._held)

    def proofs(self) -> list[PositionMove]:
        """Moves that move nothing: in a transaction they prove that all partitions held are still ours."""
        return [PositionMove(self.consumer, self.build, s, p, p) for s, p in sorted(self._held.items())]

    def batch(self, records: Sequence[RawRecord]) -> Batch:
        """The records of partitions held that are not taken yet, with the moves that take them."""
        expected = {s: self._held[s] for s in (Slot(*p) for p in {r[:2] for r in records}) if s in self._held}
        first: dict[tuple[str, int], int] = {slot: held.next_offset for slot, held in expected.items()}
        nowhere = 2**63
        wanted = [r for r in records if r[2] >= first.get(r[:2], nowhere)]
        now = self._monotonic()
        keep = {s for s in expected if now - self._kept.get(s, -WITNESS_SECONDS) >= WITNESS_SECONDS}
        return batch_of(wanted, self.consumer, self.build, expected, keep)

    def taken(self, batch: Batch) -> None:
        """The batch is committed: hold what its moves wrote, of the partitions still held."""
        for move in batch.moves:
            if move.slot in self._held:
                self._held[move.slot] = move.new
            if move.keep:
                self._kept[move.slot] = self._monotonic()

    async def settle(self, batch: Batch) -> set[Slot]:
        """After an error of `handle`: read where its partitions stand, and hold that. Returns those moved by others.

        A position that one of the batch's own records leads to is our own commit whose answer was lost.
        """
        slots = [move.slot for move in batch.moves]
        async with self._pool.acquire() as connection:
            stored = await store.read_positions(connection, self.consumer, self.build, slots)
        fenced: set[Slot] = set()
        for move in batch.moves:
            if move.slot not in self._held:
                continue
            now = stored.get(move.slot)
            own = now is not None and any(
                r.offset + 1 == now.next_offset and r.slot == move.slot and r.after() == now for r in batch.records
            )
            if now is not None and (own or now == move.expected):
                self._held[move.slot] = now
            else:
                del self._held[move.slot]
                fenced.add(move.slot)
        return fenced

    async def resolve(self, slots: Collection[Slot]) -> dict[Slot, Position]:
        """Where to go on in these partitions, each log checked by its witness; goes back where one was cut short.

        Raises KafkaError or one of `LOST`; the caller tries again. Nothing is held yet: the caller does that after
        seeking.
        """
        first, _ = await self._log.bounds(slots)
        async with self._pool.acquire() as connection:
            stored = await store.load_positions(connection, self.consumer, self.build, first)
        wrong = await self._log.disagreeing(stored)
        if wrong:  # a new leader may not know its own end yet: look twice before calling a log cut
            wrong = await self._log.disagreeing({slot: stored[slot] for slot in wrong}, again=True)
        for slot in wrong:
            stored[slot] = await self._go_back(slot, stored[slot])
        return stored

    async def doubtful(self, slots: Collection[Slot]) -> set[Slot]:
        """Which of the partitions held no longer agree with their log (asked after the broker was away)."""
        return set(await self._log.disagreeing({s: self._held[s] for s in slots if s in self._held}))

    async def tell_withheld(self, overdue: Sequence[tuple[Slot, int]]) -> None:
        """Tell, where people look, of partitions in which nothing moves, and from which offset on."""
        async with self._pool.acquire() as connection, connection.transaction():
            for slot, offset in overdue:
                detail = (
                    f"{self.consumer} build {self.build}, {slot.topic}-{slot.partition}: what stands from offset {offset} on "
                    f"waits for a transaction that nobody has ended for {OPEN_SECONDS / 60:.0f} minutes"
                )
                await store.notice(connection, self.consumer, "warning", "transaction_open", detail)

    async def _go_back(self, slot: Slot, lost: Position) -> Position:
        begin, end = (ends[slot] for ends in await self._log.bounds([slot]))
        goal = Position(begin, NO_WITNESS)
        if lost.next_offset < begin:
            code, what = "input_expired", f"records {lost.next_offset} to {begin - 1} expired before they were taken"
        else:
            code = "log_cut_short"
            what = f"the log ends at {end} or holds another record where {lost.next_offset} had been reached"
            async with self._pool.acquire() as connection:
                remembered = await store.witnesses(connection, self.consumer, self.build, slot)
            for candidate in remembered:
                if begin < candidate.next_offset < lost.next_offset and not await self._log.disagreeing(
                    {slot: candidate}
                ):
                    goal = candidate
                    break
        detail = (
            f"{self.consumer} build {self.build}, {slot.topic}-{slot.partition}: {what}; reading again from {goal[0]}"
        )
        async with self._pool.acquire() as connection, connection.transaction():
            await move_positions(connection, [PositionMove(self.consumer, self.build, slot, lost, goal)])
            await store.forget_witnesses(connection, self.consumer, self.build, slot, goal.next_offset)
            await store.notice(connection, self.consumer, "warning", code, detail)
        self._kept.pop(slot, None)
        return goal
