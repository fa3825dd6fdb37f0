"""A lead's page: where it stands, what it lacks, what can be done, what happened (spec U, S2, P8, K6).

Invariants: the page shows the lead as its events make it, so a command's effect is there at once; each form carries an
idempotency key of its own, so a repeat doubles nothing, and the version it was made from, so two people do not overwrite each
other unseen. A refusal is shown on the page in words, with what is missing and what was typed; a refused move ends on the page
that asks for what is missing (`services.web.pages_move`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from contracts.commands import COMMAND_BODIES, CommandResult
from contracts.pipeline import Pipeline, Stage
from projections.board import store as board
from services.calendars import registry as calendars
from services.delivery.telling.store import Told
from services.leads.domain.refusal_words import proposals as said_of_contact
from services.leads.domain.robots.instants import Times
from services.leads.domain.state import LeadState
from services.leads.people import reading
from services.pipelines.robot_words import robot_titles
from services.teams import registry as teams
from services.web.api_leads import carry_out
from services.web.deadlines_view import deadlines_view
from services.web.door import Door, TheDoor
from services.web.form_reading import EVERY, body_of
from services.web.forms import CONTACT, SURE, FormMaker
from services.web.inputs import Form
from services.web.lead_view import Attempt, Looked, Past, look, path_of, targets_of, time_in_stages, told
from services.web.moments import moment
from services.web.pages import Visiting, Visitor, posted, render, telling
from services.web.pages_move import show_move
from services.web.problems import ProblemError, where_of
from services.web.robots_view import dialled, ledger_of, on_the_way, robots_view
from services.web.sessions import local_path
from services.web.shapes import activities_out, calls_out, event_out, review_out, stage_out
from services.web.shapes_card import (
    asked_here,
    can_undo,
    checklist_out,
    completeness,
    facts_out,
    fields_out,
    proposals_out,
)
from services.web.shapes_people import person_out
from services.web.shapes_robots import automation_out
from services.web.telling import linked
from services.web.telling_deadlines import term_in_words
from services.web.telling_robots import Named
from services.web.texts import Words
from services.web.tokens import COMMAND

EVENTS = 50
"""Events shown at first."""
BEHAVIOUR_FIELDS = frozenset({"key", "expected_version", "back", "form"})
MOVING = frozenset({"move", "convert", "reject", "pause"})
"""Commands whose refusal is shown where what is missing is asked for."""

router = APIRouter()


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
    past = Past(then, as_of, by == "happened") if then else None
    return await _page(request, door, visitor, await look(door, lead, past), past=past)


@router.post("/leads/{lead}/commands/{name}")
async def lead_command(request: Request, door: TheDoor, visitor: Visiting, lead: UUID, name: str) -> Response:
    """A form of the page: carry it out, then back to where it came from; a refusal shows the reason and what was typed."""
    fields = await posted(request, visitor)
    body_type = COMMAND_BODIES.get(name)
    if body_type is None or name == "capture":
        raise ProblemError(404, "no-such-command", "there is no such command")
    given = {field: value for field, value in fields.items() if field not in BEHAVIOUR_FIELDS}
    attempt = Attempt(name, given, fields.get("form", ""))
    back = local_path(fields.get("back"), f"/leads/{lead}")
    if name in ("reject", "pause"):
        looked = await look(door, lead)
        if name == "reject" and _deletes(given, looked.pipeline) and not given.get(SURE):
            said = visitor.about(looked.state.deal_of).words("delete_not_sure")
            return await _again(request, door, visitor, looked, replace(attempt, said=said), back)
        given = _with_reason(given, looked.pipeline, visitor.words) if name == "pause" else given
    try:
        body = body_of(name, body_type, given, ZoneInfo(door.settings.time_zone))
    except ValidationError as error:
        where = ", ".join(sorted({where_of(fault["loc"]) if fault["loc"] else name for fault in error.errors()}))
        return await _again(request, door, visitor, await look(door, lead), replace(attempt, invalid=where), back)
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
        attempt = replace(attempt, refusal=result.refusal)
        return await _again(request, door, visitor, await look(door, lead), attempt, back)
    return RedirectResponse(_onward(back, lead, result), 303)


def _onward(back: str, lead: UUID, result: CommandResult) -> str:
    if back.startswith("/boards/") and result.last_version is not None:
        return f"{back}{'&' if '?' in back else '?'}lead={lead}&at_least={result.last_version}"
    return back


async def _again(
    request: Request, door: Door, visitor: Visitor, looked: Looked, attempt: Attempt, back: str
) -> HTMLResponse:
    """The page that shows why a command did not go through: for a move the one that asks for what is missing."""
    stage = _target(attempt, looked.pipeline)
    stale = attempt.refusal is not None and attempt.refusal.status != 422
    if stage is not None and stage.id != looked.state.stage and not stale and not looked.state.erased:
        onward = back if back != f"/leads/{looked.state.lead}" else ""
        return await show_move(request, visitor, looked, stage, attempt, onward)
    return await _page(request, door, visitor, looked, attempt)


def _target(attempt: Attempt, pipeline: Pipeline) -> Stage | None:
    """The stage that an attempted move led to."""
    if attempt.name not in MOVING:
        return None
    if attempt.name == "convert":
        return pipeline.by_id[pipeline.conversion_point]
    named = attempt.given.get("to" if attempt.name == "move" else "status", "").partition("/")[0]
    return pipeline.by_id.get(named)


def _deletes(given: dict[str, str], pipeline: Pipeline) -> bool:
    """Whether rejecting so deletes the person's data (C1)."""
    status, _, reason = given.get("status", "").partition("/")
    stage = pipeline.by_id.get(status)
    if stage is None:
        return False
    named = stage.reason(reason or given.get("reason"))
    return ((named.outcome if named else None) or stage.outcome) == "bad_data"


