"""`/api/leads`: search, one lead, its history, what it may do, and the commands (spec I, K2, K6).

Invariants: a lead is read from its events, lists from the board's projection; a command goes to the aggregate service under an
id that makes a repeat harmless; the actor is the token's holder.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Header, Query, Request
from pydantic import AwareDatetime, BaseModel, Field, ValidationError, create_model

from contracts.commands import COMMAND_BODIES, Assign, Capture, Command, CommandBody, CommandResult
from contracts.pipeline import Pipeline
from projections.board import store as board
from projections.people import reading as people
from services.calendars import registry as calendars
from services.database import Database
from services.leads import reading
from services.leads.domain.identities import normalise_email, normalise_phone
from services.leads.domain.robots.instants import Times
from services.pipelines import registry
from services.web import store
from services.web.door import (
    Asking,
    AsOf,
    AtLeast,
    ByTime,
    Door,
    TheDoor,
    language_of,
    no_lead,
    not_yet,
    place_in_list,
    state_and_pipeline,
    wait_for,
)
from services.web.forwarding import command_id
from services.web.lead_view import versions_of
from services.web.problems import ProblemError, of_validation, refused
from services.web.shapes import (
    CheckOut,
    CommandDone,
    History,
    LeadList,
    LeadOut,
    card_out,
    check_out,
    event_out,
    lead_out,
)
from services.web.shapes_deadlines import deadlines_out
from services.web.shapes_robots import automation_out
from services.web.telling import Telling
from services.web.texts import Words
from services.web.tokens import ASSIGN_OTHERS, COMMAND, READ, Holder

PAGE = 50
LARGEST_PAGE = 200

router = APIRouter(tags=["leads"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="A repeat under the same key gets the same answer; a UUID is the command's id",
    ),
]
After = Annotated[str | None, Query(max_length=300, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]
Filter = Annotated[str | None, Query(max_length=100)]
Sort = Literal["newest", "nearness"]


@router.get("/api/leads", summary="Leads, by phone, e-mail, stage, responsible")
async def list_leads(
    door: TheDoor,
    holder: Asking,
    phone: Filter = None,
    email: Annotated[str | None, Query(max_length=320)] = None,
    stage: Filter = None,
    responsible: Filter = None,
    pipeline: Filter = None,
    nobody: Annotated[bool, Query(description="Only leads that nobody is responsible for")] = False,
    sort: Annotated[
        Sort,
        Query(description="newest: the latest captured first; nearness: the fewest steps before a decision first (S6)"),
    ] = "newest",
    after: After = None,
    limit: Limit = PAGE,
) -> LeadList:
    holder.must(READ, "read leads")
    e164, address = identities(door, phone, email)
    async with door.pool.acquire() as connection:
        ids: list[UUID] | None = None
        if e164 or address:
            found = await people.search(connection, phone=e164, email=address)
            ids = [lead for person in found for lead in person.leads]
            if not ids:
                return LeadList(items=[])
        chosen = board.Chosen(stage, responsible, pipeline, nobody, ids)
        cards, following, pipelines = await sorted_leads(connection, chosen, sort, after, limit)
    return LeadList(items=[card_out(card, pipelines) for card in cards], next=following)


async def sorted_leads(
    connection: Database, chosen: board.Chosen, sort: Sort, after: str | None, limit: int
) -> tuple[list[board.Card], str | None, dict[str, Pipeline]]:
    """A page of leads, the place of the next, and the pipelines they are in. Raises ProblemError (422) for a bad `after`."""
    pipelines: dict[str, Pipeline] = {}
    with place_in_list():
        if sort == "newest":
            cards, following = await board.leads(connection, chosen, after=after, limit=limit)
        else:
            names = [chosen.pipeline] if chosen.pipeline else await store.pipelines(connection)
            for name in names:
                with suppress(registry.NoSuchPipelineError):
                    pipelines[name], _ = await registry.current(connection, name)
            cards, following = await board.nearest(connection, chosen, _left(pipelines), after=after, limit=limit)
    for name in {card.pipeline for card in cards} - pipelines.keys():
        pipelines[name], _ = await registry.current(connection, name)
    return cards, following, pipelines


def _left(pipelines: dict[str, Pipeline]) -> dict[tuple[str, str], int]:
    """S6: how many steps of the scale each open stage has before the decision."""
    return {
        (name, stage.id): pipeline.places - (pipeline.place(stage.id) or 0)
        for name, pipeline in pipelines.items()
        for stage in pipeline.stages
        if stage.kind == "open"
    }


def identities(door: Door, phone: str | None, email: str | None) -> tuple[str | None, str | None]:
    """Phone and e-mail in their normal form. Raises ProblemError (422) for what is none."""
    e164, address = normalise_phone(phone, door.settings.default_region), normalise_email(email)
    if phone is not None and e164 is None:
        raise ProblemError(422, "phone", "query.phone: this is no phone number; write it like +79001234567 (+ as %2B)")
    if email is not None and address is None:
        raise ProblemError(422, "email", "query.email: this is no e-mail address; write it like name@example.org")
    return e164, address


@router.get("/api/leads/{lead}", summary="A lead, as its events make it")
async def read_lead(
    door: TheDoor,
    holder: Asking,
    lead: UUID,
    at_least: AtLeast = None,
    as_of: AsOf = None,
    by: ByTime = "recorded",
) -> LeadOut:
    holder.must(READ, "read leads")
    await wait_for(door, lead, at_least)
    async with door.pool.acquire() as connection:
        found = await reading.read_lead(connection, door.ring, lead, as_of, happened=by == "happened")
        if found is None:
            raise no_lead() if as_of is None else not_yet()
        history, state = found
        deals = await board.deals_of(connection, lead)
        pipeline = await registry.version(connection, state.pipeline, state.pipeline_number)
        under = await versions_of(connection, history)
        calendar = await calendars.current(connection)
    zone, now = ZoneInfo(door.settings.time_zone), as_of or await door.clock.now()
    telling = Telling(Words(door.settings.language), zone)
    last_step = telling.last_step((event_out(recorded) for recorded in reversed(history)), pipeline)
    automation = automation_out(history, state, pipeline, under, zone, now)
    out = lead_out(state, pipeline, holder.role, last_step, automation, now)
    out.deadlines = deadlines_out(history, state, pipeline, Times(now, calendar), zone)
    out.deals = [deal.lead for deal in deals if as_of is None or deal.captured_at <= as_of]
    return out


@router.get("/api/leads/{lead}/history", summary="All events of a lead, or those up to a moment")
async def lead_history(
    door: TheDoor,
    holder: Asking,
    lead: UUID,
    as_of: AsOf = None,
    by: ByTime = "recorded",
    at_least: AtLeast = None,
    after: Annotated[int, Query(ge=0, description="Begin after this version")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> History:
    holder.must(READ, "read leads")
    await wait_for(door, lead, at_least)
    async with door.pool.acquire() as connection:
        history = await reading.read_history(connection, door.ring, lead, as_of, happened=by == "happened")
    if not history or history[0].meta.kind not in ("lead", "deal"):
        raise no_lead() if as_of is None else not_yet()
    rest = [recorded for recorded in history if recorded.meta.version > after]
    return History(
        items=[event_out(recorded) for recorded in rest[:limit]],
        next=rest[limit - 1].meta.version if len(rest) > limit else None,
    )


@router.get("/api/leads/{lead}/check", summary="May this lead go there, and if not, what is missing?")
async def check_lead(
    door: TheDoor, holder: Asking, lead: UUID, to: Annotated[str, Query(min_length=1, max_length=60)]
) -> CheckOut:
    holder.must(READ, "read leads")
    async with door.pool.acquire() as connection:
        state, pipeline = await state_and_pipeline(door, connection, lead)
    return check_out(state, to, pipeline)


async def carry_out(
    door: Door,
    holder: Holder,
    lead: UUID,
    body: CommandBody,
    *,
    key: str | None,
    expected_version: int | None = None,
    happened_at: Any = None,
) -> CommandResult:
    """Forward a command in the holder's name, after the rules of roles. Raises ProblemError: 403, 422, 503, 500."""
    holder.must(COMMAND, "work on leads")
    if isinstance(body, Assign) and body.to != holder.name:
        holder.must(ASSIGN_OTHERS, "give a lead to somebody else")
    actor = holder.actor
    command = Command(
        id=command_id(actor, key),
        lead=lead,
        actor=actor,
        body=body,
        expected_version=expected_version,
        happened_at=happened_at,
    )
    return await door.leads.command(command)


