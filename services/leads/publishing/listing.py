"""The pipelines there are: version in force, since when, how many leads, how many of them under older versions (M3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.pipeline import Titles
from services.database import Database
from services.leads.publishing import store
from services.leads.publishing.store import LIVE
from services.pipelines import registry
from services.pipelines import store as versions


@dataclass(frozen=True, slots=True)
class Listed:
    """A pipeline. `leads`: by kind; `behind`: open and paused leads under older versions."""

    pipeline: str
    titles: Titles
    number: int
    published_at: datetime
    archived_at: datetime | None
    leads: dict[str, int]
    behind: int

    def as_object(self) -> dict[str, Any]:
        """For programs."""
        return {
            "pipeline": self.pipeline,
            "titles": self.titles.model_dump(),
            "number": self.number,
            "published_at": self.published_at,
            "archived_at": self.archived_at,
            "leads": self.leads,
            "behind": self.behind,
        }


async def listed(database: Database) -> list[Listed]:
    """All pipelines, by id."""
    found = []
    for name in await versions.names(database):
        newest = (await registry.versions(database, name))[-1]
        standing = await store.standing(database, name)
        leads: dict[str, int] = {}
        for row in standing:
            leads[row.kind] = leads.get(row.kind, 0) + row.leads
        found.append(
            Listed(
                name,
                newest.pipeline.titles,
                newest.number,
                newest.published_at,
                await versions.archived_at(database, name),
                leads,
                sum(row.leads for row in standing if row.kind in LIVE and row.number < newest.number),
            )
        )
    return found
