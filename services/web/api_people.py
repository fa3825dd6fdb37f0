"""`/api/people`: finding a person by phone, e-mail or name, reading one (C7, C9), and erasing one (M7)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict

from contracts.commands import EraseContact
from projections.people import reading as people
from services.leads.domain.refusal_words import proposals
from services.leads.people import reading
from services.leads.reading import read_history
from services.web.api_leads import IdempotencyKey, identities
from services.web.door import Asking, Door, TheDoor, language_of
from services.web.forwarding import command_id
from services.web.problems import ProblemError, refused
from services.web.shapes import PersonList, PersonOut
from services.web.shapes_people import PersonDetail, person_out
from services.web.tokens import ERASE, READ

router = APIRouter(tags=["people"])


class EraseAsked(BaseModel):
    """Why a person is erased."""

    model_config = ConfigDict(extra="forbid")

    reason: Literal["asked", "retention", "by_hand"] = "by_hand"


class EraseDone(BaseModel):
    """The person's keys are destroyed: nothing of them can be read any more, their history and all numbers stay."""

    command: UUID
    contact: UUID
    version: int | None


@router.get("/api/people", summary="People, by phone, e-mail or name")
async def find_people(
    door: TheDoor,
    holder: Asking,
    phone: Annotated[str | None, Query(max_length=100)] = None,
    email: Annotated[str | None, Query(max_length=320)] = None,
    name: Annotated[str | None, Query(max_length=200, description="The beginning of a name")] = None,
) -> PersonList:
    holder.must(READ, "read people")
    e164, address = identities(door, phone, email)
    wanted = (name or "").strip() or None
    if not (e164 or address or wanted):
        raise ProblemError(422, "invalid", "query: say whom to look for, by phone, email or name")
    async with door.pool.acquire() as connection:
        found = await people.search(connection, phone=e164, email=address, name=wanted)
    return PersonList(items=[PersonOut.model_validate(person) for person in found])


@router.get("/api/people/{contact}", summary="A person: what finds them, what they allow, their leads")
async def read_person(door: TheDoor, holder: Asking, contact: UUID) -> PersonDetail:
    holder.must(READ, "read people")
    found = await person_detail(door, contact)
    if found is None:
        raise ProblemError(404, "no-such-person", "there is no person of this id")
    return found


async def person_detail(door: Door, contact: UUID) -> PersonDetail | None:
    """The person whose contact this is, from the events; None: there is none."""
    today = (await door.clock.now()).astimezone(ZoneInfo(door.settings.time_zone)).date()
    async with door.pool.acquire() as connection:
        person = await reading.person_of(connection, door.ring, contact)
        if person is None:
            return None
        leads = await reading.leads_of(connection, door.ring, person)
        proposed = [
            found
            for state in leads
            for found in proposals(await read_history(connection, door.ring, state.lead), person.permissions)
        ]
    return person_out(person, leads, sorted(proposed, key=lambda found: found.at, reverse=True), today)


@router.post("/api/people/{contact}/erase", summary="Erase a person (M7)")
async def erase_person(
    request: Request,
    door: TheDoor,
    holder: Asking,
    contact: UUID,
    posted: EraseAsked | None = None,
    key: IdempotencyKey = None,
) -> EraseDone:
    holder.must(ERASE, "erase people")
    actor = holder.actor
    asked = EraseContact(
        id=command_id(actor, key), contact=contact, actor=actor, reason=(posted or EraseAsked()).reason
    )
    result = await door.leads.erase(asked)
    if result.outcome == "refused":
        raise refused(result, language_of(request, door.settings))
    door.ring.clear()  # whatever of this person's was open here, opens no more
    return EraseDone(command=result.command, contact=contact, version=result.last_version)
