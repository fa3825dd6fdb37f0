"""All SQL of the robots service: timers, their counts, which build is live.

Invariants: a timer's row and its robot's counts change in one transaction, so armed = closed + rows, always; who writes or fires
holds `timer_builds`; nothing here waits for a row that another firing holds (SKIP LOCKED), and nothing personal is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.database import Database
from services.eventlog.consuming.records import Slot
from services.robots.domain import OUTCOMES, Armed, Due, Outcome

CONSUMER: Final = "robots"
BUILD: Final = 1
"""Under which the positions, `seen`, the parked records and the timers of this release stand."""
DOOR: Final = "leads"
"""The consumer that reads `leads.commands`."""
CLOCK_STEP: Final = timedelta(seconds=1)
"""A command sent this far in the future: the world's clock was set back since."""

ARMED_COLUMNS: Final = "timer, stream, kind, pipeline, robot, due_at, armed_version, correlation, autodepth"

CLAIM_DUE: Final = f"""SELECT {ARMED_COLUMNS}, attempts FROM leadline.timers
    WHERE state = 'pending' AND due_at <= $1 ORDER BY due_at, timer LIMIT $2
    FOR UPDATE SKIP LOCKED"""  # noqa: S608 (columns of ours)

Robot = tuple[str, str, str]
"""A robot among all: kind, pipeline, id."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What comes next. `due_at`: of the first timer that waits; `expired`: whether a sent one has waited too long."""

    due_at: datetime | None
    expired: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """A command that Kafka has acknowledged, where it stands, and until when its outcome is waited for."""

    timer: UUID
    attempt: int
    partition: int
    offset: int
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """A robot's timers: how many were armed, how they ended, how many wait: armed = closed + waiting."""

    kind: str
    pipeline: str
    robot: str
    armed: int
    ran: int
    skipped: int
    cancelled: int
    failed: int
    due: int
    sent: int
    oldest_due_at: datetime | None

    @property
    def waiting(self) -> int:
        """Armed and not closed: pending or sent."""
        return self.armed - self.ran - self.skipped - self.cancelled - self.failed


# --- which build is live ----------------------------------------------------------------------------------------------


async def hold_live(database: Database) -> bool:
    """Whether this build writes and fires; it stays so until the caller's transaction ends."""
    live: int | None = await database.fetchval("SELECT live FROM leadline.timer_builds FOR SHARE")
    return live == BUILD


async def hold_alone(database: Database) -> None:
    """Nobody writes or fires timers until the caller's transaction ends; the running batches are waited for."""
    await database.fetchval("SELECT live FROM leadline.timer_builds FOR UPDATE")


# --- from the events --------------------------------------------------------------------------------------------------


async def arm_and_close(database: Database, armed: Mapping[UUID, Armed], closed: Mapping[UUID, Outcome]) -> None:
    """Remove the rows of those closed, make rows for those armed and not closed, count both.

    One that is armed and closed by the same batch never has a row: it is only counted. A timer that has a row already was counted
    when it got it and is left as it is; one that is closed without a row, and not armed here, is passed over.
    """
    more: Counter[tuple[str, Robot]] = Counter()
    had: set[UUID] = set()
    for row in await _remove(database, closed):
        had.add(row[0])
        more[(closed[row[0]], tuple(row)[1:])] += 1
    for timer, one in armed.items():
        if timer in closed and timer not in had:
            robot = (one.kind, one.pipeline, one.robot)
            more[("armed", robot)] += 1
            more[(closed[timer], robot)] += 1
    for row in await _insert(database, [one for timer, one in armed.items() if timer not in closed]):
        more[("armed", tuple(row))] += 1
    await _count(database, more)


async def _insert(database: Database, armed: Sequence[Armed]) -> Sequence[Any]:
    """Make these timers' rows; the robots of those that had none."""
    if not armed:
        return ()
    rows: Sequence[Any] = await database.fetch(
        f"""INSERT INTO leadline.timers ({ARMED_COLUMNS})
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[],
                                 $8::text[], $9::int[])
            ON CONFLICT (timer) DO NOTHING RETURNING kind, pipeline, robot""",  # noqa: S608 (columns of ours)
        [a.timer for a in armed],
        [a.stream for a in armed],
        [a.kind for a in armed],
        [a.pipeline for a in armed],
        [a.robot for a in armed],
        [a.due_at for a in armed],
        [a.armed_version for a in armed],
        [a.correlation for a in armed],
        [a.autodepth for a in armed],
    )
    return rows


