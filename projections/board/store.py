"""SQL of the board: load and save a batch's rows; what the web reads; the checksum.

Reads take a connection and use the fully named schema of the live build. Amounts are decimals in the currency's main unit,
times UTC. Lists are paged by a cursor (`after`), which is opaque to the caller; a malformed one raises ValueError.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson

from projections.board import projection as board
from projections.board.projection import BoardRows, CardRow
from projections.event import Event
from projections.projection import Projection, schema_of
from projections.reading import checksum_of, cursor, cursor_of, live_schema
from services.database import Database, Pool

NAME = "board"
_CARDS = ", ".join(board.CARD_COLUMNS)
_TYPES = {
    "lead": "uuid", "partition": "int", "visit": "int", "entered_at": "timestamptz", "amount": "numeric",
    "contact": "uuid", "version": "bigint", "captured_at": "timestamptz", "paused_until": "date",
    "sealed": "boolean", "erased": "boolean", "merged_into": "uuid", "deal_of": "uuid", "withdrawn": "boolean",
}  # fmt: skip


_AS_TEXT = frozenset({"contact", "merged_into", "deal_of"})


def _arrays(columns: Iterable[str]) -> str:
    return ", ".join(f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(columns, start=1))


_CHANGEABLE = tuple(c for c in board.CARD_COLUMNS if c not in ("lead", "partition", "captured_at"))


async def _copy(connection: Database, schema: str, cards: Iterable[CardRow]) -> None:
    """Add new cards. Twice as fast as an INSERT; none is there already: each event is applied once."""
    columns = board.CARD_COLUMNS
    if records := list(map(attrgetter(*columns), cards)):
        await connection.copy_records_to_table("cards", schema_name=schema, columns=columns, records=records)


@dataclass(slots=True)
class StoredRows:
    """The rows of a batch, and where they are kept."""

    schema: str
    rows: BoardRows

    async def save(self, connection: Database) -> None:
        """Write back cards, counts and sums."""
        rows, schema = self.rows, self.schema
        changed = rows.changed
        new = changed - rows.before.keys()
        await _copy(connection, schema, [rows.cards[lead] for lead in sorted(new)])
        for leads, columns in (
            (rows.touched - new, _CHANGEABLE),
            (rows.moved - rows.touched - new, board.MOVED_COLUMNS),
            (rows.counted - rows.moved - rows.touched - new, ("version",)),
        ):
            if leads:
                await connection.execute(
                    f"""UPDATE {schema}.cards AS c SET {", ".join(f"{name} = n.{name}" for name in columns)}
                        FROM unnest({_arrays(("lead", *columns))}) AS n (lead, {", ".join(columns)})
                        WHERE c.lead = n.lead""",  # noqa: S608 (names of ours)
                    *board.columns_of([rows.cards[lead] for lead in sorted(leads)], ("lead", *columns)),
                )
        pairs = [(rows.before.get(lead), board.place_of(rows.cards[lead])) for lead in changed]
        if rows.wiped:
            pairs += await self._wipe(connection)
        await self._add(connection, pairs)

    async def _wipe(self, connection: Database) -> list[tuple[board.Place | None, board.Place]]:
        wiped = await connection.fetch(
            f"""UPDATE {self.schema}.cards SET name = NULL, company = NULL, erased = true
                WHERE contact = ANY($1::uuid[]) AND sealed AND NOT erased
                RETURNING pipeline, CASE WHEN merged_into IS NULL AND NOT withdrawn THEN stage ELSE '' END, partition,
                          amount, currency""",  # noqa: S608
            list(self.rows.wiped),
        )
        return [
            (board.Place(p, s, n, False, amount, currency), board.Place(p, s, n, True, amount, currency))
            for p, s, n, amount, currency in wiped
        ]

    async def _add(self, connection: Database, pairs: list[tuple[board.Place | None, board.Place]]) -> None:
        counts, sums = board.changes(pairs)
        if counts:
            keys = sorted(counts)
            await connection.execute(
                f"""INSERT INTO {self.schema}.counts AS c
                    SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[])
                    ON CONFLICT (pipeline, stage, partition)
                    DO UPDATE SET leads = c.leads + excluded.leads, erased = c.erased + excluded.erased""",  # noqa: S608
                *([key[n] for key in keys] for n in range(3)),
                *([counts[key][n] for key in keys] for n in range(2)),
            )
        if sums:
            places = sorted(sums)
            await connection.execute(
                f"""INSERT INTO {self.schema}.sums AS s
                    SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::numeric[])
                    ON CONFLICT (pipeline, stage, partition, currency)
                    DO UPDATE SET amount = s.amount + excluded.amount""",  # noqa: S608
                *([place[n] for place in places] for n in range(4)),
                [sums[place] for place in places],
            )


async def load(connection: Database, build: int, events: Sequence[Event]) -> StoredRows:
    """The cards that these events touch."""
    schema = schema_of(NAME, build)
    streams = {event.stream for event in events if event.kind in ("lead", "deal")}
    new = {event.stream for event in events if event.type in board.CREATING}
    rows = BoardRows()
    if wanted := streams - new:
        found = await connection.fetch(
            f"""SELECT lead::text, {", ".join(f"{c}::text" if c in _AS_TEXT else c for c in board.CARD_COLUMNS[1:])}
                FROM {schema}.cards WHERE lead = ANY($1::uuid[])""",  # noqa: S608
            list(wanted),
        )
        for row in found:
            card = CardRow(*row)
            rows.cards[card.lead] = card
            rows.before[card.lead] = board.place_of(card)
    return StoredRows(schema, rows)


def apply(stored: StoredRows, event: Event) -> None:
    """Let one event change the rows."""
    board.apply(stored.rows, event)


async def checksum(connection: Database, build: int) -> bytes:
    """32 bytes over cards, counts and sums; zero rows of counts and sums are as none."""
    schema = schema_of(NAME, build)
    return await checksum_of(
        connection,
        f"SELECT t::text AS line FROM {schema}.cards AS t",  # noqa: S608
        f"SELECT t::text AS line FROM {schema}.counts AS t WHERE leads <> 0 OR erased <> 0",  # noqa: S608
        f"SELECT ROW(pipeline, stage, partition, currency, amount::numeric(20, 2))::text AS line "  # noqa: S608
        f"FROM {schema}.sums WHERE amount <> 0",
    )


BOARD = Projection(
    NAME, ("leads.events", "deals.events", "people.events"), board.TYPES, load, apply, checksum, placed=True
)


# --- what the web reads ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """A stage of the board: how many leads stand in it, what their last offers add up to by currency, how many of them
    are erased persons'."""

    stage: str
    count: int
    sums: dict[str, Decimal] = field(default_factory=dict)
    erased: int = 0


