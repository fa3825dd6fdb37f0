"""Letters to a mail server: the adapter that the delivery service calls (R3, decision 9).

Invariants: «done» means that the next server answered 250 to the whole letter; a letter whose end was written and whose answer
was not heard is in doubt and never sent again from here; a connection that the server had closed meanwhile is made anew, which
is harmless because no letter was on it. Certificates are verified. Nothing of a letter and no word of the server is logged or
given out in a reason. Every wait has a limit: a call takes at most `longest` seconds.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence

from services.delivery.mail.composing import UnsendableError, Written, compose
from services.delivery.mail.session import EndedError, Session
from services.delivery.port import Done, Later, Letter, Outcome, Refused
from services.ways_out import OutgoingMail

IDLE_SECONDS = 15.0
"""How long a connection without a letter is kept; servers cut them off after minutes."""
LETTERS_A_CONNECTION = 50
"""Several servers take no more on one."""


class SmtpAdapter:
    """The way out for letters, one after another over a connection that is kept. `tls`: instead of the system's trusted
    certificates. `monotonic`: seconds."""

    def __init__(
        self,
        settings: OutgoingMail,
        *,
        tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mail, self._monotonic = settings, monotonic
        self._tls = None if settings.security == "none" else tls or ssl.create_default_context()
        self._idle: list[tuple[Session, float]] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def provider(self) -> str:
        """The server's name."""
        return self._mail.host

    @property
    def most(self) -> int:
        """Letters go one by one, so that each has its own answer."""
        return 1

    @property
    def longest(self) -> float:
        """Seconds that one letter may take: two beginnings, a sign-in, the answer."""
        return 3 * self._mail.timeout + self._mail.answer_timeout

    async def carry_out(self, effects: Sequence[Letter]) -> list[Outcome]:
        """What became of each letter, in their order."""
        return [await self._send(letter) for letter in effects]

    async def close(self) -> None:
        """Leave the server; within a second. Letters on the way get to their end."""
        self._closed = True
        idle, self._idle = self._idle, []
        for session, _ in idle:
            self._leave(session)
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=0.9)

    async def _send(self, letter: Letter) -> Outcome:
        try:
            written = compose(letter, self._mail)
        except UnsendableError as error:
            return Refused(error.code)
        return await self._sent(written)

    async def _sent(self, written: Written) -> Outcome:
        if self._closed:
            return Later("closing")
        session = self._kept()
        try:
            if session is not None and not await _is_taken_up(session, written):
                session = None
            if session is None:
                session = await Session.open(self._mail, self._tls)
                await session.hand_over(written)
            outcome: Outcome = await session.finish()
            usable = True
        except EndedError as ended:
            outcome, usable = ended.outcome, ended.usable
        if session is not None:
            await self._let_go(session, usable, outcome)
        return outcome

    async def _let_go(self, session: Session, usable: bool, outcome: Outcome) -> None:
        """Keep a connection that can take another letter."""
        try:
            usable = usable and (isinstance(outcome, Done) or await session.reset())
        except BaseException:
            session.abort()
            raise
        if not usable:
            session.abort()
        elif self._closed or session.letters >= LETTERS_A_CONNECTION or not session.is_open:
            self._leave(session)
        else:
            self._idle.append((session, self._monotonic()))

    def _kept(self) -> Session | None:
        """A connection that waits, the last one used first; those that waited too long are left."""
        now = self._monotonic()
        while self._idle:
            session, since = self._idle.pop()
            if session.is_open and now - since <= IDLE_SECONDS:
                return session
            self._leave(session)
        return None

    def _leave(self, session: Session) -> None:
        task = asyncio.create_task(session.quit(), name="mail-leaves-its-server")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _is_taken_up(session: Session, written: Written) -> bool:
    """Hand a letter over on a connection that had waited. False: the server had closed it, so nothing of the letter was said."""
    try:
        await session.hand_over(written)
    except EndedError as ended:
        if ended.step == "sender" and ended.outcome.reason.startswith(("connection_lost", "server_closing")):
            return False
        raise
    return True
