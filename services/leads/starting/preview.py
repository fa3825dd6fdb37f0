"""The preview of a start of robots: leads, robots, work for each person day by day, what would go out (N5).

Invariants: nothing is written; nothing personal is in it but our own people's names: leads are named by id.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from contracts import events as e
from contracts.commands import Refusal
from contracts.meta import Actor
from services.calendars import registry as calendars
from services.calendars.calendar import Calendar
from services.database import Pool
from services.leads.domain.robots.foreseeing import Foreseen
from services.leads.publishing.run import Progress
from services.leads.rehearsal import rehearsing
from services.leads.starting import store
from services.leads.starting.asking import Asked, Left, check
from services.leads.starting.rehearsing import Looking, Made, Rehearsed, chunks, rehearse
from services.settings import Settings

DAYS: Final = 14
"""How far ahead the preview looks, from the moment the robots start."""


@dataclass(slots=True)
class Starting:
    """A robot or deadline of a stage that would start. `first`, `last`: when it is due."""

    stage: str
    robot: str
    first: datetime
    last: datetime
    leads: int = 0


@dataclass(slots=True)
class Preview:
    """What would happen."""

    asked: Asked
    days: tuple[date, ...]
    looked_at: int = 0
    starting: int = 0
    """Leads for which something would start."""
    left: Counter[Left] = field(default_factory=Counter)
    refused: dict[UUID, Refusal] = field(default_factory=dict)
    robots: dict[tuple[str, str], Starting] = field(default_factory=dict)
    tasks: dict[str | None, Counter[date]] = field(default_factory=dict)
    """Tasks by person and by the day on which they get them; None: of a lead that nobody is responsible for."""
    did: Counter[str] = field(default_factory=Counter)
    """What robots would do, by the word of the action."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Robots that would do nothing when their instant comes, by reason."""
    failed: int = 0
    refusing: set[UUID] = field(default_factory=set)
    """People who refused the contact that a robot would make (C7)."""
    cut: int = 0
    """Leads with more instants than are looked at."""

    @property
    def first(self) -> datetime | None:
        """When the first robot would be due."""
        return min((one.first for one in self.robots.values()), default=None)

    def of(self, *did: str) -> int:
        """How many of these acts there would be."""
        return sum(self.did[word] for word in did)

    def as_object(self) -> dict[str, Any]:
        """For programs."""
        return {
            "pipeline": self.asked.pipeline,
            "at": self.asked.at,
            "looked_at": self.looked_at,
            "starting": self.starting,
            "first_due": self.first,
            "left": dict(self.left),
            "refused": [{"lead": str(lead), "rules": list(r.rules)} for lead, r in self.refused.items()],
            "robots": [
                {"stage": o.stage, "robot": o.robot, "leads": o.leads, "first_due": o.first, "last_due": o.last}
                for o in self.robots.values()
            ],
            "tasks": [
                {"person": person, "total": by_day.total(), "days": {str(day): n for day, n in sorted(by_day.items())}}
                for person, by_day in sorted(self.tasks.items(), key=lambda pair: pair[0] or "")
            ],
            "did": dict(self.did),
            "skipped": dict(self.skipped),
            "failed": self.failed,
            "people_refusing": len(self.refusing),
            "cut": self.cut,
        }


async def preview(
    settings: Settings,
    pool: Pool,
    now: datetime,
    asked: Asked,
    actor: Actor,
    made: Made,
    *,
    progress: Progress = lambda step, done, total: None,
) -> Preview:
    """Rehearse a start. Raises NoSuchPipelineError, CannotStartError."""
    begin = max(now, asked.at)
    async with rehearsing(settings, pool, now) as rehearsal:
        database = rehearsal.database
        await check(database, asked)
        calendar = await calendars.current(database)
        today = calendar.local(begin).date()
        found = Preview(asked, tuple(today + timedelta(days=n) for n in range(DAYS)))
        total = await store.how_many(database, asked.pipeline, asked.stages)
        until = calendar.instant(found.days[-1] + timedelta(days=1), datetime.min.time()) - timedelta(microseconds=1)
        looking = Looking(rehearsal, until)
        async for chunk in chunks(database, asked):
            rehearsed = await rehearse(rehearsal, chunk, asked, actor, made)
            for lead in rehearsed:
                _count(found, lead, today)
            for person, future in await looking.futures(rehearsed):
                _foreseen(found, person, future, calendar)
            progress("leads", found.looked_at, total)
    return found


def _count(found: Preview, lead: Rehearsed, today: date) -> None:
    found.looked_at += 1
    if lead.refused is not None:
        found.refused[lead.state.lead] = lead.refused
    elif lead.left is not None:
        found.left[lead.left] += 1
    else:
        found.starting += 1
    begun = [(armed.robot, armed.due_at) for armed in lead.armed] + [(t.deadline, t.due_at) for t in lead.turns]
    for name, due_at in begun:
        place = (lead.state.stage, name)
        one = found.robots.setdefault(place, Starting(*place, first=due_at, last=due_at))
        one.first, one.last, one.leads = min(one.first, due_at), max(one.last, due_at), one.leads + 1
    tasks = sum(turn.activity is not None for turn in lead.turns)
    if tasks:
        found.tasks.setdefault(lead.state.responsible, Counter())[today] += tasks


def _foreseen(found: Preview, person: UUID, future: Foreseen, calendar: Calendar) -> None:
    found.cut += future.cut
    for happening in future.happenings:
        match happening.event:
            case e.ActivityPlanned() as planned:
                who = planned.assignee or happening.responsible
                found.tasks.setdefault(who, Counter())[calendar.local(happening.at).date()] += 1
            case e.RobotRan() as ran:
                found.did[ran.did] += 1
            case e.RobotSkipped() as skipped:
                found.skipped[skipped.reason] += 1
                if skipped.reason == "contact_refused":
                    found.refusing.add(person)
            case e.RobotFailed():
                found.failed += 1
