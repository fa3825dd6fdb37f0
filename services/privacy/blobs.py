"""Sealing of blobs in pieces, under the key of the raw message they belong to (decision 10, 13, M7).

Pure computation. Invariants: the additional data is the blob's id, the piece's number and whether it is the last, so a piece
moved, left out or cut off does not open; a nonce is never chosen by a caller. With the message's key destroyed nothing opens.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.privacy.cipher import NONCE_BYTES, TamperedError


def seal_piece(key: AESGCM, blob: UUID, number: int, piece: bytes | memoryview, *, last: bool) -> bytes:
    """One piece sealed: nonce (12 bytes) and ciphertext. `number` counts from 0."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + key.encrypt(nonce, bytes(piece), _place(blob, number, last))


def open_piece(key: AESGCM, blob: UUID, number: int, sealed: bytes, *, last: bool) -> bytes:
    """The piece. Raises TamperedError when it was changed, moved or is not the last where it should be."""
    try:
        return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _place(blob, number, last))
    except (InvalidTag, ValueError) as error:
        raise TamperedError(f"piece {number} of the blob {blob} does not open") from error


def blob_hash(pepper: bytes, content: bytes) -> bytes:
    """Keyed hash of a blob (HMAC-SHA-256, 32 bytes): a plain one would tell who sent a known file."""
    return hmac.new(pepper, b"leadline-blob:" + content, hashlib.sha256).digest()


def _place(blob: UUID, number: int, last: bool) -> bytes:
    return b"leadline-blob:" + blob.bytes + number.to_bytes(4, "big") + (b"\x01" if last else b"\x00")
