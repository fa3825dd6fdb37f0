"""Commands to the aggregate service's internal door (`POST {leads_url}/commands`, `/erase`), the only way the web changes leads.

Invariants: every call has a limit; a call that was cut off is repeated once under the same id, which is harmless because the
door answers a known id from its memory. When the door is away the caller gets `ProblemError` 503 with `Retry-After` and the
id to repeat with; whether the command was carried out is then found out by that repeat.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID, uuid5

import httpx
from pydantic import BaseModel, SecretStr, ValidationError
from uuid_utils.compat import uuid7

from contracts.commands import Command, CommandResult, EraseContact
from contracts.meta import Actor
from services.web.problems import ProblemError, away

CALL_SECONDS = 10.0
"""The longest a command may take, repeats included."""
CONNECT_SECONDS = 2.0
IDLE_SECONDS = 5.0
"""How long an unused connection is kept; below the server's own limit."""
CONNECTIONS = 64
KEY_NAMESPACE = UUID("0d5f9c1e-6a7b-5d43-8f2e-3b9a4c1d7e60")

_CUT_OFF = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


def command_id(actor: Actor, idempotency_key: str | None) -> UUID:
    """A command's id: the `Idempotency-Key` where it is a UUID, else one made of actor and key, else a fresh one.

    Raises ProblemError (422) for a key that is not 1 to 200 visible ASCII characters.
    """
    if idempotency_key is None:
        return UUID(str(uuid7()))
    if not 0 < len(idempotency_key) <= 200 or any(not "!" <= letter <= "~" for letter in idempotency_key):
        raise ProblemError(422, "idempotency-key", "an Idempotency-Key is 1 to 200 visible ASCII characters")
    try:
        return UUID(idempotency_key)
    except ValueError:
        return uuid5(KEY_NAMESPACE, f"{actor.kind}:{actor.id}:{idempotency_key}")


@dataclass(slots=True)
class LeadsDoor:
    """The internal door. `client` is closed by whoever made it."""

    client: httpx.AsyncClient

    @classmethod
    def at(cls, url: str, token: SecretStr, transport: httpx.AsyncBaseTransport | None = None) -> LeadsDoor:
        """The door at `settings.leads_url`, opened with `settings.internal_token`."""
        client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token.get_secret_value()}"},
            timeout=httpx.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=IDLE_SECONDS),
            trust_env=False,  # a proxy in the environment is not for our own services
            transport=transport,
        )
        return cls(client)

    async def command(self, command: Command) -> CommandResult:
        """Carry out a command. Raises ProblemError: 503 away, 422 the id was used for another command, 500 parked."""
        return await self._call("/commands", command, command.id)

    async def erase(self, command: EraseContact) -> CommandResult:
        """Erase a person. Raises ProblemError like `command`."""
        return await self._call("/erase", command, command.id)

    async def _call(self, path: str, body: BaseModel, identity: UUID) -> CommandResult:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                response = await self._post_twice(path, body.model_dump_json().encode())
        except (httpx.HTTPError, TimeoutError):
            raise away("the service that carries out commands", command=str(identity)) from None
        if response.status_code == 422:
            raise ProblemError(
                422,
                "idempotency-key-reused",
                "this Idempotency-Key was used for another command before; give a new command a new key",
                extra={"command": str(identity)},
            )
        if response.status_code == 500:
            raise ProblemError(
                500,
                "failed",
                "the command could not be carried out and changed nothing; the log of the service leads says why",
                extra={"command": str(identity)},
            )
        if response.status_code != 200:
            raise away("the service that carries out commands", command=str(identity))
        try:
            result = CommandResult.model_validate_json(response.content)
        except ValidationError:
            raise away(
                "the service that carries out commands (its answer cannot be read)", command=str(identity)
            ) from None
        if result.outcome == "parked":
            raise ProblemError(
                500,
                "parked",
                "the command failed and was put aside for operations to look at; nothing was changed",
                extra={"command": str(identity)},
            )
        return result

    async def _post_twice(self, path: str, body: bytes) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        try:
            return await self.client.post(path, content=body, headers=headers)
        except _CUT_OFF:
            return await self.client.post(path, content=body, headers=headers)
