"""`/api/leads/{id}/merge/preview`, `/unmerge/preview`, `/api/duplicates`: what a merge would do, and who may be one (N16, C3)."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from contracts.commands import Command, Merge, Unmerge
from projections.people import reading as people
from services.leads.domain.merging import merge, unmerge
from services.leads.people import reading
from services.leads.reading import lead_state, read_history
from services.web.api_leads import After, Limit
from services.web.door import Asking, Door, TheDoor, no_lead, place_in_list
from services.web.forwarding import command_id
from services.web.problems import ProblemError
from services.web.shapes import event_out
from services.web.shapes_people import DuplicateList, DuplicateOut, MergePreview, preview_out
from services.web.tokens import READ, Holder

PAGE = 50

router = APIRouter(tags=["people"])


@router.get("/api/leads/{lead}/merge/preview", summary="What merging this lead into another would do")
async def preview_merge(door: TheDoor, holder: Asking, lead: UUID, into: UUID) -> MergePreview:
    holder.must(READ, "read leads")
    return await preview(door, holder, lead, Merge(into=into))


@router.get(
    "/api/leads/{lead}/unmerge/preview", summary="What undoing the merge of this lead would do, and what goes with it"
)
async def preview_unmerge(door: TheDoor, holder: Asking, lead: UUID) -> MergePreview:
    holder.must(READ, "read leads")
    return await preview(door, holder, lead, Unmerge())


async def preview(door: Door, holder: Holder, lead: UUID, body: Merge | Unmerge) -> MergePreview:
    """What a merge, or undoing one, would do. Raises ProblemError (404) for an unknown lead."""
    actor = holder.actor
    command = Command(id=command_id(actor, None), lead=lead, actor=actor, body=body)
    async with door.pool.acquire() as connection:
        state = await lead_state(connection, door.ring, lead)
        if state is None:
            raise no_lead()
        case = await reading.merge_case(connection, door.ring, command, state)
        if state.deal_of is not None or (case.into is not None and case.into.deal_of is not None):
            raise ProblemError(422, "a-deal", "leads are merged, not deals: name the deal's lead")
        decided = merge(case) if isinstance(body, Merge) else unmerge(case)
        into = case.into.lead if case.into is not None and isinstance(body, Unmerge) else None
        history = await read_history(connection, door.ring, into) if into is not None else []
    return preview_out(case, decided, [event_out(recorded) for recorded in history])


@router.get("/api/duplicates", summary="Leads whose phone or e-mail a person of another name has too")
async def list_duplicates(door: TheDoor, holder: Asking, after: After = None, limit: Limit = PAGE) -> DuplicateList:
    holder.must(READ, "read people")
    async with door.pool.acquire() as connection:
        with place_in_list():
            found, following = await people.duplicates(connection, after=after, limit=limit)
    return DuplicateList(items=[DuplicateOut.model_validate(duplicate) for duplicate in found], next=following)
