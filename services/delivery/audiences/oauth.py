"""Requests with an access token that is made from a refresh token (RFC 6749, 6) and made anew when it is over.

Invariants: one request at a time makes a token; a token lives in memory alone; a request that is answered 401 is asked once
more with a new token, because another process may have made ours void (VK Ads, «Refreshing an access token»). What is refused
then is `auth_refused`: a person must see to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, Field, SecretStr

from services.delivery.audiences.calling import Answer, ServiceLine, asked_wait, limited, place, unauthorized

EARLY_SECONDS: Final = 60.0
"""A token is taken as over so long before it is."""


class _Granted(BaseModel):
    access_token: SecretStr = Field(min_length=1)
    expires_in: float = 3600.0


class RefreshingLine:
    """A line whose requests carry a bearer token (RFC 6750, 2.1)."""

    def __init__(
        self, line: ServiceLine, token_url: str, *, client_id: str, client_secret: SecretStr, refresh_token: SecretStr
    ) -> None:
        self._line = line
        self._token_url = token_url
        self._client_id = client_id
        self._client_secret = client_secret
        self._refresh_token = refresh_token
        self._token: SecretStr | None = None
        self._over_at = 0.0
        self._turn = asyncio.Lock()

    async def ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **content: Any) -> Answer:
        """Ask as `ServiceLine.ask` does. Raises CallError also when the token is refused."""
        for last in (False, True):
            token = await self._usable()
            bearer = {**(headers or {}), "Authorization": f"Bearer {token.get_secret_value()}"}
            answer = await self._line.ask(method, path, headers=bearer, **content)
            if answer.status != 401:
                break
            if last:
                raise unauthorized(_code(answer))
            self._forget(token)
        return answer

    async def close(self) -> None:
        """Let go of the connections."""
        await self._line.close()

    async def _usable(self) -> SecretStr:
        async with self._turn:
            if self._token is None or asyncio.get_running_loop().time() >= self._over_at:
                granted = await self._refreshed()
                self._token = granted.access_token
                self._over_at = asyncio.get_running_loop().time() + granted.expires_in - EARLY_SECONDS
            return self._token

    async def _refreshed(self) -> _Granted:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token.get_secret_value(),
            "client_id": self._client_id,
            "client_secret": self._client_secret.get_secret_value(),
        }
        answer = await self._line.ask("POST", self._token_url, data=form)
        if answer.status == 429:
            raise limited(asked_wait(answer.headers))
        if not answer.accepted:
            raise unauthorized(_code(answer))
        return answer.read(_Granted)

    def _forget(self, token: SecretStr) -> None:
        if self._token is token:
            self._token = None


def _code(answer: Answer) -> str:
    """The error's code: `error` (RFC 6749, 5.2), or `code` (VK Ads, «Errors when using invalid tokens»)."""
    for name in ("error", "code"):
        if isinstance(code := place(answer.body, name), str):
            return code
    return ""
