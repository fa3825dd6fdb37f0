"""The rules of the journals' rows: what each event of a journal adds or changes (Q6, Q9, N20, D6, Q11).

Pure. Invariants: whatever is said of an incident, an escalation, a notice or a card's review stands in the journal that has it,
whichever quarter it is said in, and so in one row. What was told first stands, and so does the verdict: a restatement is kept
beside it. An escalation that was closed is opened again by a later miss. Nothing personal of clients is in these events, so an
erasure changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import orjson

from contracts import events as e
from projections.event import Event
from projections.keyed.rows import Kept


@dataclass(slots=True)
class IncidentRow:
    """An incident. `strike`: when told, as it was then; `restated_…`: the last restatement, its strike that of the telling where
    the person was told after it."""

    journal: str
    incident: str
    employee: str
    kind: str
    lead: str | None
    of_deal: bool
    pipeline: str | None
    stage: str | None
    rule: str
    because: str | None
    due_at: datetime
    missed_s: int
    cause: str
    counts: bool
    turn: int | None
    begun_at: datetime | None
    term: str | None
    calendar: str | None
    text: str | None
    recorded_at: datetime
    told_at: datetime | None = None
    told_via: str | None = None
    strike: int | None = None
    strikes: int | None = None
    days: int | None = None
    acknowledged_at: datetime | None = None
    comment: str | None = None
    excused_at: datetime | None = None
    excused_by: str | None = None
    excuse: str | None = None
    restated_at: datetime | None = None
    restated_by: str | None = None
    verdict: str | None = None
    restated_due_at: datetime | None = None
    restated_calendar: str | None = None
    restated_strike: int | None = None
    restatement: str | None = None
    restatements: int = 0


@dataclass(slots=True)
class EscalationRow:
    """An escalation. `closed_how`: manager or nothing_left, None: it is open."""

    journal: str
    escalation: str
    employee: str
    manager: str | None
    strike: int
    days: int
    opened_at: datetime
    closed_at: datetime | None = None
    closed_how: str | None = None
    closed_by: str | None = None
    comment: str | None = None


@dataclass(slots=True)
class EscalatedRow:
    """An incident of an escalation."""

    journal: str
    escalation: str
    incident: str
    strike: int | None
    added_at: datetime
    opening: bool


@dataclass(slots=True)
class NoticeRow:
    """A letter to somebody of ours."""

    journal: str
    effect: str
    addressee: str
    about: str
    incident: str | None
    escalation: str | None
    requested_at: datetime
    state: str = "requested"
    closed_at: datetime | None = None
    attempts: int | None = None
    provider: str | None = None
    reason: str | None = None
    doubtful: bool = False
    repeats: int = 0


@dataclass(slots=True)
class DigestRow:
    """A day's list as it was told."""

    journal: str
    team: str
    day: date
    version: int
    made_at: datetime
    overdue: int
    people: str


@dataclass(slots=True)
class CardReviewRow:
    """A look over a card that was asked for."""

    journal: str
    review: str
    pipeline: str
    period_start: date
    period_end: date
    asked_at: datetime
    done_at: datetime | None = None
    done_by: str | None = None
    comment: str | None = None


@dataclass(slots=True)
class IncidentRows:
    """The rows a batch touches."""

    incidents: Kept[IncidentRow] = field(default_factory=Kept)
    escalations: Kept[EscalationRow] = field(default_factory=Kept)
    escalated: Kept[EscalatedRow] = field(default_factory=Kept)
    notices: Kept[NoticeRow] = field(default_factory=Kept)
    digests: Kept[DigestRow] = field(default_factory=Kept)
    card_reviews: Kept[CardReviewRow] = field(default_factory=Kept)


def apply(rows: IncidentRows, event: Event) -> None:
    """Let one event change the rows. Raises KeyError for one whose incident, notice or review is not there."""
    _CHANGES[event.type](rows, event)


def _recorded(rows: IncidentRows, event: Event) -> None:
    data = event.data
    place = (event.stream, data["incident"])
    begun, term = data.get("begun_at"), data.get("term")
    rows.incidents.begin(
        place,
        IncidentRow(
            *place, data["employee"], data["incident_kind"], data.get("lead"), data.get("of_deal", False),
            data.get("pipeline"), data.get("stage"), data["rule"], data.get("because"), _time(data["due_at"]),
            data["missed_s"], data["cause"], data["counts"], data.get("turn"), _time(begun) if begun else None,
            orjson.dumps(term).decode() if term is not None else None, data.get("calendar"), data.get("text"),
            event.happened_at,
        ),
    )  # fmt: skip


def _told(rows: IncidentRows, event: Event) -> None:
    data, row = event.data, _incident(rows, event)
    if row.told_at is None:
        row.told_at, row.told_via, row.strike = event.happened_at, data["via"], data.get("strike")
        row.strikes, row.days = data["of"], data["days"]
        if row.verdict is not None:
            row.restated_strike = row.strike  # told of it as it was restated


def _acknowledged(rows: IncidentRows, event: Event) -> None:
    row = _incident(rows, event)
    if row.acknowledged_at is None:
        row.acknowledged_at, row.comment = event.happened_at, event.data.get("comment")


def _excused(rows: IncidentRows, event: Event) -> None:
    row = _incident(rows, event)
    row.excused_at, row.excused_by, row.excuse = event.happened_at, event.actor["id"], event.data["reason"]


