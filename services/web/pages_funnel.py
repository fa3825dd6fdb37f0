"""The funnel's page: a picture, a table whose every number opens what it counts, and that list (spec U, M9, C5).

Invariants: everything works without JavaScript; period, view and grouping are in the address; the picture is drawn here, as SVG
without styles of its own, and says nothing that the table does not say in numbers.
"""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from projections.funnel.numbers.store import By, View
from projections.funnel.projection import HOW
from services.web import store
from services.web.api_funnels import PAGE, asked_of, behind_of, funnel_of
from services.web.door import TheDoor, current_pipeline
from services.web.pages import Visiting, render
from services.web.shapes_funnel import FunnelGroup

BAR_WIDTH, ROW_HEIGHT, LABEL_WIDTH = 520, 34, 170
"""Measures of the picture, in its own units."""

router = APIRouter()

Text = Annotated[str, Query(max_length=40)]


@router.get("/funnels")
async def default_funnel(door: TheDoor, visitor: Visiting) -> Response:
    """The default pipeline's funnel."""
    return RedirectResponse(f"/funnels/{door.settings.default_pipeline}", 303)


@router.get("/funnels/{pipeline}")
async def funnel_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    pipeline: str,
    start: Annotated[str, Query(alias="from", max_length=40)] = "",
    end: Annotated[str, Query(alias="to", max_length=40)] = "",
    view: Text = "cohort",
    by: Text = "",
) -> HTMLResponse:
    """The page. An unknown view or grouping is as none."""
    chosen_view, chosen_by = _view(view), _by(by)
    now = await door.clock.now()
    async with door.pool.acquire() as connection:
        known, number = await current_pipeline(connection, pipeline)
        asked = asked_of(known, chosen_view, start or None, end or None, ZoneInfo(door.settings.time_zone))
        funnel = await funnel_of(
            connection,
            known,
            number,
            asked,
            chosen_by,
            {"from": start, "to": end},
            now,
            f"/funnels/{pipeline}/leads",
        )
        pipelines = await store.pipelines(connection)
    return render(
        request,
        visitor,
        "funnel.html",
        funnel=funnel,
        ways=HOW,
        groups=[funnel.total, *funnel.groups],
        bars=bars(funnel.total),
        measures={"width": BAR_WIDTH, "row": ROW_HEIGHT, "label": LABEL_WIDTH},
        pipelines=pipelines,
        stage_titles={stage.id: stage.titles for stage in known.stages},
        chosen={"from": start, "to": end, "view": chosen_view, "by": chosen_by or ""},
    )


@router.get("/funnels/{pipeline}/leads")
async def behind_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    pipeline: str,
    number: Text,
    stage: Annotated[str | None, Query(max_length=60)] = None,
    status: Annotated[str | None, Query(max_length=60)] = None,
    group: Annotated[str | None, Query(max_length=200)] = None,
    start: Annotated[str, Query(alias="from", max_length=40)] = "",
    end: Annotated[str, Query(alias="to", max_length=40)] = "",
    view: Text = "cohort",
    by: Text = "",
    after: Annotated[str | None, Query(max_length=300)] = None,
) -> HTMLResponse:
    """What a number counts, page by page."""
    async with door.pool.acquire() as connection:
        known, _ = await current_pipeline(connection, pipeline)
        asked = asked_of(known, _view(view), start or None, end or None, ZoneInfo(door.settings.time_zone))
        found = await behind_of(connection, asked, number, stage, status, _by(by), group, after or None, PAGE)
    asked_for = {
        "number": number, "stage": stage, "status": status, "group": group, "from": start, "to": end, "view": view, "by": by,
    }  # fmt: skip
    return render(
        request,
        visitor,
        "funnel_leads.html",
        pipeline=known,
        rows=found.items,
        next=found.next,
        number=number,
        stage=known.by_id.get(stage or ""),
        rejected_as=known.by_id.get(status or ""),
        stage_titles={item.id: item.titles for item in known.stages},
        asked={name: value for name, value in asked_for.items() if value not in (None, "") or name == "group"}
        if group is not None
        else {name: value for name, value in asked_for.items() if value},
    )


def bars(total: FunnelGroup) -> list[dict[str, object]]:
    """The picture's bars: for each stage on the scale, the leads that reached it, as long as their part of the largest."""
    stages = [stage for stage in total.stages if stage.stage.kind in ("open", "won")]
    largest = max([total.received.count, *(stage.leads.count for stage in stages), 1])
    return [
        {
            "stage": stage.stage,
            "count": stage.leads.count,
            "link": stage.leads.leads,
            "width": round(BAR_WIDTH * stage.leads.count / largest, 1),
            "y": ROW_HEIGHT * n,
        }
        for n, stage in enumerate(stages)
    ]


def _view(text: str) -> View:
    return "activity" if text == "activity" else "cohort"


def _by(text: str) -> By | None:
    return "source" if text == "source" else "responsible" if text == "responsible" else None
