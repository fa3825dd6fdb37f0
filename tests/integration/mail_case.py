"""What tests of mail share: a listener on a real Postgres, a real SMTP client, and an eye for what was kept."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import orjson

from contracts.inbound import MailBody
from services.channels.blobs.keeping import read_whole
from services.channels.blobs.store import PostgresBlobs
from services.channels.intake import Intake
from services.channels.mail.reading.company import Company
from services.channels.mail.smtp import Listener
from services.channels.mail.taking import Post
from services.clock import SystemClock
from services.database import Pool
from services.health import Health
from services.privacy.messages import open_message
from services.privacy.store import KeyRing
from services.settings import Settings

COMPANY = ("leads@firma.example", "info@firma.example", "@sales.example")
OWN_DOMAIN = "id.firma.example"
LIMIT = 60.0
CLIENTS = ThreadPoolExecutor(32)
"""Threads of the clients: those of the loop are the listener's, which must not wait for its own clients."""


class Mail:
    """A post over a database, and what it kept."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self.settings, self.pool = settings, pool
        intake = Intake(pool, SystemClock(), settings.master_key_bytes, settings.pepper_bytes)
        self.post = Post(intake, Company.of(COMPANY), OWN_DOMAIN)

    async def kept(self) -> list[tuple[UUID, str, dict[str, Any]]]:
        """(id, account, body) of each message, oldest first; a body whose key was destroyed is left out."""
        rows = await self.pool.fetch(
            "SELECT id, account, ciphertext FROM leadline.intake WHERE channel = 'mail' ORDER BY id"
        )
        ring = KeyRing(self.settings.master_key_bytes)
        await ring.load(self.pool, [row["id"] for row in rows])
        found = []
        for row in rows:
            opened = open_message(ring.key(row["id"]), row["id"], row["ciphertext"])
            if isinstance(opened, bytes):
                found.append((row["id"], row["account"], orjson.loads(opened)))
        return found

    async def bodies(self) -> list[MailBody]:
        """The letters that were kept, oldest first."""
        return [MailBody.model_validate(body) for _, _, body in await self.kept()]

    async def blob(self, inbound_id: UUID, blob: UUID) -> bytes:
        """A blob's bytes."""
        store, ring = PostgresBlobs(), KeyRing(self.settings.master_key_bytes)
        async with self.pool.acquire() as connection:
            await ring.load(connection, [inbound_id])
            found = await store.find(connection, inbound_id, blob)
        key = ring.key(inbound_id)
        assert found is not None
        assert key is not None
        return await read_whole(store, self.pool, key, self.settings.pepper_bytes, found)


@asynccontextmanager
async def listening(mail: Mail, *, per_minute: int = 100_000) -> AsyncIterator[Listener]:
    """A listener at work."""
    listener, stop, health = Listener(mail.post, "mx.firma.example", per_minute), asyncio.Event(), Health("door")
    health.expect("smtp")
    serving = asyncio.create_task(listener.serve("127.0.0.1", 0, health, stop, within=LIMIT))
    try:
        async with asyncio.timeout(LIMIT):
            while not health.is_ready():
                if serving.done():
                    serving.result()
                await asyncio.sleep(0.01)
        yield listener
    finally:
        stop.set()
        await asyncio.wait_for(serving, LIMIT)


def letter(text: str = "Нужна кухня", *, headers: str = "", subject: str = "Заявка") -> bytes:
    """A plain letter as a mailer would send it."""
    head = (
        "From: Anna <anna@client.example>\r\nTo: leads@firma.example\r\n"
        f"Subject: {subject}\r\nDate: Sun, 22 Nov 2026 12:00:00 +0300\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n{headers}\r\n"
    )
    return (head + text.replace("\n", "\r\n") + "\r\n").encode()


async def send(
    listener: Listener, raw: bytes, *, to: list[str] | None = None, sender: str = "anna@client.example"
) -> tuple[int, str]:
    """Send with the standard library's client; the last answer."""

    def talk() -> tuple[int, str]:
        with smtplib.SMTP("127.0.0.1", listener.port, timeout=LIMIT) as client:
            client.ehlo("client.example")
            code, said = client.mail(sender, [f"size={len(raw)}"])
            for recipient in to or ["leads@firma.example"]:
                if code < 400:
                    code, said = client.rcpt(recipient)
            if code < 400:
                try:
                    code, said = client.data(raw)
                except smtplib.SMTPDataError as error:  # refused before the letter was sent
                    return error.smtp_code, str(error.smtp_error)
            return code, said.decode()

    return await asyncio.get_running_loop().run_in_executor(CLIENTS, talk)
