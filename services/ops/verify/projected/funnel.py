"""What the funnel's rows must be, from a lead's opened events (M2, M9): written against the tables' comments.

Pure. Unlike production, which changes rows event by event, this draws the whole picture anew after each event, endings from what
stands beside what, and reads from the pictures what was known when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.ops.verify.opened import Opened
from services.ops.verify.projected.store import Row

BEGINS = ("captured", "opened")
AWAY, BACK = ("merged", "withdrawn"), ("unmerged", "restored")
"""How a lead or a deal leaves its stage for none, and comes back to it."""
GIVEN = ("assigned", "pooled")
"""Events that say whose a lead is: nobody's, once it waits in the pool."""
USED = {*BEGINS, "stage_entered", *GIVEN, "rejected", "adopted", *AWAY, *BACK}
END = {
    "left_at": None, "to_stage": None, "left_by": None, "left_how": None, "left_direction": None, "left_version": None,
    "left_reason": None, "left_outcome": None,
}  # fmt: skip


class FunnelRows(NamedTuple):
    """The rows of a lead in the funnel's three tables."""

    lead: list[Row]
    visits: list[Row]
    past: list[Row]


@dataclass(slots=True)
class _Stay:
    """A stay in a stage: the event it began with, in which pipeline and version, and the merge that ended it."""

    begun: Opened
    pipeline: str
    version: int
    merged: Opened | None = None


def funnel(lead: UUID, events: Sequence[Opened]) -> FunnelRows:
    """What the funnel keeps of a lead."""
    used = [event for event in events if _name(event) in USED]
    if not used or _name(used[0]) not in BEGINS:
        return FunnelRows([], [], [])
    known = used[0].recorded_at
    now: dict[int, tuple[Row, Row]] = {}
    when: dict[int, dict[str, datetime | None]] = {}
    past: list[Row] = []
    at = 0
    for n in range(1, len(used) + 1):
        known = max(known, used[n - 1].recorded_at)
        at, picture = _picture(lead, used[:n])
        for visit, (core, end) in picture.items():
            times = when.setdefault(visit, {"known_from": known, "left_known_at": None})
            was = now.get(visit, (core, END))
            ended = end != was[1]
            if core != was[0] or (ended and was[1] != END):
                if times["known_from"] != known:
                    past.append({**was[0], **was[1], **times, "known_to": known})
                times["known_from"] = known
            if ended:
                times["left_known_at"] = None if end == END else known
        now = picture
    visits = [{**core, **end, **when[visit]} for visit, (core, end) in now.items()]
    return FunnelRows([_lead(lead, used, at, known)], visits, past)


def _lead(lead: UUID, used: Sequence[Opened], at: int, known: datetime) -> Row:
    captured, adopted = used[0], _before(used, "adopted")
    rejected = _rejection(used, None)
    return {
        "lead": lead,
        "pipeline": (adopted or captured).data["pipeline"],
        "version": adopted.data["number"] if adopted else _version(captured),
        "source": captured.data["source"],
        "captured_at": captured.happened_at,
        "known_at": known,
        "responsible": _whose(used),
        "visit": at,
        "reason": rejected[0],
        "outcome": rejected[1],
    }


def _picture(lead: UUID, used: Sequence[Opened]) -> tuple[int, dict[int, tuple[Row, Row]]]:
    """Every visit by number, its end apart; and the number of the one the lead is in or left last."""
    pipeline, version = used[0].data["pipeline"], _version(used[0])
    path: list[_Stay] = []
    wrong: list[tuple[_Stay, _Stay | None, Opened]] = []
    for event in used:
        name, data = _name(event), event.data
        if name == "adopted":
            pipeline, version = data["pipeline"], data["number"]
        elif name in AWAY and path and path[-1].merged is None:
            path[-1].merged = event
        elif name in BACK and path:
            path[-1].merged = None
        elif name == "stage_entered":
            places = {stay.begun.data["visit"]: place for place, stay in enumerate(path)}
            if (place := places.get(data.get("undoes"))) is not None:
                wrong.append((path[place], path[place + 1] if place + 1 < len(path) else None, event))
                del path[place]
            corrected = data.get("undoes") is not None or data["cause"] in ("undone", "unmerged")
            stands = path[-1] if path else None
            goes_on = stands is not None and stands.merged is None and stands.pipeline == pipeline
            if corrected and goes_on and stands is not None and stands.begun.data["stage"] == data["stage"]:
                continue
            path.append(_Stay(event, pipeline, version))
    rows = {}
    for place, stay in enumerate(path):
        following = path[place + 1] if place + 1 < len(path) else None
        before = path[place - 1].begun.data["stage"] if place and place - 1 < len(path) else None
        rows[stay.begun.data["visit"]] = _visit(lead, used, stay, following, before, None)
    for stay, following, undoing in wrong:
        rows[stay.begun.data["visit"]] = _visit(lead, used, stay, following, None, undoing)
    return path[-1].begun.data["visit"] if path else 0, rows


