"""When a channel has fallen silent, what a head's digest holds, when a card is to be looked over: pure functions (N18, D6, Q11).

Invariants: each thing found has an id that follows from what it is about, so that it is told once; time is counted in the team's
working hours, so that a night or a holiday is no silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from contracts.journal import JOURNALS
from services.calendars.calendar import Calendar, NoWorkingTimeError

LOOKED_BACK: Final = timedelta(days=28)
"""How far back a channel's habits are looked at."""
LEAST_HOURS: Final = 20
"""Hours in which something came in, without which nothing is concluded from silence."""
LONGER: Final = 1.5
"""Silent is a channel that has said nothing for so many times its longest silence in working hours."""
LEAST_SILENCE: Final = timedelta(hours=2)
MOST_LINES: Final = 100
"""Tasks named in a digest; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel's account and the hours in which something came in by it, in order; `last`: when the last thing did."""

    channel: str
    account: str
    hours: tuple[datetime, ...]
    last: datetime

    @property
    def name(self) -> str:
        """As people name it."""
        return f"{self.channel}:{self.account}" if self.account else self.channel


@dataclass(frozen=True, slots=True)
class Silence:
    """A channel that has fallen silent. `longest`: its longest silence before, in working time; `due_at`: by when something was
    to come."""

    channel: Channel
    longest: timedelta
    due_at: datetime

    @property
    def incident(self) -> UUID:
        """One for each silence: the next one begins with another last message."""
        return uuid5(JOURNALS, f"silent:{self.channel.name}:{self.channel.last.isoformat()}")


def silences(channels: Sequence[Channel], calendar: Calendar, now: datetime) -> list[Silence]:
    """The channels that have been silent for too long, by what they used to do."""
    found = []
    for channel in channels:
        if len(channel.hours) < LEAST_HOURS:
            continue
        try:
            gaps = [
                calendar.working_between(earlier, later)
                for earlier, later in zip(channel.hours, channel.hours[1:], strict=False)
            ]
            longest = max(gaps)
            usual = max(longest * LONGER, LEAST_SILENCE)
            silent = calendar.working_between(channel.last, now)
            due_at = calendar.after(channel.last, usual)
        except NoWorkingTimeError:
            continue  # of a team that never works nothing is late
        if silent > usual:  # in working time: what was due when work ended is not late before it begins again
            found.append(Silence(channel, longest, due_at))
    return found


@dataclass(frozen=True, slots=True)
class Overdue:
    """A task that should have been done. `doer`: who was to do it; None: nobody."""

    lead: UUID
    activity: UUID
    kind: str
    doer: str | None
    due_at: datetime


def of_team(tasks: Sequence[Overdue], members: frozenset[str], *, all_others: bool) -> list[Overdue]:
    """The tasks that a team's head looks after, the longest overdue first. `all_others`: those of nobody, too."""
    mine = [task for task in tasks if task.doer in members or (all_others and task.doer is None)]
    return sorted(mine, key=lambda task: (task.due_at, task.activity))


def counted(tasks: Sequence[Overdue]) -> Mapping[str, int]:
    """Overdue tasks by person; of nobody under `nobody`."""
    return dict(sorted(Counter(task.doer or "nobody" for task in tasks).items()))


def digest_begins(calendar: Calendar, now: datetime) -> date | None:
    """The working day whose digest is to go out now: from the beginning of its work on; None: before it, or on a day off."""
    day = calendar.local(now).date()
    hours = calendar.hours(day)
    if not hours or now < calendar.instant(day, hours[0].start):
        return None
    return day


def digest_id(team: str, day: date) -> UUID:
    """The id of a team's digest of a day."""
    return uuid5(JOURNALS, f"digest:{team}:{day.isoformat()}")


@dataclass(frozen=True, slots=True)
class ReviewPeriod:
    """Three months of a card's use, by the quarter of the year."""

    start: date
    end: date


def review_period(today: date) -> ReviewPeriod:
    """The last quarter of the year that is over: what a look over the card is about from its end on."""
    first = date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)
    end = first - timedelta(days=1)
    return ReviewPeriod(date(end.year, end.month - 2, 1), end)


def review_id(pipeline: str, period: ReviewPeriod) -> UUID:
    """The id of a card's review for a quarter."""
    return uuid5(JOURNALS, f"card:{pipeline}:{period.start.isoformat()}")


def dead_letters_id(what: str, day: date) -> UUID:
    """The id of the incident about what could not be read or applied on a day: one for each channel or consumer."""
    return uuid5(JOURNALS, f"dead:{what}:{day.isoformat()}")
