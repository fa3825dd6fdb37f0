"""A strict message centre: SMPP 3.4 by hand, from the standard and not from any library, so that it can prove one wrong.

It binds transceivers, takes submit_sm, answers enquire_link and unbind, and refuses whatever the standard refuses: PDUs out of
their state, lengths that do not add up, fields that do not end, sequence numbers that repeat. What a test wants otherwise it
says in `Smsc`. Section numbers are those of «SMPP Protocol Specification v3.4, 12-Oct-1999, Issue 1.2».
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

GENERIC_NACK, SUBMIT_SM, DELIVER_SM, UNBIND, BIND_TRANSCEIVER, ENQUIRE_LINK = (
    0x80000000, 0x04, 0x05, 0x06, 0x09, 0x15,
)  # fmt: skip
RESPONSE = 0x80000000
ROK, INVALID_LENGTH, INVALID_COMMAND, INVALID_BIND_STATUS, INVALID_PASSWORD, INVALID_SYSTEM_ID = 0, 2, 3, 4, 0x0E, 0x0F
INVALID_DESTINATION, INVALID_ESM_CLASS = 0x0B, 0x43
MESSAGE_PAYLOAD = 0x0424


class MalformedError(Exception):
    """What the other side sent is no SMPP."""


@dataclass(frozen=True)
class Taken:
    """One submit_sm."""

    source: tuple[int, int, str]
    destination: tuple[int, int, str]
    esm_class: int
    registered_delivery: int
    data_coding: int
    short_message: bytes
    tlv: dict[int, bytes]

    @property
    def concatenation(self) -> tuple[int, int, int] | None:
        """(reference, parts, number) of its user data header."""
        if not self.esm_class & 0x40:
            return None
        length, kind, size, reference, parts, number = self.short_message[:6]
        assert (length, kind, size) == (5, 0, 3)
        assert 1 <= number <= parts
        return reference, parts, number

    @property
    def text(self) -> bytes:
        """Its octets without the header."""
        return self.tlv.get(MESSAGE_PAYLOAD) or self.short_message[6 if self.esm_class & 0x40 else 0 :]


@dataclass
class Smsc:
    """The centre: what it knows, what it got, how it behaves."""

    system_id: str = "firma"
    password: str = "secret08"
    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    binds: int = 0
    unbound: int = 0
    enquiries: int = 0
    answers: list[tuple[int, int, int]] = field(default_factory=list)
    """(command, status, sequence) of what the other side answered to our own requests."""
    faults: list[str] = field(default_factory=list)
    """What the other side did against the standard."""
    status: Callable[[Taken], int | None] = lambda _taken: ROK
    """The status of each submit_sm; None: no answer at all."""
    bind_status: int | None = None
    answers_binds: bool = True
    answers_enquiries: bool = True
    answers_unbinds: bool = True
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.writers.append(writer)
        try:
            await self._session(reader, writer)
        except MalformedError as error:
            self.faults.append(str(error))
        except (asyncio.IncompleteReadError, OSError):
            pass  # gone
        finally:
            self.writers.remove(writer)
            writer.transport.abort()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bound, last = False, 0
        while True:
            length, command, status, sequence = struct.unpack("!IIII", await reader.readexactly(16))  # 3.2
            if not 16 <= length <= 70_000:
                raise MalformedError(f"command_length {length}")
            body = await reader.readexactly(length - 16)
            if command & RESPONSE:
                self.answers.append((command, status, sequence))
                continue
            if status != 0:
                raise MalformedError("command_status of a request must be NULL")  # 3.2
            if not last < sequence <= 0x7FFFFFFF:
                raise MalformedError(f"sequence_number {sequence} after {last}")
            last = sequence
            if command == BIND_TRANSCEIVER:
                code = self._bind(body) if not bound else 0x05
                if not self.answers_binds:
                    continue
                bound = code == ROK
                self.binds += bound
                # 4.1.6; a body only with success
                await self._answer(writer, command, code, sequence, b"strict\0" if bound else b"")
            elif not bound:
                self.faults.append(f"0x{command:02x} before a bind")
                await self._answer(writer, command, INVALID_BIND_STATUS, sequence)
            elif command == SUBMIT_SM:
                message = submit(body)
                code_or_none = self.status(message)
                if code_or_none == ROK:
                    self.taken.append(message)
                if code_or_none is not None:
                    body = f"id-{len(self.taken)}\0".encode() if code_or_none == ROK else b""
                    await self._answer(writer, command, code_or_none, sequence, body)
            elif command == ENQUIRE_LINK:
                self.enquiries += 1
                if self.answers_enquiries:
                    await self._answer(writer, command, ROK, sequence)
            elif command == UNBIND:
                self.unbound += 1
                if self.answers_unbinds:
                    await self._answer(writer, command, ROK, sequence)
                    return
            else:
                self.faults.append(f"command 0x{command:08x}")
                await self._answer(writer, GENERIC_NACK, INVALID_COMMAND, sequence)

    def _bind(self, body: bytes) -> int:
        """4.1.5."""
        fields = Fields(body)
        system_id, password, _type = fields.text(16), fields.text(9), fields.text(13)
        version, _ton, _npi = fields.octet(), fields.octet(), fields.octet()
        fields.text(41)
        fields.end()
        if version != 0x34:
            raise MalformedError(f"interface_version 0x{version:02x}")
        if self.bind_status is not None:
            return self.bind_status
        if system_id != self.system_id:
            return INVALID_SYSTEM_ID
        return ROK if password == self.password else INVALID_PASSWORD

    async def _answer(
        self, writer: asyncio.StreamWriter, command: int, status: int, sequence: int, body: bytes = b""
    ) -> None:
        writer.write(struct.pack("!IIII", 16 + len(body), command | RESPONSE, status, sequence) + body)
        await writer.drain()

    async def send(self, raw: bytes) -> None:
        """Send these octets to whoever is connected."""
        for writer in self.writers:
            writer.write(raw)
            await writer.drain()

    def hang_up(self) -> None:
        """Cut every connection."""
        for writer in self.writers:
            writer.transport.abort()


class Fields:
    """The fields of a body, in their order."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def text(self, most: int) -> str:
        """A C-octet string of at most so many octets, its NULL included (3.1)."""
        end = self._body.find(b"\0", self._at)
        if end < 0 or end + 1 - self._at > most:
            raise MalformedError(f"a C-octet string at {self._at} is longer than {most}, or does not end")
        found = self._body[self._at : end]
        self._at = end + 1
        if not found.isascii():
            raise MalformedError("a C-octet string is ASCII")
        return found.decode()

    def octet(self) -> int:
        """One octet."""
        return self.octets(1)[0]

    def octets(self, count: int) -> bytes:
        """So many octets."""
        found = self._body[self._at : self._at + count]
        if len(found) < count:
            raise MalformedError("the body is cut short")
        self._at += count
        return found

    def tlv(self) -> dict[int, bytes]:
        """The optional parameters: all that is left (3.2.4.1)."""
        found: dict[int, bytes] = {}
        while self._at < len(self._body):
            tag, length = struct.unpack("!HH", self.octets(4))
            if tag in found:
                raise MalformedError(f"parameter 0x{tag:04x} twice")
            found[tag] = self.octets(length)
        return found

    def end(self) -> None:
        """Nothing is left."""
        if self._at != len(self._body):
            raise MalformedError("the body is longer than its fields")


