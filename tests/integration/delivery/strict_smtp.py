"""A mail server that does what a test says at each step, and holds the client to the letter of RFC 5321.

It takes down every fault of the client (bare line ends, wrong order, a SIZE that is not so, lines too long) in `faults`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

DROP, STALL = "drop", "stall"
ORDER = {"MAIL": "hello", "RCPT": "MAIL", "DATA": "RCPT"}


@dataclass
class Script:
    """`answers`: step → answer, `drop` (cut the connection) or `stall`. Steps: greeting, EHLO, AUTH, MAIL, RCPT, DATA, END.

    `after_bytes`: do `then` after so many bytes of the letter, before its end. `times`: how often the script is followed; later
    everything goes well (counted by step).
    """

    answers: dict[str, str] = field(default_factory=dict)
    offers: tuple[str, ...] = ("SIZE 1000000", "8BITMIME", "ENHANCEDSTATUSCODES")
    after_bytes: int | None = None
    then: str = DROP
    times: int = 1_000
    letters_a_connection: int = 1_000
    """After so many the server closes the connection, as it says in no answer."""


class StrictServer:
    """The server, and what it saw."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.port = 0
        self.connections = 0
        self.commands: list[str] = []
        self.letters: list[bytes] = []
        """Those whose end came, whatever was answered."""
        self.faults: list[str] = []
        self.closed = 0
        self._followed = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        task = asyncio.ensure_future(self._talk(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cut(self) -> None:
        """Cut every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await _Talk(self, reader, writer).run()
        self.closed += 1
        self._writers.discard(writer)
        writer.close()

    def said_at(self, step: str) -> str | None:
        """What the script has for this step, as long as it is followed."""
        wanted = self.script.answers.get(step)
        if wanted is None or self._followed >= self.script.times:
            return None
        self._followed += 1
        return wanted


class _DroppedError(ConnectionError):
    pass


class _Talk:
    def __init__(self, server: StrictServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.state, self.size, self.taken = "none", None, 0

    async def run(self) -> None:
        await self.answer("greeting", "220 strict.example ready")
        while self.taken < self.server.script.letters_a_connection:
            line = await self.reader.readuntil(b"\n")
            if not line.endswith(b"\r\n") or len(line) > 512 or b"\r" in line[:-2]:
                self.fault(f"a bad command line: {line[:40]!r}")
            command = line.rstrip(b"\r\n").decode()
            self.server.commands.append(command)
            verb = command.partition(" ")[0].upper()
            if verb in ORDER and self.state not in (ORDER[verb],):
                self.fault(f"{verb} after {self.state}")
            await self.obey(verb, command)
            if verb == "QUIT":
                return

    async def obey(self, verb: str, command: str) -> None:
        if verb == "EHLO":
            offers = ["strict.example", *self.server.script.offers]
            text = "\r\n".join(f"250{' ' if n == len(offers) - 1 else '-'}{offer}" for n, offer in enumerate(offers))
            await self.answer("EHLO", text)
            self.state = "hello"
        elif verb == "MAIL":
            found = re.search(r" SIZE=(\d+)", command)
            self.size = int(found[1]) if found else None
            if await self.answer(verb, "250 2.1.0 Ok"):
                self.state = verb
        elif verb == "RCPT":
            if await self.answer(verb, "250 2.1.5 Ok"):
                self.state = verb
        elif verb == "DATA":
            if await self.answer(verb, "354 go on", good="3"):
                await self.letter()
            self.state = "hello" if self.state == "letter" else self.state
        elif verb == "RSET":
            self.state = "hello"
            await self.answer(verb, "250 2.0.0 Ok")
        elif verb == "QUIT":
            await self.answer(verb, "221 2.0.0 Bye")
        elif verb == "AUTH":
            await self.answer(verb, "235 2.7.0 Ok")
        else:
            self.fault(f"an unknown command: {verb}")
            await self.say("500 5.5.2 what?")

    async def letter(self) -> None:
        self.state = "letter"
        got = b""
        while not got.endswith(b"\r\n.\r\n"):
            if self.server.script.after_bytes is not None and len(got) >= self.server.script.after_bytes:
                wanted = self.server.script.then
                if wanted == STALL:
                    await asyncio.Event().wait()
                if wanted != DROP:
                    await self.say(wanted)
                raise _DroppedError
            piece = await self.reader.read(1000)
            if not piece:
                raise _DroppedError
            got += piece
        lines = got[:-5].split(b"\r\n")
        if any(b"\n" in line or b"\r" in line for line in lines):
            self.fault("a bare line end")
        if any(len(line) > 998 for line in lines):
            self.fault("a line too long")
        if any(line.startswith(b".") and not line.startswith(b"..") for line in lines):
            self.fault("a dot that is not stuffed")
        raw = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines) + b"\r\n"
        if self.size is not None and self.size != len(raw):
            self.fault(f"SIZE={self.size}, and {len(raw)} came")
        self.server.letters.append(raw)
        self.taken += 1
        await self.answer("END", "250 2.0.0 Ok: queued as 4FzX9q1Z2Yz")

    async def answer(self, step: str, usual: str, good: str = "2") -> bool:
        """Answer as the script says, or as usual. Whether that was a yes."""
        wanted = self.server.said_at(step) or usual
        if wanted == STALL:
            await asyncio.Event().wait()
        if wanted == DROP:
            raise _DroppedError
        await self.say(wanted)
        if wanted.startswith("421"):
            raise _DroppedError
        return wanted.startswith(good)

    async def say(self, text: str) -> None:
        self.writer.write(text.encode() + b"\r\n")
        await self.writer.drain()

    def fault(self, text: str) -> None:
        self.server.faults.append(text)


@asynccontextmanager
async def strict(script: Script | None = None) -> AsyncIterator[StrictServer]:
    """A server at work; the client's faults fail the test."""
    made = StrictServer(script or Script())
    listening = await asyncio.start_server(made.connected, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    try:
        yield made
        assert made.faults == []
    finally:
        listening.close()
        await made.stop()
