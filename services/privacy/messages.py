"""Sealing and opening of raw inbound messages, each under a key of its own in `vault.keys` (decision 10, 13, M7).

Pure computation. Invariants: the additional data is the inbound id, so a ciphertext moved to another message does not open;
a nonce is never chosen by a caller; a mended body is sealed under the same key with a nonce of its own. A destroyed key gives
`ERASED`; a ciphertext that does not open although its key is there raises `TamperedError`, it is never shown as erased.
"""

from __future__ import annotations

import hmac
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.personal import ERASED, Erased
from services.privacy.cipher import NONCE_BYTES, TamperedError, new_nonce

_PLACE = b"leadline-inbound:"


def seal_message(key: AESGCM, inbound_id: UUID, raw: bytes) -> bytes:
    """The raw bytes sealed for one message: nonce (12 bytes) and ciphertext, for `leadline.intake.ciphertext`."""
    nonce = new_nonce()
    return nonce + key.encrypt(nonce, raw, _PLACE + inbound_id.bytes)


def open_message(key: AESGCM | None, inbound_id: UUID, ciphertext: bytes) -> bytes | Erased:
    """The raw bytes, or ERASED when the key was destroyed. Raises TamperedError when they were changed or moved."""
    if key is None:
        return ERASED
    try:
        return key.decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], _PLACE + inbound_id.bytes)
    except (InvalidTag, ValueError) as error:
        raise TamperedError(f"the raw message {inbound_id} does not open") from error


def message_hash(pepper: bytes, raw: bytes) -> bytes:
    """Keyed hash of a raw message (HMAC-SHA-256, 32 bytes), for `leadline.intake.body_hash`.

    Keyed, because a plain hash of a phone number can be guessed back (M7).
    """
    return hmac.digest(pepper, b"leadline-inbound:" + raw, "sha256")
