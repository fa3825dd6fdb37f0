"""Q1-Q4, Q6, N1, N2: deadlines with the real aggregate service, relay and timers on a practice clock; the timers' process is
killed in between, and an outage ends with a check that comes late."""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

import services.eventlog.relay.app
import services.leads.app
from contracts import events as e
from contracts.personal import ERASED
from deploy.embedded.ports import free_port
from services.clock import PracticeClock, SystemClock
from services.database import Pool
from services.health import Health
from services.leads.batcher import Batcher
from services.leads.domain.deals import deal_of
from services.leads.memory import Memory
from services.ops.verify.run import verify
from services.pipelines.registry import publish
from services.privacy.store import KeyRing
from services.settings import Settings
from tests.eventlog_builders import until
from tests.integration.leads_case import HEAD, Leads
from tests.integration.leads_case import running as leads_at_work
from tests.integration.robots_case import counts, robots_process

pytestmark = pytest.mark.kafka

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
"""A Monday, 9:00 in Moscow: work begins."""
HOUR = timedelta(hours=1)
LIMIT = 60.0
TURNS = (e.DeadlineSet, e.DeadlineMet, e.DeadlineAsked, e.DeadlineMissed, e.DeadlineDropped)
PIPELINE = """
pipeline: in_time
titles: {ru: "В срок", en: "In time"}
conversion_point: deal
fields:
  - {id: size, titles: {ru: "Габариты", en: "Size"}, personal: false}
facts:
  - id: quality
    titles: {ru: "результат", en: "the result"}
    holds: visit
    options:
      - {id: good, titles: {ru: "качественный", en: "good"}}
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    deadlines:
      - id: take
        titles: {ru: "Взять", en: "Take"}
        task: {ru: "Взять в работу", en: "Take into work"}
        within: [{period: {hours: 1, working: true}}]
        warn: {minutes: 15, working: true}
        done: [{fact: seen}, {fact: accepted}]
  - id: work
    titles: {ru: "В работе", en: "In work"}
    kind: open
    mandatory: [size]
    deadlines:
      - id: qualify
        titles: {ru: "Квалификация", en: "Qualification"}
        task: {ru: "Заполнить карточку", en: "Fill in the card"}
        within:
          - {period: {hours: 4, working: true}, when: "has(lead.phone)"}
          - {period: {hours: 8, working: true}}
        results:
          - id: good
            titles: {ru: "качественный", en: "good"}
            when: "facts.quality == 'good'"
            mandatory: true
            then: {move: offer}
  - {id: offer, titles: {ru: "Предложение", en: "Offer"}, kind: open}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
"""


@dataclass
class System:
    """The system at work, but for the robots service: the test starts and kills them."""

    settings: Settings
    pool: Pool
    leads: Leads
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """The robots service, as its process is served."""
        self.process = robots_process(self.settings)

    def kill(self) -> None:
        """Kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    async def at(self, moment: datetime) -> None:
        """The practice clock goes on."""
        await self.pool.execute("UPDATE leadline.clock SET practice_now = $1", moment)

    async def entered(self, number: int) -> UUID:
        """A lead that somebody entered by hand."""
        lead = uuid4()
        body = {"pipeline": "in_time", "name": f"Клиент {number}", "phone": f"+7900100{number:04}"}
        assert (await self.leads.send(lead, "capture", **body)).outcome == "done"
        return lead

    async def give(self, lead: UUID, name: str, **body: Any) -> None:
        """A command that is done."""
        result = await self.leads.send(lead, name, by=HEAD, **body)
        assert result.outcome == "done", result.refusal

    async def told(self, lead: UUID) -> list[str]:
        """What became of the lead's deadlines: `missed:qualify`."""
        history = await self.leads.history(lead)
        events = [recorded.data for recorded in history if isinstance(recorded.data, TURNS)]
        return [f"{event.TOPIC.rpartition('_')[2]}:{event.deadline}" for event in events]

    async def last(self, lead: UUID, kind: type[e.Event]) -> Any:
        """The last event of a kind."""
        return [r.data for r in await self.leads.history(lead) if isinstance(r.data, kind)][-1]

    async def becomes(self, lead: UUID, *wanted: str) -> None:
        """Wait until this has become of the lead's deadlines."""

        async def there() -> bool:
            return await self.told(lead) == list(wanted)

        try:
            await until(there, f"deadlines: {wanted}", LIMIT)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {await self.told(lead)}, {await counts(self.pool)}") from None

    async def kept(self, rows: int) -> None:
        """Wait until so many timers wait at the robots service."""

        async def there() -> bool:
            return (await counts(self.pool))["rows"] == rows

        await until(there, f"{rows} timers wait", LIMIT)


