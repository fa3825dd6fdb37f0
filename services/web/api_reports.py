"""`/api/reports/…` and `/api/teams/{team}`: response times, people × stages, reviews, the quality of a card, a team as it stands
(S2, S6, Q5, Q11, C4).

Invariants: reads only; for heads, operations and auditors.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from contracts.pipeline import Titles
from contracts.team import Escalation, Quota
from projections.response.arrival import Step
from projections.response.reading import ArrivalsWanted
from projections.response.times import By
from services.web.door import Asking, TheDoor, current_pipeline
from services.web.reading_reports import (
    CARD_DAYS,
    CardReportOut,
    PeopleStagesOut,
    ResponseTimesOut,
    ReviewsOut,
    card_report,
    people_stages,
    period_of,
    response_times,
    reviews_of,
)
from services.web.shapes import LeadCard, card_out
from services.web.team_view import MemberNow, team_now
from services.web.tokens import OPERATE

router = APIRouter(tags=["reports"])

Start = Annotated[str | None, Query(alias="from", max_length=40, description="First day, or a time with a zone")]
End = Annotated[str | None, Query(alias="to", max_length=40, description="Last day, that included, or a time")]
Filter = Annotated[str | None, Query(max_length=100)]


@router.get("/api/reports/response-times", summary="Arrival to seen, accepted and first contact (S2)")
async def read_response_times(
    door: TheDoor,
    holder: Asking,
    by: Annotated[By | None, Query(description="Also for each source, person, channel or hour of arrival")] = None,
    start: Start = None,
    end: End = None,
    pipeline: Filter = None,
    source: Filter = None,
    person: Filter = None,
    lacks: Annotated[Step | None, Query(description="Only leads that have not reached this step")] = None,
) -> ResponseTimesOut:
    holder.must(OPERATE, "read reports")
    period = period_of(start, end, ZoneInfo(door.settings.time_zone), await door.clock.now())
    wanted = ArrivalsWanted(period.since, period.until, pipeline, source, person, lacks)
    async with door.pool.acquire() as connection:
        return await response_times(connection, wanted, by)


@router.get("/api/reports/people-stages", summary="Whose leads stand in which stage, with sums and the oldest (S6)")
async def read_people_stages(door: TheDoor, holder: Asking, pipeline: Filter = None) -> PeopleStagesOut:
    holder.must(OPERATE, "read reports")
    async with door.pool.acquire() as connection:
        known, _ = await current_pipeline(connection, pipeline or door.settings.default_pipeline)
        return await people_stages(connection, known)


@router.get("/api/reports/reviews", summary="How leads made poor were judged, by person (Q5)")
async def read_reviews(
    door: TheDoor, holder: Asking, start: Start = None, end: End = None, pipeline: Filter = None
) -> ReviewsOut:
    holder.must(OPERATE, "read reports")
    period = period_of(start, end, ZoneInfo(door.settings.time_zone), await door.clock.now())
    async with door.pool.acquire() as connection:
        return await reviews_of(connection, period, pipeline)


@router.get("/api/reports/card/{pipeline}", summary="The quality of a pipeline's card (Q11)")
async def read_card(
    door: TheDoor, holder: Asking, pipeline: str, start: Start = None, end: End = None
) -> CardReportOut:
    holder.must(OPERATE, "read reports")
    period = period_of(start, end, ZoneInfo(door.settings.time_zone), await door.clock.now(), CARD_DAYS)
    async with door.pool.acquire() as connection:
        known, _ = await current_pipeline(connection, pipeline)
        return await card_report(connection, known, period)


class LoadOut(BaseModel):
    """How much somebody has to do: open leads, tasks, of these overdue, deadlines that run, of these due soon, missed before."""

    model_config = ConfigDict(from_attributes=True)

    leads: int
    tasks: int
    overdue: int
    deadlines: int
    soon: int
    missed: int


class MemberOut(BaseModel):
    """Somebody of a team. `standing`: here, off (not their working time now), away, left, not_yet; `load` null: they have nothing
    to do."""

    name: str
    standing: str
    skills: list[str]
    languages: list[str]
    directions: list[str]
    quota: Quota
    weight: int
    takes: bool
    manager: str | None
    since: date | None
    left: date | None
    load: LoadOut | None


class TeamOut(BaseModel):
    """A team in force, as it stands now. `pool`: leads of the pipelines that give theirs to this team,
    which nobody may have, or has taken."""

    team: str
    number: int
    titles: Titles
    head: str | None
    calendar: str
    escalation: Escalation
    members: list[MemberOut]
    pool: list[LeadCard]


@router.get("/api/teams/{team}", summary="A team in force: who is here today, loads, the pool (C4)")
async def read_team(door: TheDoor, holder: Asking, team: str) -> TeamOut:
    holder.must(OPERATE, "see teams")
    async with door.pool.acquire() as connection:
        found = await team_now(connection, team, await door.clock.now())
    return TeamOut(
        team=found.team.team,
        number=found.number,
        titles=found.team.titles,
        head=found.team.head,
        calendar=found.calendar.version,
        escalation=found.team.escalation,
        members=[_member(now, found.team.manager_of(now.member.name)) for now in found.members],
        pool=[card_out(card, {}) for card in found.pool],
    )


def _member(now: MemberNow, manager: str | None) -> MemberOut:
    member = now.member
    return MemberOut(
        **member.model_dump(exclude={"manager"}),
        manager=manager,
        standing=now.standing,
        load=LoadOut.model_validate(now.load) if now.load is not None else None,
    )
