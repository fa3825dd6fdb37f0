"""Polling of mailboxes: each new letter becomes a message of intake, once, and stays in its mailbox as it was (K5).

Invariants: (UIDVALIDITY, UID) is noted in the transaction that keeps the letter, so a restart at any moment neither loses nor
doubles; a changed UIDVALIDITY reads all again, and each letter's likeness tells the repeats. A letter that the server will
not give after `TRIES` looks is kept as a message that says so, and the others flow on. A mailbox that cannot be read is
tried again with growing pauses and stands on the operations page; the door works on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import structlog
from prometheus_client import Counter, Gauge

from services.channels.mail import store
from services.channels.mail.inbox import Inbox, InboxError
from services.channels.mail.taking import LETTER_BYTES, Post, Taken
from services.clock import Clock
from services.database import LOST, Database, Pool
from services.settings import Mailbox

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds before a mailbox that failed is tried again, doubling."""
TRIES = 3
AT_ONCE = 200
"""Letters taken in one look; a longer queue is looked at again at once."""
STEP_SECONDS = 300.0
"""The longest wait for one answer of the server, a letter of 30 MB included."""

READABLE = Gauge("leadline_mailbox_readable", "1 while the mailbox can be read", ["mailbox"])
LOOKS = Counter("leadline_mailbox_looks_total", "Looks into a mailbox, by how they ended", ["mailbox", "how"])

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Poller:
    """Polls one mailbox until it is told to stop."""

    def __init__(self, mailbox: Mailbox, post: Post, pool: Pool, clock: Clock) -> None:
        self._mailbox, self._post, self._pool, self._clock = mailbox, post, pool, clock
        self._inbox = Inbox(mailbox)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"mailbox-{mailbox.name}")
        self._failed: dict[int, int] = {}
        self._told_readable = False

    async def run(self, stop: asyncio.Event) -> None:
        """Look, wait, look again; returns when `stop` is set."""
        stopping = asyncio.create_task(self._abort_on(stop))
        pause = 0.0
        try:
            while not stop.is_set():
                try:
                    more = await self.look(stop)
                    await self._readable()
                    pause = 0.0
                    wait = 0.0 if more else self._mailbox.every
                except Exception as error:  # whatever it is: the letters wait in the mailbox, the other mailboxes go on
                    if stop.is_set():
                        return
                    pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, pause * 2))
                    wait = pause
                    await self._unreadable(error)
                await _wait(stop, wait)
        finally:
            stopping.cancel()
            await asyncio.gather(stopping, return_exceptions=True)
            self.close()

    def close(self) -> None:
        """Cut the connection and end the thread."""
        self._inbox.abort()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def look(self, stop: asyncio.Event) -> bool:
        """Take the new letters. True: there are more. Raises InboxError or one of `LOST`; what was taken stays taken."""
        validity, following = await self._ask(self._inbox.uid_validity)
        begin, since = 0, None
        async with self._pool.acquire() as connection:
            highest = await store.highest_uid(connection, self._mailbox.name, validity)
            if highest is not None:
                begin = highest
            elif self._mailbox.take == "new":
                first = await store.first_look(connection, self._mailbox.name)
                if first is None:
                    await self._note(connection, validity, max(0, following - 1), Taken("refused"), skipped=True)
                    return False
                since = (
                    first - timedelta(days=1)
                ).date()  # the folder was made anew: what was there before stays skipped
        uids = await self._ask(lambda: self._inbox.uids_after(begin, since))
        for uid in uids[:AT_ONCE]:
            if stop.is_set():
                return False
            await self._take(validity, uid)
        return len(uids) > AT_ONCE

    async def _take(self, validity: int, uid: int) -> None:
        defects: list[str] = []
        try:
            found = await self._ask(lambda: self._inbox.letter(uid, LETTER_BYTES))
        except InboxError as error:
            self._failed[uid] = self._failed.get(uid, 0) + 1
            if error.gone or self._failed[uid] < TRIES:
                raise
            log.error("a letter cannot be fetched from its mailbox", mailbox=self._mailbox.name, uid=uid)
            defects.append(
                f"the server would not give this letter; it is in the mailbox {self._mailbox.name}, UID {uid}"
            )
            found = (f"X-Leadline-Mailbox: {self._mailbox.name}/{validity}/{uid}\r\n\r\n".encode(), True)
        if found is None:
            return  # removed meanwhile, by whoever owns the mailbox
        raw, whole = found
        if not whole:
            defects.append(
                f"larger than {LETTER_BYTES // (1024 * 1024)} MB: only its header is kept, the rest is in the mailbox "
                f"{self._mailbox.name}, UID {uid}"
            )
        async with self._pool.acquire() as connection, connection.transaction():
            taken = await self._post.take(
                raw,
                way="imap",
                source=self._mailbox.name,
                recipients=[self._mailbox.address],
                defects=defects,
                connection=connection,
            )
            await self._note(connection, validity, uid, taken)
        self._failed.pop(uid, None)

    async def _note(
        self, connection: Database, validity: int, uid: int, taken: Taken, *, skipped: bool = False
    ) -> None:
        await store.note_letter(
            connection,
            self._mailbox.name,
            validity,
            uid,
            outcome="skipped" if skipped else taken.outcome,
            inbound_id=taken.inbound_id,
            at=await self._clock.now(),
        )

    async def _ask(self, ask: Callable[[], T]) -> T:
        """Do what blocks in the mailbox's own thread, so that a hung server holds up nothing else."""
        asked = asyncio.get_running_loop().run_in_executor(self._thread, ask)
        try:
            async with asyncio.timeout(STEP_SECONDS):
                return await asked
        except TimeoutError:
            self._inbox.abort()
            raise InboxError(f"the server did not answer within {STEP_SECONDS:.0f} s") from None

    async def _abort_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._inbox.abort()

    async def _readable(self) -> None:
        READABLE.labels(self._mailbox.name).set(1)
        LOOKS.labels(self._mailbox.name, "done").inc()
        if not self._told_readable:
            async with self._pool.acquire() as connection:
                await store.clear_notice(connection, self._mailbox.name)
            log.info("the mailbox can be read", mailbox=self._mailbox.name)
            self._told_readable = True

    async def _unreadable(self, error: BaseException) -> None:
        self._told_readable = False
        READABLE.labels(self._mailbox.name).set(0)
        LOOKS.labels(self._mailbox.name, "failed").inc()
        what = str(error) if isinstance(error, InboxError) else f"a letter could not be kept ({type(error).__name__})"
        log.warning("the mailbox cannot be read", mailbox=self._mailbox.name, why=what)
        try:
            async with self._pool.acquire() as connection:
                await store.notice_unread(
                    connection, self._mailbox.name, f"the mailbox {self._mailbox.name} cannot be read: {what}"
                )
        except LOST:
            return  # the log has it; it is said again after the next look


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