@asynccontextmanager
async def system(settings: Settings, pool: Pool) -> AsyncIterator[System]:
    """Aggregate service and relay on a practice clock that stands at `START`; the robots service as the test says."""
    made = settings.model_copy(
        update={
            "leads_url": f"http://127.0.0.1:{free_port(set())}",
            "default_pipeline": "in_time",
            "clock": START,
        }
    )
    await pool.execute("INSERT INTO leadline.clock (practice_now) VALUES ($1)", START)
    await publish(pool, SystemClock(), PIPELINE, HEAD)
    stop = asyncio.Event()
    parts = {name: Health(name) for name in ("leads", "relay")}
    runs = {"leads": services.leads.app.run, "relay": services.eventlog.relay.app.run}
    tasks = [asyncio.create_task(run(made, parts[name], stop)) for name, run in runs.items()]
    batcher = Batcher(made, pool, PracticeClock(pool), Memory(KeyRing(made.master_key_bytes)))
    tasks.append(asyncio.create_task(batcher.run()))

    async def ready() -> bool:
        for task in tasks:
            if task.done():
                task.result()
        return all(part.is_ready() for part in parts.values())

    running = System(made, pool, Leads(made, pool, batcher))
    try:
        await until(ready, "all are ready")
        yield running
    finally:
        running.kill()
        stop.set()
        batcher.close()
        await asyncio.wait(tasks, timeout=30)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_Q4_Q6_asked_missed_next_turn_and_moved_on_with_the_robots_service_killed_in_between(
    settings: Settings, pool: Pool
) -> None:
    async with system(settings, pool) as running:
        lead, slow = await running.entered(1), await running.entered(2)
        for one in (lead, slow):
            await running.give(one, "move", to="work", first=[{"type": "see"}, {"type": "accept"}])
        assert await running.told(lead) == ["set:take", "met:take", "set:qualify"]
        due = (await running.last(lead, e.DeadlineSet)).due_at
        assert due == START + 4 * HOUR

        # an hour later it is ticked off without a result: asked again, with a new term; nobody fires yet
        await running.at(START + HOUR)
        task = (await running.last(lead, e.DeadlineSet)).activity
        await running.give(lead, "complete", activity=task, result="поговорили")
        assert (await running.told(lead))[-2:] == ["asked:qualify", "set:qualify"]
        running.start()
        await running.kept(2)  # a turn of each lead; the warnings of `take` are over
        running.kill()

        # its end passes while the robots service is dead: the check comes late, and says by how much
        await running.at(START + 5 * HOUR + timedelta(minutes=30))
        running.start()
        begun = ["set:take", "met:take", "set:qualify"]
        await running.becomes(slow, *begun, "missed:qualify", "set:qualify")
        await running.becomes(lead, *begun, "asked:qualify", "set:qualify", "missed:qualify", "set:qualify")
        missed = await running.last(lead, e.DeadlineMissed)
        assert (missed.due_at, missed.late_ms, missed.cause) == (START + 5 * HOUR, 30 * 60 * 1000, "person")
        assert missed.lacks == ("result",)
        assert missed.incident is not None
        running.kill()

        # the next turn's end passes too; what is filled in after it, before anybody checks, is late
        await running.at(START + timedelta(days=1, hours=5))
        await running.give(lead, "record", fields={"size": "3000"})
        await running.give(lead, "establish", fact="quality", value="good")
        told = await running.told(lead)
        assert told[-3:] == ["missed:qualify", "set:qualify", "met:qualify"]
        assert (await running.last(lead, e.StageEntered)).stage == "offer"
        assert (await running.last(lead, e.DeadlineMissed)).running == 2
        running.start()
        await running.kept(1)  # the other lead's next turn
        running.kill()

        for one in (lead, slow):
            events = [r.data for r in await running.leads.history(one) if isinstance(r.data, TURNS)]
            begun_ids = {event.timer for event in events if isinstance(event, e.DeadlineSet)}
            ended = Counter(event.timer for event in events if not isinstance(event, e.DeadlineSet))
            assert set(ended) <= begun_ids
            assert set(ended.values()) == {1}
        report = await verify(running.settings)
        assert [str(d) for d in report.differences if d.place == "timers"] == []