def _restated(rows: IncidentRows, event: Event) -> None:
    data, row = event.data, _incident(rows, event)
    row.restated_at, row.restated_by = event.happened_at, event.actor["id"]
    row.verdict, row.restated_due_at, row.restated_calendar = data["verdict"], _time(data["due_at"]), data["calendar"]
    row.restated_strike, row.restatement, row.restatements = data.get("strike"), data["reason"], row.restatements + 1


def _opened(rows: IncidentRows, event: Event) -> None:
    data, at = event.data, event.happened_at
    place = (event.stream, data["escalation"])
    row = EscalationRow(*place, data["employee"], data.get("to"), data["strike"], data["days"], at)
    rows.escalations.begin(place, row)
    for incident in data["incidents"]:
        rows.escalated.begin((*place, incident), EscalatedRow(*place, incident, None, at, True))


def _extended(rows: IncidentRows, event: Event) -> None:
    data = event.data
    place = (event.stream, data["escalation"])
    row = rows.escalations.change(place)
    row.closed_at = row.closed_how = row.closed_by = row.comment = None
    added = EscalatedRow(*place, data["incident"], data["strike"], event.happened_at, False)
    rows.escalated.begin((*place, added.incident), added)


def _closed(rows: IncidentRows, event: Event) -> None:
    row = rows.escalations.change((event.stream, event.data["escalation"]))
    row.closed_at, row.closed_how, row.closed_by = event.happened_at, event.data["by"], event.actor["id"]
    row.comment = event.data.get("comment")


def _requested(rows: IncidentRows, event: Event) -> None:
    data = event.data
    place = (event.stream, data["effect"])
    rows.notices.begin(
        place,
        NoticeRow(
            *place, data["to"], data["about"], data.get("incident"), data.get("escalation"), event.happened_at
        ),
    )  # fmt: skip


def _notice_ended(state: str) -> Callable[[IncidentRows, Event], None]:
    def ended(rows: IncidentRows, event: Event) -> None:
        data, row = event.data, rows.notices.change((event.stream, event.data["effect"]))
        row.state, row.closed_at, row.attempts = state, event.happened_at, data["attempts"]
        row.provider, row.reason, row.doubtful = data.get("provider"), data.get("reason"), data.get("doubtful", False)

    return ended


def _repeated(rows: IncidentRows, event: Event) -> None:
    row = rows.notices.change((event.stream, event.data["effect"]))
    row.state, row.closed_at, row.repeats = "requested", None, row.repeats + 1


def _digest(rows: IncidentRows, event: Event) -> None:
    data = event.data
    people = orjson.dumps(data["people"]).decode()
    rows.digests.begin(
        (event.stream, event.version),
        DigestRow(
            event.stream, data["team"], date.fromisoformat(data["day"]), event.version, event.happened_at,
            data["overdue"], people,
        ),
    )  # fmt: skip


def _review_due(rows: IncidentRows, event: Event) -> None:
    data = event.data
    place = (event.stream, data["review"])
    begin, end = date.fromisoformat(data["period_start"]), date.fromisoformat(data["period_end"])
    rows.card_reviews.begin(place, CardReviewRow(*place, data["pipeline"], begin, end, event.happened_at))


def _review_done(rows: IncidentRows, event: Event) -> None:
    row = rows.card_reviews.change((event.stream, event.data["review"]))
    row.done_at, row.done_by, row.comment = event.happened_at, event.actor["id"], event.data.get("comment")


def _incident(rows: IncidentRows, event: Event) -> IncidentRow:
    return rows.incidents.change((event.stream, event.data["incident"]))


def _time(text: Any) -> datetime:
    return datetime.fromisoformat(text)


_CHANGES: Final[dict[str, Callable[[IncidentRows, Event], None]]] = {
    e.IncidentRecorded.TOPIC: _recorded,
    e.IncidentTold.TOPIC: _told,
    e.IncidentAcknowledged.TOPIC: _acknowledged,
    e.IncidentExcused.TOPIC: _excused,
    e.IncidentRestated.TOPIC: _restated,
    e.EscalationOpened.TOPIC: _opened,
    e.EscalationExtended.TOPIC: _extended,
    e.EscalationClosed.TOPIC: _closed,
    e.NoticeRequested.TOPIC: _requested,
    e.NoticeDone.TOPIC: _notice_ended("done"),
    e.NoticeFailed.TOPIC: _notice_ended("failed"),
    e.NoticeRepeated.TOPIC: _repeated,
    e.DigestMade.TOPIC: _digest,
    e.CardReviewDue.TOPIC: _review_due,
    e.CardReviewDone.TOPIC: _review_done,
}
TYPES = frozenset(_CHANGES)
OF_INCIDENTS = frozenset(
    of.TOPIC for of in (e.IncidentTold, e.IncidentAcknowledged, e.IncidentExcused, e.IncidentRestated)
)
"""Events that change an incident's row."""
OF_ESCALATIONS = frozenset((e.EscalationExtended.TOPIC, e.EscalationClosed.TOPIC))
"""Events that change an escalation's row."""
OF_NOTICES = frozenset((e.NoticeDone.TOPIC, e.NoticeFailed.TOPIC, e.NoticeRepeated.TOPIC))
"""Events that change a notice's row."""
OF_REVIEWS = frozenset((e.CardReviewDone.TOPIC,))
"""Events that change a card review's row."""
