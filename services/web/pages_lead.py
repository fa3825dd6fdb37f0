"""A lead's page: where it stands, what it lacks, what can be done, what happened (spec U, S2, K6).

Invariants: the page shows the lead as its events make it, so a command's effect is there at once; each form carries an
idempotency key of its own, so a repeat doubles nothing, and the version it was made from, so two people do not overwrite each
other unseen. A refusal is shown on the page in words, with what is missing and what was typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from contracts.commands import COMMAND_BODIES, CommandBody, Refusal
from contracts.pipeline import Pipeline
from contracts.recorded import Recorded
from services.database import Database
from services.leads.domain.criteria import checklist
from services.leads.domain.refusal_words import proposals
from services.leads.domain.state import LeadState, lead_from
from services.leads.people import reading
from services.leads.reading import read_history
from services.pipelines import registry
from services.web.api_leads import carry_out
from services.web.door import Door, TheDoor, no_lead, not_yet
from services.web.moments import moment
from services.web.pages import Visiting, Visitor, posted, render, telling
from services.web.problems import ProblemError, where_of
from services.web.sessions import local_path
from services.web.shapes import EventOut, activities_out, calls_out, check_out, event_out, stage_out
from services.web.shapes_people import person_out
from services.web.telling import Telling, Told, linked
from services.web.tokens import COMMAND

EVENTS = 50
"""Events shown at first."""
CONTACT = ("name", "company", "phone", "email")
BEHAVIOUR_FIELDS = frozenset({"key", "expected_version", "back"})

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A command that did not go through: which, why, and what was typed."""

    name: str
    given: dict[str, str]
    refusal: Refusal | None = None
    invalid: str | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """The moment a page is asked for, as it was typed; `happened`: by when things happened, else by when recorded."""

    at: datetime
    typed: str
    happened: bool


@router.get("/leads/{lead}")
async def lead_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    lead: UUID,
    as_of: Annotated[str, Query(max_length=40)] = "",
    by: Annotated[str, Query(max_length=10)] = "recorded",
) -> HTMLResponse:
    """The page, now or, to be looked at only, as of a moment (M1)."""
    then = moment("as_of", as_of, ZoneInfo(door.settings.time_zone), local=True)
    return await _page(request, door, visitor, lead, past=Past(then, as_of, by == "happened") if then else None)


@router.post("/leads/{lead}/commands/{name}")
async def lead_command(request: Request, door: TheDoor, visitor: Visiting, lead: UUID, name: str) -> Response:
    """A form of the page: carry it out, then back to where it came from; a refusal shows the page with the reason."""
    fields = await posted(request, visitor)
    body_type = COMMAND_BODIES.get(name)
    if body_type is None:
        raise ProblemError(404, "no-such-command", "there is no such command")
    given = {field: value for field, value in fields.items() if field not in BEHAVIOUR_FIELDS}
    try:
        body = body_of(name, body_type, given, ZoneInfo(door.settings.time_zone))
    except ValidationError as error:
        where = ", ".join(sorted({where_of(fault["loc"]) if fault["loc"] else name for fault in error.errors()}))
        return await _page(request, door, visitor, lead, Attempt(name, given, invalid=where))
    version = fields.get("expected_version", "")
    result = await carry_out(
        door,
        visitor.holder,
        lead,
        body,
        key=fields.get("key") or None,
        expected_version=int(version) if version.isascii() and version.isdigit() and 0 < len(version) < 16 else None,
    )
    if result.outcome == "refused":
        return await _page(request, door, visitor, lead, Attempt(name, given, refusal=result.refusal))
    back = local_path(fields.get("back"), f"/leads/{lead}")
    if back.startswith("/boards/") and result.last_version is not None:
        back += f"{'&' if '?' in back else '?'}lead={lead}&at_least={result.last_version}"
    return RedirectResponse(back, 303)


def body_of(name: str, body_type: type[CommandBody], given: dict[str, str], zone: ZoneInfo) -> CommandBody:
    """A command's body from a form's fields; empty ones are left out, times are on the team's wall. Raises ValidationError."""
    if name == "record":
        texts = {field.removeprefix("f_"): value for field, value in given.items() if field.startswith("f_")}
        return body_type.model_validate({"fields": texts})
    values: dict[str, Any] = {field: value.strip() for field, value in given.items() if value.strip()}
    if name == "offer":
        amount = values.pop("amount", "").replace(",", ".").replace(" ", "").replace("\u00a0", "")
        values["price"] = {"amount": amount, "currency": values.pop("currency", "").upper()}
    if name == "plan" and "due_at" in values:
        with suppress(ValueError):  # what is no time is told by the validation
            values["due_at"] = datetime.fromisoformat(values["due_at"]).replace(tzinfo=zone)
    return body_type.model_validate(values)