async def done(door: Door, result: CommandResult) -> CommandDone:
    """A command that was carried out, with its events as the store has them."""
    first, last = result.first_version, result.last_version
    async with door.pool.acquire() as connection:
        history = await reading.read_history(connection, door.ring, result.stream)
    events = [e for e in history if first is not None and last is not None and first <= e.meta.version <= last]
    return CommandDone(
        command=result.command,
        lead=result.stream,
        version=last if last is not None else history[-1].meta.version if history else 0,
        events=[event_out(event) for event in events],
    )


def _version_of(if_match: str | None) -> int | None:
    """The version in an `If-Match` header: `"7"` or `7`. Raises ProblemError (422) for anything else."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 15 and int(text) > 0):
        raise ProblemError(422, "if-match", 'header If-Match: give the version you saw, for example If-Match: "7"')
    return int(text)


def refuse_nul(value: Any) -> None:
    """Raises ProblemError (422): Postgres' text cannot hold the NUL character, nor can any reader do anything with it."""
    if isinstance(value, str) and "\x00" in value:
        raise ProblemError(422, "nul", "body: a text may not hold the NUL character")
    if isinstance(value, dict):
        for name, inner in value.items():
            refuse_nul(name)
            refuse_nul(inner)


def _posted(body_type: type[CommandBody]) -> type[BaseModel]:
    """What is posted: the command's body and what its envelope takes from the client."""
    return create_model(
        f"{body_type.__name__}Posted",
        __base__=body_type,
        __doc__=body_type.__doc__,
        expected_version=(int | None, Field(default=None, ge=1, description="Refuse (409) when the lead has moved on")),
        happened_at=(AwareDatetime | None, Field(default=None, description="When it happened, if not now")),
    )


