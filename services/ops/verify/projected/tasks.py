"""What the rows of activities, deadlines, reviews and response times must be, from a lead's opened events: written against the
tables' comments.

Pure. Unlike production, which changes rows event by event, this looks for each row through all events about it; the first of
several instants is the least of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.ops.verify.opened import Opened
from services.ops.verify.projected.store import Row


class TaskRows(NamedTuple):
    """The rows of a lead in the three tables."""

    activities: list[Row]
    deadlines: list[Row]
    reviews: list[Row]


def tasks(lead: UUID, events: Sequence[Opened]) -> TaskRows:
    """What is kept of a lead's activities, deadlines and reviews."""
    return TaskRows(
        [_activity(lead, event, events) for event in _first_planned(events)],
        [_deadline(lead, event, events) for event in events if _name(event) == "deadline_set"],
        _reviews(lead, events),
    )


def _activity(lead: UUID, planned: Opened, events: Sequence[Opened]) -> Row:
    data = planned.data
    about = [e for e in events if e.data.get("activity") == data["activity"]]
    moves = [e for e in about if _name(e) == "activity_moved"]
    last = next(e for e in reversed(about) if _name(e) in ("activity_planned", "activity_done", "activity_closed"))
    end = last if _name(last) != "activity_planned" else None
    fixed = [e for e in about if _name(e) in ("activity_planned", "activity_moved")][-1]
    latest = [e for e in about if _name(e) == "activity_planned"][-1]
    return {
        "lead": lead,
        "activity": UUID(data["activity"]),
        "pipeline": _pipeline(planned),
        "kind": data["activity_kind"],
        "reason": data["reason"],
        "planned_at": planned.happened_at,
        "planned_by": planned.meta["actor"]["id"],
        "first_due_at": _time(data.get("due_at")),
        "due_at": _time(fixed.data.get("due_at")),
        "moved": moves[-1].data["times"] if moves else 0,
        "assignee": latest.data.get("assignee"),
        **{name: data.get(name) for name in ("robot", "deadline", "visit")},
        "is_key": data.get("key", False),
        "remind_at": _time(latest.data.get("remind_at")),
        "recurring": bool(data.get("every")),
        "follows": _id(data.get("replaces")),
        "outcome": _name(end).removeprefix("activity_") if end else None,
        "closed_at": end.happened_at if end else None,
        "closed_by": end.meta["actor"]["id"] if end else None,
        "closed_reason": end.data["reason"] if end else None,
    }


def _first_planned(events: Sequence[Opened]) -> Iterable[Opened]:
    """Where each activity begins: planned again later, it is opened again or handed over."""
    firsts: dict[str, Opened] = {}
    for event in events:
        if _name(event) == "activity_planned":
            firsts.setdefault(event.data["activity"], event)
    return firsts.values()


def _deadline(lead: UUID, begun: Opened, events: Sequence[Opened]) -> Row:
    data = begun.data
    how = ("met", "asked", "missed", "dropped")
    ends = [e for e in events if e.data.get("timer") == data["timer"] and _name(e) in [f"deadline_{h}" for h in how]]
    end: dict[str, Any] = ends[-1].data if ends else {}
    return {
        "lead": lead,
        "timer": UUID(data["timer"]),
        "pipeline": _pipeline(begun),
        **{name: data[name] for name in ("deadline", "visit", "turn", "because", "term")},
        "begun_at": _time(data["begun_at"]),
        "due_at": _time(data["due_at"]),
        "clause": data.get("clause"),
        "calendar": data.get("calendar"),
        "counted_for": data.get("responsible"),
        "warn_at": _time(data.get("warn_at")),
        "activity": _id(data.get("activity")),
        "raises": data.get("incident", True),
        "lacks": end.get("lacks", data.get("lacks", [])),
        "outcome": _name(ends[-1]).removeprefix("deadline_") if ends else None,
        "closed_at": ends[-1].happened_at if ends else None,
        "closed_reason": end.get("by"),
        **{name: end.get(name) for name in ("result", "left_s", "late_ms", "cause", "stage", "running")},
        "missed_by": end.get("responsible"),
        "incident": _id(end.get("incident")),
    }


