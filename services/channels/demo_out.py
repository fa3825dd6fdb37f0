"""Where the demo's letters and short messages go: `leadline up --demo` without ways out of its own makes files of them (R3).

A person who tries the system out sees what its robots wrote; nothing leaves the machine. Invariants: a letter is answered 250
once its file is whole; a file that cannot be written is 451, so that the letter is tried again; letters are numbered in the order
in which they came, and none is ever written over; a short message is one file by its id, however often it comes. Only this user
may read the folder.
"""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path
from uuid import UUID

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.health import Health
from services.serving import listen

FOLDER = "demo-mail"
"""Within the data folder."""
LETTER_BYTES = 10 * 1024 * 1024
_NAME = re.compile(r"([0-9]{6,})\.eml")

log = structlog.get_logger(__name__)
logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd logs addresses


class DemoOut:
    """Where letters and short messages of the demo go: `FOLDER` of the data folder."""

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER
        self._writing = asyncio.Lock()

    async def serve(self, host: str, port: int, health: Health, stop: asyncio.Event) -> None:
        """Take letters until `stop`. Raises OSError when the port is taken."""
        health.expect("demo mail")
        socket = listen(host, port)
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: SMTP(
                    self, data_size_limit=LETTER_BYTES, enable_SMTPUTF8=True, hostname="demo", ident="Leadline"
                ),
                sock=socket,
            )
        except BaseException:
            socket.close()
            raise
        health.ready("demo mail")
        try:
            await stop.wait()
        finally:
            health.unready("demo mail", "stopped")
            server.close()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a letter."""
        assert isinstance(envelope.content, bytes)
        try:
            async with self._writing:
                await asyncio.to_thread(self._keep, envelope.content)
        except OSError as error:
            log.warning("a letter of the demo was not written", error=type(error).__name__)
            return "451 4.3.0 The file could not be written"
        return "250 2.0.0 Kept"

    async def short_message(self, message: UUID, to: str, text: str) -> None:
        """Keep a short message. Raises OSError."""
        content = f"{to}\n\n{text}\n".encode("utf-8", "replace")
        async with self._writing:
            await asyncio.to_thread(self._write, f"sms-{message}.txt", content)

    def _keep(self, letter: bytes) -> None:
        there = self.folder.iterdir() if self.folder.exists() else ()
        numbers = [int(found[1]) for each in there if (found := _NAME.fullmatch(each.name))]
        self._write(f"{max(numbers, default=0) + 1:06}.eml", letter)

    def _write(self, name: str, content: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.folder / f"{name}.part"
        part.write_bytes(content)
        part.rename(self.folder / name)
