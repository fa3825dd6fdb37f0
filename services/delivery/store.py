"""The ledger's SQL: rows in and out, what is due, leases, providers, reports (decision 9).

Invariants: a row is changed only under its lock, in the order of the ids where there are several; a claim skips what another
worker has. `clock_timestamp()` times leases, limits and reports, so that all processes share one clock and none of it stands
still with a practice clock. Each function is a few statements in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from contracts.meta import Stored
from services.database import Database
from services.delivery.domain import APP, TOO_SMALL, Bucket, Effect, Pause

_NAMES: Final = tuple(field.name for field in fields(Effect))
COLUMNS: Final = ", ".join(_NAMES)
_VALUES: Final = attrgetter(*_NAMES)
_TYPES: Final = {
    "effect": "uuid",
    "stream": "uuid",
    "version": "bigint",
    "repeated_version": "bigint",
    "requested_at": "timestamptz",
    "opened_at": "timestamptz",
    "next_at": "timestamptz",
    "closed_at": "timestamptz",
    "round": "int",
    "attempts": "int",
    "matched": "int",
    "in_doubt": "boolean",
}
_ARRAYS: Final = ", ".join(f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(_NAMES, 1))
_REPORT: Final = f"${len(_NAMES) + 1}::uuid[]"
_CHANGES: Final = ", ".join(f"{name} = excluded.{name}" for name in (*_NAMES, "report"))


def _effect(row: Any) -> Effect:
    return Effect(*row)


async def hold(database: Database, effects: Collection[UUID]) -> dict[UUID, Effect]:
    """These effects, those that there are, locked until the transaction ends."""
    if not effects:
        return {}
    rows = await database.fetch(
        f"""SELECT {COLUMNS} FROM leadline.effects WHERE effect = ANY($1::uuid[])
            ORDER BY effect FOR UPDATE""",  # noqa: S608 - constants
        list(effects),
    )
    return {row[0]: _effect(row) for row in rows}


async def hold_reported(database: Database, reports: Collection[UUID]) -> list[Effect]:
    """The effects whose present round is reported by these commands, locked."""
    rows = await database.fetch(
        f"""SELECT {COLUMNS} FROM leadline.effects WHERE report = ANY($1::uuid[])
            ORDER BY effect FOR UPDATE""",  # noqa: S608 - constants
        list(reports),
    )
    return [_effect(row) for row in rows]


async def save(database: Database, effects: Sequence[Effect]) -> None:
    """Write these effects as they are now. A lease stays only where the call is under way still."""
    if not effects:
        return
    ordered = sorted(effects, key=attrgetter("effect"))
    columns = [list(column) for column in zip(*map(_VALUES, ordered), strict=True)]
    await database.execute(
        f"""INSERT INTO leadline.effects AS e ({COLUMNS}, report)
            SELECT * FROM unnest({_ARRAYS}, {_REPORT})
            ON CONFLICT (effect) DO UPDATE SET {_CHANGES},
                lease_until = CASE WHEN excluded.state = 'working' THEN e.lease_until END""",  # noqa: S608 - constants
        *columns,
        [effect.report for effect in ordered],
    )


async def lease(database: Database, effects: Sequence[Effect], seconds: float) -> None:
    """These are being carried out, by whoever calls, for so long at most."""
    ordered = sorted(effects, key=attrgetter("effect"))
    await database.execute(
        """UPDATE leadline.effects AS e
           SET state = 'working', attempts = n.attempts, in_doubt = n.in_doubt,
               lease_until = clock_timestamp() + make_interval(secs => $4)
           FROM unnest($1::uuid[], $2::int[], $3::boolean[]) AS n (effect, attempts, in_doubt) WHERE e.effect = n.effect""",
        [effect.effect for effect in ordered],
        [effect.attempts for effect in ordered],
        [effect.in_doubt for effect in ordered],
        seconds,
    )


# A change of an audience waits for the earlier, opposite ones of the same lead in it: a removal must not be overtaken by what it
# undoes. Of all else, what is due for a lead goes in the order of its requests; what is tried again later holds up nothing.
# A look-up for each row in the order of the index: as NOT EXISTS it becomes a join of all that wait. NOT TRUE, which the planner
# believes of half the rows, and not IS NULL, which it believes of so few that it sorts all that wait before it takes some.
_IN_TURN: Final = f"""(
    SELECT true FROM leadline.effects AS b
    WHERE b.stream = e.stream AND b.version < e.version AND b.provider = e.provider AND CASE
        WHEN e.audience IS NOT NULL THEN
            b.audience = e.audience AND b.action <> e.action AND b.state IN ('waiting', 'working')
        ELSE e.provider <> '{APP}' AND e.kind <> 'incident'
            AND (b.state = 'working' OR b.state = 'waiting' AND b.next_at <= $2) END
    LIMIT 1) IS NOT TRUE"""  # noqa: S608 - constants
_LAPSED: Final = "e.state = 'working' AND e.lease_until < clock_timestamp()"
_FREE: Final = "e.state = 'waiting' AND (e.lease_until IS NULL OR e.lease_until < clock_timestamp())"


async def next_due(database: Database, provider: str, now: datetime, mine: Collection[UUID]) -> Effect | None:
    """The effect to be carried out next: one whose worker died, else the longest due. `mine`: what the caller has in hand."""
    for which, order in ((_LAPSED, "e.lease_until"), (f"{_FREE} AND e.next_at <= $2", "e.next_at, e.effect")):
        row = await database.fetchrow(
            f"""SELECT {COLUMNS} FROM leadline.effects AS e
                WHERE e.provider = $1 AND {which} AND $2::timestamptz IS NOT NULL AND e.effect <> ALL($3::uuid[])
                  AND {_IN_TURN}
                ORDER BY {order} LIMIT 1 FOR UPDATE SKIP LOCKED""",  # noqa: S608 - constants
            provider,
            now,
            list(mine),
        )
        if row is not None:
            return _effect(row)
    return None


async def any_due(database: Database, provider: str, now: datetime) -> bool:
    """Whether `next_due` may find something, others' turns not looked at. Locks nothing."""
    found: bool = await database.fetchval(
        f"""SELECT EXISTS (SELECT FROM leadline.effects AS e WHERE e.provider = $1 AND {_LAPSED})
                OR EXISTS (SELECT FROM leadline.effects AS e
                           WHERE e.provider = $1 AND e.state = 'waiting' AND e.next_at <= $2)""",  # noqa: S608 - constants
        provider,
        now,
    )
    return found


