"""What the events say of timers, and how a timer becomes a command: pure functions.

Invariants: only the aggregate's events arm and close; an attempt of a timer always has the same command id, so that sending it
twice does nothing twice (N1); the command holds nothing personal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from contracts.commands import MOST_TOGETHER, Command, DueTimer
from contracts.events import EVENT_TYPES
from contracts.timers import fire_command

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
    # what does not fit into a command is refused here, where the event is parked, and not when the timer is due
    robot = _plain(data["robot"] if "robot" in data else data["deadline"], 60)
    if robot != robot.strip():
        raise ValueError("a robot's name neither begins nor ends with a space: it acts under it")
    return Armed(
        timer=timer,
        stream=UUID(meta["stream"]),
        kind=kind,
        pipeline=_plain(meta.get("pipeline") or "@", 200).rpartition("@")[0],
        robot=robot,
        due_at=due_at.astimezone(UTC),
        armed_version=meta["version"],
        correlation=_plain(meta["correlation"], 200),
        autodepth=autodepth,
    )


def _plain(text: Any, longest: int) -> str:
    """A text that may stand in a header and a column. Raises ValueError."""
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or not 0 < len(text) <= longest:
        raise ValueError("a name is no printable ASCII text, or too long")
    return text


def command_of(due: Due, also: Sequence[Due] = ()) -> Command:
    """The command of the timer's next attempt, which brings along those of `also`."""
    armed = due.armed
    return fire_command(armed.stream, _next(due), armed.correlation, armed.autodepth, [_next(one) for one in also])


def _next(due: Due) -> DueTimer:
    armed = due.armed
    return DueTimer(timer=armed.timer, robot=armed.robot, attempt=due.attempts + 1, armed_version=armed.armed_version)


def wait_after(attempt: int, first: timedelta) -> timedelta:
    """How long the outcome of an attempt is waited for: `first`, then twice as long each time, at most an hour: a command that
    the aggregate service cannot carry out must not become a storm."""
    return min(LONGEST_WAIT, first * (1 << min(attempt - 1, 20)))


def wait_early(attempt: int) -> timedelta:
    """How long to wait after the aggregate found an attempt too early: its clock is behind ours, mostly by milliseconds."""
    return min(LONGEST_EARLY_WAIT, EARLY_WAIT * (1 << min(attempt - 1, 20)))


def fairly(due: Iterable[Due]) -> list[list[Due]]:
    """What is due, in the order in which commands are sent, each of which brings the timers of one list.

    In due order, but a lead's second list after the first of every other lead, and so on: a lead with very many timers does not
    stand in front of the others (N7). Timers of one lead keep their order. Together go those of a lead that one cause armed, at
    their first attempt: one that had no outcome before is sent alone, so that it can take no other with it.
    """
    last: dict[UUID, list[Due]] = {}
    rounds: Counter[UUID] = Counter()
    placed: list[tuple[int, int, list[Due]]] = []
    for number, one in enumerate(due):
        stream = one.armed.stream
        if (before := last.get(stream)) is not None and len(before) < MOST_TOGETHER and _together(before[0], one):
            before.append(one)
            continue
        last[stream] = [one]
        placed.append((rounds[stream], number, last[stream]))
        rounds[stream] += 1
    return [together for _, _, together in sorted(placed, key=lambda place: place[:2])]


def _together(first: Due, other: Due) -> bool:
    one, two = first.armed, other.armed
    return not (first.attempts or other.attempts) and (one.correlation, one.autodepth) == (
        two.correlation,
        two.autodepth,
    )
