"""Makes the projections' tables, the BI views over them and the BI role's rights, whatever of it is missing.

Invariants: projections are rebuilt, never migrated: a schema of this build that exists is left as it is. Two starts at once are
safe (advisory lock). Views are touched only when their text changed, because replacing one waits for its readers. The BI role
reads schema `bi` and nothing else; where this database's owner may not set the role's limits, a notice says what to run.
Raises asyncpg errors; everything is one transaction.
"""

from __future__ import annotations

import hashlib
from importlib import resources

import asyncpg

from projections.all import PROJECTIONS
from projections.projection import Projection, schema_of
from projections.reading import LIVE
from services.database import Database
from services.eventlog.consuming import store

BI_ROLE = "leadline_bi"
BI_LIMITS = {"transaction_timeout": "5min", "idle_in_transaction_session_timeout": "30s"}
_LOCK = 0x6C656164_70726F6A  # «leadproj»


async def prepare(connection: Database, build: int = LIVE) -> None:
    """Have the tables of this build; for the live one also the BI views and rights. Idempotent, call it at every start."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        for projection in PROJECTIONS:
            await _make(connection, projection, build)
        if build == LIVE:
            await make_views(connection, build)
            await _grant(connection)


async def make_views(connection: Database, build: int) -> None:
    """Point the BI views at a build, unless they are there already with this text."""
    text = resources.files("projections").joinpath("bi.sql").read_text("utf-8")
    text = text.format(**{projection.name: schema_of(projection.name, build) for projection in PROJECTIONS})
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    about = f"For BI tools: views whose columns never change, each described by comments. Read only. [{mark}]"
    if about != await connection.fetchval("SELECT obj_description(to_regnamespace('bi'), 'pg_namespace')"):
        await connection.execute("SET LOCAL lock_timeout = '10s'")
        await connection.execute(text)
        await connection.execute(f"COMMENT ON SCHEMA bi IS '{about}'")


async def _make(connection: Database, projection: Projection, build: int) -> None:
    schema = schema_of(projection.name, build)
    if await connection.fetchval("SELECT to_regnamespace($1)", schema) is None:
        text = resources.files("projections").joinpath(projection.name, "schema.sql").read_text("utf-8")
        await connection.execute(f"CREATE SCHEMA {schema}")
        await connection.execute(text.format(schema=schema))


async def _grant(connection: Database) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", BI_ROLE):
        await store.notice(
            connection,
            "projections",
            "warning",
            "bi_role_missing",
            f"no role {BI_ROLE}: BI tools cannot connect. As a superuser: CREATE ROLE {BI_ROLE} LOGIN PASSWORD '...'; "
            "then restart the projections",
        )
        return
    await connection.execute(f"GRANT USAGE ON SCHEMA bi TO {BI_ROLE}")
    await connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA bi TO {BI_ROLE}")
    held = await connection.fetchval(
        "SELECT setconfig FROM pg_db_role_setting JOIN pg_roles AS r ON r.oid = setrole WHERE rolname = $1 "
        "AND setdatabase = 0",
        BI_ROLE,
    )
    lacking = {name: value for name, value in BI_LIMITS.items() if f"{name}={value}" not in (held or ())}
    if not lacking:
        return
    orders = [f"ALTER ROLE {BI_ROLE} SET {name} = '{value}'" for name, value in lacking.items()]
    try:
        async with connection.transaction():
            for order in orders:
                await connection.execute(order)
    except asyncpg.InsufficientPrivilegeError:
        await store.notice(
            connection, "projections", "warning", "bi_role_unlimited", f"as a superuser, run: {'; '.join(orders)}"
        )
