"""A consumer group's member: assignment, positions, batches, back-off, health (decision 4; `libraries.md` 1.2).

Invariants: a partition is paused before anything else happens on its assignment, and resumed only after its position was
loaded and its log checked; a batch is handled only if nothing moved its partition since it was fetched (`_epoch`), so a
slice that is let go is always one that a seek brings again; nothing FastStream calls ever raises, because it would swallow
it. Trouble of Postgres or Kafka is waited out with back-off; after `PATIENCE_SECONDS` the member leaves the group and
`consume` raises, so that the process exits and is restarted. Kafka's own committed offsets are only for lag exporters.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from services.database import Pool
from services.eventlog.consuming.log import Log, raw
from services.eventlog.consuming.pace import Pace
from services.eventlog.consuming.positions import Positions
from services.eventlog.consuming.records import Batch, FencedError, PositionMove, RawRecord, Slot
from services.eventlog.consuming.subscriber import REBALANCE_MS, Fetch, Records, make_broker
from services.eventlog.consuming.trouble import PATIENCE_SECONDS, TRANSIENT, GroupStoppedError, Trouble
from services.eventlog.consuming.unreadable import read_one_by_one
from services.eventlog.consuming.withheld import Ends, Withheld
from services.health import Health
from services.settings import Settings

LOOK_SECONDS = 0.25  # between two looks at how fetching goes
DOUBT_MS = 1_000  # polls this far apart: the broker may have been restarted with less than it had
COMMIT_SECONDS = 5.0  # between two commits for lag exporters

_EPOCHS = itertools.count(1)

Handle = Callable[[Batch], Awaitable[None]]
EverySecond = Callable[[Sequence[PositionMove]], Awaitable[None]]


class Member(ConsumerRebalanceListener):  # type: ignore[misc]
    """One member of a consumer group, from `run` to the end of it. Arguments as those of `factory.consume`."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        consumer: str,
        build: int,
        topics: Sequence[str],
        handle: Handle,
        health: Health,
        max_records: int,
        every_second: EverySecond | None,
        part: str,
        gather: float,
    ) -> None:
        self._settings = settings
        self._topics = [settings.kafka_topic_prefix + topic for topic in topics]
        self._group = f"{settings.kafka_topic_prefix}leadline-{consumer}-{build}"
        self._handle = handle
        self._health = health
        self._part = part
        self._max_records = max_records
        self._every_second = every_second
        self._log = Log(settings.kafka_bootstrap, settings.kafka_topic_prefix)
        self._positions = Positions(pool, self._log, consumer=consumer, build=build)
        self._trouble = Trouble(health, part, consumer, build)
        self._pace = Pace(max_records, gather)
        self._withheld = Withheld(consumer)
        self._lock = asyncio.Lock()
        self._subscriber: Any = None
        self._epoch: dict[Slot, int] = {}  # of the partitions assigned: counts up whenever fetched records are void
        self._fetched: dict[Slot, int] = {}  # the same at the last poll
        self._polled_ms: dict[Slot, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._doubted: set[Slot] = set()
        self._one_by_one = False  # there is a record that only `unreadable` can pass

    # --- life ---------------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Take records until `stop` is set, or raise what makes it impossible."""
        stopped = asyncio.create_task(stop.wait())
        over = asyncio.create_task(self._trouble.over.wait())
        life = asyncio.create_task(self._live())
        try:
            await asyncio.wait({stopped, over, life}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._trouble.over.set()
            for task in (stopped, over, life, *self._tasks):
                task.cancel()
            await asyncio.gather(stopped, over, life, *self._tasks, return_exceptions=True)
            self._health.unready(self._part, "stopped")
        if self._trouble.failure is not None:
            raise self._trouble.failure
        if not life.cancelled() and (error := life.exception()) is not None:
            raise error

    async def _live(self) -> None:
        while True:
            broker, self._subscriber = await make_broker(
                self._settings.kafka_bootstrap,
                topics=self._topics,
                group=self._group,
                max_records=self._max_records,
                listener=self,
                poll=self._poll,
                take=self._take,
                stop_within=self._settings.stop_within,
                instance=self._settings.instance,
            )
            try:
                try:
                    await asyncio.wait_for(broker.start(), PATIENCE_SECONDS)
                except TRANSIENT as error:
                    await self._trouble.wait_out("start", error)
                    continue
                self._trouble.well("start")
                await self._look()
            finally:
                # a running batch is finished first, then the member leaves the group
                with suppress(*TRANSIENT):
                    await asyncio.wait_for(broker.stop(), self._settings.stop_within + 5.0)

    async def _look(self) -> None:
        """Watch over fetching, call `every_second`, commit for lag exporters, tell what is withheld; until cancelled."""
        heard = time.monotonic()
        second = committed = heard
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            if self._look_at_polls(self._epoch) or not self._positions.any_held() or self._lock.locked():
                heard = now
            elif now - heard > PATIENCE_SECONDS:
                self._trouble.fail(GroupStoppedError(f"Kafka has answered no fetch for {PATIENCE_SECONDS:.0f} s"))
            if self._every_second is not None and now - second >= 1.0:
                second = now
                await self._trouble.guarded("every second", self._do_every_second)
            if now - committed >= COMMIT_SECONDS:
                committed = now
                await self._commit()
                await self._tell_withheld()

    async def _do_every_second(self) -> None:
        async with self._lock:
            proofs = self._positions.proofs()
            if proofs and self._every_second is not None:
                try:
                    await self._every_second(proofs)
                except FencedError as error:
                    self._reload(error.slots)

    async def _commit(self) -> None:
        offsets = {self._log.partition(move.slot): move.new.next_offset for move in self._positions.proofs()}
        if offsets:
            with suppress(Exception):  # only lag exporters read it: our positions are in Postgres
                await asyncio.wait_for(self._subscriber.consumer.commit(offsets), COMMIT_SECONDS)

    async def _tell_withheld(self) -> None:
        overdue = self._withheld.look(self._ends())
        if not overdue:
            self._trouble.well("notice")  # what could not be told has passed
        elif await self._trouble.guarded("notice", partial(self._positions.tell_withheld, overdue)):
            self._withheld.told(overdue)

    def _ends(self) -> dict[Slot, Ends]:
        """Of the partitions read now, what the last fetch said of their ends."""
        consumer = self._subscriber.consumer
        found: dict[Slot, Ends] = {}
        for partition in consumer.assignment() if consumer is not None else ():
            stable, last = consumer.last_stable_offset(partition), consumer.highwater(partition)
            if stable is not None and last is not None:
                found[self._log.slot(partition)] = Ends(stable, last)
        return found

    # --- assignment ---------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        slots = [self._log.slot(partition) for partition in revoked]
        self._health.unready(self._part, "partitions are being shared out anew")
        for slot in slots:
            self._epoch.pop(slot, None)
        self._positions.drop(slots)
        with suppress(TimeoutError):  # past the limit the fence in Postgres still holds
            await asyncio.wait_for(self._lock.acquire(), REBALANCE_MS / 1000 - 5.0)
            self._lock.release()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        # no await before this: aiokafka has begun to fetch already. A position at once, any, keeps it from looking for
        # a committed one and from failing when there is none
        consumer = self._subscriber.consumer
        consumer.pause(*assigned)
        for partition in assigned:
            consumer.seek(partition, 0)
        self._epoch = {}
        self._reload([self._log.slot(partition) for partition in assigned])
        if not assigned:
            self._health.ready(self._part)

    def _reload(self, slots: Collection[Slot]) -> None:
        """Void what was fetched of these partitions, and load their positions in the background."""
        if self._subscriber.consumer is None:
            return
        mine = self._subscriber.consumer.assignment()
        slots = [slot for slot in slots if self._log.partition(slot) in mine]
        self._subscriber.consumer.pause(*(self._log.partition(slot) for slot in slots))
        self._positions.drop(slots)
        for slot in slots:
            self._epoch[slot] = next(_EPOCHS)
            self._polled_ms.pop(slot, None)
        if slots:
            task = asyncio.create_task(self._position({slot: self._epoch[slot] for slot in slots}))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _position(self, epochs: dict[Slot, int]) -> None:
        async def load() -> None:
            async with self._lock:
                slots = [slot for slot, epoch in epochs.items() if self._epoch.get(slot) == epoch]
                positions = await self._positions.resolve(slots) if slots else {}
                for slot, position in positions.items():
                    if self._epoch.get(slot) == epochs[slot]:
                        partition = self._log.partition(slot)
                        self._subscriber.consumer.seek(partition, position.next_offset)
                        self._positions.hold(slot, position)
                        self._subscriber.consumer.resume(partition)

        while not self._trouble.over.is_set():
            if await self._trouble.guarded("position", load):
                if all(self._positions.get(slot) is not None for slot in self._epoch):
                    self._health.ready(self._part)
                return

    # --- records ------------------------------------------------------------------------------------------------

    async def _poll(self, fetch: Fetch) -> Records:
        self._health.beat(self._part)
        if (left := self._pace.left()) > 0:
            await asyncio.sleep(left)
        try:
            if self._one_by_one:
                records, passed = await read_one_by_one(self._subscriber.consumer)
                self._one_by_one = not passed
            else:
                records = await fetch()
        except ConsumerStoppedError:
            raise
        except Exception as error:
            # records already taken from other partitions are lost with the error: all begin again at their positions
            self._reload(list(self._epoch))
            if isinstance(error, UnicodeDecodeError):
                self._one_by_one = True
            elif isinstance(error, KafkaError):
                await self._trouble.wait_out("poll", error)
            else:
                self._trouble.fail(error)
            return {}
        # an empty poll proves little: aiokafka keeps a broker's absence to itself
        self._trouble.well("poll", after=0.0 if records else 15.0)
        self._fetched = dict(self._epoch)
        self._pace.came(sum(map(len, records.values())))
        return records

    async def _take(self, records: tuple[ConsumerRecord, ...]) -> None:
        try:
            async with self._lock:
                await self._work(records)
        except Exception as error:
            # `handle` met something that no other try will mend
            self._trouble.fail(error)

    async def _work(self, records: tuple[ConsumerRecord, ...]) -> None:
        fetched, prefix = self._fetched, self._settings.kafka_topic_prefix
        pending: Sequence[RawRecord] = [raw(record, prefix) for record in records]
        while pending and not self._trouble.over.is_set():
            # a partition that was moved since the fetch brings these records again, from its position
            slots = {Slot(*place) for place in {r[:2] for r in pending}}
            good: set[tuple[str, int]] = {s for s in slots if s in self._epoch and fetched.get(s) == self._epoch[s]}
            if len(good) < len(slots):
                pending = [r for r in pending if r[:2] in good]
            if not await self._trouble.guarded("check", partial(self._check_doubtful, slots)):
                continue
            batch = self._positions.batch(pending)
            if not batch.records:
                return
            try:
                await self._handle(batch)
            except (FencedError, *TRANSIENT) as error:
                await self._trouble.wait_out("handle", error)
            else:
                self._positions.taken(batch)
                self._trouble.well("handle")
                return
            while not self._trouble.over.is_set() and not await self._trouble.guarded(
                "settle", partial(self._settle, batch)
            ):
                pass

    async def _settle(self, batch: Batch) -> None:
        self._reload(await self._positions.settle(batch))

    async def _check_doubtful(self, slots: Collection[Slot]) -> None:
        """After polls far apart, of these partitions now or of others in the looks before: does the log still hold what was
        taken? The broker may have come back with less."""
        self._look_at_polls(slots)
        if doubted := self._doubted & self._epoch.keys():
            self._reload(await self._positions.doubtful(doubted))
        self._doubted = set()

    def _look_at_polls(self, slots: Collection[Slot]) -> bool:
        """Note when these partitions were polled last; whether any was since the look before."""
        consumer, heard = self._subscriber.consumer, False
        assigned = consumer.assignment() if consumer is not None else ()
        for slot in slots:
            partition = self._log.partition(slot)
            now = consumer.last_poll_timestamp(partition) if partition in assigned else None
            before = self._polled_ms.get(slot)
            if now is None or now == before:
                continue
            heard = True
            if before is not None and now - before > DOUBT_MS:
                self._doubted.add(slot)
            self._polled_ms[slot] = now
        return heard
