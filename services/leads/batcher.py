"""One batcher, two doors: collects work from Kafka and HTTP, runs it as one transaction, answers each door.

Invariants: at most `AT_ONCE` batches at a time, each on a connection of its own: while one waits for Postgres the other
decides, and the locks of `batch` keep them apart as they do two processes; a batch holds at most `BATCH_WORK` pieces: what
waits when nothing is at work, else what came within `BATCH_SECONDS`; a batch that conflicts is redone whole `REDO` times,
then halved; a piece of work whose batch fails for a reason of its own ends up alone and is parked or quarantined. When
Postgres is away the Kafka door gets the error (and tries again by its own rule), the HTTP door waits `HTTP_SECONDS` and then
gets `AwayError`: nothing was written, the same command may be sent again.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Histogram

from services.clock import Clock
from services.database import LOST, Pool
from services.eventlog import consuming
from services.eventlog.consuming import FencedError
from services.leads.at_once import AtOnceFailedError, Waits
from services.leads.batch import LeadBatch, WorkFailedError
from services.leads.locks import CONFLICTS, LocksMissedError
from services.leads.memory import Memory
from services.leads.work import Done, Work, kept_aside
from services.settings import Settings

log = structlog.get_logger()

BATCH_WORK = 500
AT_ONCE = 2
BATCH_SECONDS = 0.005
REDO = 3
LOCK_TRIES = 20
HTTP_SECONDS = 8.0
BACK_OFF_SECONDS = 0.2

WORK = Counter("leadline_leads_work_total", "Work done by the aggregate service, by outcome", ["outcome"])
EVENTS = Counter("leadline_leads_events_total", "Events written")
AT_ONCE_RAN = Counter("leadline_leads_robots_at_once_total", "Timers decided in the batch that armed them")
BATCHES = Counter("leadline_leads_batches_total", "Batches, by how they ended", ["end"])
BATCH_TIME = Histogram(
    "leadline_leads_batch_seconds",
    "Time of a batch from lock to commit",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)


class AwayError(Exception):
    """The store cannot be reached now; nothing was written."""


@dataclass(slots=True, eq=False)
class Submission:
    """What one door hands in. `records`: the Kafka batch it came in; its work is one piece for each record, in order."""

    work: Sequence[Work]
    records: consuming.Batch | None
    answer: asyncio.Future[list[Done]]
    deadline: float

    def fail(self, error: BaseException) -> None:
        """Answer with an error."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def succeed(self, done: list[Done]) -> None:
        """Answer with what became of the work."""
        if not self.answer.done():
            self.answer.set_result(done)