def _endpoint(name: str, body_type: type[CommandBody], posted_type: type[BaseModel]) -> Callable[..., Any]:
    async def post_command(
        request: Request,
        door: TheDoor,
        holder: Asking,
        lead: UUID,
        key: IdempotencyKey = None,
        if_match: Annotated[str | None, Header(alias="If-Match", description="The version you saw")] = None,
    ) -> CommandDone:
        try:
            posted = posted_type.model_validate_json(await request.body() or b"{}")
        except ValidationError as error:
            raise of_validation(error) from None
        given = posted.model_dump(exclude_unset=True)
        refuse_nul(given)
        expected, happened_at = given.pop("expected_version", None), given.pop("happened_at", None)
        result = await carry_out(
            door,
            holder,
            lead,
            body_type.model_validate(given),
            key=key,
            expected_version=expected or _version_of(if_match),
            happened_at=happened_at,
        )
        if result.outcome == "refused":
            raise refused(result, language_of(request, door.settings))
        return await done(door, result)

    post_command.__name__ = f"command_{name}"
    return post_command


def _body_doc(posted_type: type[BaseModel], required: bool) -> dict[str, Any]:
    schema = posted_type.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    if definitions:  # inline, because FastAPI does not know these models
        schema = _inline(schema, definitions)
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def _inline(value: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        if "$ref" in value:
            return _inline(definitions[value["$ref"].rpartition("/")[2]], definitions)
        return {name: _inline(inner, definitions) for name, inner in value.items()}
    return [_inline(inner, definitions) for inner in value] if isinstance(value, list) else value


def _add_commands() -> None:
    for name, body_type in COMMAND_BODIES.items():
        if body_type is Capture:
            continue  # there is no lead yet: POST /api/leads
        posted_type = _posted(body_type)
        needs_body = any(field.is_required() for field in body_type.model_fields.values())
        router.add_api_route(
            f"/api/leads/{{lead}}/commands/{name}",
            _endpoint(name, body_type, posted_type),
            methods=["POST"],
            response_model=CommandDone,
            summary=(body_type.__doc__ or name).strip(),
            tags=["commands"],
            openapi_extra=_body_doc(posted_type, needs_body),
        )


_add_commands()
