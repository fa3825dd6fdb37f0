"""The projections' tables against the oracle's own fold: the same rows, the same values, no row more."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import asyncpg

from tests.chaos.fold import Row, Rows

BOARD, TIMELINE, PEOPLE, FUNNEL = "proj_board_1", "proj_timeline_1", "proj_people_1", "proj_funnel_1"
NAMED = 5  # differing rows told per table


async def check_tables(database: asyncpg.Connection, rows: Rows, wrong: list[str]) -> None:
    """Compare every table; complaints go to `wrong`."""
    cards = await database.fetch(f"SELECT * FROM {BOARD}.cards")
    _compare("board cards", rows.cards, {row["lead"]: row for row in cards}, wrong)
    counts: Counter[tuple[str, str]] = Counter()
    for row in await database.fetch(f"SELECT pipeline, stage, leads FROM {BOARD}.counts"):
        counts[row["pipeline"], row["stage"]] += row["leads"]
    if +counts != +rows.counts:
        wrong.append(f"board counts: {dict(+counts)}, the events make {dict(+rows.counts)}")
    entries = {}
    for row in await database.fetch(f"SELECT * FROM {TIMELINE}.entries"):
        personal = json.loads(row["personal"]) if row["personal"] else None
        entries[row["lead"], row["version"]] = {**row, "data": json.loads(row["data"]), "personal": personal}
    _compare("timeline entries", rows.entries, entries, wrong)
    people = await database.fetch(f"SELECT * FROM {PEOPLE}.people")
    _compare("people", rows.people, {row["contact"]: row for row in people}, wrong)
    identities = await database.fetch(f"SELECT * FROM {PEOPLE}.identities")
    found = {(row["contact"], row["kind"], row["value"]): row for row in identities}
    _compare("people identities", rows.identities, found, wrong)
    leads = {row["lead"]: row["contact"] for row in await database.fetch(f"SELECT * FROM {PEOPLE}.leads")}
    if leads != rows.leads:
        wrong.append(f"people leads: {len(leads)} rows, the events make {len(rows.leads)}")
    visits = await database.fetch(f"SELECT * FROM {FUNNEL}.visits")
    _compare("funnel visits", rows.visits, {(row["lead"], row["visit"]): row for row in visits}, wrong)


def _compare(name: str, wanted: Mapping[Any, Row], found: Mapping[Any, Mapping[str, Any]], wrong: list[str]) -> None:
    """Every wanted row is there with the values wanted (a table may have further columns), and no other row."""
    lacking, extra = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    if lacking or extra:
        wrong.append(
            f"{name}: lack {[str(k) for k in list(lacking)[:NAMED]]}, extra {[str(k) for k in list(extra)[:NAMED]]}"
        )
    told = 0
    for key in wanted.keys() & found.keys():
        differing = {c: (found[key][c], value) for c, value in wanted[key].items() if found[key][c] != value}
        if differing and told < NAMED:
            told += 1
            wrong.append(f"{name} {key}: (found, wanted) {differing}"[:600])
