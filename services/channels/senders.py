"""Who a message is from, as far as its order on Kafka goes. Pure.

Invariants: messages of one sender on one channel account share a partition key, so they keep their order; the key reveals
nothing. Two channels of one person are ordered by the claim, not by this.
"""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from services.privacy.cipher import identity_hmac

LEAST_DIGITS = 7
"""A phone with fewer digits is an inner number or a mistake: it names nobody."""

_FIELD = {"form": None, "call": "from", "message": "sender_id", "visit": "identity", "mail": "sender"}


def sender_of(channel: str, body: dict[str, Any]) -> str | None:
    """The sender by the body of a channel of ours: `phone:…`, `email:…` or the channel's own `id:…`; None: nobody named."""
    field = _FIELD.get(channel)
    if field is None:
        return of_phone(body.get("phone")) or of_email(body.get("email"))
    if channel == "call" and body.get("direction") == "out":
        field = "to"
    given = body.get(field)
    if channel == "mail":
        return of_email(given)
    own = f"own:{given.strip()}" if isinstance(given, str) and given.strip() else None
    return own if channel == "message" else of_email(given) or of_phone(given) or own


def of_phone(phone: object) -> str | None:
    """By the last ten digits, so that +7 and 8 are the same."""
    digits = "".join(c for c in phone if c.isdecimal()) if isinstance(phone, str) else ""
    return f"phone:{digits[-10:]}" if len(digits) >= LEAST_DIGITS else None


def of_email(email: object) -> str | None:
    """In lower case."""
    return f"email:{email.strip().lower()}" if isinstance(email, str) and "@" in email else None


def partition_key(pepper: bytes, channel: str, account: str, sender: str | None, inbound_id: UUID) -> str:
    """Kafka key of a message; without a sender it is its own."""
    named = sender or f"id:{inbound_id}"
    return hashlib.sha256(identity_hmac(pepper, f"sender/{channel}/{account}", named)).hexdigest()