async def due_with(database: Database, first: Effect, now: datetime, most: int, mine: Collection[UUID]) -> list[Effect]:
    """What can go with it, itself not counted: what is due of the same group, and what waited for it to grow."""
    if most <= 1:
        return []
    arguments: list[Any] = [first.provider, now, first.effect, list(mine), most - 1]
    group = [_is(name, getattr(first, name), arguments) for name in ("audience", "action")]
    due = "e.next_at <= $2"
    if first.audience is not None:  # without it the search ends where nothing more is due
        arguments.append(TOO_SMALL.replace("_", r"\_") + "%")
        due = f"({due} OR e.last_reason LIKE ${len(arguments)})"
    rows = await database.fetch(
        f"""SELECT {COLUMNS} FROM leadline.effects AS e
            WHERE e.provider = $1 AND e.effect <> $3 AND e.effect <> ALL($4::uuid[]) AND {" AND ".join(group)}
              AND {_FREE} AND {due} AND {_IN_TURN}
            ORDER BY e.next_at, e.effect LIMIT $5 FOR UPDATE SKIP LOCKED""",  # noqa: S608 - constants
        *arguments,
    )
    return [_effect(row) for row in rows]


def _is(column: str, value: str | None, arguments: list[Any]) -> str:
    """That a column has this value, in a form of which the planner knows how many rows it leaves."""
    if value is None:
        return f"e.{column} IS NULL"
    arguments.append(value)
    return f"e.{column} = ${len(arguments)}"


