"""The application that all `leadline` commands belong to, the options they share, and how a command's coroutine is run."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import App, Parameter

from services.ops.place import OpsError

Result = TypeVar("Result")

app = App(
    name="leadline",
    help="Runs a company's leads from the first call to the signed deal, and never loses one.",
    version_flags=["--version"],
    result_action="return_value",
)


def moment_of(_kind: Any, tokens: Sequence[Any]) -> datetime:
    """A time as it is typed, with its zone. Raises ValueError, which the command line tells."""
    text = tokens[0].value
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{text!r} is no time with a zone; write 2026-11-22T09:00:00+03:00")
    return moment


Moment = Annotated[datetime | None, Parameter(converter=moment_of)]
Data = Annotated[Path | None, Parameter(help="data folder of `leadline up` (default: the environment, else ./data)")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="print JSON")]


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine; what servers that do not answer raise becomes one line."""
    import asyncpg

    from services.database import LOST
    from services.ops.connect import short

    try:
        return asyncio.run(work)
    except OpsError:
        raise
    except (*LOST, asyncpg.PostgresError) as error:
        raise OpsError(f"the database or Kafka failed in the middle ({short(error)}); try again") from None
    except Exception as error:
        from aiokafka.errors import KafkaError

        if isinstance(error, KafkaError):
            raise OpsError(f"Kafka does not answer ({short(error)}); is the system up?") from None
        raise
