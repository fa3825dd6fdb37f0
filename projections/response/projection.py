"""The rules of response times: arrived, seen, accepted, first contact of a lead (S2).

Pure. First contact is the first of these, by when it happened: an answered call, in whichever direction; a talk or a meeting that
a person says was held; a document that a person sent. What robots send is none: the client was written to, and nobody of ours
answered. Invariants: only leads that came by a channel have a row (they bear the id of their message); each step is the first of
its kind, whenever it was recorded; facts of an import are of the past, and no step. Nothing personal is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from contracts import events as e
from projections.event import Event
from projections.keyed.rows import Kept


@dataclass(slots=True)
class ResponseRow:
    """A lead's first steps. `…_by`: who acted, `…_responsible`: whose lead it was then; `assigned_…`: the first assignment,
    `responsible`: the last one so far; `contact_how`: call_out, call_in, call_held, meeting or document."""

    lead: str
    pipeline: str
    source: str
    channel: str
    form: str | None
    arrived_at: datetime
    captured_at: datetime
    responsible: str | None = None
    assigned_at: datetime | None = None
    assigned_to: str | None = None
    seen_at: datetime | None = None
    seen_by: str | None = None
    seen_responsible: str | None = None
    accepted_at: datetime | None = None
    accepted_by: str | None = None
    accepted_responsible: str | None = None
    contact_at: datetime | None = None
    contact_by: str | None = None
    contact_responsible: str | None = None
    contact_how: str | None = None
    merged: bool = False


@dataclass(slots=True)
class ResponseRows:
    """The rows a batch touches."""

    leads: Kept[ResponseRow] = field(default_factory=Kept)


def apply(rows: ResponseRows, event: Event) -> None:
    """Let one event change the rows. Raises KeyError or ValueError for one that misses what it must have."""
    place = (event.stream,)
    if event.type == CAPTURED:
        data = event.data
        if data.get("inbound_id") is not None and event.actor["kind"] != "import":
            arrived = datetime.fromisoformat(data["received_at"])
            rows.leads.begin(
                place,
                ResponseRow(
                    event.stream, data["pipeline"], data["source"], data["channel"], data.get("form"), arrived,
                    event.happened_at,
                ),
            )  # fmt: skip
        return
    row = rows.leads.rows.get(place)
    if row is not None and event.actor["kind"] != "import" and _CHANGES[event.type](row, event):
        rows.leads.changed.add(place)


def _assigned(row: ResponseRow, event: Event) -> bool:
    row.responsible = event.data.get("to")  # nobody, while it waits in the pool
    if row.assigned_at is None and row.responsible is not None:
        row.assigned_at, row.assigned_to = event.happened_at, row.responsible
    return True


def _seen(row: ResponseRow, event: Event) -> bool:
    if row.seen_at is not None and row.seen_at <= event.happened_at:
        return False
    row.seen_at, row.seen_by, row.seen_responsible = event.happened_at, event.actor["id"], row.responsible
    return True


def _accepted(row: ResponseRow, event: Event) -> bool:
    if row.accepted_at is not None and row.accepted_at <= event.happened_at:
        return False
    row.accepted_at, row.accepted_by = event.happened_at, event.actor["id"]
    row.accepted_responsible = row.responsible
    return True


def _called(row: ResponseRow, event: Event) -> bool:
    if not event.data["answered"]:
        return False
    how = "call_out" if event.data["call_direction"] == "out" else "call_in"
    return _contact(row, event, datetime.fromisoformat(event.data["started_at"]), how)


def _held(how: str) -> Callable[[ResponseRow, Event], bool]:
    def held(row: ResponseRow, event: Event) -> bool:
        return event.actor["kind"] == "person" and _contact(row, event, event.happened_at, how)

    return held


def _contact(row: ResponseRow, event: Event, at: datetime, how: str) -> bool:
    if row.contact_at is not None and row.contact_at <= at:
        return False
    row.contact_at, row.contact_how, row.contact_responsible = at, how, row.responsible
    row.contact_by = event.actor["id"] if event.actor["kind"] == "person" else None
    return True


def _merged(merged: bool) -> Callable[[ResponseRow, Event], bool]:
    def change(row: ResponseRow, event: Event) -> bool:
        row.merged = merged
        return True

    return change


CAPTURED: Final = e.LeadCaptured.TOPIC
_CHANGES: Final[dict[str, Callable[[ResponseRow, Event], bool]]] = {
    e.LeadAssigned.TOPIC: _assigned,
    e.LeadPooled.TOPIC: _assigned,
    e.LeadSeen.TOPIC: _seen,
    e.LeadAccepted.TOPIC: _accepted,
    e.CallRecorded.TOPIC: _called,
    e.CallUpdated.TOPIC: _called,
    e.CallHeld.TOPIC: _held("call_held"),
    e.MeetingHeld.TOPIC: _held("meeting"),
    e.DocumentSent.TOPIC: _held("document"),
    e.LeadMerged.TOPIC: _merged(merged=True),
    e.LeadUnmerged.TOPIC: _merged(merged=False),
}
TYPES = frozenset({CAPTURED, *_CHANGES})
