"""Sessions of the pages: an opaque cookie made from a token at login, and the proof that a form came from our own page.

The cookie is AES-GCM over the token's hash, a random session id and its end; the key is derived from the pepper. Invariants:
the token itself is in no cookie; each request looks the token up again, so revoking it ends the session; a form is taken only
with the session's own CSRF text, and from our own origin where the browser says the origin. A cookie that does not open is
no session, never an error.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

COOKIE = "leadline_session"
SESSION_SECONDS = 12 * 60 * 60
_NONCE = 12
_PLACE = b"leadline-session-1"
_LOCAL_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9_\-./?=&%:~+]*")


@dataclass(frozen=True, slots=True)
class Session:
    """An open session: which token it stands for, and its CSRF text."""

    token_hash: bytes
    id: str
    csrf: str


class Sessions:
    """Makes and opens session cookies. `wall`: seconds since 1970, for their end; it is no business time."""

    def __init__(self, pepper: bytes, wall: Callable[[], float] = time.time) -> None:
        self._key = hmac.new(pepper, b"leadline-web-session-key", hashlib.sha256).digest()
        self._sealer = AESGCM(self._key)
        self._wall = wall

    def new(self, token_hash: bytes) -> str:
        """The value of a new session's cookie."""
        said = orjson.dumps(
            {"t": token_hash.hex(), "s": os.urandom(16).hex(), "e": int(self._wall()) + SESSION_SECONDS}
        )
        nonce = os.urandom(_NONCE)
        return base64.urlsafe_b64encode(nonce + self._sealer.encrypt(nonce, said, _PLACE)).decode("ascii")

    def open(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None when there is none, it is not ours, or it has ended."""
        if not cookie or len(cookie) > 1000:
            return None
        try:
            raw = base64.b64decode(cookie.encode("ascii"), altchars=b"-_", validate=True)
            said = orjson.loads(self._sealer.decrypt(raw[:_NONCE], raw[_NONCE:], _PLACE))
        except (InvalidTag, ValueError, UnicodeEncodeError, binascii.Error):
            return None
        if said["e"] < self._wall():
            return None
        return Session(bytes.fromhex(said["t"]), said["s"], self._csrf(said["s"]))

    def _csrf(self, session_id: str) -> str:
        return hmac.new(self._key, b"csrf:" + session_id.encode("ascii"), hashlib.sha256).hexdigest()


def same_csrf(session: Session, given: str | None) -> bool:
    """Whether a form carries the session's CSRF text (compared in constant time)."""
    return given is not None and hmac.compare_digest(session.csrf.encode(), given.encode("utf-8", errors="replace"))


def from_our_page(origin: str | None, fetch_site: str | None, host: str | None) -> bool:
    """Whether a browser says that a form came from our own pages; what says nothing is judged by the CSRF text alone."""
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        return False
    return origin is None or origin.partition("://")[2] == host


def local_path(text: str | None, otherwise: str = "/") -> str:
    """A path of our own to go on to; anything that could lead elsewhere becomes `otherwise`."""
    return text if text and len(text) < 1000 and _LOCAL_PATH.fullmatch(text) else otherwise
