"""Who is asking: tokens by role, and what each role may do (spec I).

Invariants: a token is compared only by its SHA-256, so no timing tells anything about it; the actor comes from the token,
never from the body; a revoked token works for at most `CACHE_SECONDS` more. With Postgres away nobody is let in (`LOST`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from pydantic import ValidationError

from contracts.meta import Actor
from services.database import Pool
from services.web import store
from services.web.problems import ProblemError

CACHE_SECONDS = 10.0
CACHE_TOKENS = 10_000
TOKEN_CHARACTERS = 500
"""The longest token that is looked at."""

Role = Literal["seller", "head", "ops", "auditor", "adapter"]

READ: frozenset[Role] = frozenset({"seller", "head", "ops", "auditor"})
COMMAND: frozenset[Role] = frozenset({"seller", "head"})
ASSIGN_OTHERS: frozenset[Role] = frozenset({"head"})
JOURNAL: frozenset[Role] = frozenset({"head", "ops", "auditor"})
OPEN_BODIES: frozenset[Role] = frozenset({"head", "ops"})
ERASE: frozenset[Role] = frozenset({"ops"})
OPERATE: frozenset[Role] = frozenset({"head", "ops", "auditor"})
MOVE_CLOCK: frozenset[Role] = frozenset({"head", "ops"})
REPEAT_EFFECTS: frozenset[Role] = frozenset({"head", "ops"})
JUDGE: frozenset[Role] = frozenset({"head"})
"""Who judges leads made poor, incidents and escalations (Q5, Q6)."""
PUBLISH: frozenset[Role] = frozenset({"head"})
POST_INBOUND: frozenset[Role] = frozenset({"seller", "head", "ops", "adapter"})


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a token. `token_hash` names the token without being it."""

    name: str
    role: Role
    token_hash: bytes

    @property
    def actor(self) -> Actor:
        """The holder as the actor of events. Raises ProblemError (403) when the name is none that events can hold."""
        try:
            return Actor(id=self.name, kind="adapter" if self.role == "adapter" else "person", role=self.role)
        except ValidationError:
            raise ProblemError(
                403, "token-name", "this token's name is not of 1 to 100 ASCII characters; make another one"
            ) from None

    def must(self, roles: frozenset[Role], what: str) -> None:
        """Raises ProblemError (403) naming the roles that may do this, unless the holder's is one of them."""
        if self.role not in roles:
            raise ProblemError(
                403,
                "role",
                f"a token of role {self.role} may not {what}; roles that may: {', '.join(sorted(roles))}",
                extra={"role": self.role, "roles": sorted(roles)},
            )


def hash_of(token: str) -> bytes:
    """SHA-256 of a token, as `leadline.tokens` keeps it."""
    return hashlib.sha256(token.encode("utf-8", errors="surrogatepass")).digest()


class TokenBook:
    """Looks tokens up, with a cache of those that were found. `monotonic`: seconds, for the age of the cache."""

    def __init__(self, pool: Pool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._monotonic = monotonic
        self._found: dict[bytes, tuple[Holder, float]] = {}

    async def holder(self, token_hash: bytes) -> Holder | None:
        """Whose token has this hash; None when nobody's, or revoked."""
        held = self._found.get(token_hash)
        now = self._monotonic()
        if held is not None and now - held[1] < CACHE_SECONDS:
            return held[0]
        async with self._pool.acquire() as connection:
            found = await store.token_holder(connection, token_hash)
        if found is None:
            self._found.pop(token_hash, None)
            return None
        if len(self._found) >= CACHE_TOKENS:
            self._found.clear()
        holder = Holder(found[0], cast(Role, found[1]), token_hash)
        self._found[token_hash] = (holder, now)
        return holder

    async def of_bearer(self, authorization: str | None) -> Holder | None:
        """The holder by an `Authorization` header; None without one. Raises ProblemError (401) for one that is not good."""
        if authorization is None:
            return None
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() == "bearer" and 0 < len(token) <= TOKEN_CHARACTERS:
            holder = await self.holder(hash_of(token))
            if holder is not None:
                return holder
        raise unauthorised(
            "this token is not known or was revoked; make one with: leadline token --as NAME --role ROLE"
        )


def unauthorised(detail: str) -> ProblemError:
    """401, with the scheme that would help."""
    return ProblemError(401, "unauthorised", detail, headers={"WWW-Authenticate": 'Bearer realm="leadline"'})
