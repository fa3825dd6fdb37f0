"""Sending a command to the aggregate service's door from the `leadline` command.

Invariants: every try carries the same command id, so that a lost answer does nothing twice; each wait has a limit. What is not
answered, or answered with anything but a result, raises OpsError (exit status 1) with the caller's words on what to do.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from services.ops.place import OpsError

if TYPE_CHECKING:
    import httpx
    from pydantic import BaseModel

    from contracts.commands import CommandResult

TRIES: Final = 5
REQUEST_SECONDS: Final = 15.0
BETWEEN_SECONDS: Final = 1.0


async def ask(client: httpx.AsyncClient, path: str, command: BaseModel, otherwise: str) -> CommandResult:
    """The answer to a command. `otherwise`: what is said where there is none, with a place for `{problem}`."""
    import httpx

    from contracts.commands import CommandResult

    problem = "no answer"
    for attempt in range(TRIES):
        if attempt:
            await asyncio.sleep(BETWEEN_SECONDS)
        try:
            answer = await client.post(path, content=command.model_dump_json())
        except httpx.TransportError as error:
            problem = type(error).__name__
            continue
        if answer.status_code == 200:
            return CommandResult.model_validate_json(answer.content)
        problem = f"status {answer.status_code}"
        if answer.status_code < 500:
            break
    raise OpsError(otherwise.format(problem=problem), 1)
