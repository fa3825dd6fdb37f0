"""SQL of people: load and save a batch's rows, search, the checksum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

from projections.event import Event
from projections.people import projection as people
from projections.people.companies import store as companies
from projections.people.projection import PeopleRows, PersonRow, Suspicion
from projections.projection import Projection, schema_of
from projections.reading import checksum_of
from services.database import Database

NAME = "people"
PERSON_COLUMNS = tuple(f.name for f in fields(PersonRow))


@dataclass(slots=True)
class StoredRows:
    """The rows of a batch, and where they are kept."""

    schema: str
    rows: PeopleRows

    async def save(self, connection: Database) -> None:
        """Write persons, identities, words and leads; then wipe."""
        rows, schema = self.rows, self.schema
        await self._add_new(connection)
        if old := [rows.people[contact] for contact in sorted(rows.touched - rows.made)]:
            await connection.execute(
                f"""UPDATE {schema}.people AS p SET name = n.name, company = n.company, version = n.version,
                        erased = n.erased, merged_into = n.merged_into
                    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::uuid[])
                        AS n (contact, name, company, version, erased, merged_into)
                    WHERE p.contact = n.contact""",  # noqa: S608 (a name of ours)
                [p.contact for p in old],
                [p.name for p in old],
                [p.company for p in old],
                [p.version for p in old],
                [p.erased for p in old],
                [p.merged_into for p in old],
            )
        if identities := {key: found for key, found in rows.identities.items() if key[0] not in rows.made}:
            await connection.execute(
                f"""INSERT INTO {schema}.identities (contact, kind, value, shared, state)
                    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::text[])
                    ON CONFLICT (kind, value, contact) DO UPDATE SET shared = excluded.shared,
                        state = excluded.state""",  # noqa: S608
                *([key[n] for key in identities] for n in range(3)),
                *([found[n] for found in identities.values()] for n in range(2)),
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

    async def _add_new(self, connection: Database) -> None:
        """Add what cannot be there: persons made in this batch with what finds them, leads (each is captured once)."""
        rows = self.rows
        made = [rows.people[contact] for contact in sorted(rows.made)]
        for table, columns, records in (
            ("people", PERSON_COLUMNS, list(map(attrgetter(*PERSON_COLUMNS), made))),
            (
                "identities",
                ("contact", "kind", "value", "shared", "state"),
                [(*key, *found) for key, found in rows.identities.items() if key[0] in rows.made],
            ),
            ("words", ("contact", "word"), list(rows.words)),
            ("leads", ("lead", "contact"), list(rows.leads.items())),
        ):
            if records:
                await connection.copy_records_to_table(table, schema_name=self.schema, columns=columns, records=records)


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
