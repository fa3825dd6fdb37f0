"""SQL of persons: which contacts were merged, which leads are whose, and what a merge does to claims.

Invariants: all of it runs in the batch's transaction, under the locks of the contacts named; rows are touched in sorted order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.database import Database

MOST_LEADS = 200
"""The most leads of a person that are looked at, the latest captured first."""


async def heads(database: Database, contacts: Iterable[UUID]) -> dict[UUID, UUID]:
    """Of those of these contacts that were merged: the contact that goes on for them."""
    rows = await database.fetch(
        "SELECT contact, head FROM leadline.merged_contacts WHERE contact = ANY($1::uuid[])", sorted(contacts)
    )
    return {row[0]: row[1] for row in rows}


async def members(database: Database, persons: Iterable[UUID]) -> dict[UUID, UUID]:
    """Every contact that was merged into one of these heads, directly or not: contact → head."""
    rows = await database.fetch(
        "SELECT contact, head FROM leadline.merged_contacts WHERE head = ANY($1::uuid[])", sorted(persons)
    )
    return {row[0]: row[1] for row in rows}


async def open_leads_of(database: Database, persons: Iterable[UUID]) -> dict[tuple[UUID, str], UUID]:
    """Open leads of these persons in all pipelines, by (head, pipeline)."""
    rows = await database.fetch(
        "SELECT contact, pipeline, lead FROM leadline.open_leads WHERE contact = ANY($1::uuid[])", sorted(persons)
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def leads_of(database: Database, contacts: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """The leads that were captured for each of these contacts."""
    rows = await database.fetch(
        """SELECT w.contact, l.lead FROM unnest($1::uuid[]) AS w (contact) CROSS JOIN LATERAL (
               SELECT lead FROM leadline.person_leads AS p WHERE p.contact = w.contact
               ORDER BY captured_at DESC, lead LIMIT $2) AS l""",
        sorted(contacts),
        MOST_LEADS,
    )
    found: dict[UUID, list[UUID]] = {}
    for contact, lead in rows:
        found.setdefault(contact, []).append(lead)
    return found


async def keep_leads(database: Database, rows: Sequence[tuple[UUID, UUID, str, datetime]]) -> None:
    """Note whose new leads are: (lead, contact, pipeline, captured at)."""
    if rows:
        await database.copy_records_to_table(
            "person_leads",
            schema_name="leadline",
            columns=("lead", "contact", "pipeline", "captured_at"),
            records=rows,
        )


async def regroup(database: Database, rows: Mapping[UUID, tuple[UUID, UUID] | None]) -> None:
    """Note into which contact each of these was merged, and who goes on for it; None: it is a person of its own."""
    apart = sorted(contact for contact, row in rows.items() if row is None)
    together = sorted((contact, *row) for contact, row in rows.items() if row is not None)
    if apart:
        await database.execute("DELETE FROM leadline.merged_contacts WHERE contact = ANY($1::uuid[])", apart)
    if together:
        await database.execute(
            """INSERT INTO leadline.merged_contacts (contact, into_contact, head)
               SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])
               ON CONFLICT (contact) DO UPDATE SET into_contact = excluded.into_contact, head = excluded.head""",
            *(list(column) for column in zip(*together, strict=True)),
        )


async def move_claims(database: Database, rows: Mapping[UUID, UUID]) -> None:
    """Open leads (first) are from now on of these persons (second). Raises UniqueViolationError when one has another."""
    if rows:
        ordered = sorted(rows.items())
        await database.execute(
            """UPDATE leadline.open_leads AS o SET contact = m.contact
               FROM unnest($1::uuid[], $2::uuid[]) AS m (lead, contact) WHERE o.lead = m.lead""",
            [lead for lead, _ in ordered],
            [contact for _, contact in ordered],
        )


async def mark(database: Database, rows: Mapping[bytes, bool]) -> None:
    """Mark identities as used by several people, or by one again (C3)."""
    if rows:
        ordered = sorted(rows.items())
        await database.execute(
            """UPDATE leadline.identities AS i SET shared = m.shared
               FROM unnest($1::bytea[], $2::boolean[]) AS m (hmac, shared) WHERE i.hmac = m.hmac""",
            [hmac for hmac, _ in ordered],
            [shared for _, shared in ordered],
        )
