"""What must be there before services start: tables, topics, pipelines, calendars, teams, projection schemas (`leadline prepare`).

`leadline up` runs it at every start; on a cluster an operator runs it once per release. Invariants: doing it again changes
nothing; it never deletes; the parts that do not depend on each other run together.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from projections.schema import prepare as prepare_projections
from services.calendars import publishing as calendars
from services.calendars.team_file import TeamFileError
from services.clock import clock_of
from services.eventlog.admin import TopicsError, ensure_topics
from services.eventlog.migrate import MigrationError, migrate
from services.ops import store
from services.ops.connect import ops_pool
from services.ops.place import OpsError
from services.ops.tokens import make_token
from services.pipelines.registry import publish_bundled
from services.settings import Settings
from services.teams import publishing as teams
from services.teams.team_file import TeamFileError as NoTeamError

DEMO_USER = "demo"
FAILED = 1


async def prepare(settings: Settings, *, demo: bool = False) -> str | None:
    """Migrate, create what is missing, publish the bundled pipelines, bring calendars and the default team up to date. With
    `demo`, a fresh head token of the demo user.

    Raises OpsError, or what its parts raise: the start must not go on then.
    """
    try:
        await asyncio.gather(migrate(settings), ensure_topics(settings))
    except (MigrationError, TopicsError) as error:
        raise OpsError(str(error), FAILED) from error
    async with ops_pool(settings) as pool:
        async with pool.acquire() as connection:
            if settings.clock is not None:
                await store.start_clock(connection, settings.clock)
            await prepare_projections(connection)
        clock = clock_of(settings.clock, pool)
        await publish_bundled(pool, clock)
        try:
            await calendars.renew(pool, clock, settings)
        except TeamFileError as error:
            raise OpsError(f"the settings make no calendar (LEADLINE_TIME_ZONE): {error}", FAILED) from error
        try:
            await teams.renew(pool, clock, settings)
        except NoTeamError as error:
            problem = f"the settings make no team (LEADLINE_RESPONSIBLES, LEADLINE_STAFF): {error}"
            raise OpsError(problem, FAILED) from error
        if not demo:
            return None
        now = datetime.now(UTC)  # a token's age is the world's, also in a practice system
        async with pool.acquire() as connection, connection.transaction():
            await store.revoke_tokens(connection, DEMO_USER, now)  # the one printed last is the one that works
            return await make_token(connection, DEMO_USER, "head", now)
