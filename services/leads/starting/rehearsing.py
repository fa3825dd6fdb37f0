"""What starting robots would mean, lead by lead, with nothing written (N5): who gets which robots, when, and what they would do.

Invariants: what is armed is decided by the command itself, rehearsed (`services.leads.rehearsal`); what the robots would do
follows from the lead as it stands, by the rules that hold when their instants come (`domain.robots.foreseeing`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.meta import Actor
from contracts.pipeline import Pipeline
from services.database import Database, Pool
from services.leads.assigning import Assigning, Chooser, have
from services.leads.domain.deadlines.coming import is_warning
from services.leads.domain.robots.acting import Around
from services.leads.domain.robots.foreseeing import Foreseen, foresee
from services.leads.domain.robots.standing import Armed
from services.leads.domain.state import LeadState
from services.leads.people.looking_up import look_up_whole
from services.leads.rehearsal import Rehearsal, rehearsing
from services.leads.robots import around_of
from services.leads.starting import store
from services.leads.starting.asking import NOBODY, Asked, Left, command_of
from services.leads.starting.store import Standing
from services.leads.work import CommandWork
from services.pipelines import registry
from services.settings import Settings

AT_ONCE = 100
"""Leads decided in one go."""

Made = Callable[[c.Command], CommandWork]


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A lead. `armed`: its robots that would start; `turns`: its deadlines that would begin; `left`, `refused`: why not."""

    command: c.Command
    state: LeadState
    armed: tuple[Armed, ...] = ()
    turns: tuple[e.DeadlineSet, ...] = ()
    left: Left | None = None
    refused: Refusal | None = None


async def rehearse(
    rehearsal: Rehearsal, chunk: Sequence[Standing], asked: Asked, actor: Actor, made: Made
) -> list[Rehearsed]:
    """What the command would do for each of these leads."""
    rehearsal.forget()
    commands = [command_of(lead, asked, actor) for lead in chunk]
    answers = await rehearsal.take([made(command) for command in commands])
    batch, found = rehearsal.batch, []
    assert batch is not None
    for command, done in zip(commands, answers, strict=True):
        before, after = rehearsal.before[command.lead].state, batch.lead(command.lead)
        assert isinstance(before, LeadState)
        assert after is not None
        refusal = done.result.refusal if done.result is not None else None
        waiting = after.automation.armed.items()
        armed = tuple(
            armed for timer, armed in waiting if timer not in before.automation.armed and not is_warning(armed.robot)
        )
        turns = tuple(turn for timer, turn in after.deadlines.open.items() if timer not in before.deadlines.open)
        if not asked.concerns(after):
            found.append(Rehearsed(command, after, left="other_source"))
        elif refusal is not None:
            found.append(Rehearsed(command, after, refused=refusal))
        elif armed or turns:
            found.append(Rehearsed(command, after, armed, turns))
        else:
            version = await registry.version(rehearsal.database, after.pipeline, after.pipeline_number)
            found.append(Rehearsed(command, after, left=asked.left(before, version)))
    return found


@dataclass(slots=True)
class Looking:
    """Looks ahead, lead by lead, up to `until`. What robots would give to the next goes round from one lead to the next."""

    rehearsal: Rehearsal
    until: datetime
    people: Assigning | None = None

    async def futures(self, leads: Sequence[Rehearsed]) -> list[tuple[UUID, Foreseen]]:
        """For each lead whose robots would start: the contact that goes on for its person, and what would happen."""
        batch, database = self.rehearsal.batch, self.rehearsal.database
        assert batch is not None
        starting = [lead for lead in leads if lead.armed]
        once = False
        for lead in starting:
            version = await registry.version(database, lead.state.pipeline, lead.state.pipeline_number)
            once |= any(robot.once == "person" for stage in version.stages for robot in stage.robots)
        await look_up_whole(batch, database, {lead.state.contact for lead in starting}, leads=once)
        found = []
        for lead in starting:
            version = await registry.version(database, lead.state.pipeline, lead.state.pipeline_number)
            batch.assigning = self.people
            await have(batch, database, version)
            self.people = batch.assigning
            around = await self._around(lead.state, version)
            future = foresee(lead.state, [armed.timer for armed in lead.armed], version, around, self.until)
            found.append((batch.person(lead.state.contact), future))
        return found

    async def _around(self, state: LeadState, version: Pipeline) -> Around:
        batch = self.rehearsal.batch
        assert batch is not None
        newest, _ = await registry.current(self.rehearsal.database, state.pipeline)
        return around_of(batch, state, newest, Chooser(batch, version, at_once=True))


async def chunks(database: Database, asked: Asked, limit: int = AT_ONCE) -> AsyncIterator[list[Standing]]:
    """The leads that stand where it is asked for, by and by."""
    after = NOBODY
    while chunk := await store.standing(database, asked.pipeline, asked.stages, after, limit):
        yield chunk
        after = chunk[-1].lead


async def rehearse_now(
    settings: Settings, pool: Pool, now: datetime, chunk: Sequence[Standing], asked: Asked, actor: Actor, made: Made
) -> list[Rehearsed]:
    """What the command would do for each of these leads, as they stand now."""
    async with rehearsing(settings, pool, now) as rehearsal:
        versions = await store.versions(rehearsal.database, [lead.lead for lead in chunk])
        current = [replace(lead, version=versions[lead.lead]) for lead in chunk]
        return await rehearse(rehearsal, current, asked, actor, made)
