"""One bound SMPP 3.4 session: requests out with their answers, what the centre asks answered, the line watched.

The PDUs are those of `aiosmpplib` 0.7.4. Its `ESME` is not used, for it would lose what the outcome rests on: a status that it
does not know (vendors' own, 0x400 and above) ends its session, a failed send is logged with phone and text, long texts are cut by
characters and not by septets, sockets are left open, and there is no TLS.

Invariants: every request ends, with an answer or one of the errors below; an error says whether anything may have arrived.
A line that does not answer `enquire_link` is cut. An incoming short message is rejected (0x66), never taken and lost: no channel
reads it. What the centre sends that is no SMPP ends the session.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiosmpplib import BindTransceiver, EnquireLink, Unbind  # type: ignore[import-untyped]

from services.ways_out import SmppCenter

_HEADER: Final = struct.Struct("!IIII")
_LONGEST: Final = 128 * 1024
"""Octets; message_payload holds up to 64 KB."""
_RESPONSE: Final = 0x8000_0000
_GENERIC_NACK, _DELIVER_SM, _UNBIND, _ENQUIRE_LINK = 0x8000_0000, 0x05, 0x06, 0x15
_OK, _UNKNOWN_COMMAND, _REJECTED = 0x00, 0x03, 0x66
_RECEIPT: Final = 0x04
UNBIND_SECONDS: Final = 0.5

log = structlog.get_logger(__name__)


class BindRefusedError(Exception):
    """The centre does not let us in. `status`: SMPP 3.4, 5.1.3."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused: 0x{status:02x}")
        self.status = status


class SessionLostError(Exception):
    """There is no session (any more). `sent`: the request may have arrived."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__("the session is lost")
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: `status` of SMPP 3.4, 5.1.3, or a vendor's own; `body` without the header."""

    status: int
    body: bytes


class Session:
    """A session as a transceiver. Made by `bind`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> None:
        self._reader, self._writer, self._timeout = reader, writer, timeout
        self._waiting: dict[int, asyncio.Future[Response]] = {}
        self._last = 0
        self._heard = asyncio.get_running_loop().time()
        self._tasks = [asyncio.create_task(self._listen())]

    @classmethod
    async def bind(cls, center: SmppCenter, context: ssl.SSLContext | None) -> Session:
        """A bound session. Raises BindRefusedError, SessionLostError, OSError (ssl.SSLError among them), TimeoutError."""
        async with asyncio.timeout(center.timeout):
            reader, writer = await asyncio.open_connection(center.host, center.port, ssl=context)
        session = cls(reader, writer, center.timeout)
        try:
            answer = await session.ask(
                BindTransceiver(system_id=center.system_id, password=center.password.get_secret_value())
            )
        except BaseException:
            await session.cut()
            raise
        if answer.status != _OK:
            await session.cut()
            raise BindRefusedError(answer.status)
        session._tasks.append(asyncio.create_task(session._watch(center.enquire_every)))
        return session

    @property
    def alive(self) -> bool:
        """Whether a request can be sent."""
        return not self._tasks[0].done() and not self._writer.is_closing()

    async def ask(self, request: Any) -> Response:
        """Send a request of `aiosmpplib` and wait for its answer. Raises SessionLostError; TimeoutError: it may have arrived."""
        if not self.alive:
            raise SessionLostError(sent=False)
        self._last = number = self._last % 0x7FFF_FFFF + 1
        request.sequence_num = number
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(self._timeout):
                self._writer.write(request.pdu())
                await self._writer.drain()
                return await answer
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise SessionLostError(sent=True) from None
        finally:
            del self._waiting[number]
            if answer.done() and not answer.cancelled():
                answer.exception()  # when writing failed first, nobody else looks at it

    async def unbind(self) -> None:
        """Say goodbye, wait a moment for the answer, and let go."""
        if self.alive:
            with suppress(SessionLostError, TimeoutError):
                async with asyncio.timeout(UNBIND_SECONDS):
                    await self.ask(Unbind())
        await self.cut()

    async def cut(self) -> None:
        """Let go of the connection; what waits for an answer gets SessionLostError."""
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._end()
        await asyncio.gather(
            *(task for task in self._tasks if task is not asyncio.current_task()), return_exceptions=True
        )

    async def _listen(self) -> None:
        try:
            while True:
                header = await self._reader.readexactly(_HEADER.size)
                length, command, status, number = _HEADER.unpack(header)
                if not _HEADER.size <= length <= _LONGEST:
                    log.warning("the message centre sent what is no SMPP", length=length)
                    return
                body = await self._reader.readexactly(length - _HEADER.size)
                self._heard = asyncio.get_running_loop().time()
                if command & _RESPONSE:
                    waiting = self._waiting.get(number)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(Response(status, body))
                elif not await self._answered(command, number, body):
                    return
        except (asyncio.IncompleteReadError, OSError):
            return  # TimeoutError of an answer that the centre does not read is an OSError too
        finally:
            self._end()

    async def _answered(self, command: int, number: int, body: bytes) -> bool:
        """Answer what the centre asks; False: that was the end of the session."""
        if command == _DELIVER_SM:
            # registered_delivery asks for no receipt; one that comes anyway is nothing that would be lost
            status = _OK if _esm_class(body) & 0x3C == _RECEIPT else _REJECTED
            if status != _OK:
                log.warning("an incoming short message was rejected: no channel reads it")
            await self._reply(command, status, number, b"\0")
        elif command in (_ENQUIRE_LINK, _UNBIND):
            await self._reply(command, _OK, number)
        else:
            await self._reply(_GENERIC_NACK, _UNKNOWN_COMMAND, number)
        return command != _UNBIND

    async def _reply(self, command: int, status: int, number: int, body: bytes = b"") -> None:
        async with asyncio.timeout(self._timeout):
            self._writer.write(_HEADER.pack(_HEADER.size + len(body), command | _RESPONSE, status, number) + body)
            await self._writer.drain()

    async def _watch(self, every: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._heard + every - loop.time()))
            if loop.time() < self._heard + every:
                continue
            try:
                await self.ask(EnquireLink())
            except (SessionLostError, TimeoutError):
                log.warning("the message centre does not answer: the session is cut")
                await self.cut()
                return

    def _end(self) -> None:
        """Close the connection at once and tell whoever waits."""
        self._writer.transport.abort()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(SessionLostError(sent=True))


def _esm_class(body: bytes) -> int:
    """Of a deliver_sm (SMPP 3.4, 4.6.1); 0 when it is cut short."""
    at = body.find(b"\0") + 1  # service_type
    for _ in range(2):  # the addresses: type, plan, digits
        at = body.find(b"\0", at + 2) + 1
        if at == 0:
            return 0
    return body[at] if at < len(body) else 0
