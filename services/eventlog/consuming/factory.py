"""The factory: the one way in which a service consumes (decision 4).

Invariants: every consumer has the same frozen defaults (`subscriber.DEFAULTS`) and the same life (`member.Member`); a service
brings its name, its topics and its handler, nothing else. On failure see `consume`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.database import Pool
from services.eventlog.consuming.member import EverySecond, Handle, Member
from services.eventlog.consuming.pace import GATHER_SECONDS
from services.health import Health
from services.settings import Settings

STUCK_SECONDS = 90.0  # without a round of its loop a consumer counts as stuck


async def consume(
    settings: Settings,
    pool: Pool,
    *,
    consumer: str,
    topics: Sequence[str],
    handle: Handle,
    health: Health,
    stop: asyncio.Event,
    build: int = 1,
    max_records: int = 500,
    every_second: EverySecond | None = None,
    part: str = "input",
    gather: float = GATHER_SECONDS,
) -> None:
    """Take records of `topics` (names without prefix) until `stop` is set; returns with the running batch finished.

    `handle` gets one batch at a time, see the package's docstring. `every_second` is called between batches with moves that
    move nothing, one for each partition this member holds: what it does in a transaction with `move_positions` of these is
    fenced like a batch. `part` is the name under which the consumer appears in `health`. `gather`: seconds for which records that
    trickle in wait for more (`pace`).
    Raises GroupStoppedError after a minute of trouble, or whatever `handle` raised that is no passing trouble.
    """
    health.expect(part, limit=STUCK_SECONDS)
    group = Member(settings, pool, consumer, build, topics, handle, health, max_records, every_second, part, gather)
    await group.run(stop)
