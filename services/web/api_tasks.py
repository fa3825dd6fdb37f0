"""`/api/tasks` and `/api/queue`: what is to be done, by whom and by when; what waits for a head, in one order (S4, Q7, N21).

Invariants: a seller sees their own tasks; the queue is for heads, operations and auditors.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from contracts.pipeline import Titles, Words
from projections.tasks import reading
from services.web.api_incidents import LARGEST_PAGE, PAGE, of_whom
from services.web.door import Asking, TheDoor, place_in_list
from services.web.pipelines_in_force import in_force
from services.web.queue_order import Kind
from services.web.queue_reading import Queue, Queued, queue_of
from services.web.shapes_incidents import TaskList, deadline_task_out, task_out
from services.web.texts import TEXTS
from services.web.tokens import OPERATE

router = APIRouter(tags=["tasks"])


class QueuedOut(BaseModel):
    """Something that waits for a head. `kind`: review, escalation, deadline, task, pool, card_review, dead_letter; `id`: the lead
    of a review or of the pool, else its own; `steps`: of the nearest lead it is about, how many are left to the decision (null:
    it is about none); `since`: from when it has waited; `detail`: more, by kind."""

    kind: Kind
    id: UUID | str
    since: datetime
    steps: int | None
    lead: UUID | None
    name: str | None
    pipeline: str | None
    stage: str | None
    stage_titles: Titles | None
    amount: Decimal | None
    currency: str | None
    who: str | None
    titles: Titles | None
    detail: dict[str, Any]


class QueueOut(BaseModel):
    """The queue, what comes first first. `formula`: the order in words; `currency`: whose amounts come first; `cut`: kinds of
    which more wait than are listed."""

    items: list[QueuedOut]
    formula: Words
    currency: str | None
    cut: list[Kind]


@router.get("/api/tasks", summary="What is to be done, the soonest due first")
async def list_tasks(
    door: TheDoor,
    holder: Asking,
    person: Annotated[str | None, Query(max_length=100, description="Who is to do it; of a seller: themselves")] = None,
    what: Annotated[
        Literal["activities", "deadlines"],
        Query(description="activities: planned ones; deadlines: those that run, of leads they are responsible for"),
    ] = "activities",
    pipeline: Annotated[str | None, Query(max_length=100)] = None,
    overdue: Annotated[bool, Query(description="Only what should have been done by now")] = False,
    after: Annotated[str | None, Query(max_length=300, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
) -> TaskList:
    whose, now = of_whom(holder, person), await door.clock.now()
    before = now if overdue else None
    async with door.pool.acquire() as connection:
        with place_in_list():
            if what == "activities":
                wanted = reading.TasksWanted(person=whose, pipeline=pipeline, due_before=before)
                planned, following = await reading.tasks(connection, wanted, after=after, limit=limit)
                known = await in_force(connection, (task.pipeline for task in planned))
                return TaskList(items=[task_out(task, known, now) for task in planned], next=following)
            running, following = await reading.deadlines(
                connection, person=whose, pipeline=pipeline, due_before=before, after=after, limit=limit
            )
        known = await in_force(connection, (turn.pipeline for turn in running))
    return TaskList(items=[deadline_task_out(turn, known, now) for turn in running], next=following)


@router.get("/api/queue", summary="The head's queue: all that waits for a decision, in one order")
async def read_queue(
    door: TheDoor,
    holder: Asking,
    everyone: Annotated[bool, Query(alias="all", description="Also what waits for other heads, of all teams")] = False,
) -> QueueOut:
    holder.must(OPERATE, "see the head's queue")
    now = await door.clock.now()
    async with door.pool.acquire() as connection:
        head = holder.name if holder.role == "head" and not everyone else None
        return queue_out(await queue_of(connection, head, now))


def queue_out(queue: Queue) -> QueueOut:
    """The queue as an answer."""
    ru, en = TEXTS["queue.formula"]
    return QueueOut(
        items=[queued_out(item) for item in queue.items],
        formula=Words(ru=ru, en=en),
        currency=queue.currency,
        cut=queue.cut,
    )


def queued_out(item: Queued) -> QueuedOut:
    """One thing of it."""
    own = {
        name: getattr(item, name)
        for name in ("lead", "name", "pipeline", "stage", "stage_titles", "amount", "currency", "who", "titles")
    }
    waiting = item.waiting
    return QueuedOut(
        kind=waiting.kind,
        id=waiting.id,
        since=waiting.since,
        steps=min((standing.steps for standing in waiting.leads), default=None),
        detail=dict(item.detail or {}),
        **own,
    )
