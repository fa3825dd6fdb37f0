"""One connection for one command at a terminal.

Invariants: waits have limits; a system that does not answer is said so in one line with the way out, without its password.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from services.ops.place import OpsError

if TYPE_CHECKING:
    from services.clock import Clock
    from services.database import Database, Pool
    from services.settings import Settings


@asynccontextmanager
async def ops_pool(settings: Settings) -> AsyncIterator[Pool]:
    """A small pool for one command. Raises OpsError when the database cannot be reached or has no schema."""
    import asyncpg

    from services.database import LOST, open_pool

    try:
        pool = await open_pool(settings.database_url, service="ops", smallest=1, largest=4)
    except (*LOST, asyncpg.PostgresError) as error:
        raise OpsError(f"the database does not answer ({short(error)}); is the system up? leadline up") from None
    try:
        yield pool
    except asyncpg.UndefinedTableError as error:
        raise OpsError(f"the database is not prepared ({short(error)}); run: leadline prepare") from None
    finally:
        pool.terminate()


@asynccontextmanager
async def ops_connection(settings: Settings) -> AsyncIterator[Database]:
    """One connection of such a pool."""
    async with ops_pool(settings) as pool, pool.acquire() as connection:
        yield connection


async def clock_of_system(settings: Settings, pool: Pool) -> Clock:
    """The system's clock: its own where it is a practice system, which only its database says here."""
    from services.clock import PracticeClock, clock_of
    from services.ops import store

    async with pool.acquire() as connection:
        practice = await store.practice_now(connection)
    return PracticeClock(pool) if practice is not None else clock_of(settings.clock, pool)


def short(error: BaseException) -> str:
    """An error on one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
