"""Opening a blob for somebody who asked: the original of a letter or one of its attachments, by its message.

Invariants: a blob is opened only under its own message, whose key is fetched anew, so one destroyed a second ago opens nothing
(M7); name and media type are the sender's word and only told on. Who may ask is the caller's to say. A lost database raises one
of `services.database.LOST`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from contracts.personal import Erased
from services.channels import store
from services.channels.blobs.keeping import BlobStore, read_blob
from services.channels.blobs.store import PostgresBlobs
from services.channels.errors import UnacceptableError
from services.database import Pool
from services.privacy.messages import open_message
from services.privacy.store import KeyRing


@dataclass(frozen=True, slots=True)
class OpenedBlob:
    """A blob ready to be read. `linked`: its message became or joined a lead."""

    name: str
    media_type: str
    size: int
    linked: bool
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True)
class BlobReader:
    """Opens blobs. `ring`: the keys of messages."""

    pool: Pool
    ring: KeyRing
    blobs: BlobStore = field(default_factory=PostgresBlobs)

    async def opened(self, inbound_id: UUID, blob: UUID) -> OpenedBlob:
        """The blob. Raises UnacceptableError: 404 no such message or blob, 410 erased; TamperedError while it is read."""
        async with self.pool.acquire() as connection:
            message = await store.message(connection, inbound_id)
            kept = await self.blobs.find(connection, inbound_id, blob)
            if message is None or kept is None:
                raise UnacceptableError(404, "no-such-blob", "this message has no such file", where="path")
            self.ring.forget([inbound_id])
            await self.ring.load(connection, [inbound_id])
        key = self.ring.key(inbound_id)
        raw = open_message(key, inbound_id, message.ciphertext)
        if key is None or isinstance(raw, Erased):
            raise UnacceptableError(410, "erased", "this message was erased with its person")
        name, media_type = named(raw, blob)
        return OpenedBlob(
            name, media_type, kept.size, message.lead is not None, read_blob(self.blobs, self.pool, key, kept)
        )


def named(body: bytes, blob: UUID) -> tuple[str, str]:
    """Name and media type of a blob by the body it belongs to; the original letter is `letter.eml`."""
    try:
        told = orjson.loads(body)
        files = told.get("attachments", []) if isinstance(told, dict) else []
        found = next((file for file in files if file["blob"] == str(blob)), None)
        if found is not None:
            return str(found["name"]), str(found["media_type"])
        if told.get("raw_blob") == str(blob):
            return "letter.eml", "message/rfc822"
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        pass  # a body that was mended into something else: the file is there all the same
    return f"{blob}.bin", "application/octet-stream"
