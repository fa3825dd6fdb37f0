"""What tests of imports share: files, running an import in this process or in one of its own, what came of it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

import projections.app
import projections.schema
import services.eventlog.relay.app
from contracts.meta import Stored
from services.clock import SystemClock
from services.database import Pool
from services.health import Health
from services.ops.imports.command import Asked, import_file
from services.ops.imports.mapping import Mapping
from services.ops.imports.run import Plan, Summary, import_rows
from services.ops.imports.table import Table
from services.ops.place import Place
from services.pipelines import registry
from services.settings import Settings

LOAN_LOG = "data/loan-applications.csv.gz"


def loan_log() -> Path | None:
    """The loan log, which is not in the repository: under `$LEADLINE_SHARED`, or `shared/` beside it or above. None: not here."""
    named = os.environ.get("LEADLINE_SHARED")
    root = Path(__file__).resolve().parents[2]
    folders = [Path(named)] if named else [parent / "shared" for parent in root.parents]
    return next((folder / LOAN_LOG for folder in folders if (folder / LOAN_LOG).is_file()), None)


def environment(settings: Settings) -> dict[str, str]:
    """The settings as an operator gives them to a process of its own."""
    values = {
        "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "DATABASE_BI_URL": settings.database_bi_url.get_secret_value(),
        "LEADLINE_MASTER_KEY": settings.master_key.get_secret_value(),
        "LEADLINE_PEPPER": settings.pepper.get_secret_value(),
        "LEADLINE_INTERNAL_TOKEN": settings.internal_token.get_secret_value(),
        "LEADLINE_RESPONSIBLES": orjson.dumps(settings.responsibles).decode(),
    }
    return {**os.environ, **values}


def arguments(file: Path, *more: str, pipeline: str = "loans") -> list[str]:
    """The command line of an import in a process of its own."""
    return [sys.executable, "-m", "services.ops.main", "import", str(file), "--pipeline", pipeline, *more]


class Given(Place):
    """The settings of a test as the place of a command."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(None)
        object.__setattr__(self, "given", settings)

    def settings(self) -> Settings:
        found: Settings = self.given  # type: ignore[attr-defined]
        return found


async def run_command(settings: Settings, file: Path, **asked: Any) -> int:
    """`leadline import` in this process; its exit status."""
    return await import_file(Given(settings), Asked(file, **{"pipeline": "loans", **asked}))


async def run_import(
    settings: Settings, pool: Pool, file: Path, *, source: str = "test", mapping: Mapping | None = None, **how: Any
) -> Summary:
    """An import in this process; what became of the rows."""
    mapping = mapping or Mapping()
    table = Table(file, mapping.encoding, mapping.delimiter)
    async with pool.acquire() as database:
        pipeline, _ = await registry.current(database, how.pop("pipeline", "loans"))
    plan = Plan(table, mapping, pipeline, source, table.measure())
    return await import_rows(settings, pool, SystemClock(), plan, file.with_suffix(".rejected.csv"), **how)


async def events(pool: Pool) -> list[dict[str, Any]]:
    """All events of leads and contacts, in the order of streams and versions, as plain JSON."""
    rows = await pool.fetch(
        """SELECT originator_id, originator_version, topic, kind, state, recorded_at, digest FROM leadline.events
           WHERE kind <> 'pipeline' ORDER BY originator_id, originator_version"""
    )
    return [orjson.loads(Stored(*row).state) for row in rows]


async def facts(pool: Pool) -> list[tuple[Any, ...]]:
    """All events without what differs from run to run: when they were recorded, and the ciphertext."""
    return [
        (e["meta"]["stream"], e["meta"]["version"], e["meta"]["type"], e["meta"]["happened_at"], e["meta"]["command"],
         orjson.dumps(e["data"], option=orjson.OPT_SORT_KEYS))
        for e in await events(pool)
    ]  # fmt: skip


async def reached(pool: Pool) -> Counter[str]:
    """Leads by stage they ever entered, counted from the event store."""
    rows = await pool.fetch(
        """SELECT convert_from(state, 'UTF8')::jsonb -> 'data' ->> 'stage' AS stage, count(DISTINCT originator_id)
           FROM leadline.events WHERE topic = 'leadline.lead.stage_entered' GROUP BY 1"""
    )
    return Counter({row[0]: row[1] for row in rows})


async def written(pool: Pool) -> int:
    """How many events there are of leads and contacts."""
    count: int = await pool.fetchval("SELECT count(*) FROM leadline.events WHERE kind <> 'pipeline'")
    return count


@asynccontextmanager
async def published(settings: Settings, pool: Pool) -> AsyncIterator[None]:
    """Relay and projections at work until all events are on Kafka and on the board."""
    async with pool.acquire() as database:
        await projections.schema.prepare(database)
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(services.eventlog.relay.app.run(settings, Health("relay"), stop)),
        asyncio.create_task(projections.app.run(settings, Health("projections"), stop)),
    ]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait(tasks, timeout=60)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
