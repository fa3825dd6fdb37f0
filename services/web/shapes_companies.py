"""Shapes of companies in answers (P10, C1)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class CompanyOut(BaseModel):
    """A company found; `people`: how many speak for it."""

    model_config = ConfigDict(from_attributes=True)

    company: UUID
    name: str | None = None
    people: int


class CompanyList(BaseModel):
    """Companies found, the latest made first."""

    items: list[CompanyOut]


class SpeakerOut(BaseModel):
    """A person who speaks for the company; `contact` is read at `/api/people/{contact}`."""

    model_config = ConfigDict(from_attributes=True)

    contact: UUID
    name: str | None = None
    joined_at: datetime


class LeadOfCompanyOut(BaseModel):
    """A lead of one of its people."""

    model_config = ConfigDict(from_attributes=True)

    lead: UUID
    contact: UUID


class CompanyDetail(BaseModel):
    """A company: what finds it, who speaks for it, and their leads (at most 200 of each, those of the latest to join first).
    All but `company`, `people` and `leads` is empty once erased."""

    model_config = ConfigDict(from_attributes=True)

    company: UUID
    name: str | None = None
    sites: list[str] = []
    phones: list[str] = []
    erased: bool = False
    people: list[SpeakerOut] = []
    leads: list[LeadOfCompanyOut] = []
