"""The incident journal's pages: a list by employee, stage, kind and week with a picture, one incident with what became of it, and
the commands about them (Q6, Q9, N20).

Invariants: a seller sees their own journal; a restated verdict stands beside the original one; everything works without
JavaScript; the whole question is in the address. A refusal is shown on the page it came from, in words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, cast, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from contracts.events import IncidentKind
from contracts.journal import JOURNAL_BODIES
from contracts.pipeline import Pipeline, Titles
from projections.incidents import heads, reading
from projections.incidents.reading import Counted, IncidentState, Wanted
from services.leads.reading import read_history
from services.web.api_incidents import of_whom
from services.web.door import TheDoor, place_in_list
from services.web.journal_commands import ABOUT, carry_out_journal, no_such
from services.web.moments import moment
from services.web.pages import Visiting, Visitor, posted, render, telling
from services.web.pages_funnel import BAR_WIDTH, ROW_HEIGHT
from services.web.pipelines_in_force import in_force
from services.web.problems import ProblemError, where_of
from services.web.sessions import local_path
from services.web.shapes import event_out
from services.web.shapes_incidents import escalation_out, incident_out, pipeline_of
from services.web.telling_journal import rule_titles, told_of_journal
from services.web.tokens import JUDGE, OPERATE

PAGE = 50
LABEL_WIDTH = 190
KINDS: tuple[str, ...] = get_args(IncidentKind)
STATES: tuple[str, ...] = get_args(IncidentState)

router = APIRouter()

Text = Annotated[str, Query(max_length=100)]


@router.get("/incidents")
async def incidents_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    employee: Text = "",
    pipeline: Text = "",
    stage: Text = "",
    kind: Text = "",
    state: Text = "",
    start: Annotated[str, Query(alias="from", max_length=40)] = "",
    end: Annotated[str, Query(alias="to", max_length=40)] = "",
    after: Annotated[str | None, Query(max_length=300)] = None,
) -> HTMLResponse:
    """The journal. An unknown kind or state is as none."""
    zone = ZoneInfo(door.settings.time_zone)
    whose = of_whom(visitor.holder, employee or None)
    wanted = Wanted(
        employee=whose,
        pipeline=pipeline or None,
        stage=stage or None,
        kind=kind if kind in KINDS else None,
        state=cast(IncidentState, state) if state in STATES else None,
        since=moment("from", start, zone),
        until=moment("to", end, zone, end_of_day=True),
    )
    async with door.pool.acquire() as connection:
        with place_in_list():
            found, following = await reading.incidents(connection, wanted, after=after or None, limit=PAGE)
        counted = await reading.counts(connection, wanted, door.settings.time_zone)
        escalations, _ = await heads.escalations(connection, employee=whose)
        known = await in_force(connection, [*(one.pipeline for one in found), *(one.pipeline for one in counted)])
    asked = {"employee": employee, "pipeline": pipeline, "stage": stage, "kind": kind, "state": state}
    asked |= {"from": start, "to": end}
    return render(
        request,
        visitor,
        "incidents.html",
        rows=[incident_out(incident, known) for incident in found],
        next=following,
        counted=counted,
        bars=bars(counted),
        measures={"width": BAR_WIDTH, "row": ROW_HEIGHT, "label": LABEL_WIDTH},
        escalations=[escalation_out(one) for one in escalations],
        stages={(name, s.id): s.titles for name, p in known.items() for s in p.stages},
        rules={(one.kind, one.rule): incident_titles(one, known) for one in counted},
        kinds=KINDS,
        states=STATES,
        asked={name: value for name, value in asked.items() if value},
        sees_all=visitor.holder.role in OPERATE,
        may_judge=visitor.holder.role in JUDGE,
        me=visitor.holder.name,
        back=_here(request),
    )


def incident_titles(one: Counted, known: dict[str, Pipeline]) -> Titles:
    """What a row of numbers is about."""
    return rule_titles(one.kind, one.rule, known.get(pipeline_of(one.pipeline)))


def bars(counted: Iterable[Counted]) -> list[dict[str, Any]]:
    """The picture: for each week, the oldest first, all that was recorded and what is left of it now, as long as their part of
    the largest."""
    recorded: dict[date, int] = defaultdict(int)
    left: dict[date, int] = defaultdict(int)
    for one in counted:
        recorded[one.week] += one.misses
        left[one.week] += one.misses_now
    largest = max([*recorded.values(), 1])
    return [
        {
            "week": week,
            "recorded": recorded[week],
            "left": left[week],
            "width": round(BAR_WIDTH * recorded[week] / largest, 1),
            "left_width": round(BAR_WIDTH * left[week] / largest, 1),
            "y": ROW_HEIGHT * n,
        }
        for n, week in enumerate(sorted(recorded))
    ]


@router.get("/incidents/{incident}")
async def incident_page(request: Request, door: TheDoor, visitor: Visiting, incident: UUID) -> HTMLResponse:
    """One incident with its history."""
    return await _one(request, door, visitor, incident)


async def _one(
    request: Request, door: TheDoor, visitor: Visitor, incident: UUID, status: int = 200, refusal: str = ""
) -> HTMLResponse:
    async with door.pool.acquire() as connection:
        found = await reading.incident(connection, incident)
        if found is None or (visitor.holder.role not in OPERATE and found.employee != visitor.holder.name):
            raise no_such()
        known = await in_force(connection, (found.pipeline,))
        history = await read_history(connection, door.ring, found.journal)
    tell, out = telling(door, visitor.words), incident_out(found, known)
    pipeline = next(iter(known.values()), None)
    events = [event_out(recorded) for recorded in history]
    about = [event for event in events if _is_about(event.data, str(incident), str(found.escalation or ""))]
    return render(
        request,
        visitor,
        "incident.html",
        status=status,
        page_path=f"/incidents/{incident}",
        incident=out,
        told=[(event, *told_of_journal(event.type.rpartition(".")[2], event.data, pipeline, tell)) for event in about],
        may_judge=visitor.holder.role in JUDGE,
        me=visitor.holder.name,
        refusal=refusal,
        back=f"/incidents/{incident}",
    )


def _is_about(data: dict[str, Any], incident: str, escalation: str) -> bool:
    if incident == data.get("incident") or incident in (data.get("incidents") or ()):
        return True
    return bool(escalation) and data.get("escalation") == escalation


@router.post("/incidents/{about}/commands/{name}")
async def post_command(request: Request, door: TheDoor, visitor: Visiting, about: UUID, name: str) -> Response:
    """A command from a form: told, acknowledge, excuse, restate, close_escalation, finish_card_review."""
    fields = await posted(request, visitor)
    if name not in JOURNAL_BODIES:
        raise ProblemError(404, "no-such-command", "there is no such command")
    back = local_path(fields.get("back"), "/work")
    body = JOURNAL_BODIES[name].model_fields
    given: dict[str, object] = {
        field: value.strip()
        for field, value in fields.items()
        if field in body and field not in ("type", ABOUT[name]) and value.strip()
    }
    try:
        result = await carry_out_journal(door, visitor.holder, name, about, given, key=fields.get("key") or None)
    except ValidationError as error:
        where = ", ".join(sorted({where_of(fault["loc"]) if fault["loc"] else name for fault in error.errors()}))
        said = visitor.words("invalid", where=where)
        if ABOUT[name] == "incident":
            return await _one(request, door, visitor, about, 422, said)
        raise ProblemError(422, "invalid", said) from None
    if result.refusal is not None:
        said = visitor.words.of(result.refusal)
        if ABOUT[name] == "incident":
            return await _one(request, door, visitor, about, result.refusal.status, said)
        raise ProblemError(result.refusal.status, "refused", said)
    return RedirectResponse(back, 303)


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