@dataclass(frozen=True, slots=True)
class Card:
    """A lead on the board. `name` and `company` are None where unknown or erased; `version` is the lead's stream's."""

    lead: UUID
    pipeline: str
    stage: str
    kind: str
    visit: int
    entered_at: datetime
    name: str | None
    company: str | None
    source: str
    channel: str
    responsible: str | None
    amount: Decimal | None
    currency: str | None
    contact: UUID
    version: int
    captured_at: datetime
    paused_until: date | None
    erased: bool
    merged_into: UUID | None = None
    deal_of: UUID | None = None
    """Of a deal: its lead, whose card says who the client is where the deal does not."""
    withdrawn: bool = False
    """Of a deal: the conversion was undone."""


_CARD = ", ".join(f.name for f in fields(Card))


def _cards(schema: str) -> str:
    """The cards as they are read: a deal's with what its lead's says of the client, put together here and kept nowhere."""
    own = ", ".join(f"c.{f.name}" for f in fields(Card) if f.name not in ("name", "company", "erased"))
    return f"""(SELECT {own}, nullif(coalesce(c.name, l.name), '') AS name,
                       nullif(coalesce(c.company, l.company), '') AS company,
                       c.erased OR coalesce(l.erased, false) AS erased
                FROM {schema}.cards AS c
                LEFT JOIN {schema}.cards AS l ON l.lead = c.deal_of) AS cards"""  # noqa: S608