async def test_Q1_a_new_lead_is_warned_of_and_missed_again_and_again_until_it_is_taken(
    settings: Settings, pool: Pool
) -> None:
    async with system(settings, pool) as running:
        lead = await running.entered(3)
        running.start()
        await running.kept(2)
        await running.at(START + timedelta(minutes=46))

        async def warned() -> bool:
            history = await running.leads.history(lead)
            return any(isinstance(r.data, e.RobotRan) and r.data.did == "warn" for r in history)

        await until(warned, "the responsible is warned", LIMIT)
        told = await running.last(lead, e.EffectRequested)
        assert told.effect_kind == "notice"
        assert str(lead) in told.text
        await running.at(START + HOUR)
        await running.becomes(lead, "set:take", "missed:take", "set:take")
        await running.at(START + 2 * HOUR + timedelta(minutes=1))
        await running.becomes(lead, "set:take", "missed:take", "set:take", "missed:take", "set:take")
        running.kill()
        await running.give(lead, "see")
        await running.give(lead, "accept")
        assert (await running.told(lead))[-1] == "met:take"
        running.start()
        await running.kept(0)
        found = await counts(pool)
        assert found["armed"] == found["ran"] + found["cancelled"] + found["skipped"] + found["failed"]


WON = """
pipeline: won_in_time
titles: {ru: "Заявки", en: "Leads"}
conversion_point: deal
stages:
  - {id: new, titles: {ru: "Новый", en: "New"}, kind: open}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won, deal: {pipeline: in_time}}
"""


async def test_D1_Q7_a_deal_has_its_deadlines_like_a_lead(settings: Settings, pool: Pool) -> None:
    async with system(settings, pool) as running:
        await publish(pool, SystemClock(), WON, HEAD)
        lead = uuid4()
        assert (
            await running.leads.send(lead, "capture", pipeline="won_in_time", name="Анна", phone="+79001000009")
        ).outcome == "done"
        await running.give(lead, "convert")
        deal = deal_of(lead, "in_time")
        assert await running.told(lead) == []
        assert await running.told(deal) == ["set:take"]
        running.start()
        await running.kept(2)
        await running.at(START + HOUR + timedelta(seconds=1))
        await running.becomes(deal, "set:take", "missed:take", "set:take")
        missed = await running.last(deal, e.DeadlineMissed)
        assert missed.TOPIC == "leadline.deal.deadline_missed"
        await running.give(lead, "undo")
        assert (await running.told(deal))[-1] == "dropped:take"


async def test_C1_Q4_a_result_that_says_bad_data_deletes_the_person(settings: Settings, pool: Pool) -> None:
    async with leads_at_work(settings, pool) as leads:
        lead = uuid4()
        body = {"pipeline": "countertops", "name": "Анна", "phone": "+79001000010"}
        assert (await leads.send(lead, "capture", **body)).outcome == "done"
        await leads.send(lead, "move", to="in_work", first=[{"type": "see"}, {"type": "accept"}])
        await leads.send(lead, "establish", fact="qualification", value="poor")
        assert (await leads.send(lead, "record", fields={"poor_reason": "wrong_data"})).outcome == "done"
        history = await leads.history(lead)
        rejected = [r.data for r in history if isinstance(r.data, e.LeadRejected)]
        assert [event.outcome for event in rejected] == ["bad_data"]
        assert history[0].data.name == ERASED
