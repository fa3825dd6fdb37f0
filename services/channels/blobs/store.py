"""All SQL of blobs: the Postgres adapter of `BlobStore`.

Invariants: pieces are written with their blob's row and never changed; they are sealed already and told apart by (blob, number).
"""

from __future__ import annotations

from uuid import UUID

from services.channels.blobs.keeping import KeptBlob
from services.database import Database


class PostgresBlobs:
    """Pieces in `leadline.blob_pieces`."""

    async def put(self, connection: Database, kept: KeptBlob) -> None:
        """Note a blob; its pieces follow in the same transaction."""
        await connection.execute(
            "INSERT INTO leadline.blobs (id, inbound_id, size, pieces, hash) VALUES ($1, $2, $3, $4, $5)",
            kept.blob,
            kept.inbound_id,
            kept.size,
            kept.pieces,
            kept.hash,
        )

    async def put_piece(self, connection: Database, blob: UUID, number: int, sealed: bytes) -> None:
        """Keep one sealed piece."""
        await connection.execute(
            "INSERT INTO leadline.blob_pieces (blob, number, ciphertext) VALUES ($1, $2, $3)", blob, number, sealed
        )

    async def find(self, connection: Database, inbound_id: UUID, blob: UUID) -> KeptBlob | None:
        """A blob of this message; None where there is none."""
        row = await connection.fetchrow(
            "SELECT id, inbound_id, size, pieces, hash FROM leadline.blobs WHERE id = $1 AND inbound_id = $2",
            blob,
            inbound_id,
        )
        return None if row is None else KeptBlob(*row)

    async def piece(self, connection: Database, blob: UUID, number: int) -> bytes | None:
        """A sealed piece."""
        found: bytes | None = await connection.fetchval(
            "SELECT ciphertext FROM leadline.blob_pieces WHERE blob = $1 AND number = $2", blob, number
        )
        return found
