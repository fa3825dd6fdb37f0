"""Keeping and reading blobs: sealed under the key of their message, in pieces of 1 MB, behind a port.

Invariants: a blob is written in the transaction of its message's row, so neither is without the other; erasing the person
destroys the message's key, so the blob opens no more (M7); reading holds one piece in memory. `BlobStore` is the port: another
place for the pieces (S3) needs another adapter and nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.database import Database, Pool
from services.privacy.blobs import blob_hash, open_piece, seal_piece
from services.privacy.cipher import TamperedError

PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class NewBlob:
    """A blob to be kept. `content` gives its bytes on demand, so that one at a time is in memory."""

    blob: UUID
    content: Callable[[], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeptBlob:
    """A blob that is kept. `size`: bytes; `pieces`: how many it stands in, at least one; `hash`: keyed, 32 bytes."""

    blob: UUID
    inbound_id: UUID
    size: int
    pieces: int
    hash: bytes


class BlobStore(Protocol):
    """Where sealed pieces are."""

    async def put(self, connection: Database, kept: KeptBlob) -> None:
        """Note a blob; its pieces follow in the same transaction."""

    async def put_piece(self, connection: Database, blob: UUID, number: int, sealed: bytes) -> None:
        """Keep one sealed piece."""

    async def find(self, connection: Database, inbound_id: UUID, blob: UUID) -> KeptBlob | None:
        """A blob of this message; None where there is none."""

    async def piece(self, connection: Database, blob: UUID, number: int) -> bytes | None:
        """A sealed piece."""


async def keep_blobs(
    store: BlobStore, connection: Database, key: AESGCM, pepper: bytes, inbound_id: UUID, blobs: Sequence[NewBlob]
) -> None:
    """Seal and keep these blobs of a message, in the caller's transaction."""
    for new in blobs:
        content = await asyncio.to_thread(new.content)
        digest = await asyncio.to_thread(blob_hash, pepper, content)
        count = max(1, -(-len(content) // PIECE_BYTES))
        await store.put(connection, KeptBlob(new.blob, inbound_id, len(content), count, digest))
        view = memoryview(content)
        for number in range(count):
            piece = view[number * PIECE_BYTES : (number + 1) * PIECE_BYTES]
            sealed = seal_piece(key, new.blob, number, piece, last=number == count - 1)
            await store.put_piece(connection, new.blob, number, sealed)


async def read_blob(store: BlobStore, pool: Pool, key: AESGCM, kept: KeptBlob) -> AsyncIterator[bytes]:
    """The blob piece by piece. Raises TamperedError where one is missing or was changed."""
    for number in range(kept.pieces):
        async with pool.acquire() as connection:
            sealed = await store.piece(connection, kept.blob, number)
        if sealed is None:
            raise TamperedError(f"piece {number} of the blob {kept.blob} is missing")
        yield open_piece(key, kept.blob, number, sealed, last=number == kept.pieces - 1)


async def read_whole(store: BlobStore, pool: Pool, key: AESGCM, pepper: bytes, kept: KeptBlob) -> bytes:
    """The whole blob, checked against its keyed hash. Raises TamperedError."""
    content = b"".join([piece async for piece in read_blob(store, pool, key, kept)])
    if not hmac.compare_digest(blob_hash(pepper, content), kept.hash):
        raise TamperedError(f"the blob {kept.blob} is not what was kept")
    return content