async def columns(connection: Database, pipeline: str) -> list[Column]:
    """The stages of a pipeline that have leads, in no order: the pipeline says their order and titles."""
    schema = await live_schema(connection, NAME)
    counts = await connection.fetch(
        f"""SELECT stage, sum(leads)::bigint, sum(erased)::bigint FROM {schema}.counts WHERE pipeline = $1
            GROUP BY stage HAVING sum(leads) <> 0""",  # noqa: S608
        pipeline,
    )
    sums = await connection.fetch(
        f"""SELECT stage, currency, sum(amount) FROM {schema}.sums WHERE pipeline = $1
            GROUP BY stage, currency HAVING sum(amount) <> 0""",  # noqa: S608
        pipeline,
    )
    amounts: dict[str, dict[str, Decimal]] = {}
    for stage, currency, amount in sums:
        amounts.setdefault(stage, {})[currency] = amount
    return [Column(stage, count, amounts.get(stage, {}), erased) for stage, count, erased in counts]


async def cards(
    connection: Database, pipeline: str, stage: str, *, after: str | None = None, limit: int = 50
) -> tuple[list[Card], str | None]:
    """The cards of a stage, the latest arrived first, and the cursor of the next page (None: no more)."""
    at, lead = cursor(after)
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT {_CARD} FROM {_cards(schema)}
            WHERE pipeline = $1 AND stage = $2 AND merged_into IS NULL AND NOT withdrawn
              AND ($3::timestamptz IS NULL OR (entered_at, lead) < ($3, $4::uuid))
            ORDER BY entered_at DESC, lead DESC LIMIT $5""",  # noqa: S608
        pipeline,
        stage,
        at,
        lead,
        limit + 1,
    )
    return _page(rows, limit, "entered_at")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which leads of a list are wanted: those that meet all conditions given. `nobody`: those without a responsible."""

    stage: str | None = None
    responsible: str | None = None
    pipeline: str | None = None
    nobody: bool = False
    ids: Sequence[UUID] | None = None
    pipelines: Sequence[str] | None = None
    """Of one of these."""


_CHOSEN = """($1::text IS NULL OR (stage = $1 AND merged_into IS NULL AND NOT withdrawn))
    AND ($2::text IS NULL OR responsible = $2) AND ($3::text[] IS NULL OR pipeline = ANY($3))
    AND (NOT $4::boolean OR responsible IS NULL) AND ($5::uuid[] IS NULL OR lead = ANY($5))"""


async def leads(
    connection: Database, chosen: Chosen, *, after: str | None = None, limit: int = 50
) -> tuple[list[Card], str | None]:
    """Leads that meet all conditions given, the latest captured first, and the cursor of the next page.

    One that was merged into another stands in no stage (N16)."""
    at, lead = cursor(after)
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT {_CARD} FROM {_cards(schema)}
            WHERE {_CHOSEN} AND ($6::timestamptz IS NULL OR (captured_at, lead) < ($6, $7::uuid))
            ORDER BY captured_at DESC, lead DESC LIMIT $8""",  # noqa: S608
        *_conditions(chosen),
        at,
        lead,
        limit + 1,
    )
    return _page(rows, limit, "captured_at")


async def nearest(
    connection: Database,
    chosen: Chosen,
    left: Mapping[tuple[str, str], int],
    *,
    after: str | None = None,
    limit: int = 50,
) -> tuple[list[Card], str | None]:
    """S6: leads by nearness to the decision, and the cursor of the next page. `left`: the steps that open stages (pipeline,
    stage) have before it; of leads equally near, whoever has waited longest in their stage comes first. Outcomes come last, and
    behind them leads that were merged into another."""
    rank_after, at, lead = _near_cursor(after)
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT {_CARD}, rank FROM (
                SELECT cards.*, CASE WHEN merged_into IS NOT NULL OR withdrawn THEN {_UNKNOWN_STAGE} + 9
                                 WHEN kind = 'open' THEN coalesce(l.steps, {_UNKNOWN_STAGE})
                                 ELSE array_position({_OUTCOMES}, kind) + {_UNKNOWN_STAGE} END AS rank
                FROM {_cards(schema)}
                LEFT JOIN unnest($6::text[], $7::text[], $8::int[]) AS l (pipeline, stage, steps) USING (pipeline, stage)
            ) AS ranked
            WHERE {_CHOSEN} AND ($9::int IS NULL OR (rank, entered_at, lead) > ($9, $10::timestamptz, $11::uuid))
            ORDER BY rank, entered_at, lead LIMIT $12""",  # noqa: S608
        *_conditions(chosen),
        [pipeline for pipeline, _ in left],
        [stage for _, stage in left],
        list(left.values()),
        rank_after,
        at,
        lead,
        limit + 1,
    )
    page = [Card(*row[:-1]) for row in (tuple(row) for row in rows[:limit])]
    if len(rows) <= limit or not page:
        return page, None
    return page, f"{rows[limit - 1]['rank']}.{cursor_of(page[-1].entered_at, page[-1].lead)}"


