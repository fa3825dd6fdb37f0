"""The rules of tasks: what each event of a planned activity, a deadline or a review changes (S4, Q4, Q5, Q7, D6).

Pure. Who is to do an activity without an assignee, and who a deadline is of, is whoever is responsible for the lead: that stands
on its card (projection `board`) and is put together on reading, so it is right at every moment and kept once. Invariants: an
activity is one row, a turn of a deadline one; what ended begins again only where its end was a mistake, and a review of the same
stage visit; overdue follows from `due_at` and the moment of reading. No text or result is kept, so an erasure changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from contracts import events as e
from contracts.topics import EVENTS_TOPIC_OF_KIND
from projections.event import Event
from projections.keyed.rows import Kept


@dataclass(slots=True)
class ActivityRow:
    """A planned activity. `outcome`: done or closed; `closed_reason`: how it was done, or why nobody did it."""

    lead: str
    activity: str
    pipeline: str
    kind: str
    reason: str
    planned_at: datetime
    planned_by: str
    first_due_at: datetime | None
    due_at: datetime | None
    moved: int
    assignee: str | None
    robot: str | None
    deadline: str | None
    visit: int | None
    is_key: bool
    remind_at: datetime | None
    recurring: bool
    follows: str | None
    outcome: str | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    closed_reason: str | None = None


@dataclass(slots=True)
class DeadlineRow:
    """A turn of a deadline. `counted_for`: in whose working time; `outcome`: met, asked, missed or dropped; `missed_by`: who was
    responsible at the due instant; `lacks`: JSON list of ids."""

    lead: str
    timer: str
    pipeline: str
    deadline: str
    visit: int
    turn: int
    because: str
    begun_at: datetime
    due_at: datetime
    term: str
    clause: str | None
    calendar: str | None
    counted_for: str | None
    warn_at: datetime | None
    activity: str | None
    raises: bool
    lacks: str
    outcome: str | None = None
    closed_at: datetime | None = None
    closed_reason: str | None = None
    result: str | None = None
    left_s: int | None = None
    late_ms: int | None = None
    missed_by: str | None = None
    cause: str | None = None
    stage: str | None = None
    running: int | None = None
    incident: str | None = None


@dataclass(slots=True)
class ReviewRow:
    """A poor lead for the head to judge. `responsible`: whose work it judges; `decision`: confirmed, returned or dropped
    (`dropped_by`)."""

    lead: str
    visit: int
    pipeline: str
    status: str
    reason: str | None
    automatic: bool
    responsible: str | None
    opened_at: datetime
    decision: str | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    dropped_by: str | None = None


@dataclass(slots=True)
class TaskRows:
    """The rows a batch touches."""

    activities: Kept[ActivityRow] = field(default_factory=Kept)
    deadlines: Kept[DeadlineRow] = field(default_factory=Kept)
    reviews: Kept[ReviewRow] = field(default_factory=Kept)


def apply(rows: TaskRows, event: Event) -> None:
    """Let one event change the rows. Raises KeyError for one whose activity or deadline is not there."""
    CHANGES[event.type](rows, event)


def _planned(rows: TaskRows, event: Event) -> None:
    data = event.data
    due, place = _time(data.get("due_at")), (event.stream, data["activity"])
    if place in rows.activities.rows:  # open again, because what had closed it was a mistake; or handed over
        row = rows.activities.change(place)
        row.assignee, row.due_at, row.remind_at = data.get("assignee"), due, _time(data.get("remind_at"))
        row.outcome = row.closed_at = row.closed_by = row.closed_reason = None
        return
    rows.activities.begin(
        place,
        ActivityRow(
            *place, _pipeline(event), data["activity_kind"], data["reason"], event.happened_at, event.actor["id"], due,
            due, 0, data.get("assignee"), data.get("robot"), data.get("deadline"), data.get("visit"),
            data.get("key", False), _time(data.get("remind_at")), data.get("every") is not None, data.get("replaces"),
        ),
    )  # fmt: skip


def _moved(rows: TaskRows, event: Event) -> None:
    row = rows.activities.change((event.stream, event.data["activity"]))
    row.due_at, row.moved = _time(event.data.get("due_at")), event.data["times"]


def _activity_ended(outcome: str) -> Callable[[TaskRows, Event], None]:
    def ended(rows: TaskRows, event: Event) -> None:
        row = rows.activities.change((event.stream, event.data["activity"]))
        row.outcome, row.closed_at, row.closed_by = outcome, event.happened_at, event.actor["id"]
        row.closed_reason = event.data["reason"]

    return ended


def _set(rows: TaskRows, event: Event) -> None:
    data = event.data
    place = (event.stream, data["timer"])
    rows.deadlines.begin(
        place,
        DeadlineRow(
            *place, _pipeline(event), data["deadline"], data["visit"], data["turn"], data["because"],
            datetime.fromisoformat(data["begun_at"]), datetime.fromisoformat(data["due_at"]), _json(data["term"]),
            data.get("clause"), data.get("calendar"), data.get("responsible"), _time(data.get("warn_at")),
            data.get("activity"), data.get("incident", True), _json(data.get("lacks", [])),
        ),
    )  # fmt: skip


def _deadline_ended(outcome: str) -> Callable[[TaskRows, Event], None]:
    def ended(rows: TaskRows, event: Event) -> None:
        data, row = event.data, rows.deadlines.change((event.stream, event.data["timer"]))
        row.outcome, row.closed_at, row.closed_reason = outcome, event.happened_at, data.get("by")
        row.result, row.left_s, row.late_ms = data.get("result"), data.get("left_s"), data.get("late_ms")
        row.missed_by, row.cause, row.stage = data.get("responsible"), data.get("cause"), data.get("stage")
        row.running, row.incident = data.get("running"), data.get("incident")
        if "lacks" in data:
            row.lacks = _json(data["lacks"])

    return ended


def _review_opened(rows: TaskRows, event: Event) -> None:
    data = event.data
    place = (event.stream, data["visit"])
    row = ReviewRow(
        *place, _pipeline(event), data["status"], data.get("reason"), data["automatic"], data.get("responsible"),
        event.happened_at,
    )  # fmt: skip
    if place in rows.reviews.rows:
        rows.reviews.rows[place] = row
        rows.reviews.changed.add(place)
    else:
        rows.reviews.begin(place, row)


def _review_ended(decision: str) -> Callable[[TaskRows, Event], None]:
    def ended(rows: TaskRows, event: Event) -> None:
        row = rows.reviews.change((event.stream, event.data["visit"]))
        row.decision, row.decided_at, row.decided_by = decision, event.happened_at, event.actor["id"]
        row.dropped_by = event.data.get("by")

    return ended


def _pipeline(event: Event) -> str:
    return (event.pipeline or "").partition("@")[0]


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _types(of: type[e.Event]) -> frozenset[str]:
    """The types of an event: the lead's, and that of a deal."""
    return frozenset(topic for topic, cls in e.EVENT_TYPES.items() if issubclass(cls, of))


