"""Compares what the projections hold with what the folds say, row by row, and the board's totals at the end.

Invariants: a stream is folded up to the version its projection has seen, so that a lagging projection is no difference; a
personal value is never shown; what is kept in plain of a person whose erasure the projection has applied is a difference. In
the moment between the destruction of a key and the projection's learning of it, either form of the row is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from contracts.topics import EVENTS_TOPIC_OF_KIND
from services.database import Database
from services.ops.verify.chain import Stream
from services.ops.verify.log_end import LogEnds
from services.ops.verify.opened import Opened
from services.ops.verify.projected import folds, store
from services.ops.verify.projected.funnel import funnel
from services.ops.verify.projected.journals import journal
from services.ops.verify.projected.robots import robots
from services.ops.verify.projected.store import Row, Table
from services.ops.verify.projected.tasks import response, tasks
from services.ops.verify.report import Report
from services.ops.verify.seen import check_seen
from services.ops.verify.store import seen_between

PERSONAL = {
    store.CARDS: folds.CARD_PERSONAL,
    store.ENTRIES: folds.ENTRY_PERSONAL,
    store.PEOPLE: folds.PERSON_PERSONAL,
    store.IDENTITIES: frozenset({"value"}),
    store.WORDS: frozenset({"word"}),
    store.COMPANIES: frozenset({"name"}),
    store.COMPANY_IDENTITIES: frozenset({"value"}),
    store.COMPANY_WORDS: frozenset({"word"}),
}
IN_PLAIN = (store.IDENTITIES, store.WORDS, store.COMPANY_IDENTITIES, store.COMPANY_WORDS)
"""Tables that hold personal values only: an erasure removes their rows."""
JSON_COLUMNS = {
    store.ENTRIES: ("data", "personal"),
    **dict.fromkeys((*store.OF_TASKS, *store.OF_JOURNALS), ("term", "lacks", "people")),
}
"""Of these those that the table has."""


@dataclass(slots=True)
class Build:
    """The live builds of the projections, by name, and the totals of the board as its cards should make them."""

    numbers: dict[str, int]
    wiped: set[UUID]
    counts: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    erased: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    sums: dict[tuple[Any, ...], Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class Expected:
    """A row that must be there. `shut`: its person's key is gone, though this build may not have learnt of it yet."""

    row: Row
    shut: bool = False


