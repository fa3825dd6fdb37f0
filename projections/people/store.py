"""SQL of people: load and save a batch's rows, search, the checksum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from projections.event import Event
from projections.people import projection as people
from projections.people.projection import PeopleRows, PersonRow
from projections.projection import Projection, schema_of
from projections.reading import checksum_of, live_schema
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
                f"""INSERT INTO {schema}.people (contact, name, company, made_at, version, erased)
                    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[],
                                         $6::boolean[])
                    ON CONFLICT (contact) DO UPDATE SET name = excluded.name, company = excluded.company,
                        version = excluded.version, erased = excluded.erased""",  # noqa: S608 (a name of ours)
                [p.contact for p in touched],
                [p.name for p in touched],
                [p.company for p in touched],
                [p.made_at for p in touched],
                [p.version for p in touched],
                [p.erased for p in touched],
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
        if rows.shared:
            await connection.execute(
                f"""UPDATE {schema}.identities AS i SET shared = true
                    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS s (contact, kind, value)
                    WHERE i.contact = s.contact AND i.kind = s.kind AND i.value = s.value""",  # noqa: S608
                *([key[n] for key in rows.shared] for n in range(3)),
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
        for table in ("identities", "words") if rows.wiped else ():
            await connection.execute(
                f"DELETE FROM {schema}.{table} WHERE contact = ANY($1::uuid[])",  # noqa: S608
                list(rows.wiped),
            )


async def load(connection: Database, build: int, events: Sequence[Event]) -> StoredRows:
    """The persons that these events touch."""
    schema = schema_of(NAME, build)
    rows = PeopleRows()
    made = {event.stream for event in events if event.type == people.MADE}
    if wanted := {event.stream for event in events if event.type != people.CAPTURED} - made:
        for row in await connection.fetch(
            f"""SELECT contact::text, name, company, made_at, version, erased FROM {schema}.people
                WHERE contact = ANY($1::uuid[])""",  # noqa: S608
            list(wanted),
        ):
            rows.people[row[0]] = PersonRow(*row)
    return StoredRows(schema, rows)


def apply(stored: StoredRows, event: Event) -> None:
    """Let one event change the rows."""
    people.apply(stored.rows, event)


async def checksum(connection: Database, build: int) -> bytes:
    """32 bytes over persons, identities, words and leads."""
    schema = schema_of(NAME, build)
    tables = ("people", "identities", "words", "leads")
    return await checksum_of(connection, *(f"SELECT x::text AS line FROM {schema}.{t} AS x" for t in tables))  # noqa: S608


PEOPLE = Projection(
    NAME,
    ("leads.events", "people.events"),
    frozenset({people.MADE, people.ADDED, people.SHARED, people.ERASED, people.CAPTURED, *people.PROVEN}),
    load,
    apply,
    checksum,
)


@dataclass(frozen=True, slots=True)
class Person:
    """A person found. All but `contact` and `leads` is empty once erased."""

    contact: UUID
    name: str | None
    company: str | None
    phones: list[str]
    emails: list[str]
    leads: list[UUID]
    erased: bool


async def search(
    connection: Database,
    *,
    phone: str | None = None,
    email: str | None = None,
    name: str | None = None,
    limit: int = 50,
) -> list[Person]:
    """Persons that meet all conditions given; none given: nobody.

    `phone`, `email`: the beginning of the normalised value (E.164, small letters). `name`: beginnings of words of name or
    company, all of which must fit.
    """
    words = sorted(people.words_of(name or ""))
    if not phone and not email and not words:
        return []
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT p.contact, p.name, p.company,
                   ARRAY(SELECT value FROM {schema}.identities WHERE contact = p.contact AND kind = 'phone' ORDER BY 1),
                   ARRAY(SELECT value FROM {schema}.identities WHERE contact = p.contact AND kind = 'email' ORDER BY 1),
                   ARRAY(SELECT lead FROM {schema}.leads WHERE contact = p.contact ORDER BY 1), p.erased
            FROM {schema}.people AS p
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
    return [Person(*row) for row in rows]


def _beginning(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"{escaped}%"
