"""Starting robots, lead by lead, each by a command of its own (N5).

Invariants: a lead is rehearsed as it stands before its command is sent, and the command is for that version of it alone: robots
start where they were asked for, or not at all. Killed anywhere, the same call goes on: leads whose robots wait are left alone,
and a command that was carried out is answered, not done again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from contracts.commands import Command, CommandResult, Refusal
from contracts.meta import Actor
from services.clock import Clock
from services.database import Pool
from services.leads.publishing.run import Progress
from services.leads.starting import store
from services.leads.starting.asking import NOBODY, Asked, check
from services.leads.starting.rehearsing import Made, Rehearsed, rehearse_now
from services.leads.starting.store import Standing
from services.settings import Settings

CHUNK = 100
ROUNDS = 3
"""How often a lead that something happened to in between is looked at anew before it is named."""

Send = Callable[[Sequence[Command]], Awaitable[Sequence[CommandResult | None]]]
"""Carries commands out, in any order; None for one that failed for a reason of the service's own."""


@dataclass(slots=True)
class Started:
    """What became of the leads."""

    leads: int = 0
    """For which something was started."""
    robots: int = 0
    left: int = 0
    """For which there was nothing to start."""
    refused: dict[UUID, Refusal | None] = field(default_factory=dict)
    """None: the service itself failed over it."""


@dataclass(slots=True)
class Starter:
    """A start of robots at work."""

    settings: Settings
    pool: Pool
    clock: Clock
    asked: Asked
    actor: Actor
    made: Made
    send: Send
    found: Started = field(default_factory=Started)

    async def run(self, progress: Progress = lambda step, done, total: None) -> Started:
        """Start them. Raises NoSuchPipelineError, CannotStartError, AwayError."""
        async with self.pool.acquire() as database:
            await check(database, self.asked)
            total = await store.how_many(database, self.asked.pipeline, self.asked.stages)
        after, done = NOBODY, 0
        while chunk := await self._chunk(after):
            after, done = chunk[-1].lead, done + len(chunk)
            await self._start(chunk)
            progress("leads", done, max(total, done))
        return self.found

    async def _chunk(self, after: UUID) -> list[Standing]:
        async with self.pool.acquire() as database:
            return await store.standing(database, self.asked.pipeline, self.asked.stages, after, CHUNK)

    async def _start(self, chunk: Sequence[Standing]) -> None:
        for turn in range(1, ROUNDS + 1):
            now = await self.clock.now()
            rehearsed = await rehearse_now(self.settings, self.pool, now, chunk, self.asked, self.actor, self.made)
            self.found.left += sum(lead.left is not None for lead in rehearsed)
            self.found.refused |= {lead.state.lead: lead.refused for lead in rehearsed if lead.refused is not None}
            starting = [lead for lead in rehearsed if lead.armed or lead.turns]
            results = await self.send([lead.command for lead in starting])
            moved = {
                lead.state.lead
                for lead, result in zip(starting, results, strict=True)
                if not self._settled(lead, result, last=turn == ROUNDS)
            }
            chunk = [lead for lead in chunk if lead.lead in moved]
            if not chunk:
                return

    def _settled(self, lead: Rehearsed, result: CommandResult | None, *, last: bool) -> bool:
        """Count what became of a lead; False where it is to be looked at anew."""
        refusal = result.refusal if result is not None else None
        if result is not None and result.outcome == "done":
            self.found.leads += 1
            self.found.robots += len(lead.armed) + len(lead.turns)
        elif refusal is not None and refusal.status == 409 and not last:
            return False  # something happened to it in this moment
        else:
            self.found.refused[lead.state.lead] = refusal
        return True
