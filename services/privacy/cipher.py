"""Sealing and opening of personal fields: AES-256-GCM, a key per person or raw message, wrapped by the master key.

Pure computation over keys given from outside; `services.privacy.store` keeps the keys. Invariants: the additional data is
the event id and the field's path, so a ciphertext moved to another place does not open; a nonce is never chosen by a caller.
A ciphertext that does not open although its key is there raises `TamperedError`: it is never shown as erased.
"""

from __future__ import annotations

import base64
import hmac
import os
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.personal import ERASED

SEAL_VERSION = "1"
NONCE_BYTES = 12
KEY_BYTES = 32


class TamperedError(Exception):
    """A sealed value does not open under its key and place: somebody changed or moved it."""


class Opener(Protocol):
    """What decoding needs: the key of an id, None when it was destroyed. Raises KeyError for one that was not loaded."""

    def key(self, key_id: UUID) -> AESGCM | None: ...


def new_key() -> bytes:
    """32 random bytes."""
    return _random(KEY_BYTES)


def new_nonce() -> bytes:
    """12 random bytes, for one use with one key."""
    return _random(NONCE_BYTES)


_drawn = bytearray()


def _random(size: int) -> bytes:
    """Bytes of the system's generator, drawn 4 KB at a time (a call costs as much as sealing), each given out once."""
    if len(_drawn) < size:
        _drawn[:] = os.urandom(4096)
    given = bytes(_drawn[-size:])
    del _drawn[-size:]
    return given


if hasattr(os, "register_at_fork"):  # a forked child must not give out what its parent will
    os.register_at_fork(after_in_child=_drawn.clear)


def wrap_key(master: bytes, key_id: UUID, key: bytes) -> bytes:
    """The key sealed under the master key; opens only under the same id."""
    nonce = new_nonce()
    return nonce + _sealer(master).encrypt(nonce, key, b"leadline-key:" + key_id.bytes)


def unwrap_key(master: bytes, key_id: UUID, wrapped: bytes) -> bytes:
    """The key. Raises TamperedError when the master key is another or the row was altered."""
    try:
        return _sealer(master).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], b"leadline-key:" + key_id.bytes)
    except InvalidTag as error:
        raise TamperedError(
            f"key {key_id} does not unwrap: is LEADLINE_MASTER_KEY the one it was made with?"
        ) from error


@lru_cache(maxsize=2)
def _sealer(master: bytes) -> AESGCM:
    """The master key ready for use: setting a key up costs as much as sealing with it."""
    return AESGCM(master)


def seal(key_id: UUID, key: AESGCM, place: str, value: object) -> str:
    """A JSON value sealed for one place (`event id/field path`): `1.<key id>.<base64 of nonce and ciphertext>`."""
    nonce = new_nonce()
    sealed = nonce + key.encrypt(nonce, orjson.dumps(value), place.encode())
    return f"{SEAL_VERSION}.{key_id}.{base64.b64encode(sealed).decode('ascii')}"


def key_id_of(sealed: str) -> UUID:
    """Which key opens a sealed value. Raises TamperedError when it is no sealed value."""
    version, _, rest = sealed.partition(".")
    key_id, _, body = rest.partition(".")
    if version != SEAL_VERSION or not body:
        raise TamperedError("not a sealed value of a version this release knows")
    try:
        return UUID(key_id)
    except ValueError as error:
        raise TamperedError("a sealed value names no key") from error


def open_sealed(key: AESGCM | None, place: str, sealed: str) -> Any:
    """The JSON value, or ERASED when there is no key any more. Raises TamperedError when the value was changed or moved."""
    if key is None:
        return ERASED
    try:
        raw = base64.b64decode(sealed.rpartition(".")[2], validate=True)
        return orjson.loads(key.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode()))
    except (InvalidTag, ValueError) as error:
        raise TamperedError(f"the sealed value at {place} does not open") from error


def identity_hmac(pepper: bytes, kind: str, value: str) -> bytes:
    """The keyed hash under which a normalised phone or e-mail is looked up: HMAC-SHA-256, 32 bytes."""
    return hmac.digest(pepper, f"{kind}:{value}".encode(), "sha256")