_UNKNOWN_STAGE = 1_000
"""The rank of an open stage that its pipeline does not have any more: behind all that it has."""
_OUTCOMES = "ARRAY['won', 'postponed', 'lost']"


def _near_cursor(after: str | None) -> tuple[int | None, datetime | None, UUID | None]:
    if after is None:
        return None, None, None
    rank, dot, rest = after.partition(".")
    if not (dot and rank.isascii() and rank.isdigit() and len(rank) < 6):
        raise ValueError("this is no cursor of ours: leave `after` out to begin anew")
    return int(rank), *cursor(rest)


def _conditions(chosen: Chosen) -> tuple[Any, ...]:
    pipelines = chosen.pipelines if chosen.pipeline is None else [chosen.pipeline]
    return chosen.stage, chosen.responsible, pipelines, chosen.nobody, chosen.ids


@dataclass(frozen=True, slots=True)
class Held:
    """Leads of a responsible (None: of nobody) in a stage: how many, what their last offers add up to by currency, and since when
    the one that is longest there has been there. The leads behind it: `leads` or `nearest` with `Chosen` of the same three."""

    responsible: str | None
    stage: str
    count: int
    kind: str = "open"
    sums: dict[str, Decimal] = field(default_factory=dict)
    oldest_at: datetime | None = None


async def people(connection: Database, pipeline: str) -> list[Held]:
    """S6: whose leads stand in which stage of a pipeline now, in no order: the pipeline says how near each stage is."""
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"""SELECT responsible, stage, sum(n)::bigint, max(kind), min(oldest),
                   jsonb_object_agg(currency, amount::text) FILTER (WHERE currency IS NOT NULL)
            FROM (SELECT responsible, stage, kind, currency, count(*) AS n, sum(amount) AS amount, min(entered_at) AS oldest
                  FROM {schema}.cards WHERE pipeline = $1 AND merged_into IS NULL AND NOT withdrawn
                  GROUP BY responsible, stage, kind, currency) AS by_currency
            GROUP BY responsible, stage""",  # noqa: S608
        pipeline,
    )
    return [
        Held(whose, stage, count, kind, {c: Decimal(a) for c, a in orjson.loads(sums or "{}").items()}, oldest)
        for whose, stage, count, kind, oldest, sums in rows
    ]


async def card(connection: Database, lead: UUID) -> Card | None:
    """The card of a lead, None when the board has not seen it."""
    schema = await live_schema(connection, NAME)
    row = await connection.fetchrow(f"SELECT {_CARD} FROM {_cards(schema)} WHERE lead = $1", lead)  # noqa: S608
    return None if row is None else Card(*row)


async def deals_of(connection: Database, lead: UUID) -> list[Card]:
    """The deals that a lead became, the first first; withdrawn ones too."""
    schema = await live_schema(connection, NAME)
    rows = await connection.fetch(
        f"SELECT {_CARD} FROM {_cards(schema)} WHERE deal_of = $1 ORDER BY captured_at, lead",  # noqa: S608
        lead,
    )
    return [Card(*row) for row in rows]


async def wait_for(pool: Pool, lead: UUID, version: int, limit: float) -> bool:
    """Wait until the board shows this lead at `version` or later, at most `limit` seconds; False when it does not."""
    deadline, pause = time.monotonic() + limit, 0.005
    while True:
        async with pool.acquire() as connection:
            schema = await live_schema(connection, NAME)
            seen = await connection.fetchval(f"SELECT version FROM {schema}.cards WHERE lead = $1", lead)  # noqa: S608
        if seen is not None and seen >= version:
            return True
        if (left := deadline - time.monotonic()) <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 2, 0.05)


def _page(rows: Sequence[Any], limit: int, by: str) -> tuple[list[Card], str | None]:
    page = [Card(*row) for row in rows[:limit]]
    more = len(rows) > limit and page
    return page, cursor_of(getattr(page[-1], by), page[-1].lead) if more else None
