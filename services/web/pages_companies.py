"""Pages of companies: search by name, and one with its people and leads (P10, C1). They change nothing."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from services.web.api_companies import companies_named, company_detail
from services.web.door import TheDoor
from services.web.pages import Visiting, render

router = APIRouter()


@router.get("/companies")
async def companies_page(
    request: Request, door: TheDoor, visitor: Visiting, name: Annotated[str, Query(max_length=200)] = ""
) -> HTMLResponse:
    """Companies by the beginnings of words of their names; nothing asked for: none."""
    found = await companies_named(door, name)
    return render(request, visitor, "companies.html", companies=found.items, name=name)


@router.get("/companies/{company}")
async def company_page(request: Request, door: TheDoor, visitor: Visiting, company: UUID) -> HTMLResponse:
    """A company, its people and their leads."""
    shown = await company_detail(door, company)
    return render(request, visitor, "company.html", page_path=f"/companies/{company}", company=shown)
