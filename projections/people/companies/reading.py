"""What the web reads of companies: search by name, one with its people and leads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from projections.people.store import NAME
from projections.people.words import words_of
from projections.reading import live_schema
from services.database import Database

MOST = 200
"""The most people, and leads, of a company that are told; the latest first."""


@dataclass(frozen=True, slots=True)
class Company:
    """A company found. `name` is None once erased."""

    company: UUID
    name: str | None
    people: int


@dataclass(frozen=True, slots=True)
class Speaker:
    """A person who speaks for a company; `name` None: unknown or erased."""

    contact: UUID
    name: str | None
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class LeadOfCompany:
    """A lead of one of a company's people."""

    lead: UUID
    contact: UUID


@dataclass(frozen=True, slots=True)
class WholeCompany:
    """A company with what finds it, its people and their leads."""

    company: UUID
    name: str | None
    sites: list[str]
    phones: list[str]
    erased: bool
    people: list[Speaker]
    leads: list[LeadOfCompany]


async def search(connection: Database, name: str, limit: int = 50) -> list[Company]:
    """Companies whose names have words that begin so, all of them; the latest made first. No words: none."""
    words = sorted(words_of(name))
    if not words:
        return []
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT c.company, c.name,
                   (SELECT count(*) FROM {schema}.company_people AS p WHERE p.company = c.company)
            FROM {schema}.companies AS c WHERE c.company IN (
                SELECT w.company FROM unnest($1::text[]) AS q (beginning)
                JOIN {schema}.company_words AS w ON starts_with(w.word, q.beginning)
                GROUP BY w.company HAVING count(DISTINCT q.beginning) = cardinality($1))
            ORDER BY c.made_at DESC, c.company LIMIT $2""",  # noqa: S608
        words,
        limit,
    )
    return [Company(*row) for row in rows]


async def company(connection: Database, company: UUID) -> WholeCompany | None:
    """A company; None: there is none of this id."""
    schema = await live_schema(connection, NAME)
    row = await connection.fetchrow(
        f"""SELECT c.name, c.erased,
                   ARRAY(SELECT value FROM {schema}.company_identities WHERE company = $1 AND kind = 'site' ORDER BY 1),
                   ARRAY(SELECT value FROM {schema}.company_identities WHERE company = $1 AND kind = 'phone' ORDER BY 1)
            FROM {schema}.companies AS c WHERE c.company = $1""",  # noqa: S608
        company,
    )
    if row is None:
        return None
    people = await connection.fetch(
        f"""SELECT p.contact, o.name, p.joined_at FROM {schema}.company_people AS p
            JOIN {schema}.people AS o USING (contact)
            WHERE p.company = $1 ORDER BY p.joined_at DESC, p.contact LIMIT $2""",  # noqa: S608
        company,
        MOST,
    )
    leads = await connection.fetch(
        f"""SELECT l.lead, l.contact FROM {schema}.company_people AS p JOIN {schema}.leads AS l USING (contact)
            WHERE p.company = $1 ORDER BY p.joined_at DESC, l.lead LIMIT $2""",  # noqa: S608
        company,
        MOST,
    )
    return WholeCompany(
        company=company,
        name=row[0],
        erased=row[1],
        sites=row[2],
        phones=row[3],
        people=[Speaker(*person) for person in people],
        leads=[LeadOfCompany(*lead) for lead in leads],
    )
