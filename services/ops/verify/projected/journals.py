"""What the rows of the incident journals must be, from a journal's opened events: written against the tables' comments.

Pure. Unlike production, which changes rows event by event, this looks for each row through all events about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.ops.verify.opened import Opened
from services.ops.verify.projected.store import Row

AS_TOLD = ("employee", "lead", "pipeline", "stage", "rule", "because", "missed_s", "cause", "counts", "turn", "term", "calendar", "text")  # fmt: skip  # noqa: E501


def journal(stream: UUID, events: Sequence[Opened]) -> dict[str, list[Row]]:
    """By table what is kept of a journal."""
    of = {name: [e for e in events if e.type.rpartition(".")[2] == name] for name in {_name(e) for e in events}}
    opened, extended = of.get("escalation_opened", []), of.get("escalation_extended", [])
    found: dict[str, list[Row]] = {
        "incidents": [_incident(e, of) for e in of.get("recorded", [])],
        "escalations": [_escalation(e, of) for e in opened],
        "escalated": [
            *(_member(e, incident, None, True) for e in opened for incident in e.data["incidents"]),
            *(_member(e, e.data["incident"], e.data["strike"], False) for e in extended),
        ],
        "notices": [_notice(e, of) for e in of.get("notice_requested", [])],
        "digests": [_digest(e) for e in of.get("digest_made", [])],
        "card_reviews": [_card_review(e, of) for e in of.get("card_review_due", [])],
    }
    for rows in found.values():
        for row in rows:
            row["journal"] = stream
    return found


def _incident(recorded: Opened, of: dict[str, list[Opened]]) -> Row:
    data, incident = recorded.data, recorded.data["incident"]
    told, noted, excused, restated = (
        [e for e in of.get(name, []) if e.data["incident"] == incident]
        for name in ("told", "acknowledged", "excused", "restated")
    )
    first: dict[str, Any] = told[0].data if told else {}
    last: dict[str, Any] = restated[-1].data if restated else {}
    told_since = bool(told and restated) and told[0].version > restated[-1].version
    return {
        "incident": UUID(incident),
        "kind": data["incident_kind"],
        **{name: data.get(name) for name in AS_TOLD},
        "lead": UUID(data["lead"]) if data.get("lead") else None,
        "of_deal": data.get("of_deal", False),
        "due_at": datetime.fromisoformat(data["due_at"]),
        "begun_at": datetime.fromisoformat(data["begun_at"]) if data.get("begun_at") else None,
        "recorded_at": recorded.happened_at,
        "told_at": told[0].happened_at if told else None,
        "told_via": first.get("via"),
        "strike": first.get("strike"),
        "strikes": first.get("of"),
        "days": first.get("days"),
        "acknowledged_at": noted[0].happened_at if noted else None,
        "comment": noted[0].data.get("comment") if noted else None,
        "excused_at": excused[-1].happened_at if excused else None,
        "excused_by": _by(excused[-1]) if excused else None,
        "excuse": excused[-1].data["reason"] if excused else None,
        "restated_at": restated[-1].happened_at if restated else None,
        "restated_by": _by(restated[-1]) if restated else None,
        "verdict": last.get("verdict"),
        "restated_due_at": datetime.fromisoformat(last["due_at"]) if restated else None,
        "restated_calendar": last.get("calendar"),
        "restated_strike": (first if told_since else last).get("strike") if restated else None,
        "restatement": last.get("reason"),
        "restatements": len(restated),
    }


def _escalation(opened: Opened, of: dict[str, list[Opened]]) -> Row:
    said = [*of.get("escalation_extended", []), *of.get("escalation_closed", [])]
    about = [e for e in said if e.data["escalation"] == opened.data["escalation"]]
    last = max(about, key=lambda e: e.version, default=None)
    closed = last if last is not None and _name(last) == "escalation_closed" else None
    return {
        "escalation": UUID(opened.data["escalation"]),
        "manager": opened.data.get("to"),
        **{name: opened.data[name] for name in ("employee", "strike", "days")},
        "opened_at": opened.happened_at,
        "closed_at": closed.happened_at if closed else None,
        "closed_how": closed.data["by"] if closed else None,
        "closed_by": _by(closed) if closed else None,
        "comment": closed.data.get("comment") if closed else None,
    }


def _member(event: Opened, incident: str, strike: int | None, opening: bool) -> Row:
    return {
        "escalation": UUID(event.data["escalation"]),
        "incident": UUID(incident),
        "strike": strike,
        "added_at": event.happened_at,
        "opening": opening,
    }


def _notice(requested: Opened, of: dict[str, list[Opened]]) -> Row:
    data = requested.data
    names = ("notice_done", "notice_failed", "notice_repeated")
    about = [e for name in names for e in of.get(name, []) if e.data["effect"] == data["effect"]]
    ends = [e for e in about if _name(e) != "notice_repeated"]
    end = max(ends, key=lambda e: e.version, default=None)
    repeats = [e for e in about if _name(e) == "notice_repeated"]
    again = end is not None and any(e.version > end.version for e in repeats)
    how: dict[str, Any] = end.data if end else {}
    return {
        "effect": UUID(data["effect"]),
        "addressee": data["to"],
        "about": data["about"],
        **{name: UUID(data[name]) if data.get(name) else None for name in ("incident", "escalation")},
        "requested_at": requested.happened_at,
        "state": _name(end).removeprefix("notice_") if end and not again else "requested",
        "closed_at": end.happened_at if end and not again else None,
        "repeats": len(repeats),
        **{name: how.get(name) for name in ("attempts", "provider", "reason")},
        "doubtful": how.get("doubtful", False),
    }


def _digest(made: Opened) -> Row:
    return {
        "version": made.version,
        "day": date.fromisoformat(made.data["day"]),
        "made_at": made.happened_at,
        **{name: made.data[name] for name in ("team", "overdue", "people")},
    }


def _card_review(due: Opened, of: dict[str, list[Opened]]) -> Row:
    done = next((e for e in of.get("card_review_done", []) if e.data["review"] == due.data["review"]), None)
    return {
        "review": UUID(due.data["review"]),
        "pipeline": due.data["pipeline"],
        **{name: date.fromisoformat(due.data[name]) for name in ("period_start", "period_end")},
        "asked_at": due.happened_at,
        "done_at": done.happened_at if done else None,
        "done_by": _by(done) if done else None,
        "comment": done.data.get("comment") if done else None,
    }


def _by(event: Opened) -> str:
    return str(event.meta["actor"]["id"])


def _name(event: Opened) -> str:
    return event.type.rpartition(".")[2]
