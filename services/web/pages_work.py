"""My work: what somebody has to do, by due instant, overdue first; their incidents, and what they were not told of yet (S4, Q6).

Invariants: an incident counts as told once this page was shown to its own employee in a browser: the page says so itself
(`told.js`), or its button where there is no JavaScript; a repeat of that changes nothing. What stands for a deadline stands once.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from projections.incidents import reading as incidents
from projections.incidents.reading import Wanted
from projections.tasks import reading as tasks
from services.web.door import TheDoor
from services.web.pages import Visiting, render
from services.web.pipelines_in_force import in_force
from services.web.shapes_incidents import TaskOut, deadline_task_out, incident_out, task_out
from services.web.tokens import READ

MOST = 200
"""Tasks, and deadlines, that are shown."""
PARTS = ("overdue", "today", "later", "undated")

router = APIRouter()


@router.get("/work")
async def work_page(request: Request, door: TheDoor, visitor: Visiting) -> HTMLResponse:
    """The page, of whoever looks at it."""
    visitor.holder.must(READ, "see their work")
    me, now = visitor.holder.name, await door.clock.now()
    async with door.pool.acquire() as connection:
        planned, more = await tasks.tasks(connection, tasks.TasksWanted(person=me), limit=MOST)
        running, more_running = await tasks.deadlines(connection, person=me, limit=MOST)
        untold = await incidents.untold(connection, me)
        open_ones, _ = await incidents.incidents(connection, Wanted(employee=me, state="open"), limit=50)
        named = [*(task.pipeline for task in planned), *(turn.pipeline for turn in running)]
        about = [incident.pipeline for incident in (*untold, *open_ones)]
        known = await in_force(connection, [*named, *about])
    ticking = {(turn.lead, turn.deadline) for turn in running}
    todo = [task_out(task, known, now) for task in planned if (task.lead, task.deadline or "") not in ticking]
    todo += [deadline_task_out(turn, known, now) for turn in running]
    return render(
        request,
        visitor,
        "work.html",
        parts=parts(todo, now, ZoneInfo(door.settings.time_zone)),
        stages={(name, stage.id): stage.titles for name, pipeline in known.items() for stage in pipeline.stages},
        untold=[incident_out(incident, known) for incident in untold],
        open_incidents=[incident_out(incident, known) for incident in open_ones],
        key_of=lambda incident: key_of_told(incident, me),
        cut=MOST if more or more_running else 0,
        now=now,
    )


def parts(todo: list[TaskOut], now: datetime, zone: ZoneInfo) -> list[tuple[str, list[TaskOut]]]:
    """What is to be done, by due instant, in the parts of the page; empty parts are left out."""
    today = now.astimezone(zone).date()
    found: dict[str, list[TaskOut]] = {part: [] for part in PARTS}
    for task in sorted(todo, key=lambda task: (task.due_at is None, task.due_at or now, str(task.id))):
        if task.due_at is None:
            part = "undated"
        elif task.overdue:
            part = "overdue"
        else:
            part = "today" if task.due_at.astimezone(zone).date() == today else "later"
        found[part].append(task)
    return [(part, tasks) for part, tasks in found.items() if tasks]


def key_of_told(incident: UUID, employee: str) -> str:
    """Under which key an employee is told of an incident: the same however often the page is shown."""
    return str(uuid5(incident, f"told:{employee}"))
