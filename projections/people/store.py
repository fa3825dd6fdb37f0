"""SQL of people: load and save a batch's rows, search, the checksum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from projections.event import Event
from projections.people import projection as people
from projections.people.companies import store as companies
from projections.people.projection import PeopleRows, PersonRow, Suspicion
from projections.projection import Projection, schema_of
from projections.reading import checksum_of
from services.database import Database

NAME = "people"


@dataclass(slots=True)
class StoredRows:
    """The rows of a batch, and where they are kept."""

    schema: str
    rows: PeopleRows

    async def save(self, connection: Database) -> None:
        """Write persons, identities, words and leads; then wipe."""
        rows, schema = self.rows, self.schema
        if rows.touched:
            touched = [rows.people[contact] for contact in sorted(rows.touched)]
            await connection.execute(
                f"""INSERT INTO {schema}.people (contact, name, company, made_at, version, erased, merged_into)
                    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[],
                                         $6::boolean[], $7::uuid[])
                    ON CONFLICT (contact) DO UPDATE SET name = excluded.name, company = excluded.company,
                        version = excluded.version, erased = excluded.erased, merged_into = excluded.merged_into""",  # noqa: S608 (a name of ours)
                [p.contact for p in touched],
                [p.name for p in touched],
                [p.company for p in touched],
                [p.made_at for p in touched],
                [p.version for p in touched],
                [p.erased for p in touched],
                [p.merged_into for p in touched],
            )
        if rows.identities:
            await connection.execute(
                f"""INSERT INTO {schema}.identities (contact, kind, value, shared, state)
                    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::text[])
                    ON CONFLICT (kind, value, contact) DO UPDATE SET shared = excluded.shared,
                        state = excluded.state""",  # noqa: S608
                *([key[n] for key in rows.identities] for n in range(3)),
                *([found[n] for found in rows.identities.values()] for n in range(2)),
            )
        if rows.marks:
            await connection.execute(
                f"""UPDATE {schema}.identities AS i SET shared = s.shared
                    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[]) AS s (contact, kind, value, shared)
                    WHERE i.contact = s.contact AND i.kind = s.kind AND i.value = s.value""",  # noqa: S608
                *([key[n] for key in rows.marks] for n in range(3)),
                list(rows.marks.values()),
            )
        if rows.proven:
            await connection.execute(
                f"""UPDATE {schema}.identities AS i SET state = s.state
                    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS s (contact, kind, value, state)
                    WHERE i.contact = s.contact AND i.kind = s.kind AND i.value = s.value""",  # noqa: S608
                *([key[n] for key in rows.proven] for n in range(3)),
                list(rows.proven.values()),
            )
        if rows.words:
            await connection.execute(
                f"""INSERT INTO {schema}.words (contact, word) SELECT * FROM unnest($1::uuid[], $2::text[])
                    ON CONFLICT DO NOTHING""",  # noqa: S608
                *([pair[n] for pair in rows.words] for n in range(2)),
            )
        if rows.leads:
            await connection.execute(
                f"""INSERT INTO {schema}.leads (lead, contact) SELECT * FROM unnest($1::uuid[], $2::uuid[])
                    ON CONFLICT DO NOTHING""",  # noqa: S608
                list(rows.leads),
                list(rows.leads.values()),
            )
        if rows.suspicions:
            await connection.execute(
                f"""INSERT INTO {schema}.duplicates (lead, other_contact, identity_kind, suspected_at, dismissed_at)
                    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[])
                    ON CONFLICT (lead, other_contact) DO UPDATE SET dismissed_at = excluded.dismissed_at""",  # noqa: S608
                *([place[n] for place in rows.suspicions] for n in range(2)),
                [found.identity_kind for found in rows.suspicions.values()],
                [found.suspected_at for found in rows.suspicions.values()],
                [found.dismissed_at for found in rows.suspicions.values()],
            )
        for table in ("identities", "words") if rows.wiped else ():
            await connection.execute(
                f"DELETE FROM {schema}.{table} WHERE contact = ANY($1::uuid[])",  # noqa: S608
                list(rows.wiped),
            )
        await companies.save(connection, schema, rows.companies)


async def load(connection: Database, build: int, events: Sequence[Event]) -> StoredRows:
    """The persons that these events touch."""
    schema = schema_of(NAME, build)
    rows = PeopleRows(companies=await companies.load(connection, schema, events))
    made = {event.stream for event in events if event.type == people.MADE}
    if wanted := {event.stream for event in events if event.kind == "contact"} - made:
        for row in await connection.fetch(
            f"""SELECT contact::text, name, company, made_at, version, erased, merged_into::text FROM {schema}.people
                WHERE contact = ANY($1::uuid[])""",  # noqa: S608
            list(wanted),
        ):
            rows.people[row[0]] = PersonRow(*row)
    if leads := {event.stream for event in events if event.type in (people.SUSPECTED, people.DISMISSED)}:
        for row in await connection.fetch(
            f"""SELECT lead::text, other_contact::text, identity_kind, suspected_at, dismissed_at
                FROM {schema}.duplicates WHERE lead = ANY($1::uuid[])""",  # noqa: S608
            list(leads),
        ):
            rows.suspicions[(row[0], row[1])] = Suspicion(*row[2:])
    return StoredRows(schema, rows)


def apply(stored: StoredRows, event: Event) -> None:
    """Let one event change the rows."""
    people.apply(stored.rows, event)


async def checksum(connection: Database, build: int) -> bytes:
    """32 bytes over persons, identities, words, leads and suspected duplicates."""
    schema = schema_of(NAME, build)
    tables = ("people", "identities", "words", "leads", "duplicates", *companies.TABLES)
    return await checksum_of(connection, *(f"SELECT x::text AS line FROM {schema}.{t} AS x" for t in tables))  # noqa: S608


PEOPLE = Projection(
    NAME,
    ("leads.events", "people.events"),
    people.TYPES,
    load,
    apply,
    checksum,
)