def submit(body: bytes) -> Taken:
    """4.4.1."""
    fields = Fields(body)
    fields.text(6)
    source = (fields.octet(), fields.octet(), fields.text(21))
    destination = (fields.octet(), fields.octet(), fields.text(21))
    esm_class, _protocol, _priority = fields.octet(), fields.octet(), fields.octet()
    schedule, validity = fields.text(17), fields.text(17)
    if {len(schedule), len(validity)} - {0, 16}:
        raise MalformedError("a time is empty or 16 characters")
    registered, _replace, coding, _default = fields.octet(), fields.octet(), fields.octet(), fields.octet()
    length = fields.octet()
    if length > 254:
        raise MalformedError("sm_length is at most 254")  # 5.2.21
    message = fields.octets(length)
    tlv = fields.tlv()
    if tlv.get(MESSAGE_PAYLOAD) is not None and length:
        raise MalformedError("message_payload and short_message together")  # 5.3.2.32
    return Taken(source, destination, esm_class, registered, coding, message, tlv)


def deliver(sequence: int, text: bytes, *, esm_class: int = 0, tlv: bytes = b"") -> bytes:
    """A deliver_sm (4.6.1)."""
    body = b"\0\x01\x0179160000000\0\x05\0Firma\0" + bytes((esm_class, 0, 0)) + b"\0\0" + bytes((0, 0, 0, 0, len(text)))
    body += text + tlv
    return struct.pack("!IIII", 16 + len(body), DELIVER_SM, 0, sequence) + body


@asynccontextmanager
async def running(smsc: Smsc, context: ssl.SSLContext | None = None) -> AsyncIterator[Smsc]:
    """The centre on a free port of 127.0.0.1. At the end: nothing was done against the standard."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        task.add_done_callback(serving.discard)
        await smsc.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", smsc.port, ssl=context)
    smsc.port = server.sockets[0].getsockname()[1]
    try:
        yield smsc
    finally:
        server.close()
        for task in tuple(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
    assert smsc.faults == []