async def _remove(database: Database, closed: Collection[UUID]) -> Sequence[Any]:
    """Remove these timers' rows; timer and robot of those that had one."""
    if not closed:
        return ()
    rows: Sequence[Any] = await database.fetch(
        "DELETE FROM leadline.timers WHERE timer = ANY($1::uuid[]) RETURNING timer, kind, pipeline, robot",
        list(closed),
    )
    return rows


async def _count(database: Database, more: Counter[tuple[str, Robot]]) -> None:
    """Add to the counts. In the order of robots, so that two instances never wait for each other in a circle."""
    robots = sorted({robot for _, robot in more})
    if not robots:
        return
    await database.execute(
        """INSERT INTO leadline.timer_counts AS c (kind, pipeline, robot, armed, ran, skipped, cancelled, failed)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                                $8::bigint[])
           ON CONFLICT (kind, pipeline, robot) DO UPDATE SET
               armed = c.armed + excluded.armed, ran = c.ran + excluded.ran, skipped = c.skipped + excluded.skipped,
               cancelled = c.cancelled + excluded.cancelled, failed = c.failed + excluded.failed""",
        *([robot[part] for robot in robots] for part in range(3)),
        *([more[(column, robot)] for robot in robots] for column in ("armed", *OUTCOMES)),
    )


async def count_more(database: Database, more: Mapping[tuple[str, Robot], int]) -> None:
    """Add to the counts by robot and column (`armed` or an outcome); may be negative."""
    await _count(database, Counter(more))


async def sent_on(database: Database, streams: Collection[UUID]) -> list[tuple[UUID, int]]:
    """Timers of these streams whose command is on its way: (timer, attempt). Waits for a firing that holds them: the answer to
    a command may be here before the firing has committed that it was sent."""
    rows = await database.fetch(
        "SELECT timer, attempts, state FROM leadline.timers WHERE stream = ANY($1::uuid[]) FOR UPDATE", list(streams)
    )
    return [(row[0], row[1]) for row in rows if row[2] == "sent"]


async def wait_until(database: Database, early: Sequence[tuple[UUID, int, datetime]]) -> None:
    """These attempts came too early: (timer, attempt, when to look again)."""
    await database.execute(
        """UPDATE leadline.timers AS t SET lease_until = least(t.lease_until, e.until)
           FROM unnest($1::uuid[], $2::int[], $3::timestamptz[]) AS e (timer, attempt, until)
           WHERE t.timer = e.timer AND t.attempts = e.attempt AND t.state = 'sent'""",
        *([one[part] for one in early] for part in range(3)),
    )


# --- firing -----------------------------------------------------------------------------------------------------------


async def ahead(database: Database, now: datetime) -> Ahead:
    """What comes next, in the world's time `now`."""
    row = await database.fetchrow(
        """SELECT (SELECT due_at FROM leadline.timers WHERE state = 'pending' ORDER BY due_at, timer LIMIT 1),
                  EXISTS (SELECT FROM leadline.timers WHERE state = 'sent' AND lease_until <= $1)
                  OR EXISTS (SELECT FROM leadline.timers WHERE state = 'sent' AND sent_at > $2)""",
        now,
        now + CLOCK_STEP,
    )
    return Ahead(row[0], row[1])


async def claim_due(database: Database, now: datetime, limit: int) -> list[Due]:
    """Up to `limit` timers that are due at `now` (business time), the longest due first, held until the transaction ends."""
    rows = await database.fetch(CLAIM_DUE, now, limit)
    return [Due(Armed(*tuple(row)[:9]), row[9]) for row in rows]


