"""`/api/companies`: finding a company by name, and reading one with its people and leads (P10, C1)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from projections.people.companies import reading as companies
from services.web.door import Asking, Door, TheDoor
from services.web.problems import ProblemError
from services.web.shapes_companies import CompanyDetail, CompanyList, CompanyOut
from services.web.tokens import READ

router = APIRouter(tags=["people"])


@router.get("/api/companies", summary="Companies, by the beginnings of words of their names")
async def find_companies(
    door: TheDoor,
    holder: Asking,
    name: Annotated[str, Query(min_length=1, max_length=200, description="Beginnings of words of the name")],
) -> CompanyList:
    holder.must(READ, "read companies")
    return await companies_named(door, name)


@router.get("/api/companies/{company}", summary="A company: what finds it, its people, their leads")
async def read_company(door: TheDoor, holder: Asking, company: UUID) -> CompanyDetail:
    holder.must(READ, "read companies")
    return await company_detail(door, company)


async def companies_named(door: Door, name: str) -> CompanyList:
    """Companies that are found by this."""
    async with door.pool.acquire() as connection:
        found = await companies.search(connection, name)
    return CompanyList(items=[CompanyOut.model_validate(company) for company in found])


async def company_detail(door: Door, company: UUID) -> CompanyDetail:
    """The company. Raises ProblemError 404."""
    async with door.pool.acquire() as connection:
        found = await companies.company(connection, company)
    if found is None:
        raise ProblemError(404, "no-such-company", "there is no company of this id")
    return CompanyDetail.model_validate(found)