@dataclass(slots=True)
class ProjectionCheck:
    """The check of the live builds, range by range."""

    builds: list[Build]
    ends: LogEnds
    report: Report

    @classmethod
    async def of(cls, database: Database, ends: LogEnds, report: Report) -> ProjectionCheck:
        """The live builds. Those that are not live, and unknown projections, are noted, not passed over in silence."""
        live, others = await store.builds(database)
        for name, number, status in others:
            report.note(f"projection {name}, build {number}, is {status}, not live: it was not verified")
        for name in sorted(live.keys() ^ set(store.PROJECTIONS)):
            how = "has no tables" if name in store.PROJECTIONS else "is not one that verify can fold"
            report.note(f"projection {name} {how}: it was not verified")
        if live.keys() >= set(store.PROJECTIONS):
            return cls([Build(live, await store.wiped(database))], ends, report)
        if not live:
            report.note("there are no projections yet: none was verified")
        return cls([], ends, report)

    async def check(
        self, database: Database, begin: UUID, end: UUID, opened: Sequence[tuple[Stream, list[Opened]]]
    ) -> None:
        """Every row of the streams of a range."""
        check_seen({s.id: s for s, _ in opened}, await seen_between(database, begin, end), self.report)
        for build in self.builds:
            seen = await store.seen(database, begin, end)
            known = [
                (stream, [event for event in events if event.version <= seen[stream.id]])
                for stream, events in opened
                if stream.id in seen
            ]
            expected = self._expected(known, build)
            closed = [stream for stream, events in known if any(event.sealed_shut for event in events)]
            shut = {stream.id for stream in closed if stream.kind in ("contact", "company")}
            for table in store.TABLES:
                rows = await store.rows_between(database, table, build.numbers[table.projection], begin, end)
                self.report.counts[f"rows of {table.projection}.{table.name}"] += len(rows)
                self._compare(table, build, rows, expected[table], shut)

    def _expected(self, known: Iterable[tuple[Stream, list[Opened]]], build: Build) -> dict[Table, list[Expected]]:
        expected: dict[Table, list[Expected]] = {table: [] for table in store.TABLES}
        for stream, events in known:
            if not events:
                continue
            shut = any(event.sealed_shut for event in events)
            if stream.kind in ("lead", "deal"):
                partition = self.ends.partition_of(EVENTS_TOPIC_OF_KIND[stream.kind], str(stream.id).encode())
                card = folds.card(stream.id, partition, events)
                wiped = card is not None and card["contact"] in build.wiped
                if card is not None:
                    self._expect_personal(expected, store.CARDS, card, wiped and card["sealed"], shut)
                for event, entry in zip(events, folds.entries(stream.id, events), strict=True):
                    gone = entry["person"] in build.wiped and folds.is_sealed(event)
                    self._expect_personal(expected, store.ENTRIES, entry, gone, event.sealed_shut)
                expected[store.LEADS] += map(Expected, folds.whose(stream.id, events))
                expected[store.DUPLICATES] += map(Expected, folds.duplicates(stream.id, events))
                of_funnel = funnel(stream.id, events)
                expected[store.FUNNEL_LEADS] += map(Expected, of_funnel.lead)
                expected[store.FUNNEL_VISITS] += map(Expected, of_funnel.visits)
                expected[store.FUNNEL_PAST] += map(Expected, of_funnel.past)
                for table, rows in zip(store.OF_ROBOTS, robots(stream.id, events), strict=True):
                    expected[table] += map(Expected, rows)
                for table, rows in zip(store.OF_TASKS, tasks(stream.id, events), strict=True):
                    expected[table] += map(Expected, rows)
                expected[store.RESPONSE] += map(Expected, response(stream.id, events))
            elif stream.kind == "incident":
                of_journal = journal(stream.id, events)
                for table in store.OF_JOURNALS:
                    expected[table] += map(Expected, of_journal[table.name])
            elif stream.kind == "contact":
                wiped = stream.id in build.wiped
                person = folds.person(stream.id, events)
                if person is not None:
                    self._expect_personal(expected, store.PEOPLE, person, wiped, shut)
                expected[store.COMPANY_PEOPLE] += map(Expected, folds.company_people(stream.id, events))
                if not wiped:
                    expected[store.IDENTITIES] += map(Expected, folds.identities(stream.id, events))
                    expected[store.WORDS] += map(Expected, folds.words(stream.id, events))
            elif stream.kind == "company":
                wiped = stream.id in build.wiped
                company = folds.company(stream.id, events)
                if company is not None:
                    self._expect_personal(expected, store.COMPANIES, company, wiped, shut)
                if not wiped:
                    expected[store.COMPANY_IDENTITIES] += map(Expected, folds.company_identities(stream.id, events))
                    expected[store.COMPANY_WORDS] += map(Expected, folds.company_words(stream.id, events))
        return expected

    @staticmethod
    def _expect_personal(
        expected: dict[Table, list[Expected]], table: Table, row: Row, wiped: bool, shut: bool
    ) -> None:
        """A row with personal columns: without them once the build has applied the erasure."""
        if wiped:
            hidden: Row = dict.fromkeys(PERSONAL[table])
            expected[table].append(Expected({**row, **hidden, "erased": True}))
        else:
            expected[table].append(Expected(row, shut))

    def _compare(self, table: Table, build: Build, rows: list[Row], expected: list[Expected], shut: set[UUID]) -> None:
        have = {tuple(row[column] for column in table.key): row for row in rows}
        for column in JSON_COLUMNS.get(table, ()):
            for row in rows:
                if row.get(column) is not None:
                    row[column] = orjson.loads(row[column])
        for wanted in expected:
            key = tuple(wanted.row[column] for column in table.key)
            row_there = have.pop(key, None)
            if row_there is None:
                self._differ(table, build, "missing", wanted.row, "the row is not there")
            else:
                self._columns(table, build, row_there, wanted)
            if table is store.CARDS:
                self._add_totals(build, wanted, row_there)
        for row in have.values():
            in_plain = table in IN_PLAIN
            if in_plain and row[table.stream] in build.wiped:
                self._differ(table, build, "erased", row, "a row of an erased person in plain text")
            elif not (in_plain and row[table.stream] in shut):
                self._differ(table, build, "unexpected", row, "a row that follows from no event")

    def _columns(self, table: Table, build: Build, have: Row, wanted: Expected) -> None:
        personal = PERSONAL.get(table, frozenset())
        either = personal | {"erased"} if wanted.shut else frozenset()
        if wanted.shut and have.get("erased") and any(have[column] is not None for column in personal):
            self._differ(table, build, "erased", have, "marked as erased, but personal values are still there")
        for column, want in wanted.row.items():
            if have[column] == want or column in either:
                continue
            if column in personal:
                if want is None and wanted.row.get("erased"):
                    self._differ(
                        table, build, "erased", have, f"column {column} still holds a value of an erased person"
                    )
                else:
                    self._differ(table, build, "differs", have, f"column {column} differs")
            elif column == "data":
                self._differ(table, build, "differs", have, f"column data differs in: {_fields(have[column], want)}")
            else:
                self._differ(table, build, "differs", have, f"column {column} is {have[column]}, the events say {want}")

    def _differ(self, table: Table, build: Build, kind: str, row: Row, text: str) -> None:
        shown = [str(row[column]) for column in table.key if column not in PERSONAL.get(table, ())]
        place = f"{table.projection}.{table.name} (build {build.numbers[table.projection]})"
        self.report.differ("projection", kind, "-".join(shown), f"{place}: {text}")

    def _add_totals(self, build: Build, wanted: Expected, there: Row | None) -> None:
        row = wanted.row
        if not row["stage"] or row["merged_into"] is not None or row["withdrawn"]:
            return
        place = (row["pipeline"], row["stage"], row["partition"])
        build.counts[place] += 1
        build.erased[place] += bool(there["erased"] if wanted.shut and there else row["erased"])
        if row["amount"] is not None:
            key = (*place, row["currency"])
            build.sums[key] = build.sums.get(key, Decimal(0)) + row["amount"]

    async def finish(self, database: Database) -> None:
        """The board's counts and sums, once all cards are known."""
        for build in self.builds:
            wanted: dict[tuple[str, tuple[Any, ...]], tuple[Any, ...]] = {}
            wanted |= {("counts", key): (count, build.erased[key]) for key, count in build.counts.items()}
            wanted |= {("sums", key): (amount,) for key, amount in build.sums.items() if amount}
            async for table, key, values in store.totals(database, build.numbers["board"]):
                self._total(build, table, key, values, wanted.pop((table, key), None))
            for (table, key), values in wanted.items():
                self._total(build, table, key, None, values)

    def _total(
        self, build: Build, table: str, key: tuple[Any, ...], have: tuple[Any, ...] | None, want: tuple[Any, ...] | None
    ) -> None:
        if have != want:
            text = f"board.{table} (build {build.numbers['board']}): {_numbers(have)}, the cards add up to {_numbers(want)}"
            self.report.differ("projection", "differs", " ".join(map(str, key)), text)


def _fields(have: Any, want: Any) -> str:
    if not isinstance(have, dict) or not isinstance(want, dict):
        return "all of it"
    return ", ".join(sorted(name for name in have.keys() | want.keys() if have.get(name) != want.get(name)))


def _numbers(values: tuple[Any, ...] | None) -> str:
    return "nothing" if values is None else ", ".join(map(str, values))