def _with_reason(given: dict[str, str], pipeline: Pipeline, words: Words) -> dict[str, str]:
    """A pause is always told why in words: those of the reason chosen, where nothing else was typed."""
    status, _, reason = given.get("status", "").partition("/")
    stage = pipeline.by_id.get(status)
    named = stage.reason(reason or given.get("reason_id")) if stage else None
    return {**given, "reason": words.of(named.titles)} if named and not given.get("reason", "").strip() else given


async def _page(
    request: Request,
    door: Door,
    visitor: Visitor,
    looked: Looked,
    attempt: Attempt | None = None,
    past: Past | None = None,
) -> HTMLResponse:
    visitor = visitor.about(looked.state.deal_of)
    person, deals, ledger = None, list[board.Card](), list[Told]()
    zone, now = ZoneInfo(door.settings.time_zone), past.at if past else await door.clock.now()
    by_itself = automation_out(looked.history, looked.state, looked.pipeline, looked.under, zone, now)
    async with door.pool.acquire() as connection:
        calendar = await calendars.current(connection)
        people = await teams.everybody(connection, now.date())
        if past is None:
            deals = await board.deals_of(connection, looked.state.lead)
            person = await reading.person_of(connection, door.ring, looked.state.contact)
            ledger = await ledger_of(connection, looked.state.lead, now)
    state, pipeline, words, role = looked.state, looked.pipeline, visitor.words, visitor.holder.role
    events = [event_out(recorded) for recorded in reversed(looked.history)]
    shown = events if request.query_params.get("all") == "1" else events[:EVENTS]
    tell, today = telling(door, words), now.astimezone(zone).date()
    named = Named(tell, pipeline)
    shown_person = (
        person_out(person, [], said_of_contact(looked.history, person.permissions), today) if person else None
    )
    maker = FormMaker(pipeline, words, role, state)
    fields = fields_out(state, pipeline, role)
    criteria = checklist_out(state, pipeline)
    asked = {item.missing.id for item in criteria if item.missing}
    may_act = role in COMMAND and past is None and not state.erased
    may_undo = can_undo(state, pipeline, role, now)
    times = Times(now, calendar)
    return render(
        request,
        visitor,
        "lead.html",
        status=attempt.status if attempt else 200,
        page_path=f"/leads/{state.lead}",
        state=state,
        pipeline=pipeline,
        stage=stage_out(pipeline, state.stage),
        here=pipeline.by_id.get(state.stage),
        path_stages=path_of(state, pipeline, time_in_stages(looked.history, now)),
        last_step=tell.last_step(events, pipeline),
        to_note={fact for fact in ("seen", "accepted") if not getattr(state, fact)} - asked,
        criteria=[(item, maker.for_missing(item.missing) if item.missing and may_act else None) for item in criteria],
        targets=targets_of(state, pipeline, role),
        proposals=proposals_out(state, pipeline) if past is None else [],
        groups=_groups(fields, pipeline, words),
        filled=completeness(fields),
        facts=facts_out(state, pipeline),
        undo_to=pipeline.by_id.get(state.before.stage) if state.before and may_undo else None,
        contact_fields=CONTACT,
        card=maker.card(*asked_here(state, pipeline)),
        **_recording(maker, state),
        responsibles=sorted({*people, *([state.responsible] if state.responsible else [])}),
        calls=calls_out(state),
        activities=activities_out(state),
        held_forms=_held_forms(maker, state),
        linked=linked,
        deals=deals,
        told=told(tell, shown, events, looked.under, pipeline),
        total=len(events),
        person=shown_person,
        robots=robots_view(by_itself, state, pipeline, {found.effect: on_the_way(found, tell) for found in ledger}),
        named_effect=lambda effect: named.effect({"effect_kind": effect.kind, **effect.model_dump(exclude={"effect"})}),
        dialled=dialled(state.phone, door.settings.default_region),
        may_call=shown_person is None or all(c.allowed for c in shown_person.channels if c.channel == "phone"),
        now=now,
        past=past,
        may_act=may_act,
        is_head=role == "head",
        review=review_out(state, pipeline),
        due=deadlines_view(looked.history, state, pipeline, times, maker if may_act else None),
        in_pool=past is None and state.is_open and state.responsible is None and not state.erased,
        repetitions=EVERY,
        robot_titles=robot_titles,
        term_in_words=term_in_words,
        back=local_path(request.query_params.get("back"), f"/leads/{state.lead}"),
        attempt=attempt,
        given=attempt.given if attempt else {},
    )


