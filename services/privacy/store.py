"""Keys in `vault.keys`, apart from the data they open; and the ring that caches them for 60 seconds.

Invariants: a destroyed key stays as a tombstone, so «never existed» and «destroyed» are told apart; a ring forgets a key when
told of the erasure, and in any case after `CACHE_SECONDS`. A ring may be shared by several at work at once: what `load` returns
stays theirs, whatever the ring forgets meanwhile. On failure of the database nothing is cached and the caller's
transaction fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.database import Database
from services.privacy.cipher import new_key, unwrap_key, wrap_key

CACHE_SECONDS = 60.0
CACHE_KEYS = 200_000


class KeyRing:
    """Keys in memory. `load` fetches the missing ones in one query; `key` answers from memory.

    `monotonic` gives seconds for the age of the cache; it is no business time.
    """

    def __init__(self, master: bytes, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._master = master
        self._monotonic = monotonic
        self._keys: dict[UUID, tuple[AESGCM | None, float]] = {}

    def key(self, key_id: UUID) -> AESGCM | None:
        """The key, or None when it was destroyed. Raises KeyError when `load` was not asked for it."""
        return self._keys[key_id][0]

    def forget(self, key_ids: Iterable[UUID]) -> None:
        """Drop keys at once (on PersonErased)."""
        for key_id in key_ids:
            self._keys.pop(key_id, None)

    def clear(self) -> None:
        """Drop all keys (on a lost connection: the database may have been restored)."""
        self._keys.clear()

    async def load(self, connection: Database, key_ids: Iterable[UUID]) -> dict[UUID, AESGCM | None]:
        """Have these keys in memory, and get them; an id without a row counts as destroyed (None)."""
        now = self._monotonic()
        oldest = now - CACHE_SECONDS
        loaded: dict[UUID, AESGCM | None] = {}
        wanted: list[UUID] = []
        for key_id in set(key_ids):
            held = self._keys.get(key_id)
            if held is None or held[1] < oldest:
                wanted.append(key_id)
            else:
                loaded[key_id] = held[0]
        if not wanted:
            return loaded
        if len(self._keys) + len(wanted) > CACHE_KEYS:
            self._keys.clear()
        rows = await connection.fetch("SELECT id, wrapped FROM vault.keys WHERE id = ANY($1::uuid[])", wanted)
        for key_id in wanted:
            self._keys[key_id] = (None, now)
        for key_id, wrapped in rows:
            if wrapped is not None:
                self._keys[key_id] = (AESGCM(unwrap_key(self._master, key_id, wrapped)), now)
        loaded.update((key_id, self._keys[key_id][0]) for key_id in wanted)
        return loaded

    def make(self, key_id: UUID) -> tuple[AESGCM, bytes]:
        """A new key, and the same wrapped for `insert_keys` in the transaction of its first use. Not held: see `hold`."""
        raw = new_key()
        return AESGCM(raw), wrap_key(self._master, key_id, raw)

    def hold(self, keys: Mapping[UUID, AESGCM]) -> None:
        """Have keys in memory that were made and are committed now."""
        now = self._monotonic()
        for key_id, key in keys.items():
            self._keys[key_id] = (key, now)


async def insert_keys(
    connection: Database, purpose: str, rows: Sequence[tuple[UUID, bytes]], persons: Sequence[UUID | None] = ()
) -> None:
    """Store new wrapped keys. `purpose`: person or message; `persons`: whose message it is, where known already."""
    if rows:
        owners = persons or [None] * len(rows)
        await connection.copy_records_to_table(
            "keys",
            schema_name="vault",
            columns=("id", "purpose", "wrapped", "person"),
            records=[(key_id, purpose, wrapped, owner) for (key_id, wrapped), owner in zip(rows, owners, strict=True)],
        )


async def link_messages(connection: Database, pairs: Sequence[tuple[UUID, UUID]]) -> None:
    """Recognition: these raw messages (first) are of these persons (second); erasing the person destroys them too."""
    if pairs:
        await connection.execute(
            """UPDATE vault.keys AS k SET person = p.person
               FROM unnest($1::uuid[], $2::uuid[]) AS p (message, person) WHERE k.id = p.message""",
            [pair[0] for pair in pairs],
            [pair[1] for pair in pairs],
        )


async def destroy_keys(connection: Database, person: UUID) -> list[UUID]:
    """M7: destroy the person's key and those of their raw messages. Returns the ids destroyed."""
    rows = await connection.fetch(
        """UPDATE vault.keys SET wrapped = NULL, destroyed_at = now()
           WHERE (id = $1 OR person = $1) AND destroyed_at IS NULL RETURNING id""",
        person,
    )
    return [row[0] for row in rows]
