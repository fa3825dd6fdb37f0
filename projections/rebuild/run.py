"""The steps of a rebuild and of going back to the build before (M8; see the package's docstring).

Invariants: one rebuild of a projection at a time; the live build is only ever read, and stands still for the last step
alone, which gives up and is tried again when it would have to wait; a build with an event it could not apply never becomes
live, one that differs only when told to; the build before is kept, older ones are dropped. Raises RebuildRefusedError with
what was found, RebuildBusyError, UnknownTypeError; asyncpg errors leave all as it was, the next run goes on.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from projections.builds import store as builds
from projections.builds.store import Build
from projections.projection import Projection, schema_of
from projections.rebuild import store
from projections.rebuild.comparing import Comparing, Comparison
from projections.rebuild.filling import Filling, Part, follow
from projections.rebuild.store import Delta, Seen, consumer_of
from projections.schema import fingerprint_of, make_tables, make_views
from services.database import LOST, Database, Pool
from services.privacy.store import KeyRing

RANGE_STREAMS = 2_000
"""Streams filled in one transaction."""
FOLLOWED_STREAMS = 100_000
"""Streams looked up in one round of following."""
LAST_STREAMS = 500
"""With no more than this left to follow, the live build is held and the rest done."""
ROUNDS = 50
"""Rounds of following before giving up: the live build moves faster than the new one."""
LOCK_MS = 200
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 5.0
SWAP_SECONDS = 600.0
"""For how long to try to swap: a report of a BI tool may hold its views for 5 minutes."""
KEPT = 1
"""Builds kept besides the live one."""

Progress: TypeAlias = Callable[[str, int, int | None], None]


class RebuildRefusedError(Exception):
    """The new build is not what the live one is. `comparison` says where; nothing was swapped."""

    def __init__(self, text: str, comparison: Comparison) -> None:
        super().__init__(text)
        self.comparison = comparison


class RebuildBusyError(Exception):
    """It cannot be done now; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was done. `stopped_seconds`: for how long the live build stood still; `was`: the build before, kept."""

    projection: str
    build: int
    was: int | None
    events: int
    seconds: float
    stopped_seconds: float
    comparison: Comparison | None

    def as_object(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "comparison": self.comparison.as_object() if self.comparison else None}


def silent(_step: str, _done: int, _total: int | None) -> None:
    """A progress that nobody watches."""


async def rebuild(
    pool: Pool,
    ring: KeyRing,
    projection: Projection,
    partitions: int,
    *,
    accept: bool = False,
    progress: Progress = silent,
) -> Rebuilt:
    """Make the projection anew and swap it in. `partitions`: of its topics; `accept`: also when rows differ from live."""
    async with _locked(pool, projection) as connection:
        began = time.monotonic()
        build = await _begin(connection, projection, accept)
        filling = Filling(projection, build.build, ring, partitions)
        before = build.events
        if not build.filled:
            await _fill(pool, connection, filling, build, progress)
        joining = Joining(connection, filling, build, accept=accept, progress=progress)
        was, stopped = await joining.run()
        await _drop_old(connection, projection)
        events = sum(b.events for b in await builds.builds(connection, projection.name) if b.build == build.build)
        return Rebuilt(
            projection.name, build.build, was, events - before, time.monotonic() - began, stopped, joining.found
        )


async def roll_back(
    pool: Pool, ring: KeyRing, projection: Projection, partitions: int, *, progress: Progress = silent
) -> Rebuilt:
    """Make the build before live again, once it has what happened since. Its rows are not compared: they are wanted."""
    async with _locked(pool, projection) as connection:
        began = time.monotonic()
        kept = [b for b in await builds.builds(connection, projection.name) if b.status == "kept"]
        if not kept:
            raise RebuildBusyError(f"no build of {projection.name} is kept to go back to")
        build = kept[0]
        if build.fingerprint != fingerprint_of(projection):
            raise RebuildBusyError(
                f"build {build.build} of {projection.name} was made by a release with other tables; start that release, "
                "or make a new build: leadline rebuild"
            )
        filling = Filling(projection, build.build, ring, partitions)
        joining = Joining(connection, filling, build, accept=True, compared=False, progress=progress)
        was, stopped = await joining.run()
        return Rebuilt(projection.name, build.build, was, joining.applied, time.monotonic() - began, stopped, None)


@asynccontextmanager
async def _locked(pool: Pool, projection: Projection) -> AsyncIterator[Database]:
    async with pool.acquire() as connection:
        if not await store.try_lock(connection, projection.name):
            raise RebuildBusyError(f"{projection.name} is being rebuilt already; wait for it to end")
        try:
            yield connection
        finally:
            if not connection.is_closed():
                await store.unlock(connection, projection.name)


async def _begin(connection: Database, projection: Projection, accept: bool) -> Build:
    """The build to go on with, or a new one; what cannot be gone on with is dropped."""
    fingerprint = fingerprint_of(projection)
    for build in await builds.builds(connection, projection.name):
        if build.status not in ("building", "refused"):
            continue
        usable = build.fingerprint == fingerprint and (build.status == "building" or accept)
        if usable and await store.exists(connection, schema_of(projection.name, build.build)):
            return build
        await drop(connection, build)
    async with connection.transaction():
        build = await builds.begin(connection, projection.name, fingerprint)
        await make_tables(connection, projection, build.build)
    return build


async def _fill(pool: Pool, connection: Database, filling: Filling, build: Build, progress: Progress) -> None:
    """Range by range, in three steps at once: one range is read, the one before it applied, the one before that written."""
    projection, consumer = filling.projection, consumer_of(filling.projection.name)
    after = build.upto or store.FIRST
    total, done, applied = await store.streams_after(connection, after), 0, 0
    began = time.monotonic()
    progress(f"{projection.name}: filling", 0, total)

    async def read(after: UUID) -> tuple[list[Seen], Part]:
        async with pool.acquire() as reader, reader.transaction():
            seen = await store.seen_range(reader, after, RANGE_STREAMS)
            upto = {row.stream: row.version for row in seen}
            events = (
                await store.events_between(reader, seen[0].stream, seen[-1].stream, projection.types) if seen else []
            )
            stored = [event for event in events if event[1] <= upto.get(event[0], 0)]
            return seen, await filling.take(reader, stored, new=True)

    async def write(seen: list[Seen], part: Part, prepared: tuple[Any, int]) -> None:
        nonlocal done, applied
        async with connection.transaction():
            await store.commit_lazily(connection)
            count = await filling.write(connection, part, prepared)
            taken = [row for row in seen if row.stream not in filling.failed]
            await store.add_seen(connection, consumer, build.build, taken)
            await builds.filled_up_to(connection, build, seen[-1].stream, count, whole=False)
        done, applied = done + len(seen), applied + count
        rate = applied / max(time.monotonic() - began, 0.001)
        progress(f"{projection.name}: filling, {rate:,.0f} events/s", done, max(total, done))

    reading, writing = asyncio.create_task(read(after)), asyncio.create_task(asyncio.sleep(0))
    collecting = gc.isenabled()
    gc.disable()  # a range makes no cycles and hundreds of thousands of objects: looking for cycles costs a third of the time
    try:
        while True:
            seen, part = await reading
            if not seen:
                break
            reading = asyncio.create_task(read(seen[-1].stream))
            async with pool.acquire() as reader:
                prepared = await filling.prepare(reader, part)
            await writing
            writing = asyncio.create_task(write(seen, part, prepared))
        await writing
    finally:
        if collecting:
            gc.enable()
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
    await builds.filled_up_to(connection, build, None, 0, whole=True)
    schema = schema_of(projection.name, build.build)
    await store.analyze(connection, schema, list(await store.tables(connection, schema)))


class Joining:
    """Brings a filled build to where the live one is, compares, and swaps. `found`: the comparison, where there was one."""

    def __init__(
        self,
        connection: Database,
        filling: Filling,
        build: Build,
        *,
        accept: bool,
        progress: Progress,
        compared: bool = True,
    ) -> None:
        self.found: Comparison | None = None
        self.applied = 0
        self._connection, self._filling, self._build = connection, filling, build
        self._name = filling.projection.name
        self._consumer = consumer_of(self._name)
        assert build.seen_build is not None, "a build that is not live says what it has seen"
        self._seen_build = build.seen_build
        self._accept, self._compared, self._progress = accept, compared, progress
        self._followed: set[UUID] = set()  # since the whole comparison
        self._since = ""  # what the last round of following has not seen was written since

    async def run(self) -> tuple[int | None, float]:
        """Returns the build that was live before, and for how many seconds it stood still."""
        connection = self._connection
        await self._follow()
        live = (await builds.live(connection)).get(self._name)
        comparing = Comparing(self._name, live, self._build.build) if live is not None and self._compared else None
        if comparing is not None:
            self.found = comparing.found
            await self._compare_whole(comparing)
            await self._judge(comparing.found)
        elif self._filling.failed:
            await self._judge(Comparison())
        deadline, pause = time.monotonic() + SWAP_SECONDS, PAUSE_SECONDS
        while time.monotonic() < deadline:
            await self._follow()
            try:
                swapped = await self._swap(live, comparing)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                swapped = None
            if swapped is not None:
                return swapped
            self._progress(f"{self._name}: waiting for a moment to swap", 0, None)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
        raise RebuildBusyError(
            f"{self._name}: the new build is ready, but could not be swapped in within {SWAP_SECONDS:.0f} s: somebody holds the "
            "BI views (pg_stat_activity tells who). Run it again: it goes on from here"
        )

    async def _follow(self) -> None:
        """Rounds until few streams are left."""
        for _ in range(ROUNDS):
            self._since = await store.oldest_running(self._connection)
            deltas = self._applicable(
                await store.delta(self._connection, self._consumer, self._seen_build, FOLLOWED_STREAMS)
            )
            for n in range(0, len(deltas), RANGE_STREAMS):
                async with self._connection.transaction():
                    await store.commit_lazily(self._connection)
                    await self._take(deltas[n : n + RANGE_STREAMS])
                self._progress(f"{self._name}: following the live build", self.applied, None)
            if len(deltas) < LAST_STREAMS:
                return
        raise RebuildBusyError(
            f"{self._name}: the live build moves faster than the new one follows; run it again later"
        )

    def _applicable(self, deltas: list[Delta]) -> list[Delta]:
        """Without the streams that the build cannot apply: it stays behind on them, also for the next run."""
        return [delta for delta in deltas if delta.stream not in self._filling.failed]

    async def _take(self, deltas: list[Delta]) -> int:
        count = await follow(self._connection, self._filling, self._consumer, self._seen_build, deltas)
        self._followed |= {delta.stream for delta in deltas}
        self.applied += count
        return count

    async def _compare_whole(self, comparing: Comparing) -> None:
        for _ in range(ROUNDS):
            self._progress(f"{self._name}: comparing with the live build", 0, None)
            async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                if not await store.erasure_under_way(self._connection):
                    self._followed.clear()
                    deltas = await store.delta(self._connection, self._consumer, self._seen_build, FOLLOWED_STREAMS)
                    await comparing.whole(self._connection, [delta.stream for delta in deltas])
                    return
            await asyncio.sleep(PAUSE_SECONDS)
            await self._follow()
        raise RebuildBusyError(
            f"{self._name}: persons were erased whose erasure the live build has not applied; is the projections' service up?"
        )

    async def _judge(self, found: Comparison) -> None:
        """Raises RebuildRefusedError when the build must not become live."""
        found.failed = [f"{stream}-{version}: {why}" for stream, (version, why) in sorted(self._filling.failed.items())]
        if found.equal or (self._accept and not found.failed):
            return
        await builds.refuse(self._connection, self._build, found.as_object())
        count = sum(found.totals.values())
        text = (
            f"build {self._build.build} of {self._name} could not apply {len(found.failed)} events that the live build has"
            if found.failed
            else f"build {self._build.build} of {self._name} differs from the live one in {count} rows"
        )
        raise RebuildRefusedError(text, found)

    async def _swap(self, live: int | None, comparing: Comparing | None) -> tuple[int | None, float] | None:
        """Hold the live build, take the rest, look at it, swap. None: not now, nothing was done."""
        connection, build = self._connection, self._build
        async with _all_or_nothing(connection) as undo:
            await store.limit_locks(connection, LOCK_MS)
            was = await builds.stop_live(connection, self._name)
            held = time.monotonic()
            limit = LAST_STREAMS + len(self._filling.failed) + 1
            deltas = self._applicable(
                await store.delta_since(connection, self._consumer, self._seen_build, self._since, limit)
            )
            if was != live or len(deltas) > LAST_STREAMS:
                raise undo
            if deltas:
                await self._take(deltas)
            found = Comparison()
            if comparing is not None:
                if await store.erasure_under_way(connection):
                    raise undo
                found = self.found = await comparing.last(connection, self._followed)
            if self._filling.failed or not (found.equal or self._accept):
                raise undo
            await builds.go_live(connection, build, was, found.as_object())
            await make_views(connection, LOCK_MS)
        if undo.raised:
            await self._judge(self.found or Comparison())
            return None
        return was, time.monotonic() - held


class _UndoError(Exception):
    """Leave the transaction without its effects."""

    raised = False


@asynccontextmanager
async def _all_or_nothing(connection: Database) -> AsyncIterator[_UndoError]:
    """A transaction that rolls back, quietly, when what it gives is raised."""
    undo = _UndoError()
    try:
        async with connection.transaction():
            yield undo
    except _UndoError:
        undo.raised = True


async def drop(connection: Database, build: Build) -> None:
    """Remove a build that is not live: tables, what it had seen, its record."""
    async with connection.transaction():
        await store.drop_schema(connection, schema_of(build.projection, build.build))
        await builds.forget(connection, build, consumer_of(build.projection))


async def _drop_old(connection: Database, projection: Projection) -> None:
    """Keep one build to go back to. One that a reader still holds is dropped by the next rebuild."""
    kept = [b for b in await builds.builds(connection, projection.name) if b.status == "kept"]
    for build in kept[KEPT:]:
        try:
            await drop(connection, build)
        except (asyncpg.LockNotAvailableError, *LOST):
            return
