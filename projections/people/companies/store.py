"""SQL of companies in the projection `people`: load and save a batch's rows."""

from __future__ import annotations

from collections.abc import Sequence

from projections.event import Event
from projections.people.companies import projection as companies
from projections.people.companies.projection import CompanyRow, CompanyRows
from services.database import Database

TABLES = ("companies", "company_identities", "company_words", "company_people")


async def load(connection: Database, schema: str, events: Sequence[Event]) -> CompanyRows:
    """The companies that these events touch."""
    rows = CompanyRows()
    made = {event.stream for event in events if event.type == companies.MADE}
    if wanted := {event.stream for event in events if event.type in companies.TYPES} - made:
        for row in await connection.fetch(
            f"""SELECT company::text, name, made_at, version, erased FROM {schema}.companies
                WHERE company = ANY($1::uuid[])""",  # noqa: S608 (a name of ours)
            list(wanted),
        ):
            rows.companies[row[0]] = CompanyRow(*row)
    return rows


async def save(connection: Database, schema: str, rows: CompanyRows) -> None:
    """Write companies, what finds them and who speaks for them; then wipe."""
    if rows.companies:
        touched = [rows.companies[company] for company in sorted(rows.companies)]
        await connection.execute(
            f"""INSERT INTO {schema}.companies (company, name, made_at, version, erased)
                SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bigint[], $5::boolean[])
                ON CONFLICT (company) DO UPDATE SET name = excluded.name, version = excluded.version,
                    erased = excluded.erased""",  # noqa: S608
            [row.company for row in touched],
            [row.name for row in touched],
            [row.made_at for row in touched],
            [row.version for row in touched],
            [row.erased for row in touched],
        )
    if rows.identities:
        await connection.execute(
            f"""INSERT INTO {schema}.company_identities (company, kind, value)
                SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING""",  # noqa: S608
            *([found[n] for found in rows.identities] for n in range(3)),
        )
    if rows.words:
        await connection.execute(
            f"DELETE FROM {schema}.company_words WHERE company = ANY($1::uuid[])",  # noqa: S608
            list(rows.words),
        )
        pairs = [(company, word) for company, words in rows.words.items() for word in words]
        await connection.execute(
            f"INSERT INTO {schema}.company_words (company, word) SELECT * FROM unnest($1::uuid[], $2::text[])",  # noqa: S608
            *([pair[n] for pair in pairs] for n in range(2)),
        )
    if rows.people:
        await connection.execute(
            f"""INSERT INTO {schema}.company_people (contact, company, joined_at)
                SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) ON CONFLICT DO NOTHING""",  # noqa: S608
            *([place[n] for place in rows.people] for n in range(2)),
            list(rows.people.values()),
        )
    if rows.wiped:
        await connection.execute(
            f"DELETE FROM {schema}.company_identities WHERE company = ANY($1::uuid[])",  # noqa: S608
            list(rows.wiped),
        )
