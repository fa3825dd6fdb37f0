"""What the rows of robots, effects and triggers must be, from a lead's opened events: written against the tables' comments.

Pure. Unlike production, which changes rows event by event, this looks for each row through all events of its timer or effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.ops.verify.opened import Opened
from services.ops.verify.projected.store import Row

ENDS = ("ran", "skipped", "cancelled", "failed")


class RobotRows(NamedTuple):
    """The rows of a lead in the three tables."""

    runs: list[Row]
    effects: list[Row]
    pulls: list[Row]


def robots(lead: UUID, events: Sequence[Opened]) -> RobotRows:
    """What is kept of a lead's robots, effects and triggers."""
    runs = [_run(lead, event, events) for event in events if _name(event) == "robot_armed"]
    effects = [_effect(lead, event, events) for event in events if _name(event) == "effect_requested"]
    pulls = [_pull(lead, event) for event in events if _name(event) in ("trigger_fired", "trigger_refused")]
    return RobotRows(runs, effects, pulls)


def _run(lead: UUID, armed: Opened, events: Sequence[Opened]) -> Row:
    timer = armed.data["timer"]
    ends = [e for e in events if e.data.get("timer") == timer and _name(e) in [f"robot_{how}" for how in ENDS]]
    end: dict[str, Any] = ends[-1].data if ends else {}
    return {
        "lead": lead,
        "timer": UUID(timer),
        "pipeline": _pipeline(armed),
        "robot": armed.data["robot"],
        "visit": armed.data["visit"],
        "because": armed.data["because"],
        "armed_at": armed.happened_at,
        "due_at": datetime.fromisoformat(armed.data["due_at"]),
        "outcome": _name(ends[-1]).removeprefix("robot_") if ends else None,
        "reason": end.get("by", end.get("reason")),
        "closed_at": ends[-1].happened_at if ends else None,
        "late_ms": end.get("late_ms"),
        "effect": UUID(end["effect"]) if end.get("effect") else None,
    }


def _effect(lead: UUID, requested: Opened, events: Sequence[Opened]) -> Row:
    asked, effect = requested.data, requested.data["effect"]
    about = [e for e in events if e.data.get("effect") == effect and _name(e).startswith("effect_")]
    ends = [e for e in about if _name(e) in ("effect_done", "effect_failed")]
    repeats = [e for e in about if _name(e) == "effect_repeated"]
    bounces = [e for e in about if _name(e) == "effect_bounced"]
    end: dict[str, Any] = ends[-1].data if ends else {}
    open_again = bool(ends and repeats and repeats[-1].version > ends[-1].version)
    closed = ends[-1] if ends and not open_again else None
    return {
        "lead": lead,
        "effect": UUID(effect),
        "pipeline": _pipeline(requested),
        "kind": asked["effect_kind"],
        **{name: asked.get(name) for name in ("robot", "visit", "template", "service", "action")},
        "marketing": asked.get("marketing", False),
        "requested_at": requested.happened_at,
        "state": _name(closed).removeprefix("effect_") if closed is not None else "requested",
        "closed_at": closed.happened_at if closed is not None else None,
        **{name: end.get(name) for name in ("attempts", "provider", "reason", "matched")},
        "doubtful": end.get("doubtful", False),
        "repeats": len(repeats),
        "bounced": _bounced(bounces[-1].data) if bounces else None,
        "bounced_at": bounces[-1].happened_at if bounces else None,
    }


def _bounced(data: Mapping[str, Any]) -> str:
    if data.get("permanent", True):
        return "permanent"
    return "failed" if data.get("given_up") else "delayed"


def _pull(lead: UUID, pulled: Opened) -> Row:
    return {
        "lead": lead,
        "version": pulled.version,
        "pipeline": _pipeline(pulled),
        "trigger": pulled.data["trigger"],
        "at": pulled.happened_at,
        "fired": _name(pulled) == "trigger_fired",
        "to_stage": pulled.data["to_stage"],
        "reason": pulled.data.get("reason"),
    }


def _name(event: Opened) -> str:
    return event.type.rpartition(".")[2]


def _pipeline(event: Opened) -> str:
    return str(event.meta.get("pipeline") or "").partition("@")[0]
