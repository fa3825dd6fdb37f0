"""Which command fires a timer (decision 8, N1): the same for each attempt, whoever makes it.

The robots service sends it when the timer's instant has come; the aggregate service makes it itself for a robot whose instant
has come by the moment it is armed (decision 0022), and for the timers that a command brings along. Pure. Invariants: an attempt's
command always has the same id and asks the same, so that of all who make it one is carried out and the others get its answer; it
holds nothing personal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID, uuid5

from contracts.commands import Command, DueTimer, Fire
from contracts.meta import Actor
from contracts.trusted import trusted


def attempt_id(timer: UUID, attempt: int) -> UUID:
    """Id of the command of an attempt, from 1 on."""
    return uuid5(timer, f"fire:{attempt}")


def fire_command(
    stream: UUID, due: DueTimer, correlation: str | None, autodepth: int, also: Sequence[DueTimer] = ()
) -> Command:
    """The command of a timer's attempt on the stream it belongs to. `correlation` and `autodepth`: of the event that armed it;
    `also`: timers of the same stream that are due with it, of the same correlation and depth."""
    return trusted(
        Command,
        id=attempt_id(due.timer, due.attempt),
        lead=stream,
        actor=_actor(due.robot),
        body=trusted(Fire, timer=due.timer, robot=due.robot, also=tuple(also)),
        causation=f"{stream}-{due.armed_version}",
        correlation=correlation,
        autodepth=autodepth,
    )


@lru_cache(maxsize=1_000)
def _actor(robot: str) -> Actor:
    return Actor(id=robot, kind="robot")
