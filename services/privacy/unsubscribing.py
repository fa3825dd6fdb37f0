"""The token of an «unsubscribe» link: whose letter it stands in and which channel it ends (C7, RFC 8058).

Pure computation. Invariants: a token is made only with the pepper, so that nobody can end another person's letters nor find out
who is known by trying; it holds no personal data (a lead's id and a channel); it has no end, because a letter may be opened
years later. The same lead and channel give the same token.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Final, Literal, cast
from uuid import UUID

EndedChannel = Literal["email", "sms"]

_PLACE = b"leadline-unsubscribe-1:"
_CHANNELS: Final[dict[str, bytes]] = {"email": b"e", "sms": b"s"}
_MAC_BYTES = 16
_BYTES = 1 + 16 + _MAC_BYTES
TOKEN_CHARACTERS = 44
"""Letters, digits, `-` and `_`."""


@dataclass(frozen=True, slots=True)
class Unsubscribing:
    """What a token says: the person behind this lead wants no more of this channel."""

    lead: UUID
    channel: EndedChannel


def unsubscribe_token(pepper: bytes, lead: UUID, channel: EndedChannel = "email") -> str:
    """The token for letters (short messages) to the person behind a lead."""
    said = _CHANNELS[channel] + lead.bytes
    return base64.urlsafe_b64encode(said + _mac(pepper, said)).decode("ascii")


def read_token(pepper: bytes, token: str) -> Unsubscribing | None:
    """What a token says; None for anything that `unsubscribe_token` did not make."""
    if len(token) != TOKEN_CHARACTERS or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    said, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(raw) != _BYTES or not hmac.compare_digest(mac, _mac(pepper, said)):
        return None
    channel = next((name for name, code in _CHANNELS.items() if code == said[:1]), None)
    return None if channel is None else Unsubscribing(UUID(bytes=said[1:]), cast(EndedChannel, channel))


def unsubscribe_link(public_url: str, token: str) -> str:
    """Where one click ends it. `public_url`: `LEADLINE_PUBLIC_URL`, without a slash at its end."""
    return f"{public_url}/unsubscribe/{token}"


def _mac(pepper: bytes, said: bytes) -> bytes:
    return hmac.digest(pepper, _PLACE + said, "sha256")[:_MAC_BYTES]
