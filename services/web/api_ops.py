"""`/ops/status` and the practice clock; health, readiness and metrics of the door itself.

Invariant: a clock is moved only in a practice system, and never back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.robots import store as robots
from services.serving import HEALTH_PATHS, answer_health
from services.web import store
from services.web.door import Asking, Door, TheDoor
from services.web.problems import ProblemError
from services.web.tokens import MOVE_CLOCK, OPERATE

NOTICES = 100

router = APIRouter(tags=["operations"])


class NoticeOut(BaseModel):
    """Something operations must know."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    service: str
    severity: str
    code: str
    detail: str
    at: datetime


class ParkedOut(BaseModel):
    """Records that wait for a person, by consumer and reason."""

    model_config = ConfigDict(from_attributes=True)

    consumer: str
    build: int
    reason: str
    count: int
    since: datetime


class LagOut(BaseModel):
    """How many records a consumer is behind on a topic."""

    model_config = ConfigDict(from_attributes=True)

    consumer: str
    build: int
    topic: str
    behind: int


class RobotTimersOut(BaseModel):
    """A robot's timers: armed = ran + skipped + cancelled + failed + waiting. `due`: overdue, not sent; `sent`: on their way."""

    model_config = ConfigDict(from_attributes=True)

    kind: str
    pipeline: str
    robot: str
    armed: int
    ran: int
    skipped: int
    cancelled: int
    failed: int
    waiting: int
    due: int
    sent: int
    oldest_due_at: datetime | None


class StatusOut(BaseModel):
    """How the system is. `outbox`: rows on their way to Kafka, those acknowledged in the last 10 s included."""

    now: datetime
    practice: bool
    notices: list[NoticeOut]
    parked: list[ParkedOut]
    lag: list[LagOut]
    robots: list[RobotTimersOut]
    outbox: int
    quarantined: int


class ClockAsked(BaseModel):
    """The moment to move the practice clock on to."""

    model_config = ConfigDict(extra="forbid")

    to: AwareDatetime


class ClockMoved(BaseModel):
    """The practice clock stands here now."""

    now: datetime


@router.get("/ops/status", summary="Notices, parked records, lag")
async def read_status(door: TheDoor, holder: Asking) -> StatusOut:
    holder.must(OPERATE, "read the state of operations")
    return await status_of(door)


async def status_of(door: Door) -> StatusOut:
    """What the operations page shows."""
    now = await door.clock.now()
    async with door.pool.acquire() as connection:
        waiting = await store.waiting(connection)
        return StatusOut(
            now=now,
            practice=door.settings.clock is not None,
            notices=[NoticeOut.model_validate(row) for row in await store.notices(connection, NOTICES)],
            parked=[ParkedOut.model_validate(row) for row in await store.parked(connection)],
            lag=[LagOut.model_validate(row) for row in await store.lag(connection)],
            robots=[RobotTimersOut.model_validate(row) for row in await robots.backlog(connection, now)],
            outbox=waiting.outbox,
            quarantined=waiting.quarantined,
        )


@router.post("/ops/clock", summary="Move a practice system's clock on")
async def move_clock(door: TheDoor, holder: Asking, posted: ClockAsked) -> ClockMoved:
    holder.must(MOVE_CLOCK, "move the clock")
    if door.settings.clock is None:
        raise ProblemError(
            409,
            "no-practice-system",
            "this system runs on the world's time; start a practice one with: leadline up --clock T",
        )
    async with door.pool.acquire() as connection:
        moved = await store.move_clock(connection, posted.to)
    now = await door.clock.now()
    if not moved:
        raise ProblemError(
            409, "clock-goes-forward", f"the clock stands at {now.isoformat()} and never goes back", extra={"now": now}
        )
    return ClockMoved(now=now)


def _health(path: str) -> Callable[[Door], Awaitable[Response]]:
    async def answer(door: TheDoor) -> Response:
        said = answer_health(door.health, path)
        assert said is not None, "only HEALTH_PATHS are routed here"
        status, kind, body = said
        return Response(body, status, media_type=kind)

    return answer


for _path in sorted(HEALTH_PATHS):
    router.add_api_route(_path, _health(_path), methods=["GET"], include_in_schema=False)