class Batcher:
    """The batcher of one process. `at_once`: whether robots that are due as they are armed run in the batch; without it they
    wait for the robots service, as they do where a batch leaves them to it."""

    def __init__(self, settings: Settings, pool: Pool, clock: Clock, memory: Memory, *, at_once: bool = True) -> None:
        self._settings = settings
        self._pool = pool
        self._clock = clock
        self._memory = memory
        self._at_once = at_once
        self._waiting: deque[Submission] = deque()
        self._news = asyncio.Event()
        self._closed = False
        self._at_work = 0

    async def submit(self, work: Sequence[Work], records: consuming.Batch | None = None) -> list[Done]:
        """Hand work in and wait for what became of it. Raises FencedError or one of LOST (Kafka), AwayError (HTTP)."""
        if self._closed:
            raise AwayError("the service is stopping")
        answer: asyncio.Future[list[Done]] = asyncio.get_running_loop().create_future()
        self._waiting.append(Submission(work, records, answer, time.monotonic() + HTTP_SECONDS))
        self._news.set()
        return await answer

    async def run(self) -> None:
        """Work until `close`; then finish what was handed in."""
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._work(), name=f"batcher {number}")

    def close(self) -> None:
        """Take no more work; `run` returns when what was handed in is done."""
        self._closed = True
        self._news.set()

    async def _work(self) -> None:
        while True:
            if self._waiting:
                collected = await self._collect(self._waiting.popleft())
                self._at_work += 1
                try:
                    await self._run(collected)
                finally:
                    self._at_work -= 1
            elif self._closed:
                return
            else:
                self._news.clear()
                await self._news.wait()

    async def _collect(self, first: Submission) -> list[Submission]:
        collected, count = [first], len(first.work)
        # with nothing at work there is nothing to wait for: what comes meanwhile gathers for the next batch
        until = time.monotonic() + (BATCH_SECONDS if self._at_work else 0.0)
        while count < BATCH_WORK:
            if self._waiting:
                count += len(self._waiting[0].work)
                if count > BATCH_WORK:
                    break
                collected.append(self._waiting.popleft())
                continue
            left = until - time.monotonic()
            if left <= 0 or self._closed:
                break
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), left)
            except TimeoutError:
                break
        return collected

    async def _run(self, submissions: list[Submission]) -> None:
        """Run submissions as one transaction; on trouble redo, halve, or answer with the error."""
        redone = missed = 0
        locks: set[int] = set()
        waits = Waits(everything=not self._at_once)
        conflict: Exception = AwayError("the batch conflicts again and again")
        while submissions:
            try:
                await self._transaction(submissions, locks, waits)
                return
            except AtOnceFailedError as error:
                BATCHES.labels("failed").inc()
                # the whole of it is told where the robots service's command fails alone
                log.error("robot_at_once_failed", timer=str(error.timer), error=type(error.__cause__).__name__)
                waits.leave(error.timer)
                continue
            except LocksMissedError as error:
                BATCHES.labels("locks_missed").inc()
                locks |= error.numbers
                missed += 1
                if missed < LOCK_TRIES:
                    continue
                redone, conflict = REDO, error
            except FencedError as error:
                BATCHES.labels("fenced").inc()
                for submission in [s for s in submissions if s.records is not None]:
                    submission.fail(error)
                    submissions.remove(submission)
                continue
            except CONFLICTS as error:
                BATCHES.labels("conflict").inc()
                # What was cached may be what conflicts (another process wrote these streams, or the store was restored).
                self._memory.doubt()
                conflict = error
                log.info("batch_redone", why=type(error).__name__, times=redone + 1)
            except LOST as error:
                BATCHES.labels("away").inc()
                await self._lost(submissions, error)
                continue
            except WorkFailedError as error:
                BATCHES.labels("failed").inc()
                log.exception("work_failed")
                self._set_aside(submissions, error.index, error.__cause__ or error)
                continue
            except Exception as error:
                BATCHES.labels("failed").inc()
                log.exception("batch_failed")
                if await self._alone(submissions, error):
                    return
                redone, conflict = REDO, error
            redone += 1
            if redone > REDO:
                await self._halve(submissions, conflict)
                return

    async def _transaction(self, submissions: Sequence[Submission], locks: set[int], waits: Waits) -> None:
        work = [piece for submission in submissions for piece in submission.work]
        moves = [m for s in submissions if s.records is not None for m in s.records.moves]
        now = await self._clock.now()
        memory = self._memory
        batch = LeadBatch(self._settings, memory.ring, memory.cache, work, moves, now, extra_locks=locks, waits=waits)
        with BATCH_TIME.time():
            async with self._pool.acquire() as database, memory.use():
                async with database.transaction():
                    await batch.run(database)
                batch.settle()
        BATCHES.labels("done").inc()
        EVENTS.inc(batch.tally.events)
        AT_ONCE_RAN.inc(batch.tally.at_once)
        for outcome, count in batch.tally.outcomes.items():
            WORK.labels(outcome).inc(count)
        at = 0
        for submission in submissions:
            submission.succeed(batch.done[at : at + len(submission.work)])
            at += len(submission.work)

    async def _lost(self, submissions: list[Submission], error: BaseException) -> None:
        """Postgres is away: Kafka's door tries again by itself, people wait a little."""
        self._memory.doubt()
        now = time.monotonic()
        for submission in list(submissions):
            if submission.records is not None:
                submission.fail(error)
                submissions.remove(submission)
            elif now > submission.deadline:
                submission.fail(AwayError("the store cannot be reached now"))
                submissions.remove(submission)
        if submissions:
            await asyncio.sleep(BACK_OFF_SECONDS)

    def _set_aside(self, submissions: list[Submission], index: int, error: BaseException) -> None:
        """Put what is kept of a piece of work in its place; a door that waits for just that piece gets the error."""
        for submission in list(submissions):
            if index < len(submission.work):
                kept = kept_aside(submission.work[index], error)
                if kept is None:
                    submission.fail(error)
                    submissions.remove(submission)
                else:
                    submission.work = [*submission.work[:index], kept, *submission.work[index + 1 :]]
                return
            index -= len(submission.work)

    async def _alone(self, submissions: list[Submission], error: Exception) -> bool:
        """Whether the failed batch was a single piece of work, which is then kept and answered."""
        if len(submissions) != 1 or len(submissions[0].work) != 1:
            return False
        self._set_aside(submissions, 0, error)
        if submissions:
            await self._run(submissions)
        return True

    async def _halve(self, submissions: list[Submission], conflict: Exception) -> None:
        if len(submissions) > 1:
            middle = len(submissions) // 2
            await self._run(submissions[:middle])
            await self._run(submissions[middle:])
            return
        if await self._alone(submissions, conflict):
            return
        whole = submissions[0]
        if whole.records is None:
            whole.fail(AwayError("the batch conflicts again and again"))
            return
        first, second = whole.records.halves()
        middle, done = len(first.records), []
        for work, records in ((whole.work[:middle], first), (whole.work[middle:], second)):
            half = Submission(work, records, asyncio.get_running_loop().create_future(), whole.deadline)
            await self._run([half])
            try:
                done += half.answer.result()
            except BaseException as error:
                whole.fail(error)
                return
        whole.succeed(done)
