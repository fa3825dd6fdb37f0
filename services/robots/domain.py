"""What the events say of timers, and how a timer becomes a command: pure functions.

Invariants: only the aggregate's events arm and close; an attempt of a timer always has the same command id, so that sending it
twice does nothing twice (N1); the command holds nothing personal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID, uuid5

from contracts.commands import Command, Fire
from contracts.events import EVENT_TYPES
from contracts.meta import Actor

Outcome = Literal["ran", "skipped", "cancelled", "failed"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("ran", "skipped", "cancelled", "failed")
KINDS: Final = ("lead", "deal")

_NAMES: Final[Mapping[str, Outcome | None]] = {
    "robot_armed": None,
    **{f"robot_{what}": what for what in OUTCOMES},
    "deadline_set": None,
    "deadline_missed": "ran",
    **dict.fromkeys(("deadline_met", "deadline_asked", "deadline_dropped"), "cancelled"),
}
TYPES: Final[Mapping[str, Outcome | None]] = {
    type_: _NAMES[type_.rpartition(".")[2]] for type_ in EVENT_TYPES if type_.rpartition(".")[2] in _NAMES
}
"""Event types that arm a timer (None) or close it (how), of leads and of what shares their stage engine. A turn of a deadline
is a timer like a robot's: it comes to its end (`ran`), or is over before (`cancelled`)."""

UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError)
NOT_DUE: Final = "R1.not_due"
"""The rule by which the aggregate refuses a command that came before its timer's instant."""
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
LONGEST_WAIT: Final = timedelta(hours=1)
EARLY_WAIT: Final = timedelta(milliseconds=100)
LONGEST_EARLY_WAIT: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Armed:
    """A timer as its arming event made it."""

    timer: UUID
    stream: UUID
    kind: str
    pipeline: str
    robot: str
    due_at: datetime
    armed_version: int
    correlation: str
    autodepth: int


@dataclass(frozen=True, slots=True)
class Closed:
    """A timer's end."""

    timer: UUID
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Due:
    """A timer whose instant has come, and how many commands were sent for it before."""

    armed: Armed
    attempts: int


def read(type_: str, meta: Mapping[str, Any], data: Mapping[str, Any]) -> Armed | Closed:
    """What an event of `TYPES` says, from its plain JSON. Raises one of `UNREADABLE` for what is malformed."""
    outcome, timer = TYPES[type_], UUID(data["timer"])
    if outcome is not None:
        return Closed(timer, outcome)
    due_at, kind, autodepth = datetime.fromisoformat(data["due_at"]), meta["kind"], int(meta.get("autodepth", 0))
    if due_at.tzinfo is None or not EARLIEST <= due_at <= LATEST:
        raise ValueError("due_at is no instant with a zone, or lies outside all times that are kept")
    if kind not in KINDS or not 0 <= autodepth < 2**31:
        raise ValueError("its kind has no robots, or its autodepth is no number of moves")
    armed = Armed(
        timer=timer,
        stream=UUID(meta["stream"]),
        kind=kind,
        pipeline=_plain(meta.get("pipeline") or "@", 200).rpartition("@")[0],
        robot=_plain(data["robot"] if "robot" in data else data["deadline"], 60),
        due_at=due_at.astimezone(UTC),
        armed_version=meta["version"],
        correlation=_plain(meta["correlation"], 200),
        autodepth=autodepth,
    )
    command_of(Due(armed, 0))  # raises here, where the event is parked, and not when the timer is due
    return armed


def _plain(text: Any, longest: int) -> str:
    """A text that may stand in a header and a column. Raises ValueError."""
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or not 0 < len(text) <= longest:
        raise ValueError("a name is no printable ASCII text, or too long")
    return text


def command_id(timer: UUID, attempt: int) -> UUID:
    """Id of the command of an attempt, from 1 on."""
    return uuid5(timer, f"fire:{attempt}")


def command_of(due: Due) -> Command:
    """The command of the timer's next attempt."""
    armed = due.armed
    return Command(
        id=command_id(armed.timer, due.attempts + 1),
        lead=armed.stream,
        actor=Actor(id=armed.robot, kind="robot"),
        body=Fire(timer=armed.timer, robot=armed.robot),
        causation=f"{armed.stream}-{armed.armed_version}",
        correlation=armed.correlation,
        autodepth=armed.autodepth,
    )


def wait_after(attempt: int, first: timedelta) -> timedelta:
    """How long the outcome of an attempt is waited for: `first`, then twice as long each time, at most an hour: a command that
    the aggregate service cannot carry out must not become a storm."""
    return min(LONGEST_WAIT, first * (1 << min(attempt - 1, 20)))


def wait_early(attempt: int) -> timedelta:
    """How long to wait after the aggregate found an attempt too early: its clock is behind ours, mostly by milliseconds."""
    return min(LONGEST_EARLY_WAIT, EARLY_WAIT * (1 << min(attempt - 1, 20)))


def fairly(due: Iterable[Due]) -> list[Due]:
    """In due order, but a lead's second timer after the first of every other lead, and so on: a lead with very many does not
    stand in front of the others (N7). Timers of one lead keep their order."""
    rounds: dict[UUID, int] = defaultdict(int)
    placed = []
    for number, one in enumerate(due):
        placed.append((rounds[one.armed.stream], number, one))
        rounds[one.armed.stream] += 1
    return [one for _, _, one in sorted(placed, key=lambda place: place[:2])]
