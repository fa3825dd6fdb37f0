"""What the web reads of people: search, a person with all their contacts, suspected duplicates (C3, N16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from projections.people.store import NAME
from projections.people.words import words_of
from projections.reading import cursor, cursor_of, live_schema
from services.database import Database


@dataclass(frozen=True, slots=True)
class Person:
    """A person found. All but `contact`, `leads` and `merged` is empty once erased."""

    contact: UUID
    name: str | None
    company: str | None
    phones: list[str]
    emails: list[str]
    leads: list[UUID]
    erased: bool
    merged: list[UUID]
    """Contacts that were merged into this one."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A lead, and a person of another name who has its phone or e-mail."""

    lead: UUID
    contact: UUID
    name: str | None
    other_contact: UUID
    other_name: str | None
    other_leads: list[UUID]
    identity_kind: str
    suspected_at: datetime


async def search(
    connection: Database,
    *,
    phone: str | None = None,
    email: str | None = None,
    name: str | None = None,
    limit: int = 50,
) -> list[Person]:
    """Persons that meet all conditions given; none given: nobody. Who was merged is found as the one who goes on.

    `phone`, `email`: the beginning of the normalised value (E.164, small letters). `name`: beginnings of words of name or
    company, all of which must fit.
    """
    words = sorted(words_of(name or ""))
    if not phone and not email and not words:
        return []
    schema = await live_schema(connection, NAME)
    found = await connection.fetch(
        f"""SELECT p.contact FROM {schema}.people AS p
            WHERE ($1::text IS NULL OR p.contact IN (
                      SELECT contact FROM {schema}.identities WHERE kind = 'phone' AND value LIKE $1))
              AND ($2::text IS NULL OR p.contact IN (
                      SELECT contact FROM {schema}.identities WHERE kind = 'email' AND value LIKE $2))
              AND ($3::text[] IS NULL OR p.contact IN (
                      SELECT w.contact FROM unnest($3) AS q (beginning)
                      JOIN {schema}.words AS w ON w.word LIKE q.beginning
                      GROUP BY w.contact HAVING count(DISTINCT q.beginning) = cardinality($3)))
            ORDER BY p.made_at DESC, p.contact LIMIT $4""",  # noqa: S608
        _beginning(phone) if phone else None,
        _beginning(email.lower()) if email else None,
        [_beginning(word) for word in words] or None,
        limit,
    )
    return await persons(connection, [row[0] for row in found])


async def persons(connection: Database, contacts: Sequence[UUID]) -> list[Person]:
    """The persons that these contacts are of, each once, in the order given; with everything their merged contacts have."""
    if not contacts:
        return []
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""WITH RECURSIVE up AS (
                SELECT n, w.contact AS asked, p.contact, p.merged_into
                FROM unnest($1::uuid[]) WITH ORDINALITY AS w (contact, n) JOIN {schema}.people AS p USING (contact)
                UNION ALL
                SELECT up.n, up.asked, p.contact, p.merged_into
                FROM up JOIN {schema}.people AS p ON p.contact = up.merged_into),
            head AS (SELECT contact, min(n) AS n FROM up WHERE merged_into IS NULL GROUP BY contact),
            down AS (
                SELECT contact AS head, contact FROM head
                UNION ALL
                SELECT down.head, p.contact FROM down JOIN {schema}.people AS p ON p.merged_into = down.contact)
            SELECT p.contact, p.name, p.company,
                   ARRAY(SELECT DISTINCT value FROM {schema}.identities AS i JOIN down AS d ON d.contact = i.contact
                         WHERE d.head = p.contact AND i.kind = 'phone' ORDER BY 1),
                   ARRAY(SELECT DISTINCT value FROM {schema}.identities AS i JOIN down AS d ON d.contact = i.contact
                         WHERE d.head = p.contact AND i.kind = 'email' ORDER BY 1),
                   ARRAY(SELECT l.lead FROM {schema}.leads AS l JOIN down AS d ON d.contact = l.contact
                         WHERE d.head = p.contact ORDER BY 1),
                   p.erased,
                   ARRAY(SELECT d.contact FROM down AS d WHERE d.head = p.contact AND d.contact <> p.contact ORDER BY 1)
            FROM head JOIN {schema}.people AS p USING (contact) ORDER BY head.n""",  # noqa: S608
        list(contacts),
    )
    return [Person(*row) for row in rows]


async def duplicates(
    connection: Database, *, after: str | None = None, limit: int = 50
) -> tuple[list[Duplicate], str | None]:
    """Leads with a suspected duplicate that nobody has decided about, the latest first, and the cursor of the next page.

    Decided is what was dismissed, or merged; of erased persons there is nothing to decide.
    """
    at, lead = cursor(after)
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT s.lead, l.contact, mine.name, s.other_contact, other.name,
                   ARRAY(SELECT o.lead FROM {schema}.leads AS o WHERE o.contact = s.other_contact ORDER BY 1),
                   s.identity_kind, s.suspected_at
            FROM {schema}.duplicates AS s
            JOIN {schema}.leads AS l USING (lead)
            JOIN {schema}.people AS mine ON mine.contact = l.contact
            JOIN {schema}.people AS other ON other.contact = s.other_contact
            WHERE s.dismissed_at IS NULL AND NOT mine.erased AND NOT other.erased
              AND mine.merged_into IS DISTINCT FROM other.contact AND other.merged_into IS DISTINCT FROM mine.contact
              AND (mine.merged_into IS NULL OR mine.merged_into IS DISTINCT FROM other.merged_into)
              AND ($1::timestamptz IS NULL OR (s.suspected_at, s.lead) < ($1, $2::uuid))
            ORDER BY s.suspected_at DESC, s.lead DESC, s.other_contact LIMIT $3""",  # noqa: S608
        at,
        lead,
        limit + 1,
    )
    page = [Duplicate(*row) for row in rows[:limit]]
    more = len(rows) > limit and page
    return page, cursor_of(page[-1].suspected_at, page[-1].lead) if more else None


def _beginning(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"{escaped}%"
