"""`/api/funnels/{pipeline}` and the leads behind each of its numbers (spec I, M9, C5).

Invariants: figures of one pipeline only, because each has its own conversion point; the view is named in the answer; a link
given with a number lists exactly what that number counts, as long as nothing happened in between.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query

from contracts.pipeline import Pipeline
from projections.funnel.numbers import store as numbers
from projections.funnel.numbers.store import Asked, By, View
from services.database import Database
from services.web.door import Asking, TheDoor, current_pipeline, place_in_list
from services.web.moments import moment
from services.web.problems import ProblemError
from services.web.shapes_funnel import BehindList, BehindOut, FunnelOut, Link, group_out
from services.web.tokens import READ

PAGE = 50
LARGEST_PAGE = 200
LARGEST_GROUPS = 50
"""Groups shown by themselves, those with most leads received first; the rest is in the total only."""

router = APIRouter(tags=["funnels"])

From = Annotated[
    str | None, Query(alias="from", max_length=40, description="First day (2026-03-01), or a time with a zone")
]
To = Annotated[
    str | None, Query(alias="to", max_length=40, description="Last day, that day included, or a time with a zone")
]
ViewQuery = Annotated[
    View, Query(description="cohort: the leads received in the period; activity: what moved in the period")
]
ByQuery = Annotated[By | None, Query(description="Also a funnel for each source or responsible")]


@router.get("/api/funnels/{pipeline}", summary="A pipeline's funnel")
async def read_funnel(
    door: TheDoor,
    holder: Asking,
    pipeline: str,
    start: From = None,
    end: To = None,
    view: ViewQuery = "cohort",
    by: ByQuery = None,
    as_of: Annotated[str | None, Query(include_in_schema=False)] = None,
) -> FunnelOut:
    holder.must(READ, "read funnels")
    if as_of is not None:
        raise ProblemError(
            501,
            "later",
            "funnels as of a past moment are not in this release; leave as_of out. The activity view of a period that is "
            "over does not change",
        )
    zone = ZoneInfo(door.settings.time_zone)
    now = await door.clock.now()
    async with door.pool.acquire() as connection:
        known, number = await current_pipeline(connection, pipeline)
        asked = asked_of(known, view, start, end, zone)
        return await funnel_of(
            connection, known, number, asked, by, {"from": start, "to": end}, now, f"/api/funnels/{pipeline}/leads"
        )


@router.get("/api/funnels/{pipeline}/leads", summary="The visits or leads behind a number of a funnel")
async def read_behind(
    door: TheDoor,
    holder: Asking,
    pipeline: str,
    number: Annotated[str, Query(max_length=40, description="The number's name, for example `lost`, or `received`")],
    stage: Annotated[str | None, Query(max_length=60)] = None,
    status: Annotated[str | None, Query(max_length=60, description="Of `lost`: only by this reject status")] = None,
    group: Annotated[str | None, Query(max_length=200, description="Only of this group of `by`; empty: nobody")] = None,
    start: From = None,
    end: To = None,
    view: ViewQuery = "cohort",
    by: ByQuery = None,
    after: Annotated[str | None, Query(max_length=300)] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
) -> BehindList:
    holder.must(READ, "read funnels")
    async with door.pool.acquire() as connection:
        known, _ = await current_pipeline(connection, pipeline)
        asked = asked_of(known, view, start, end, ZoneInfo(door.settings.time_zone))
        return await behind_of(connection, asked, number, stage, status, by, group, after, limit)


def asked_of(pipeline: Pipeline, view: View, start: str | None, end: str | None, zone: ZoneInfo) -> Asked:
    """What is asked for. Raises ProblemError (422) for a period that is none."""
    first, last = moment("from", start, zone), moment("to", end, zone, end_of_day=True)
    if first is not None and last is not None and first >= last:
        raise ProblemError(422, "period", "query.to: the period ends before it begins")
    return Asked(pipeline.pipeline, pipeline.conversion_point, view, first, last)


async def funnel_of(
    connection: Database,
    pipeline: Pipeline,
    number: int,
    asked: Asked,
    by: By | None,
    period: dict[str, str | None],
    now: datetime,
    address: str,
) -> FunnelOut:
    """The whole funnel. `period`: as it was asked for, for the links; `address`: of the lists behind the numbers."""
    base = {**{name: text for name, text in period.items() if text}, "view": asked.view}

    def linked(group: str | None) -> Link:
        def link(name: str, stage: str | None = None, status: str | None = None) -> str:
            extra = {"number": name, "stage": stage, "status": status}
            if group is not None and by is not None:
                extra |= {"by": by, "group": group}
            return f"{address}?{urlencode({**base, **{n: v for n, v in extra.items() if v is not None}})}"

        return link

    async def groups(of: By | None) -> dict[str, tuple[dict[str, int], dict[str, numbers.StageNumbers]]]:
        alike = await numbers.alike(connection, asked, of)
        totals = await numbers.totals(connection, asked, of, alike)
        stages: dict[str, dict[str, numbers.StageNumbers]] = {}
        for found in await numbers.stages(connection, asked, of, alike):
            stages.setdefault(found.group, {})[found.stage] = found
        return {group: (totals.get(group, {}), stages.get(group, {})) for group in totals.keys() | stages.keys()}

    async with connection.transaction(isolation="repeatable_read", readonly=True):  # all numbers are of one moment
        whole = (await groups(None)).get("", ({}, {}))
        parts = await groups(by) if by else {}
    largest = sorted(parts, key=lambda group: (-parts[group][0].get("received", 0), group))[:LARGEST_GROUPS]
    return FunnelOut(
        pipeline=pipeline.pipeline,
        pipeline_version=number,
        titles=pipeline.titles,
        view=asked.view,
        start=asked.start,
        end=asked.end,
        by=by,
        deal_stage=asked.deal_stage,
        read_at=now,
        total=group_out(None, *whole, pipeline, linked(None)),
        groups=[group_out(group, *parts[group], pipeline, linked(group)) for group in largest],
    )


async def behind_of(
    connection: Database,
    asked: Asked,
    number: str,
    stage: str | None,
    status: str | None,
    by: By | None,
    group: str | None,
    after: str | None,
    limit: int,
) -> BehindList:
    """The list behind a number, with names. Raises ProblemError (422)."""
    if group is not None and by is None:
        raise ProblemError(422, "group", "query.group: say with `by` whether it is a source or a responsible")
    try:
        with place_in_list():
            found, following = await numbers.behind(
                connection, asked, number, stage=stage, status=status, by=by, group=group, after=after, limit=limit
            )
    except numbers.NoSuchNumberError as error:
        raise ProblemError(422, "number", f"query.number: {error}") from None
    names = await numbers.names(connection, [item.lead for item in found])
    items = []
    for item in found:
        out = BehindOut.model_validate(item)
        out.name, out.erased = names.get(item.lead, (None, False))
        items.append(out)
    return BehindList(items=items, next=following)
