"""The pipelines in force that a page or an answer names, by id; unknown ones are left out, and ids are shown then."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from contracts.pipeline import Pipeline
from services.database import Database
from services.leads.publishing.deals import deals_come_from
from services.pipelines import registry


async def of_deals(connection: Database, pipeline: str) -> bool:
    """Whether it is a pipeline that deals go through: another one in force opens them there (C6)."""
    return bool(await deals_come_from(connection, pipeline))


async def in_force(connection: Database, named: Iterable[str | None]) -> dict[str, Pipeline]:
    """Pipelines by id; `named`: ids, with or without a version (`countertops@2`)."""
    found: dict[str, Pipeline] = {}
    for name in {(text or "").partition("@")[0] for text in named} - {""}:
        with suppress(registry.NoSuchPipelineError):
            found[name], _ = await registry.current(connection, name)
    return found
