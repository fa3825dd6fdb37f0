"""Calls of addresses that the settings name, signed by Standard Webhooks, and never into our own network (R3).

Invariants: `webhook-id` is the effect's id, so that who gets a call twice can tell. The host is looked up once for a call; if
one of its addresses may not be reached, none is; the connection goes to an address that was looked at, while Host, SNI and the
certificate's check keep the name (so a name that changes between look and call leads nowhere: DNS rebinding). No redirect
is followed. The timestamp is the world's time, also in a practice system: the other side compares it with its own clock.
Sources: the Standard Webhooks specification (signatures, 410); RFC 9110 (status codes, Retry-After).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

import httpx

from services.clock import Clock, SystemClock
from services.delivery.addresses import INTERNAL, not_public
from services.delivery.port import Call, Done, Later, Outcome, Refused
from services.delivery.posting import Answer, NoAnswerError, client, post
from services.ways_out import OutgoingWebhook

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a host for a port. Raises OSError when there is none."""


def signature(key: bytes, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` of a call. `timestamp`: seconds since 1970."""
    signed = b".".join((webhook_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses that this machine's resolver gives, each once, in its order. Raises OSError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError("no host name") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class WebhookAdapter:
    """Calls one webhook of the settings."""

    def __init__(
        self,
        name: str,
        webhook: OutgoingWebhook,
        *,
        clock: Clock | None = None,
        resolve: Resolve = look_up,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """`clock`: the world's (the default), to date calls; `context`: whom to trust; none: whom this machine trusts."""
        self._name, self._webhook, self._clock, self._resolve = name, webhook, clock or SystemClock(), resolve
        parts = urlsplit(webhook.url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._plain = parts.scheme == "http"
        self._client = client(context)

    @property
    def provider(self) -> str:
        """`webhook:` and its name in the settings."""
        return f"webhook:{self._name}"

    @property
    def most(self) -> int:
        """One at a time."""
        return 1

    async def carry_out(self, effects: Sequence[Call]) -> Sequence[Outcome]:
        """Call for each effect; `Later` is never in doubt, for the other side can tell a repeat by its `webhook-id`."""
        return await asyncio.gather(*map(self._one, effects))

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def _one(self, call: Call) -> Outcome:
        if call.webhook != self._name:
            return Refused("webhook_unknown: the settings do not name it")
        until = asyncio.get_running_loop().time() + self._webhook.timeout
        try:
            async with asyncio.timeout_at(until):
                addresses = await self._resolve(self._host, self._port)
                timestamp = int((await self._clock.now()).timestamp())
        except (OSError, TimeoutError):
            addresses = ()
        if not addresses:
            return Later("webhook_no_address: its host is not found", whole_provider=True)
        refusal = self._refusal(addresses)
        if refusal is not None:
            return Refused(f"webhook_address_refused: {refusal}")
        headers = {
            "Host": urlsplit(self._webhook.url).netloc,
            "webhook-id": str(call.effect),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._webhook.key, str(call.effect), timestamp, call.body),
        }
        return await self._post(addresses, call.body, headers, until)

    def _refusal(self, addresses: Sequence[str]) -> str | None:
        """Why none of a host's addresses may be reached; None: all may."""
        for address in addresses:
            kind = not_public(address)
            if kind is not None and not (self._webhook.allow_private and kind in INTERNAL):
                return kind
            if self._plain and kind != "loopback":
                return "plain http leads off this machine"
        return None

    async def _post(self, addresses: Sequence[str], body: bytes, headers: dict[str, str], until: float) -> Outcome:
        fault = "no_connection"
        for address in addresses:
            try:
                answer = await post(
                    self._client,
                    str(httpx.URL(self._webhook.url).copy_with(host=address, port=self._port)),
                    body,
                    headers,
                    within=until - asyncio.get_running_loop().time(),
                    extensions={"sni_hostname": self._host},
                )
            except NoAnswerError as error:
                fault = error.fault
                if error.sent:
                    return Later(f"webhook_{fault}")
            else:
                return _outcome(answer)
        return Later(f"webhook_{fault}", whole_provider=True)


def _outcome(answer: Answer) -> Outcome:
    status = answer.status
    if 200 <= status < 300:
        return Done()
    if status == 410:
        return Refused("webhook_gone: 410")
    if status == 429 or (status == 503 and answer.after is not None):
        return Later(f"webhook_busy: {status}", after=answer.after, whole_provider=True)
    if status >= 500 or status == 408:
        return Later(f"webhook_failed: {status}", after=answer.after)
    return Refused(f"webhook_refused: {status}")