async def reserve(database: Database, effects: Sequence[Effect], seconds: float) -> datetime:
    """These are the caller's, for so long at most, and none of them is under way yet; the mark by which `take` knows them."""
    mark: datetime = await database.fetchval(
        """WITH mark AS MATERIALIZED (SELECT clock_timestamp() + make_interval(secs => $2) AS until),
               held AS (UPDATE leadline.effects SET lease_until = mark.until FROM mark WHERE effect = ANY($1::uuid[]))
           SELECT until FROM mark""",
        [effect.effect for effect in effects],
        seconds,
    )
    return mark


async def take(database: Database, effect: Effect, mark: datetime, seconds: float) -> bool:
    """It is under way now, if it is the caller's still, and nobody is changing it. `effect`: as it is to stand.

    It waits for no lock: the caller holds others, of any order."""
    return (
        await database.fetchval(
            """UPDATE leadline.effects SET state = 'working', attempts = $3, in_doubt = $4,
                   lease_until = clock_timestamp() + make_interval(secs => $5)
               WHERE effect = (
                   SELECT effect FROM leadline.effects
                   WHERE effect = $1 AND lease_until = $2 AND state IN ('waiting', 'working') FOR UPDATE SKIP LOCKED)
               RETURNING effect""",
            effect.effect,
            mark,
            effect.attempts,
            effect.in_doubt,
            seconds,
        )
        is not None
    )


async def release(database: Database, effects: Collection[UUID], mark: datetime) -> None:
    """These are nobody's again."""
    await database.execute(
        """UPDATE leadline.effects SET lease_until = NULL
           WHERE effect = ANY($1::uuid[]) AND lease_until = $2 AND state = 'waiting'""",
        list(effects),
        mark,
    )


async def events_at(database: Database, places: Collection[tuple[UUID, int]]) -> dict[tuple[UUID, int], Stored]:
    """The events at these (stream, version)."""
    rows = await database.fetch(
        """SELECT e.originator_id, e.originator_version, e.topic, e.kind, e.state, e.recorded_at, e.digest
           FROM unnest($1::uuid[], $2::bigint[]) AS p (stream, version)
           JOIN leadline.events AS e ON e.originator_id = p.stream AND e.originator_version = p.version""",
        [stream for stream, _ in places],
        [version for _, version in places],
    )
    return {(row[0], row[1]): Stored(*row) for row in rows}


# --- providers ------------------------------------------------------------------------------------------------------


async def have_providers(database: Database, limits: dict[str, int | None], now: datetime) -> None:
    """These ways out are configured (effects a minute), no others. What waited for a way gets its patience anew from `now` on."""
    await database.execute(
        """WITH new AS (
               SELECT n.provider FROM unnest($1::text[]) AS n (provider)
               LEFT JOIN leadline.effect_providers AS p USING (provider) WHERE p.configured IS NOT TRUE)
           UPDATE leadline.effects AS e SET opened_at = $2 FROM new
           WHERE e.provider = new.provider AND e.state = 'waiting' AND e.attempts = 0 AND e.opened_at < $2""",
        list(limits),
        now,
    )
    await database.execute(
        """INSERT INTO leadline.effect_providers (provider, configured, per_minute)
           SELECT n.provider, true, n.per_minute FROM unnest($1::text[], $2::int[]) AS n (provider, per_minute)
           ON CONFLICT (provider) DO UPDATE SET configured = true, per_minute = excluded.per_minute""",
        list(limits),
        list(limits.values()),
    )
    await database.execute(
        "UPDATE leadline.effect_providers SET configured = false WHERE provider <> ALL($1::text[]) AND configured",
        list(limits),
    )


async def due_no_later(database: Database, now: datetime) -> int:
    """The clock went back: what was to wait past `now`, effects and providers, waits no longer; how many effects."""
    tag: str = await database.execute(
        "UPDATE leadline.effects SET next_at = $1 WHERE state = 'waiting' AND next_at > $1", now
    )
    await database.execute("UPDATE leadline.effect_providers SET paused_until = $1 WHERE paused_until > $1", now)
    return int(tag.rpartition(" ")[2])


