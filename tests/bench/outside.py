"""The other side of two ways out for (h), in a process of its own: a mail server and an HTTP server that say yes to everything.

`python -m tests.bench.outside` prints one line of JSON with both ports, serves until its standard input ends, then prints
how many letters and calls came, and how many different ones there were (by Message-ID and by `webhook-id`).
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import orjson

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_WEBHOOK_ID = re.compile(rb"^webhook-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_HELLO = b"250-bench\r\n250-8BITMIME\r\n250 SIZE 1000000\r\n"

letters: list[bytes] = []
calls: list[bytes] = []


async def mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One SMTP connection."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        writer.write(b"220 bench ready\r\n")
        while True:
            verb = (await reader.readuntil(b"\r\n"))[:4].upper()
            if verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                found = _MESSAGE_ID.search(await reader.readuntil(b"\r\n.\r\n"))
                letters.append(found[1] if found else b"")
            writer.write(_HELLO if verb == b"EHLO" else b"250 ok\r\n")
    writer.close()


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One HTTP connection."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length, found = _LENGTH.search(head), _WEBHOOK_ID.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
            calls.append(found[1] if found else b"")
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    writer.close()


async def main() -> None:
    """Serve until nobody listens any more."""
    servers = [await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20) for serve in (mail, http)]
    smtp, web = (server.sockets[0].getsockname()[1] for server in servers)
    print(orjson.dumps({"smtp": smtp, "http": web}).decode(), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    counted = {"letters": len(letters), "calls": len(calls)}
    different = {"different_letters": len(set(letters)), "different_calls": len(set(calls))}
    print(orjson.dumps({**counted, **different}).decode(), flush=True)


class Outside:
    """The other side as the benchmark sees it: `ports` by name (smtp, http)."""

    def __init__(self, process: asyncio.subprocess.Process, ports: dict[str, int]) -> None:
        self._process, self.ports = process, ports

    async def counts(self) -> dict[str, int]:
        """End it; what came."""
        said, _ = await self._process.communicate(b"")  # which closes its input
        counted: dict[str, int] = orjson.loads(said)
        return counted


@asynccontextmanager
async def outside_world() -> AsyncIterator[Outside]:
    """Both servers at work, in their process."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.outside", stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    try:
        yield Outside(process, orjson.loads(await process.stdout.readline()))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
