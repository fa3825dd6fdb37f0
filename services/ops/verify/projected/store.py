"""SQL of the check of projections: reads of their tables by ranges of streams, in the snapshot.

Invariants: nothing is written; a schema's name is made of a known projection's name and a number, nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from services.database import Database

Row: TypeAlias = dict[str, Any]

CONSUMER, CONSUMER_BUILD = "projections", 1
"""Whose `seen` says what the live builds have applied, whatever their numbers."""
ERASED = ["leadline.contact.person_erased", "leadline.company.erased"]


class Table(NamedTuple):
    """A table of a projection whose rows belong to streams. `stream` names the column, `key` all of the primary key's."""

    projection: str
    name: str
    stream: str
    key: tuple[str, ...]


CARDS = Table("board", "cards", "lead", ("lead",))
ENTRIES = Table("timeline", "entries", "lead", ("lead", "version"))
PEOPLE = Table("people", "people", "contact", ("contact",))
IDENTITIES = Table("people", "identities", "contact", ("contact", "kind", "value"))
WORDS = Table("people", "words", "contact", ("contact", "word"))
LEADS = Table("people", "leads", "lead", ("lead",))
DUPLICATES = Table("people", "duplicates", "lead", ("lead", "other_contact"))
COMPANIES = Table("people", "companies", "company", ("company",))
COMPANY_IDENTITIES = Table("people", "company_identities", "company", ("company", "kind", "value"))
COMPANY_WORDS = Table("people", "company_words", "company", ("company", "word"))
COMPANY_PEOPLE = Table("people", "company_people", "contact", ("contact", "company"))
FUNNEL_LEADS = Table("funnel", "leads", "lead", ("lead",))
FUNNEL_VISITS = Table("funnel", "visits", "lead", ("lead", "visit"))
FUNNEL_PAST = Table("funnel", "past_visits", "lead", ("lead", "visit", "known_from"))
ROBOT_RUNS = Table("robots", "runs", "lead", ("lead", "timer"))
ROBOT_EFFECTS = Table("robots", "effects", "lead", ("lead", "effect"))
TRIGGER_PULLS = Table("robots", "pulls", "lead", ("lead", "version"))
OF_TASKS = (
    Table("tasks", "activities", "lead", ("lead", "activity")),
    Table("tasks", "deadlines", "lead", ("lead", "timer")),
    Table("tasks", "reviews", "lead", ("lead", "visit")),
)
RESPONSE = Table("response", "leads", "lead", ("lead",))
OF_JOURNALS = tuple(
    Table("incidents", name, "journal", ("journal", *key))
    for name, key in (
        ("incidents", ("incident",)),
        ("escalations", ("escalation",)),
        ("escalated", ("escalation", "incident")),
        ("notices", ("effect",)),
        ("digests", ("version",)),
        ("card_reviews", ("review",)),
    )
)
OF_COMPANIES = (COMPANIES, COMPANY_IDENTITIES, COMPANY_WORDS, COMPANY_PEOPLE)
OF_FUNNEL = (FUNNEL_LEADS, FUNNEL_VISITS, FUNNEL_PAST)
OF_ROBOTS = (ROBOT_RUNS, ROBOT_EFFECTS, TRIGGER_PULLS)
TABLES = (
    *(CARDS, ENTRIES, PEOPLE, IDENTITIES, WORDS, LEADS, DUPLICATES, *OF_COMPANIES, *OF_FUNNEL, *OF_ROBOTS),
    *(*OF_TASKS, RESPONSE, *OF_JOURNALS),
)
PROJECTIONS = tuple(sorted({table.projection for table in TABLES}))


def schema_of(projection: str, build: int) -> str:
    """The schema of a projection's build."""
    assert projection in PROJECTIONS
    return f"proj_{projection}_{build:d}"


async def builds(database: Database) -> tuple[dict[str, int], list[tuple[str, int, str]]]:
    """The live build of each projection; the others there are, with their status (`gone`: live, but without tables)."""
    rows = await database.fetch(
        r"""SELECT coalesce(b.projection, n.projection), coalesce(b.build, n.build), l.build IS NOT NULL,
                  n.build IS NOT NULL, coalesce(b.status, 'unknown')
            FROM leadline.builds AS b
            FULL JOIN (SELECT substring(nspname FROM '^proj_(.*)_[0-9]+$') AS projection,
                              substring(nspname FROM '[0-9]+$')::int AS build
                       FROM pg_namespace WHERE nspname ~ '^proj_.*_[0-9]+$') AS n USING (projection, build)
            LEFT JOIN leadline.live_builds AS l USING (projection, build) ORDER BY 1, 2"""
    )
    live = {row[0]: row[1] for row in rows if row[2] and row[3]}
    return live, [(row[0], row[1], "gone" if row[2] else row[4]) for row in rows if not (row[2] and row[3])]


async def wiped(database: Database) -> set[UUID]:
    """Contacts and companies whose erasure the live builds have applied."""
    rows = await database.fetch(
        """SELECT e.originator_id FROM leadline.events AS e
           JOIN leadline.seen AS s ON s.stream = e.originator_id AND s.version >= e.originator_version
           WHERE e.topic = ANY($1::text[]) AND s.consumer = $2 AND s.build = $3""",
        ERASED,
        CONSUMER,
        CONSUMER_BUILD,
    )
    return {row[0] for row in rows}


async def seen(database: Database, begin: UUID, end: UUID) -> dict[UUID, int]:
    """Up to which version the live builds have applied the streams of a range."""
    rows = await database.fetch(
        """SELECT stream, version FROM leadline.seen
           WHERE consumer = $1 AND build = $2 AND stream BETWEEN $3 AND $4""",
        CONSUMER,
        CONSUMER_BUILD,
        begin,
        end,
    )
    return {row[0]: row[1] for row in rows}


async def rows_between(database: Database, table: Table, build: int, begin: UUID, end: UUID) -> list[Row]:
    """A table's rows of the streams of a range."""
    found = await database.fetch(
        f"""SELECT * FROM {schema_of(table.projection, build)}.{table.name}
            WHERE {table.stream} BETWEEN $1 AND $2""",  # noqa: S608 (names of ours)
        begin,
        end,
    )
    return [dict(row) for row in found]


async def totals(database: Database, build: int) -> AsyncIterator[tuple[str, tuple[Any, ...], tuple[Any, ...]]]:
    """The board's counts and sums that are not zero: (table, key, values)."""
    schema = schema_of("board", build)
    for row in await database.fetch(
        f"""SELECT pipeline, stage, partition, leads, erased FROM {schema}.counts
            WHERE leads <> 0 OR erased <> 0"""  # noqa: S608
    ):
        yield "counts", tuple(row)[:3], tuple(row)[3:]
    for row in await database.fetch(
        f"SELECT pipeline, stage, partition, currency, amount FROM {schema}.sums WHERE amount <> 0"  # noqa: S608
    ):
        yield "sums", tuple(row)[:4], tuple(row)[4:]