def _reviews(lead: UUID, events: Sequence[Opened]) -> list[Row]:
    rows = {}
    for opened in (event for event in events if _name(event) == "review_opened"):
        data, visit = opened.data, opened.data["visit"]
        ends = [
            e
            for e in events
            if _name(e) in ("review_confirmed", "review_returned", "review_dropped")
            and e.data["visit"] == visit
            and e.version > opened.version
        ]
        end = ends[-1] if ends else None
        rows[visit] = {
            "lead": lead,
            "visit": visit,
            "pipeline": _pipeline(opened),
            "status": data["status"],
            "reason": data.get("reason"),
            "automatic": data["automatic"],
            "responsible": data.get("responsible"),
            "opened_at": opened.happened_at,
            "decision": _name(end).removeprefix("review_") if end else None,
            "decided_at": end.happened_at if end else None,
            "decided_by": end.meta["actor"]["id"] if end else None,
            "dropped_by": end.data.get("by") if end else None,
        }
    return list(rows.values())


def response(lead: UUID, events: Sequence[Opened]) -> list[Row]:
    """The lead's first steps, where it came by a channel."""
    captured = next((event for event in events if _name(event) == "captured"), None)
    if captured is None or captured.data.get("inbound_id") is None or _is_import(captured):
        return []
    own = [event for event in events if not _is_import(event)]
    given = [event for event in own if _name(event) in ("assigned", "pooled")]
    assigned = [event for event in given if _name(event) == "assigned"]
    merges = [event for event in own if _name(event) in ("merged", "unmerged")]
    row: Row = {
        "lead": lead,
        **{name: captured.data.get(name) for name in ("pipeline", "source", "channel", "form")},
        "arrived_at": _time(captured.data["received_at"]),
        "captured_at": captured.happened_at,
        "responsible": given[-1].data.get("to") if given else None,
        "assigned_at": assigned[0].happened_at if assigned else None,
        "assigned_to": assigned[0].data["to"] if assigned else None,
        "merged": bool(merges) and _name(merges[-1]) == "merged",
    }
    contacts = [(found, event) for event in own if (found := _contact(event)) is not None]
    for step, taken in (
        ("seen", [((e.happened_at, None), e) for e in own if _name(e) == "seen"]),
        ("accepted", [((e.happened_at, None), e) for e in own if _name(e) == "accepted"]),
        ("contact", contacts),
    ):
        first = min(taken, key=lambda pair: (pair[0][0], pair[1].version), default=None)
        by_person = first is not None and (step != "contact" or first[1].meta["actor"]["kind"] == "person")
        row |= {
            f"{step}_at": first[0][0] if first else None,
            f"{step}_by": first[1].meta["actor"]["id"] if first and by_person else None,
            f"{step}_responsible": _responsible(given, first[1]) if first else None,
        }
        if step == "contact":
            row["contact_how"] = first[0][1] if first else None
    return [row]


def _contact(event: Opened) -> tuple[datetime, str] | None:
    """When and how we were in contact by this event; None: we were not."""
    name, data = _name(event), event.data
    if name in ("call_recorded", "call_updated") and data["answered"]:
        return datetime.fromisoformat(data["started_at"]), f"call_{data['call_direction']}"
    how = {"call_held": "call_held", "meeting_held": "meeting", "document_sent": "document"}.get(name)
    return (event.happened_at, how) if how and event.meta["actor"]["kind"] == "person" else None


def _responsible(given: Iterable[Opened], at: Opened) -> str | None:
    """Whose lead it was when an event was recorded."""
    return next((e.data.get("to") for e in reversed(list(given)) if e.version < at.version), None)


def _is_import(event: Opened) -> bool:
    return bool(event.meta["actor"]["kind"] == "import")


def _name(event: Opened) -> str:
    return event.type.rpartition(".")[2]


def _pipeline(event: Opened) -> str:
    return str(event.meta.get("pipeline") or "").partition("@")[0]


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _id(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