async def _page(
    request: Request,
    door: Door,
    visitor: Visitor,
    lead: UUID,
    attempt: Attempt | None = None,
    past: Past | None = None,
) -> HTMLResponse:
    async with door.pool.acquire() as connection:
        history = await read_history(
            connection, door.ring, lead, past.at if past else None, happened=bool(past and past.happened)
        )
        if not history or history[0].meta.kind != "lead":
            raise not_yet() if past else no_lead()
        state = lead_from(history)
        assert state is not None, "a history that is not empty has a state"
        pipeline = await registry.version(connection, state.pipeline, state.pipeline_number)
        person = None if past else await reading.person_of(connection, door.ring, state.contact)
        under = await _versions_of(connection, history)
    now = await door.clock.now()
    today = now.astimezone(ZoneInfo(door.settings.time_zone)).date()
    events = [event_out(recorded) for recorded in reversed(history)]
    shown = events if request.query_params.get("all") == "1" else events[:EVENTS]
    tell = telling(door, visitor.words)
    here = pipeline.by_id.get(state.stage)
    status = 200 if attempt is None else attempt.refusal.status if attempt.refusal else 422
    return render(
        request,
        visitor,
        "lead.html",
        status=status,
        page_path=f"/leads/{lead}",
        state=state,
        pipeline=pipeline,
        stage=stage_out(pipeline, state.stage),
        here=here,
        path_stages=_path(state, pipeline),
        criteria=[(titles, lack is None) for titles, lack in checklist(state, pipeline)],
        targets=[
            (stage, check_out(state, stage.id, pipeline))
            for stage in pipeline.stages
            if stage.kind in ("open", "won") and stage.id != state.stage
        ],
        lost=[stage for stage in pipeline.stages if stage.kind == "lost"],
        postponed=[stage for stage in pipeline.stages if stage.kind == "postponed"],
        contact_fields=CONTACT,
        card_fields=pipeline.fields,
        responsibles=sorted({*door.settings.responsibles, *([state.responsible] if state.responsible else [])}),
        calls=calls_out(state),
        activities=activities_out(state),
        linked=linked,
        told=_told(tell, shown, events, under, pipeline),
        total=len(events),
        person=person_out(person, [], proposals(history, person.permissions), today) if person else None,
        now=past.at if past else now,
        past=past,
        may_act=visitor.holder.role in COMMAND and past is None,
        is_head=visitor.holder.role == "head",
        attempt=attempt,
        given=attempt.given if attempt else {},
    )


async def _versions_of(connection: Database, history: Sequence[Recorded]) -> dict[str, Pipeline]:
    """The versions of pipelines that a history was made under, by `id@number`."""
    found = {}
    for name in {recorded.meta.pipeline for recorded in history if recorded.meta.pipeline}:
        pipeline, _, number = name.rpartition("@")
        with suppress(registry.NoSuchPipelineError, ValueError):
            found[name] = await registry.version(connection, pipeline, int(number))
    return found


def _told(
    tell: Telling, shown: Sequence[EventOut], events: Sequence[EventOut], under: dict[str, Pipeline], pipeline: Pipeline
) -> list[Told]:
    """Events in words, each as things were called in the version it happened under (N14); newest first, like `events`."""
    left: dict[int, Pipeline] = {}
    now, former = "", pipeline
    for event in reversed(events):
        name = event.pipeline or ""
        if name != now:
            now, former = name, under.get(now, pipeline)
        left[event.version] = former
    return [tell.tell(event, under.get(event.pipeline or "", pipeline), before=left[event.version]) for event in shown]


def _path(state: LeadState, pipeline: Pipeline) -> list[dict[str, Any]]:
    """The scale with what is done, where the lead stands (or stood before its outcome), and what comes."""
    at = state.stage if state.stage in pipeline.scale else state.left_open_stage
    here = pipeline.steps.get(at or "", 0)
    marks = {True: "done", False: "next"}
    return [
        {
            "stage": pipeline.by_id[stage],
            "place": place,
            "mark": "here" if stage == at == state.stage else "left" if stage == at else marks[place < here],
        }
        for stage, place in pipeline.steps.items()
    ]