def _visit(
    lead: UUID, used: Sequence[Opened], stay: _Stay, following: _Stay | None, before: str | None, undoing: Opened | None
) -> tuple[Row, Row]:
    begun = stay.begun
    data, captured = begun.data, used[0]
    ended = stay.merged or (following.begun if following else None)
    responsible, worked = _whose(used, begun), _whose(used, ended or undoing)
    jumped = before is not None and data.get("from_visit") is not None and data.get("undoes") is None
    basis = data.get("basis", "check")
    core = {
        "lead": lead,
        "visit": data["visit"],
        "pipeline": stay.pipeline,
        "pipeline_version": stay.version,
        "stage": data["stage"],
        "kind": data["kind"],
        "cause": data["cause"],
        "direction": data["direction"],
        "basis": "import" if basis == "check" and begun.meta["actor"]["kind"] == "import" else basis,
        "from_stage": before if jumped and undoing is None else data.get("from_stage"),
        "source": captured.data["source"],
        "captured_at": captured.happened_at,
        "responsible": responsible,
        "worked_by": worked,
        "entered_at": begun.happened_at,
        "undone": undoing is not None,
    }
    if ended is None:
        return core, END
    if stay.merged is not None:
        return core, {**END, "left_at": ended.happened_at, "left_by": _name(ended), "left_how": "merged_away"}
    assert following is not None
    across = following.pipeline != stay.pipeline or ended.data["direction"] == "across"
    way = "handed_over" if across else _way(data["kind"], ended.data)
    reason, outcome = _rejection(used, ended) if way == "lost" else (None, None)
    return core, {
        "left_at": ended.happened_at,
        "to_stage": ended.data["stage"],
        "left_by": ended.data["cause"],
        "left_how": way,
        "left_direction": ended.data["direction"],
        "left_version": following.version,
        "left_reason": reason,
        "left_outcome": outcome,
    }


def _way(kind: str, end: dict[str, Any]) -> str:
    """The way out of a visit, from the event that ended it."""
    if end["kind"] in ("lost", "postponed"):
        return str(end["kind"])
    if (kind, end["kind"]) in (("open", "won"), ("lost", "won"), ("postponed", "won")):
        return "won"
    return {"back": "moved_back", "return": "moved_back", "skip": "skipped_on"}.get(end["direction"], "went_on")


def _rejection(used: Sequence[Opened], entered: Opened | None) -> tuple[str | None, str | None]:
    """Reason and outcome of the rejection since the stage before this entry (none: the last there was)."""
    for event in reversed(used):
        if entered is not None and event.version >= entered.version:
            continue
        if _name(event) == "rejected":
            return event.data.get("reason"), event.data.get("outcome", "refused")
        if _name(event) == "stage_entered":
            break
    return None, None


def _before(used: Sequence[Opened], name: str, end: Opened | None = None) -> Opened | None:
    """The last event of this name before another one."""
    return next((e for e in reversed(used) if _name(e) == name and (end is None or e.version < end.version)), None)


def _whose(used: Sequence[Opened], end: Opened | None = None) -> str | None:
    """Who was responsible before another event; None: nobody."""
    given = [e for e in used if _name(e) in GIVEN and (end is None or e.version < end.version)]
    return given[-1].data.get("to") if given else None


def _version(event: Opened) -> int:
    text = str(event.meta.get("pipeline") or "")
    return int(text.split("@")[-1]) if "@" in text else 0


def _name(event: Opened) -> str:
    return event.type.rpartition(".")[2]
