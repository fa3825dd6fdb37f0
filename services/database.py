"""Connections to Postgres: one way to open a pool, one name for the type of a connection.

Invariants: every statement has a limit (`command_timeout`), an abandoned transaction ends by itself. A lost database raises
to the caller, who retries the whole unit of work; a transaction is never half done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from pydantic import SecretStr

Database: TypeAlias = "asyncpg.Connection[Any] | PoolConnectionProxy[Any]"
Pool: TypeAlias = "asyncpg.Pool[Any]"

CONNECT_SECONDS = 10.0
STATEMENT_SECONDS = 60.0

BY_INDEX: Final = {"enable_seqscan": "off", "enable_bitmapscan": "off"}
"""Settings of a session whose statements go by indexes, whatever the planner knows of the tables."""

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,  # asyncpg's own confusion when a server's last words arrive between two statements
    OSError,
    TimeoutError,
)
"""What a caller sees when Postgres is away: wait and do the unit of work again."""


class _KeptConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection whose session is not cleaned each time it is given back: four statements, for nothing, where nobody
    changes it. (An open transaction is rolled back all the same.)"""

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""


async def open_pool(
    url: SecretStr,
    *,
    service: str,
    smallest: int = 1,
    largest: int = 8,
    on_connect: Callable[[], None] | None = None,
    cleaned: bool = True,
    by_index: bool = False,
) -> Pool:
    """A pool whose sessions carry the service's name (`application_name`) and limits. Raises one of `LOST` when it is away.

    `cleaned` False: for users who leave nothing behind in a session, no lock, no setting, no temporary table: transactions
    only.

    `by_index`: for users who look up and take rows in the order of an index, never through a whole table. A plan that a session
    made and keeps while a table was as good as empty must not read all of it, or sort it, once it has filled up.

    `on_connect` is called for each new connection: the database behind it may be another than before, an older copy put
    back, say, and the pool replaces idle connections without a word.
    """

    async def connected(_: Database) -> None:
        if on_connect is not None:
            on_connect()

    return await asyncpg.create_pool(
        url.get_secret_value(),
        min_size=smallest,
        max_size=largest,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        init=connected,
        connection_class=asyncpg.Connection if cleaned else _KeptConnection,
        server_settings={
            "application_name": f"leadline-{service}",
            "idle_in_transaction_session_timeout": "60s",
            "jit": "off",
            **(BY_INDEX if by_index else {}),
        },
    )
