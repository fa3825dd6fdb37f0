"""Makes the projections' tables, the BI views over them and the BI role's rights, whatever of it is missing.

Invariants: projections are rebuilt, never migrated: tables that hold anything are left as they are. Two starts at once are
safe (advisory lock). Views are touched only when their text changed, because replacing one waits for its readers. The BI role
reads schema `bi` and nothing else; where this database's owner may not set the role's limits, a notice says what to run.
Raises asyncpg errors; everything is one transaction.
"""

from __future__ import annotations

import hashlib
from importlib import resources

import asyncpg

from projections.all import PROJECTIONS
from projections.builds import store as builds
from projections.projection import Projection, schema_of
from projections.rebuild import store as rebuild_store
from services.database import Database
from services.eventlog.consuming import store

BI_ROLE = "leadline_bi"
BI_LIMITS = {"transaction_timeout": "5min", "idle_in_transaction_session_timeout": "30s"}
VIEWS_MS = 10_000
_LOCK = 0x6C656164_70726F6A  # «leadproj»


async def prepare(connection: Database) -> list[Projection]:
    """Have the tables of a system without events; for any other, say which projections must be rebuilt before they can be
    consumed for: those that are new in this release, have other tables in it, or lost theirs. Once there are none, also the
    BI views and rights. Idempotent, call it at every start."""
    lacking: list[Projection] = []
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        started = await rebuild_store.seen_anything(connection)
        live = await builds.live(connection)
        for projection in PROJECTIONS:
            if not await _have(connection, projection, live.get(projection.name), started):
                lacking.append(projection)
        if not lacking:
            await make_views(connection, VIEWS_MS)
            await _grant(connection)
    return lacking


async def _have(connection: Database, projection: Projection, live: int | None, started: bool) -> bool:
    """Whether the projection can be consumed for, after making what can be made here."""
    name, fingerprint = projection.name, fingerprint_of(projection)
    made = [b for b in await builds.builds(connection, name) if b.build == live]
    there = live is not None and await rebuild_store.exists(connection, schema_of(name, live))
    if there and made and made[0].fingerprint == fingerprint:
        return True
    if started:
        if not there and made:
            await builds.forget(connection, made[0], rebuild_store.consumer_of(name))
        return False
    if live is None:
        live = await builds.make_first(connection, name, fingerprint)
    if there:
        await connection.execute(f"DROP SCHEMA {schema_of(name, live)} CASCADE")
        await connection.execute("DROP SCHEMA IF EXISTS bi CASCADE")  # its views went with the tables: made anew below
        await builds.restamp(connection, name, live, fingerprint)
    await make_tables(connection, projection, live)
    return True


def schema_text(projection: Projection) -> str:
    """The SQL that makes a projection's tables; `{schema}` stands for where."""
    return resources.files("projections").joinpath(projection.name, "schema.sql").read_text("utf-8")


def fingerprint_of(projection: Projection) -> str:
    """Digest of the text of a projection's tables: builds with another one are not of this release."""
    return hashlib.sha256(schema_text(projection).encode()).hexdigest()[:16]


async def make_tables(connection: Database, projection: Projection, build: int) -> None:
    """Make the empty tables of a build."""
    schema = schema_of(projection.name, build)
    await connection.execute(f"CREATE SCHEMA {schema}")
    await connection.execute(schema_text(projection).format(schema=schema))


async def make_views(connection: Database, wait_ms: int) -> None:
    """Point the BI views at the live builds, unless they are so already with this text; nothing while one is lacking or has
    the tables of another release, of which several are built one after another.

    In the caller's transaction; raises LockNotAvailableError when readers hold a view for longer than `wait_ms`.
    """
    live = await builds.live(connection)
    for projection in PROJECTIONS:
        made = [b for b in await builds.builds(connection, projection.name) if b.build == live.get(projection.name)]
        if not made or made[0].fingerprint != fingerprint_of(projection):
            return
    text = resources.files("projections").joinpath("bi.sql").read_text("utf-8")
    text = text.format(
        **{projection.name: schema_of(projection.name, live[projection.name]) for projection in PROJECTIONS}
    )
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    about = f"For BI tools: views whose columns never change, each described by comments. Read only. [{mark}]"
    if about != await connection.fetchval("SELECT obj_description(to_regnamespace('bi'), 'pg_namespace')"):
        await rebuild_store.limit_locks(connection, wait_ms)
        await connection.execute(text)
        await connection.execute(f"COMMENT ON SCHEMA bi IS '{about}'")


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