async def hold_provider(database: Database, provider: str) -> tuple[Pause, Bucket | None, float]:
    """A provider's pause, its bucket and what this server's clock says in seconds; locked."""
    row = await database.fetchrow(
        """SELECT paused_until, pause_reason, failures, tokens, tokens_at, extract(epoch FROM clock_timestamp())::float8
           FROM leadline.effect_providers WHERE provider = $1 FOR UPDATE""",
        provider,
    )
    assert row is not None, "have_providers made it"
    bucket = None if row[3] is None else Bucket(row[3], row[4])
    return Pause(row[0], row[1], row[2]), bucket, row[5]


async def keep_bucket(database: Database, provider: str, bucket: Bucket) -> None:
    """Store what may still go to a provider."""
    await database.execute(
        "UPDATE leadline.effect_providers SET tokens = $2, tokens_at = $3 WHERE provider = $1",
        provider,
        bucket.tokens,
        bucket.at,
    )


async def keep_pause(database: Database, provider: str, pause: Pause) -> None:
    """Store a provider's pause, or that there is none."""
    await database.execute(
        """UPDATE leadline.effect_providers SET paused_until = $2, pause_reason = $3, failures = $4
           WHERE provider = $1""",
        provider,
        pause.until,
        pause.reason,
        pause.failures,
    )


# --- reports --------------------------------------------------------------------------------------------------------


async def count_reports(database: Database, effects: Collection[UUID]) -> dict[UUID, int]:
    """These reports are being sent: how often each was by now."""
    rows = await database.fetch(
        """UPDATE leadline.effects SET reports = reports + 1, reported_at = clock_timestamp()
           WHERE effect = ANY($1::uuid[]) RETURNING effect, reports""",
        list(effects),
    )
    return {row[0]: row[1] for row in rows}


async def unreported(database: Database, seconds: float, topic: str, most: int) -> list[Effect]:
    """Effects whose report was sent so many seconds ago and has not come back as an event, nor waits in the outbox; locked."""
    rows = await database.fetch(
        f"""SELECT {COLUMNS} FROM leadline.effects AS e
            WHERE e.state = 'answered' AND e.reported_at < clock_timestamp() - make_interval(secs => $1)
              AND NOT EXISTS (SELECT FROM leadline.outbox AS o WHERE o.topic = $2 AND o.stream = e.report)
            ORDER BY e.effect LIMIT $3 FOR UPDATE SKIP LOCKED""",  # noqa: S608 - constants
        seconds,
        topic,
        most,
    )
    return [_effect(row) for row in rows]


async def keep_refusals(database: Database, refused: dict[UUID, tuple[str, ...]], at: datetime) -> None:
    """These reports were refused for good."""
    await database.executemany(
        "INSERT INTO leadline.effect_refusals (report, rules, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        [(report, list(rules), at) for report, rules in refused.items()],
    )


async def refusals(database: Database, reports: Collection[UUID]) -> dict[UUID, tuple[str, ...]]:
    """Which of these reports were refused, by which rules."""
    if not reports:
        return {}
    rows = await database.fetch(
        "SELECT report, rules FROM leadline.effect_refusals WHERE report = ANY($1::uuid[])", list(reports)
    )
    return {row[0]: tuple(row[1]) for row in rows}


# --- positions and figures ------------------------------------------------------------------------------------------


async def reached(database: Database, consumer: str, build: int) -> dict[tuple[str, int], int]:
    """The offset up to which the consumer has read each partition, whichever process did."""
    rows = await database.fetch(
        "SELECT topic, partition, next_offset FROM leadline.positions WHERE consumer = $1 AND build = $2",
        consumer,
        build,
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def waiting(database: Database) -> list[tuple[str, int, datetime]]:
    """By provider: how many effects are open, and since when the oldest is."""
    rows = await database.fetch(
        """SELECT provider, count(*), min(opened_at) FROM leadline.effects WHERE state IN ('waiting', 'working')
           GROUP BY provider"""
    )
    return [tuple(row) for row in rows]