def _groups(fields: list[Any], pipeline: Pipeline, words: Words) -> list[tuple[str, list[Any]]]:
    """The card's fields by groups, in the order they are shown; fields of no group last."""
    titles = {group.id: words.of(group.titles) for group in pipeline.groups}
    order = [*titles, None]
    fields = [field for field in fields if field.value or field.mandatory or field.desirable]
    grouped = [
        (titles.get(g or "", words("card_rest") if titles else ""), [f for f in fields if f.group == g]) for g in order
    ]
    return [(title, inside) for title, inside in grouped if inside]


def _recording(maker: FormMaker, state: LeadState) -> dict[str, Any]:
    """The forms of what can be recorded, and of ending or putting off the work."""
    facts = maker.pipeline.facts_by_id
    forms = [maker.fact("call_held"), maker.fact("meeting_held"), maker.facts()]
    if state.is_open:
        forms += [maker.offer(), maker.answer() if state.offer is not None else None]
        if maker.role == "head" and any(
            "approved" in str(c) for exits in maker.pipeline.exit_of.values() for c in exits
        ):
            forms.append(maker.fact("approved"))
    forms += [maker.sent(), maker.attached()]
    titles = {"hold": {"call": "hold.call", "meeting": "hold.meeting"}}
    shown = []
    for form in forms:
        if form is None or form.closed:
            continue
        kind = dict(form.hidden).get("kind", "")
        key = titles.get(form.command, {}).get(kind)
        shown.append(replace(form, title=maker.words(key)) if key and not facts[f"{kind}_held"].options else form)
    if state.kind == "postponed":
        pause, title = maker.pause(state.stage), maker.words("pause_anew")
        anew = replace(pause, title=title, button=title) if pause is not None else None
        return {"recording": shown, "reject": None, "pause": anew}
    return {"recording": shown, "reject": maker.reject(), "pause": maker.pause()}


def _held_forms(maker: FormMaker, state: LeadState) -> dict[UUID, Form]:
    """For each planned call and meeting the form that says it took place (P9)."""
    facts = maker.pipeline.facts_by_id
    return {
        activity: maker.held(facts[f"{planned.kind}_held"], maker.words("held_so"), activity=str(activity))
        for activity, planned in state.activities.items()
        if planned.kind in ("call", "meeting") and planned.done_at is None
    }
