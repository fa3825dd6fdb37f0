"""API tokens: made here, shown once, stored as a SHA-256 (spec I).

Invariants: the actor of everything done with a token is its name; the name is no personal data (it stands in events for ever).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime

from services.database import Database
from services.ops import store
from services.ops.place import OpsError, Place

PREFIX = "ll_"
ROLES = ("seller", "head", "ops", "auditor", "adapter")
NAME = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,98}[\x21-\x7e])?")


def new_token() -> str:
    """32 random bytes as URL-safe text with a prefix by which secret scanners know it."""
    return PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What of a token is stored: SHA-256 of its text, 32 bytes. Random input needs no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def check_name(name: str) -> str:
    """The name. Raises OpsError when it cannot be an actor's id."""
    if not NAME.fullmatch(name):
        raise OpsError("--as: 1 to 100 Latin letters, digits and signs, for example anna or site-forms")
    return name


async def make_token(database: Database, name: str, role: str, now: datetime) -> str:
    """A new token of that name and role; only its digest is kept. Raises OpsError for a name or role that is none."""
    if role not in ROLES:
        raise OpsError(f"--role {role}: use one of {', '.join(ROLES)}")
    token = new_token()
    await store.add_token(database, token_hash(token), check_name(name), role, now)
    return token


async def print_token(place: Place, name: str, role: str) -> int:
    """Make a token and print it; the exit status."""
    from datetime import UTC

    from services.ops.connect import ops_connection

    check_name(name)
    async with ops_connection(place.settings()) as connection:
        made = await make_token(connection, name, role, datetime.now(UTC))  # a token's age is the world's
    print(made)
    return 0