PLANNED, SET = _types(e.ActivityPlanned), _types(e.DeadlineSet)
CHANGES: Final[dict[str, Callable[[TaskRows, Event], None]]] = {
    topic: change
    for of, change in (
        (e.ActivityPlanned, _planned),
        (e.ActivityMoved, _moved),
        (e.ActivityDone, _activity_ended("done")),
        (e.ActivityClosed, _activity_ended("closed")),
        (e.DeadlineSet, _set),
        (e.DeadlineMet, _deadline_ended("met")),
        (e.DeadlineAsked, _deadline_ended("asked")),
        (e.DeadlineMissed, _deadline_ended("missed")),
        (e.DeadlineDropped, _deadline_ended("dropped")),
        (e.ReviewOpened, _review_opened),
        (e.ReviewConfirmed, _review_ended("confirmed")),
        (e.ReviewReturned, _review_ended("returned")),
        (e.ReviewDropped, _review_ended("dropped")),
    )
    for topic in _types(of)
}
TYPES = frozenset(CHANGES)
OF_DEADLINES = _types(e.DeadlineMet) | _types(e.DeadlineAsked) | _types(e.DeadlineMissed) | _types(e.DeadlineDropped)
"""Events that end a deadline's turn."""
OF_REVIEWS = _types(e.ReviewOpened) | _types(e.ReviewConfirmed) | _types(e.ReviewReturned) | _types(e.ReviewDropped)
"""Events of reviews: one may be opened again in the same stage visit."""
OF_ACTIVITIES = TYPES - PLANNED - SET - OF_DEADLINES - OF_REVIEWS
"""Events that change a planned activity."""
TOPICS = tuple(sorted({EVENTS_TOPIC_OF_KIND[e.EVENT_TYPES[topic].KIND] for topic in TYPES}))
