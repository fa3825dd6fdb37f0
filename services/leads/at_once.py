"""Robots whose instant has come by the moment of the batch: they run in it, after all its work (decision 0022; R1, N1, N7).

A robot that starts «at once» is armed by an event like every other, and its timer would be due as soon as the robots service has
read it. The batch that arms it carries out that timer's first command itself, under its own id and with the same events, so what
a client is owed is requested in the transaction of the change of stage, however far behind every reader is. Timers that a
`fire` command brings along are carried out here too.

Invariants: the robots service stays the guarantee: a timer that is not carried out here is armed all the same and fires there,
and one that is closed here needs nothing more; whichever command comes second gets the first one's answer. At most `MOST` robots
at once in a batch and `MOST_OF_A_LEAD` on a lead: nobody's chain holds up the others.

On failure: a robot that raises is left to the robots service and the batch is done again without it (`AtOnceFailedError`), so
that no robot takes with it what armed it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

from contracts.commands import DueTimer, Fire
from contracts.events import RobotArmed
from contracts.meta import Meta
from contracts.timers import fire_command
from contracts.trusted import trusted
from services.database import Database
from services.leads.locks import BATCHS_OWN
from services.leads.looking_up import look_up_further
from services.leads.work import CommandWork, body_hash, brought_along

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch

MOST: Final = 5_000
MOST_OF_A_LEAD: Final = 20
MOST_FAILURES: Final = 3
"""Robots that fail in a batch before all of them are left to the robots service."""


class AtOnceFailedError(Exception):
    """A robot that was armed in the batch raised (the error's cause): the batch is done again without it."""

    def __init__(self, timer: UUID) -> None:
        super().__init__(f"timer {timer}")
        self.timer = timer


@dataclass(slots=True)
class Waits:
    """Timers that are left to the robots service, because a try of the batch failed over them. `everything`: all are."""

    everything: bool = False
    left: set[UUID] = field(default_factory=set)

    def leave(self, timer: UUID) -> None:
        """This one failed."""
        self.left.add(timer)
        self.everything |= len(self.left) >= MOST_FAILURES

    def may(self, due: Due) -> bool:
        """Whether the batch itself may carry it out."""
        return due.timer.timer not in self.left and (due.asked or not self.everything)


@dataclass(frozen=True, slots=True)
class Due:
    """A timer whose instant has come. `asked`: a command brought it along; else it was armed in the batch."""

    stream: UUID
    timer: DueTimer
    correlation: str | None
    autodepth: int
    asked: bool


def armed(meta: Meta, event: RobotArmed) -> Due:
    """The timer of an arming event that is due already."""
    timer = trusted(DueTimer, timer=event.timer, robot=event.robot, attempt=1, armed_version=meta.version)
    return Due(meta.stream, timer, meta.correlation, meta.autodepth, asked=False)


def _next(batch: LeadBatch, had: Counter[UUID], named: Collection[UUID]) -> list[CommandWork]:
    """The commands to carry out next. `had`: by lead, how many of timers that the batch armed; `named`: leads that commands
    name."""
    found: list[CommandWork] = []
    left, batch.due = batch.due, []
    for due in left:
        if not batch.waits.may(due):
            continue
        if not due.asked:
            enough = batch.tally.at_once >= MOST or had[due.stream] >= MOST_OF_A_LEAD
            if enough or not _stands(batch, due, named):
                continue
            had[due.stream] += 1
            batch.tally.at_once += 1
        command = fire_command(due.stream, due.timer, due.correlation, due.autodepth)
        found.append(CommandWork(command, body_hash(batch.settings.pepper_bytes, command)))
    return found


def _stands(batch: LeadBatch, due: Due, named: Collection[UUID]) -> bool:
    """Whether the timer waits still, on a lead about which everything is known that a robot may need: of one that is over and
    that no command named, it was not looked up whether its person has another open lead."""
    lead = batch.lead(due.stream)
    if lead is None or due.timer.timer not in lead.automation.armed:
        return False
    return lead.is_open or lead.deal_of is not None or due.stream in named


async def run(batch: LeadBatch, database: Database) -> None:
    """Carry out what is due, and what becomes due by that. Raises AtOnceFailedError, LocksMissedError."""
    batch.due[:0] = [
        Due(command.lead, timer, command.correlation, command.autodepth, asked=True)
        for command, timer in brought_along(batch.work)
    ]
    had: Counter[UUID] = Counter()
    named = {piece.command.lead for piece in batch.work if isinstance(piece, CommandWork)}
    while work := _next(batch, had, named):
        await look_up_further(batch, database, work)
        for piece in work:
            assert isinstance(piece.command.body, Fire)
            try:
                await batch.carry_out(piece, database)
            except BATCHS_OWN:
                raise
            except Exception as error:
                raise AtOnceFailedError(piece.command.body.timer) from error
