"""`/api/incidents`: the incident journal, and the commands about it (Q6, Q9, N20).

Invariants: a seller sees their own incidents, heads, auditors and operations all; a command goes to the journal's stream under an
id that makes a repeat harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ValidationError, create_model

from contracts.commands import CommandBody
from contracts.journal import JOURNAL_BODIES
from projections.incidents import heads, reading
from projections.incidents.reading import IncidentState, Wanted
from services.web.api_leads import IdempotencyKey, refuse_nul
from services.web.door import Asking, TheDoor, language_of, place_in_list
from services.web.journal_commands import ABOUT, carry_out_journal, no_such
from services.web.moments import moment
from services.web.pipelines_in_force import in_force
from services.web.problems import of_validation, refused
from services.web.shapes_incidents import EscalationOut, IncidentList, IncidentOut, escalation_out, incident_out
from services.web.tokens import OPERATE, READ, Holder

PAGE = 50
LARGEST_PAGE = 200

router = APIRouter(tags=["incidents"])

Filter = Annotated[str | None, Query(max_length=100)]
Kind = Literal["deadline", "raised", "pool", "silent_channel", "dead_letter"]


class EscalationList(BaseModel):
    """A page of escalations; `next` goes into `after`."""

    items: list[EscalationOut]
    next: str | None = None


class JournalDone(BaseModel):
    """The command was carried out. `version`: of the journal's stream; null: all of it held already."""

    command: UUID
    version: int | None


def of_whom(holder: Holder, employee: str | None) -> str | None:
    """Whose incidents or tasks the holder may see: of a seller their own alone. Raises ProblemError (403)."""
    holder.must(READ, "read incidents and tasks")
    if holder.role in OPERATE:
        return employee
    if employee not in (None, holder.name):
        holder.must(OPERATE, "see what is somebody else's")
    return holder.name


@router.get("/api/incidents", summary="Incidents, the latest recorded first")
async def list_incidents(
    door: TheDoor,
    holder: Asking,
    employee: Filter = None,
    pipeline: Filter = None,
    stage: Filter = None,
    kind: Annotated[Kind | None, Query()] = None,
    rule: Filter = None,
    lead: Annotated[UUID | None, Query()] = None,
    state: Annotated[IncidentState | None, Query(description="untold: the person has not been told yet")] = None,
    strikes: Annotated[bool, Query(description="Only those that count as strikes now")] = False,
    start: Annotated[str | None, Query(alias="from", max_length=40, description="Due from this day or time on")] = None,
    end: Annotated[
        str | None, Query(alias="to", max_length=40, description="Due up to this day, that included")
    ] = None,
    after: Annotated[str | None, Query(max_length=300, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
) -> IncidentList:
    zone = ZoneInfo(door.settings.time_zone)
    wanted = Wanted(
        employee=of_whom(holder, employee),
        pipeline=pipeline,
        stage=stage,
        kind=kind,
        rule=rule,
        lead=lead,
        state=state,
        strikes=strikes,
        since=moment("from", start, zone),
        until=moment("to", end, zone, end_of_day=True),
    )
    async with door.pool.acquire() as connection:
        with place_in_list():
            found, following = await reading.incidents(connection, wanted, after=after, limit=limit)
        pipelines = await in_force(connection, (incident.pipeline for incident in found))
    return IncidentList(items=[incident_out(incident, pipelines) for incident in found], next=following)


@router.get("/api/incidents/{incident}", summary="One incident")
async def read_incident(door: TheDoor, holder: Asking, incident: UUID) -> IncidentOut:
    holder.must(READ, "read incidents")
    async with door.pool.acquire() as connection:
        found = await reading.incident(connection, incident)
        if found is None or (holder.role not in OPERATE and found.employee != holder.name):
            raise no_such()
        return incident_out(found, await in_force(connection, (found.pipeline,)))


@router.get("/api/escalations", summary="Escalations, the latest opened first")
async def list_escalations(
    door: TheDoor,
    holder: Asking,
    employee: Filter = None,
    manager: Annotated[str | None, Query(max_length=100, description="Theirs, and those nobody is named for")] = None,
    open_only: Annotated[bool, Query(alias="open")] = True,
    after: Annotated[str | None, Query(max_length=300)] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
) -> EscalationList:
    async with door.pool.acquire() as connection:
        with place_in_list():
            found, following = await heads.escalations(
                connection,
                manager=manager,
                employee=of_whom(holder, employee),
                open_only=open_only,
                after=after,
                limit=limit,
            )
    return EscalationList(items=[escalation_out(one) for one in found], next=following)


def _posted(name: str, body_type: type[CommandBody]) -> type[BaseModel]:
    """What is posted: the command's body without what the address says."""
    fields: dict[str, Any] = {
        field: (info.annotation, info)
        for field, info in body_type.model_fields.items()
        if field not in ("type", ABOUT[name])
    }
    return create_model(f"{body_type.__name__}Posted", __base__=CommandBody, __doc__=body_type.__doc__, **fields)


def _endpoint(name: str, posted_type: type[BaseModel]) -> Callable[..., Any]:
    async def post_command(
        request: Request, door: TheDoor, holder: Asking, incident: UUID, key: IdempotencyKey = None
    ) -> JournalDone:
        try:
            posted = posted_type.model_validate_json(await request.body() or b"{}")
            given = posted.model_dump(exclude_unset=True)
            refuse_nul(given)
            result = await carry_out_journal(door, holder, name, incident, given, key=key)
        except ValidationError as error:
            raise of_validation(error) from None
        if result.outcome == "refused":
            raise refused(result, language_of(request, door.settings))
        return JournalDone(command=result.command, version=result.last_version)

    post_command.__name__ = f"journal_{name}"
    return post_command


def _add_commands() -> None:
    for name, body_type in JOURNAL_BODIES.items():
        posted_type = _posted(name, body_type)
        required = any(field.is_required() for field in posted_type.model_fields.values())
        schema = posted_type.model_json_schema()
        router.add_api_route(
            f"/api/incidents/{{incident}}/commands/{name}",
            _endpoint(name, posted_type),
            methods=["POST"],
            response_model=JournalDone,
            summary=(body_type.__doc__ or name).strip(),
            description=f"The id in the address is that of the {ABOUT[name]}.",
            openapi_extra={"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}},
        )


_add_commands()