async def mark_sent(database: Database, sent: Sequence[Sent], at: datetime) -> None:
    """These commands were sent, in the world's time `at`."""
    await database.execute(
        """UPDATE leadline.timers AS t SET state = 'sent', attempts = s.attempt, sent_at = $6, lease_until = s.until,
                  sent_partition = s.partition, sent_offset = s.place
           FROM unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[], $5::timestamptz[])
               AS s (timer, attempt, partition, place, until)
           WHERE t.timer = s.timer""",
        [s.timer for s in sent],
        [s.attempt for s in sent],
        [s.partition for s in sent],
        [s.offset for s in sent],
        [s.lease_until for s in sent],
        at,
    )


async def expire(database: Database, now: datetime, ends: Mapping[Slot, int], topic: str, limit: int) -> int:
    """Have up to `limit` sent timers without outcome sent again: those whose wait is over, or that were sent in a time to which
    the world's clock was set back since. One whose command still stands on the topic unread is left; `ends`: where that ends.

    What was read is known from the position of the topic's reader, whichever of its builds is the furthest.
    """
    slots = sorted(ends)
    tag: str = await database.execute(
        """WITH unread AS MATERIALIZED (
               SELECT e.partition, max(p.next_offset) AS begin, e.finish
               FROM unnest($3::int[], $4::bigint[]) AS e (partition, finish)
               JOIN leadline.positions AS p ON p.consumer = $5 AND p.topic = $6 AND p.partition = e.partition
               GROUP BY e.partition, e.finish),
           over AS (
               SELECT t.timer FROM leadline.timers AS t
               WHERE t.state = 'sent' AND (t.lease_until <= $1 OR t.sent_at > $2)
                 AND NOT EXISTS (SELECT FROM unread AS u WHERE u.partition = t.sent_partition
                                 AND t.sent_offset >= u.begin AND t.sent_offset < u.finish)
               LIMIT $7 FOR UPDATE SKIP LOCKED)
           UPDATE leadline.timers AS t SET state = 'pending', sent_at = NULL, lease_until = NULL
           FROM over WHERE t.timer = over.timer""",
        now,
        now + CLOCK_STEP,
        [slot.partition for slot in slots],
        [ends[slot] for slot in slots],
        DOOR,
        topic,
        limit,
    )
    return int(tag.rpartition(" ")[2])


# --- for people and metrics -------------------------------------------------------------------------------------------

COUNTED_DUE: Final = 100_000
"""Overdue timers looked at one by one for the page; there are more only in an outage."""


async def backlog(database: Database, now: datetime) -> list[Backlog]:
    """Every robot that was ever armed, those with most timers due first. Costs what is due and sent, not what waits."""
    rows = await database.fetch(
        """WITH due AS (
               SELECT kind, pipeline, robot, count(*) AS due, min(due_at) AS oldest
               FROM (SELECT kind, pipeline, robot, due_at FROM leadline.timers
                     WHERE state = 'pending' AND due_at <= $1 ORDER BY due_at LIMIT $2) AS first GROUP BY 1, 2, 3),
           sent AS (
               SELECT kind, pipeline, robot, count(*) AS sent
               FROM (SELECT kind, pipeline, robot FROM leadline.timers WHERE state = 'sent' LIMIT $2) AS few GROUP BY 1, 2, 3)
           SELECT kind, pipeline, robot, armed, ran, skipped, cancelled, failed, coalesce(due, 0), coalesce(sent, 0), oldest
           FROM leadline.timer_counts LEFT JOIN due USING (kind, pipeline, robot) LEFT JOIN sent USING (kind, pipeline, robot)
           ORDER BY coalesce(due, 0) DESC, pipeline, robot, kind""",
        now,
        COUNTED_DUE,
    )
    return [Backlog(*row) for row in rows]


async def positions(database: Database, topics: Collection[str]) -> dict[Slot, int]:
    """How far this build has read these topics."""
    rows = await database.fetch(
        """SELECT topic, partition, next_offset FROM leadline.positions
           WHERE consumer = $1 AND build = $2 AND topic = ANY($3::text[])""",
        CONSUMER,
        BUILD,
        list(topics),
    )
    return {Slot(row[0], row[1]): row[2] for row in rows}
