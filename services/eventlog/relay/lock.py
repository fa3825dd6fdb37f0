"""The one connection of a shard: it holds the advisory locks and does all the relay's SQL.

Invariants: whoever holds a topic's lock is its only publisher; the locks end with the connection, so nothing is deleted
or noted by a relay that lost them. Both ends notice a dead peer within `KEEPALIVE_SECONDS`; the server ends a session that
says nothing for `SILENT_SECONDS` (a frozen process must not hold the lock). A lost connection raises one of `LOST`.
"""

from __future__ import annotations

import asyncio
import socket
import time
import zlib
from collections.abc import Iterable
from typing import Final

import asyncpg

from services.database import BY_INDEX, CONNECT_SECONDS, Database
from services.eventlog.relay import store
from services.settings import Settings

TOPIC_CLASS: Final = 7301
"""First half of the locks' keys: who publishes a topic. `services.eventlog.migrate` has 7303."""
ASIDE_CLASS: Final = 7302
"""Held by who wants the relay to let a topic go."""
KEEPALIVE_SECONDS: Final = 5
SILENT_SECONDS: Final = 20
STATEMENT_SECONDS: Final = 30.0
HEARTBEAT_SECONDS: Final = 3.0
RETRY_SECONDS: Final = 0.2


def lock_key(topic: str) -> int:
    """Second half of a topic's lock: a signed 32-bit number. Two topics that share one only exclude each other."""
    return int.from_bytes(zlib.crc32(topic.encode()).to_bytes(4, "big"), "big", signed=True)


class ShardConnection:
    """A connection that may hold the locks of a set of topics. Not for use by two tasks at once."""

    def __init__(self, database: Database, topics: Iterable[str]) -> None:
        self.database = database
        self.topics = sorted(topics)
        self._keys = sorted({lock_key(topic) for topic in self.topics})
        self._used = time.monotonic()

    @classmethod
    async def open(cls, settings: Settings, topics: Iterable[str], name: str = "leadline-relay") -> ShardConnection:
        """Connect, without any lock yet. Raises one of `LOST`."""
        connection = await asyncpg.connect(
            settings.database_url.get_secret_value(),
            timeout=CONNECT_SECONDS,
            command_timeout=STATEMENT_SECONDS,
            server_settings={
                "application_name": name,
                "tcp_keepalives_idle": "2",
                "tcp_keepalives_interval": "1",
                "tcp_keepalives_count": str(KEEPALIVE_SECONDS - 2),
                "tcp_user_timeout": str(KEEPALIVE_SECONDS * 1000),
                "idle_session_timeout": f"{SILENT_SECONDS}s",
                "idle_in_transaction_session_timeout": "60s",
                "jit": "off",
                **BY_INDEX,  # the outbox is empty most of the time
            },
        )
        _keep_alive(connection)
        return cls(connection, topics)

    async def acquire(self) -> bool:
        """Take the locks of all topics, or none: another relay has one, or somebody wants us aside."""
        self._used = time.monotonic()
        if not await store.nobody_wants_aside(self.database, ASIDE_CLASS, self._keys):
            return False
        if await store.try_locks(self.database, TOPIC_CLASS, self._keys):
            return True
        await store.unlock_all(self.database)
        return False

    async def acquire_before(self, limit: float) -> bool:
        """Ask the relay to stand aside and take its place, waiting at most `limit` seconds. False: it did not let go."""
        deadline = time.monotonic() + limit
        while not await store.try_locks(self.database, ASIDE_CLASS, self._keys):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(RETRY_SECONDS)
        while not await store.try_locks(self.database, TOPIC_CLASS, self._keys):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(RETRY_SECONDS)
        return True

    async def wanted_aside(self) -> bool:
        """Whether somebody asks for one of our topics."""
        self._used = time.monotonic()
        return not await store.nobody_wants_aside(self.database, ASIDE_CLASS, self._keys)

    async def alive(self) -> None:
        """Say something after a while of silence. Raises one of `LOST` when the connection, and so the lock, is gone."""
        if time.monotonic() - self._used > HEARTBEAT_SECONDS:
            await store.heartbeat(self.database)
            self._used = time.monotonic()

    async def close(self) -> None:
        """End the session and with it the locks; at once, whatever state it is in."""
        self.database.terminate()


def _keep_alive(connection: Database) -> None:
    made = connection._transport.get_extra_info("socket")
    if made is None or made.family not in (socket.AF_INET, socket.AF_INET6):
        return
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wanted = {"TCP_KEEPIDLE": 2, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": KEEPALIVE_SECONDS - 2}
    wanted["TCP_USER_TIMEOUT"] = KEEPALIVE_SECONDS * 1000
    for name, value in wanted.items():
        if hasattr(socket, name):  # not every system knows each
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
