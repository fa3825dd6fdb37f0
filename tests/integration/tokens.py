"""API tokens for tests."""

from __future__ import annotations

import hashlib
import secrets

from services.database import Pool


async def make_token(pool: Pool, name: str, role: str) -> str:
    """A token as `leadline token` makes it."""
    token = "ll_" + secrets.token_urlsafe(24)
    await pool.execute(
        "INSERT INTO leadline.tokens (hash, name, role, made_at) VALUES ($1, $2, $3, now())",
        hashlib.sha256(token.encode()).digest(),
        name,
        role,
    )
    return token
