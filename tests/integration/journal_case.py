"""What tests of the incident journal share: a pipeline with a deadline of a minute, a team with a head, the journals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from contracts import events as e
from contracts.journal import journal_of, quarter_of
from contracts.meta import Actor
from services.clock import SystemClock
from services.database import Pool, open_pool
from services.leads.batcher import Batcher
from services.leads.domain.journal.state import JournalState, journal_from
from services.leads.memory import Memory
from services.leads.reading import read_history
from services.pipelines.registry import publish, publish_bundled
from services.privacy.store import KeyRing
from services.settings import Settings
from services.teams import publishing as teams
from tests.integration.leads_case import HEAD, Leads
from tests.integration.robots_case import HandClock

START = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
QUARTER = quarter_of(START)
OLGA = Actor(id="olga", kind="person", role="head")
DELIVERY = Actor(id="delivery", kind="system")
WATCH = Actor(id="incidents", kind="system")
TEAM = (
    'team: sales\ntitles: {ru: "Продажи", en: "Sales"}\nhead: olga\n'
    "members: [{name: anna}, {name: boris}]\nescalation: {misses: 3, days: 30}\n"
)
PIPELINE = """
pipeline: NAME
titles: {ru: "Камень", en: "Stone"}
conversion_point: deal
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    deadlines:
      - id: take
        titles: {ru: "Взять в работу", en: "Take into work"}
        within: [{period: {minutes: 1, working: true}}]
        done: [{fact: accepted}]
        again: false
    robots:
      - id: crm
        titles: {ru: "Внешняя система", en: "The other system"}
        do: {webhook: crm}
        start: {delay: {days: 2}}
      - id: no_attempt
        titles: {ru: "Нет попыток", en: "No attempt"}
        do: {incident: {ru: "Ни одной попытки связаться", en: "No attempt"}}
        start: {delay: {days: 3}}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: poor, titles: {ru: "Брак", en: "Poor"}, kind: lost}
"""


async def journal(pool: Pool, settings: Settings, employee: str, quarter: str = QUARTER) -> JournalState | None:
    """An employee's journal, from its events alone."""
    async with pool.acquire() as database:
        return journal_from(
            await read_history(database, KeyRing(settings.master_key_bytes), journal_of(employee, quarter))
        )


async def events_of(pool: Pool, settings: Settings, employee: str, *kinds: type[e.Event]) -> list[Any]:
    """The events of these kinds in the journal."""
    async with pool.acquire() as database:
        history = await read_history(database, KeyRing(settings.master_key_bytes), journal_of(employee, QUARTER))
    return [one.data for one in history if isinstance(one.data, kinds)]


async def prepared(pool: Pool, name: str = "stone") -> None:
    """The pipeline and the team are in force."""
    await publish_bundled(pool, SystemClock())
    await publish(pool, SystemClock(), PIPELINE.replace("NAME", name), HEAD)
    await teams.publish(pool, SystemClock(), TEAM, OLGA)


class House:
    """Several aggregate services beside one another, on one clock that the test moves."""

    def __init__(self, services: Sequence[Leads], clock: HandClock) -> None:
        self.services, self.clock = services, clock
        self.turn = 0

    def any(self) -> Leads:
        """One of them, in turn."""
        self.turn += 1
        return self.services[self.turn % len(self.services)]

    async def lead(self, phone: int = 1) -> UUID:
        """A lead of Anna's."""
        lead = uuid4()
        made = await self.any().send(lead, "capture", name="Клиент", phone=f"+7916{phone:07}")
        assert made.outcome == "done", made
        return lead

    async def fire(self, lead: UUID, by: Leads | None = None) -> Any:
        """The robots service says that the lead's deadline, or its earliest robot, is due."""
        service = by or self.any()
        history = [one.data for one in await service.history(lead)]
        over = {one.timer for one in history if isinstance(one, e.DeadlineMissed | e.RobotRan)}
        waits = [one for one in history if isinstance(one, e.DeadlineSet | e.RobotArmed) and one.timer not in over]
        first = min(waits, key=lambda one: one.due_at)
        name = first.deadline if isinstance(first, e.DeadlineSet) else first.robot
        return await service.send(lead, "fire", by=Actor(id=name, kind="robot"), timer=first.timer, robot=name)

    async def journal(self, employee: str = "anna") -> JournalState:
        """An employee's journal."""
        found = await journal(self.services[0].pool, self.services[0].settings, employee)
        assert found is not None
        return found

    async def events(self, *kinds: type[e.Event], employee: str = "anna") -> list[Any]:
        return await events_of(self.services[0].pool, self.services[0].settings, employee, *kinds)

    async def stream(self, employee: str = "anna") -> UUID:
        return journal_of(employee, QUARTER)

    async def notices(self, employee: str = "anna") -> list[e.NoticeRequested]:
        """What was to be mailed, in order."""
        return await self.events(e.NoticeRequested, employee=employee)


@asynccontextmanager
async def house(settings: Settings, pool: Pool, count: int = 1, name: str = "stone") -> AsyncIterator[House]:
    """So many services, each with a memory and connections of its own."""
    await prepared(pool, name)
    clock = HandClock(START)
    asked = settings.model_copy(update={"default_pipeline": name, "responsibles": ["anna"]})
    async with AsyncExitStack() as stack:
        services, tasks = [], []
        for _ in range(count):
            own = await stack.enter_async_context(await open_pool(settings.database_url, service="leads"))
            batcher = Batcher(asked, own, clock, Memory(KeyRing(settings.master_key_bytes)))
            tasks.append(asyncio.create_task(batcher.run()))
            services.append(Leads(asked, own, batcher))
        try:
            yield House(services, clock)
        finally:
            for service in services:
                service.batcher.close()
            await asyncio.wait_for(asyncio.gather(*tasks), 10)
