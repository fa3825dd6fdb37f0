"""A plan that a session made while a table was empty does not read all of it, or sort it, once it has filled up (decision 0007).

Postgres keeps the plan of a statement for the session's life, until the table is analysed; a burst on a young system comes first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from contracts.topics import LEADS_COMMANDS, LEADS_EVENTS
from services.database import Database, Pool, open_pool
from services.delivery import store as ledger
from services.delivery.domain import Effect
from services.eventlog.relay import store as outbox
from services.robots import store as timers
from services.settings import Settings

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
FULL = 3_000
PLANNED = 12
"""Runs after which a session has settled for one plan: Postgres decides after five."""


@pytest.fixture
async def session(settings: Settings, pool: Pool) -> AsyncIterator[Database]:
    """A session as the relay, robots and delivery have it, on tables that were vacuumed while they were empty."""
    await pool.execute("VACUUM (ANALYZE) leadline.effects, leadline.timers, leadline.outbox")
    async with (
        await open_pool(settings.database_url, service="test", by_index=True) as by_index,
        by_index.acquire() as connection,
    ):
        yield connection


async def rows_read(session: Database, table: str, what: Callable[[], Awaitable[object]]) -> int:
    """Rows of a table that a statement looks at, by index or not."""
    async with session.transaction():
        await what()
        read: int = await session.fetchval(
            """SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
               WHERE schemaname = 'leadline' AND relname = $1""",
            table,
        )
    return read


def an_effect(provider: str, version: int) -> Effect:
    return Effect(
        effect=uuid4(),
        stream=uuid4(),
        kind="lead",
        version=version,
        effect_kind="webhook" if provider.startswith("webhook") else "email",
        provider=provider,
        correlation="c",
        requested_at=NOW,
        opened_at=NOW,
        next_at=NOW,
    )


@pytest.mark.parametrize("analysed", [False, True], ids=["old-plan", "analysed"])
async def test_N7_what_is_due_is_taken_from_a_full_ledger_without_reading_it_all(
    session: Database, analysed: bool
) -> None:
    crm = "webhook:crm"
    first = an_effect(crm, 7)
    due = {
        "any_due": lambda: ledger.any_due(session, crm, LATER),
        "next_due": lambda: ledger.next_due(session, crm, LATER, []),
        "due_with": lambda: ledger.due_with(session, first, LATER, 8, []),
        "hold": lambda: ledger.hold(session, [first.effect]),
    }
    for _ in range(PLANNED):
        for what in due.values():
            await what()
    await ledger.save(session, [first, *(an_effect(p, n) for n in range(1, FULL) for p in (crm, "email"))])
    if analysed:
        await session.execute("ANALYZE leadline.effects")
    assert len(await ledger.due_with(session, first, LATER, 8, [])) == 7
    read = {name: await rows_read(session, "effects", what) for name, what in due.items()}
    assert all(rows <= 100 for rows in read.values()), read


async def test_N7_timers_that_are_due_are_claimed_without_reading_them_all(session: Database) -> None:
    async def claim() -> object:
        return await timers.claim_due(session, LATER, 10)

    for _ in range(PLANNED):
        await claim()
        await timers.ahead(session, LATER)
    await session.execute(
        """INSERT INTO leadline.timers (timer, stream, kind, pipeline, robot, due_at, armed_version, correlation, autodepth)
           SELECT gen_random_uuid(), gen_random_uuid(), 'lead', 'p', 'r', $1, 1, 'c', 0 FROM generate_series(1, $2::int)""",
        NOW,
        FULL,
    )
    assert await rows_read(session, "timers", claim) <= 100
    assert await rows_read(session, "timers", lambda: timers.ahead(session, LATER)) <= 100


async def test_K1_the_relay_looks_into_gaps_of_a_full_outbox_without_reading_it_all(session: Database) -> None:
    topics = [LEADS_EVENTS.name, LEADS_COMMANDS.name]

    async def gaps(top: int) -> list[object]:
        return await outbox.in_ranges(session, [(top - 600, top - 590), (top - 4, top)], topics)

    for _ in range(PLANNED):
        await gaps(0)
        await outbox.poll(session, 0, topics, 500)
    await session.execute(
        """INSERT INTO leadline.outbox (topic, key, stream, version, headers, value)
           SELECT $1, 'k', gen_random_uuid(), 1, '{}', 'v' FROM generate_series(1, $2::int)""",
        LEADS_EVENTS.name,
        FULL,
    )
    top = await session.fetchval("SELECT max(n) FROM leadline.outbox")
    assert len(await gaps(top)) == 16
    assert await rows_read(session, "outbox", lambda: gaps(top)) <= 100
    assert await rows_read(session, "outbox", lambda: outbox.poll(session, top - 50, topics, 500)) <= 100
