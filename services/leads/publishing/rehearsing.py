"""What would become of each live lead if a text were published (`--dry-run`), by the same rules, with nothing written (N26)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from contracts.commands import Command, Refusal
from contracts.meta import Actor
from services.clock import Clock
from services.database import Pool
from services.leads.publishing import store
from services.leads.publishing.preview import NOBODY, Preview, adoption_of
from services.leads.publishing.run import Asked, Progress, look
from services.leads.rehearsal import rehearsing
from services.leads.work import CommandWork
from services.settings import Settings

AT_ONCE = 100
"""Leads decided in one go: a rehearsal must not keep the process that serves people from its other work for long."""

Made = Callable[[Command], CommandWork]


@dataclass(slots=True)
class Rehearsed:
    """What would happen. `asked`: leads that were rehearsed; `refused`: those that would stay, with the reason."""

    preview: Preview
    asked: int = 0
    refused: dict[UUID, Refusal] = field(default_factory=dict)
    given_up: dict[str, int] = field(default_factory=dict)
    """By robot that waits now and that the text no longer has: for how many leads it would wait no more (S5, M3)."""

    @property
    def would_move(self) -> int:
        """Leads that would go on under the new version."""
        return self.asked - len(self.refused)


async def rehearse(
    settings: Settings,
    pool: Pool,
    clock: Clock,
    asked: Asked,
    actor: Actor,
    made: Made,
    *,
    most: int | None = None,
    progress: Progress = lambda step, done, total: None,
) -> Rehearsed:
    """Rehearse the adoption of a text, of `most` leads at most. Raises PipelineError."""
    async with pool.acquire() as database:
        found = Rehearsed(await look(database, asked))
    preview = found.preview
    if preview.objections or not asked.adopt:
        return found
    name, number = preview.pipeline.pipeline, preview.next
    after = NOBODY
    async with rehearsing(settings, pool, await clock.now(), {(name, number): preview.pipeline}) as rehearsal:
        while most is None or found.asked < most:
            limit = AT_ONCE if most is None else min(AT_ONCE, most - found.asked)
            chunk = await store.waiting(rehearsal.database, name, number, asked.mapping, after, limit)
            if not chunk:
                break
            after = chunk[-1].lead
            commands = [adoption_of(lead, preview.pipeline, number, asked.mapping, actor) for lead in chunk]
            for command, done in zip(commands, await rehearsal.take([made(c) for c in commands]), strict=True):
                found.asked += 1
                if done.result is not None and done.result.refusal is not None:
                    found.refused[command.lead] = done.result.refusal
            progress("leads", found.asked, max(preview.moving, found.asked))
        found.given_up = dict(sorted(rehearsal.given_up.items()))
    return found
