"""Short messages out by HTTP, to any gateway that speaks `gateway.openapi.yaml` (R3).

Invariants: every message bears its effect's id as `Idempotency-Key`, the same at every try, so a repeat is harmless and
nothing is ever in doubt. Of what the gateway says, only its status, its id of the message and a code of lower-case letters are
kept: a phone or a text that it repeats is not. On failure: `Later`, of the whole gateway where no message can go.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence

import orjson

from services.delivery.port import Done, Later, Outcome, Refused, ShortMessage
from services.delivery.posting import Answer, NoAnswerError, client, post
from services.ways_out import SmsGateway

_ID = re.compile(r"[\x21-\x7e]{1,128}")
_CODE = re.compile(r"[a-z][a-z_]{0,39}")


class HttpGateway:
    """Sends through one gateway."""

    def __init__(self, gateway: SmsGateway, *, context: ssl.SSLContext | None = None) -> None:
        """`context`: whom to trust; none: whom this machine trusts."""
        self._gateway, self._client = gateway, client(context)

    @property
    def provider(self) -> str:
        """There is one way out for short messages."""
        return "sms"

    @property
    def most(self) -> int:
        """One at a time."""
        return 1

    async def carry_out(self, effects: Sequence[ShortMessage]) -> Sequence[Outcome]:
        """Send each. A repeat is harmless: the gateway knows it by its key."""
        return await asyncio.gather(*map(self._one, effects))

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def _one(self, message: ShortMessage) -> Outcome:
        body = {
            "id": str(message.effect),
            "to": message.phone,
            "text": message.text,
            "sender": self._gateway.sender,
        }
        try:
            raw = orjson.dumps(body)
        except orjson.JSONEncodeError:  # a lone surrogate
            return Refused("gateway_refused: the text is no Unicode")
        headers = {
            "Authorization": f"Bearer {self._gateway.token.get_secret_value()}",
            "Idempotency-Key": str(message.effect),
        }
        try:
            answer = await post(self._client, self._gateway.url, raw, headers, within=self._gateway.timeout)
        except NoAnswerError as error:
            return Later(f"gateway_{error.fault}", whole_provider=not error.sent)
        return _outcome(answer)


def _outcome(answer: Answer) -> Outcome:
    status = answer.status
    if status in (200, 201, 202, 409):
        return Done(_field(answer, "id", _ID))
    if status in (401, 403):
        return Later(f"gateway_key_refused: {status}", whole_provider=True)
    if status == 429:
        return Later("gateway_busy: 429", after=answer.after, whole_provider=True)
    if status == 408 or status >= 500:
        return Later(f"gateway_failed: {status}", after=answer.after, whole_provider=answer.after is not None)
    if status < 400:  # a gateway that has moved, or no gateway: nothing goes before the settings are right
        return Later(f"gateway_is_elsewhere: {status}", whole_provider=True)
    code = _field(answer, "code", _CODE)
    return Refused(f"gateway_refused: {status}" if code is None else f"gateway_refused: {status} {code}")


def _field(answer: Answer, name: str, form: re.Pattern[str]) -> str | None:
    """A field of the answer's object, if it has that form."""
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    value = said.get(name) if isinstance(said, dict) else None
    return value if isinstance(value, str) and form.fullmatch(value) else None
